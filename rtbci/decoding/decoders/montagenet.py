"""MontageNet, forward pass only, in numpy: what ``rtbci/networks/montagenet.py`` trains.

Places and queries, whitening and alignment fold into one matrix (virtual channels, electrodes)
for the electrodes that are good at the moment; it is folded again when another one drops out, and
kept for every set that was seen. Live work is then one product, two short convolutions and the
projection. Equal to torch to 1e-5.
"""

from dataclasses import dataclass, field, fields

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from rtbci.decoding.decoders.scaling import LIMIT
from rtbci.types import Answer, Array, Samples

Numbers = NDArray[np.floating]

SHRINK = 0.01  # of the virtual channels' covariance towards its mean variance
GROUPS, EPSILON = 4, 1e-5  # of the group normalisation
POOL = 5  # samples
MOST_FOLDED = 64  # sets of good electrodes that are kept
FEWEST = 2  # good electrodes


@dataclass(frozen=True)
class MontageNet:
    """Arrays of one subject's network; ``x`` is (channels, times) or (streams, ...), uV."""

    classes: tuple[str, ...]
    stream: Array  # (1,) which stream of the window is the network's
    grid: Array  # (times of the window, times of the network); no rows where they are the same
    scale: Array  # (channels,) uV
    covariance: Array  # (channels, channels) of scaled windows
    good: Array  # (channels,) 0 or 1
    features: Array  # (channels, features) of the electrodes' places or names
    queries: Array  # (virtual, keys)
    key: Array  # (keys, features)
    gain: Array  # (virtual, features)
    align: Array  # (virtual, virtual)
    basis: Array  # (times, cosines)
    linear: Array  # (d, virtual * cosines)
    linear_bias: Array
    enter: Array  # (filters, virtual)
    wide: Array  # (filters, taps)
    wide_bias: Array
    norm_weight: Array
    norm_bias: Array
    narrow: Array  # (filters, taps)
    narrow_bias: Array
    leave: Array  # (filters / 2, filters)
    leave_bias: Array
    project: Array  # (d, filters / 2 * pooled times)
    project_bias: Array
    class_head: Array  # (classes, d)
    class_bias: Array
    text_head: Array  # (text, d); no rows without a text space
    text_bias: Array
    _folded: dict[bytes, Samples] = field(default_factory=dict, init=False, repr=False)
    _inverse: Samples = field(init=False, repr=False)  # (channels, 1) of the scale

    def __post_init__(self) -> None:
        if len(self.class_head) != len(self.classes) or len(self.class_bias) != len(self.classes):
            raise ValueError(f"weights are not those of {len(self.classes)} classes")
        c, (v, taps) = len(self.scale), (len(self.queries), self.basis.shape[1])
        if self.covariance.shape != (c, c) or len(self.features) != c or self.good.shape != (c,):
            raise ValueError(f"places and covariance are not those of {c} electrodes")
        if self.align.shape != (v, v) or self.linear.shape[1] != v * taps:
            raise ValueError(f"alignment and projection are not those of {v} virtual channels")
        d = self.class_head.shape[1]
        if self.grid.ndim != 2 or self.text_head.ndim != 2 or self.text_head.shape[1] != d:
            raise ValueError(f"grid and text head are no matrices, or not of {d} numbers")
        if len(self.text_bias) != len(self.text_head):
            raise ValueError("the text head has other biases")
        for name, array in self.arrays().items():
            kind = np.float64 if name in ("scale", "covariance") else np.float32
            object.__setattr__(self, name, np.ascontiguousarray(array, kind))
        inverse = np.where(self.good > 0, 1 / self.scale, 0.0)[:, None].astype(np.float32)
        object.__setattr__(self, "_inverse", inverse)

    @property
    def dimensions(self) -> int:
        """Numbers of a point of the text space; 0 without a text head."""
        return len(self.text_head)

    def answer(self, x: Samples | Array, mask: NDArray[np.bool_] | None = None) -> Answer:
        """Log-odds ``(classes,)`` and point of the text space, from one forward pass.

        ``mask`` (channels,) marks the electrodes that are good now.
        """
        output = self.backbone_output(x, mask)
        logits = (self.class_head @ output + self.class_bias).astype(np.float64)
        if not self.dimensions:
            return Answer(logits)
        point = (self.text_head @ output + self.text_bias).astype(np.float64)
        return Answer(logits, point / max(float(np.linalg.norm(point)), 1e-12))

    def logits(self, x: Samples | Array, mask: NDArray[np.bool_] | None = None) -> Array:
        """Log-odds ``(classes,)``; ``mask`` (channels,) marks the electrodes that are good now."""
        output = self.backbone_output(x, mask)
        return (self.class_head @ output + self.class_bias).astype(np.float64)

    def backbone_output(self, x: Samples | Array, mask: NDArray[np.bool_] | None = None) -> Numbers:
        """The ``(d,)`` numbers that the heads see."""
        if x.ndim == 3:
            x = x[int(self.stream[0])]
        z: Numbers = np.multiply(x, self._inverse, dtype=np.float32)
        np.clip(z, -LIMIT, LIMIT, out=z)
        if mask is not None and not mask.all():
            z[~mask] = 0  # masked values may not be finite
        if len(self.grid):
            z = z @ self.grid
        y = self.filters(mask) @ z  # (virtual, times)
        slow = (y @ self.basis).ravel()
        return self.linear @ slow + self.linear_bias + self._trunk(y)

    def _trunk(self, y: Numbers) -> Numbers:
        z = _elu(self._normed(_depthwise(self.enter @ y, self.wide, self.wide_bias)))
        z = z.reshape(len(z), -1, POOL).mean(axis=2)
        z = self.leave @ _depthwise(z, self.narrow, self.narrow_bias) + self.leave_bias[:, None]
        return self.project @ _elu(z).ravel() + self.project_bias

    def _normed(self, z: Numbers) -> Numbers:
        groups = z.reshape(GROUPS, -1)
        centred = groups - groups.mean(axis=1, keepdims=True)
        variance = (centred * centred).mean(axis=1, keepdims=True)
        z = (centred / np.sqrt(variance + EPSILON)).reshape(z.shape)
        return z * self.norm_weight[:, None] + self.norm_bias[:, None]

    def filters(self, mask: NDArray[np.bool_] | None = None) -> Samples:
        """The spatial filter ``(virtual, channels)`` for the electrodes that are good now.

        Raises ``ValueError`` where fewer than ``FEWEST`` are.
        """
        used = self.good > 0 if mask is None else (self.good > 0) & mask
        name = used.tobytes()
        if name not in self._folded:
            if len(self._folded) >= MOST_FOLDED:
                self._folded.pop(next(iter(self._folded)))
            self._folded[name] = self._fold(used)
        return self._folded[name]

    def _fold(self, used: NDArray[np.bool_]) -> Samples:
        if used.sum() < FEWEST:
            raise ValueError(f"{used.sum()} good electrodes; at least {FEWEST} are needed")
        key, features = self.key.astype(np.float64), self.features.astype(np.float64)
        scores = self.queries @ (features @ key.T).T / np.sqrt(len(key))
        scores = np.where(used, scores, -np.inf)
        odds = np.exp(scores - scores.max(axis=1, keepdims=True))
        weights = odds / odds.sum(axis=1, keepdims=True) * (1 + self.gain @ features.T)
        virtual = weights @ self.covariance @ weights.T
        level = virtual.diagonal().mean()
        virtual = (1 - SHRINK) * virtual + SHRINK * level * np.eye(len(virtual))
        values, vectors = np.linalg.eigh(virtual)
        whitening = (vectors / np.sqrt(values)) @ vectors.T
        return (self.align @ whitening @ weights).astype(np.float32)

    @classmethod
    def from_arrays(cls, classes: tuple[str, ...], arrays: dict[str, Array]) -> "MontageNet":
        """The network that ``arrays`` came from; ``TypeError`` or ``ValueError`` for others."""
        return cls(classes, **arrays)

    def arrays(self) -> dict[str, Array]:
        """Everything but the class names, for ``weights.safetensors``."""
        names = [each.name for each in fields(self) if each.init and each.name != "classes"]
        return {name: getattr(self, name) for name in names}


def _depthwise(z: Numbers, taps: Numbers, bias: Numbers) -> Numbers:
    """Each row of ``z`` (rows, times) correlated with its own taps (rows, odd), same length."""
    half = taps.shape[1] // 2
    padded = np.pad(z, ((0, 0), (half, half)))
    windows = sliding_window_view(padded, taps.shape[1], axis=1)  # (rows, times, taps)
    return (windows @ taps[:, :, None])[..., 0] + bias[:, None]


def _elu(z: Numbers) -> Numbers:
    return np.where(z > 0, z, np.expm1(np.minimum(z, 0)))
