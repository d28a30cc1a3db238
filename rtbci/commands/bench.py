"""``rtbci bench``: measures how fast this computer decodes."""

import argparse
import math
import sys
from collections.abc import Iterator
from dataclasses import asdict

from rtbci.bench.network import network
from rtbci.bench.offline import BENCHES, BenchResult, machine
from rtbci.errors import BadInput, Missing

HELP = """Measure how fast this computer decodes.

Every figure is the median of several runs after a warm-up. For a speed-up, both
sides were measured alternately in the same run. One thread is used throughout.
The exit code is 0 even if a figure misses its bound; see the column ok.

The part live sends 122 channels at 1 kHz over LSL and takes a minute and a
half. With the extra bench (MNE-LSL), StreamLSL is measured for comparison."""
SECONDS = 60.0  # length of the recording for the part decode


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Fill the parser of the command."""
    parser.add_argument("--json", action="store_true", help="one JSON object per figure on stdout")
    parser.add_argument(
        "--seconds",
        type=float,
        default=SECONDS,
        metavar="S",
        help=f"length of the recording for the part decode [{SECONDS:g}]; below 30 the part live "
        "is shorter too",
    )
    parser.add_argument("--only", choices=sorted(PARTS), metavar="NAME", help=", ".join(PARTS))


def run(args: argparse.Namespace) -> int:
    """Measure and print the figures; returns the exit code."""
    from rtbci.messages import line

    if not math.isfinite(args.seconds) or not 4 <= args.seconds <= 600:
        raise BadInput(f"--seconds takes 4 to 600, found {args.seconds:g}")
    about = machine()
    figures: list[BenchResult] = []
    failed: Missing | None = None
    for name, bench in PARTS.items():
        if args.only not in (None, name):
            continue
        progress(name)
        try:
            for figure in bench(args.seconds):
                figures.append(figure)
                if args.json:
                    print(line({**asdict(figure), "ok": figure.ok, "machine": about}))
        except Missing as error:  # print the other parts nevertheless
            failed = error
    if not args.json:
        show(figures, about)
    if failed is not None:
        raise failed
    return 0


def progress(what: str) -> None:
    """Show what is being measured, on a terminal."""
    if sys.stderr.isatty():
        print(f"measuring {what} ...", file=sys.stderr)


def live(seconds: float) -> Iterator[BenchResult]:
    """Figures of the part live."""
    from rtbci.bench import live as live_bench

    yield from live_bench.live(seconds, lambda what: progress(f"live: {what}"))


PARTS = {**BENCHES, "network": network, "live": live}


def show(figures: list[BenchResult], about: dict[str, object]) -> None:
    """Print the figures as a table, with the computer below it."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 2, 0, 0))
    table.add_column("bench", no_wrap=True)
    table.add_column("what", ratio=1)
    table.add_column("figure", justify="right", no_wrap=True)
    table.add_column("unit")
    table.add_column("bound", justify="right", no_wrap=True)
    table.add_column("ok", no_wrap=True)
    for each in figures:
        bound = "" if each.bound is None else f"{'>=' if each.at_least else '<='} {each.bound:g}"
        verdict = {True: Text("yes", "green"), False: Text("NO", "bold red"), None: Text("")}
        figure = "" if math.isnan(each.figure) else f"{each.figure:.3g}"
        table.add_row(each.bench, each.what, figure, each.unit, bound, verdict[each.ok])
        more = ", ".join(f"{name} {value:.3g}" for name, value in each.more.items())
        if more:
            table.add_row("", Text(more, "dim"))
    console = Console(highlight=False)
    console.print(table)
    console.print(Text(", ".join(f"{name} {value}" for name, value in about.items()), "dim"))
