"""A running session on a terminal: decisions and alarms as lines, a bar with the time left."""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from rtbci import messages
from rtbci.session import control
from rtbci.session.control import SessionEntry
from rtbci.session.supervised import Event
from rtbci.terminal import say

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class TerminalView:
    """Results on stdout, everything else on stderr.

    ``as_json`` prints decisions as objects; ``each`` prints them as lines for a person; ``bar``
    shows how far a replay is, where a person looks.
    """

    def __init__(self, as_json: bool, each: bool = False, bar: bool = False) -> None:
        self._json, self._each = as_json, each
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._wants_bar = bar and sys.stderr.isatty()
        self._count = 0

    def decision(self, values: Event) -> None:
        """One decision."""
        self._count += 1
        if self._json:
            print(messages.line(values), flush=True)
        elif self._each:
            self._out(sentence(values), sys.stdout)

    def trouble(self, event: Event) -> None:
        """An alarm, or the end of one."""
        if event.get("level") != "info":
            self._out(str(event.get("text")), sys.stderr)

    def progress(self, seconds: float, total: float | None) -> None:
        """How much of the signal was played, both in seconds of the recording."""
        if not self._wants_bar:
            return
        if self._bar is None:
            from rtbci.terminal import progress_bar

            self._bar = progress_bar()
            self._bar.start()
            self._task = self._bar.add_task("replaying", total=total)
        assert self._task is not None
        text = f"replaying, {self._count} decisions"
        self._bar.update(self._task, description=text, completed=round(seconds), total=total)

    def close(self) -> None:
        """Take the bar away. Twice is fine."""
        if self._bar is not None:
            self._bar.stop()
            self._bar, self._wants_bar = None, False

    def _out(self, text: str, stream) -> None:
        if self._bar is not None:
            self._bar.console.print(text, markup=False, highlight=False)
        elif stream is sys.stderr:
            say(text)
        else:
            print(text, flush=True)


def sentence(values: Mapping[str, object]) -> str:
    """A decision in one line: when, what, how sure, and what is odd about it."""
    onset, label = values.get("onset"), values.get("label")
    when = f"{onset:9.2f} s" if isinstance(onset, int | float) else " " * 11
    if label is None:
        return f"{when}  -  ({values.get('rejected')})"
    probabilities, flags = values.get("probabilities"), values.get("flags")
    p = probabilities.get(label) if isinstance(probabilities, Mapping) else None
    sure = f"{100 * p:5.1f} %" if isinstance(p, int | float) else ""
    odd = f"  {', '.join(map(str, flags))}" if isinstance(flags, list | tuple) and flags else ""
    return f"{when}  {label}  {sure}{odd}"


def follow(entry: SessionEntry, view: TerminalView) -> None:
    """Show the events of a running session until it ends, or until ctrl-c."""
    alarms = control.ask(entry, "status").get("alarms")
    for alarm in alarms if isinstance(alarms, list) else ():
        if isinstance(alarm, dict):
            view.trouble(alarm)
    for event in control.follow(entry):
        kind = event.get("event")
        if kind == "decision":
            view.decision(event)
        elif kind in ("alarm", "clear"):
            view.trouble(event)
