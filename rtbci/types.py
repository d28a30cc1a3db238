"""Values that the rooms exchange, and protocols of the parts that process them.

A *sample index* counts samples of the stream since its start, gaps included. The reader or the
inlet assigns it, and all later code uses indices and never seconds. Samples are in microvolts.
Chunks are ``(times, channels)`` C-contiguous float32, as LSL delivers them; windows given to
decoders are ``(channels, times)``.
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
    """Description of a signal stream, after conversion to microvolts."""

    name: str
    rate: float  # nominal rate, Hz
    channels: tuple[str, ...]  # labels, in column order, unique
    types: tuple[str, ...]  # one per channel, upper case: EEG, EOG, EMG, ECG, AUX, MISC, STIM
    unit: str = "uV"  # unit of the source before conversion
    unit_from: str = "stated"  # "stated" by the source, "inferred" from amplitudes, "assumed"

    def columns(self, names: tuple[str, ...]) -> list[int]:
        """Column of each of ``names``, in their order; raises ``KeyError`` for an unknown name."""
        where = {name: column for column, name in enumerate(self.channels)}
        return [where[name] for name in names]


@dataclass(frozen=True)
class Chunk:
    """Consecutive samples; ``x[0]`` has absolute sample index ``index``."""

    index: int
    x: Samples  # (times, channels)


@dataclass(frozen=True)
class Gap:
    """Missing samples; the next sample has absolute index ``index + missing``.

    ``missing`` is 0 if the stream restarted or its clock was set, so that the loss is unknown; the
    filters must restart then too.
    """

    index: int
    missing: int
    reason: str = "missing samples"


@dataclass(frozen=True)
class Marker:
    """An event at sample ``index``: plain text, or fields of one JSON object."""

    index: int
    label: str
    fields: Mapping[str, object] = field(default_factory=dict)  # image, caption, trial, valid, ...


@dataclass(frozen=True)
class Window:
    """Preprocessed signal around an onset, or the reason why there is none."""

    index: int  # sample index of the onset that the window is locked to
    marker: Marker | None  # None for sliding windows
    # (streams, channels, times), microvolts; NaN in margins without signal. A view of the ring,
    # valid until the next push.
    x: Samples | None
    flags: tuple[str, ...] = ()
    rejected: str | None = None
    # Largest peak-to-peak amplitude of the check, microvolts; an upper bound if that is within the
    # limits.
    peak: float | None = None
    # (channels,) flat or absent electrodes, if they can be interpolated.
    missing: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Decision:
    """Class and probabilities of one window, or the reason for its rejection."""

    index: int  # absolute sample index of the onset
    onset: float  # seconds since sample index 0
    true: str | None  # class of the marker, if known
    label: str | None  # None if the window was rejected
    probabilities: Mapping[str, float]
    flags: tuple[str, ...] = ()
    rejected: str | None = None
    # (dimensions,) point of the text space, of unit length; None without a text head
    embedding: Array | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Provenance:
    """Origin of a recording, and the remarks of its reader."""

    paths: tuple[str, ...]
    sha256: str  # of the file's bytes; of all files' hashes, in order, if there are several
    format: str  # "muse csv", "xdf", "npy epochs", "edf", ...
    notes: tuple[str, ...] = ()  # possible problems, one sentence each


class Answer(NamedTuple):
    """Output of a decoder for one window."""

    logits: Array  # (classes,) log-odds
    embedding: Array | None = None  # (dimensions,) point of the text space, of unit length


class Decoder(Protocol):
    """Map from one window to log-odds of classes and, with a text head, an embedding."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of the log-odds."""
        ...

    @property
    def dimensions(self) -> int:
        """Size of the embedding; 0 without a text head."""
        ...

    def answer(self, x: Array) -> Answer:
        """Log-odds and embedding of one window ``x`` (streams, channels, times), microvolts."""
        ...

    def logits(self, x: Array) -> Array:
        """Log-odds ``(classes,)`` alone, of the same window."""
        ...

    def arrays(self) -> dict[str, Array]:
        """All parameters except the class names, as stored in a bundle."""
        ...


class Transform(Protocol):
    """Causal processing step; the result does not depend on the division into chunks."""

    def push(self, x: Samples) -> Array:
        """Processed ``x`` (times, channels), of the same shape."""
        ...

    def reset(self) -> None:
        """Return to the initial state."""
        ...


class TextSpace(Protocol):
    """Vector space of sentences, in which similar meanings are close."""

    @property
    def name(self) -> str:
        """Name of the space, as stored in bundles."""
        ...

    @property
    def dimensions(self) -> int:
        """Size of an embedding."""
        ...

    def embed(self, texts: Sequence[str]) -> Samples:
        """Embeddings ``(texts, dimensions)``, float32, rows of unit length."""
        ...
