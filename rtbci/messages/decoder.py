"""Events of the decode process; its decisions are in ``rtbci.messages.decision``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from rtbci.messages.events import Done, Event, Ready, Status


@dataclass(frozen=True)
class WaitingForSignal(Event):
    """The decoder looks for its EEG stream; ``bundle`` is a folder."""

    KIND: ClassVar[str] = "waiting"
    bundle: str


@dataclass(frozen=True)
class DecoderReady(Ready):
    """The decoder reads the EEG stream named ``stream``, and marker streams, if there are any.

    Filters settle for ``settle`` s.
    """

    stream: str
    uid: str
    markers: tuple[str, ...]
    settle: float


@dataclass(frozen=True)
class DecoderCounters:
    """Counts of decisions, rejected ones included; of skipped windows and repeated markers.

    ``decoder_failures`` counts by type of error.
    """

    decisions: int
    rejected: int
    skipped: int
    duplicates: int
    decoder_failures: Mapping[str, int]


@dataclass(frozen=True)
class DecoderStatus(DecoderCounters, Status):
    """Counters of the decoder."""


@dataclass(frozen=True)
class NothingDecoded(Done):
    """End of a decoder that was stopped before its stream came."""

    samples: int
    decisions: int


@dataclass(frozen=True)
class DecoderDone(DecoderCounters, Done):
    """End of the decoder: counts of its stream, and delays of its decisions.

    ``index`` follows the last sample; ``measured_rate`` is in Hz, None if not measured.
    ``latency_ms`` has p50, p95 and p99 of each stage, milliseconds.
    """

    samples: int
    missing: int
    gaps: int
    returns: int
    index: int
    measured_rate: float | None
    latency_ms: Mapping[str, Mapping[str, float | None]]


@dataclass(frozen=True)
class GapFound(Event):
    """``missing`` samples from sample ``index`` on; 0 if it is not known how many."""

    KIND: ClassVar[str] = "gap"
    index: int
    missing: int
    reason: str


@dataclass(frozen=True)
class RecordingBegan(Event):
    """Another recording begins on the same stream: its indices begin at 0."""

    KIND: ClassVar[str] = "recording"


@dataclass(frozen=True)
class SignalReturned(Event):
    """The EEG stream came back from a new process."""

    KIND: ClassVar[str] = "returned"
