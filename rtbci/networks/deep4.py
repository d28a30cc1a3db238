"""Deep4 (Schirrmeister et al. 2017, doi 10.1002/hbm.23730) with a 128-dimensional output.

The output size is that of EEG-CLIP. Four blocks, each a convolution and max pooling over 3
samples, have 25, 50, 100 and 200 filters of 10 samples; the first block filters in space and in
time. The paper uses windows of several seconds. Half a second is too short for four unpadded
blocks, so the convolutions of the later blocks are padded to keep the length.
"""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

from rtbci.networks.dims import Dims
from rtbci.networks.electrodes import FixedChannels
from rtbci.networks.layers import BatchNorm, TrialDropout
from rtbci.networks.model import BackboneModule
from rtbci.networks.recordings import RecordingContext

FILTERS = (25, 50, 100, 200)
LENGTH, POOL = 10, 3  # samples


class Deep4(BackboneModule):
    """Deep4 as a backbone; see ``rtbci.networks.model.BackboneModule``."""

    def __init__(self, dims: Dims) -> None:
        super().__init__()
        self.electrodes = FixedChannels(dims.channels)
        first = FILTERS[0]
        # The paper filters in time first. Both filters are linear, so the order does not change
        # the result, and with the spatial one first each filter has one weight per electrode.
        self.spatial = nn.Conv1d(len(dims.channels), first, 1, bias=False)
        self.temporal = nn.Conv1d(first, first, LENGTH, bias=False)
        self.norms = nn.ModuleList(BatchNorm(count) for count in FILTERS)
        self.convs = nn.ModuleList(
            nn.Conv1d(before, count, LENGTH, bias=False) for before, count in pairwise(FILTERS)
        )
        self.drops = nn.ModuleList(TrialDropout(0.5) for _ in self.convs)
        times = (dims.times - LENGTH + 1) // POOL
        for _ in self.convs:
            times //= POOL
        self.project = nn.Linear(FILTERS[-1] * times, dims.embedding)

    def forward(self, x: Tensor, sites: RecordingContext, group: Tensor) -> Tensor:
        """``x`` (B, C, T) to (B, embedding)."""
        z = self.temporal(self.spatial(self.electrodes(x, sites.mask[group])))  # (B, 25, T - 9)
        z = functional.max_pool1d(functional.elu(self.norms[0](z)), POOL)
        for drop, conv, norm in zip(self.drops, self.convs, self.norms[1:], strict=True):
            z = conv(functional.pad(drop(z), ((LENGTH - 1) // 2, LENGTH // 2)))
            z = functional.max_pool1d(functional.elu(norm(z)), POOL)
        return self.project(z.flatten(1))


Backbone = Deep4  # the name that ``rtbci.networks.build`` looks up
