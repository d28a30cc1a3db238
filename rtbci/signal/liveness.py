"""Identity, silence and trust of the streams that are read, as pure values.

Decoder, window and recorder judge every stream by these rules. Nothing here reads a clock: ``now``
is an argument, in seconds of whichever clock the caller keeps to.
"""

from collections.abc import Iterable
from dataclasses import dataclass

# A regular stream is called silent after this many seconds without a row, at the earliest.
SILENT_S = 0.5

# A stream that sends rarely is called silent after this many of its usual arrival intervals.
SILENT_INTERVALS = 3.0

# A silence that lasts longer than this many seconds is a red alarm; before that it is amber.
SILENT_RED_S = 1.5

# Seconds that the first row may take: senders wait for readers, and persons start programs.
FIRST_ROW_S = 5.0

# Seconds between two arrivals that are assumed of a stream that was not heard twice yet.
ASSUMED_INTERVAL_S = 0.1

# Weight of the newest arrival interval in the usual one.
INTERVAL_SMOOTHING = 0.05

# A wait that ends this many seconds after it should have was the sleep of the process that reads.
OVERSLEPT_S = 0.1

# LSL lists an outlet for this many seconds after its last answer, whether it lives or not.
LISTED_S = 3.0

# Seconds for which a newcomer is doubted: as long as a dead outlet is listed, and a little more.
DOUBT_S = LISTED_S + 0.5

# Rows that follow a silence stay unread until discovery has confirmed their sender, but no longer
# than this many seconds: LSL keeps them for minutes, and an unconfirmed row is better than none.
UNCONFIRMED_S = 5.0

# An outlet that was left is alive if LSL still lists it after this many seconds.
LEFT_S = 6.0


@dataclass(frozen=True)
class StreamIdentity:
    """One outlet: the names that a restart keeps, and the ``uid`` that it changes."""

    name: str
    kind: str
    source_id: str
    host: str
    uid: str

    @property
    def source(self) -> tuple[str, ...]:
        """The names that survive a restart. An outlet without a source_id is known by its host."""
        known_by = ("source_id", self.source_id) if self.source_id else ("host", self.host)
        return (self.name, self.kind, *known_by)

    def is_source_of(self, other: "StreamIdentity") -> bool:
        """Whether both are outlets of one source: the same process, its heir or its twin."""
        return self.source == other.source


@dataclass(frozen=True)
class Claimants:
    """The outlets that answer as one source. Only the process that was read is trusted unseen."""

    answers: bool  # the process that was read is among them
    others: tuple[StreamIdentity, ...]  # all but that process, in the order of discovery

    @property
    def is_alone(self) -> bool:
        """Whether the process that was read answers, and no other: it may be read on."""
        return self.answers and not self.others

    @property
    def heir(self) -> StreamIdentity | None:
        """The one other outlet: it may take over after its description was accepted."""
        return self.others[0] if len(self.others) == 1 else None

    @property
    def twins(self) -> tuple[StreamIdentity, ...]:
        """Two or more other outlets: none of them can be trusted."""
        return self.others if len(self.others) > 1 else ()


def claimants(read: StreamIdentity, listed: Iterable[StreamIdentity]) -> Claimants:
    """The outlets among ``listed`` that claim to be the source of ``read``."""
    same = [each for each in listed if read.is_source_of(each)]
    others = tuple(each for each in same if each.uid != read.uid)
    return Claimants(answers=len(others) < len(same), others=others)


def is_doubted(since: float, now: float) -> bool:
    """Whether an outlet that was first seen or suspected at ``since`` may still turn out to be
    the heir of one that is listed but dead."""
    return now - since <= DOUBT_S


@dataclass(frozen=True, slots=True)
class Liveness:
    """Arrival times of one stream, in seconds; every change gives a new value.

    ``Liveness(now)`` is a stream from which no row has arrived yet.
    """

    arrived: float  # when rows arrived last, or since when the first are waited for
    heard: bool = False  # at least one row arrived
    interval: float = ASSUMED_INTERVAL_S  # usual time between two arrivals, smoothed
    excused: float = 0.0  # seconds since ``arrived`` in which the reader itself did not look

    @property
    def limit(self) -> float:
        """Seconds without a row that are normal once the first has arrived."""
        return max(SILENT_S, SILENT_INTERVALS * self.interval)

    def gap(self, now: float) -> float:
        """Seconds since rows arrived last, the reader's own sleep included."""
        return now - self.arrived

    def age(self, now: float) -> float:
        """Seconds of silence: the gap without the reader's own sleep."""
        return now - self.arrived - self.excused

    def is_silent(self, now: float) -> bool:
        """Whether the silence is longer than normal for this stream."""
        return self.age(now) > self.limit

    def may_have_moved(self, now: float) -> bool:
        """Whether the silence was long enough for LSL to go over to another outlet, unasked.

        This includes streams that send rarely: LSL does not wait for its usual interval.
        """
        return self.age(now) > SILENT_S

    def after_rows(self, now: float) -> "Liveness":
        """The value after rows arrived; an interval that was a silence is not learned from."""
        interval, since = self.interval, self.age(now)
        if self.heard and since <= self.limit:
            interval += INTERVAL_SMOOTHING * (since - interval)
        return Liveness(now, True, interval)

    def excuse(self, seconds: float) -> "Liveness":
        """The value after the reader slept for ``seconds``."""
        return Liveness(self.arrived, self.heard, self.interval, self.excused + seconds)

    def waiting_since(self, now: float) -> "Liveness":
        """The value when another process takes over: its first row is waited for from ``now``."""
        return Liveness(now, self.heard, self.interval)


def silence_level(age: float, limit: float) -> str | None:
    """The level of the alarm for ``age`` seconds without a row: None, "amber" or "red"."""
    if age <= limit:
        return None
    return "red" if age > SILENT_RED_S else "amber"


def silence_code(label: str) -> str:
    """The code of the recorder's alarm for the silence of stream ``label``."""
    return f"silent {label}"


def is_repeated_silence(box: str, code: str, decoded: object) -> bool:
    """Whether an alarm repeats the decoder's own about the silence of stream ``decoded``.

    It is kept in the session; people see the decoder's alarm, which is more detailed.
    """
    return isinstance(decoded, str) and (box, code) == ("record", silence_code(decoded))
