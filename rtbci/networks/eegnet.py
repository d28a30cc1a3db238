"""EEGNet-8,2 (Lawhern et al. 2018, doi 10.1088/1741-2552/aace8c) with a 48-dimensional output.

Eight temporal filters of half a second, two spatial filters for each, then a separable
convolution. The paper applies the temporal filters first. Both are linear, so the spatial ones
are applied first here, which takes an eighth of the work; the batch normalisation between them
then has no effect and is left out.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from rtbci.networks.dims import RATE, Dims
from rtbci.networks.electrodes import FixedChannels
from rtbci.networks.layers import BatchNorm, TrialDropout
from rtbci.networks.model import BackboneModule
from rtbci.networks.recordings import RecordingContext

# Temporal filters (F1 in the paper), and spatial filters for each of them (D).
TEMPORAL, SPATIAL = 8, 2
# Length of a temporal filter, samples: half a second.
LONG = round(RATE / 2)
# Length of a filter of the separable convolution, samples.
SHORT = 16
POOLS = 4, 8
# Limit of a spatial filter's norm.
LARGEST_NORM = 1.0


class EEGNet(BackboneModule):
    """EEGNet as a backbone; see ``rtbci.networks.model.BackboneModule``."""

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


Backbone = EEGNet  # the name that ``rtbci.networks.build`` looks up
