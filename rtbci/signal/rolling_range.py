"""The range of a signal over any stretch of a ring, without looking at every sample again."""

import numpy as np

from rtbci.signal.ring import Ring

BLOCK = 16  # rows whose extremes are kept


class RollingRange:
    """Largest and smallest values of one stream of a ring ``(times, streams, channels)``.

    ``follow`` after every append. Whole blocks of rows are looked up, only the newest rows read.
    """

    def __init__(self, ring: Ring, stream: int, n_channels: int) -> None:
        self._ring, self._stream, self._n = ring, stream, n_channels
        # largest, then largest of the negative: one maximum over blocks gives both
        self._blocks = Ring(ring.capacity // BLOCK + 2, (2 * n_channels,))
        self._block = np.zeros((1, 2 * n_channels), np.float32)

    def follow(self) -> None:
        """Take in the rows that were appended; at most ``capacity`` at a time."""
        ring, blocks = self._ring, self._blocks
        while (stop := (blocks.rows + 1) * BLOCK) <= ring.rows:
            if stop - BLOCK >= ring.oldest:  # else it has been overwritten
                self._reduce(stop - BLOCK, stop, self._block[0])
            blocks.append(self._block)

    def range(self, start: int, stop: int, enough: float = -np.inf) -> float:
        """The largest peak-to-peak of any channel over rows ``start`` to ``stop``; NaN for none.

        Where it is at most ``enough``, any number from it up to ``enough`` may be given.
        """
        if start >= stop:
            return float("nan")
        first, last = start // BLOCK, min(-(-stop // BLOCK), self._blocks.rows)  # blocks around
        if first < last:
            top = np.maximum.reduce(self._blocks.view(first, last), 0)
            if last * BLOCK < stop:
                np.maximum(top, self._reduce(last * BLOCK, stop), out=top)
            most = self._widest(top)
            if most <= enough:
                return most
        return self._widest(self._reduce(start, stop))

    def _reduce(self, start: int, stop: int, out: np.ndarray | None = None) -> np.ndarray:
        """``(2 * channels,)`` of these rows."""
        rows, n = self._ring.view(start, stop)[:, self._stream], self._n
        out = np.empty(2 * n, np.float32) if out is None else out
        np.maximum.reduce(rows, 0, out=out[:n])
        np.negative(np.minimum.reduce(rows, 0), out=out[n:])
        return out

    def _widest(self, top: np.ndarray) -> float:
        return float(np.maximum.reduce(top[: self._n] + top[self._n :]))
