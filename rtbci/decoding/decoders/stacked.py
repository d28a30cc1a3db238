"""Closed form and network together: a weighted sum of their log-odds, forward pass only.

Both look at the same cut window, each at its own streams and its own part of the time. The weights
are those that classified unseen trials of the calibration best; 0 leaves a member out, which then
costs nothing. ``calibration/fitting/stacking.py`` fits it.
"""

from dataclasses import dataclass
from importlib import import_module
from typing import Protocol

import numpy as np

from rtbci.decoding.decoders.evoked import STREAMS, EvokedDecoder
from rtbci.decoding.decoders.montagenet import MontageNet
from rtbci.types import Answer, Array

# a member that needs torch lives with the networks, a floor above: loaded for bundles that hold one
TORCH_DECODER = "rtbci.networks.torch_decoder"


class NetworkDecoder(Protocol):
    """A network with one person's heads: ``MontageNet`` in numpy, or any other in torch."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of the log-odds."""
        ...

    @property
    def dimensions(self) -> int:
        """Numbers of an embedding; 0 without a text head."""
        ...

    def answer(self, x: Array) -> Answer:
        """Log-odds and embedding of one window ``x`` (streams, channels, times), microvolts."""
        ...

    def logits(self, x: Array) -> Array:
        """Log-odds ``(classes,)`` alone, of the same window."""
        ...

    def arrays(self) -> dict[str, Array]:
        """Everything but the class names, for ``weights.safetensors``."""
        ...


@dataclass(frozen=True)
class StackedDecoder:
    """Two members and how much each counts; ``x`` (streams, channels, times)."""

    classes: tuple[str, ...]
    closed: EvokedDecoder
    net: NetworkDecoder
    weights: Array  # (2,) of the closed form and of the network, on centred log-odds
    spans: Array  # (2, 2) first sample and one after the last of each member's window

    def __post_init__(self) -> None:
        if self.weights.shape != (2,) or self.spans.shape != (2, 2):
            raise ValueError("two weights and two spans are needed")
        if self.closed.classes != self.classes or self.net.classes != self.classes:
            raise ValueError("the members have other classes")

    @property
    def dimensions(self) -> int:
        """Numbers of an embedding; 0 if the network has no text head."""
        return self.net.dimensions

    def answer(self, x: Array) -> Answer:
        """Log-odds ``(classes,)`` of both members and the network's embedding.

        The network's text head is used with any weight of the network in the log-odds.
        """
        b = self.spans[1].astype(int)
        seen = x[:, :, b[0] : b[1]]
        if self.dimensions:
            net = self.net.answer(seen)
        else:
            net = Answer(self.net.logits(seen)) if self.weights[1] else None
        members = (self._closed(x), net.logits if net is not None else None)
        return Answer(self._weighed(members), net.embedding if net is not None else None)

    def logits(self, x: Array) -> Array:
        """Log-odds ``(classes,)`` alone; a member without weight is not computed."""
        return self._weighed(self.members(x))

    def members(self, x: Array) -> tuple[Array | None, Array | None]:
        """Log-odds of each member; None for a member without weight."""
        b = self.spans[1].astype(int)
        net = self.net.logits(x[:, :, b[0] : b[1]]) if self.weights[1] else None
        return self._closed(x), net

    def _closed(self, x: Array) -> Array | None:
        a = self.spans[0].astype(int)
        return self.closed.logits(x[:STREAMS, :, a[0] : a[1]]) if self.weights[0] else None

    def _weighed(self, members: tuple[Array | None, Array | None]) -> Array:
        found = np.zeros(len(self.classes))
        for weight, logits in zip(self.weights, members, strict=True):
            if weight and logits is not None:
                found += weight * (logits - logits.mean())
        return found

    def arrays(self) -> dict[str, Array]:
        """Everything but the class names, for ``weights.safetensors``."""
        members = (("closed", self.closed), ("net", self.net))
        return {
            "weights": self.weights,
            "spans": self.spans,
            **{f"{n}.{name}": a for n, each in members for name, a in each.arrays().items()},
        }

    @classmethod
    def from_arrays(cls, classes: tuple[str, ...], arrays: dict[str, Array]) -> "StackedDecoder":
        """The decoder that ``arrays`` came from; ``KeyError`` or ``TypeError`` for others."""

        def part(name: str) -> dict[str, Array]:
            start = f"{name}."
            return {k.removeprefix(start): v for k, v in arrays.items() if k.startswith(start)}

        net = part("net")
        kind = import_module(TORCH_DECODER).TorchDecoder if "about" in net else MontageNet
        return cls(
            classes,
            EvokedDecoder(classes, **part("closed")),
            kind.from_arrays(classes, net),
            np.asarray(arrays["weights"], float),
            np.asarray(arrays["spans"], float),
        )
