"""The decoder for evoked responses: the plain mean of three members, forward pass only.

Covariances of the trial stacked on the class averages (ERP) and of the trial in xDAWN filters,
each in its tangent space under a logistic regression, on a stream from 0.1 Hz; and shrinkage LDA
of 64 Hz means on a stream from 0.3 Hz. The chain (low cuts, limits) gives more than any choice
of classifier did on real single trials. ``calibration/fitting/evoked.py`` fits it.
"""

from dataclasses import dataclass, fields

import numpy as np

from rtbci.decoding.decoders.riemann import oas, tangent
from rtbci.types import Answer, Array

CLIP = 30.0  # uV; every sample of every window, in training and live
MEANS_RATE = 64.0  # Hz; the LDA sees means over 1 / 64 s
STREAMS = 2  # A and B: the first ones of a window
Z_LIMIT = 3.0  # z-scored means beyond this count as this


@dataclass(frozen=True)
class EvokedDecoder:
    """Arrays of the three members; ``x`` (streams, channels, times) has streams A and B."""

    classes: tuple[str, ...]
    projection: Array  # (components, channels); the identity for few electrodes
    prototypes: Array  # (rows, times): class averages, stacked
    erp_whitening: Array  # (rows + components,) * 2
    erp_coef: Array  # (classes, features)
    erp_bias: Array  # (classes,)
    xdawn_filters: Array  # (filters, components); no rows where there are too many classes
    xdawn_prototypes: Array  # (prototype rows, times)
    xdawn_whitening: Array
    xdawn_coef: Array
    xdawn_bias: Array
    means: Array  # (features,) z-score of the 64 Hz means
    scales: Array  # (features,)
    lda_coef: Array  # (classes, features)
    lda_bias: Array  # (classes,)
    bin: Array  # (1,) samples in a mean

    def __post_init__(self) -> None:
        k = len(self.classes)
        heads = (self.erp_coef, self.erp_bias, self.xdawn_coef, self.xdawn_bias)
        if any(len(each) != k for each in (*heads, self.lda_coef, self.lda_bias)):
            raise ValueError(f"weights are not those of {k} classes")
        for name, array in self.arrays().items():
            # another order in memory rounds otherwise: fitted and loaded are to give the same bits
            object.__setattr__(self, name, np.ascontiguousarray(array))

    def members(self, x: Array) -> Array:
        """Log-odds ``(..., members, classes)`` of windows ``x`` (..., 2, channels, times)."""
        x = self.limited(x)
        a, b = x[..., 0, :, :], x[..., 1, :, :]
        logits = [self.erp_features(a) @ self.erp_coef.T + self.erp_bias]
        if len(self.xdawn_filters):
            logits.append(self.xdawn_features(a) @ self.xdawn_coef.T + self.xdawn_bias)
        logits.append(self.mean_features(b) @ self.lda_coef.T + self.lda_bias)
        return np.stack(logits, axis=-2)

    @property
    def dimensions(self) -> int:
        """0: a closed form has no text head."""
        return 0

    def answer(self, x: Array) -> Answer:
        """Log-odds ``(classes,)`` of one window; a closed form has no embedding."""
        return Answer(self.logits(x))

    def logits(self, x: Array) -> Array:
        """Log-odds ``(..., classes)``: the plain mean of the members'."""
        return self.members(x).mean(axis=-2)

    def limited(self, x: Array) -> Array:
        """Limited samples in the decoder's components: ``(..., 2, components, times)``."""
        return self.projection @ np.clip(x, -CLIP, CLIP)

    def erp_features(self, a: Array) -> Array:
        """Tangent vectors of the covariance of trial and class averages."""
        return tangent(oas(beside(self.prototypes, a)), self.erp_whitening)

    def xdawn_features(self, a: Array) -> Array:
        """The same through the xDAWN filters."""
        stacked = beside(self.xdawn_prototypes, self.xdawn_filters @ a)
        return tangent(oas(stacked), self.xdawn_whitening)

    def mean_features(self, b: Array) -> Array:
        """64 Hz means, z-scored and limited: ``(..., channels * bins)``."""
        means = (binned(b, int(self.bin[0])) - self.means) / self.scales
        return np.clip(means, -Z_LIMIT, Z_LIMIT)

    def arrays(self) -> dict[str, Array]:
        """Everything but the class names, for ``weights.safetensors``."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "classes"}


def binned(x: Array, width: int) -> Array:
    """Means over ``width`` samples, flattened: ``(..., channels * bins)``."""
    n = x.shape[-1] // width
    means = x[..., : n * width].reshape(*x.shape[:-1], n, width).mean(axis=-1)
    return means.reshape(*means.shape[:-2], -1)


def beside(prototypes: Array, x: Array) -> Array:
    """Prototypes (rows, times) on top of every trial ``x`` (..., channels, times)."""
    repeated = np.broadcast_to(prototypes, (*x.shape[:-2], *prototypes.shape))
    return np.concatenate([repeated, x], axis=-2)
