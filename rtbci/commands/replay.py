"""``rtbci replay``: decodes recordings as if they were live."""

import argparse
import contextlib
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rtbci.commands.option_types import MAX_SPEED, labels, speed
from rtbci.commands.options import (
    BUNDLES,
    SESSIONS,
    add_bundle_option,
    add_decoder_options,
    add_lsl_options,
    add_reading_options,
    add_session_folder_option,
    calibration_settings,
    check_files,
    check_png,
    command_line,
    given_decoder_options,
    reading_settings,
)
from rtbci.errors import BadInput
from rtbci.platform_support import require_linux
from rtbci.subjects import same_subject, subject_of
from rtbci.terminal import progress_bar, say, stages

if TYPE_CHECKING:
    from calibration.fitting.replay_choice import ReplayChoice
    from rtbci.decoding.bundle import Bundle
    from rtbci.decoding.offline import RunCounts
    from rtbci.session.run import SessionResult
    from rtbci.statistics.scores import Scores

HELP = """Decode recordings as if they were live, one after the other.

  rtbci replay run3.xdf --bundle bundles/sub-02
  rtbci replay run3.xdf --bundle bundles/sub-02 --speed max

With a number as speed, the recording passes through the real processes
(stream, record, decode) over LSL, hidden from other programs without --public.
With max the same decisions are made in this process.

Without --bundle the newest bundle in ./bundles of the subject named in the
path is used. If there is none, or with --labels, the first 60 % of the runs
are used for calibration and the rest is replayed."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Fill the parser of the command."""
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="recordings, in order")
    add_bundle_option(parser)
    parser.add_argument(
        "--speed", type=speed, default=1.0, metavar="N|max",
        help="times real time, over LSL; max: as fast as possible, in this process [1]",
    )  # fmt: skip
    parser.add_argument("--no-record", action="store_true", help="do not write a recording")
    add_session_folder_option(parser)
    parser.add_argument(
        "--public", action="store_true", help="let other programs of the lab see the streams"
    )
    parser.add_argument("--headless", action="store_true", help="do not open a window")
    parser.add_argument("--picture", type=Path, metavar="FILE.png", help="draw the session")
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    parser.add_argument(
        "--labels", type=labels, metavar="CODE=NAME,...", help="classes, for a calibration"
    )
    add_decoder_options(parser)
    add_reading_options(parser)
    add_lsl_options(parser)


def run(args: argparse.Namespace) -> int:
    """Replay every file, and print decisions and the summary; returns the exit code."""
    from calibration.fitting.replay_choice import choose
    from rtbci.decoding.offline import RunCounts, scores_of, speed_reached, summary
    from rtbci.messages import line
    from rtbci.report.terminal_summary import remarks, session_rows, show

    check_files(args.files)
    check_options(args)
    if args.speed != MAX_SPEED:
        require_linux("rtbci replay at a speed other than max")
    with progress_bar() as bar:
        chosen = choose(
            args.files, reading_settings(args), args.bundle, BUNDLES, args.labels,
            partial(calibration_settings, args), stages(bar), say,
        )  # fmt: skip
    (say if args.json else print)(chosen.sentence)
    warn(args, chosen.bundle)
    tally, ran, more = RunCounts(), None, {}
    began = time.perf_counter()
    if args.speed == MAX_SPEED:
        in_process(chosen, tally, args.json)
    else:
        ran = over_bus(args, chosen, tally)
        if ran.failure is not None and not tally.decisions:
            return ran.exit_code()
        more = ran.fields()
    wall = max(time.perf_counter() - began, 1e-9)
    scores = scores_of(tally, chosen.bundle)
    factor = speed_reached(tally.seconds, wall) if ran is None else args.speed
    result = {**summary(tally, chosen.bundle, scores), "real_time_factor": factor, **more}
    for sentence in remarks(tally, chosen.bundle):
        say(sentence)
    if args.json:
        print(line(result), flush=True)
        say(f"{tally.seconds:.0f} s replayed in {wall:.2f} s: {tally.seconds / wall:.0f} x")
    else:
        how = f"{tally.seconds:.0f} s in {wall:.1f} s, {tally.seconds / wall:.0f} x real time"
        rows = session_rows(result, "none (--no-record)") if ran else ()
        show(result, tally, ("speed", how), *rows)
    if args.picture:
        draw(args.picture, chosen, tally, scores)
    return ran.exit_code() if ran else 0


def draw(file: Path, chosen: "ReplayChoice", tally: "RunCounts", scores: "Scores | None") -> None:
    """Draw the session."""
    from rtbci.decoding.offline import verdict_of
    from rtbci.report.session_picture import session_picture

    files, bundle = chosen.files, chosen.bundle
    what = files[0].name if len(files) == 1 else f"{len(files)} recordings"
    title, verdict = f"{bundle.subject}: {what}", verdict_of(tally, scores)
    session_picture(file, tally.decisions, scores, title, bundle.decoder.classes, verdict)
    say(f"picture: {file}")


def check_options(args: argparse.Namespace) -> None:
    """Raise ``BadInput`` for options that contradict each other."""
    check_png(args.picture)
    if args.speed == MAX_SPEED:
        only = {"public": args.public, "no-record": args.no_record, "out": args.out != SESSIONS,
                "lsl-session": args.lsl_session, "lsl-scope": args.lsl_scope}  # fmt: skip
        wrong = [f"--{name}" for name, given in only.items() if given]
        if wrong:
            raise BadInput(
                f"{', '.join(wrong)}: --speed max does not use the bus; "
                "give a number, e.g. --speed 8"
            )
    if args.public and args.lsl_session:
        raise BadInput("--public is LSL's own session; leave out --lsl-session or --public")


def in_process(chosen: "ReplayChoice", tally: "RunCounts", as_json: bool) -> None:
    """Replay in this process, as fast as possible."""
    from rtbci.decoding.offline import replay
    from rtbci.messages import DecisionMade, line

    with progress_bar() as bar:
        task = bar.add_task("replaying", total=len(chosen.files))
        for path, read in zip(chosen.files, chosen.sources, strict=True):
            recording, after = read()
            file = path.name if len(chosen.files) > 1 else None
            for decision in replay(recording, chosen.bundle, tally, after):
                if as_json:
                    print(line(DecisionMade(decision, file=file)), flush=True)
            bar.update(task, advance=1)


def over_bus(
    args: argparse.Namespace, chosen: "ReplayChoice", tally: "RunCounts"
) -> "SessionResult":
    """Replay through the real processes, over LSL."""
    from rtbci.session.folder import new_folder
    from rtbci.session.kinds import replay_spec
    from rtbci.session.processes import Bus, private_bus
    from rtbci.session.run import run as run_session
    from rtbci.session.screen import wants_window
    from rtbci.session.view import TerminalView

    bus = private_bus(args.lsl_scope)
    if args.public or args.lsl_session:
        scope = args.lsl_scope if args.public else args.lsl_scope or bus.scope
        bus = Bus(args.lsl_session, scope)
    bundle, window = chosen.bundle, wants_window(args.headless)
    spec = replay_spec(
        new_folder(args.out, bundle.subject), bus, bundle, chosen.files,
        reading_settings(args).words, command_line(args),
        speed=args.speed, record=not args.no_record, spool=args.spool, window=window,
    )  # fmt: skip
    with contextlib.closing(TerminalView(args.json, bar=True)) as view:
        return run_session(spec, bundle, view, tally, chosen.sources)


def warn(args: argparse.Namespace, bundle: "Bundle") -> None:
    """Warn about options that a bundle overrides, and about recordings of another subject."""
    if bundle.path is None:
        return
    if ignored := given_decoder_options(args):
        say(f"{', '.join(ignored)}: not used, the bundle says how to decode")
    strangers = {subject_of(path) for path in args.files} - {None}
    for each in sorted(strangers, key=str):
        if not same_subject(str(each), bundle.subject):
            say(f"the path names {each}, the bundle is of {bundle.subject}")
