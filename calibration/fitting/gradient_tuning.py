"""Fine-tuning by gradient: participant alignment and head first, then the trunk at a low rate.

Slower than the head of ``calibration/fitting/finetuning.py`` (some 6 s for 300 trials, and that for
every inner block), and better where there are trials enough: of four simulated participants
with 300 trials each, 12.1 % instead of 10.3 % of 20 classes, and 12.3 % with the trunk.
"""

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from rtbci.decoding.decoders.scaling import Preparation
from rtbci.networks.layers import set_keys
from rtbci.networks.member import WHO
from rtbci.networks.model import Model
from rtbci.networks.recordings import sites_of
from rtbci.types import Array, Samples

if TYPE_CHECKING:
    from calibration.pretraining.folder import PretrainedBackbone

EPOCHS, BATCH = 40, 64
HEADS_RATE, TRUNK_RATE = 1e-3, 1e-4
DECAY = 0.02
NOISE = 0.5  # standard deviations, added to prepared windows
SMOOTHING = 0.1  # of the labels


def tuned_model(
    backbone: "PretrainedBackbone",
    channels: tuple[str, ...],
    shared: tuple[Array, Array],
    prepared: Preparation,
    x: Samples,
    y: np.ndarray,
    trunk: bool,
    seed: int,
) -> Model:
    """Network fine-tuned on ``x`` (trials, channels, times) in microvolts with classes ``y``.

    ``shared`` weights (classes, d) and biases that its head begins with; with ``trunk`` the rest
    of the network moves as well, ten times slower. Repeatable for a seed on one thread.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = backbone.module(seed)
        model.backbone.mount(channels)
        model.add_subject(WHO)
        _other_classes(model, shared)
        own = model.of_subject(WHO)
        groups = [{"params": own, "lr": HEADS_RATE}]
        if trunk:
            known = {id(p) for p in own}
            rest = [p for p in model.backbone.parameters() if id(p) not in known]
            groups.append({"params": rest, "lr": TRUNK_RATE})
        optimiser = torch.optim.AdamW(groups, weight_decay=DECAY)
        _train(model, optimiser, torch.tensor(prepared.apply(x)), torch.tensor(y), prepared)
    return model.eval()


def _train(
    model: Model, optimiser: torch.optim.Optimizer, z: Tensor, y: Tensor, prepared: Preparation
) -> None:
    sites = sites_of([WHO], [prepared])
    counts = torch.bincount(y, minlength=model.shared.classes.out_features).float()
    criterion = nn.CrossEntropyLoss(
        weight=(len(y) / counts.clamp(min=1) / len(counts)), label_smoothing=SMOOTHING
    )
    rates = [group["lr"] for group in optimiser.param_groups]
    for epoch in range(EPOCHS):
        model.train()
        for group, rate in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = rate * (1 + math.cos(math.pi * epoch / EPOCHS)) / 2
        for rows in torch.randperm(len(z)).split(BATCH):
            noisy = z[rows] + NOISE * torch.randn_like(z[rows])
            set_keys(model, torch.randint(2**62, (len(rows),)))
            output = model(noisy, sites, torch.zeros(len(rows), dtype=torch.int64))
            optimiser.zero_grad(set_to_none=True)
            criterion(output.logits, y[rows]).backward()
            optimiser.step()
    set_keys(model, None)


def _other_classes(model: Model, shared: tuple[Array, Array]) -> None:
    """Replace the heads of pretraining by heads for the classes of the calibration."""
    weight, bias = (torch.tensor(each, dtype=torch.float32) for each in shared)
    head = model.own(WHO)
    assert head is not None
    for part, fresh in ((model.shared, weight), (head, torch.zeros_like(weight))):
        layer = nn.Linear(fresh.shape[1], fresh.shape[0])
        with torch.no_grad():
            layer.weight.copy_(fresh)
            layer.bias.copy_(bias if fresh is weight else torch.zeros_like(bias))
        part.classes = layer
