"""Pretraining of one backbone on many participants, with a head for each, from a dataset on disk.

done = pretrain(Plan(data, out), progress)
backbone = load_backbone(out)
"""

from calibration.pretraining.folder import (
    NetworkOutputs,
    PretrainedBackbone,
    load_backbone,
    save_backbone,
)
from calibration.pretraining.pretrain import Pretrained, PretrainingSettings, pretrain

__all__ = [
    "NetworkOutputs",
    "Pretrained",
    "PretrainedBackbone",
    "PretrainingSettings",
    "load_backbone",
    "pretrain",
    "save_backbone",
]
