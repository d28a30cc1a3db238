"""Frame rate, event loop stalls, CPU and memory of the window."""

import json
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil

BEAT_S = 0.02
SHOWN_S = 10.0  # span over which the longest stall is shown
MOST_BEATS = 50 * 3600


class FrameTiming:
    """Timing statistics: call ``beat`` every ``BEAT_S`` and ``painted`` per frame; one thread."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._last: float | None = None
        self._late: deque[float] = deque(maxlen=MOST_BEATS)  # s after the planned beat
        self._recent: deque[tuple[float, float]] = deque()
        self._paints: deque[float] = deque()
        self._painted = 0
        self.begin()

    def begin(self) -> None:
        """Reset the statistics."""
        self._late.clear()
        self._painted, self._began = 0, self._clock()
        self._process = psutil.Process()
        self._cpu = self._spent()

    def beat(self) -> None:
        """Record one tick of the ``BEAT_S`` timer."""
        now = self._clock()
        if self._last is not None:
            late = max(0.0, now - self._last - BEAT_S)
            self._late.append(late)
            self._recent.append((now, late))
            while self._recent[0][0] < now - SHOWN_S:
                self._recent.popleft()
        self._last = now

    def painted(self) -> None:
        """Record one drawn frame."""
        now = self._clock()
        self._painted += 1
        self._paints.append(now)
        while self._paints[0] < now - 2.0:
            self._paints.popleft()

    def fps(self) -> float | None:
        """Frames per second over the last two seconds."""
        if len(self._paints) < 2 or self._clock() - self._paints[-1] > 1.0:
            return None
        return (len(self._paints) - 1) / max(self._paints[-1] - self._paints[0], 1e-9)

    def stall_ms(self) -> float | None:
        """Longest event loop stall of the last ``SHOWN_S`` seconds, ms."""
        return max((1000 * late for _, late in self._recent), default=None)

    def figures(self) -> dict[str, float | None]:
        """Since ``begin``: frames per second, stalls (ms), share of a core and memory (MB)."""
        seconds = max(self._clock() - self._began, 1e-9)
        late = 1000 * np.array(self._late) if self._late else np.array([np.nan])
        p50, p99, most = (float(each) for each in np.percentile(late, (50, 99, 100)))
        return {
            "seconds": seconds, "fps": self._painted / seconds,
            "stall_p50_ms": p50, "stall_p99_ms": p99, "stall_max_ms": most,
            "cpu_percent": 100 * (self._spent() - self._cpu) / seconds,
            "rss_mb": self._process.memory_info().rss / 1e6,
        }  # fmt: skip

    def _spent(self) -> float:
        times = self._process.cpu_times()
        return times.user + times.system


def write_figures(path: Path, figures: dict[str, float | None]) -> None:
    """Append the figures to a file as one line of JSON."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(figures) + "\n")
