"""Every call that writes fails once and for ever: in the recorder, a bundle and a session folder.

A scenario does a small piece of real work below a folder and says what is wrong with what is left:
an error that is none of ours, a whole chunk that is gone, a file that cannot be read, a refusal
nobody heard of. ``KNOWN`` lists what fails today; nothing may be added to it.
"""

import errno
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.soak.fault_scenarios import SCENARIOS
from tests.soak.refusals import FOR_EVER, OPERATIONS, Refusal, Refusing
from tests.soak.units import Result, Units

CODES = (errno.ENOSPC, errno.EIO)
KNOWN = frozenset({  # take out what is mended, put nothing in
    # only if the removal of a temporary file is refused as well
    "bundle: a temporary folder is left",
    "session: a temporary file is left",
})  # fmt: skip
BOUND = "only our own errors or an alarm, every whole chunk on the disk or stated as lost"


def refusals(root: Path, scenario: str, thorough: bool) -> Iterator[Refusal]:
    """Every call of the scenario, refused once and for ever; not thorough: one error a call."""
    with Refusing(root) as counted:
        SCENARIOS[scenario](root, counted)
    for operation in OPERATIONS:
        calls = counted.calls["write" if operation == "half a write" else operation]
        for nth in range(1, calls + 1):
            for times in (1, FOR_EVER):
                if operation == "any" and times == 1:
                    continue  # each operation's own turn
                for code in CODES if thorough else CODES[(nth + (times > 1)) % 2 :][:1]:
                    yield Refusal(operation, nth, times, code)


def run(scenario: str, thorough: bool = False) -> tuple[int, dict[str, list[str]]]:
    """How many refusals were tried, and the kinds of failure with their cases."""
    tried, found = 0, dict[str, list[str]]()
    with tempfile.TemporaryDirectory(prefix="rtbci-soak-") as name:
        root = Path(name)
        (root / "count").mkdir()
        every = list(refusals(root / "count", scenario, thorough))
        for tried, refusal in enumerate(every, start=1):
            folder = root / str(tried)
            folder.mkdir()
            for wrong in once(scenario, folder, refusal):
                case = f"{refusal.operation} {refusal.nth} {refusal.how_often}"
                case += f" ({errno.errorcode[refusal.code]})"
                found.setdefault(f"{scenario}: {wrong}", []).append(case)
    return tried, found


def once(scenario: str, folder: Path, refusal: Refusal) -> list[str]:
    """What is wrong after one refusal."""
    died, before = list[str](), threading.excepthook
    threading.excepthook = lambda args: died.append(f"a thread dies of {args.exc_type.__name__}")
    try:
        with Refusing(folder, refusal) as refusing:
            judge = SCENARIOS[scenario](folder, refusing)
        return sorted({*died, *judge()})
    except Exception as error:  # noqa: BLE001 whatever the product lets out is what is looked for
        return sorted({*died, f"lets out {type(error).__name__}"})
    finally:
        threading.excepthook = before


def unit(scenario: str) -> dict[str, Any]:
    """A scenario with both errors at every call."""
    tried, found = run(scenario, thorough=True)
    return {"tried": tried, "found": found}


def check(units: Units) -> Result:
    """All scenarios, both errors at every call."""
    whole = units.in_processes("fault loop", unit, list(SCENARIOS))
    done = [units.done[f"fault loop/{name}"] for name in SCENARIOS
            if f"fault loop/{name}" in units.done]  # fmt: skip
    found = {kind: cases for part in done for kind, cases in part["found"].items()}
    said = f"{sum(part['tried'] for part in done)} refusals, {len(found)} kinds of failure"
    said += "".join(
        f"; {kind} ({len(cases)} cases, e.g. {cases[0]})" for kind, cases in found.items()
    )
    return Result(said, BOUND, False if found else True if whole else None)


CHECKS = {"fault loop": check}
