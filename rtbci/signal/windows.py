"""From chunks, markers and gaps to windows: event-locked in onset order, or sliding on a grid.

A marker may come up to ``wait`` seconds before or after the data it refers to. An event is held
until its window is complete *and* no earlier event can still arrive, so that windows come out in
onset order, in whichever order their markers came in. None is dropped: one that cannot be cut comes
out with the reason. This file knows no clock.
"""

from bisect import insort
from collections import deque
from dataclasses import dataclass, replace

import numpy as np

from rtbci.signal.preprocess import Hold, Preprocess, all_measured, measured
from rtbci.signal.recipe import Recipe
from rtbci.signal.ring import Ring
from rtbci.signal.rolling_range import RollingRange
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

    ``columns`` are the recipe's channels in the chunks, -1 for one that is not there; ``labels``
    the marker texts that get a window (None: all). If ``every`` is given, a sliding window is cut
    that often, too (s). ``spare`` electrodes may be absent or flat; the window lists them.
    """

    def __init__(
        self,
        recipe: Recipe,
        columns: list[int],
        labels: frozenset[str] | None = None,
        wait: float = MARKER_WAIT,
        every: float | None = None,
        spare: int = 0,
    ) -> None:
        self.recipe = recipe
        self.duplicates = 0  # number of markers that repeated the one before
        self.hurry = False  # late: sliding windows are skipped and counted, events never are
        self.skipped = 0
        self._columns, self._labels = np.maximum(columns, 0), labels
        self._absent = np.array(columns) < 0  # (channels,)
        self._gone, self._spare = bool(self._absent.any()), spare
        n = len(columns)
        reference = recipe.reference
        if reference == "average" and self._absent.any():
            reference = np.flatnonzero(~self._absent).tolist()
        elif isinstance(reference, tuple):
            reference = [recipe.channels.index(name) for name in reference]
        self._flat = recipe.samples(FLAT)
        self._span = (recipe.samples(recipe.window[0]), recipe.samples(recipe.window[1]))
        self._whole = (recipe.first, recipe.last)
        self._settle = recipe.samples(recipe.settle)
        self._hold = Hold(n)
        self._preprocess = Preprocess(recipe.filters, n, reference)
        self._wait = recipe.samples(wait)
        self._horizon = max(recipe.last, self._wait)
        self._piece = max(32, recipe.samples(1.0))  # rows taken at once; bounds the ring
        # a marker may come this late after its data, in whichever order windows are cut
        late = max(self._wait, recipe.samples(MARKER_WAIT))
        capacity = max(recipe.last, late) + late - recipe.first + self._piece + 1
        self._ring = Ring(capacity, (len(recipe.filters), n))
        self._extremes = RollingRange(self._ring, recipe.check, n)
        self._look = (recipe.samples(recipe.look[0]), recipe.samples(recipe.look[1]))
        self._all = columns == list(range(n))  # then nothing needs to be picked
        # Rows that are rare are kept apart from the ring, as (first, one after the last).
        self._still: deque[tuple[int, int, np.ndarray]] = deque()  # electrodes that are flat
        self._lost: deque[tuple[int, int]] = deque()  # with a value that is not finite
        self._segments: deque[Segment] = deque()
        self._started = False
        self._waiting = True  # for the first row without a hole since the restart
        self._holes = 0  # consecutive rows with a value that is not finite
        self._head = 0  # sample index after the newest sample
        self._previous: Samples | None = None  # last row ...
        self._carry: np.ndarray | int = 0  # ... and how often it repeated the one before
        self._pending: list[tuple[int, str, int, Marker]] = []
        self._count = 0
        self._emitted: dict[str, int] = {}  # onset of the last event of each label
        self._newest_out = -1
        self._step = recipe.samples(every) if every else 0
        self._next: int | None = None  # onset of the next sliding window

    def push(self, item: Chunk | Marker | Gap) -> list[Window]:
        """The windows that ``item`` completes; their ``x`` is valid until the next call.

        Raises ``AssertionError`` for samples that come twice.
        """
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
        x = item.x
        if not (self._all and x.shape[1] == len(self._columns)):
            x = np.take(x, self._columns, axis=1)  # C order; x[:, columns] would not be
            if self._gone:
                x[:, self._absent] = 0
        for row in range(0, len(x), self._piece):
            # cut windows are views of the rings, which the next piece overwrites
            out = [replace(each, x=None if each.x is None else each.x.copy()) for each in out]
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
        """Hold short holes; restart the filters after a long one, at the next whole row."""
        if all_measured(x) and not self._waiting and not self._holes:
            self._take(x, False, True)
            return
        whole = np.asarray(measured(x).all(axis=1))
        edges = np.flatnonzero(whole[1:] != whole[:-1]) + 1
        starts = [0, *edges.tolist()]
        for start, stop in zip(starts, [*starts[1:], len(x)], strict=True):
            if whole[start]:
                if self._waiting or self._holes >= self._flat:
                    self._restart(self._head)
                self._waiting, self._holes = False, 0
            elif self._waiting:
                self._head += stop - start
                continue
            else:
                self._holes += stop - start
            self._take(x[start:stop], not whole[start])

    def _take(self, x: Samples, lost: bool, whole: bool = False) -> None:
        rows = self._ring.rows, self._ring.rows + len(x)
        x = self._hold.push(x, whole)
        if lost:
            self._lost.append(rows)
        repeats = self._repeats(x)
        self._previous = self._hold.last
        if repeats is not None and (repeats >= self._flat).any():
            self._still.append((*rows, repeats >= self._flat))
        if self._lost or self._still:
            self._forget()
        self._ring.append(self._preprocess.push(x, whole=True))  # held just above
        self._extremes.follow()
        self._head += len(x)

    def _forget(self) -> None:
        """Forget rows that the ring no longer holds."""
        for rare in (self._lost, self._still):
            while rare and rare[0][1] <= self._ring.oldest:
                rare.popleft()

    def _repeats(self, x: Samples) -> np.ndarray | None:
        """(times, channels) how many samples in a row have had the value of this one, less one.

        None where that is 0 throughout.
        """
        if (
            isinstance(self._carry, int)
            and 2 <= len(x) < self._flat
            and self._previous is not None
            and not np.equal(x[-1], x[-2]).any()
        ):  # no electrode can have stood still for long, nor does one do so now
            return None
        changed = np.empty(x.shape, np.bool_)
        changed[0] = True if self._previous is None else x[0] != self._previous
        np.not_equal(x[1:], x[:-1], out=changed[1:])
        if self._gone:
            changed[:, self._absent] = True  # never used
        if changed.all():  # as in nearly every chunk of a living brain
            self._carry = 0
            return None
        rows = np.arange(1, len(x) + 1, dtype=np.int32)[:, None]
        last = np.maximum.accumulate(np.where(changed, rows, 0), axis=0)
        repeats = np.where(last > 0, rows - last, rows + self._carry)
        self._carry = repeats[-1]
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
        window = replace(self._cut(marker.index, *self._whole), marker=marker)
        if marker.index < self._newest_out:
            window = replace(window, flags=(*window.flags, "late marker"))
        self._newest_out = max(self._newest_out, marker.index)
        return window

    def _slide(self) -> list[Window]:
        out: list[Window] = []
        back, ahead = self._span
        if self._next is None and self._started:
            start = self._segments[-1].index - back
            if len(self._segments) > 1:
                start += self._settle
            self._next = -(-start // self._step) * self._step
        while self._next is not None and self._head >= self._next + ahead:
            if self.hurry:
                self.skipped += 1
            else:
                out.append(self._cut(self._next, self.recipe.unlocked_first, ahead))
            self._next += self._step
        return out

    def _cut(self, onset: int, start: int, stop: int) -> Window:
        """The samples ``start`` to ``stop`` around ``onset``; NaN where a margin is not there."""
        need = (onset + self._span[0], onset + self._span[1])
        position, segment = self._segment(need[0])
        if segment is None:
            return Window(onset, None, None, rejected=self._nothing())
        is_last = position == len(self._segments) - 1
        rows = self._ring.rows if is_last else self._segments[position + 1].row
        end = segment.index + rows - segment.row  # sample index after the segment
        shift = segment.row - segment.index
        if need[0] + shift < self._ring.oldest:
            return Window(onset, None, None, rejected="late marker")
        inside = slice(need[0] + shift, max(need[0], min(need[1], end)) + shift)
        dead = self._dead(inside)
        if dead is not None and dead.sum() > self._spare and (need[1] <= end or not is_last):
            names = ", ".join(self.recipe.channels[i] for i in np.flatnonzero(dead))
            return Window(onset, None, None, rejected=f"no reliable signal: {names} flat")
        if need[1] > end:
            rejected = "gap" if not is_last else self._nothing() if self._waiting else "incomplete"
            return Window(onset, None, None, rejected=rejected)
        flags: list[str] = []
        if need[0] < segment.index + self._settle:
            if position or segment.row:
                return Window(onset, None, None, rejected="settling")
            flags.append("settling")
        if any(start < inside.stop and stop > inside.start for start, stop in self._lost):
            flags.append("held samples")
        first = max(onset + start, segment.index, self._ring.oldest - shift)
        last = min(onset + stop, end)
        rows_of = self._ring.view(first + shift, last + shift)  # (times, streams, channels)
        peak, limit = None, self.recipe.reject
        if limit is not None:
            look = max(onset + self._look[0], first), min(onset + self._look[1], last)
            peak = self._extremes.range(look[0] + shift, look[1] + shift, limit)
        width = stop - start
        x = rows_of.transpose(1, 2, 0)
        if last - first != width:
            x = np.full((*rows_of.shape[1:], width), np.nan, np.float32)
            at = first - onset - start
            x[..., at : at + last - first] = rows_of.transpose(1, 2, 0)
        return Window(onset, None, x, tuple(flags), peak=peak, missing=dead)

    def _dead(self, rows: slice) -> np.ndarray | None:
        """Which electrodes (channels,) are absent or stand still in these rows; None: no one."""
        if not self._still:
            return self._absent if self._gone else None
        still = self._absent.copy()
        for first, stop, flat in self._still:
            if first < rows.stop and stop > rows.start:
                still |= flat[max(rows.start - first, 0) : rows.stop - first].any(axis=0)
        return still if still.any() else None

    def _nothing(self) -> str:
        """The reason for which a needed sample does not exist."""
        if self._waiting and self._started:
            return "no reliable signal: samples that are no numbers"
        return (
            "late marker" if self._segments and self._segments[0].row else "before the first sample"
        )

    def _segment(self, index: int) -> tuple[int, Segment | None]:
        """The segment that holds ``index``, or the gap after it does, and its place."""
        for position in range(len(self._segments) - 1, -1, -1):
            if self._segments[position].index <= index:
                return position, self._segments[position]
        return 0, None
