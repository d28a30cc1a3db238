"""``rtbci stream``: a recording as an LSL stream, in real time or faster, with faults on demand."""

import argparse
import contextlib
import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rtbci.commands.options import (
    add_child_options,
    add_lsl_options,
    add_reading_options,
    read_file,
)
from rtbci.platform_support import require_linux
from rtbci.terminal import progress_bar

if TYPE_CHECKING:
    from rtbci.signal.recording import Recording
    from sims.faults import Fault

HELP = """Play a recording as an amplifier would: one EEG stream, one of markers.

  rtbci stream run3.xdf --speed 8 --wait-for 2
  rtbci stream run3.xdf --fault gone.toml

A fault script is TOML, seconds are those of the recording:

  [[fault]]
  at = 5.0
  do = "kill"     # or stall burst drop nan flat saturate hum clock_step drift
  for = 3.0       # delay duplicate missing late early, channels order rate unit"""
HIGHEST_SPEED = 1000.0
LONGEST_NAME = 100  # characters of a stream's name
MOST_READERS = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Fill the parser of the command."""
    parser.add_argument("file", type=Path, metavar="FILE", help="a recording or session folder")
    parser.add_argument("--speed", type=positive, default=1.0, metavar="N", help="how fast [1]")
    parser.add_argument("--loop", action="store_true", help="again and again, 1 s apart")
    parser.add_argument(
        "--stamps", choices=("regular", "file"), default="regular",
        help="t0 + index / rate, or as the file has them [regular]",
    )  # fmt: skip
    parser.add_argument(
        "--wait-for", type=readers, default=0, metavar="N", help="start when N readers are there"
    )
    parser.add_argument("--fault", type=Path, metavar="SCRIPT", help="what goes wrong, as TOML")
    parser.add_argument("--chunk", type=rows, metavar="N", help="samples sent at once [20 ms]")
    parser.add_argument(
        "--lead-in", type=seconds, default=2.0, metavar="S", help="first sample held before [2]"
    )
    parser.add_argument(
        "--linger", type=seconds, default=2.0, metavar="S", help="stay after the end [2]"
    )
    parser.add_argument("--name", type=stream_name, help="of the EEG stream [rtbci-eeg]")
    add_reading_options(parser)
    add_lsl_options(parser)
    add_child_options(parser)


def run(args: argparse.Namespace) -> int:
    """Stream until the end, an order or a signal."""
    require_linux("rtbci stream")
    from rtbci.signal.epoch_gaps import bridge

    recording = bridge(read_file(args.file, args, pick=True))
    faults = read_faults(args, recording)
    play(args, recording, faults)
    return 0


def read_faults(args: argparse.Namespace, recording: "Recording") -> "tuple[Fault, ...]":
    """The faults of the script, checked against the recording; none without ``--fault``."""
    if args.fault is None:
        return ()
    from sims.fault_script import check_script, read_script

    faults = read_script(args.fault)
    check_script(faults, recording.info, recording.duration, args.loop)
    return faults


def play(args: argparse.Namespace, recording: "Recording", faults: "tuple[Fault, ...]") -> None:
    """Play in this process, or in one after the other where the script kills."""
    from rtbci.lsl.config import configure
    from rtbci.process import ControlInput, Reporter
    from sims.player import Player, Stopped
    from sims.program import PlaybackSettings, sentence
    from sims.schedule import Timeline

    settings = PlaybackSettings(
        args.speed, args.chunk, args.loop, args.stamps == "file", args.wait_for, args.linger,
        args.lead_in, args.name,
    )  # fmt: skip
    Timeline(recording, settings.file_stamps)  # says whether the file has stamps

    def prepare() -> None:
        configure(args.lsl_session, args.lsl_scope)

    if any(fault.kills for fault in faults):
        from sims.lives import Lives

        player = Lives(recording, settings, faults, prepare)  # forks: before any thread
    else:
        prepare()
        player = Player(recording, settings, faults)
    reporter, control = Reporter("stream", args.json), ControlInput(args.control == "stdin")
    with contextlib.closing(reporter), progress(args, recording) as show:

        def tell(kind: str, /, **fields: object) -> None:
            text = sentence(kind, fields)
            if kind == "status":
                show(fields["index"])
                reporter.status(**fields)
            elif kind == "ready":
                reporter.ready(text or "", **fields)
            elif kind != "part":
                reporter.event(kind, text, **fields)

        try:
            player.run(tell, control)
        except Stopped:
            pass
        finally:
            player.close()
            counts = player.counts()
            reporter.done(sentence("done", counts) or "", **counts)


@contextlib.contextmanager
def progress(
    args: argparse.Namespace, recording: "Recording"
) -> Iterator[Callable[[object], None]]:
    """Shows how far it has come and the time left, only where a person is looking."""
    if args.json or args.loop or not sys.stderr.isatty():
        yield lambda _: None
        return
    with progress_bar() as bar:
        task = bar.add_task(f"streaming {args.file.name}"[:26], total=recording.n_samples)
        yield lambda index: bar.update(task, completed=int(str(index)))


def positive(text: str) -> float:
    """A speed; raises ``ArgumentTypeError``."""
    value = number(text)
    if not 0 < value <= HIGHEST_SPEED:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no speed: recording seconds per second, up to {HIGHEST_SPEED:g}"
        )
    return value


def seconds(text: str) -> float:
    """Seconds, 0 or more; raises ``ArgumentTypeError``."""
    value = number(text)
    if not 0 <= value <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is not between 0 and 3600 seconds")
    return value


def number(text: str) -> float:
    """A finite number; raises ``ArgumentTypeError``."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"expected a number, found {text!r}")
    return value


def readers(text: str) -> int:
    """How many readers; raises ``ArgumentTypeError``."""
    return whole(text, 0, MOST_READERS)


def rows(text: str) -> int:
    """Samples of a chunk; raises ``ArgumentTypeError``."""
    return whole(text, 1, 100_000)


def whole(text: str, least: int, most: int) -> int:
    """A whole number within bounds; raises ``ArgumentTypeError``."""
    if not text.isdecimal() or not least <= int(text) <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {least} to {most}")
    return int(text)


def stream_name(text: str) -> str:
    """A name that a stream can have; raises ``ArgumentTypeError``."""
    if not text.strip() or not text.isprintable() or len(text) > LONGEST_NAME:
        raise argparse.ArgumentTypeError(
            f"{text[:LONGEST_NAME]!r} is no stream name: 1 to {LONGEST_NAME} printable characters"
        )
    return text
