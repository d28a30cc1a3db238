"""Transformer over electrodes.

A small convolutional network, shared by all electrodes, turns the signal of each into a token of
64 numbers (mean over time), and a transformer shared by all subjects mixes the tokens. The output
is the mean over electrodes plus a readout of the subject's own: a linear layer, one more
transformer layer, or an LSTM over the electrodes. A subject added after training starts with the
mean alone.

The design is that of the guided project of the course CMU 11-685: a one-dimensional convolutional
network per electrode, averaged over time to 64 numbers per electrode (122 x 64), a transformer
shared by all subjects, and one head per subject.
"""

import zlib

import torch
from torch import Tensor, nn
from torch.nn import functional

from rtbci.errors import BadInput
from rtbci.networks.dims import Dims
from rtbci.networks.electrode_positions import FEATURES
from rtbci.networks.electrodes import ElectrodeFeatures
from rtbci.networks.layers import TrialDropout
from rtbci.networks.model import BackboneModule
from rtbci.networks.recordings import RecordingContext

WIDTH = 64  # size of an electrode's token
LAYERS, ATTENTION_HEADS, FORWARD = 2, 4, 128
KERNEL, STEPS, FILTERS = 9, (4, 2), 16


class Reader(nn.Module):
    """A subject's own readout, added to the mean over the electrodes."""

    def forward(self, tokens: Tensor, absent: Tensor) -> Tensor:
        """Readout ``(B, WIDTH)`` of tokens (B, C, WIDTH); ``absent`` is (B, C) bool."""
        raise NotImplementedError

    def silence(self) -> None:
        """Set the output to zero while leaving a gradient, so that it can still be trained."""
        raise NotImplementedError


def layer() -> nn.TransformerEncoderLayer:
    """One transformer layer.

    Its built-in dropout is off: it would depend on how a batch is spread over processes.
    """
    return nn.TransformerEncoderLayer(
        WIDTH, ATTENTION_HEADS, FORWARD, dropout=0.0, batch_first=True, norm_first=True
    )


def mean(tokens: Tensor, absent: Tensor) -> Tensor:
    """Mean over the electrodes that are present."""
    there = (~absent).to(tokens.dtype)[:, :, None]
    return (tokens * there).sum(1) / there.sum(1)


class TransformerReader(Reader):
    """One more transformer layer; the readout is the change that it makes to the mean."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = layer()

    def forward(self, tokens: Tensor, absent: Tensor) -> Tensor:
        """See ``Reader``."""
        return mean(self.layer(tokens, src_key_padding_mask=absent) - tokens, absent)

    def silence(self) -> None:
        """See ``Reader``."""
        for each in (self.layer.self_attn.out_proj, self.layer.linear2):
            nn.init.zeros_(each.weight)
            nn.init.zeros_(each.bias)


class LstmReader(Reader):
    """Last state of an LSTM that runs over the electrodes in order."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(WIDTH, WIDTH, batch_first=True)

    def forward(self, tokens: Tensor, absent: Tensor) -> Tensor:
        """See ``Reader``."""
        return self.lstm(tokens.masked_fill(absent[:, :, None], 0))[1][0][0]

    def silence(self) -> None:
        """See ``Reader``. The third quarter of each parameter holds the cell's input."""
        with torch.no_grad():
            for each in self.lstm.parameters():
                each[2 * WIDTH : 3 * WIDTH] = 0


class LinearReader(Reader):
    """One linear layer on the mean."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(WIDTH, WIDTH)

    def forward(self, tokens: Tensor, absent: Tensor) -> Tensor:
        """See ``Reader``."""
        return self.layer(mean(tokens, absent))

    def silence(self) -> None:
        """See ``Reader``."""
        nn.init.zeros_(self.layer.weight)
        nn.init.zeros_(self.layer.bias)


READERS: dict[str, type[Reader]] = {
    "linear": LinearReader,
    "transformer": TransformerReader,
    "lstm": LstmReader,
}


class ElectrodeTransformer(BackboneModule):
    """Electrode transformer as a backbone; see ``rtbci.networks.model.BackboneModule``."""

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
            self.readers[subject] = self.kind()

    def add_subject(self, subject: str) -> None:
        """Add a readout for ``subject``: zero at first, and the same in every run."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(zlib.crc32(subject.encode()))
            reader = self.kind()
        reader.silence()
        self.readers[subject] = reader

    def forward(self, x: Tensor, sites: RecordingContext, group: Tensor) -> Tensor:
        """``x`` (B, C, T) to (B, WIDTH)."""
        absent = ~sites.mask[group]
        tokens = self.drop(self.tokens(x) + self.place(self.electrodes()))  # (B, C, WIDTH)
        for each in self.layers:
            tokens = each(tokens, src_key_padding_mask=absent)
        tokens = self.norm(tokens)
        out = mean(tokens, absent)  # an unknown subject gets this alone
        for subject in dict.fromkeys(sites.subjects):
            if subject in self.readers:
                rows = [row for row, each in enumerate(sites.subjects) if each == subject]
                chosen = torch.isin(group, torch.tensor(rows)).nonzero()[:, 0]
                if len(chosen):
                    own = self.readers[subject](tokens[chosen], absent[chosen])
                    out = out.index_add(0, chosen, own)
        return out

    def tokens(self, x: Tensor) -> Tensor:
        """Tokens ``(B, C, WIDTH)``: the same convolutions for every electrode, mean over time."""
        z = x.reshape(-1, 1, x.shape[2])  # (B C, 1, T)
        z = functional.gelu(self.second(functional.gelu(self.first(z))))
        return z.mean(2).view(x.shape[0], x.shape[1], WIDTH)


Backbone = ElectrodeTransformer  # the name that ``rtbci.networks.build`` looks up
