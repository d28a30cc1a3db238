"""``rtbci record``: streams of the lab into one file that survives whatever ends the recording."""

import argparse
import signal
import threading
from pathlib import Path

from rtbci.commands.options import add_child_options, add_lsl_options
from rtbci.errors import BadInput
from rtbci.platform_support import require_linux

HELP = """\
Record streams of the lab into one XDF file: all of them, also those that come
later, or the ones named with --stream.

  rtbci record --out test.xdf --duration 60

Ends with ctrl-c, after --duration, or when every stream has fallen silent. A
kill or a power cut leaves a file that opens; rtbci verify looks into it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``record``."""
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.xdf", help="a new file")
    parser.add_argument(
        "--stream", action="append", default=[], metavar="NAME", dest="streams",
        help="record this one (name, source_id or uid); may be given again [all streams]",
    )  # fmt: skip
    parser.add_argument("--duration", type=float, metavar="S", help="seconds from the first sample")
    parser.add_argument(
        "--continue", action="store_true", dest="go_on",
        help="where FILE exists, write FILE_part-02.xdf, -03, ...",
    )  # fmt: skip
    parser.add_argument(
        "--idle", type=float, metavar="S",
        help="end when every stream has been silent for so long [60, once there was one]",
    )  # fmt: skip
    parser.add_argument(
        "--fallback", type=Path, metavar="DIR", help="go on there when the disk is full"
    )
    add_lsl_options(parser)
    add_child_options(parser, "at the end of stdin it goes on")


def run(args: argparse.Namespace) -> int:
    """Record; 130 or 143 where a signal ended it (the file is whole then, too)."""
    require_linux("rtbci record")
    for option, value in (("--duration", args.duration), ("--idle", args.idle)):
        if value is not None and not 0 < value < float("inf"):
            raise BadInput(f"{option} takes a number of seconds above 0, found {value:g}")
    if args.out.suffix.lower() != ".xdf":
        raise BadInput(f"--out {args.out} does not end in .xdf, the format it is written in")

    from rtbci.lsl.config import configure
    from rtbci.process import ControlInput, Reporter
    from rtbci.recorder.record import Recorder, RecordingSettings

    configure(args.lsl_session, args.lsl_scope)
    reporter = Reporter("record", args.json)
    plan = RecordingSettings(
        args.out, tuple(args.streams), args.duration, args.go_on, args.idle, args.fallback
    )
    stopped_by = list[int]()
    try:
        recorder = Recorder(plan, reporter, ControlInput(args.control == "stdin"))

        def stop(number: int, _frame: object) -> None:
            stopped_by.append(number)
            recorder.stop()

        if threading.current_thread() is threading.main_thread():
            # in the middle of a chunk is no place for an exception: the loop sees that it is over
            signal.signal(signal.SIGTERM, stop)
            signal.signal(signal.SIGINT, stop)
        recorder.run()
    finally:
        reporter.close()
    return 128 + stopped_by[0] if stopped_by else 0
