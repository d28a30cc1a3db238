"""Layers whose result does not depend on how a batch is spread over processes.

Dropout derives each trial's mask from a key of that trial, and batch normalisation computes its
statistics over all processes. With both, two processes give the same loss as one.
"""

import torch
from torch import Tensor, nn
from torch.distributed import is_available, is_initialized

_MIX = (-7046029254386353131, -4417276706812531889, 2862933555777941757)  # odd 64-bit numbers


class TrialDropout(nn.Module):
    """Dropout with a mask derived from ``keys`` (trials,) int64, set by the training loop.

    Without keys it is the identity, as in evaluation.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share
        self.salt = 0  # differs from layer to layer; set by ``number_dropouts``
        self.keys: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        """``x`` (trials, ...) with the share set to zero and the rest scaled up."""
        if not self.training or self.keys is None or self.share <= 0:
            return x
        size = x[0].numel()
        # A counter, mixed twice (Steele et al. 2014, doi 10.1145/2660193.2660195).
        places = torch.arange(size, dtype=torch.int64) * _MIX[0]
        places = places + torch.tensor(self.salt) * _MIX[1]
        mixed = self.keys[:, None] * _MIX[2] + places
        mixed = (mixed ^ (mixed >> 29)) * _MIX[1]
        mixed = (mixed ^ (mixed >> 32)) * _MIX[0]
        kept = (mixed >> 33) >= int((2 * self.share - 1) * 2**30)  # of -2**30 to 2**30
        return x * (kept.to(x.dtype) / (1 - self.share)).view(x.shape)


def number_dropouts(module: nn.Module) -> None:
    """Assign every dropout of ``module`` its own salt, in the order of the modules."""
    for number, each in enumerate(m for m in module.modules() if isinstance(m, TrialDropout)):
        each.salt = number + 1


def set_keys(module: nn.Module, keys: Tensor | None) -> None:
    """Set the trials' keys in every dropout of ``module``."""
    for each in module.modules():
        if isinstance(each, TrialDropout):
            each.keys = keys


class BatchNorm(nn.Module):
    """Batch normalisation over trials and all axes after the second, over all processes.

    ``features`` is the length of the second axis.
    """

    mean: Tensor
    variance: Tensor

    def __init__(self, features: int, momentum: float = 0.1, epsilon: float = 1e-5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(features))
        self.bias = nn.Parameter(torch.zeros(features))
        self.momentum, self.epsilon = momentum, epsilon
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("variance", torch.ones(features))

    def forward(self, x: Tensor) -> Tensor:
        """``x`` (trials, features, ...), standardised by feature, then scaled and shifted."""
        mean, variance = self.mean, self.variance
        if self.training:
            axes = [axis for axis in range(x.dim()) if axis != 1]
            count = torch.full_like(self.mean, x.numel() / x.shape[1])
            mean, square, count = over_processes(
                torch.stack([x.sum(axes), (x * x).sum(axes), count])
            )
            mean, square = mean / count, square / count
            variance = (square - mean * mean).clamp_min(0)
            with torch.no_grad():
                self.mean.lerp_(mean, self.momentum)
                self.variance.lerp_(variance, self.momentum)
        shape = (1, -1, *(1,) * (x.dim() - 2))
        gain = self.weight * torch.rsqrt(variance + self.epsilon)
        return x * gain.view(shape) + (self.bias - mean * gain).view(shape)


def over_processes(sums: Tensor) -> Tensor:
    """``sums`` added over all processes, if there are several; differentiable."""
    if not (is_available() and is_initialized()):
        return sums
    from torch.distributed.nn.functional import all_reduce

    return all_reduce(sums)
