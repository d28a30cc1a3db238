"""Which rhythm is strong where: covariances on a tangent space, and correlation with flicker.

Two kinds of evidence, each linear at its end, summed into one logit per class:

- *Covariances.* A view is one band of the filter bank on a set of electrodes. Its covariance,
  whitened by the mean of the training trials, becomes a matrix logarithm: Barachant et al. 2012,
  "Multiclass Brain-Computer Interface Classification by Riemannian Geometry". Logarithms of pieces
  of the window are averaged, so that one short burst counts once and not by its power.
- *Canonical correlation* of the electrodes with sines and cosines of each flicker frequency and
  its harmonics: Lin et al. 2007, "Frequency Recognition Based on Canonical Correlation Analysis".

Everything here is fitted by ``calibration.fitting.oscillation``; this file needs numpy only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtbci.types import Answer, Array

RANK = 1e-9  # share of the largest eigenvalue below which a direction counts as missing


def log_covariances(x: Array, pieces: int, filters: Array, floor: Array) -> Array:
    """Mean matrix logarithm (..., c, c) of the whitened covariances of ``x`` (..., c, times).

    The window is cut into ``pieces`` of equal length; of each, log(filters S filters' + floor).
    """
    length = x.shape[-1] // pieces
    x = x[..., : pieces * length].reshape(*x.shape[:-1], pieces, length)
    x = np.moveaxis(x, -2, -3)  # (..., pieces, c, length)
    x = x - x.mean(-1, keepdims=True)
    z = filters @ x
    values, vectors = np.linalg.eigh(z @ z.swapaxes(-1, -2) / (length - 1) + floor)
    logs = np.log(np.maximum(values, np.finfo(float).tiny))
    return ((vectors * logs[..., None, :]) @ vectors.swapaxes(-1, -2)).mean(-3)


def correlations(x: Array, references: Array) -> Array:
    """Largest canonical correlation (F,) of ``x`` (c, times) with each of ``references``.

    ``references`` (F, times, 2 H) are centred and orthonormal. Flat or repeated electrodes carry
    nothing of their own and are left out.
    """
    x = x - x.mean(-1, keepdims=True)
    scale = np.sqrt((x**2).sum(-1, keepdims=True))
    x = x / np.where(scale > 0, scale, 1)
    values, vectors = np.linalg.eigh(x @ x.T)
    kept = values > RANK * max(values[-1], np.finfo(float).tiny)
    if not kept.any():
        return np.zeros(len(references))
    basis = (vectors[:, kept] / np.sqrt(values[kept])).T @ x  # (rank, times), orthonormal rows
    found = np.linalg.svd(basis @ references, compute_uv=False)[:, 0]
    return found.astype(np.float64)


@dataclass(frozen=True)
class BandView:
    """One band on one set of electrodes, with the weights of its logarithm for each class."""

    stream: int  # which band of the filter bank
    columns: NDArray[np.int64]  # (c,) electrodes
    filters: Array  # (c, c) reference and scale, then whitening by the training mean
    floor: Array  # (c, c) the ridge that keeps weak directions quiet, whitened likewise
    weights: Array  # (K, c, c) symmetric; logit k is the sum over weights[k] * logarithm


@dataclass(frozen=True)
class OscillationDecoder:
    """Logits from band covariances, from canonical correlations, or from both."""

    classes: tuple[str, ...]
    times: int  # samples in a window
    pieces: int  # pieces that a window is cut into for covariances
    bias: Array  # (K,)
    views: tuple[BandView, ...] = ()  # empty where correlations decide alone
    electrodes: NDArray[np.int64] | None = None  # (c,) those that are correlated, in stream 0
    references: Array | None = None  # (F, times, 2 H), orthonormal; None: no correlations
    correlation_weights: Array | None = None  # (K, F)

    @property
    def dimensions(self) -> int:
        """0: a closed form has no text head."""
        return 0

    def answer(self, x: Array) -> Answer:
        """Log-odds ``(classes,)`` of one window; a closed form has no embedding."""
        return Answer(self.logits(x))

    def logits(self, x: Array) -> Array:
        """Log-odds (K,) of one window ``x`` (streams, channels, times), microvolts."""
        assert x.shape[-1] == self.times, f"window of {x.shape[-1]} samples, fitted {self.times}"
        return self.weigh(*self.evidence(x))

    def evidence(self, x: Array) -> tuple[list[Array], Array | None]:
        """Features that need no label: a logarithm (c, c) per view, and correlations (F,)."""
        logs = [
            log_covariances(x[view.stream, view.columns], self.pieces, view.filters, view.floor)
            for view in self.views
        ]
        if self.references is None:
            return logs, None
        assert self.electrodes is not None
        return logs, correlations(x[0, self.electrodes], self.references)

    def weigh(self, logs: list[Array], found: Array | None) -> Array:
        """Log-odds (..., K) of evidence, whose arrays may have leading axes in common."""
        result = self.bias
        for view, log in zip(self.views, logs, strict=bool(self.views)):
            result = result + np.tensordot(log, view.weights, ([-2, -1], [1, 2]))
        if self.references is not None:
            assert found is not None
            assert self.correlation_weights is not None
            result = result + found @ self.correlation_weights.T
        return result

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything but the class names, by name, for storage."""
        named: dict[str, NDArray[Any]] = {
            "bias": self.bias,
            "shape": np.array([self.times, self.pieces, len(self.views)]),
        }
        for number, view in enumerate(self.views):
            named[f"view{number}.stream"] = np.array([view.stream])
            named[f"view{number}.columns"] = view.columns
            named[f"view{number}.filters"] = view.filters
            named[f"view{number}.floor"] = view.floor
            named[f"view{number}.weights"] = view.weights
        if self.references is not None:
            assert self.electrodes is not None
            assert self.correlation_weights is not None
            named["cca.electrodes"] = self.electrodes
            named["cca.references"] = self.references
            named["cca.weights"] = self.correlation_weights
        # safetensors writes the bytes in memory order and knows no strides
        return {name: np.ascontiguousarray(array) for name, array in named.items()}

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], classes: tuple[str, ...]
    ) -> "OscillationDecoder":
        """The decoder that ``arrays()`` described."""
        times, pieces, count = (int(number) for number in arrays["shape"])
        views = tuple(
            BandView(
                stream=int(arrays[f"view{number}.stream"][0]),
                columns=arrays[f"view{number}.columns"],
                filters=arrays[f"view{number}.filters"],
                floor=arrays[f"view{number}.floor"],
                weights=arrays[f"view{number}.weights"],
            )
            for number in range(count)
        )
        heads = [arrays["bias"], *(view.weights for view in views)]
        if "cca.references" in arrays:
            heads.append(arrays["cca.weights"])
        if any(len(each) != len(classes) for each in heads):
            raise ValueError(f"weights are not those of {len(classes)} classes")
        return cls(
            classes=tuple(classes),
            times=times,
            pieces=pieces,
            bias=arrays["bias"],
            views=views,
            electrodes=arrays.get("cca.electrodes"),
            references=arrays.get("cca.references"),
            correlation_weights=arrays.get("cca.weights"),
        )
