"""Lost samples over the session, the stream and the last ten minutes."""

from collections import deque
from dataclasses import dataclass

SPANS = (("10 s", 10.0), ("1 min", 60.0), ("10 min", 600.0))
KEPT_S = 620.0

Row = tuple[str, int | None, int | None]  # name, lost, expected; None if not counted


@dataclass(frozen=True)
class Count:
    """Received and lost samples up to ``at`` (s)."""

    at: float
    received: int
    lost: int


class Losses:
    """Counts of one sample counter over time; sums continue if the counter restarts.

    *session* is all that was counted, *stream* since the stream began or came back, the others are
    the last seconds: as far back as this window has looked, which the expected number tells.
    """

    def __init__(self) -> None:
        self._counts: deque[Count] = deque()
        self._base = (0, 0)  # received and lost in counters that are over
        self._last = (0, 0)
        self._stream: tuple[int, int] = (0, 0)
        self._whole_since: int | None = None  # samples received at the latest loss

    def count(self, at: float, received: int, lost: int) -> None:
        """Add a reading of the counter at ``at`` s; both numbers are totals since its start."""
        if received < self._last[0]:  # a recorder that was started anew counts from 0
            self._base = (self._base[0] + self._last[0], self._base[1] + self._last[1])
        self._last = (received, lost)
        total = Count(at, self._base[0] + received, self._base[1] + lost)
        if not self._counts:
            self._whole_since = None if lost else 0
        elif total.lost > self._counts[-1].lost:
            self._whole_since = total.received
        self._counts.append(total)
        while self._counts[0].at < at - KEPT_S:
            self._counts.popleft()

    def begin_stream(self) -> None:
        """Restart the stream's counts: it began, or returned from another process."""
        if self._counts:
            newest = self._counts[-1]
            self._stream = (newest.received, newest.lost)
            self._whole_since = newest.received

    def whole(self) -> int | None:
        """Samples since the last loss; None if the time of the loss is unknown."""
        if not self._counts or self._whole_since is None:
            return None
        return self._counts[-1].received - self._whole_since

    def rows(self, now: float) -> list[Row]:
        """Lost and expected samples for each span."""
        if not self._counts:
            return [(name, None, None) for name in ("session", "stream", *dict(SPANS))]
        newest = self._counts[-1]
        rows = [_row("session", newest, 0, 0), _row("stream", newest, *self._stream)]
        for name, seconds in SPANS:
            inside = [each for each in self._counts if each.at >= now - seconds]
            if len(inside) < 2:
                rows.append((name, None, None))
            else:
                rows.append(_row(name, newest, inside[0].received, inside[0].lost))
        return rows


def _row(name: str, newest: Count, received: int, lost: int) -> Row:
    missing = max(newest.lost - lost, 0)
    return name, missing, newest.received - received + missing
