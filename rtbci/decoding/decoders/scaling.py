"""Scaling of a window in microvolts to the input of a network, the same everywhere.

    prepared = fit_preparation(windows)        label-free, from the trials of a calibration
    z = prepared.apply(window)                 one trial at a time, live as in training

The windows come from ``Windows`` with the network's own recipe (causal filters, decimation), and
through ``rtbci.decoding.scorer.decoder_input``. Every electrode is divided by its robust scale and
limited; a network may also whiten with the mean covariance. Scale, covariance and the list of bad
electrodes are fixed by the trials that calibrated: nothing of the session that is decoded is
needed, so a live trial is prepared exactly as a trial of pretraining, fine-tuning and evaluation.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtbci.types import Array, Samples

LIMIT = 8.0  # robust standard deviations; a blink is a few tens
TO_STANDARD = 1.4826  # median absolute deviation to standard deviation, normal distribution
# An electrode whose scale is this many times larger or smaller than the median is bad. In the 260
# published runs of 13 people this marks three electrodes (docs/dataset_format.md).
BAD_FACTOR = 5.0
SMALLEST = 1e-3  # uV; an electrode below is dead


@dataclass(frozen=True)
class Preparation:
    """Scale and covariance of a calibration session, one number (or row) an electrode."""

    scale: Array  # (channels,) uV
    covariance: Array  # (channels, channels) of prepared windows, mean over trials
    good: NDArray[np.bool_]  # (channels,)

    def apply(self, x: Samples | Array) -> Samples:
        """Windows ``(..., channels, times)`` in microvolts, scaled and limited; bad ones are 0."""
        inverse = np.where(self.good, 1 / self.scale, 0.0).astype(np.float32)[:, None]
        z = np.multiply(x, inverse, dtype=np.float32)
        return np.clip(z, -LIMIT, LIMIT, out=z)


def fit_preparation(x: Samples | Array) -> Preparation:
    """Scale, covariance and bad electrodes of windows ``x`` (trials, channels, times), uV."""
    scale = robust_scale(x)
    middle = float(np.median(scale))
    good = (scale > middle / BAD_FACTOR) & (scale < middle * BAD_FACTOR) & (scale > SMALLEST)
    blank = Preparation(np.maximum(scale, SMALLEST), np.eye(len(scale)), good)
    return Preparation(blank.scale, mean_covariance(blank.apply(x)), good)


def robust_scale(x: Samples | Array) -> Array:
    """``(channels,)`` standard deviation of windows (trials, channels, times) by their median."""
    by_channel = np.moveaxis(np.asarray(x, np.float32), 1, 0).reshape(x.shape[1], -1)
    middle = np.median(by_channel, axis=1, keepdims=True)
    return TO_STANDARD * np.median(np.abs(by_channel - middle), axis=1).astype(np.float64)


def mean_covariance(z: Samples) -> Array:
    """``(channels, channels)`` mean over trials of ``z`` (trials, channels, times), about 0."""
    flat = np.moveaxis(z, 1, 0).reshape(z.shape[1], -1)
    return (flat @ flat.T).astype(np.float64) / flat.shape[1]


def pooled(parts: Sequence[Preparation]) -> Preparation:
    """One preparation from those of several sessions, for a session that is still to come.

    An electrode is good if it was good in the last of them. Sessions in which it was bad do not
    count for its scale and its covariances.
    """
    good = np.stack([each.good for each in parts])
    counted = good | ~good.any(axis=0)  # good nowhere: all the same
    scale = np.nanmedian(np.where(counted, [each.scale for each in parts], np.nan), axis=0)
    inside = counted[:, :, None] * [each.covariance for each in parts] * counted[:, None, :]
    share = np.sqrt(counted.mean(axis=0))  # rows and columns alike: no eigenvalue falls below 0
    covariance = inside.mean(axis=0) / np.outer(share, share)
    return Preparation(scale, covariance, parts[-1].good)


def onto_grid(times: int, rate: float, begin: float, wanted: int, wanted_rate: float) -> Array:
    """``(times, wanted)``: interpolates windows of another rate onto a network's grid.

    ``begin`` is the time of the first sample after the network's first, s. Outside the window
    the nearest sample is held.
    """
    where = np.clip((np.arange(wanted) / wanted_rate - begin) * rate, 0, times - 1)
    low = np.minimum(where.astype(int), times - 2)
    matrix = np.zeros((times, wanted))
    matrix[low, np.arange(wanted)] = 1 - (where - low)
    matrix[low + 1, np.arange(wanted)] += where - low
    return matrix
