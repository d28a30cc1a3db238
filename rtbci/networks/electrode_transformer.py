"""A transformer over electrodes (CMU 11-685 guided project, decoding.md section 6).

One small convolutional network, the same for all electrodes, turns each into 64 numbers (mean over
time); a shared transformer mixes them; to the mean over electrodes every subject adds its own way
of reading them out: one linear layer, one more transformer layer, or an LSTM over the electrodes.
"""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from rtbci.errors import BadInput
from rtbci.networks import Dims
from rtbci.networks.electrodes import ElectrodeFeatures
from rtbci.networks.layers import TrialDropout
from rtbci.networks.places import FEATURES
from rtbci.networks.sites import Sites

WIDTH = 64  # numbers an electrode
LAYERS, ATTENTION_HEADS, FORWARD = 2, 4, 128
KERNEL, STEPS, FILTERS = 9, (4, 2), 16


class Reader(Protocol):
    """How a subject reads the electrodes out."""

    def __call__(self, tokens: Tensor, absent: Tensor) -> Tensor:
        """``(B, WIDTH)`` of tokens (B, C, WIDTH), absent (B, C) bool."""
        ...


def layer() -> nn.TransformerEncoderLayer:
    """One layer; its own dropout would depend on how a batch is shared out."""
    return nn.TransformerEncoderLayer(
        WIDTH, ATTENTION_HEADS, FORWARD, dropout=0.0, batch_first=True, norm_first=True
    )


def mean(tokens: Tensor, absent: Tensor) -> Tensor:
    """The mean over the electrodes that are there."""
    there = (~absent).to(tokens.dtype)[:, :, None]
    return (tokens * there).sum(1) / there.sum(1)


class TransformerReader(nn.Module):
    """One more layer, then the mean."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = layer()

    def forward(self, tokens: Tensor, absent: Tensor) -> Tensor:
        """See ``Reader``."""
        return mean(self.layer(tokens, src_key_padding_mask=absent), absent)


class LstmReader(nn.Module):
    """The last state of an LSTM that runs over the electrodes in their order."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(WIDTH, WIDTH, batch_first=True)

    def forward(self, tokens: Tensor, absent: Tensor) -> Tensor:
        """See ``Reader``."""
        return self.lstm(tokens.masked_fill(absent[:, :, None], 0))[1][0][0]


class LinearReader(nn.Module):
    """The mean through one layer."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(WIDTH, WIDTH)

    def forward(self, tokens: Tensor, absent: Tensor) -> Tensor:
        """See ``Reader``."""
        return self.layer(mean(tokens, absent))


READERS: dict[str, type[nn.Module]] = {
    "linear": LinearReader,
    "transformer": TransformerReader,
    "lstm": LstmReader,
}


class Backbone(nn.Module):
    """See ``rtbci.networks.model.BackboneModule``."""

    def __init__(self, dims: Dims) -> None:
        super().__init__()
        kind = str(dims.options.get("head", "linear"))
        if kind not in READERS:
            raise BadInput(f"no head {kind!r}; there are {', '.join(READERS)}")
        assert dims.embedding == WIDTH, f"the transformer gives {WIDTH} numbers an electrode"
        self.kind = READERS[kind]
        self.electrodes = ElectrodeFeatures(dims.channels)
        self.place = nn.Linear(FEATURES, WIDTH)
        self.first = nn.Conv1d(1, FILTERS, KERNEL, STEPS[0], KERNEL // 2)
        self.second = nn.Conv1d(FILTERS, WIDTH, KERNEL, STEPS[1], KERNEL // 2)
        self.layers = nn.ModuleList(layer() for _ in range(LAYERS))
        self.norm = nn.LayerNorm(WIDTH)
        self.drop = TrialDropout(0.2)
        self.readers = nn.ModuleDict()
        for subject in dims.subjects:
            self.add_subject(subject)

    def add_subject(self, subject: str) -> None:
        """A way of reading out for ``subject``."""
        self.readers[subject] = self.kind()

    def mount(self, channels: Sequence[str]) -> None:
        """Take ``channels`` as the electrodes of the input."""
        self.electrodes.mount(channels)

    def forward(self, x: Tensor, sites: Sites, group: Tensor) -> Tensor:
        """``x`` (B, C, T) to (B, WIDTH)."""
        absent = ~sites.mask[group]
        tokens = self.drop(self.tokens(x) + self.place(self.electrodes()))  # (B, C, WIDTH)
        for each in self.layers:
            tokens = each(tokens, src_key_padding_mask=absent)
        tokens = self.norm(tokens)
        out = mean(tokens, absent)  # all that there is for a subject who is not known
        for subject in dict.fromkeys(sites.subjects):
            if subject in self.readers:
                rows = [row for row, each in enumerate(sites.subjects) if each == subject]
                chosen = torch.isin(group, torch.tensor(rows)).nonzero()[:, 0]
                if len(chosen):
                    own = self.readers[subject](tokens[chosen], absent[chosen])
                    out = out.index_add(0, chosen, own)
        return out

    def tokens(self, x: Tensor) -> Tensor:
        """``(B, C, WIDTH)``: the same convolutions over every electrode, mean over time."""
        z = x.reshape(-1, 1, x.shape[2])  # (B C, 1, T)
        z = functional.gelu(self.second(functional.gelu(self.first(z))))
        return z.mean(2).view(x.shape[0], x.shape[1], WIDTH)
