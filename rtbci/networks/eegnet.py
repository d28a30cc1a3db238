"""EEGNet-8,2 (Lawhern et al. 2018, doi 10.1088/1741-2552/aace8c): 48 numbers of half a second.

Eight temporal filters half a second long, two spatial filters for each, then a separable
convolution. The paper's temporal filters come first; as both are linear, the spatial ones may, at
an eighth of the work. The normalisation between them has nothing left to do.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from rtbci.networks.dims import RATE, Dims
from rtbci.networks.electrodes import FixedChannels
from rtbci.networks.layers import BatchNorm, TrialDropout
from rtbci.networks.model import BackboneModule
from rtbci.networks.recordings import RecordingContext

TEMPORAL, SPATIAL = 8, 2  # F1, D
LONG = round(RATE / 2)  # samples of a temporal filter: half the rate
SHORT = 16  # of the separable convolution
POOLS = 4, 8
LARGEST_NORM = 1.0  # of a spatial filter


class EEGNet(BackboneModule):
    """See ``rtbci.networks.model.BackboneModule``."""

    def __init__(self, dims: Dims) -> None:
        super().__init__()
        many = TEMPORAL * SPATIAL
        self.electrodes = FixedChannels(dims.channels)
        self.spatial = nn.Parameter(torch.empty(many, len(dims.channels)))
        nn.init.xavier_uniform_(self.spatial)
        self.temporal = nn.Parameter(torch.empty(TEMPORAL, 1, LONG))
        nn.init.xavier_uniform_(self.temporal)
        self.norm = BatchNorm(many)
        self.depth = nn.Conv1d(many, many, SHORT, groups=many, bias=False)
        self.point = nn.Conv1d(many, many, 1, bias=False)
        self.norm_out = BatchNorm(many)
        self.drop, self.drop_out = TrialDropout(0.25), TrialDropout(0.25)
        size = many * (dims.times // POOLS[0] // POOLS[1])
        assert size == dims.embedding, f"EEGNet gives {size} numbers, not {dims.embedding}"

    def forward(self, x: Tensor, sites: RecordingContext, group: Tensor) -> Tensor:
        """``x`` (B, C, T) to (B, 48)."""
        x = self.electrodes(x, sites.mask[group])
        norms = self.spatial.norm(dim=1, keepdim=True)
        z = (self.spatial * (LARGEST_NORM / norms).clamp(max=1)) @ x  # (B, F1 D, T)
        z = functional.pad(z, ((LONG - 1) // 2, LONG // 2))
        z = functional.conv1d(z, self.temporal.repeat_interleave(SPATIAL, 0), groups=z.shape[1])
        z = functional.avg_pool1d(functional.elu(self.norm(z)), POOLS[0])  # (B, F1 D, T / 4)
        z = functional.pad(self.drop(z), ((SHORT - 1) // 2, SHORT // 2))
        z = self.point(self.depth(z))
        z = functional.avg_pool1d(functional.elu(self.norm_out(z)), POOLS[1])
        return self.drop_out(z.flatten(1))


Backbone = EEGNet  # the name that ``rtbci.networks.build`` asks for
