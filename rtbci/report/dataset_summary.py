"""The picture dataset for people and for programs: subjects, runs, trials and classes."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from rtbci.report.recording_summary import count

if TYPE_CHECKING:
    from rtbci.formats.dataset import Contents

SHOWN = 24  # notes listed; more are counted


def dataset_json(
    folder: Path, found: "Contents", same: list[tuple[Path, Path]]
) -> dict[str, object]:
    """JSON object of a dataset. Keys: folder, trials, subjects (id -> session -> run ->
    trials), classes (name -> trials), images and captions (how many trials have one), missing,
    wrong (sentences), same_as (pairs of arrays with the same bytes)."""
    subjects: dict[str, dict[str, dict[str, int]]] = {}
    for run in found.runs:
        sessions = subjects.setdefault(run.subject, {})
        sessions.setdefault(f"{run.session:02d}", {})[f"{run.number:02d}"] = len(run.labels)
    return {
        "folder": str(folder),
        "trials": sum(len(run.labels) for run in found.runs),
        "subjects": subjects,
        "classes": dict(sorted(Counter(name for run in found.runs for name in run.names).items())),
        "images": sum(len(run.images) for run in found.runs),
        "captions": sum(each is not None for run in found.runs for each in run.captions),
        "missing": list(found.missing),
        "wrong": list(found.wrong),
        "same_as": [[str(one), str(other)] for one, other in same],
    }


def show_dataset(folder: Path, found: "Contents", same: list[tuple[Path, Path]]) -> None:
    """The same for people: subjects by sessions, runs and trials in each."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    facts = dataset_json(folder, found, same)
    counts = Counter(name for run in found.runs for name in run.names)
    people = len({run.subject for run in found.runs})
    trials, images, captions = (int(str(facts[each])) for each in ("trials", "images", "captions"))
    console.print(Text(folder.resolve().name, style="bold"))
    console.print(
        f"{count(people, 'subject')}, {count(len(found.runs), 'run')}, {count(trials, 'trial')}, "
        f"{images:,} with an image, {captions:,} with a caption"
    )
    if counts:
        low, high = min(counts.values()), max(counts.values())
        each = count(low, "trial") if low == high else f"{low:,} to {high:,} trials"
        classes = count(len(counts), "class", "classes")
        console.print(f"{classes} of {each}: {', '.join(sorted(counts))}")
    sessions = sorted({run.session for run in found.runs})
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 2, 0, 0))
    for title in ("subject", *(f"session {number}" for number in sessions)):
        table.add_column(title)
    cells: dict[str, dict[int, list[int]]] = {}
    for run in found.runs:
        cells.setdefault(run.subject, {}).setdefault(run.session, []).append(len(run.labels))
    for subject, row in cells.items():
        table.add_row(subject, *(_cell(row.get(number, [])) for number in sessions))
    console.print()
    console.print(table)
    twice = [f"{one} and {other} hold the same bytes" for one, other in same]
    for note in (*found.wrong, *found.missing, *twice)[:SHOWN]:
        console.print(Text(f"! {note}", style="yellow"))
    left = len(found.wrong) + len(found.missing) + len(twice) - SHOWN
    if left > 0:
        console.print(f"and {left} more; see --json", style="dim")


def _cell(trials: list[int]) -> str:
    """``4 x 100`` for four runs of 100 trials each, ``100+98`` where they differ."""
    if len(set(trials)) == 1:
        return f"{len(trials)} x {trials[0]}"
    return "+".join(map(str, trials))
