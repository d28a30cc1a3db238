"""Continuous simulated EEG from one moment on, with responses added on demand.

Background comes in pieces of some seconds that fade into each other; drifts and hum are functions
of the clock and go on by themselves. A response is added from its onset on, also while the signal
is being taken: that is how a live participant answers a marker.
"""

import numpy as np

from rtbci.types import Array, Samples
from sims.person.background import Background, f32
from sims.person.constants import RESPONSE_MS
from sims.person.response import Response

PIECE_S, FADE_S = 4.0, 1.0  # a piece without its fade, and the fade between two
OFF_S = 0.1  # in which a response fades at its end
AHEAD_S = 10.0  # longest time from adding a response until it is due


class SimulatedSignal:
    """One run, read in order by one thread."""

    def __init__(
        self, background: Background, response: Response, rng: np.random.Generator
    ) -> None:
        self._background, self._response, self._rng = background, response, rng
        self._clocked = background.run(rng)
        rate = background.rate
        self._piece, self._fade = round(PIECE_S * rate), round(FADE_S * rate)
        turn = np.linspace(0, np.pi / 2, self._fade, dtype=np.float32)[:, None]
        self._in, self._out = np.sin(turn), np.cos(turn)  # squares add up to one: same power
        self._tail = self._fresh()[: self._fade]
        self._ready = np.empty((0, len(background.sensor)), np.float32)
        self.head = 0  # sample index of the next one to be taken
        self._evoked = np.zeros((round(AHEAD_S * rate), len(background.sensor)), np.float32)
        n_times = round(RESPONSE_MS / 1000 * rate)
        left = (n_times - np.arange(n_times)) / (OFF_S * rate)
        self._end = f32(np.minimum(left, 1))[:, None]

    def evoke(self, index: int, driven: Array | None) -> None:
        """Add the response to ``driven`` (features,) or, of no class, None at sample ``index``.

        What would have come before ``head`` is lost. At most ``AHEAD_S`` before it is due.
        """
        features = None if driven is None else np.asarray(driven)[None]
        x = self._response.draw(1, features, len(self._end), self._rng)[0] * self._end
        first = index - self.head
        x, first = x[max(0, -first) :], max(first, 0)
        assert first + len(x) <= len(self._evoked), "too early"
        self._evoked[first : first + len(x)] += x

    def take(self, n: int) -> Samples:
        """Next ``n`` samples ``(n, channels)``, uV."""
        most = len(self._evoked)
        if n > most:
            return np.concatenate([self.take(most), self.take(n - most)])
        while len(self._ready) < n:
            self._ready = np.concatenate([self._ready, self._next()])
        x, self._ready = self._ready[:n], self._ready[n:]
        x = x + self._evoked[:n]
        self._evoked = np.concatenate([self._evoked[n:], np.zeros_like(self._evoked[:n])])
        self.head += n
        return x

    def _next(self) -> Samples:
        """Next piece of background."""
        x = self._fresh()
        x[: self._fade] = self._in * x[: self._fade] + self._out * self._tail
        self._tail = x[self._piece :]
        begin = (self.head + len(self._ready)) / self._background.rate
        steady = self._background.steady(np.array([begin]), self._piece, self._clocked)[0]
        return x[: self._piece] + steady

    def _fresh(self) -> Samples:
        return self._background.fresh(1, self._piece + self._fade, self._rng)[0]
