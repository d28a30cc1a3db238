"""The values that travel through rtbci, and the roles that handle them.

A *sample index* counts samples of the stream since its start, gaps included: it is fixed by the
reader or the inlet, and everything behind it speaks in indices and never in seconds. Samples are
microvolts. Chunks are ``(times, channels)`` C-contiguous float32, as LSL delivers them; windows
given to decoders are ``(channels, times)``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
Array = NDArray[np.float64]


@dataclass(frozen=True)
class StreamInfo:
    """What a stream says of itself, after units were turned into microvolts."""

    name: str
    rate: float  # nominal rate, Hz
    channels: tuple[str, ...]  # labels, in column order, unique
    types: tuple[str, ...]  # one a channel, upper case: EEG, EOG, EMG, ECG, AUX, MISC, STIM
    unit: str = "uV"  # what the source counted in before conversion
    unit_from: str = "stated"  # "stated" by the source, "inferred" from amplitudes, "assumed"

    def columns(self, names: tuple[str, ...]) -> list[int]:
        """Column of each of ``names``, in their order; raises ``KeyError`` for a name not there."""
        where = {name: column for column, name in enumerate(self.channels)}
        return [where[name] for name in names]


@dataclass(frozen=True)
class Chunk:
    """Consecutive samples; ``x[0]`` has absolute sample index ``index``."""

    index: int
    x: Samples  # (times, channels)


@dataclass(frozen=True)
class Gap:
    """``missing`` samples are not there; the next one has absolute index ``index + missing``.

    ``missing`` is 0 where the stream restarted or its clock was set without telling how much was
    lost: the filters must restart all the same.
    """

    index: int
    missing: int
    reason: str = "missing samples"


@dataclass(frozen=True)
class Marker:
    """Something happened at sample ``index``: plain text, or fields of one JSON object."""

    index: int
    label: str
    fields: Mapping[str, object] = field(default_factory=dict)  # image, caption, trial, valid, ...


@dataclass(frozen=True)
class Window:
    """A piece of preprocessed signal on its way to a decoder, or the reason why there is none."""

    index: int  # sample index of the onset that the window is locked to
    marker: Marker | None  # None for sliding windows
    # (streams, channels, times), microvolts; NaN where a margin is not there. A view of the ring:
    # valid until the next push
    x: Samples | None
    flags: tuple[str, ...] = ()
    rejected: str | None = None
    # largest peak-to-peak of the amplitude check, microvolts; a bound where that is within limits
    peak: float | None = None
    missing: NDArray[np.bool_] | None = None  # (channels,) flat or absent, where some can be spared


@dataclass(frozen=True)
class Decision:
    """What the decoder believes of one window, or why it does not say."""

    index: int  # absolute sample index of the onset
    onset: float  # seconds since sample index 0
    true: str | None  # class of the marker, where it is known
    label: str | None  # None where the window was rejected
    probabilities: Mapping[str, float]
    flags: tuple[str, ...] = ()
    rejected: str | None = None
    # (dimensions,) point of the text space, of unit length; None without a text head
    embedding: Array | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Provenance:
    """Where a recording came from and what its reader noticed."""

    paths: tuple[str, ...]
    sha256: str  # of the file's bytes (of all files' hashes, in order, where there are several)
    format: str  # "muse csv", "xdf", "npy epochs", "edf", ...
    notes: tuple[str, ...] = ()  # what looks wrong, one sentence each


class Answer(NamedTuple):
    """Output of a decoder for one window."""

    logits: Array  # (classes,) log-odds
    embedding: Array | None = None  # (dimensions,) point of the text space, of unit length


class Decoder(Protocol):
    """From one window to log-odds of classes and, with a text head, a point of the text space."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of the log-odds."""
        ...

    @property
    def dimensions(self) -> int:
        """Numbers of an embedding; 0 without a text head."""
        ...

    def answer(self, x: Array) -> Answer:
        """Log-odds and embedding of one window ``x`` (streams, channels, times), microvolts."""
        ...

    def logits(self, x: Array) -> Array:
        """Log-odds ``(classes,)`` alone, of the same window."""
        ...

    def arrays(self) -> dict[str, Array]:
        """Everything but the class names, as it is stored in a bundle."""
        ...


class Transform(Protocol):
    """A causal step of the chain; the result never depends on how the signal is cut."""

    def push(self, x: Samples) -> Array:
        """``x`` (times, channels) in, as many rows out."""
        ...

    def reset(self) -> None:
        """Back to the state of a fresh start."""
        ...


class TextSpace(Protocol):
    """Where sentences are points, and near meanings near points."""

    @property
    def name(self) -> str:
        """What bundles call this space."""
        ...

    @property
    def dimensions(self) -> int:
        """Numbers in one embedding."""
        ...

    def embed(self, texts: Sequence[str]) -> Samples:
        """``(texts, dimensions)`` float32, rows of unit length."""
        ...
