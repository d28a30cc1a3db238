"""Conversion of a trained MontageNet in torch to the arrays of the numpy decoder."""

import numpy as np
import torch
from torch import Tensor

from rtbci.decoding.decoders.scaling import Preparation
from rtbci.networks.model import Model
from rtbci.networks.montagenet import VIRTUAL, MontageNetBackbone
from rtbci.types import Array


def arrays(
    model: Model,
    subject: str | None,
    prepared: Preparation,
    *,
    stream: int = 0,
    grid: Array | None = None,
) -> dict[str, Array]:
    """Arrays of ``rtbci.decoding.decoders.montagenet.MontageNet``: all but the class names.

    ``subject`` selects the alignment and the subject's own head; with None or an unknown subject
    only the shared head is used. ``grid`` is the matrix of ``onto_grid``, for windows that do not
    have the network's rate.
    """
    net = model.backbone
    assert isinstance(net, MontageNetBackbone)
    own = model.own(subject)
    heads = [model.shared, *([own] if own is not None else [])]
    texts = [head.text for head in heads if head.text is not None]
    found: dict[str, Tensor] = {
        "features": net.electrodes(),
        "queries": net.mixer.queries,
        "key": net.mixer.key.weight,
        "gain": net.mixer.gain.weight,
        "align": torch.eye(VIRTUAL) if subject is None else net.alignment(subject),
        "basis": net.basis,
        "linear": net.linear.weight,
        "linear_bias": _bias(net.linear),
        "enter": net.enter.weight[:, :, 0],
        "wide": net.wide.weight[:, 0],
        "wide_bias": _bias(net.wide),
        "norm_weight": net.norm.weight,
        "norm_bias": net.norm.bias,
        "narrow": net.narrow.weight[:, 0],
        "narrow_bias": _bias(net.narrow),
        "leave": net.leave.weight[:, :, 0],
        "leave_bias": _bias(net.leave),
        "project": net.project.weight,
        "project_bias": _bias(net.project),
        "class_head": torch.stack([head.classes.weight for head in heads]).sum(0),
        "class_bias": torch.stack([head.classes.bias for head in heads]).sum(0),
        "text_head": torch.zeros(0, net.linear.out_features),
        "text_bias": torch.zeros(0),
    }
    if texts:
        found["text_head"] = torch.stack([t.weight for t in texts]).sum(0)
        found["text_bias"] = torch.stack([t.bias for t in texts]).sum(0)
    out: dict[str, Array] = {k: v.detach().numpy().copy() for k, v in found.items()}
    return out | {
        "stream": np.array([stream]),
        "grid": np.zeros((0, 0)) if grid is None else grid,
        "scale": prepared.scale,
        "covariance": prepared.covariance,
        "good": prepared.good.astype(np.float32),
    }


def _bias(layer: torch.nn.Linear | torch.nn.Conv1d) -> Tensor:
    assert layer.bias is not None
    return layer.bias
