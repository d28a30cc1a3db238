"""View of a running session on a terminal: decisions and alarms as lines, a progress bar."""

import sys
from typing import TYPE_CHECKING

from rtbci.messages import Alarm, AskReport, Clear, DecisionMade, SessionReport, line
from rtbci.session import control
from rtbci.session.control import SessionEntry
from rtbci.terminal import say

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class TerminalView:
    """View with results on stdout and everything else on stderr.

    ``as_json`` prints decisions as objects; ``each`` prints them as lines for a person; ``bar``
    shows the progress of a replay, if stderr is a terminal.
    """

    def __init__(self, as_json: bool, each: bool = False, bar: bool = False) -> None:
        self._json, self._each = as_json, each
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._wants_bar = bar and sys.stderr.isatty()
        self._count = 0

    def decision(self, event: DecisionMade) -> None:
        """Print a decision."""
        self._count += 1
        if self._json:
            print(line(event), flush=True)
        elif self._each:
            self._out(sentence(event), sys.stdout)

    def trouble(self, event: Alarm | Clear) -> None:
        """Print an alarm, or the end of one."""
        if isinstance(event, Clear) or event.level != "info":
            self._out(event.text, sys.stderr)

    def progress(self, seconds: float, total: float | None) -> None:
        """Show how much of the signal was played, in seconds of the recording."""
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
        """Remove the bar. Idempotent."""
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


def sentence(event: DecisionMade) -> str:
    """Decision in one line: onset, class, probability and flags."""
    decision = event.decision
    when = f"{decision.onset:9.2f} s"
    if decision.label is None:
        return f"{when}  -  ({decision.rejected})"
    p = decision.probabilities.get(decision.label)
    sure = "" if p is None else f"{100 * p:5.1f} %"
    odd = f"  {', '.join(decision.flags)}" if decision.flags else ""
    return f"{when}  {decision.label}  {sure}{odd}"


def follow(entry: SessionEntry, view: TerminalView) -> None:
    """Show the events of a running session until it ends, or until ctrl-c."""
    report = control.ask(entry, AskReport())
    for alarm in report.alarms if isinstance(report, SessionReport) else ():
        view.trouble(alarm)
    for event in control.follow(entry):
        if isinstance(event, DecisionMade):
            view.decision(event)
        elif isinstance(event, Alarm | Clear):
            view.trouble(event)
