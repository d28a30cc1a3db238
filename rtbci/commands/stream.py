"""``rtbci stream``: plays a recording as an LSL stream, with faults on demand."""

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rtbci.commands.option_types import above_zero, numeric, stream_name, whole, within
from rtbci.commands.options import (
    add_child_options,
    add_lsl_options,
    add_reading_options,
    reading_settings,
)
from rtbci.platform_support import require_linux
from rtbci.terminal import progress_bar

if TYPE_CHECKING:
    from rtbci.signal.recording import Recording
    from sims.faults import Fault

HELP = """Play a recording as an amplifier would: an EEG stream and a marker stream.

  rtbci stream run3.xdf --speed 8 --wait-for 2
  rtbci stream run3.xdf --fault gone.toml

A fault script is TOML; times are seconds of the recording:

  [[fault]]
  at = 5.0
  do = "kill"     # or stall burst drop nan flat saturate hum clock_step drift
  for = 3.0       # delay duplicate missing late early, channels order rate unit"""
HIGHEST_SPEED = 1000.0
MOST_READERS = 100
LONGEST_CHUNK = 100_000  # samples
NO_SPEED = f"not a speed: recording seconds per second, up to {HIGHEST_SPEED:g}"
speed = numeric(above_zero(NO_SPEED, HIGHEST_SPEED))
wait = numeric(within(0.0, 3600.0, "not between 0 and 3600 seconds"))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Fill the parser of the command."""
    parser.add_argument("file", type=Path, metavar="FILE", help="a recording or session folder")
    parser.add_argument("--speed", type=speed, default=1.0, metavar="N", help="times real time [1]")
    parser.add_argument("--loop", action="store_true", help="repeat endlessly, with 1 s in between")
    parser.add_argument(
        "--stamps", choices=("regular", "file"), default="regular",
        help="t0 + index / rate, or those of the file [regular]",
    )  # fmt: skip
    parser.add_argument(
        "--wait-for",
        type=whole(0, MOST_READERS),
        default=0,
        metavar="N",
        help="start when N readers are connected",
    )
    parser.add_argument("--fault", type=Path, metavar="SCRIPT", help="faults to play, as TOML")
    parser.add_argument(
        "--chunk", type=whole(1, LONGEST_CHUNK), metavar="N", help="samples per chunk [20 ms]"
    )
    parser.add_argument(
        "--lead-in", type=wait, default=2.0, metavar="S",
        help="repeat the first sample for S seconds before the start [2]",
    )  # fmt: skip
    parser.add_argument(
        "--linger", type=wait, default=2.0, metavar="S", help="keep the streams after the end [2]"
    )
    parser.add_argument("--name", type=stream_name, help="name of the EEG stream [rtbci-eeg]")
    add_reading_options(parser)
    add_lsl_options(parser)
    add_child_options(parser)


def run(args: argparse.Namespace) -> int:
    """Stream until the end, an order or a signal; returns the exit code."""
    require_linux("rtbci stream")
    from rtbci.signal.epoch_gaps import bridge

    recording = bridge(reading_settings(args).read(args.file, pick=True))
    faults = read_faults(args, recording)
    play(args, recording, faults)
    return 0


def read_faults(args: argparse.Namespace, recording: "Recording") -> "tuple[Fault, ...]":
    """Faults of the script, checked against the recording; empty without ``--fault``."""
    if args.fault is None:
        return ()
    from sims.fault_script import check_script, read_script

    faults = read_script(args.fault)
    check_script(faults, recording.info, recording.duration, args.loop)
    return faults


def play(args: argparse.Namespace, recording: "Recording", faults: "tuple[Fault, ...]") -> None:
    """Play in this process, or in a sequence of processes if the script contains kills."""
    from rtbci.lsl.config import configure
    from rtbci.messages import Event, PartPlayed, PlayerDone, PlayerStatus
    from rtbci.process import ControlInput, Reporter
    from sims.player import Player, Stopped
    from sims.program import PlaybackSettings, sentence
    from sims.schedule import Timeline

    settings = PlaybackSettings(
        args.speed, args.chunk, args.loop, args.stamps == "file", args.wait_for, args.linger,
        args.lead_in, args.name,
    )  # fmt: skip
    Timeline(recording, settings.file_stamps)  # raises if the file has no stamps

    def prepare() -> None:
        configure(args.lsl_session, args.lsl_scope)

    if any(fault.kills for fault in faults):
        from sims.lives import Lives

        player = Lives(recording, settings, faults, prepare)  # forks, so before any thread
    else:
        prepare()
        player = Player(recording, settings, faults)
    reporter, control = Reporter("stream", args.json), ControlInput(args.control == "stdin")
    with contextlib.closing(reporter), progress(args, recording) as show:

        def tell(event: Event, /) -> None:
            if isinstance(event, PlayerStatus):
                show(event.index)
            if not isinstance(event, PartPlayed):
                reporter.event(event, sentence(event))

        try:
            player.run(tell, control)
        except Stopped:
            pass
        finally:
            player.close()
            done = PlayerDone(**vars(player.counts()))
            reporter.event(done, sentence(done))


@contextlib.contextmanager
def progress(args: argparse.Namespace, recording: "Recording") -> Iterator[Callable[[int], None]]:
    """Shows how far it has come and the time left, only where a person is looking."""
    if args.json or args.loop or not sys.stderr.isatty():
        yield lambda _: None
        return
    with progress_bar() as bar:
        task = bar.add_task(f"streaming {args.file.name}"[:26], total=recording.n_samples)
        yield lambda index: bar.update(task, completed=index)
