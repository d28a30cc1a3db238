"""All checks of ``rtbci doctor``, in order."""

from collections.abc import Iterator

from rtbci.doctor import lsl, machine
from rtbci.doctor.check import Check, SessionPlace, Task, run_all

TASKS: tuple[Task, ...] = (*machine.TASKS, *lsl.TASKS)
# Time limit of a whole run, s, even if a check hangs.
LONGEST_S = 15.0


def examine(place: SessionPlace, tasks: tuple[Task, ...] = TASKS) -> Iterator[Check]:
    """Results of all checks in order, each as soon as it is available."""
    return run_all(tasks, place, within=LONGEST_S)
