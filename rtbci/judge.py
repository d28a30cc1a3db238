"""From a cut window to log-odds: shift, decimate, decode, and then adapt.

The only state that changes between two decisions lives here, and it changes after a decision is
out, in onset order.
"""

import numpy as np

from rtbci.latency import LatencyGate, Template
from rtbci.recipe import Recipe
from rtbci.types import Array, Decoder, Samples


def decoder_input(recipe: Recipe, x: Samples, lag: int) -> Array:
    """What the decoder sees of a cut window: its streams and times, shifted and decimated.

    ``x`` (streams, channels, times) as cut; returns ``(decoder streams, channels, times)``
    float64, with NaN where the shift reaches beyond the margins.
    """
    start = recipe.samples(recipe.window[0]) - recipe.first + lag
    stop = recipe.samples(recipe.window[1]) - recipe.first + lag
    return x[: recipe.streams, :, start : stop : recipe.decimation].astype(np.float64)


def peak_to_peak(recipe: Recipe, x: Samples) -> float:
    """The largest range of any electrode in the look window of the check stream, microvolts."""
    start = recipe.samples(recipe.look[0]) - recipe.first
    stop = recipe.samples(recipe.look[1]) - recipe.first
    look = x[recipe.check, :, start:stop]
    look = look[:, np.isfinite(look).all(axis=0)]
    return float(np.ptp(look, axis=1).max()) if look.size else float("nan")


class Judge:
    """Windows in onset order in, log-odds out; holds the state that adapts, and nothing else.

    Calibration uses it on the windows of a test block, ``Pipeline`` on those of a stream.
    """

    def __init__(self, recipe: Recipe, decoder: Decoder, template: Template | None) -> None:
        self._recipe, self._decoder = recipe, decoder
        self._gate = LatencyGate(recipe, template) if template is not None else None

    def __call__(self, x: Samples, *, locked: bool = True) -> tuple[Array, int, bool]:
        """Log-odds (classes,), the shift used in samples, and whether ``x`` is within limits.

        A window that is not ``locked`` to an event has no latency: it neither asks nor tells
        the gate.
        """
        gate = self._gate if locked else None
        lag = gate.before() if gate else 0
        window = decoder_input(self._recipe, x, lag)
        if lag and not np.isfinite(window).all():
            lag, window = 0, decoder_input(self._recipe, x, 0)
        logits = self._decoder.logits(window)
        limit = self._recipe.reject
        kept = limit is None or peak_to_peak(self._recipe, x) <= limit
        if gate and kept:
            gate.after(x)
        return logits, lag, kept


def softmax(logits: Array) -> Array:
    """Probabilities (..., classes) of log-odds."""
    odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return odds / odds.sum(axis=-1, keepdims=True)
