"""Label-free alignment: recent trials are brought back to how the calibration's electrodes moved.

Another session has other gains and another mix: gel dries, a cap sits differently. The covariance
of recent trials shows it without any label. Between it and the calibration's lies exactly one
symmetric map, the geometric mean of the one and the inverse of the other; every trial goes through
it before it is decoded. Where only gains have changed, the map undoes just that.

Off by default: on the recordings it was measured on it helped no more than it harmed.
"""

import numpy as np

from rtbci.types import Array

CLIP = 60.0  # uV, every sample
HALFWAY = 40  # trials after which half of the way is gone
MEMORY = 200  # trials over which this session is followed
SHRINK = 2  # trials of the calibration's shape, in the covariance of this session
EVERY = 5  # trials between two maps
RIDGE = 1e-6  # of the mean variance


def covariances(x: Array) -> Array:
    """Limited second moments ``(..., streams, channels, channels)`` of decoder windows.

    ``x`` (..., streams, channels, times) microvolts.
    """
    x = np.clip(x, -CLIP, CLIP)
    x = x - x.mean(axis=-1, keepdims=True)
    return x @ np.swapaxes(x, -1, -2) / x.shape[-1]


def reference(x: Array) -> Array:
    """Reference for re-centring, ``(streams, channels, channels)``: the mean over trials.

    ``x`` (trials, streams, channels, times) of the calibration. Trial by trial, because trials of
    many electrodes are large.
    """
    total = sum((covariances(trial) for trial in x), np.zeros(()))
    return total / len(x)


def between(now: Array, then: Array, share: float = 1.0) -> Array:
    """The symmetric maps ``(..., n, n)`` that turn covariances ``now`` into ``then``.

    With a ``share`` below 1 they go only that part of the way from the identity. Raises
    ``numpy.linalg.LinAlgError`` for values that are not finite.
    """
    root, inverse = roots(now)
    middle, _ = roots(root @ then @ root)
    values, vectors = np.linalg.eigh(inverse @ middle @ inverse)
    return (vectors * values[..., None, :] ** share) @ np.swapaxes(vectors, -1, -2)


def roots(covariance: Array) -> tuple[Array, Array]:
    """Square root and its inverse of symmetric positive matrices ``(..., n, n)``."""
    values, vectors = np.linalg.eigh(covariance)
    floor = RIDGE * values.mean(axis=-1, keepdims=True)
    values = np.sqrt(np.maximum(values, np.maximum(floor, np.finfo(float).tiny)))
    back = np.swapaxes(vectors, -1, -2)
    return (vectors * values[..., None, :]) @ back, (vectors / values[..., None, :]) @ back


class Recentering:
    """Follows one recording. ``apply`` before a decision, ``after`` it the trial joins.

    ``then`` (streams, channels, channels) is the calibration's ``reference``. Before the first
    trials it changes nothing.
    """

    def __init__(self, then: Array) -> None:
        self._then, self._now = then, np.zeros(then.shape)
        self._trials = 0
        self._maps: Array | None = None  # (streams, channels, channels)

    def apply(self, x: Array) -> Array:
        """``x`` (streams, channels, times) as it would have looked in the calibration."""
        return x if self._maps is None else self._maps @ x

    def after(self, x: Array) -> None:
        """A kept trial ``x`` as it came, not as ``apply`` made it; left out if not all there."""
        found = covariances(x)
        if not np.isfinite(found).all():
            return
        self._trials += 1
        self._now = self._now + (found - self._now) / min(self._trials, MEMORY)
        if self._trials % EVERY == 0:
            share = self._trials / (self._trials + HALFWAY)
            self._maps = between(self._shrunk(), self._then, share)

    def _shrunk(self) -> Array:
        """Few trials of many electrodes leave directions empty: the calibration fills them."""
        size = np.trace(self._now, axis1=-2, axis2=-1) / np.trace(self._then, axis1=-2, axis2=-1)
        weight = SHRINK / (SHRINK + self._trials)
        return (1 - weight) * self._now + weight * size[:, None, None] * self._then
