"""Raster of sweeping traces in numpy; only the columns that changed are drawn.

The picture is a function of what is known, nothing else: sample ``i`` belongs to column
``i * width // samples_per_sweep``, which appears on screen at that number modulo ``width``. A
column shows every value the joined-up signal takes within it (its minimum to its maximum), with
the exact share of each pixel that the line covers. Whether the samples came one by one or all at
once, and whether a marker came early or late, the same pixels come out.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gui.operator.history import Array, History
from gui.widgets.curves import coverage
from gui.widgets.palette import Theme, channels, hairline, mix

AHEAD = 14  # empty columns between the newest sample and the previous sweep
AT_ONCE = 192  # columns drawn at once so that they fit the cache
REACH = 1.5  # lanes by which a trace may leave its own before it is clipped
LEAST_REACH = 24.0  # px
HATCH, DASH = 7, 4  # px

Pixels = NDArray[np.uint32]


@dataclass(frozen=True)
class RasterView:
    """Section of the signal that is drawn, and the size of the picture."""

    width: int  # px
    height: int  # px
    seconds: float = 10.0  # in one sweep
    scale_uv: float = 100.0  # microvolts from one lane to the next
    first: int = 0  # channel of the uppermost lane
    count: int = 16  # lanes
    selected: int | None = None  # channel that is drawn on top of all others
    thickness: float = 1.1  # px

    @property
    def lane(self) -> float:
        """Height of one lane in pixels."""
        return self.height / self.count

    def middle(self, channel: int) -> float:
        """Row of 0 uV of a channel."""
        return (channel - self.first + 0.5) * self.lane


class Raster:
    """The picture of one ``History``: ``pixels`` (height, width), 0xffRRGGBB."""

    def __init__(self, history: History, view: RasterView, theme: Theme) -> None:
        self.history, self.view, self.theme = history, view, theme
        self.columns_drawn = 0
        self.repaint()

    def look(self, **changes: object) -> None:
        """Change the view; everything is redrawn by the next ``draw``."""
        self.view = replace(self.view, **changes)  # type: ignore[arg-type]
        self.repaint()

    def repaint(self) -> None:
        """Discard the picture and draw everything again."""
        view, theme = self.view, self.theme
        self.pixels: Pixels = np.zeros((view.height, view.width), np.uint32)
        self.pixels[:] = pack(rgb(theme.background))
        self._next: int | None = None  # the first column that is not final
        self._again: list[tuple[int, int]] = []  # columns that something late fell into
        lanes = np.arange(view.first, view.first + view.count)
        self._tone = lanes % len(theme.traces)
        colors = list(theme.traces)
        if view.selected in lanes:  # the last colour is drawn on top
            self._tone[lanes == view.selected] = len(colors)
            colors.append(theme.accent)
        self._tones = np.array([rgb(color) for color in colors], np.float32)
        self._middle = (np.arange(view.count) + 0.5) * view.lane

    @property
    def sweep(self) -> int:
        """Samples in one sweep."""
        return max(1, round(self.view.seconds * self.history.rate))

    @property
    def head(self) -> int:
        """Column of the newest sample, counted from index 0."""
        return self.column(self.history.end - 1)

    def column(self, index: int) -> int:
        """Column of a sample, counted from index 0; its screen position is this modulo width."""
        return index * self.view.width // self.sweep

    def visible(self, column: int) -> bool:
        """Whether a column is on screen now."""
        return self.head + AHEAD - self.view.width < column <= self.head

    def touch(self, index: int, length: int = 1) -> None:
        """Mark the columns of these samples for redrawing after late data."""
        self._again.append((self.column(index), self.column(index + max(1, length) - 1) + 1))

    @property
    def unfinished(self) -> bool:
        """Whether older columns are still waiting to be drawn."""
        return bool(self._again)

    def draw(self, at_most: int | None = None) -> list[tuple[int, int]]:
        """Draw new columns; returns the ranges of screen columns (start, stop) that changed.

        With ``at_most`` columns a call, the rest is left to the next calls, newest first.
        """
        if not self.history.started or self.history.end == self.history.first:
            return []
        oldest = self.head + AHEAD + 1 - self.view.width
        start, stop = self._next, self.head + AHEAD + 1
        if start is None or start < oldest:
            start = oldest
        waiting = [(max(oldest, a), min(start, b)) for a, b in self._again]
        self._again, self._next = [], self.head
        left = at_most if at_most is not None else stop - oldest
        changed = []
        for a, b in [(start, stop), *reversed(waiting)]:
            first = max(a, b - left)
            if first > a:
                self._again.append((a, min(first, b)))
            for at in range(first, b, AT_ONCE):
                self._put(at, self._paint(at, min(b, at + AT_ONCE)))
            changed += self._on_screen(first, b)
            drawn = max(0, b - first)
            left, self.columns_drawn = max(0, left - drawn), self.columns_drawn + drawn
        return changed

    def _on_screen(self, a: int, b: int) -> list[tuple[int, int]]:
        """Columns ``a`` to ``b`` as one stretch of the screen, or two around its edge."""
        if a >= b:
            return []
        width = self.view.width
        start, stop = a % width, a % width + b - a
        return [(start, stop)] if stop <= width else [(start, width), (0, stop - width)]

    def _put(self, at: int, block: Pixels) -> None:
        done = 0
        for start, stop in self._on_screen(at, at + len(block)):
            self.pixels[:, start:stop] = block[done : done + stop - start].T
            done += stop - start

    def _paint(self, a: int, b: int) -> Pixels:
        """Columns ``a`` to ``b``: packed colours (b - a, height)."""
        picture = self._ground(a, b)
        stop = min(b, self.head + 1)
        if stop > a:
            for tone, cover in zip(self._tones, self._cover(a, stop), strict=True):
                for part, value in zip(picture, tone, strict=True):  # red, green, blue
                    part[: stop - a] += cover * (value - part[: stop - a])
        return pack(picture)

    def _cover(self, a: int, b: int) -> NDArray[np.float32]:
        """Share of each pixel that the traces cover: (tones, b - a, height), 0 to 1."""
        view, k = self.view, b - a
        low, high = self._extent(a, b)
        reach = max(REACH * view.lane, LEAST_REACH)
        scale = view.lane / view.scale_uv
        half = view.thickness / 2
        top = self._middle - np.clip(high * scale, -reach, reach) - half
        bottom = self._middle - np.clip(low * scale, -reach, reach) + half
        row = np.arange(k)[:, None] + self._tone * k  # (k, lanes)
        cover = coverage(top, bottom, row, len(self._tones) * k, view.height)
        return cover.reshape(-1, k, view.height)

    def _extent(self, a: int, b: int) -> tuple[Array, Array]:
        """Lowest and highest microvolts of the joined-up signal in columns (b - a, lanes)."""
        view = self.view
        edges = np.arange(a, b + 1, dtype=np.int64) * self.sweep
        before, within = edges // view.width, edges % view.width  # sample before an edge; how far
        first = int(before[0])
        lanes = slice(view.first, view.first + view.count)
        x = self.history.read(first, int(before[-1]) + 2, lanes)
        # the signal at the edges, on the straight line between two samples
        share = (within / view.width)[:, None]
        left, right = x[before - first], x[before - first + 1]
        edge = np.where(share > 0, left + share * (right - left), left)
        for hole in self.history.holes:  # no line is drawn across a restart
            at = np.where(within > 0, before + 1, before)
            edge[at == hole.index] = np.nan
        starts = before + (within > 0) - first
        empty = (starts[1:] == starts[:-1])[:, None]
        low = np.where(empty, np.nan, np.fmin.reduceat(x, starts, axis=0)[:-1])
        high = np.where(empty, np.nan, np.fmax.reduceat(x, starts, axis=0)[:-1])
        low = np.fmin(np.fmin(low, edge[:-1]), edge[1:])
        high = np.fmax(np.fmax(high, edge[:-1]), edge[1:])
        return low, high

    def _ground(self, a: int, b: int) -> NDArray[np.float32]:
        """Background of columns: grid, gaps, markers, cursor; (red green blue, b - a, height)."""
        view, theme = self.view, self.theme
        ground = np.empty((3, b - a, view.height), np.float32)
        ground[:] = rgb(theme.background)[:, None, None]
        seen = self.head + 1
        step = grid_step(view.seconds) * self.history.rate
        for n in range(int(a * self.sweep / view.width / step) - 1, 10**9):
            column = self.column(round(n * step))
            if column >= min(b, seen):
                break
            if column >= a:
                ground[:, column - a] = rgb(hairline(theme))[:, None]
        rows, gap = np.arange(view.height), rgb(theme.gap)[:, None]
        for hole in self.history.holes:
            start = self.column(hole.index)
            stop = self.column(hole.index + max(1, hole.missing) - 1) + 1
            for column in range(max(a, start), min(b, stop, seen)):
                if hole.missing:
                    ground[:, column - a] = rgb(mix(theme.background, theme.gap, 0.16))[:, None]
                    ground[:, column - a, (rows + column) % HATCH == 0] = gap
                else:
                    ground[:, column - a, rows % (2 * DASH) < DASH] = gap
        for index, _ in self.history.marks:
            if a <= (column := self.column(index)) < min(b, seen):
                ground[:, column - a] = rgb(theme.info)[:, None]
        if a <= seen < b:
            ground[:, seen - a] = rgb(theme.dim)[:, None]
        return ground


def grid_step(seconds: float) -> float:
    """Seconds between two lines of the grid."""
    return 0.2 if seconds <= 1 else 1.0 if seconds <= 10 else 5.0


def rgb(color: str) -> NDArray[np.float32]:
    """``#rrggbb`` as three numbers from 0 to 255."""
    return np.array(channels(color), np.float32)


def pack(picture: NDArray[np.float32]) -> Pixels:
    """Colours (red green blue, ...) from 0 to 255 as 0xffRRGGBB (...)."""
    red, green, blue = np.rint(picture).astype(np.uint32)
    return np.asarray(red << 16 | green << 8 | blue | 0xFF000000, np.uint32)
