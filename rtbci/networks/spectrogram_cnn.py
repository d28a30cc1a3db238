"""Residual network on spectrograms of 40 ms windows (Ferrante et al., arXiv 2312.07705).

The recipe removes 49-51 Hz and passes 14-70 Hz. Every sample is standardised across channels.
Hann windows of 40 ms give the log power between 14 and 70 Hz, one image plane per electrode.
Residual blocks with an increasing number of filters, a global mean and one linear layer give 128
numbers. It is trained with a teacher's soft targets in addition to the classes.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from rtbci.networks.dims import RATE, Dims
from rtbci.networks.electrodes import FixedChannels
from rtbci.networks.layers import BatchNorm, TrialDropout
from rtbci.networks.model import BackboneModule
from rtbci.networks.recordings import RecordingContext

WINDOW = round(0.040 * RATE)  # samples
STEP = 4  # samples, 16 ms
POINTS = 32  # length of the padded transform; bins are 7.8 Hz apart
LOW, HIGH = 14.0, 70.0  # Hz
GROWING = (32, 64, 128)  # filters of each block


class Block(nn.Module):
    """Two convolutions with a shortcut; from the second block on they halve the image."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.second = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.short = nn.Conv2d(before, after, 1, stride, bias=False)
        self.norm, self.norm_out = BatchNorm(after), BatchNorm(after)

    def forward(self, z: Tensor) -> Tensor:
        """(B, before, H, W) to (B, after, H / stride, W / stride)."""
        deep = self.norm_out(self.second(functional.relu(self.norm(self.first(z)))))
        return functional.relu(deep + self.short(z))


class SpectrogramCNN(BackboneModule):
    """Spectrogram network as a backbone; see ``rtbci.networks.model.BackboneModule``."""

    transform: Tensor

    def __init__(self, dims: Dims) -> None:
        super().__init__()
        self.electrodes = FixedChannels(dims.channels)
        self.register_buffer("transform", torch.tensor(_transform(), dtype=torch.float32))
        self.norm = BatchNorm(len(dims.channels))
        before = (len(dims.channels), *GROWING[:-1])
        self.blocks = nn.ModuleList(
            Block(b, a, 1 if number == 0 else 2)
            for number, (b, a) in enumerate(zip(before, GROWING, strict=True))
        )
        self.drop = TrialDropout(0.5)
        self.project = nn.Linear(GROWING[-1], dims.embedding)

    def forward(self, x: Tensor, sites: RecordingContext, group: Tensor) -> Tensor:
        """``x`` (B, C, T) to (B, embedding)."""
        z = self.norm(self.spectrogram(self.electrodes(x, sites.mask[group])))
        for block in self.blocks:
            z = block(z)
        return self.project(self.drop(z.mean((2, 3))))

    def spectrogram(self, x: Tensor) -> Tensor:
        """Log power ``(B, C, bins, frames)`` of ``x`` (B, C, T), standardised across channels."""
        x = x - x.mean(1, keepdim=True)
        x = x / x.square().mean(1, keepdim=True).sqrt().clamp_min(1e-3)
        parts = x.unfold(2, WINDOW, STEP) @ self.transform  # (B, C, frames, 2 bins)
        real, imaginary = parts.chunk(2, dim=-1)
        return (real.square() + imaginary.square() + 1e-3).log().transpose(2, 3)


def _transform() -> np.ndarray:
    """Hann-windowed Fourier transform ``(WINDOW, 2 bins)``, bins from LOW to HIGH."""
    hertz = np.fft.rfftfreq(POINTS, 1 / RATE)
    kept = np.flatnonzero((hertz >= LOW) & (hertz <= HIGH))
    phase = 2 * np.pi * np.arange(WINDOW)[:, None] * kept / POINTS
    hann = np.hanning(WINDOW + 2)[1:-1, None]
    return np.concatenate([hann * np.cos(phase), -hann * np.sin(phase)], axis=1) / np.sqrt(WINDOW)


Backbone = SpectrogramCNN  # the name that ``rtbci.networks.build`` looks up
