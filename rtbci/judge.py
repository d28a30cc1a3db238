"""From a cut window to log-odds: shift, decimate, decode, and then adapt.

The only state that changes between two decisions lives here, and it changes after a decision is
out, in onset order.
"""

import math

import numpy as np

from rtbci.latency import LatencyGate, Template
from rtbci.recipe import Recipe
from rtbci.types import Array, Decoder, Samples


def decoder_input(recipe: Recipe, x: Samples, lag: int, first: int | None = None) -> Array:
    """What the decoder sees of a cut window: its streams and times, shifted and decimated.

    ``x`` (streams, channels, times) as cut, from sample ``first`` after the onset on (default:
    ``recipe.first``); returns ``(decoder streams, channels, times)`` float64, with NaN where the
    shift reaches beyond the margins.
    """
    first = recipe.first if first is None else first
    start = recipe.samples(recipe.window[0]) - first + lag
    stop = recipe.samples(recipe.window[1]) - first + lag
    return x[: recipe.streams, :, start : stop : recipe.decimation].astype(np.float64, "C")


def peak_to_peak(recipe: Recipe, x: Samples, first: int | None = None) -> float:
    """The largest range of any electrode in the look window of the check stream, microvolts."""
    first = recipe.first if first is None else first
    start = recipe.samples(recipe.look[0]) - first
    stop = recipe.samples(recipe.look[1]) - first
    look = x[recipe.check, :, start:stop]
    finite = np.isfinite(look[0])  # a margin that is not there is missing in all electrodes
    if not finite.all():
        look = look[:, finite]
    return float((look.max(axis=1) - look.min(axis=1)).max()) if look.size else float("nan")


class Judge:
    """Windows in onset order in, log-odds out; holds the state that adapts, and nothing else.

    Calibration uses it on the windows of a test block, ``Pipeline`` on those of a stream.
    """

    def __init__(self, recipe: Recipe, decoder: Decoder, template: Template | None) -> None:
        self._recipe, self._decoder = recipe, decoder
        self._gate = LatencyGate(recipe, template) if template is not None else None
        self._lesson: Samples | None = None  # window of the last decision, for the gate

    def __call__(
        self, x: Samples, *, locked: bool = True, peak: float | None = None
    ) -> tuple[Array, int, bool]:
        """Log-odds (classes,), the shift used in samples, and whether ``x`` is within limits.

        A window that is not ``locked`` to an event has no latency: it neither asks nor tells
        the gate. ``peak`` is ``peak_to_peak``, where it is known. What a window teaches the
        gate waits for ``learn``, or for the next window.
        """
        self.learn()
        recipe = self._recipe
        gate = self._gate if locked else None
        lag = gate.before() if gate else 0
        first = recipe.first if locked else recipe.unlocked_first
        window = decoder_input(recipe, x, lag, first)
        if lag and not np.isfinite(window).all():
            lag, window = 0, decoder_input(recipe, x, 0, first)
        logits = self._decoder.logits(window)
        limit = recipe.reject
        if limit is not None and peak is None:
            peak = peak_to_peak(recipe, x, first)
        kept = limit is None or peak is None or peak <= limit
        if gate and kept:
            self._lesson = x
        return logits, lag, kept

    def learn(self) -> None:
        """Adapt to the last window, now that its decision is out and while it is still valid."""
        if self._gate and self._lesson is not None:
            self._gate.after(self._lesson)
        self._lesson = None


def softmax(logits: Array) -> Array:
    """Probabilities (..., classes) of log-odds."""
    odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return odds / odds.sum(axis=-1, keepdims=True)


def probabilities_of(logits: list[float], temperature: float) -> list[float]:
    """``softmax(logits / temperature)`` of one window: for a few classes quicker without numpy."""
    most = max(logits)
    odds = [math.exp((each - most) / temperature) for each in logits]
    total = sum(odds)
    return [each / total for each in odds]
