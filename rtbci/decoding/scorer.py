"""From a cut window to log-odds: shift, decimate, decode, and then adapt.

The only state that changes between two decisions lives here, and it changes after a decision is
out, in onset order.
"""

import math
from typing import NamedTuple

import numpy as np

from rtbci.decoding.interpolation import Interpolation
from rtbci.decoding.latency_gate import LatencyGate, Template
from rtbci.decoding.recentering import Recentering
from rtbci.signal.recipe import Recipe
from rtbci.types import Array, Decoder, Samples

TOLERANT = 10  # one electrode in this many may swing beyond the limit


def decoder_input(recipe: Recipe, x: Samples, lag: int, first: int | None = None) -> Array:
    """The decoder's part of a cut window: its streams and times, shifted and decimated.

    ``x`` (streams, channels, times) as cut, from sample ``first`` after the onset on (default:
    ``recipe.first``); returns ``(decoder streams, channels, times)`` float64, with NaN where the
    shift reaches beyond the margins.
    """
    first = recipe.first if first is None else first
    start = recipe.samples(recipe.window[0]) - first + lag
    stop = recipe.samples(recipe.window[1]) - first + lag
    return x[: recipe.streams, :, start : stop : recipe.decimation].astype(np.float64, "C")


class Scored(NamedTuple):
    """Result of one window."""

    logits: Array  # (classes,)
    lag: int  # samples, by which the latency gate shifted it
    kept: bool  # within the amplitude limit
    missing: np.ndarray | None = None  # (channels,) bool, electrodes estimated from the others
    embedding: Array | None = None  # (dimensions,) point of the text space, with a text head


def swings(recipe: Recipe, x: Samples, first: int | None = None) -> Samples:
    """The range of each electrode (channels,) in the look window of the check stream, microvolts.

    Empty where nothing of the window is there.
    """
    first = recipe.first if first is None else first
    start = recipe.samples(recipe.look[0]) - first
    stop = recipe.samples(recipe.look[1]) - first
    look = x[recipe.check, :, start:stop]
    finite = np.isfinite(look[0])  # a margin that is not there is missing in all electrodes
    if not finite.all():
        look = look[:, finite]
    return look.max(axis=1) - look.min(axis=1) if look.size else np.zeros(0, np.float32)


def within(
    recipe: Recipe,
    x: Samples,
    limit: float | None,
    first: int | None = None,
    peak: float | None = None,
) -> bool:
    """Whether ``x`` swings no further than ``limit`` microvolts; always true without one.

    One electrode in ``TOLERANT`` may: among 122 electrodes some are bad in every trial, and a
    blink still moves more of them. None of a montage below ten. ``peak`` is the largest of
    ``swings``, or a bound of it within the limit, if known.
    """
    if limit is None:
        return True
    tolerated = len(recipe.channels) // TOLERANT
    if peak is not None and (peak <= limit or not tolerated):
        return peak <= limit
    found = swings(recipe, x, first)
    return bool(len(found)) and int((found > limit).sum()) <= tolerated


class Scorer:
    """Windows in onset order in, log-odds out; holds the state that adapts, and nothing else.

    Calibration uses it on the windows of a test block, ``Pipeline`` on those of a stream. With
    ``spare`` electrodes that are missing or wild are estimated from the others first. With
    ``then``, the ``alignment.reference`` of the calibration, trials are brought back to it.
    """

    def __init__(
        self,
        recipe: Recipe,
        decoder: Decoder,
        template: Template | None,
        spare: Interpolation | None = None,
        then: Array | None = None,
    ) -> None:
        self._recipe, self._decoder, self._spare = recipe, decoder, spare
        self._gate = LatencyGate(recipe, template) if template is not None else None
        self._alignment = Recentering(then) if then is not None else None
        self._lesson: Samples | None = None  # window of the last decision, for the gate
        self._trial: Array | None = None  # the same as the decoder sees it, for the alignment

    @property
    def lag(self) -> int:
        """The shift in use, samples."""
        return self._gate.lag if self._gate else 0

    def __call__(
        self,
        x: Samples,
        *,
        locked: bool = True,
        peak: float | None = None,
        missing: np.ndarray | None = None,
    ) -> Scored:
        """Log-odds of ``x`` (streams, channels, times) as cut, with flags.

        A window that is not ``locked`` to an event has no latency and does not use the gate.
        ``peak`` is the largest of ``swings``, if known; ``missing`` (channels,) marks electrodes
        that are absent or flat. The gate adapts to a window at ``learn``, or at the next
        window.
        """
        self.learn()
        recipe = self._recipe
        gate = self._gate if locked else None
        lag = gate.before() if gate else 0
        first = recipe.first if locked else recipe.unlocked_first
        if self._spare is not None:
            x, missing, peak = whole(recipe, self._spare, x, first, peak, missing)
        window = decoder_input(recipe, x, lag, first)
        if lag and not np.isfinite(window).all():
            lag, window = 0, decoder_input(recipe, x, 0, first)
        alignment = self._alignment
        answer = self._decoder.answer(alignment.apply(window) if alignment else window)
        kept = within(recipe, x, recipe.reject, first, peak)
        if gate and kept:
            self._lesson = x
        if alignment and locked and kept:
            self._trial = window
        return Scored(answer.logits, lag, kept, missing, answer.embedding)

    def learn(self) -> None:
        """Adapt to the last window, now that its decision is out and while it is still valid."""
        if self._gate and self._lesson is not None:
            self._gate.after(self._lesson)
        if self._alignment and self._trial is not None:
            self._alignment.after(self._trial)
        self._lesson = self._trial = None


def whole(
    recipe: Recipe,
    spare: Interpolation,
    x: Samples,
    first: int,
    peak: float | None,
    missing: np.ndarray | None,
) -> tuple[Samples, np.ndarray | None, float | None]:
    """``x`` with missing and wild electrodes estimated, which these are, and its peak if known."""
    if missing is None and peak is not None and peak <= spare.limit:
        return x, None, peak
    swing = swings(recipe, x, first)
    wild = spare.wild(swing)
    found = wild if missing is None else missing | wild
    if missing is not None and found.sum() > spare.most:
        found = missing
    if not found.any():
        return x, None, peak
    return spare.fill(x, found), found, None


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
