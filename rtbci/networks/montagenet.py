"""MontageNet: electrode positions to virtual channels, then a linear path and a small trunk.

1. Position mixer. Every electrode has features of its position (or of its name). 32 learned
   queries attend to the good electrodes through a softmax, times a signed gain: 32 virtual
   channels, for any number and order of electrodes.
2. Whitening of the virtual channels with the session's mean covariance (label-free; Euclidean
   alignment, He and Wu 2020, doi 10.1109/TBME.2019.2913914), then a 32 x 32 alignment per
   subject that starts at the identity. Together these are one matrix (32, channels) per session.
3. Two parallel paths to the embedding: a linear one over the first cosine coefficients in time
   (a response on 1/f noise is mostly linear in its slow course), and a convolutional one.

Loss measured on the next session of 13 simulated people, 200 trials each, 20 classes (chance
2.996): complete 2.821, without the convolutions 2.838, without the linear path 2.899, without
whitening 2.973, without captions 2.866; shrinkage of 0.01 / 0.05 / 0.2 in the whitening 2.822 /
2.829 / 2.850. Whitening the cosine coefficients as well made it worse (2.852). More noise and
weight decay in training then gave 2.802.

``rtbci/decoding/decoders/montagenet.py`` repeats the forward pass in numpy for the live path.
"""

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from rtbci.decoding.decoders.montagenet import EPSILON, GROUPS, POOL, SHRINK
from rtbci.networks.dims import Dims
from rtbci.networks.electrode_positions import FEATURES, fourier, spread
from rtbci.networks.electrodes import ElectrodeFeatures
from rtbci.networks.layers import TrialDropout
from rtbci.networks.model import BackboneModule
from rtbci.networks.recordings import RecordingContext

VIRTUAL = 32  # virtual channels
KEYS = 64
# Sharpness of the initial attention; a virtual channel then covers about 3 cm.
SHARPNESS = 12.0
# Cosine coefficients in time: up to 24 Hz in half a second.
COSINES = 24
FILTERS = 32
# Lengths of the temporal filters, samples.
WIDE, NARROW = 15, 5


class PositionMixer(nn.Module):
    """Attention of virtual channels to electrodes by position, without regard to the signal."""

    def __init__(self) -> None:
        super().__init__()
        self.key = nn.Linear(FEATURES, KEYS, bias=False)
        self.gain = nn.Linear(FEATURES, VIRTUAL, bias=False)
        nn.init.orthogonal_(self.key.weight)
        nn.init.normal_(self.gain.weight, std=0.1)
        start = torch.tensor(fourier(spread(VIRTUAL)), dtype=torch.float32)
        with torch.no_grad():
            queries = SHARPNESS * math.sqrt(KEYS) * self.key(start)
        self.queries = nn.Parameter(queries)

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        """Weights ``(sites, VIRTUAL, C)`` from features (C, FEATURES) and mask (sites, C)."""
        scores = self.queries @ self.key(features).T / math.sqrt(KEYS)  # (V, C)
        scores = scores.masked_fill(~mask[:, None, :], -torch.inf)
        return torch.softmax(scores, dim=-1) * (1 + self.gain(features).T)


class MontageNetBackbone(BackboneModule):
    """MontageNet as a backbone; see ``rtbci.networks.model.BackboneModule``."""

    basis: Tensor

    def __init__(self, dims: Dims) -> None:
        super().__init__()
        self.mixer = PositionMixer()
        self.electrodes = ElectrodeFeatures(dims.channels)
        self.align = nn.ParameterDict()
        self.register_buffer("basis", torch.tensor(cosines(dims.times), dtype=torch.float32))
        self.linear = nn.Linear(VIRTUAL * COSINES, dims.embedding)
        self.enter = nn.Conv1d(VIRTUAL, FILTERS, 1, bias=False)
        self.wide = nn.Conv1d(FILTERS, FILTERS, WIDE, padding=WIDE // 2, groups=FILTERS)
        self.norm = nn.GroupNorm(GROUPS, FILTERS, EPSILON)
        self.narrow = nn.Conv1d(FILTERS, FILTERS, NARROW, padding=NARROW // 2, groups=FILTERS)
        self.leave = nn.Conv1d(FILTERS, FILTERS // 2, 1)
        self.project = nn.Linear(FILTERS // 2 * (dims.times // POOL), dims.embedding)
        self.drop, self.drop_linear = TrialDropout(0.5), TrialDropout(0.25)
        for subject in dims.subjects:
            self.add_subject(subject)

    def add_subject(self, subject: str) -> None:
        """Add an alignment for ``subject``, at the identity."""
        self.align[subject] = nn.Parameter(torch.zeros(VIRTUAL, VIRTUAL))

    def forward(self, x: Tensor, sites: RecordingContext, group: Tensor) -> Tensor:
        """``x`` (B, C, T), ``group`` (B,) row of ``sites``; returns (B, embedding)."""
        y = self.filters(sites)[group] @ x  # (B, V, T)
        slow = (y @ self.basis).flatten(1)  # (B, V * COSINES)
        return self.linear(self.drop_linear(slow)) + self.trunk(y)

    def filters(self, sites: RecordingContext) -> Tensor:
        """Spatial filters ``(sites, V, C)``: mixing, whitening and alignment as one matrix."""
        weights = self.mixer(self.electrodes(), sites.mask)
        if sites.covariance is not None:
            weights = whitening(weights.detach(), sites.covariance) @ weights
        own = torch.stack([self.alignment(subject) for subject in sites.subjects])
        return own @ weights

    def alignment(self, subject: str) -> Tensor:
        """Alignment ``(V, V)`` of a subject; the identity if the subject is unknown."""
        identity = torch.eye(VIRTUAL)
        return identity + self.align[subject] if subject in self.align else identity

    def trunk(self, y: Tensor) -> Tensor:
        """Convolutional path from virtual channels (B, V, T) to (B, embedding)."""
        z = functional.elu(self.norm(self.wide(self.enter(y))))  # (B, F, T)
        z = functional.avg_pool1d(z, POOL)  # (B, F, T / POOL)
        z = functional.elu(self.leave(self.narrow(self.drop(z))))  # (B, F / 2, T / POOL)
        return self.project(z.flatten(1))


def whitening(weights: Tensor, covariance: Tensor) -> Tensor:
    """Inverse root ``(sites, V, V)`` of the shrunk covariance of the virtual channels.

    Computed in float64 and without a gradient; it is recomputed from the mixer at every step.
    """
    with torch.no_grad():
        wide = weights.double()
        virtual = wide @ covariance.double() @ wide.mT
        mean = virtual.diagonal(dim1=-2, dim2=-1).mean(-1)[:, None, None]
        virtual = (1 - SHRINK) * virtual + SHRINK * mean * torch.eye(VIRTUAL)
        values, vectors = torch.linalg.eigh(virtual)
        return (vectors * values.rsqrt()[:, None, :] @ vectors.mT).float()


def cosines(times: int) -> np.ndarray:
    """First ``COSINES`` vectors of the orthonormal cosine transform (type 2), (times, COSINES).

    Each is scaled up with its frequency: the spectrum of background EEG falls about as 1/f, so
    the scaled coefficients have similar variances.
    """
    t, k = np.arange(times)[:, None] + 0.5, np.arange(COSINES)[None, :]
    basis = np.cos(np.pi * t * k / times) * np.sqrt(2 / times)
    return basis * np.sqrt(np.maximum(k, 1) / COSINES) * np.where(k == 0, np.sqrt(0.5), 1.0)


Backbone = MontageNetBackbone  # the name that ``rtbci.networks.build`` looks up
