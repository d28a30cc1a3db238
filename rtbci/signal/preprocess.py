"""Causal filters: microvolts in, filtered streams out, the same bits however the signal is cut.

A cascade of second-order sections is linear, so one matrix turns ``BLOCK`` input samples and the
cascade's state into ``BLOCK`` output samples and the next state. Blocks lie on a fixed grid from
the last reset; a block that is not full yet is padded with zeros, which cannot reach the samples
before them. One matrix product per block replaces a Python loop over samples and streams, and every
product has the same shape, so that chunks of 1 or 1000 give bitwise equal results.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtbci.types import Array, Samples

BLOCK = 16  # samples; longer blocks do more work for a live chunk, shorter ones more calls
LARGEST = 1e9  # uV; a sample beyond it is not a measurement
STEP_LEFT = 0.1  # settled: a unit step at the reset leaves less than this


@dataclass(frozen=True)
class Filter:
    """A cascade of second-order sections and the state in which it starts."""

    sos: Array  # (sections, 6)
    start: Array  # (sections, 2), state after the constant 1 for ever: scipy's sosfilt_zi


def design(low: float, high: float, rate: float, line: float | None = None) -> Filter:
    """A causal Butterworth band-pass of order 4 (edges in Hz).

    ``line`` puts a notch of quality 30 (mains, Hz) before it.
    Raises ``ValueError`` for a band that does not fit below half the rate.
    """
    from scipy.signal import butter, iirnotch, sosfilt_zi, tf2sos

    if not 0 < low < high < rate / 2:
        raise ValueError(
            f"band {low:g}-{high:g} Hz does not fit between 0 and {rate / 2:g} Hz, "
            f"half the rate of {rate:g} Hz"
        )
    if line is not None and not 0 < line < rate / 2:
        raise ValueError(
            f"a notch at {line:g} Hz does not fit between 0 and {rate / 2:g} Hz, "
            f"half the rate of {rate:g} Hz"
        )
    sos = butter(4, [low, high], "bandpass", fs=rate, output="sos")
    if line is not None:
        b, a = iirnotch(line, 30, fs=rate)
        sos = np.concatenate([tf2sos(b, a), np.asarray(sos)])
    return Filter(np.array(sos), np.array(sosfilt_zi(sos)))


def steady_state(sos: Array) -> NDArray[np.longdouble]:
    """``Filter.start`` in extended precision; scipy's is off by up to 1e-10 of the level."""
    sections = np.asarray(sos, dtype=np.longdouble)
    state, level = np.empty((len(sections), 2), np.longdouble), np.longdouble(1)
    for z, (b0, b1, b2, _, a1, a2) in zip(state, sections, strict=True):
        out = level * (b0 + b1 + b2) / (1 + a1 + a2)
        z[1] = b2 * level - a2 * out
        z[0] = b1 * level - a1 * out + z[1]
        level = out
    return state


def block_matrix(sos: Array) -> Array:
    """``(BLOCK + 2n, BLOCK + 2n)``: the recursion of the cascade applied to the identity.

    Rows: BLOCK outputs, then the next state; columns: BLOCK inputs, then the state before.
    The state of a section is kept as (z0, z0 + z1): with poles near 1 the two nearly cancel, and
    their sum, not their difference of large numbers, carries the slow part of the signal. This
    is a thousand times closer to the exact result than sosfilt itself (0.1 Hz at 1 kHz).
    """
    sections = np.asarray(sos, dtype=np.longdouble)
    size = BLOCK + 2 * len(sections)
    unit = np.eye(size, dtype=np.longdouble)
    state = unit[BLOCK:].reshape(len(sections), 2, size).copy()
    state[:, 1] -= state[:, 0]
    out = np.empty((size, size), dtype=np.longdouble)
    for time in range(BLOCK):
        x = unit[time]
        for z, (b0, b1, b2, _, a1, a2) in zip(state, sections, strict=True):
            y = b0 * x + z[0]
            z[0] = b1 * x - a1 * y + z[1]
            z[1] = b2 * x - a2 * y
            x = y
        out[time] = x
    state[:, 1] += state[:, 0]
    out[BLOCK:] = state.reshape(-1, size)
    return out.astype(np.float64)


class FilterBank:
    """Several causal filters over all channels, as one matrix; each starts at the steady state of
    its first sample.

    A band-pass forgets a constant, so the first sample is taken away from all: the state then
    starts at nothing but the rounding of ``Filter.start``, which is kept to agree with sosfilt.
    """

    def __init__(self, filters: Sequence[Filter], n_channels: int) -> None:
        parts = [block_matrix(each.sos) for each in filters]
        n, states = len(parts), sum(len(part) - BLOCK for part in parts)
        self._matrix = np.zeros((n * BLOCK + states, BLOCK + states))  # outputs, then the states
        self._rounding = np.empty((states, 1))
        at = 0
        for number, (each, part) in enumerate(zip(filters, parts, strict=True)):
            own = slice(at, at + len(part) - BLOCK)
            out = slice(number * BLOCK, (number + 1) * BLOCK)
            down, across = slice(n * BLOCK + own.start, n * BLOCK + own.stop), own.start + BLOCK
            self._matrix[out, :BLOCK] = part[:BLOCK, :BLOCK]
            self._matrix[out, across : own.stop + BLOCK] = part[:BLOCK, BLOCK:]
            self._matrix[down, :BLOCK] = part[BLOCK:, :BLOCK]
            self._matrix[down, across : own.stop + BLOCK] = part[BLOCK:, BLOCK:]
            rounding = (each.start - steady_state(each.sos)).astype(np.float64)
            rounding[:, 1] += rounding[:, 0]
            self._rounding[own] = rounding.reshape(-1, 1)
            at = own.stop
        self._block = np.zeros((BLOCK + states, n_channels))  # inputs, then the states
        self._out = np.empty((n * BLOCK + states, n_channels))
        self._filtered = self._out[: n * BLOCK].reshape(n, BLOCK, n_channels).transpose(1, 0, 2)
        self._next = self._out[n * BLOCK :]
        self._first = np.zeros(n_channels)
        self.reset()

    def reset(self) -> None:
        """Forget everything; the next sample sets the states."""
        self._fill = -1  # samples in the open block; -1 before the first sample
        self._block[:BLOCK] = 0

    def push(self, x: Samples | Array, out: Samples | Array) -> None:
        """Filter ``x`` (times, channels) into ``out`` (times, filters, channels)."""
        if not len(x):
            return
        if self._fill < 0:
            self._fill = 0
            self._first[:] = x[0]
            self._block[BLOCK:] = self._rounding * self._first
        row = 0
        while row < len(x):
            take = min(BLOCK - self._fill, len(x) - row)
            stop = self._fill + take
            np.subtract(x[row : row + take], self._first, out=self._block[self._fill : stop])
            np.matmul(self._matrix, self._block, out=self._out)
            out[row : row + take] = self._filtered[self._fill : stop]
            row, self._fill = row + take, stop
            if stop == BLOCK:
                self._block[BLOCK:] = self._next
                self._block[:BLOCK] = 0
                self._fill = 0


class Cascade:
    """One causal filter over all channels: a ``FilterBank`` of one, in float64."""

    def __init__(self, filter: Filter, n_channels: int) -> None:
        self._bank = FilterBank([filter], n_channels)

    def reset(self) -> None:
        """Forget everything; the next sample sets the state."""
        self._bank.reset()

    def push(self, x: Samples | Array) -> Array:
        """Filtered ``x`` (times, channels), float64."""
        y = np.empty((len(x), 1, x.shape[1]))
        self._bank.push(x, y)
        return y[:, 0]


def measured(x: Samples) -> NDArray[np.bool_]:
    """Which samples of ``x`` are numbers that an amplifier can have measured."""
    return np.abs(x) < LARGEST  # false for NaN


def all_measured(x: Samples) -> bool:
    """Whether every sample of ``x`` is; the quick question, asked of every chunk."""
    if not x.size:
        return True
    return bool(np.maximum.reduce(np.abs(x), None) < LARGEST)  # NaN is passed on


class Hold:
    """Samples with values that are not finite replaced by the last finite ones, for the filters."""

    def __init__(self, n_channels: int) -> None:
        self.last = np.zeros(n_channels, np.float32)  # row, as held; replaced, never changed

    def reset(self) -> None:
        """Forget the held row."""
        self.last = np.zeros_like(self.last)

    def push(self, x: Samples, whole: bool = False) -> Samples:
        """``x`` (times, channels) without NaN or infinity; a copy only where there were some.

        ``whole``: all values are known to be finite.
        """
        if not len(x):
            return x
        if not whole and not all_measured(x):
            finite = measured(x)
            rows = np.where(finite, np.arange(1, len(x) + 1)[:, None], 0)
            rows = np.maximum.accumulate(rows, axis=0)  # (times, channels), 0: none in this chunk
            x = np.take_along_axis(np.vstack([self.last, x]), rows, axis=0)
        self.last = x[-1].copy()
        return x


class Preprocess:
    """Hold, re-reference, filter into one stream per band.

    ``reference`` is ``None`` (as recorded), ``"average"`` (mean of all channels), or the columns
    whose mean is taken away.
    """

    def __init__(
        self, filters: Sequence[Filter], n_channels: int, reference: str | list[int] | None = None
    ) -> None:
        self._hold = Hold(n_channels)
        self._reference = reference
        self._bank = FilterBank(filters, n_channels)
        self._streams = len(filters)

    def reset(self) -> None:
        """Restart every filter at the steady state of the next sample."""
        self._hold.reset()
        self._bank.reset()

    def push(self, x: Samples, whole: bool = False) -> Samples:
        """``(times, streams, channels)`` float32 of ``x`` (times, channels).

        ``whole``: the caller holds; all of ``x``, in every push, is numbers.
        """
        # C order: numpy adds up a row in another order, and rounds otherwise, where it is not
        x = np.ascontiguousarray(x if whole else self._hold.push(x))
        if self._reference == "average":
            x = x - x.mean(axis=1, keepdims=True)
        elif isinstance(self._reference, list):
            x = x - np.take(x, self._reference, axis=1).mean(axis=1, keepdims=True)
        out = np.empty((len(x), self._streams, x.shape[1]), np.float32)
        self._bank.push(x, out)
        return out


def settling(filters: Sequence[Filter], rate: float, longest: float = 60.0) -> float:
    """Seconds after a reset until a unit step leaves less than ``STEP_LEFT`` in every stream."""
    last = 0
    for each in filters:
        cascade = Cascade(each, 1)
        step = np.ones((round(longest * rate), 1))
        step[0] = 0  # the reset takes the level before the step
        left = np.flatnonzero(np.abs(cascade.push(step)[:, 0]) >= STEP_LEFT)
        last = max(last, left[-1] + 1 if len(left) else 0)
    return last / rate
