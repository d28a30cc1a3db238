"""What the electrodes tell of each other, learnt from trials, so that some can be spared."""

from collections.abc import Sequence

import numpy as np

from rtbci.decoding.interpolation import FEWEST_ELECTRODES, Interpolation
from rtbci.decoding.scorer import swings
from rtbci.signal.recipe import Recipe
from rtbci.types import Array, Samples

WHOLE_SHARE = 0.5  # of the trials, with which covariances are taken from whole trials only
STRIDE_S = 0.004  # s between the samples that are looked at


def fit_spare(
    recipe: Recipe, x: Sequence[Samples], missing: Sequence[np.ndarray | None]
) -> Interpolation | None:
    """Covariances and swings of trials ``x`` (streams, channels, times) as cut; no labels.

    ``missing`` (channels,) of each trial says which electrodes carried nothing. None for montages
    that are too small to spare any.
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
    """``x`` (streams, channels, times) without margins that are not there, each row around 0."""
    there = np.isfinite(x[0, 0])
    signal = x[:, :, there].astype(np.float64)
    return signal - signal.mean(axis=2, keepdims=True)


def _positive(covariance: Array) -> Array:
    """The nearest matrix without negative eigenvalues."""
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.maximum(values, 0)) @ vectors.T
