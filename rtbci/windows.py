"""From chunks, markers and gaps to windows: event-locked in onset order, or sliding on a grid.

A marker may come up to ``wait`` seconds before or after the data it refers to. An event is held
until its window is complete *and* no earlier event can still arrive, so that windows come out in
onset order whatever the order in which markers came in. None is dropped: one that cannot be cut
comes out with the reason. Nothing here knows a clock.
"""

from bisect import insort
from collections import deque
from dataclasses import dataclass, replace

import numpy as np

from rtbci.preprocess import Hold, Preprocess, measured
from rtbci.recipe import Recipe
from rtbci.ring import Ring
from rtbci.types import Chunk, Gap, Marker, Samples, Window

MARKER_WAIT = 2.0  # s, how late a marker may come and still be decided in onset order
DUPLICATE = 0.02  # s; the same label again within this time is the same event
FLAT = 0.25  # s; an electrode that repeats one value for so long is dead


@dataclass(frozen=True)
class Segment:
    """A stretch without a gap: sample ``index`` lies in row ``row`` of the ring."""

    index: int
    row: int


class Windows:
    """Chunks, markers and gaps in, windows out. One thread.

    ``columns`` are the recipe's channels in the chunks; ``labels`` the marker texts that get a
    window (None: all). ``every`` seconds a sliding window is cut as well, where it is given.
    """

    def __init__(
        self,
        recipe: Recipe,
        columns: list[int],
        labels: frozenset[str] | None = None,
        wait: float = MARKER_WAIT,
        every: float | None = None,
    ) -> None:
        self.recipe = recipe
        self.duplicates = 0  # markers that repeated the one before
        self._columns, self._labels = columns, labels
        reference = recipe.reference
        if isinstance(reference, tuple):
            reference = [recipe.channels.index(name) for name in reference]
        n = len(columns)
        self._hold = Hold(n)
        self._preprocess = Preprocess(recipe.filters, n, reference)
        self._wait = recipe.samples(wait)
        self._horizon = max(recipe.last, self._wait)
        self._piece = max(32, recipe.samples(1.0))  # rows taken at once; bounds the ring
        capacity = self._horizon + self._wait - recipe.first + self._piece + 1
        self._ring = Ring(capacity, (len(recipe.filters), n))
        self._same = Ring(capacity, (n,), np.int32)  # how often a sample repeated the one before
        self._lost = Ring(capacity, (), np.bool_)  # rows with a value that was no number
        self._segments: deque[Segment] = deque()
        self._started = False
        self._waiting = True  # for the first row without a hole since the restart
        self._holes = 0  # rows in a row with a value that was no number
        self._head = 0  # sample index behind the newest sample
        self._previous: Samples | None = None  # last row ...
        self._carry: np.ndarray | int = 0  # ... and how often it repeated the one before
        self._pending: list[tuple[int, str, int, Marker]] = []
        self._count = 0
        self._emitted: dict[str, int] = {}  # onset of the last event of each label
        self._newest_out = -1
        self._step = recipe.samples(every) if every else 0
        self._next: int | None = None  # onset of the next sliding window

    def push(self, item: Chunk | Marker | Gap) -> list[Window]:
        """The windows that ``item`` completes. Raises ``AssertionError`` for samples twice."""
        if isinstance(item, Marker):
            if self._labels is None or item.label in self._labels:
                self._count += 1
                insort(self._pending, (item.index, item.label, self._count, item))
            return self._ready()
        if isinstance(item, Gap):
            self._restart(item.index + item.missing)
            return self._ready()
        out: list[Window] = []
        if not self._started or item.index != self._head:
            assert not self._started or item.index > self._head, "samples came twice"
            self._restart(item.index)
        x = np.take(item.x, self._columns, axis=1)  # C order; x[:, columns] would not be
        for row in range(0, len(x), self._piece):
            self._append(x[row : row + self._piece])
            out += self._ready()
        return out

    def finish(self) -> list[Window]:
        """The stream has ended: every event that still waits comes out, cut or rejected."""
        return self._ready(ended=True)

    def _restart(self, index: int) -> None:
        """The next sample has ``index`` and follows nothing."""
        assert not self._started or index >= self._head, "a gap cannot step back"
        self._hold.reset()
        self._preprocess.reset()
        self._previous, self._carry, self._next = None, 0, None
        if self._segments and self._segments[-1].row == self._ring.rows:
            self._segments.pop()
        self._segments.append(Segment(index, self._ring.rows))
        while len(self._segments) > 2 and self._segments[1].row <= self._ring.oldest:
            self._segments.popleft()
        self._head, self._started = index, True
        self._waiting, self._holes = True, 0

    def _append(self, x: Samples) -> None:
        """Short holes are held; filters restart behind a long one, and wait for a whole row."""
        whole = np.asarray(measured(x).all(axis=1))
        edges = np.flatnonzero(whole[1:] != whole[:-1]) + 1
        starts = [0, *edges.tolist()]
        for start, stop in zip(starts, [*starts[1:], len(x)], strict=True):
            if whole[start]:
                if self._waiting or self._holes >= self.recipe.samples(FLAT):
                    self._restart(self._head)
                self._waiting, self._holes = False, 0
            elif self._waiting:
                self._head += stop - start
                continue
            else:
                self._holes += stop - start
            self._take(x[start:stop], not whole[start])

    def _take(self, x: Samples, lost: bool) -> None:
        self._lost.append(np.full(len(x), lost))
        x = self._hold.push(x)
        self._same.append(self._repeats(x))
        self._ring.append(self._preprocess.push(x))
        self._head += len(x)

    def _repeats(self, x: Samples) -> np.ndarray:
        """(times, channels) how many samples in a row have had the value of this one, less one."""
        before = x[:1] + 1 if self._previous is None else self._previous[0]
        rows = np.arange(1, len(x) + 1, dtype=np.int32)[:, None]
        changed = np.diff(x, axis=0, prepend=np.atleast_2d(before)) != 0
        last = np.maximum.accumulate(np.where(changed, rows, 0), axis=0)
        repeats = np.where(last > 0, rows - last, rows + self._carry)
        self._previous, self._carry = x[-1:].copy(), repeats[-1]
        return repeats.astype(np.int32)

    def _ready(self, ended: bool = False) -> list[Window]:
        out: list[Window] = []
        while self._pending and (ended or self._head >= self._pending[0][0] + self._horizon):
            marker = self._pending.pop(0)[3]
            last = self._emitted.get(marker.label)
            if last is not None and 0 <= marker.index - last < self.recipe.samples(DUPLICATE):
                self.duplicates += 1
                continue
            self._emitted[marker.label] = marker.index
            out.append(self._event(marker))
        if self._step:
            out += self._slide()
        return out

    def _event(self, marker: Marker) -> Window:
        if marker.fields.get("valid") is False:
            return Window(marker.index, marker, None, rejected="marked invalid")
        window = replace(self._cut(marker.index), marker=marker)
        if marker.index < self._newest_out:
            window = replace(window, flags=(*window.flags, "late marker"))
        self._newest_out = max(self._newest_out, marker.index)
        return window

    def _slide(self) -> list[Window]:
        out: list[Window] = []
        recipe = self.recipe
        ahead, back = recipe.samples(recipe.window[1]), recipe.samples(recipe.window[0])
        if self._next is None and self._started:
            start = self._segments[-1].index - back
            if len(self._segments) > 1:
                start += recipe.samples(recipe.settle)
            self._next = -(-start // self._step) * self._step
        while self._next is not None and self._head >= self._next + ahead:
            # the margin behind the window may have come or not: that depends on the cut
            out.append(self._cut(self._next, ahead))
            self._next += self._step
        return out

    def _cut(self, onset: int, stop: int | None = None) -> Window:
        """The window around ``onset``; NaN where a margin for the latency gate is not there.

        ``stop`` (samples after the onset) leaves out what is known beyond it.
        """
        recipe = self.recipe
        need = (onset + recipe.samples(recipe.window[0]), onset + recipe.samples(recipe.window[1]))
        position, segment = self._segment(need[0])
        if segment is None:
            return Window(onset, None, None, rejected=self._nothing())
        is_last = position == len(self._segments) - 1
        rows = self._ring.rows if is_last else self._segments[position + 1].row
        end = segment.index + rows - segment.row  # sample index behind the segment
        shift = segment.row - segment.index
        if need[0] + shift < self._ring.oldest:
            return Window(onset, None, None, rejected="late marker")
        inside = slice(need[0] + shift, max(need[0], min(need[1], end)) + shift)
        dead = self._dead(inside)
        if dead and (need[1] <= end or not is_last):
            return Window(onset, None, None, rejected=f"no reliable signal: {dead} flat")
        if need[1] > end:
            rejected = "gap" if not is_last else self._nothing() if self._waiting else "incomplete"
            return Window(onset, None, None, rejected=rejected)
        flags: list[str] = []
        if need[0] < segment.index + recipe.samples(recipe.settle):
            if position or segment.row:
                return Window(onset, None, None, rejected="settling")
            flags.append("settling")
        if self._lost.view(inside.start, inside.stop).any():
            flags.append("held samples")
        first = max(onset + recipe.first, segment.index, self._ring.oldest - shift)
        last = min(onset + (recipe.last if stop is None else stop), end)
        rows_of = self._ring.view(first + shift, last + shift)  # (times, streams, channels)
        width = recipe.last - recipe.first
        x = np.full((*rows_of.shape[1:], width), np.nan, np.float32)
        at = first - onset - recipe.first
        x[..., at : at + last - first] = rows_of.transpose(1, 2, 0)
        return Window(onset, None, x, tuple(flags))

    def _dead(self, rows: slice) -> str:
        """Names of the electrodes that stand still in these rows, or nothing."""
        if rows.start >= rows.stop:
            return ""
        repeats = self._same.view(rows.start, rows.stop).max(axis=0)
        still = np.flatnonzero(repeats >= self.recipe.samples(FLAT))
        return ", ".join(self.recipe.channels[i] for i in still)

    def _nothing(self) -> str:
        """Why there is no sample at all where one is needed."""
        if self._waiting and self._started:
            return "no reliable signal: samples that are no numbers"
        return (
            "late marker" if self._segments and self._segments[0].row else "before the first sample"
        )

    def _segment(self, index: int) -> tuple[int, Segment | None]:
        """The segment in which, or in the gap behind which, ``index`` lies, and its place."""
        for position in range(len(self._segments) - 1, -1, -1):
            if self._segments[position].index <= index:
                return position, self._segments[position]
        return 0, None
