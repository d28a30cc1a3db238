"""What this computer and network can do, before a participant arrives: all checks in order."""

from collections.abc import Iterator

from rtbci import doctor_lsl, doctor_machine
from rtbci.check import Check, Place, Task, run_all

TASKS: tuple[Task, ...] = (*doctor_machine.TASKS, *doctor_lsl.TASKS)
LONGEST_S = 15.0  # a whole run, also where something hangs


def examine(place: Place, tasks: tuple[Task, ...] = TASKS) -> Iterator[Check]:
    """Every check, one after the other, as soon as it is known."""
    return run_all(tasks, place, within=LONGEST_S)
