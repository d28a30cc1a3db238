"""One writer, several readers, fixed memory: the last rows of a stream, always contiguous.

Every row is written twice, ``capacity`` rows apart, so that any stretch of up to ``capacity`` rows
is one slice of the buffer and reading never copies. Rows are counted from 0 for ever.
"""

import numpy as np
from numpy.typing import NDArray


class Ring:
    """Rows of shape ``shape``; holds the last ``capacity`` of them."""

    def __init__(self, capacity: int, shape: tuple[int, ...], dtype: type = np.float32) -> None:
        self.capacity, self.shape = capacity, shape
        self.rows = 0  # rows written since the start
        self._buffer = np.zeros((2 * capacity, *shape), dtype)

    @property
    def oldest(self) -> int:
        """The first row that can still be read."""
        return max(0, self.rows - self.capacity)

    def append(self, x: NDArray) -> None:
        """Write the rows of ``x``; only the last ``capacity`` of them where there are more."""
        skip = max(0, len(x) - self.capacity)
        row, x = self.rows + skip, x[skip:]
        self.rows = row + len(x)
        while len(x):
            at = row % self.capacity
            take = min(self.capacity - at, len(x))
            self._buffer[at : at + take] = x[:take]
            self._buffer[at + self.capacity : at + self.capacity + take] = x[:take]
            row, x = row + take, x[take:]

    def view(self, start: int, stop: int) -> NDArray:
        """Rows ``start`` to ``stop`` without a copy; valid until ``capacity`` more are written."""
        assert self.oldest <= start <= stop <= self.rows, (start, stop, self.oldest, self.rows)
        at = start % self.capacity
        return self._buffer[at : at + stop - start]
