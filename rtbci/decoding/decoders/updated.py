"""Last week's decoder with today's on top: a weighted sum of their log-odds, and new biases.

The decoder of an earlier calibration is kept as it was; a few minutes of fresh trials decide how
far it is to be believed, and train a closed form of their own, which counts as much as it helps.
``calibration/fitting/updating.py`` fits it.
"""

from dataclasses import dataclass

import numpy as np

from rtbci.decoding.decoders.evoked import STREAMS, EvokedDecoder
from rtbci.types import Answer, Array, Decoder


@dataclass(frozen=True)
class UpdatedDecoder:
    """``old`` of any family, ``fresh`` a closed form; ``x`` (streams, channels, times)."""

    classes: tuple[str, ...]
    old: Decoder
    fresh: EvokedDecoder
    weights: Array  # (2,) of old and fresh, on centred log-odds
    bias: Array  # (classes,)
    span: Array  # (2,) first sample and one after the last of the fresh one's window

    def __post_init__(self) -> None:
        k = len(self.classes)
        if self.weights.shape != (2,) or self.bias.shape != (k,) or self.span.shape != (2,):
            raise ValueError(f"two weights, {k} biases and a span of two are needed")
        if self.old.classes != self.classes or self.fresh.classes != self.classes:
            raise ValueError("the members have other classes")

    @property
    def dimensions(self) -> int:
        """Numbers of an embedding; 0 if the old decoder has no text head."""
        return self.old.dimensions

    def answer(self, x: Array) -> Answer:
        """Log-odds ``(classes,)`` and the embedding of the old decoder.

        An update trains no text head, so the old one stays in use with any weight.
        """
        if not self.dimensions:
            return Answer(self.logits(x))
        old = self.old.answer(x)
        return Answer(self._weighed(x, old.logits), old.embedding)

    def logits(self, x: Array) -> Array:
        """Log-odds ``(classes,)`` alone."""
        return self._weighed(x, self.old.logits(x) if self.weights[0] else None)

    def _weighed(self, x: Array, old: Array | None) -> Array:
        found = self.bias.copy()
        if old is not None and self.weights[0]:
            found += self.weights[0] * (old - old.mean())
        if self.weights[1]:
            a, b = self.span.astype(int)
            fresh = self.fresh.logits(x[:STREAMS, :, a:b])
            found += self.weights[1] * (fresh - fresh.mean())
        return found

    def arrays(self) -> dict[str, Array]:
        """Everything but the class names, for ``weights.safetensors``."""
        return {
            "weights": self.weights,
            "bias": self.bias,
            "span": self.span,
            **{f"old.{name}": array for name, array in self.old.arrays().items()},
            **{f"fresh.{name}": array for name, array in self.fresh.arrays().items()},
        }

    @classmethod
    def from_arrays(
        cls, classes: tuple[str, ...], arrays: dict[str, Array], old: Decoder
    ) -> "UpdatedDecoder":
        """The decoder that ``arrays`` came from, around ``old``; ``KeyError`` for others."""
        fresh = {
            name.removeprefix("fresh."): array
            for name, array in arrays.items()
            if name.startswith("fresh.")
        }
        own = {name: np.asarray(arrays[name], float) for name in ("weights", "bias", "span")}
        return cls(classes, old, EvokedDecoder(classes, **fresh), **own)
