"""Fits electrode interpolation: covariance and amplitude of each electrode from training trials."""

from collections.abc import Sequence

import numpy as np

from rtbci.decoding.interpolation import FEWEST_ELECTRODES, Interpolation
from rtbci.decoding.scorer import swings
from rtbci.signal.recipe import Recipe
from rtbci.types import Array, Samples

# With at least this share of complete trials, covariances use complete trials only.
WHOLE_SHARE = 0.5
STRIDE_S = 0.004  # seconds between the samples used


def fit_interpolation(
    recipe: Recipe, x: Sequence[Samples], missing: Sequence[np.ndarray | None]
) -> Interpolation | None:
    """Interpolation fitted to trials ``x`` (streams, channels, times) as cut; uses no labels.

    ``missing`` (channels,) marks the electrodes of each trial without a signal. None if the montage
    is too small for interpolation.
    """
    n = len(recipe.channels)
    if n < FEWEST_ELECTRODES or not len(x):
        return None
    stride = max(1, recipe.samples(STRIDE_S))
    whole = [i for i, gone in enumerate(missing) if gone is None]
    used = whole if len(whole) >= WHOLE_SHARE * len(x) else range(len(x))
    total = np.zeros((len(recipe.filters), n, n))
    count = np.zeros((n, n))
    found = np.full((len(used), n), np.nan)
    for row, i in enumerate(used):
        gone = missing[i]
        good = np.ones(n) if gone is None else (~gone).astype(float)
        signal = _centred(x[i][:, :, ::stride]) * good[:, None]
        total += signal @ signal.transpose(0, 2, 1) / signal.shape[2]
        count += np.outer(good, good)
        swing = swings(recipe, x[i])
        if len(swing):
            found[row] = np.where(good > 0, swing, np.nan)
    seen = np.isfinite(found).any(axis=0)
    swing = np.zeros(n)
    swing[seen] = np.nanmedian(found[:, seen], axis=0)
    swing[~seen] = np.median(swing[seen]) if seen.any() else 0
    covariance = total / np.maximum(count, 1)
    if count.min() < count.max():  # pieced together from different trials
        covariance = np.stack([_positive(each) for each in covariance])
    return Interpolation(covariance, swing, recipe.reject or 100.0)


def _centred(x: Samples) -> Array:
    """Finite samples of ``x`` (streams, channels, times), each row with zero mean."""
    there = np.isfinite(x[0, 0])
    signal = x[:, :, there].astype(np.float64)
    return signal - signal.mean(axis=2, keepdims=True)


def _positive(covariance: Array) -> Array:
    """Nearest positive semidefinite matrix."""
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.maximum(values, 0)) @ vectors.T
