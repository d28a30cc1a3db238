"""``rtbci evaluate``: test of a model on trials that it has not seen, with controls."""

import argparse
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rtbci.commands.option_types import above_zero
from rtbci.commands.options import check_out
from rtbci.errors import BadInput, Missing
from rtbci.terminal import progress_bar, say, stages

if TYPE_CHECKING:
    from calibration.evaluation.document import Report
    from calibration.evaluation.values import Evaluation
    from rtbci.statistics.predictions import Figure

HELP = """Test a model on recordings that it was not trained on, with controls.

  rtbci evaluate --data recordings --model bundles/sub-02
  rtbci evaluate --data dataset --model backbone --json

A person's bundle is tested on that person's other runs; a pretrained backbone
on the sessions that its split held out, on other sessions, and with other
people's heads. In a folder of several people's bundles each is tested
separately.

Writes report.html and report.json. A folder that already contains them is not
changed; a numbered one is created instead. Refused are class blocks, missing
classes, and runs that were used for training."""
OUT = Path("evaluation")  # default folder of reports
LONGEST_TRIAL = 600.0  # s
trial = above_zero(
    f"not a duration in seconds, e.g. 3.8 (at most {LONGEST_TRIAL:g})", LONGEST_TRIAL
)
# Most runs that are listed as left out on the terminal; the report lists all.
MOST_LEFT_OUT = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Fill the parser of the command."""
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR",
        help="recordings by person (the dataset's layout, or sub-02_ses-01_run-1.xdf)",
    )  # fmt: skip
    parser.add_argument(
        "--model", type=Path, required=True, metavar="DIR",
        help="a bundle, a folder of bundles, or a pretrained backbone",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, default=OUT, metavar="DIR", help="folder of the report [evaluation]"
    )
    parser.add_argument(
        "--trial", type=trial, metavar="S",
        help="time from onset to onset, for bits per minute [measured; 3.8 for epochs]",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="the report as one JSON object")


def run(args: argparse.Namespace) -> int:
    """Evaluate, write both reports and show the result; returns the exit code."""
    from calibration.evaluation.document import report, write
    from rtbci.messages import line

    check_out(args.out)
    if not args.model.is_dir():
        raise BadInput(
            f"no folder {args.model}; --model names a bundle, a folder of bundles or a backbone"
        )
    if not args.data.is_dir():
        raise BadInput(f"no folder {args.data}; --data names the folder of the recordings")
    made = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M")
    with progress_bar() as bar:
        progress = stages(bar)
        evaluation = evaluate(args, made, progress)
        progress("counting", 0, 1)
        found = report(evaluation)
        progress("counting", 1, 1)
    folder = write(args.out, found)
    if args.json:
        print(line(found.values()))
    else:
        show(found)
    say(f"report: {folder / 'report.html'}")
    return 0


def evaluate(
    args: argparse.Namespace, made: str, progress: "Callable[[str, int, int], None]"
) -> "Evaluation":
    """Evaluation of a backbone or of bundles, depending on the kind of model."""
    if (args.model / "backbone.json").exists():
        try:
            from calibration.evaluation.pretrained import evaluate_backbone
        except ImportError as error:
            raise Missing(
                f"a backbone needs torch, which does not load ({error}); pip install 'rtbci[deep]'"
            ) from error
        return evaluate_backbone(args.model, args.data, args.trial, made, progress)
    from calibration.evaluation.bundles import evaluate_bundles

    return evaluate_bundles(args.model, args.data, args.trial, made, progress)


def show(found: "Report") -> None:
    """Print the verdict, a line for each part, and the controls."""
    from rich.console import Console
    from rich.markup import escape
    from rich.panel import Panel
    from rich.table import Table

    from calibration.evaluation.figures import ABOVE, FAILED

    console, said = Console(highlight=False), found.verdict
    colour = {ABOVE: "green", FAILED: "red"}.get(said.word, "yellow")
    console.print(
        Panel(
            f"[bold]{said.word.capitalize()}[/]  {escape(said.reason)}",
            border_style=colour,
            width=80,
        )
    )
    caption = "accuracy: mean over classes"
    if found.evaluation.retrieval is not None:
        caption += "; captions: share of trials"
    table = Table(box=None, padding=(0, 1), caption=caption)
    for name in ("", "accuracy", "95 % interval", "n", "chance", "p"):
        table.add_column(
            name, justify="right" if name else "left", header_style="dim", no_wrap=True
        )
    for each in found.measured:
        table.add_row(escape(each.part.title), *cells(each.trials))
    figures = found.evaluation.retrieval.figures if found.evaluation.retrieval else {}
    for name, of in (("two_way", "two"), ("ten_way", "ten")):
        if name in figures:
            table.add_row(f"The caption among {of}", *cells(figures[name]))
    for control in found.evaluation.controls:
        table.add_row(f"control: {escape(control.name.lower())}", *cells(control.figure))
    console.print(table)
    for control in found.evaluation.controls:
        if control.figure is None:
            say(f"control not made: {control.name.lower()}: {control.reason}")
    refused = found.evaluation.refused
    for what, why in refused[:MOST_LEFT_OUT]:
        say(f"left out: {what}: {why}")
    if len(refused) > MOST_LEFT_OUT:
        say(f"left out: {len(refused) - MOST_LEFT_OUT} more; the report lists them")
    for note in found.evaluation.notes:
        say(f"worth a look: {note}")


def cells(figure: "Figure | None") -> tuple[str, ...]:
    """A figure as a row of the table."""
    from rtbci.report.numbers import shown, shown_interval, shown_p

    if figure is None:
        return ("–",) * 5
    name = figure.name
    return (
        shown(name, figure.value),
        shown_interval(name, figure.interval),
        f"{figure.n:,}",
        shown(name, figure.chance),
        shown_p(figure.p),
    )
