"""What this computer and network can do, before a participant arrives: all checks in order."""

from collections.abc import Iterator

from rtbci.doctor import lsl, machine
from rtbci.doctor.check import Check, SessionPlace, Task, run_all

TASKS: tuple[Task, ...] = (*machine.TASKS, *lsl.TASKS)
LONGEST_S = 15.0  # a whole run, also where something hangs


def examine(place: SessionPlace, tasks: tuple[Task, ...] = TASKS) -> Iterator[Check]:
    """Every check, one after the other, as soon as it is known."""
    return run_all(tasks, place, within=LONGEST_S)
