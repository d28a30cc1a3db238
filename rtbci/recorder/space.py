"""How long the disk will last: told before it matters."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from rtbci.process import Reporter

EVERY_S = 2.0  # the disk is asked
MEASURED_S = 5.0  # the rate of writing is taken over at least so long
AMBER_S, RED_S = 600.0, 180.0  # time left
UNPLANNED_S = 3600.0  # a recording without a stated duration


def free_bytes(folder: Path) -> int:
    """What this user may still write there."""
    return shutil.disk_usage(folder).free


class DiskSpace:
    """Watches the free space; ``free`` and ``clock`` are there to be replaced."""

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
        self._began: tuple[float, int] | None = None  # when, and what was written by then
        self.left_s: float | None = None  # None while nothing is written

    def plan(self, folder: Path, rate: float) -> None:
        """Streams of ``rate`` bytes a second are to be written: is there twice the room?"""
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
        """Alarm by the time left; ``rate`` is the planned one, until there is a measured one."""
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
