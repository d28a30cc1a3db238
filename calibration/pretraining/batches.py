"""Batches of augmented trials that do not depend on the number of processes.

Everything that is random in an epoch is drawn at its start, for all trials, from the seed and the
number of the epoch: the order, the partners, shifts, masks and noise. A process then takes every
n-th trial of a batch.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from calibration.pretraining.corpus import Corpus, WindowLoader
from calibration.pretraining.losses import Targets
from rtbci.networks.recordings import RecordingContext, sites_of
from rtbci.types import Samples

NOISE_BANK = 2**20  # standard normal numbers to cut noise from


@dataclass(frozen=True)
class Augmentation:
    """Augmentation settings; amplitudes in robust standard deviations, times in samples."""

    mixup: float = 0.2  # alpha of the beta distribution
    shift: int = 2  # +-10 ms at 250 Hz
    hidden_channels: float = 0.3  # largest share of electrodes hidden at once
    hidden_times: int = 12  # longest stretch
    noise: float = 0.5  # validation loss with 0.1 / 0.3 / 0.5 / 0.8: 2.821, 2.811, 2.804, 2.803


@dataclass(frozen=True)
class Batch:
    """One process's part of a batch."""

    x: Tensor  # (B, C, T)
    group: Tensor  # (B,) row of ``sites``
    sites: RecordingContext
    targets: Targets
    keys: Tensor  # (B,) of the dropout
    whole: int  # trials of the batch, of all processes
    trials: np.ndarray  # (B,) numbers in the corpus


class Batches:
    """Training batches of a corpus; ``rank`` of ``world`` processes takes its own trials."""

    def __init__(
        self,
        corpus: Corpus,
        augmentation: Augmentation,
        size: int,
        seed: int,
        rank: int = 0,
        world: int = 1,
        teacher: Samples | None = None,
    ) -> None:
        self.corpus, self.augmentation = corpus, augmentation
        self.size, self.seed, self.rank, self.world = size, seed, rank, world
        self.load = WindowLoader(corpus)
        self.sites = sites_of(corpus.site_subject, corpus.prepared)
        # (pictures + 1, classes): no picture (-1) has no opinion, a row of zeros as the last one
        self.teacher = None if teacher is None else np.pad(teacher, ((0, 1), (0, 0)))
        bank = np.random.default_rng([seed, 77]).standard_normal(NOISE_BANK)
        self._bank = bank.astype(np.float32)

    def epoch(self, number: int, trials: np.ndarray) -> Iterator[Batch]:
        """Training batches of one epoch over ``trials``."""
        rng = np.random.default_rng([self.seed, number])
        n, how, corpus = len(trials), self.augmentation, self.corpus
        order = trials[rng.permutation(n)]
        drawn = {
            "other": self._partners(order, rng),
            "share": _shares(rng, how.mixup, n),
            "shift": rng.integers(-how.shift, how.shift + 1, n),
            "dark": rng.integers(0, how.hidden_times + 1, n),
            "from": rng.integers(0, corpus.cuts[0].open().shape[2], n),
            "noise": rng.integers(0, NOISE_BANK // 2, n),
            "keys": rng.integers(0, 2**62, n),
        }
        for chosen in self.pieces(np.arange(n)):
            hidden = self._hidden(rng)
            mine = chosen[self.rank :: self.world]
            yield self._batch(order[chosen], order[mine], {k: v[mine] for k, v in drawn.items()},
                              hidden)  # fmt: skip

    def plain(self, trials: np.ndarray) -> Iterator[Batch]:
        """This process's part of ``trials`` without augmentation, for validation."""
        for chosen in self.pieces(trials):
            mine = chosen[self.rank :: self.world]
            if not len(mine):
                continue
            x = self.load(mine)
            yield self._finish(x, chosen, mine, mine, np.ones(len(mine)), np.zeros(len(mine), int),
                               self.sites)  # fmt: skip

    def pieces(self, trials: np.ndarray) -> list[np.ndarray]:
        """``trials`` split into batches of nearly equal size."""
        return np.array_split(trials, max(1, round(len(trials) / self.size)))

    def _batch(
        self,
        chosen: np.ndarray,
        mine: np.ndarray,
        drawn: dict[str, np.ndarray],
        hidden: np.ndarray,
    ) -> Batch:
        how = self.augmentation
        share = drawn["share"].astype(np.float32)
        x = self.load(mine)
        if how.mixup:
            mixed = np.flatnonzero(share < 0.99)  # most shares are nearly 1
            weight = share[mixed, None, None]
            x[mixed] = weight * x[mixed] + (1 - weight) * self.load(drawn["other"][mixed])
        times = np.arange(x.shape[2])
        for shift in range(-how.shift, how.shift + 1):
            rows = np.flatnonzero(drawn["shift"] == shift)
            if shift and len(rows):
                x[rows] = x[rows][:, :, np.clip(times - shift, 0, len(times) - 1)]
        size = x.shape[1] * x.shape[2]
        for row in range(len(x)):
            if how.noise:
                at = int(drawn["noise"][row])
                noise = np.resize(self._bank[at : at + size], size)
                x[row] += how.noise * noise.reshape(x.shape[1:])
            begin = int(drawn["from"][row])
            x[row, :, begin : begin + int(drawn["dark"][row])] = 0
        mask = self.sites.mask & ~torch.tensor(hidden)
        sites = RecordingContext(self.sites.subjects, mask, self.sites.covariance)
        x *= mask.numpy()[self.corpus.site[mine]][:, :, None]
        return self._finish(x, chosen, mine, drawn["other"], share, drawn["keys"], sites)

    def _finish(
        self,
        x: Samples,
        chosen: np.ndarray,
        mine: np.ndarray,
        other: np.ndarray,
        share: np.ndarray,
        keys: np.ndarray,
        sites: RecordingContext,
    ) -> Batch:
        corpus = self.corpus
        text = other_text = has_text = pool = place = teacher = None
        if corpus.points is not None:
            points = torch.tensor(corpus.points)
            own = torch.tensor(corpus.caption[mine])
            has_text = (own >= 0).float()
            partner = torch.tensor(corpus.caption[other])
            text, other_text = points[own], points[torch.where(partner < 0, own, partner)]
            there = np.setdiff1d(corpus.caption[chosen], [-1])
            if len(there):
                pool = points[torch.tensor(there)]
                place = torch.tensor(np.searchsorted(there, np.maximum(corpus.caption[mine], 0)))
                place = place.clamp_max(len(there) - 1)  # without a caption: weighs nothing
        if self.teacher is not None:
            weight = torch.tensor(share, dtype=torch.float32)[:, None]
            opinion = torch.tensor(self.teacher)
            first = opinion[torch.tensor(corpus.picture[mine])]
            second = opinion[torch.tensor(corpus.picture[other])]
            second = torch.where(second.sum(1, keepdim=True) > 0, second, first)
            teacher = weight * first + (1 - weight) * second
            teacher = torch.where(first.sum(1, keepdim=True) > 0, teacher, 0.0)
        return Batch(
            torch.from_numpy(x),
            torch.tensor(corpus.site[mine]),
            sites,
            Targets(
                torch.tensor(corpus.y[mine]), torch.tensor(corpus.y[other]),
                torch.tensor(share, dtype=torch.float32),
                text, other_text, has_text, pool, place, teacher,
            ),
            torch.tensor(keys),
            len(chosen),
            mine,
        )  # fmt: skip

    def _partners(self, order: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Mixup partner of every trial, from the same session."""
        draw = rng.random(len(order))
        site = self.corpus.site[order]
        other = order.copy()
        for each in np.unique(site):
            rows = np.flatnonzero(site == each)
            other[rows] = order[rows[(draw[rows] * len(rows)).astype(int)]]
        return other

    def _hidden(self, rng: np.random.Generator) -> np.ndarray:
        """Hidden electrodes of this batch, ``(sites, channels)`` bool."""
        share = self.augmentation.hidden_channels * rng.random((len(self.sites.subjects), 1))
        hidden = rng.random(self.sites.mask.shape) < share
        good = self.sites.mask.numpy()
        few = (good & ~hidden).sum(axis=1) < 2
        hidden[few] = False
        return hidden


def _shares(rng: np.random.Generator, alpha: float, n: int) -> np.ndarray:
    """Share of each trial that remains after mixup: at least a half."""
    if not alpha:
        return np.ones(n)
    drawn = rng.beta(alpha, alpha, n)
    return np.maximum(drawn, 1 - drawn)
