"""``rtbci simulate``: simulated participants, as a dataset on disk or live as an EEG stream."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from rtbci.commands.option_types import count, names, rate, seed
from rtbci.commands.options import add_child_options, add_lsl_options, check_out
from rtbci.errors import BadInput
from rtbci.platform_support import require_linux
from rtbci.terminal import progress_bar, say, stages

if TYPE_CHECKING:
    from sims.dataset import WrittenDataset

HELP = """Simulate participants who look at pictures; no real person is measured.

  rtbci simulate --out sim --subjects 3 --sessions 2 --strength clear
  rtbci simulate --live --channels 32 --rate 250 --strength clear

With --out a dataset is written in the layout of the 122-channel picture dataset
(arrays, class lists, image lists, captions, pictures), with each session in one
file. With --live an EEG stream is sent that responds to the markers of any
program: JSON with "image", "caption" or "label", or the name of a category.

  realistic  as much class information as in the published recordings: a
             decoder finds about 1 in 10 of 20 classes
  clear      8 classes, well above chance in a few minutes
  none       the signal does not depend on the pictures
  codes      classes with random codes: without meaning, similar pictures do
             not have similar responses"""
STRENGTHS = ("realistic", "clear", "none", "codes")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Fill the parser of the command."""
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--out", type=Path, metavar="DIR", help="write the dataset there")
    where.add_argument("--live", action="store_true", help="simulate a participant over LSL")
    parser.add_argument("--strength", choices=STRENGTHS, default="realistic", help="[realistic]")
    parser.add_argument(
        "--channels", type=cap, default=122, metavar="N|A,B",
        help="a cap of 122, 64, 32, 16, 8 or 4 electrodes, or their names [122]",
    )  # fmt: skip
    parser.add_argument("--rate", type=rate, default=1000.0, metavar="HZ", help="[1000]")
    parser.add_argument(
        "--seed", type=seed, default=0, metavar="N",
        help="random seed; each gives other participants [0]",
    )  # fmt: skip
    group = parser.add_argument_group("the dataset")
    for what, default in (("subjects", 1), ("sessions", 1), ("runs", 4), ("trials", 100)):
        group.add_argument(f"--{what}", type=count, metavar="N", help=f"[{default}]")
    group.add_argument(
        "--classes", type=names, metavar="A,B", help="of the 20 [all; clear: 8 of them]"
    )
    group.add_argument("--no-merged", action="store_true", help="no session files; halves the size")
    group.add_argument("--no-images", action="store_true", help="do not paint the pictures")
    group.add_argument("--jobs", type=count, metavar="N", help="processes [2]")
    live = parser.add_argument_group("live")
    live.add_argument("--subject", type=count, metavar="N", help="number of the participant [2]")
    live.add_argument("--session", type=count, metavar="N", help="number of the session [1]")
    live.add_argument("--seconds", type=rate, metavar="S", help="end after S seconds [never]")
    live.add_argument("--name", metavar="NAME", help="name of the EEG stream [rtbci-eeg]")
    live.add_argument(
        "--markers", type=names, default=(), metavar="NAME,...", help="marker streams to use [all]"
    )
    add_lsl_options(parser)
    add_child_options(parser)


def run(args: argparse.Namespace) -> int:
    """Write the dataset, or stream until the end, an order or a signal."""
    check(args)
    if args.live:
        require_linux("rtbci simulate --live")
        participate(args)
    else:
        write(args)
    return 0


def check(args: argparse.Namespace) -> None:
    """Raise ``BadInput`` for options of ``--out`` that are given with ``--live``, or vice versa."""
    only = {
        False: ("subject", "session", "seconds", "name", "markers", "control", "lsl_session",
                "lsl_scope"),
        True: ("subjects", "sessions", "runs", "trials", "classes", "no_merged", "no_images",
               "jobs"),
    }[args.live]  # fmt: skip
    wrong = [f"--{name.replace('_', '-')}" for name in only if getattr(args, name)]
    if wrong:
        raise BadInput(f"{wrong[0]} belongs to {'--out' if args.live else '--live'}; leave it out")


def write(args: argparse.Namespace) -> None:
    """Write the dataset and show a summary."""
    from rtbci.messages import line
    from sims.dataset import write as write_dataset

    check_out(args.out)
    with progress_bar() as bar:
        done = write_dataset(
            args.out,
            subjects=args.subjects or 1,
            sessions=args.sessions or 1,
            runs=args.runs or 4,
            trials=args.trials or 100,
            strength=args.strength,
            channels=args.channels,
            rate=args.rate,
            seed=args.seed,
            classes=args.classes,
            merged=not args.no_merged,
            images=not args.no_images,
            jobs=args.jobs or min(2, os.cpu_count() or 1),
            progress=stages(bar),
        )
    if args.json:
        print(line(result(done)))
    else:
        show(done)


def result(done: "WrittenDataset") -> dict[str, object]:
    """The result as programs read it."""
    from rtbci.messages import result_kind

    settings = done.settings
    return {
        **result_kind("simulated"),
        "simulated": True,
        "out": str(done.folder),
        "subjects": list(settings.names),
        "sessions": settings.sessions,
        "runs": settings.runs,
        "trials": settings.trials,
        "strength": settings.strength,
        "classes": list(settings.classes),
        "channels": list(settings.channels),
        "rate": settings.rate,
        "seed": settings.seed,
        "runs_drawn": done.drawn,
        "runs_kept": done.kept,
        "session_files": [str(path) for path in done.merged],
    }


def show(done: "WrittenDataset") -> None:
    """Print the result and the next step."""
    s = done.settings
    print(
        f"{done.folder}: {s.subjects} x {s.sessions} x {s.runs} x {s.trials} trials of "
        f"{len(s.classes)} classes, {len(s.channels)} channels, {s.rate:g} Hz, {s.strength}"
    )
    if done.kept:
        say(f"{done.kept} of {done.kept + done.drawn} runs were there already")
    say("simulated data, no real person was measured; simulated.json has the details")
    for path in done.merged[:1]:
        say(f"next: rtbci info {path}")


def participate(args: argparse.Namespace) -> None:
    """Be a participant on the bus."""
    from rtbci.lsl.config import configure
    from rtbci.messages import Event, ParticipantCounters, ParticipantDone
    from rtbci.process import ControlInput, Reporter
    from sims.participant import sentence, stream
    from sims.person import Person, montage

    channels = montage(args.channels) if isinstance(args.channels, int) else args.channels
    session = Person(
        args.seed, args.subject or 2, channels, args.rate, args.strength
    ).session(args.session or 1)  # fmt: skip
    configure(args.lsl_session, args.lsl_scope)
    reporter, control = Reporter("participant", args.json), ControlInput(args.control == "stdin")

    def tell(event: Event, /) -> None:
        reporter.event(event, sentence(event))

    def done(counts: ParticipantCounters) -> None:
        tell(ParticipantDone(**vars(counts)))

    try:
        stream(session, tell, control, name=args.name, wanted=args.markers,
               seconds=args.seconds, done=done)  # fmt: skip
    finally:
        reporter.close()


def cap(text: str) -> int | tuple[str, ...]:
    """Type of a cap: number or names of electrodes; raises ``ArgumentTypeError``."""
    return int(text) if text.isdecimal() and len(text) < 5 else names(text)
