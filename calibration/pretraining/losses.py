"""Training losses: classes, captions and distillation from a teacher, each a sum over trials.

Sums, not means: with the batch spread over processes, their parts add up to the whole.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from rtbci.networks.model import Output


@dataclass(frozen=True)
class Weights:
    """Weights and constants of the losses."""

    classes: float = 1.0
    cosine: float = 0.5
    contrast: float = 0.5
    teacher: float = 0.0
    smoothing: float = 0.1  # of the labels
    # temperature of the contrast, as CLIP begins with it (Radford et al. 2021, arXiv 2103.00020)
    tau: float = 0.07
    tau_teacher: float = 2.0
    tau_student: float = 2.0


@dataclass(frozen=True)
class Targets:
    """Targets of a batch; a mixed trial is ``share`` of the first and the rest of the other."""

    y: Tensor  # (B,)
    other_y: Tensor  # (B,)
    share: Tensor  # (B,) from 0.5 to 1
    text: Tensor | None  # (B, text) points of the captions
    other_text: Tensor | None
    has_text: Tensor | None  # (B,) 1.0 where the trial has a caption
    pool: Tensor | None  # (N, text) captions of the whole batch, of all processes
    place: Tensor | None  # (B,) row of each trial in ``pool``
    teacher: Tensor | None  # (B, K) soft targets; zeros where the teacher has none


def loss(output: Output, targets: Targets, weights: Weights) -> Tensor:
    """The weighted sum over trials, a scalar."""
    share = targets.share
    total = weights.classes * (
        share * _cross_entropy(output.logits, targets.y, weights.smoothing)
        + (1 - share) * _cross_entropy(output.logits, targets.other_y, weights.smoothing)
    )
    if output.text is not None and targets.text is not None:
        assert targets.other_text is not None
        assert targets.has_text is not None
        point = functional.normalize(output.text, dim=1)
        mixed = share[:, None] * targets.text + (1 - share[:, None]) * targets.other_text
        near = 1 - (point * functional.normalize(mixed, dim=1)).sum(1)
        total = total + targets.has_text * weights.cosine * near
        if targets.pool is not None and weights.contrast:
            assert targets.place is not None
            apart = contrast(point, targets.pool, targets.place, weights.tau)
            total = total + targets.has_text * weights.contrast * share * apart
    if targets.teacher is not None and weights.teacher:
        taught = (targets.teacher.sum(1) > 0).float()
        total = total + taught * weights.teacher * distil(output.logits, targets.teacher, weights)
    return total.sum()


def contrast(point: Tensor, pool: Tensor, place: Tensor, tau: float) -> Tensor:
    """InfoNCE ``(B,)`` against all captions of the batch, debiased.

    A caption counts as a negative by how little it says the same: weight 1 - cosine, 0 for the
    same words.
    """
    scores = point @ pool.T / tau  # (B, N)
    alike = (pool[place] @ pool.T).clamp(0, 1)
    weight = torch.where(alike > 0.999, 0.0, 1 - alike)
    weight = weight.scatter(1, place[:, None], 1.0)
    own = scores.gather(1, place[:, None])[:, 0]
    return torch.logsumexp(scores + weight.clamp_min(1e-9).log(), dim=1) - own


def distil(logits: Tensor, teacher: Tensor, weights: Weights) -> Tensor:
    """Kullback-Leibler divergence ``(B,)`` from the teacher's softened targets, times tau²."""
    soft = (teacher.clamp_min(1e-9).log() / weights.tau_teacher).softmax(1)
    said = (logits / weights.tau_student).log_softmax(1)
    return (soft * (soft.clamp_min(1e-9).log() - said)).sum(1) * weights.tau_student**2


def _cross_entropy(logits: Tensor, y: Tensor, smoothing: float) -> Tensor:
    return functional.cross_entropy(logits, y, reduction="none", label_smoothing=smoothing)
