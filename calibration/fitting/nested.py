"""Inner cross-validation within the training part: blocks, out-of-block log-odds and log-loss."""

import numpy as np

from calibration.fitting import evoked
from rtbci.decoding.scorer import softmax
from rtbci.types import Array

INNER = 4  # blocks of the training part


def inner_blocks(n: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """``(training, test)`` numbers of ``n`` trials in time order, one pair a block."""
    blocks = np.array_split(np.arange(n), INNER)
    return [(np.concatenate([b for b in blocks if b is not each]), each) for each in blocks]


def inner_logits(x: Array, y: np.ndarray, classes: tuple[str, ...], rate: float) -> Array:
    """Out-of-block log-odds (trials, classes) of the closed-form decoder.

    NaN for the trials of a block without which a class has fewer than two training trials.
    """
    found = np.full((len(x), len(classes)), np.nan)
    for train, test in inner_blocks(len(x)):
        if np.bincount(y[train], minlength=len(classes)).min() < 2:
            continue
        found[test] = evoked.fit(x[train], y[train], classes, rate).logits(x[test])
    return found


def losses(logits: Array, y: np.ndarray) -> Array:
    """Log-loss of each trial (trials,), weighted so that classes count the same."""
    weights = 1 / np.bincount(y, minlength=logits.shape[1])[y]
    p = softmax(logits)[np.arange(len(y)), y]
    return -np.log(np.maximum(p, 1e-12)) * weights * len(y) / weights.sum()
