"""``rtbci live``: records and decodes the stream of an amplifier."""

import argparse
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from rtbci.commands.option_types import seconds
from rtbci.commands.options import (
    add_bundle_option,
    add_lsl_options,
    add_session_folder_option,
    command_line,
)
from rtbci.errors import BadInput, RtbciError
from rtbci.platform_support import require_linux
from rtbci.terminal import say

if TYPE_CHECKING:
    from rtbci.decoding.bundle import Bundle
    from rtbci.session.run import SessionResult

HELP = """Record every stream and decode the EEG, until ctrl-c, rtbci stop or --duration.

  rtbci live --bundle bundles/sub-02 --stream LiveAmpSN-0815
  rtbci live --attach sub-02_2026-11-21_103015

--attach follows a session that is already running. If its supervisor was
killed, its recorder goes on, and decoding is started again."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Fill the parser of the command."""
    add_bundle_option(parser)
    parser.add_argument("--attach", metavar="SESSION", help="a running session: name or folder")
    parser.add_argument(
        "--stream", metavar="NAME", help="the EEG stream: name, source_id or uid [the only one]"
    )
    parser.add_argument(
        "--markers", action="append", default=[], metavar="NAME", help="marker streams [all]"
    )
    parser.add_argument("--unit", metavar="uV|V", help="unit, if the stream does not state it")
    parser.add_argument("--rename", type=Path, metavar="FILE", help="JSON or CSV of old,new names")
    parser.add_argument("--duration", type=seconds, metavar="S", help="end after S seconds")
    parser.add_argument("--every", type=seconds, metavar="S", help="also decide every S seconds")
    parser.add_argument(
        "--wait",
        type=seconds,
        metavar="S",
        help="how long events wait for late markers of earlier ones [0.5]",
    )
    parser.add_argument("--no-record", action="store_true", help="do not write a recording")
    add_session_folder_option(parser)
    parser.add_argument("--headless", action="store_true", help="do not open a window")
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    add_lsl_options(parser)


def run(args: argparse.Namespace) -> int:
    """Run a session, or attach to one; returns the exit code."""
    require_linux("rtbci live")
    if args.attach is not None:
        if args.bundle:
            raise BadInput("--attach takes the session's own bundle; leave out --bundle")
        return attach(args)
    if args.bundle is None:
        raise BadInput("expected --bundle DIR, the decoder of this person (rtbci calibrate)")
    from rtbci.decoding.bundle import load_bundle
    from rtbci.lsl.acceptance import acceptance
    from rtbci.session.folder import new_folder
    from rtbci.session.kinds import DecodingSettings, live_spec
    from rtbci.session.processes import Bus
    from rtbci.session.run import run as run_session
    from rtbci.session.screen import wants_window
    from rtbci.session.view import TerminalView

    bundle = load_bundle(args.bundle)
    say(f"decoding with {bundle.path} of {bundle.subject} ({', '.join(bundle.decoder.classes)})")
    acceptance(bundle.resolve, args.unit, args.rename)
    decoding = DecodingSettings(
        args.stream, tuple(args.markers), args.unit, args.rename, args.every, args.wait
    )
    bus, window = Bus(args.lsl_session, args.lsl_scope), wants_window(args.headless)
    spec = live_spec(
        new_folder(args.out, bundle.subject), bus, bundle, decoding, command_line(args),
        record=not args.no_record, spool=args.spool, duration=args.duration, window=window,
    )  # fmt: skip
    with contextlib.closing(TerminalView(args.json, each=True)) as view:
        ran = run_session(spec, bundle, view)
    return conclude(args, ran, bundle)


def attach(args: argparse.Namespace) -> int:
    """Follow a running session, or continue one whose supervisor was killed."""
    from rtbci.decoding.bundle import load_bundle
    from rtbci.session import control
    from rtbci.session.folder import CONFIG
    from rtbci.session.kinds import take_over_spec
    from rtbci.session.run import run as run_session
    from rtbci.session.view import TerminalView, follow

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
        spec = take_over_spec(folder, entry, args.duration)
        bundle = load_bundle(str(spec.config.bundle))
        ran = run_session(spec, bundle, view)
    return conclude(args, ran, bundle)


def conclude(args: argparse.Namespace, ran: "SessionResult", bundle: "Bundle") -> int:
    """Show the summary; returns the exit code."""
    from rtbci.decoding.offline import scores_of, summary
    from rtbci.messages import line
    from rtbci.report.terminal_summary import session_rows, show

    tally = ran.collector.tally
    if ran.failure is not None and not tally.decisions:
        return ran.exit_code()
    result = {**summary(tally, bundle, scores_of(tally, bundle)), **ran.fields()}
    if args.json:
        print(line(result), flush=True)
    else:
        show(result, tally, *session_rows(result))
    return ran.exit_code()
