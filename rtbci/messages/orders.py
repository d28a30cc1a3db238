"""Orders: lines on a process's stdin, and requests over the socket of a session.

A ``stamp`` is in LSL seconds, an ``index`` counts samples.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Self

from rtbci.messages.wire import Message, Values, from_json, json_object, others


@dataclass(frozen=True)
class Order(Message):
    """Base of all orders."""

    FIRST: ClassVar[str] = "do"


@others
@dataclass(frozen=True)
class OtherOrder(Order):
    """Order that this version does not know, or that lacks a field."""

    name: str

    @property
    def kind(self) -> str:
        """Kind as in the JSON object."""
        return self.name

    def as_json(self) -> Values:
        """JSON object as it came."""
        return {self.FIRST: self.name, **self.more}

    @classmethod
    def from_json(cls, values: Values) -> Self:
        """Any object with the key ``do``."""
        more = {key: value for key, value in values.items() if key != cls.FIRST}
        return cls(str(values[cls.FIRST]), more=more)


@dataclass(frozen=True)
class Finish(Order):
    """End as soon as the work is done; a decoder first reads up to sample ``index``, if given."""

    KIND: ClassVar[str] = "finish"
    index: int | None = field(default=None, kw_only=True)


@dataclass(frozen=True)
class Stop(Order):
    """End now, safely."""

    KIND: ClassVar[str] = "stop"


@dataclass(frozen=True)
class Pause(Order):
    """Give no decisions until ``Resume``."""

    KIND: ClassVar[str] = "pause"


@dataclass(frozen=True)
class Resume(Order):
    """Give decisions again."""

    KIND: ClassVar[str] = "resume"


@dataclass(frozen=True)
class SetDead(Order):
    """Electrodes without a usable signal in this recording, and the fault of each."""

    KIND: ClassVar[str] = "dead"
    electrodes: Mapping[str, str]


@dataclass(frozen=True)
class Go(Order):
    """Start of a life of the outlets: the stamp of sample index 0 and the lateness, s, if known."""

    KIND: ClassVar[str] = "go"
    t0: float | None = field(default=None, kw_only=True)
    late: float | None = field(default=None, kw_only=True)


@dataclass(frozen=True)
class AskReport(Order):
    """Asks a session for its ``SessionReport``."""

    KIND: ClassVar[str] = "status"


@dataclass(frozen=True)
class Follow(Order):
    """Asks a session for every event from now on."""

    KIND: ClassVar[str] = "follow"


@dataclass(frozen=True)
class SetMarker(Order):
    """A person's marker, and when it was set."""

    KIND: ClassVar[str] = "marker"
    text: str
    stamp: float | None = field(default=None, kw_only=True)
    index: float | None = field(default=None, kw_only=True)


@dataclass(frozen=True)
class WriteNote(Order):
    """A person's note, and when it was begun."""

    KIND: ClassVar[str] = "note"
    text: str
    stamp: float | None = field(default=None, kw_only=True)
    index: float | None = field(default=None, kw_only=True)


def parse_order(text: str | bytes) -> Order | None:
    """Order on a line, or None if it is not a JSON object; never raises."""
    values = json_object(text)
    if values is None:
        return None
    found = from_json({Order.FIRST: None, **values})
    return found if isinstance(found, Order) else OtherOrder(str(values.get(Order.FIRST)))
