"""Pretraining: one backbone for many people, a head for each, from a dataset on disk.

done = pretrain(Plan(data, out), progress)
backbone = load_backbone(out)
"""

from calibration.pretraining.folder import Answers, Backbone, load_backbone, save_backbone
from calibration.pretraining.pretrain import Plan, Pretrained, pretrain

__all__ = [
    "Answers",
    "Backbone",
    "Plan",
    "Pretrained",
    "load_backbone",
    "pretrain",
    "save_backbone",
]
