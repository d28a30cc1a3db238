"""Ring buffer of the last half minute for the traces, with drift removed. Fixed memory.

Electrodes float by millivolts within seconds; a trace would leave its lane. A one-pole high-pass
(for the eyes only: nothing else reads from here) follows the drift. Its state is kept at the start
of every block of samples, so any stretch can be filtered again at any time, and what comes out
never depends on how the signal was cut into pushes. No Qt in here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, pi

import numpy as np
from numpy.typing import NDArray

BLOCK = 32  # samples between two stored filter states, counted from index 0
HIGHPASS = 0.5  # Hz

Samples = NDArray[np.float32]
Array = NDArray[np.float64]


@dataclass(frozen=True)
class HistoryGap:
    """Gap of ``missing`` samples from ``index`` on; 0 for a restarted stream."""

    index: int
    missing: int
    reason: str


class History:
    """Samples (times, channels) by absolute index, NaN if missing; for one thread."""

    def __init__(self, n_channels: int, rate: float, seconds: float) -> None:
        blocks = int(seconds * rate) // BLOCK + 3
        self.n_channels, self.rate, self.capacity = n_channels, rate, blocks * BLOCK
        # written to at once: memory that is touched late looks like a leak
        self._samples = np.full((self.capacity, n_channels), np.nan, np.float32)
        self._states = np.full((blocks + 1, n_channels), np.nan)  # of the filter, before a block
        self.first = self.end = 0  # indices of the first sample ever and of the one to come
        self.started = False
        self.highpass: float | None = HIGHPASS
        self.holes: list[HistoryGap] = []
        self.marks: list[tuple[int, str]] = []  # index and label, in the order of their index

    @property
    def oldest(self) -> int:
        """First index that can still be read."""
        return max(self.first, ((self.end - self.capacity) // BLOCK + 1) * BLOCK)

    def push(self, index: int, x: Samples) -> None:
        """Store ``x`` (times, channels) from sample ``index`` on; known samples are ignored."""
        if not self.started:
            self.first = self.end = index
            self.started = True
        if index > self.end:
            self._skip(index)
        x = x[self.end - index :]
        self._write(np.where(np.isfinite(x), x, np.float32(np.nan)))

    def hole(self, hole: HistoryGap) -> None:
        """Record a gap; the samples of a future gap are skipped."""
        self.holes = [old for old in self.holes if old.index + old.missing >= self.oldest]
        if hole not in self.holes:
            self.holes.append(hole)
        if self.started and hole.index <= self.end < hole.index + hole.missing:
            self._skip(hole.index + hole.missing)

    def mark(self, index: int, label: str) -> None:
        """Record a marker, before or after its sample."""
        self.marks = [mark for mark in self.marks if mark[0] >= self.oldest]
        if (index, label) not in self.marks:
            self.marks = sorted([*self.marks, (index, label)])

    def read(self, start: int, stop: int, columns: slice | Sequence[int] = slice(None)) -> Array:
        """Microvolts (stop - start, columns); NaN before the oldest and after the newest sample."""
        first = start // BLOCK
        last = max(first, -(-stop // BLOCK))
        index = np.arange(first * BLOCK, last * BLOCK)
        x = self._samples[index % self.capacity][:, columns].astype(np.float64)
        x[(index < self.oldest) | (index >= self.end)] = np.nan
        if self.highpass is not None:
            state = self._states[np.arange(first, last) % len(self._states)][:, columns]
            x -= self._drift(x.reshape(last - first, BLOCK, x.shape[1]), state).reshape(x.shape)
        return x[start - first * BLOCK : stop - first * BLOCK]

    def copy(self) -> "History":
        """Independent copy."""
        still = History.__new__(History)
        still.__dict__ = dict(self.__dict__)
        still._samples, still._states = self._samples.copy(), self._states.copy()
        still.holes, still.marks = list(self.holes), list(self.marks)
        return still

    def _skip(self, index: int) -> None:
        """Fill with missing samples up to ``index``."""
        if index - self.end < self.capacity:
            self._write(np.full((index - self.end, self.n_channels), np.nan, np.float32))
            return
        self._samples[:] = np.nan
        self._states[:] = np.nan
        self.end = index

    def _write(self, x: Samples) -> None:
        while len(x):
            take = min(BLOCK - self.end % BLOCK, len(x))
            at = self.end % self.capacity
            self._samples[at : at + take] = x[:take]
            self.end, x = self.end + take, x[take:]
            if self.end % BLOCK == 0:
                self._remember()

    def _remember(self) -> None:
        """Store the filter state after the last complete block."""
        block = self.end // BLOCK - 1
        at = (block * BLOCK) % self.capacity
        x = self._samples[at : at + BLOCK].astype(np.float64)
        if self.end - BLOCK < self.first:
            x[: self.first - self.end + BLOCK] = np.nan
        state = self._states[block % len(self._states)]
        after = self._drift(x[None], state[None])[0, -1]
        # nothing for a whole block: the filter starts again with what comes next
        after[np.isnan(x).all(axis=0)] = np.nan
        self._states[(block + 1) % len(self._states)] = after

    def _drift(self, x: Array, state: Array) -> Array:
        """Low-passed ``x`` (blocks, BLOCK, channels), from ``state`` (blocks, channels) on."""
        assert self.rate > 0
        keep = exp(-2 * pi * (self.highpass or HIGHPASS) / self.rate)
        absent = np.isnan(x)
        if np.isnan(state).any():  # a fresh start: as if the first sample had been there for ever
            begin = np.argmin(absent, axis=1)[:, None]
            state = np.where(np.isnan(state), np.take_along_axis(x, begin, 1)[:, 0], state)
        if absent.any():
            x = np.where(absent, state[:, None], x)
        decay = keep ** np.arange(1, BLOCK + 1)[:, None]
        return decay * (state[:, None] + (1 - keep) * np.cumsum(x / decay, axis=1))
