"""Predictions of a decoder, their shuffled labels, and the figure that a metric makes of them.

Everything that several metrics need is computed once: a thousand shuffles of 26,000 labels, and
the confusion tables that the same predictions would have had with them.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rtbci.statistics.scores import SEED, Interval
from rtbci.types import Array

SHUFFLES = 1000  # of labels within blocks
RESAMPLES = 1000  # of confusion tables
AT_ONCE = 2**22  # labels looked up at once; bounds the memory at 26,000 trials


@dataclass(frozen=True)
class Figure:
    """One number about a decoder, with its interval, chance level and p.

    ``p``: chance that the null does at least as well; of the calibration error, at least as badly.
    NaN if there is no such number.
    """

    name: str
    value: float
    n: int  # test trials (of a mean over subjects: subjects)
    interval: Interval  # 95 %
    chance: float  # mean under the null
    p: float
    null: str  # how chance and p were made
    interval_by: str  # how the interval was made


@dataclass(frozen=True)
class Predictions:
    """Predictions of a decoder for trials that it was never trained on.

    Labels are shuffled inside the ``blocks``: stretches of time (and so never across people).
    """

    true: NDArray[np.integer]  # (n,) class index
    probabilities: Array  # (n, classes)
    blocks: np.ndarray  # (n,) any values; equal ones are one block
    trial_s: float | None = None  # from one onset to the next, for bits per minute
    shuffles: int = SHUFFLES

    @property
    def n(self) -> int:
        """Trials."""
        return len(self.true)

    @property
    def k(self) -> int:
        """Classes that the decoder knows."""
        return self.probabilities.shape[1]

    @cached_property
    def predicted(self) -> NDArray[np.int64]:
        """(n,) the likeliest class."""
        return self.probabilities.argmax(axis=1)

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """(classes,) trials of each class."""
        return np.bincount(self.true, minlength=self.k)

    @cached_property
    def there(self) -> NDArray[np.bool_]:
        """(classes,) the class has a trial."""
        return self.counts > 0

    @cached_property
    def table(self) -> Array:
        """(classes, classes) trials of a true class (row) that were named so (column)."""
        return confusion(self.true, self.predicted, self.k)

    @cached_property
    def shuffled(self) -> NDArray[np.int16]:
        """(shuffles, n) labels shuffled within blocks."""
        return shuffle_labels(self.true, self.blocks, self.shuffles)

    @cached_property
    def shuffled_tables(self) -> Array:
        """(shuffles, classes, classes) confusion of the same predictions with shuffled labels."""
        size, tables = self.k**2, []
        step = max(1, AT_ONCE // self.n)
        for first in range(0, self.shuffles, step):
            labels = self.shuffled[first : first + step].astype(np.int64)
            cells = labels * self.k + self.predicted + size * np.arange(len(labels))[:, None]
            tables.append(np.bincount(cells.ravel(), minlength=size * len(labels)))
        return np.concatenate(tables).reshape(-1, self.k, self.k).astype(np.float64)

    @cached_property
    def resampled_tables(self) -> Array:
        """(resamples, classes, classes) bootstrap of ``table`` within classes.

        One trial fewer is drawn than there are, as in ``rtbci.statistics.scores``.
        """
        rng, table = np.random.default_rng(SEED), self.table
        out = np.zeros((RESAMPLES, self.k, self.k))
        for c in np.flatnonzero(self.there):
            drawn = max(1, int(self.counts[c]) - 1)
            shares = table[c] / self.counts[c]
            out[:, c] = rng.multinomial(drawn, shares, RESAMPLES) * (self.counts[c] / drawn)
        return out

    def under_shuffles(self, values: Array) -> Array:
        """(shuffles,) mean over trials of ``values`` (n, classes) at the shuffled labels."""
        flat = np.ascontiguousarray(values, np.float32).ravel()
        rows = np.arange(self.n) * self.k
        step = max(1, AT_ONCE // self.n)
        means = [
            flat.take(rows + self.shuffled[first : first + step]).mean(axis=1, dtype=np.float64)
            for first in range(0, self.shuffles, step)
        ]
        return np.concatenate(means)

    def expected(self, values: Array) -> float:
        """Mean of ``under_shuffles(values)`` over all shuffles, exactly."""
        total = 0.0
        for members in members_of(self.blocks):
            shares = np.bincount(self.true[members], minlength=self.k) / len(members)
            total += float((values[members] @ shares).sum())
        return total / self.n

    @property
    def null(self) -> str:
        """How the null of this table is made, in words."""
        count = len(np.unique(self.blocks))
        blocks = "1 block" if count == 1 else f"{count:,} blocks"
        return f"{self.shuffles:,} shuffles of the labels within {blocks}"


def confusion(true: np.ndarray, predicted: np.ndarray, k: int) -> Array:
    """(k, k) trials of a true class (row) that were named so (column)."""
    cells = np.bincount(np.asarray(true, np.int64) * k + predicted, minlength=k * k)
    return cells.reshape(k, k).astype(np.float64)


def shuffle_labels(
    true: np.ndarray, blocks: np.ndarray, count: int, seed: int = SEED
) -> NDArray[np.int16]:
    """(count, n) labels, each row shuffled inside every block; all blocks of one size at once."""
    rng = np.random.default_rng(seed)
    by_size: dict[int, list[np.ndarray]] = {}
    for members in members_of(blocks):
        by_size.setdefault(len(members), []).append(members)
    out = np.empty((count, len(true)), np.int16)
    for size, equal in by_size.items():
        members = np.stack(equal)  # (blocks, size)
        labels = np.broadcast_to(true[members].astype(np.int16), (count, len(equal), size))
        out[:, members.ravel()] = rng.permuted(labels, axis=2).reshape(count, -1)
    return out


def members_of(blocks: np.ndarray) -> list[np.ndarray]:
    """Trial numbers of each block, ascending."""
    _, which = np.unique(blocks, return_inverse=True)
    order = np.argsort(which, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(which[order])) + 1)
