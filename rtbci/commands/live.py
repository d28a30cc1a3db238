"""``rtbci live``: record and decode what an amplifier streams."""

import argparse
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from rtbci.commands.options import add_lsl_options
from rtbci.errors import BadInput, RtbciError
from rtbci.platform_support import require_linux
from rtbci.terminal import say

if TYPE_CHECKING:
    from rtbci.decoding.bundle import Bundle
    from rtbci.session.over_bus import SessionResult

HELP = """Record every stream and decode the EEG, until ctrl-c, rtbci stop or --duration.

  rtbci live --bundle bundles/sub-02 --stream LiveAmpSN-0815
  rtbci live --attach sub-02_2026-11-21_103015

--attach follows a session that runs already; where its supervisor was
killed, its recorder goes on, and decoding is started again."""
SESSIONS = Path("sessions")  # where sessions lie unless told otherwise


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Fill the parser of the command."""
    parser.add_argument(
        "--bundle", type=Path, metavar="DIR", help="a bundle, or a folder (its newest)"
    )
    parser.add_argument("--attach", metavar="SESSION", help="a running session: name or folder")
    parser.add_argument(
        "--stream", metavar="NAME", help="the EEG stream: name, source_id or uid [the only one]"
    )
    parser.add_argument(
        "--markers", action="append", default=[], metavar="NAME", help="marker streams [all]"
    )
    parser.add_argument("--unit", metavar="uV|V", help="where the stream does not say")
    parser.add_argument("--rename", type=Path, metavar="FILE", help="JSON or CSV of old,new names")
    parser.add_argument("--duration", type=seconds, metavar="S", help="end after S seconds")
    parser.add_argument("--every", type=seconds, metavar="S", help="also decide every S seconds")
    parser.add_argument(
        "--wait",
        type=seconds,
        metavar="S",
        help="how long events wait for late markers of earlier ones [0.5]",
    )
    parser.add_argument("--no-record", action="store_true", help="write no recording")
    parser.add_argument(
        "--out", type=Path, default=SESSIONS, metavar="DIR",
        help="where the session's folder goes [sessions]",
    )  # fmt: skip
    parser.add_argument("--headless", action="store_true", help="open no window")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    add_lsl_options(parser)


def run(args: argparse.Namespace) -> int:
    """Start a session, or join one."""
    require_linux("rtbci live")
    if args.attach is not None:
        if args.bundle:
            raise BadInput("--attach takes the session's own bundle; leave out --bundle")
        return attach(args)
    if args.bundle is None:
        raise BadInput("expected --bundle DIR, the decoder of this person (rtbci calibrate)")
    from rtbci.commands.decode import acceptance
    from rtbci.decoding.bundle import load_bundle
    from rtbci.session.live import LiveSetup, live
    from rtbci.session.over_bus import config_of
    from rtbci.session.processes import Bus
    from rtbci.session.screen import wants_window
    from rtbci.session.view import TerminalView

    bundle = load_bundle(args.bundle)
    say(f"decoding with {bundle.path} of {bundle.subject} ({', '.join(bundle.decoder.classes)})")
    acceptance(args, bundle)
    bus = Bus(args.lsl_session, args.lsl_scope)
    setup = LiveSetup(
        args.out, bus, not args.no_record, args.duration, decode_words(args),
        wants_window(args.headless),
    )  # fmt: skip
    with contextlib.closing(TerminalView(args.json, each=True)) as view:
        ran = live(setup, bundle, view, config_of(args, bus, bundle))
    return conclude(args, ran, bundle)


def attach(args: argparse.Namespace) -> int:
    """Follow a running session, or take over what a killed supervisor left."""
    from rtbci.session import control
    from rtbci.session.folder import CONFIG
    from rtbci.session.live import follow, take_over
    from rtbci.session.view import TerminalView

    folder = Path(args.attach)
    try:
        entry = control.find(args.attach, control.running())
        folder = Path(entry.folder)
    except RtbciError:
        if not (folder / CONFIG).is_file():
            raise
        entry = None
    with contextlib.closing(TerminalView(args.json, each=True)) as view:
        if entry is not None and entry.alive:
            say(f"following {entry.id}; ctrl-c leaves it running, rtbci stop ends it")
            try:
                follow(entry, view)
            except KeyboardInterrupt:
                say(f"{entry.id} goes on without this terminal")
            return 0
        left = "nothing of it runs" if entry is None else "its recorder goes on"
        say(f"the supervisor of {folder.name} is gone, {left}; decoding again")
        ran, bundle = take_over(folder, entry, view, args.duration)
    return conclude(args, ran, bundle)


def conclude(args: argparse.Namespace, ran: "SessionResult", bundle: "Bundle") -> int:
    """The summary; returns the exit code."""
    from rtbci.decoding.offline import scores_of, summary
    from rtbci.messages import line
    from rtbci.report.terminal_summary import delay, show

    tally = ran.collector.tally
    if ran.failure is not None and not tally.decisions:
        return ran.exit_code()
    result = {**summary(tally, bundle, scores_of(tally, bundle)), **ran.fields()}
    if args.json:
        print(line(result), flush=True)
    else:
        rows = [("lost samples", str(result["lost_samples"])),
                ("delay", delay(result["latency_ms"])),
                ("recording", str(result["recording"] or "none"))]  # fmt: skip
        show(result, tally, *rows)
    return ran.exit_code()


def decode_words(args: argparse.Namespace) -> tuple[str, ...]:
    """Options that are handed on to ``rtbci decode``."""
    single = {name: getattr(args, name) for name in ("stream", "unit", "rename", "every", "wait")}
    words = [f"--{name}={value}" for name, value in single.items() if value is not None]
    return (*words, *(f"--markers={name}" for name in args.markers))


def seconds(text: str) -> float:
    """A number of seconds above 0."""
    from rtbci.commands.decode import positive

    return positive(text)
