"""The result of a calibration for people, with the next step, and for programs."""

import shlex
from pathlib import Path

from calibration.fitting.training import Result
from rtbci.messages import result_kind
from rtbci.report.numbers import with_interval
from rtbci.statistics.scores import Scores, scores_json
from rtbci.statistics.verdict import CAUTION, GO, NO_GO

MOST_NAMES = 16  # electrodes that are listed one by one


def result_json(result: Result, folder: Path) -> dict[str, object]:
    """The result as programs read it."""
    assert result.scores is not None
    return {
        **result_kind("calibrated"),
        "verdict": result.verdict.word,
        "reason": result.verdict.reason,
        "n": result.scores.n,
        **scores_json(result.scores),
        "permutation": result.permutation,
        "trials": result.trials,
        "rejected": dict(result.rejected),
        "seen_in_pretraining": result.pretrained,
        "refused": [{"file": each.file, "reason": each.reason} for each in result.refused],
        "decoder": result.bundle.described,
        "paradigm": result.bundle.paradigm,
        "channels": list(result.bundle.recipe.channels),
        "settle_s": result.bundle.recipe.settle,
        "temperature": result.bundle.temperature,
        "latency": result.latency,
        "subject": result.bundle.subject,
        "bundle": str(folder),
    }


def show_result(result: Result, folder: Path) -> None:
    """The result for a person, with the next step."""
    from rich.console import Console
    from rich.markup import escape
    from rich.panel import Panel
    from rich.table import Table

    scores = result.scores
    assert scores is not None
    console = Console(highlight=False)
    verdict = result.verdict
    colour = {GO: "green", CAUTION: "yellow", NO_GO: "red"}[verdict.word]
    console.print(
        Panel(f"[bold]{verdict.word}[/]  {escape(verdict.reason)}", border_style=colour, width=80)
    )
    seen = "every one in a block that its decoder has not seen"
    if result.pretrained:
        seen = f"of which the backbone has learnt from {result.pretrained}: these figures flatter"
    table = Table(box=None, padding=(0, 2), show_header=False)
    balanced = with_interval(scores.balanced_accuracy, scores.balanced_accuracy_ci95)
    rows = [
        ("balanced accuracy", balanced),
        ("accuracy", with_interval(scores.accuracy, scores.accuracy_ci95)),
        ("AUC", with_interval(scores.auc, scores.auc_ci95, percent=False)),
        ("chance", chance(scores)),
        ("test trials", f"{scores.n}, {seen}"),
        ("p", f"{scores.p_value:.3g} ({result.permutation})"),
        ("trials", ", ".join(f"{name} {count}" for name, count in result.trials.items())),
        ("not trained on", ", ".join(f"{k}: {v}" for k, v in result.rejected.items()) or "none"),
        ("decoder", result.bundle.described),
        ("electrodes", listed(result.bundle.recipe.channels)),
        ("settling", f"{result.bundle.recipe.settle:.1f} s after a gap"),
    ]
    for name, value in rows:
        table.add_row(name, escape(value))
    console.print(table)
    console.print(f"  bundle: {escape(str(folder))}", soft_wrap=True)
    replay = f"rtbci replay FILE --bundle {shlex.quote(str(folder))} --speed max"
    advice, command = {
        GO: ("decode another recording with it", replay),
        CAUTION: ("record a few more minutes and add them with --from, or try it", replay),
        NO_GO: (
            "look for bad electrodes and missing markers, then record more",
            "rtbci info FILE",
        ),
    }[verdict.word]
    if result.pretrained:
        who = result.bundle.subject.removeprefix("sub-")
        advice, command = "pretrain without this person", f"rtbci pretrain ... --leave-out {who}"
    console.print(f"\nnext: {advice}", style="dim")
    console.print(escape(f"  {command}"), soft_wrap=True)


def listed(channels: tuple[str, ...]) -> str:
    """All names of a small montage; how many, the first and the last of a large one."""
    if len(channels) <= MOST_NAMES:
        return ", ".join(channels)
    return f"{len(channels)}: {', '.join(channels[:4])}, ..., {channels[-1]}"


def chance(scores: Scores) -> str:
    """The chance level, and what always naming the commonest class would reach."""
    text = f"{100 * scores.chance:.1f} % balanced"
    if scores.majority > scores.chance + 0.02:
        text += f"; always naming the commonest class: {100 * scores.majority:.1f} % accuracy"
    return text
