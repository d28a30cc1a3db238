"""Events of the record process."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from rtbci.messages.events import Done, Event, Ready, Status


@dataclass(frozen=True)
class RecorderReady(Ready):
    """The recorder writes to the file ``path``."""

    path: str
    lsl_session: str


@dataclass(frozen=True)
class RecorderCounters:
    """Samples received and missing by stream; ``missing`` is None for one without a rate.

    ``age_s`` is the age of the last sample of each stream, ``queue_s`` that of the oldest data not
    yet written, ``disk_left_s`` the time until the disk is full; all in s. ``bytes`` are in the
    file, ``waiting_bytes`` not yet. ``clocks`` has the time by LSL's clock and by the wall's.
    """

    path: str
    samples: Mapping[str, int]
    missing: Mapping[str, int | None]
    age_s: Mapping[str, float | None]
    bytes: int
    waiting_bytes: int
    queue_s: float
    disk_left_s: float | None
    clocks: Mapping[str, str]


@dataclass(frozen=True)
class RecorderStatus(RecorderCounters, Status):
    """Counters of the recorder."""


@dataclass(frozen=True)
class RecorderDone(RecorderCounters, Done):
    """End of the recorder: paths of its files, and bytes that could not be written."""

    parts: tuple[str, ...]
    lost_bytes: int


@dataclass(frozen=True)
class StreamFound(Event):
    """A stream is recorded as ``number`` of the file; ``rate`` in Hz, 0 for markers."""

    KIND: ClassVar[str] = "stream"
    number: int
    name: str
    source_id: str
    uid: str
    host: str
    channels: int
    rate: float


@dataclass(frozen=True)
class StreamBack(Event):
    """Stream ``number`` of the file goes on, from another outlet."""

    KIND: ClassVar[str] = "stream-back"
    number: int
    uid: str


@dataclass(frozen=True)
class FileMoved(Event):
    """The recording goes on in another file."""

    KIND: ClassVar[str] = "part"
    path: str
