"""Data-parallel training over one or several processes with the same result.

``torchrun --nproc-per-node N -m rtbci pretrain ...`` sets the environment that is read here. Only
gloo on this computer is used.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, distributed, nn

PATIENCE = timedelta(hours=6)  # for the first process, which prepares the windows


@dataclass(frozen=True)
class ProcessRank:
    """This process among ``world``."""

    rank: int = 0
    world: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes files and shows progress."""
        return self.rank == 0


@contextmanager
def processes() -> Iterator[ProcessRank]:
    """Join the processes started by torchrun, or run alone."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world < 2 or "RANK" not in os.environ:
        yield ProcessRank()
        return
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    distributed.init_process_group("gloo", timeout=PATIENCE)
    try:
        yield ProcessRank(distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()


def wait(place: ProcessRank) -> None:
    """Wait for all processes (barrier)."""
    if place.world > 1:
        distributed.barrier()


def add_up(values: Tensor, place: ProcessRank) -> Tensor:
    """``values`` summed over all processes, in place."""
    if place.world > 1:
        distributed.all_reduce(values)
    return values


def share_gradients(parameters: list[nn.Parameter], place: ProcessRank) -> None:
    """Sum gradients over all processes; a gradient missing in all of them stays None."""
    if place.world < 2:
        return
    there = torch.tensor([float(p.grad is not None) for p in parameters])
    distributed.all_reduce(there)
    used = [p for p, n in zip(parameters, there.tolist(), strict=True) if n]
    flat = torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in used])
    distributed.all_reduce(flat)
    for p, part in zip(used, flat.split([p.numel() for p in used]), strict=True):
        p.grad = part.view_as(p)
