"""Events of all processes, of their supervisor and of the session.

``box`` is the process that an event comes from: "decode", "record", "stream" or "participant".
Events of the session itself have none. A ``stamp`` is in LSL seconds, an ``index`` counts samples.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Self

from rtbci.messages.wire import Message, Values, others

ALARM_LEVELS = ("info", "amber", "red")


@dataclass(frozen=True)
class Event(Message):
    """Base of everything that a process or a session reports."""

    FIRST: ClassVar[str] = "event"
    box: str = field(default="", kw_only=True)


@others
@dataclass(frozen=True)
class OtherEvent(Event):
    """Event of a kind that this version does not know; ``more`` holds all its fields."""

    name: str

    @property
    def kind(self) -> str:
        """Kind as in the JSON object."""
        return self.name

    def as_json(self) -> Values:
        """JSON object as it came, ``box`` right after the kind."""
        box = {"box": self.box} if self.box else {}
        return {self.FIRST: self.name, **box, **self.more}

    @classmethod
    def from_json(cls, values: Values) -> Self:
        """Any object with a kind; raises ``ValueError`` for another."""
        kind, box = values[cls.FIRST], values.get("box")
        if not isinstance(kind, str):
            raise ValueError("the kind of an event is a text")
        known = ("event", "box") if isinstance(box, str) else ("event",)
        more = {key: value for key, value in values.items() if key not in known}
        return cls(kind, box=box if isinstance(box, str) else "", more=more)


@dataclass(frozen=True)
class Ready(Event):
    """A process works from now on; ``text`` for people."""

    KIND: ClassVar[str] = "ready"
    text: str | None = field(default=None, kw_only=True)


@dataclass(frozen=True)
class Status(Event):
    """Counters of a process, about once a second."""

    KIND: ClassVar[str] = "status"


@dataclass(frozen=True)
class Done(Event):
    """Last event of a process that ends as it should; ``text`` for people."""

    KIND: ClassVar[str] = "done"
    text: str | None = field(default=None, kw_only=True)


@dataclass(frozen=True)
class Alarm(Event):
    """Fault: ``level`` of ``ALARM_LEVELS``, ``text`` with the next step."""

    KIND: ClassVar[str] = "alarm"
    level: str
    code: str
    text: str


@dataclass(frozen=True)
class Clear(Event):
    """The alarm ``code`` is over."""

    KIND: ClassVar[str] = "clear"
    code: str
    text: str


@dataclass(frozen=True)
class Started(Event):
    """The supervisor has started a process; ``again`` after a crash."""

    KIND: ClassVar[str] = "started"
    pid: int
    again: bool


@dataclass(frozen=True)
class Ended(Event):
    """A process has ended with exit code ``code``, or by the signal ``-code``."""

    KIND: ClassVar[str] = "ended"
    code: int


@dataclass(frozen=True)
class Paused(Event):
    """A person has paused decisions; the recording goes on."""

    KIND: ClassVar[str] = "pause"


@dataclass(frozen=True)
class Resumed(Event):
    """A person has resumed decisions."""

    KIND: ClassVar[str] = "resume"


@dataclass(frozen=True)
class MarkerSet(Event):
    """A person's marker, and when it was set."""

    KIND: ClassVar[str] = "marker"
    text: str
    stamp: float | None = field(default=None, kw_only=True)
    index: float | None = field(default=None, kw_only=True)


@dataclass(frozen=True)
class NoteWritten(Event):
    """A person's note, and when it was begun."""

    KIND: ClassVar[str] = "note"
    text: str
    stamp: float | None = field(default=None, kw_only=True)
    index: float | None = field(default=None, kw_only=True)


@dataclass(frozen=True)
class TakenOver(Event):
    """Another supervisor has taken over; ``before`` is the process id of the killed one."""

    KIND: ClassVar[str] = "taken over"
    before: int | None


@dataclass(frozen=True)
class Closed(Event):
    """End of a session: paths of the files that it recorded, and bytes that were never written."""

    KIND: ClassVar[str] = "closed"
    recordings: tuple[str, ...]
    unsaved: int | None = None  # None in logs of before


@dataclass(frozen=True)
class ProcessReport:
    """A running process in a ``SessionReport``; ``works`` once it was ready."""

    pid: int | None
    works: bool


@dataclass(frozen=True)
class SessionReport(Event):
    """Answer of a session to ``AskReport``, enough for a window that connects late.

    ``decisions`` is a count, ``alarms`` are the active ones, ``said`` holds the latest events.
    """

    KIND: ClassVar[str] = "session"
    id: str
    folder: str
    boxes: Mapping[str, ProcessReport]
    decisions: int
    alarms: tuple[Alarm, ...]
    recordings: tuple[str, ...]
    paused: bool
    said: tuple[Event, ...]


@others
@dataclass(frozen=True)
class Refused(Message):
    """Answer of a session that does not obey; ``reason`` is a sentence."""

    FIRST: ClassVar[str] = "error"
    reason: str

    @property
    def kind(self) -> str:
        """The sentence: it takes the place of a kind in JSON."""
        return self.reason

    def as_json(self) -> Values:
        """JSON object with the one key ``error``."""
        return {self.FIRST: self.reason}

    @classmethod
    def from_json(cls, values: Values) -> Self:
        """Any object with an error."""
        return cls(str(values[cls.FIRST]))
