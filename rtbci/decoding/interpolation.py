"""Interpolation of missing or bad electrodes from the others.

Scalp potentials are so alike that 13 principal components hold 95 % of the variance of 122
electrodes, so an electrode can be estimated from the rest: its conditional mean given the others,
for Gaussian signals with the covariance of the calibration. Nothing is trained again, whichever
electrodes go. A window with more of them missing than was tested at calibration is rejected.
"""

from dataclasses import dataclass, field

import numpy as np

from rtbci.types import Array, Samples

FEWEST_ELECTRODES = 12  # of a montage in which any may be missing
SHARE = 0.2  # of the electrodes, at most; tested at calibration
WILD = 8.0  # times its median swing in calibration: an electrode that moved or dries out
RIDGE = 1e-3  # of the mean variance, added to the covariance of the electrodes that are left
REMEMBERED = 64  # sets of electrodes whose weights are kept


@dataclass(frozen=True)
class Interpolation:
    """Covariances ``(streams, channels, channels)`` and swings ``(channels,)`` of calibration.

    ``limit`` microvolts: below it no swing is called wild. One thread.
    """

    covariance: Array
    swing: Array  # median peak to peak in the look window of the check stream, uV
    limit: float = 100.0
    _weights: dict[bytes, Array] = field(default_factory=dict, repr=False, compare=False)

    @property
    def most(self) -> int:
        """How many electrodes may be missing or bad at once."""
        return spared(len(self.swing))

    def wild(self, swing: Samples | Array) -> np.ndarray:
        """Which electrodes (channels,) swing as no electrode on a head does, given ``swing`` uV.

        None where more do than can be spared: then it was the person who moved.
        """
        found = swing > np.maximum(WILD * self.swing, self.limit)
        return found if found.sum() <= self.most else np.zeros(len(found), bool)

    def fill(self, x: Samples, missing: np.ndarray) -> Samples:
        """A copy of ``x`` (streams, channels, times) with ``missing`` (channels,) estimated."""
        weights = self.weights(missing)
        out = x.copy()
        out[:, missing] = weights @ x[: len(weights), ~missing]
        return out

    def weights(self, missing: np.ndarray) -> Array:
        """``(streams, missing, present)``: each missing electrode as a sum of the others."""
        key = np.packbits(missing).tobytes()
        found = self._weights.get(key)
        if found is None:
            if len(self._weights) >= REMEMBERED:
                self._weights.clear()
            across = self.covariance[:, missing][:, :, ~missing]
            within = self.covariance[:, ~missing][:, :, ~missing]
            scale = np.trace(within, axis1=1, axis2=2) / max(1, int((~missing).sum()))
            within = within + (RIDGE * scale)[:, None, None] * np.eye(within.shape[1])
            found = np.linalg.solve(within, across.transpose(0, 2, 1)).transpose(0, 2, 1)
            found = self._weights[key] = np.ascontiguousarray(found.astype(np.float32))
        return found


def spared(electrodes: int) -> int:
    """How many of ``n`` electrodes may be missing; 0 for a small montage."""
    return int(SHARE * electrodes) if electrodes >= FEWEST_ELECTRODES else 0
