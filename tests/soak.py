"""What must be shown by length or repetition: one line a check, with figure and bound.

    python -m tests.soak [--list] [--only NAME] [--fresh]

Every finished unit of a check is on disk in .soak/, under the hash of the sources, before the
next begins: a soak that was killed or ran out of time goes on where it was. Exit code 1 where a
check failed or is not finished.
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from tests import fuzz

ROOT = Path(__file__).resolve().parent.parent
STORE = ROOT / ".soak"
BUDGET_S = 3600.0  # for all checks together
PROCESSES = 2
SOURCES = ("rtbci", "calibration", "sims", "tests/fuzz.py", "tests/soak.py", "pyproject.toml")

NOISE_SEEDS = range(200)
NOISE_CLASSES = ("1", "2", "3", "4")
NOISE_SIGNIFICANT, NOISE_MOST = 0.01, 7  # of 200: more has a chance of 0.4 % at a true 1 %
MUTATIONS, BATCH = 1000, 100


@dataclass(frozen=True)
class Result:
    """What a check found; ``ok`` is None where there was no time to finish."""

    figure: str
    bound: str
    ok: bool | None


class Units:
    """Results of finished units, by name, in one file of JSON lines; a cut last line is ignored."""

    def __init__(self, path: Path, deadline: float = float("inf")) -> None:
        self.path, self.deadline = path, deadline
        self.done: dict[str, object] = {}
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                try:
                    name, value = json.loads(line)
                except ValueError:
                    continue
                self.done[name] = value

    def add(self, name: str, value: object) -> None:
        """Keep the result of a unit, on disk before this returns."""
        self.path.parent.mkdir(exist_ok=True)
        (self.path.parent / ".gitignore").write_text("*\n", encoding="utf-8")
        with open(self.path, "a+", encoding="utf-8") as file:
            if file.tell() and not self.path.read_bytes().endswith(b"\n"):
                file.write("\n")  # behind a line that was cut by a kill
            file.write(json.dumps([name, value]) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self.done[name] = value

    def late(self) -> bool:
        """Whether the time is used up, so that no unit may begin."""
        return time.monotonic() >= self.deadline

    def each[T](self, check: str, work: Callable[[T], object], what: Sequence[T]) -> list[object]:
        """``work`` of all of ``what`` that is not done, in two processes; results in order."""
        raise NotImplementedError


def noise_unit(seed: int) -> float:
    """The p-value of a calibration on eight minutes of simulated noise."""
    from calibration.training import Plan, calibrate
    from sims.generate import generate

    recording = generate(
        seed, n_trials=316, classes=NOISE_CLASSES, channels=16, rate=250.0, strength="none"
    )
    plan = Plan(subject="noise", labels={name: name for name in NOISE_CLASSES})
    result = calibrate([recording], plan, lambda *_: None)
    assert result.scores is not None
    return result.scores.p_value
