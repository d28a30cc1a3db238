"""Outer cross-validation over contiguous blocks of time, and the temperature fitted to it."""

import numpy as np

from calibration.fitting.trials import Trials
from rtbci.decoding.scorer import softmax
from rtbci.types import Array

BLOCKS = 5  # fewest blocks; contiguous in time, never across recordings
MOST_BLOCKS = 10
FEWEST_KEPT = 5  # trials a class, in training
COOLEST, HOTTEST = 0.2, 50.0  # range of temperatures


def time_blocks(run: np.ndarray) -> np.ndarray:
    """Block number of each trial (trials,), ascending in time.

    Every recording is cut into the same number of contiguous parts, so that there are five
    blocks or more; many recordings are grouped into ten.
    """
    runs = np.unique(run)
    parts = -(-BLOCKS // len(runs))
    blocks = np.zeros(len(run), int)
    for place, number in enumerate(runs):
        members = np.flatnonzero(run == number)
        for part, chunk in enumerate(np.array_split(members, parts)):
            blocks[chunk] = place * parts + part
    count = len(runs) * parts
    if count > MOST_BLOCKS:
        blocks = blocks * MOST_BLOCKS // count
    return blocks


def outer_parts(
    trials: Trials, blocks: np.ndarray, span: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Training and test trial numbers, one pair per block.

    Every trial of the block is tested; training leaves out trials beyond the amplitude limit and
    those whose windows of ``span`` samples share signal with the block.
    """
    parts = []
    for block in np.unique(blocks):
        test = np.flatnonzero(blocks == block)
        near = np.zeros(len(trials), bool)
        for run in np.unique(trials.run[test]):
            onsets = trials.onset[test][trials.run[test] == run]
            near |= (
                (trials.run == run)
                & (trials.onset > onsets.min() - span)
                & (trials.onset < onsets.max() + span)
            )
        parts.append((np.flatnonzero(trials.kept & ~near), test))
    return parts


def fit_temperature(logits: Array, y: np.ndarray) -> float:
    """Temperature that divides held-out log-odds (trials, classes); classes weigh the same."""
    from scipy.optimize import minimize_scalar

    weights = 1 / np.bincount(y, minlength=logits.shape[1])[y]

    def loss(log_temperature: float) -> float:
        p = softmax(logits / np.exp(log_temperature))[np.arange(len(y)), y]
        return float(-(weights * np.log(np.maximum(p, 1e-12))).sum())

    found = minimize_scalar(loss, bounds=(np.log(COOLEST), np.log(HOTTEST)), method="bounded")
    return float(np.exp(found.x))
