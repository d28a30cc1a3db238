"""Sample clock of a live stream: from time stamps to absolute sample indices as rows arrive.

Two ways. A stream that publishes ``t0`` and stamps every sample ``t0 + index / rate`` (ours do) is
read exactly, row by row. Rows of anything else are counted, and a causal fit tells gaps from
jitter (``rtbci.signal.counted_rows``), as ``rtbci.signal.timebase`` does for whole recordings.
"""

from dataclasses import replace

import numpy as np

from rtbci.signal.counted_rows import FAR, CountedRows
from rtbci.signal.sample_index import IndexedRows, SampleIndex, StampLine
from rtbci.signal.timebase import FARTHEST_S
from rtbci.types import Array, Gap

REPEATED_S = 1.0  # rows older than this are not repeated ones: the clock was set back
RESTARTED = "stream restarted"


class LiveTimeBase:
    """Indices of the rows of one stream; the same for every cut of the rows into pushes.

    ``rate`` (Hz) is the nominal one. With ``t0`` (s) a row's stamp gives its index on that grid:
    the first may be any (negative in a lead-in), and rows that come again are dropped. Without,
    rows are counted from 0, and the nominal rate may be off by 1 %.
    """

    def __init__(self, rate: float, t0: float | None = None):
        self.back_steps = 0  # stamps that are not later than the one before
        self._newest = np.nan
        self._ledger = SampleIndex()
        self._way = self._choose(rate, t0)

    def push(self, stamps: Array) -> list[Gap | IndexedRows]:
        """Gaps and rows, in order, that ``stamps`` (rows,), seconds, settle.

        ``IndexedRows`` counts rows from the first push on (it names neither indices nor places in
        this push), since rows can be held until later ones show whether some are missing: keep what
        was pushed and not yet given out, at most half a second of rows, in a FIFO. Rows that are
        passed over when later ones are given out were dropped. A stamp that is not finite counts as
        missing: its row follows the one before. ``stamps`` is not kept.
        """
        way = self._way
        if isinstance(way, GridRows) and (only := way.follow_on(stamps)) is not None:
            self.back_steps += bool(stamps[0] <= self._newest)
            self._newest = stamps[-1]
            return [only]
        stamps = np.asarray(stamps, np.float64)
        if len(stamps):
            self.back_steps += int(stamps[0] <= self._newest)
            self.back_steps += int(np.count_nonzero(stamps[1:] <= stamps[:-1]))
            self._newest = float(stamps[-1])
            self._way.push(stamps)
        return self._ledger.told()

    def flush(self) -> list[Gap | IndexedRows]:
        """Held rows, decided with what is known: at the end of a stream, or after a silence."""
        self._way.flush()
        return self._ledger.told()

    def reset(self, rate: float, t0: float | None = None) -> list[Gap | IndexedRows]:
        """Held rows, then a gap of unknown size: the stream came back under a new description.

        The next row follows at ``head``, whatever its stamp. Under the same description
        nothing is reset: the stamps show what was lost.
        """
        self._way.flush()
        self._ledger.restart(None, RESTARTED)
        self._way = self._choose(rate, t0)
        return self._ledger.told()

    def index_at(self, stamp: float) -> int | None:
        """Index nearest to ``stamp`` (s), also ahead of the newest row or within a gap.

        None before the first row. Behind a clock that was set, a stamp of before still finds its
        row.
        """
        return self._ledger.index_at(stamp) if abs(stamp) < FAR else None

    def stamp_at(self, index: int) -> float:
        """Stamp of ``index`` without jitter, s; nan before the first row."""
        return self._ledger.stamp_at(index)

    @property
    def head(self) -> int | None:
        """Index after the newest row given out; None before the first."""
        return self._ledger.head

    @property
    def missing(self) -> int:
        """Number of samples in gaps so far."""
        return self._ledger.missing

    @property
    def repeated(self) -> int:
        """Number of rows dropped so far: repeated ones, or without a stamp yet (``t0``)."""
        return self._ledger.repeated

    @property
    def effective_rate(self) -> float | None:
        """Rows a second of the stamps' clock, Hz; None before 5 s of rows."""
        return self._way.effective_rate

    def _choose(self, rate: float, t0: float | None) -> "CountedRows | GridRows":
        if t0 is None:
            return CountedRows(rate, self._ledger)
        return GridRows(rate, t0, self._ledger)


class GridRows:
    """``LiveTimeBase`` for stamps ``t0 + index / rate``: nothing is held, nothing estimated."""

    def __init__(self, rate: float, t0: float, ledger: SampleIndex):
        self._rate = rate
        self._t0 = t0
        self._ledger = ledger
        self._given = 0  # rows
        self._half = 0.5 / rate
        self._pace = np.arange(1024) / rate

    @property
    def effective_rate(self) -> float | None:
        """Rate by the stamps, Hz; None until 5 s of rows have come."""
        return self._rate if self._given >= 5 * self._rate else None

    def follow_on(self, stamps: Array) -> IndexedRows | None:
        """The rows, where each stamp lies where it is expected: as nearly always, and quick."""
        book, n = self._ledger, len(stamps)
        if book.line is None or book.head is None or book.items or not 0 < n <= len(self._pace):
            return None
        off = stamps - self._pace[:n]
        off -= book.line.stamp(book.head)
        if not np.maximum.reduce(np.abs(off, out=off)) < self._half:
            return None
        rows = IndexedRows(book.head, book.row, book.row + n)
        book.head, book.row = book.head + n, book.row + n
        self._given += n
        return rows

    def flush(self) -> None:
        """Nothing is ever held."""

    def push(self, stamps: Array) -> None:
        """See ``LiveTimeBase.push``."""
        book, n = self._ledger, len(stamps)
        self._given += n
        stamps = np.where(np.abs(stamps) < FAR, stamps, np.nan)
        if book.line is None and not self._start(stamps):
            self._unplaced(n)
            return
        while len(stamps):
            stamps = stamps[self._run(stamps) :]

    def _unplaced(self, n: int) -> None:
        """The next ``n`` rows have no stamp: counted, or left out before the first that has."""
        if self._ledger.head is None:
            self._ledger.drop(n)
        else:
            self._ledger.give(n)

    def _start(self, stamps: Array) -> bool:
        """Begin at the first row that has a stamp; False where none has one."""
        book, stamped = self._ledger, np.flatnonzero(np.isfinite(stamps))
        if not len(stamped):
            return False
        place, stamp = int(stamped[0]), float(stamps[stamped[0]])
        period = 1 / self._rate
        if book.head is None:
            line = StampLine(0, 0, self._t0, period)
            book.line = replace(line, first=line.index(stamp))
        else:  # back after another description: counted on
            book.line = StampLine(book.head, book.head + place, stamp, period)
        return True

    def _run(self, stamps: Array) -> int:
        """Settle the rows at the start of ``stamps`` that follow each other; how many are done."""
        book, line, first = self._ledger, self._ledger.line, float(stamps[0])
        assert line is not None
        if not np.isfinite(first):
            self._unplaced(1)
            return 1
        if book.head is None:
            book.head = line.first
        ahead = line.index(first) - book.head
        if ahead > FARTHEST_S * self._rate or -ahead > REPEATED_S * self._rate:
            book.restart(StampLine(book.head, book.head, first, line.period))
            return 0
        if ahead > 0:
            book.gap(ahead)
        grid = np.rint((stamps[: len(self._pace)] - line.at) * self._rate)
        breaks = np.flatnonzero(grid - grid[0] != np.arange(len(grid)))
        n = int(breaks[0]) if len(breaks) else len(grid)
        again = min(n, max(-ahead, 0))
        book.drop(again)
        book.give(n - again)
        return n
