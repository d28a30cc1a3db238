"""Dimensions of a network: all that is needed to rebuild it before its weights are loaded."""

from collections.abc import Mapping
from dataclasses import dataclass, field

RATE = 250.0  # Hz, of every network's input
# Dimensions of a caption's embedding (MiniLM).
TEXT = 384


@dataclass(frozen=True)
class Dims:
    """Name, electrodes, classes, subjects and sizes of a network."""

    model: str  # key of ``rtbci.networks.NETWORKS``
    channels: tuple[str, ...]  # electrodes, in the order of the input
    classes: tuple[str, ...]
    subjects: tuple[str, ...]
    times: int = 125
    embedding: int = 64
    text: int = TEXT  # 0: no text head
    options: Mapping[str, object] = field(default_factory=dict)
