"""Input electrodes of a network: features by position and name, or fixed columns."""

import math
import zlib
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from rtbci.errors import BadInput
from rtbci.networks.electrode_positions import FEATURES, fourier, sphere


class Electrodes(nn.Module):
    """Mapping from the electrodes of the input to those of the network."""

    def mount(self, channels: Sequence[str]) -> None:
        """Set the electrodes of the input, in their order."""
        raise NotImplementedError


class ElectrodeFeatures(Electrodes):
    """Features ``(C, FEATURES)`` of the input electrodes: by position, or a learned row by name."""

    features: Tensor
    known: Tensor
    rows: Tensor

    def __init__(self, channels: Sequence[str]) -> None:
        super().__init__()
        self.names: tuple[str, ...] = ()  # electrodes of unknown position, with a learned row
        self.named = nn.Parameter(torch.zeros(0, FEATURES))
        self.mount(channels)

    def mount(self, channels: Sequence[str]) -> None:
        """Set the electrodes of the input; names of unknown position get new rows."""
        directions, known = sphere(tuple(channels))
        new = [n for n, k in zip(channels, known, strict=True) if not k and n not in self.names]
        self.names += tuple(new)
        start = np.stack([_start_of(name) for name in new]) if new else np.zeros((0, FEATURES))
        rows = torch.tensor(start, dtype=torch.float32)
        self.named = nn.Parameter(torch.cat([self.named.detach(), rows]))
        where = {name: number for number, name in enumerate(self.names)}
        fixed = {
            "features": torch.tensor(fourier(directions), dtype=torch.float32),
            "known": torch.tensor(known),
            "rows": torch.tensor([where.get(name, 0) for name in channels]),
        }
        for name, value in fixed.items():
            self.register_buffer(name, value, persistent=False)

    def forward(self) -> Tensor:
        """Features ``(C, FEATURES)``; gradients reach the rows by name."""
        if bool(self.known.all()):
            return self.features
        return torch.where(self.known[:, None], self.features, self.named[self.rows])


class FixedChannels(Electrodes):
    """Selection of the electrodes of pretraining, in their order, with zeros for absent ones.

    For networks with one weight per electrode.
    """

    columns: Tensor
    there: Tensor

    def __init__(self, channels: Sequence[str]) -> None:
        super().__init__()
        self.channels = tuple(channels)
        self.mount(channels)

    def mount(self, channels: Sequence[str]) -> None:
        """Set the electrodes of the input; raises ``BadInput`` if pretraining had none of them."""
        where = {name.lower(): number for number, name in enumerate(channels)}
        found = [where.get(name.lower(), -1) for name in self.channels]
        if max(found) < 0:
            raise BadInput(
                f"none of {', '.join(channels)} was among the electrodes of pretraining, which "
                "this network needs by name; use montagenet for other montages"
            )
        self.register_buffer("columns", torch.tensor(found).clamp_min(0), persistent=False)
        self.register_buffer("there", torch.tensor(found) >= 0, persistent=False)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """``x`` (B, C, T) and ``mask`` (B, C) to (B, electrodes of pretraining, T)."""
        kept = (mask[:, self.columns] & self.there)[:, :, None]
        return torch.where(kept, x[:, self.columns], 0.0)


def _start_of(name: str) -> np.ndarray:
    """Initial value of the learned row for an electrode's name, the same in every run."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    return rng.standard_normal(FEATURES) / math.sqrt(FEATURES)
