"""Events of the player of recordings and of the simulated participant.

``t0`` is the LSL stamp of sample index 0, ``late`` the time by which the replay runs after its due
times, s, and ``at`` a second of the recording.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

from rtbci.messages.events import Done, Event, Ready, Status
from rtbci.messages.wire import Values


@dataclass(frozen=True)
class PlayerReady(Ready):
    """The outlets of a replay are open; ``markers`` is the name of the marker stream.

    ``speed`` in recording seconds per second, ``samples`` of the recording, ``rate`` in Hz.
    """

    t0: float
    speed: float
    samples: int
    rate: float
    channels: int
    name: str
    markers: str
    source_id: str
    session: str


@dataclass(frozen=True)
class WaitingForReaders(Event):
    """The player waits for ``wanted`` readers of the EEG; ``there`` are connected."""

    KIND: ClassVar[str] = "waiting"
    wanted: int
    there: int


@dataclass(frozen=True)
class ReplayStarted(Event):
    """The first sample of the recording is due."""

    KIND: ClassVar[str] = "start"
    t0: float
    late: float


@dataclass(frozen=True)
class PlayerStatus(Status):
    """Samples and markers sent; ``index`` follows the last sample."""

    index: int
    samples: int
    markers: int


@dataclass(frozen=True)
class FaultBegan(Event):
    """A fault of the script begins at sample ``index``; ``settings`` are its other keys."""

    KIND: ClassVar[str] = "fault"
    do: str
    at: float
    settings: Mapping[str, object]
    index: int

    def as_json(self) -> Values:
        """JSON object with the settings in their place."""
        values = super().as_json()
        index, _ = values.pop("index"), values.pop("settings")
        return {**values, **self.settings, "index": index}

    @classmethod
    def from_json(cls, values: Values) -> Self:
        """Fault of a JSON object: keys that are not fields are settings."""
        own = {"event", "box", "do", "at", "index"}
        found = {key: value for key, value in values.items() if key in own}
        settings = {key: value for key, value in values.items() if key not in own}
        return super().from_json({**found, "settings": settings})


@dataclass(frozen=True)
class OutletsBack(Event):
    """The outlets are back after a kill and go on with sample ``index``."""

    KIND: ClassVar[str] = "back"
    at: float
    index: int


@dataclass(frozen=True)
class ReplayEnded(Event):
    """The recording was sent; ``index`` follows its last sample, which had ``stamp``."""

    KIND: ClassVar[str] = "end"
    index: int
    stamp: float | None


@dataclass(frozen=True)
class PlayerCounters:
    """Samples and markers sent; ``late_ms`` is the lateness of pushes, p50 and p99, ms."""

    samples: int
    markers: int
    late_ms: tuple[float | None, float | None]


@dataclass(frozen=True)
class PartPlayed(PlayerCounters, Event):
    """Counts of one life of the outlets; from a life to the player that started it."""

    KIND: ClassVar[str] = "part"


@dataclass(frozen=True)
class PlayerDone(PlayerCounters, Done):
    """End of the player."""


@dataclass(frozen=True)
class LifeClock(Event):
    """LSL's clock in a life of the outlets, s; from a life to the player that started it."""

    KIND: ClassVar[str] = "clock"
    lsl: float


@dataclass(frozen=True)
class LifeFailed(Event):
    """An error in a life of the outlets; from a life to the player that started it."""

    KIND: ClassVar[str] = "failed"
    text: str


@dataclass(frozen=True)
class ParticipantReady(Ready):
    """A simulated participant streams; ``rate`` in Hz."""

    name: str
    t0: float
    subject: str
    session: int
    rate: float
    strength: str
    channels: int
    seed: int
    simulated: bool


@dataclass(frozen=True)
class ParticipantCounters:
    """Samples sent, markers answered, and how many of them came too late for their response."""

    samples: int
    markers: int
    late: int


@dataclass(frozen=True)
class ParticipantStatus(ParticipantCounters, Status):
    """Counters of a simulated participant."""


@dataclass(frozen=True)
class ParticipantDone(ParticipantCounters, Done):
    """End of a simulated participant."""


@dataclass(frozen=True)
class MarkersHeard(Event):
    """The participant reads the marker stream ``stream``."""

    KIND: ClassVar[str] = "listening"
    stream: str


@dataclass(frozen=True)
class MarkerAnswered(Event):
    """A marker has evoked a response from sample ``index`` on."""

    KIND: ClassVar[str] = "evoked"
    label: str
    index: int
    stamp: float


@dataclass(frozen=True)
class MarkerLate(Event):
    """A marker came ``late`` s after its stamp: part of its response was already sent."""

    KIND: ClassVar[str] = "late"
    label: str
    late: float


@dataclass(frozen=True)
class MarkerUnknown(Event):
    """A marker that names no known picture; ``how`` it is answered all the same."""

    KIND: ClassVar[str] = "unknown"
    label: str
    how: str
