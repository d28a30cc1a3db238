"""The label-free latency gate: has the delay from marker to brain changed since calibration?

Recordings of one person differ by tens of milliseconds: clocks drift (up to 6 ms a minute between
markers and signal were seen), and a headset that reconnects jumps. The gate holds a belief: a
probability for each lag that is tried, and one that the response is not there at all. Every trial's
match with the calibration's mean response moves the belief; between two trials it widens a little,
because lags drift and jump. A shift is made only where nearly all of the belief lies elsewhere than
the lag in use, three times running. The lag of the calibration is left for one close by only where
recent trials match the response less than they should.

Every recording starts without a belief: a new recording is often a new connection, and a wrong
lag is not inherited.
"""

from dataclasses import dataclass

import numpy as np

from rtbci.signal.recipe import Recipe
from rtbci.types import Array, Samples

CLIP = 60.0  # uV, every sample
BIN_RATE = 32.0  # Hz, bins of the template
STEP = 0.008  # s between the lags that are tried
SMALLEST_LAG = 0.02  # s; less is not worth a shift
FEWEST_TRIALS = 10  # before the first estimate; a shift takes ``RUNNING`` of them
EVERY = 5  # events between two estimates
# measured on stable and on shifted recordings of a headset (tests/calibration/test_marker_delay.py)
TRUST = 0.85  # weight of the evidence: a response changes in more ways than its lag
DOUBT = 0.05  # belief that the lag in use may keep when another one takes its place
FADED = 0.05  # the same where lags drift, as a part of the belief in the new one
RUNNING = 3  # estimates in a row that must ask for the same shift
NEAR = 0.025  # s; lags so close count as the same
SHORT = 2.0  # standard errors by which recent trials must match too little, for a lag close by
# Priors.
PRIOR = 0.06  # s, standard deviation of a lag that has jumped
UNCHANGED = 0.7  # before any trial, that the lag is that of the calibration
JUMP = 1e-3  # a jump between two trials: one in about ten minutes
DRIFT = 0.004  # one step to either side between two trials
ABSENT = 0.1  # before any trial, that the response of the calibration is not there at all
RESEMBLES = 0.5  # share of the calibration's response; with less, it is more likely to be absent
RECENT = 30  # trials over which the noise of a recording and its match are tracked
OUTLIER = 4.0  # times the variance of a trial in the calibration; beyond, a trial counts less


@dataclass(frozen=True)
class Template:
    """Matched filter of the calibration's mean response, unit gain against its noise."""

    weights: Array  # (components, bins)
    projection: Array  # (components, channels)
    strength: float  # match to be expected of a trial at the right lag


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
    """Estimates the latency shift of one recording, trial by trial.

    ``before`` an event gives the shift to use, from earlier trials only; ``after`` it the
    trial's window joins the evidence.
    """

    def __init__(self, recipe: Recipe, template: Template) -> None:
        self.lag = 0  # samples, in use
        self._recipe, self._template = recipe, template
        self._lags = lags(recipe)
        self._seconds = self._lags / recipe.rate
        step = max(1, recipe.samples(STEP))
        self._near = max(1, int(NEAR * recipe.rate / step))  # places
        self._reach = self._near * step  # samples
        jumped = np.exp(-((self._seconds / PRIOR) ** 2) / 2)
        same = np.where(abs(self._seconds) < SMALLEST_LAG, jumped, 0.0)
        jumped /= jumped.sum()
        fresh = UNCHANGED * same / same.sum() + (1 - UNCHANGED) * jumped
        # of each lag, and last of no response
        self._jumped = np.append((1 - ABSENT) * jumped, ABSENT)
        self._belief = np.append((1 - ABSENT) * fresh, ABSENT)
        self._noise = 1.0  # variance of the match over lags; 1 in the calibration
        self._match = np.zeros(len(self._lags))  # sum over recent trials
        self._recent = 0.0  # how many these are
        self._kept = self._events = 0
        self._asked: list[int] = []  # lags that estimates in a row have asked for

    def before(self) -> int:
        """The shift in samples for the next event; estimated at every fifth."""
        if self._events % EVERY == 0:
            self._follow(self.estimate())
        self._events += 1
        return self.lag

    def after(self, x: Samples) -> None:
        """A kept trial: ``x`` (streams, channels, times) as cut; left out with a cut margin."""
        bins = lagged_bins(self._recipe, x, self._template.projection)
        self._learn(np.tensordot(bins, self._template.weights, 2))

    def estimate(self) -> int:
        """The most probable shift in samples so far; the one in use if not sure."""
        if self._kept < FEWEST_TRIALS:
            return self.lag
        used = int(np.argmin(abs(self._lags - self.lag)))
        best = int(np.argmax(self._belief[:-1]))
        wanted = int(self._lags[best]) if abs(self._seconds[best]) >= SMALLEST_LAG else 0
        if abs(best - used) <= 1 or self._belief[-1] > DOUBT:
            return self.lag
        if abs(best - used) <= self._near:  # the same lag, drifting
            if self.lag == 0 and not self._short(used):
                return 0
            return wanted if self._belief[used] < FADED * self._belief[best] else self.lag
        sure = self._around(best) > 1 - 2 * DOUBT and self._around(used) < DOUBT
        return wanted if sure else self.lag

    def _short(self, place: int) -> bool:
        """Whether recent trials match less at ``place`` than the response of the calibration."""
        missing = self._template.strength - float(self._match[place]) / self._recent
        return missing > SHORT * float(np.sqrt(max(1.0, self._noise) / self._recent))

    def _follow(self, wanted: int) -> None:
        """Drift is followed at once, a jump once several estimates in a row ask for it."""
        if abs(wanted - self.lag) <= self._reach:
            self.lag, self._asked = wanted, []
            return
        same = [each for each in self._asked if abs(each - wanted) <= self._reach]
        self._asked = [*same, wanted] if len(same) == len(self._asked) else [wanted]
        if len(self._asked) >= RUNNING:
            self.lag, self._asked = wanted, []

    def _around(self, place: int) -> float:
        """Belief in the lag at ``place`` and those near it."""
        near = self._belief[:-1][max(0, place - self._near) : place + self._near + 1]
        return float(near.sum())

    def _learn(self, match: Array) -> None:
        """The match (lags,) of a trial moves the belief, less where noise is large."""
        if not np.isfinite(match).all():
            return
        variance = float(match.var())
        self._noise += (variance - self._noise) / RECENT
        self._match += match - self._match / RECENT
        self._recent += 1 - self._recent / RECENT
        noise = max(1.0, self._noise, variance / OUTLIER)
        strength = self._template.strength
        evidence = TRUST * strength / noise * np.append(match, RESEMBLES * strength)  # nats
        belief = self._belief * np.exp(evidence - evidence.max())
        belief /= belief.sum()
        flow = DRIFT * np.diff(belief[:-1])  # from each lag to the one before
        belief[:-2] += flow
        belief[1:-1] -= flow
        self._belief = (1 - JUMP) * belief + JUMP * self._jumped
        self._kept += 1
