"""Training loop: seeded, resumable at any moment, independent of the number of processes.

After every epoch everything that the next one needs goes into one file, which is renamed into
place. What is random in an epoch follows from the seed and its number, so that a run that was
killed and started again ends with the same weights as one that was not.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from calibration.pretraining.batches import Batch, Batches
from calibration.pretraining.losses import Weights, loss
from calibration.pretraining.processes import ProcessRank, add_up, share_gradients
from calibration.pretraining.split import CHECK, TRAIN
from rtbci.networks.layers import set_keys
from rtbci.networks.model import Model, Output

WARM_UP = 0.05  # of all steps, until the rate is full
LONGEST_GRADIENT = 5.0  # norm; longer ones are cut


@dataclass(frozen=True)
class TrainingSettings:
    """Length and learning rate of a training."""

    epochs: int = 20
    batch: int = 128  # trials, of all processes together
    rate: float = 1e-3
    decay: float = 0.2  # of the weights (AdamW)
    average: float = 0.999  # of the moving average of the weights
    patience: int = 6  # epochs without a better validation, then it stops
    seed: int = 0


@dataclass
class State:
    """Training state that changes from epoch to epoch; ``checkpoint.py`` stores it."""

    model: Model
    optimiser: torch.optim.AdamW
    average: dict[str, Tensor]  # moving average of every parameter
    updates: dict[str, int]  # how often each was updated
    epoch: int = 0  # epochs that are done
    steps: int = 0
    best: dict[str, Tensor] = field(default_factory=dict)  # averaged weights of the best epoch
    history: list[dict[str, float]] = field(default_factory=list)

    @property
    def best_epoch(self) -> int:
        """Epoch with the lowest validation loss, from 0; -1 before the first.

        A loss that is not finite is worse than any.
        """
        values = np.array([each["validation"] for each in self.history])
        return int(np.argmin(np.where(np.isfinite(values), values, np.inf))) if len(values) else -1


def fresh(model: Model, settings: TrainingSettings) -> State:
    """Training state before the first epoch."""
    optimiser = torch.optim.AdamW(model.parameters(), settings.rate, weight_decay=settings.decay)
    average = {name: p.detach().clone() for name, p in model.named_parameters()}
    return State(model, optimiser, average, dict.fromkeys(average, 0))


def train(
    state: State,
    batches: Batches,
    weights: Weights,
    settings: TrainingSettings,
    place: ProcessRank,
    done: Callable[[State], None],
    progress: Callable[[int, int], None],
) -> None:
    """Run epochs until the last one or until validation stops improving.

    ``done`` is called after every epoch, ``progress`` with trials of all epochs.
    """
    corpus = batches.corpus
    training = corpus.rows(TRAIN)
    total = settings.epochs * len(training)
    of = settings.epochs * len(batches.pieces(training))
    while state.epoch < settings.epochs and not _tired(state, settings):
        started, sums = time.perf_counter(), torch.zeros(2)
        progress(state.epoch * len(training), total)
        seen = state.epoch * len(training)
        for batch in batches.epoch(state.epoch, training):
            for group in state.optimiser.param_groups:
                group["lr"] = rate_at(state.steps, of, settings.rate)
            sums += torch.tensor([step(state, batch, weights, settings, place), batch.whole])
            seen += batch.whole
            progress(seen, total)
        figures = check(state, batches, corpus.rows(CHECK), place)
        state.history.append({
            "epoch": state.epoch, "training": float(sums[0] / sums[1]), **figures,
            "seconds": time.perf_counter() - started,
        })  # fmt: skip
        state.epoch += 1
        if state.best_epoch == len(state.history) - 1:
            state.best = averaged(state)
        done(state)
    progress(total, total)


def step(
    state: State, batch: Batch, weights: Weights, settings: TrainingSettings, place: ProcessRank
) -> float:
    """Make one update; returns the loss summed over the trials of the whole batch."""
    model = state.model.train()
    set_keys(model, batch.keys)
    state.optimiser.zero_grad(set_to_none=True)
    output = model(batch.x, batch.sites, batch.group)
    value = loss(output, batch.targets, weights)
    (value / batch.whole).backward()
    set_keys(model, None)
    parameters = list(model.parameters())
    share_gradients(parameters, place)
    nn.utils.clip_grad_norm_(parameters, LONGEST_GRADIENT)
    state.optimiser.step()
    state.steps += 1
    follow(state, settings.average)
    return float(add_up(value.detach().clone(), place))


def follow(state: State, average: float) -> None:
    """Update the moving average of every parameter that was updated.

    The average of a short run is not held back by where it began: its memory grows with it.
    """
    with torch.no_grad():
        for name, p in state.model.named_parameters():
            if p.grad is None:
                continue
            n = state.updates[name] = state.updates[name] + 1
            state.average[name].lerp_(p, 1 - min(average, n / (n + 9)))


def averaged(state: State) -> dict[str, Tensor]:
    """Averaged parameters and current buffers, as ``Model.load_state_dict`` takes them."""
    found = {name: value.detach().clone() for name, value in state.model.state_dict().items()}
    return found | {name: value.clone() for name, value in state.average.items()}


def check(
    state: State, batches: Batches, trials: np.ndarray, place: ProcessRank
) -> Mapping[str, float]:
    """Loss, accuracy and cosine to the caption of the averaged weights on ``trials``."""
    model = state.model.eval()
    sums = torch.zeros(4, dtype=torch.float64)
    with torch.no_grad():
        for batch in batches.plain(trials):
            output = functional_call(model, state.average, (batch.x, batch.sites, batch.group))
            assert isinstance(output, Output)
            targets = batch.targets
            plain = nn.functional.cross_entropy(output.logits, targets.y, reduction="sum")
            right = (output.logits.argmax(1) == targets.y).sum()
            near = torch.zeros(())
            if output.text is not None and targets.text is not None:
                near = nn.functional.cosine_similarity(output.text, targets.text).sum()
            sums += torch.stack([plain, right, near, torch.tensor(len(batch.x))]).double()
    plain, right, near, n = add_up(sums, place).tolist()
    n = max(n, 1)
    return {"validation": plain / n, "accuracy": right / n, "cosine": near / n}


def rate_at(step: int, of: int, rate: float) -> float:
    """Learning rate: linear warm-up, then cosine decay."""
    warm = max(1, round(WARM_UP * of))
    if step < warm:
        return rate * (step + 1) / warm
    along = min(1.0, (step - warm) / max(1, of - warm))
    return rate * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * along)))


def _tired(state: State, settings: TrainingSettings) -> bool:
    return len(state.history) - 1 - state.best_epoch >= settings.patience
