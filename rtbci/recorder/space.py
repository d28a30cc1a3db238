"""Alarms about free disk space, ahead of time."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from rtbci.process import Reporter

# Interval of the checks, s.
EVERY_S = 2.0
# Shortest time over which the rate of writing is measured, s.
MEASURED_S = 5.0
# Time left until the disk is full from which there is an alarm, s.
AMBER_S, RED_S = 600.0, 180.0
# Assumed duration of a recording without a stated one, s.
UNPLANNED_S = 3600.0


def free_bytes(folder: Path) -> int:
    """Free space of the folder's disk for this user, bytes."""
    return shutil.disk_usage(folder).free


class DiskSpace:
    """Monitor of the free space; ``free`` and ``clock`` can be replaced for tests."""

    def __init__(
        self,
        reporter: Reporter,
        duration: float | None,
        *,
        free: Callable[[Path], int] = free_bytes,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reporter, self._duration = reporter, duration
        self._free, self._clock = free, clock
        self._asked = float("-inf")
        self._began: tuple[float, int] | None = None  # start of the measurement, bytes by then
        self.left_s: float | None = None  # time until the disk is full; None before a first rate

    def plan(self, folder: Path, rate: float) -> None:
        """Alarm if there is less than twice the space for streams of ``rate`` bytes per second."""
        seconds = self._duration or UNPLANNED_S
        try:
            free = self._free(folder)
        except OSError:
            return
        if rate and free < 2 * rate * seconds:
            self._reporter.alarm(
                "amber", "space-planned",
                f"{seconds / 60:.0f} min of these streams take {_size(rate * seconds)}, and "
                f"{folder} has {_size(free)} left, not twice that; free some space now",
            )  # fmt: skip

    def check(self, folder: Path, written: int, rate: float) -> None:
        """Alarm by the time left; ``rate`` (bytes per second) is used until one is measured."""
        now = self._clock()
        if now - self._asked < EVERY_S:
            return
        self._asked = now
        if self._began is None:
            self._began = now, written
        began, before = self._began
        if now - began >= MEASURED_S:
            rate = (written - before) / (now - began)
        if now - began >= 60 * MEASURED_S:
            self._began = now, written
        try:
            free = self._free(folder)
        except OSError:
            return
        if rate <= 0:
            return
        self.left_s = free / rate
        if self.left_s < AMBER_S:
            level = "red" if self.left_s < RED_S else "amber"
            minutes = 3 if level == "red" else 10
            self._reporter.alarm(
                level, "space",
                f"{folder} will be full in less than {minutes} min; free some space",
            )  # fmt: skip
        elif self.left_s > 1.2 * AMBER_S:
            self._reporter.clear("space", f"{folder} has room for {self.left_s / 60:.0f} min again")


def _size(n: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if n < 1000:
            return f"{n:.3g} {unit}"
        n /= 1000
    return f"{n:.3g} TB"
