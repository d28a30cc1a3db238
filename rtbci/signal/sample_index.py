"""The count of a live stream: which rows have which indices, and which stamps they stand for."""

from collections import deque
from dataclasses import dataclass, field, replace

from rtbci.signal.timebase import CLOCK_RESET
from rtbci.types import Gap


@dataclass(frozen=True)
class IndexedRows:
    """Rows ``first`` to ``stop``, counted since the first push, have indices from ``index`` on."""

    index: int
    first: int
    stop: int


@dataclass(frozen=True)
class StampLine:
    """Stamps of the indices from ``first`` on: ``at`` is that of index ``ref``, s."""

    first: int
    ref: int
    at: float
    period: float

    def stamp(self, index: int) -> float:
        """Stamp of ``index``, s."""
        return self.at + (index - self.ref) * self.period

    def index(self, stamp: float) -> int:
        """Index nearest to ``stamp``, s."""
        return self.ref + round((stamp - self.at) / self.period)


@dataclass
class SampleIndex:
    """Counts so far, and the part of them that was not reported yet."""

    head: int | None = None  # index after the newest row given out; None before the first
    row: int = 0  # number of the next row
    line: StampLine | None = None  # None until a row had a stamp
    past: deque[StampLine] = field(default_factory=lambda: deque(maxlen=4))  # newest first
    missing: int = 0  # samples in gaps
    repeated: int = 0  # rows dropped
    items: list[Gap | IndexedRows] = field(default_factory=list)

    def give(self, n: int) -> None:
        """The next ``n`` rows have the next ``n`` indices."""
        if not n:
            return
        index, row = self.head or 0, self.row
        self.head, self.row = index + n, row + n
        last = self.items[-1] if self.items else None
        if (
            isinstance(last, IndexedRows)
            and last.stop == row
            and last.index + row - last.first == index
        ):
            self.items[-1] = replace(last, stop=self.row)
        else:
            self.items.append(IndexedRows(index, row, self.row))

    def drop(self, n: int) -> None:
        """The next ``n`` rows get no index."""
        self.row += n
        self.repeated += n

    def gap(self, missing: int) -> None:
        """``missing`` samples are not there."""
        self.items.append(Gap(self.head or 0, missing))
        self.head = (self.head or 0) + missing
        self.missing += missing

    def restart(self, line: StampLine | None, reason: str = CLOCK_RESET) -> None:
        """Continue on another ``line`` of stamps; the number of missing samples is unknown."""
        if self.head is not None:
            self.items.append(Gap(self.head, 0, reason))
            if self.line is not None:
                self.past.appendleft(self.line)
        self.line = line

    def told(self) -> list[Gap | IndexedRows]:
        """The items since the last call."""
        items, self.items = self.items, []
        return items

    def index_at(self, stamp: float) -> int | None:
        """Index nearest to ``stamp``; after a clock was set, on the line whose rows carry it."""
        lines, stop = self._lines(), self.head
        if stop is None or not lines:
            return None
        for line in lines:
            if line.first <= (index := line.index(stamp)) < stop:
                return index
            stop = line.first
        return lines[0].index(stamp)

    def stamp_at(self, index: int) -> float:
        """Stamp of ``index`` without jitter, s; nan before the first row."""
        line = self.line
        if line is not None and self.head is not None and line.first <= index:
            return line.stamp(index)  # as nearly always
        lines = self._lines()
        if self.head is None or not lines:
            return float("nan")
        return next((line for line in lines if line.first <= index), lines[-1]).stamp(index)

    def _lines(self) -> list[StampLine]:
        return list(self.past) if self.line is None else [self.line, *self.past]
