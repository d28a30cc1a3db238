"""Dimensions of a network: all that is needed to build it again before its weights are loaded."""

from collections.abc import Mapping
from dataclasses import dataclass, field

RATE = 250.0  # Hz, of every network's input
TEXT = 384  # numbers in a caption's embedding (MiniLM)


@dataclass(frozen=True)
class Dims:
    """Inputs, outputs and sizes of one network."""

    model: str  # key of ``NETWORKS``
    channels: tuple[str, ...]  # electrodes, in the order of the input
    classes: tuple[str, ...]
    subjects: tuple[str, ...]
    times: int = 125
    embedding: int = 64
    text: int = TEXT  # 0: no text head
    options: Mapping[str, object] = field(default_factory=dict)
