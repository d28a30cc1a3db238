"""The label-free latency gate: has the delay from marker to brain changed since calibration?

Recordings of one person differ by tens of milliseconds (reported for Bluetooth headsets and by
label-free lags of up to 74 ms inside one session). A matched filter holds the mean response of
the trials so far against the calibration's; a shift is made only on strong evidence.
"""

from dataclasses import dataclass

import numpy as np

from rtbci.recipe import Recipe
from rtbci.types import Array, Samples

CLIP = 60.0  # uV, every sample
BIN_RATE = 32.0  # Hz, bins of the template
STEP = 0.008  # s between the lags that are tried
PRIOR = 0.06  # s, standard deviation of the lag before any data
TRUST = 0.1  # weight of the evidence: trials are not as independent as the formula wants
GAIN = 2.0  # trusted evidence (nats) over lag 0 below which nothing is shifted
FEWEST_TRIALS = 20
SMALLEST_LAG = 0.02  # s
EVERY = 5  # events between two estimates


@dataclass(frozen=True)
class Template:
    """Matched filter of the calibration's mean response, unit gain against its noise."""

    weights: Array  # (components, bins)
    projection: Array  # (components, channels)


def lags(recipe: Recipe) -> np.ndarray:
    """The shifts that are tried, samples, 0 among them."""
    step = max(1, recipe.samples(STEP))
    most = recipe.samples(recipe.lag) // step
    return np.arange(-most, most + 1) * step


def lagged_bins(recipe: Recipe, x: Samples, projection: Array) -> Array:
    """``(lags, components, bins)`` of the look window in the check stream of a cut window.

    NaN where the margins of the window are.
    """
    width = max(1, round(recipe.rate / BIN_RATE))
    begin = recipe.samples(recipe.look[0]) - recipe.first
    n_bins = (recipe.samples(recipe.look[1]) - recipe.samples(recipe.look[0])) // width
    signal = projection @ np.clip(x[recipe.check].astype(np.float64, "C"), -CLIP, CLIP)
    total = np.concatenate([np.zeros((len(signal), 1)), np.cumsum(signal, axis=1)], axis=1)
    means = (total[:, width:] - total[:, :-width]) / width
    at = begin + lags(recipe)[:, None] + np.arange(n_bins) * width  # (lags, bins)
    return np.moveaxis(means[:, at], 1, 0)


class LatencyGate:
    """Follows one recording: which shift do the trials so far ask for?

    ``before`` an event gives the shift to use, from earlier trials only; ``after`` it the
    trial's window joins the evidence.
    """

    def __init__(self, recipe: Recipe, template: Template) -> None:
        self.lag = 0  # samples
        self._recipe, self._template = recipe, template
        self._lags = lags(recipe)
        self._sum = np.zeros((len(self._lags), *template.weights.shape))
        self._kept = 0
        self._events = 0

    def before(self) -> int:
        """The shift in samples for the next event; estimated anew at every fifth."""
        if self._events % EVERY == 0 and self._kept:
            self.lag = self.estimate()
        self._events += 1
        return self.lag

    def after(self, x: Samples) -> None:
        """A kept trial: ``x`` (streams, channels, times) as cut; left out with a cut margin."""
        bins = lagged_bins(self._recipe, x, self._template.projection)
        if np.isfinite(bins).all():
            self._sum += bins
            self._kept += 1

    def estimate(self) -> int:
        """The shift in samples that the trials so far ask for; 0 unless the evidence is strong."""
        if self._kept < FEWEST_TRIALS:
            return 0
        seconds = self._lags / self._recipe.rate
        match = np.tensordot(self._sum / self._kept, self._template.weights, 2)  # (lags,)
        evidence = self._kept * np.maximum(match, 0) ** 2 / 2 - (seconds / PRIOR) ** 2 / 2
        best = int(np.argmax(evidence))
        gain = TRUST * (evidence[best] - evidence[len(seconds) // 2])
        return int(self._lags[best]) if abs(seconds[best]) >= SMALLEST_LAG and gain > GAIN else 0
