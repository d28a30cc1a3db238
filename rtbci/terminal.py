"""The terminal of a person: one line on stderr, a progress bar; stdout carries results."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.progress import Progress, TaskID


def say(text: str) -> None:
    """One line for the person, on stderr; stdout carries results."""
    print(text, file=sys.stderr, flush=True)


def progress_bar() -> "Progress":
    """A bar with the time left, on stderr, only where a person is looking."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Left

    console = Console(stderr=True)
    columns = (TextColumn("{task.description:<26}"), BarColumn(), MofNCompleteColumn(), Left())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def stages(bar: "Progress") -> "Callable[[str, int, int], None]":
    """A progress function that gives ``bar`` a line for every stage."""
    tasks: dict[str, TaskID] = {}

    def progress(stage: str, done: int, of: int) -> None:
        if stage not in tasks:
            tasks[stage] = bar.add_task(stage, total=of)
        bar.update(tasks[stage], completed=done, total=of)

    return progress


def count(n: int, one: str, many: str | None = None) -> str:
    """``1 trial``, ``74 trials``; ``many`` for plurals that do not end in s."""
    return f"{n} {one if n == 1 else many or one + 's'}"
