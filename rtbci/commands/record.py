"""``rtbci record``: records streams of the lab into one crash-safe file."""

import argparse
import signal
import threading
from pathlib import Path

from rtbci.commands.options import add_child_options, add_lsl_options
from rtbci.errors import BadInput
from rtbci.platform_support import require_linux

HELP = """\
Record streams of the lab into one XDF file: all streams, including those that
start later, or the ones named with --stream.

  rtbci record --out test.xdf --duration 60

Ends with ctrl-c, after --duration, or when all streams have become silent. The
file stays readable after a kill or a power cut; rtbci verify checks it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``record``."""
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.xdf", help="a new file")
    parser.add_argument(
        "--stream", action="append", default=[], metavar="NAME", dest="streams",
        help="record this one (name, source_id or uid); may be repeated [all streams]",
    )  # fmt: skip
    parser.add_argument("--duration", type=float, metavar="S", help="seconds from the first sample")
    parser.add_argument(
        "--continue", action="store_true", dest="go_on",
        help="if FILE exists, write FILE_part-02.xdf, -03, ...",
    )  # fmt: skip
    parser.add_argument(
        "--idle", type=float, metavar="S",
        help="end when all streams have been silent for S seconds [60, after a first stream]",
    )  # fmt: skip
    parser.add_argument(
        "--fallback", type=Path, metavar="DIR", help="continue there if the disk is full"
    )
    add_lsl_options(parser)
    add_child_options(parser, "at the end of stdin recording goes on")


def run(args: argparse.Namespace) -> int:
    """Record; returns 0, or 130 or 143 if a signal ended it (the file is closed properly then)."""
    require_linux("rtbci record")
    for option, value in (("--duration", args.duration), ("--idle", args.idle)):
        if value is not None and not 0 < value < float("inf"):
            raise BadInput(f"{option} takes a number of seconds above 0, found {value:g}")
    if args.out.suffix.lower() != ".xdf":
        raise BadInput(f"--out {args.out} does not end in .xdf, the format of recordings")

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
            # Handlers that set a flag, because an exception could interrupt the writing of a chunk.
            signal.signal(signal.SIGTERM, stop)
            signal.signal(signal.SIGINT, stop)
        recorder.run()
    finally:
        reporter.close()
    return 128 + stopped_by[0] if stopped_by else 0
