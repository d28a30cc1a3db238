"""A signal and its marker streams, found together and read in one clock."""

import time
from collections.abc import Callable

from rtbci.errors import BadInput, Missing
from rtbci.lsl.description import Description, signal
from rtbci.lsl.follow import StreamFollower
from rtbci.lsl.marker_streams import HostClockOffsets, MarkerStreams, is_for_decoding
from rtbci.lsl.resolve import DiscoveredStream, StreamDiscovery, matches
from rtbci.lsl.signal import Layout, SignalStream
from rtbci.messages import LATE_START, RESULTS
from rtbci.types import Marker

POLL_S = 0.05
# Time after the first answer within which all other streams answer, s.
LOOK_S = 1.0
# Interval of the reminders while streams are missing, s.
REMIND_S = 5.0
# A marker is not sent earlier before its row, or later after it, s. If its stamp is beyond these,
# the sender's clock was set, and no row with a stamp of the new clock has arrived yet.
AHEAD_S, BEHIND_S = 3.0, 2.5
# Such a marker is held until rows of this duration have arrived, s.
HELD_S = 1.25
# Time after which a new search for marker streams starts if there are none, s.
LATE_S = 5.0


class SignalWithMarkers:
    """One signal with its marker streams. One thread.

    ``wanted`` are marker streams (name, source_id or uid); by default all but our results.
    """

    def __init__(self, wanted: tuple[str, ...] = ()) -> None:
        self.wanted = wanted
        self.markers, self._offsets = MarkerStreams(), HostClockOffsets()
        self.signal: SignalStream
        self._watch: StreamDiscovery | None = None  # search for marker streams that start late
        self._look_at = time.monotonic() + LATE_S
        # Markers that are held: sample index until which, stamp, marker.
        self._held: list[tuple[int, float, Marker]] = []

    def open(
        self, found: DiscoveredStream, accept: Callable[[Description], Layout]
    ) -> SignalStream:
        """Start to read the signal ``found``; exceptions of ``accept`` are passed on."""
        self.signal = SignalStream(found, accept)
        self._offsets.start([self.signal.follower, *self.markers.followers])
        self._look_at = time.monotonic() + LATE_S
        return self.signal

    def listen(self, found: list[DiscoveredStream]) -> list[DiscoveredStream]:
        """Start to read the marker streams among ``found``, and return them."""
        fitting = [each for each in found if is_for_decoding(each, self.wanted)]
        for each in fitting:
            self.markers.add(each)
        return fitting

    def pull_markers(self) -> list[tuple[float, Marker]]:
        """Markers since the last call, each with its stamp in the signal's clock."""
        here = self.signal.offset = self._offsets.of(self.signal.about.host) or 0.0
        came = [
            each for each in self.markers.pull(self.signal.follower.watch) if self._counts(each)
        ]
        if not came and not self._held:
            return []
        until = self.signal.head + round(HELD_S * self.signal.rate)
        waiting = self._held + [
            (until, stamp + (self._offsets.of(follower.about.host) or 0.0) - here, marker)
            for follower, stamp, marker in came
        ]
        due = [self._is_due(until, stamp) for until, stamp, _ in waiting]
        self._held = [each for each, is_due in zip(waiting, due, strict=True) if not is_due]
        return [each[1:] for each, is_due in zip(waiting, due, strict=True) if is_due]

    def _counts(self, came: tuple[StreamFollower, float, Marker]) -> bool:
        """Whether a marker is for us: a late start concerns the replay that sends the signal."""
        follower, _, marker = came
        return marker.label != LATE_START or same_sender(follower.about, self.signal.about)

    def _is_due(self, until: int, stamp: float) -> bool:
        """Whether ``stamp`` can be assigned to a row, or the time to wait for that is over."""
        signal = self.signal
        index = signal.index_at(stamp)
        if index is None or signal.head >= until:
            return True
        return -BEHIND_S * signal.rate <= index - signal.head <= AHEAD_S * signal.rate

    def late_markers(self) -> bool | None:
        """Search for marker streams while there are none; call often.

        Returns False when a search starts, True when a stream was found, else None.
        """
        if self._watch is None and self.markers.names:
            return None
        if time.monotonic() < self._look_at:
            return None
        if self._watch is None:
            self._watch = StreamDiscovery()
            return False
        self._look_at = time.monotonic() + POLL_S
        if not self.listen(self._watch.found()):
            return None
        self._offsets.start(self.markers.followers)
        self._watch = None
        return True

    def close(self) -> None:
        """Unsubscribe from the signal and its markers."""
        self._offsets.close()
        self.signal.follower.close()
        self.markers.close()


def same_sender(one: Description, other: Description) -> bool:
    """Whether two streams come from one program of ours, by host and source_id."""
    senders = [about.source_id.rpartition(":")[0] for about in (one, other)]
    return one.host == other.host and senders[0] == senders[1] != ""


def search(
    pair: SignalWithMarkers,
    stream: str | None,
    *,
    timeout: float | None = None,
    look: float = LOOK_S,
    given_up: Callable[[], bool] = lambda: False,
    remind: Callable[[str], None] = lambda _: None,
) -> DiscoveredStream | None:
    """The signal to read, or None after ``given_up``.

    Marker streams that are present are subscribed to first, so that no event is missed. ``look``
    is the time for duplicates and markers to answer, s. Raises ``BadInput`` if the choice is
    ambiguous, and ``Missing`` after ``timeout`` s.
    """
    watch = StreamDiscovery()
    began = reminded = time.monotonic()
    first_seen = None
    while not given_up():
        now = time.monotonic()
        refused: dict[str, str] = {}
        found = watch.found(refused)
        signals = [each for each in found if is_wanted(each, stream)]
        listening = pair.listen(found)
        if signals:
            first_seen = first_seen or now
            missing = [w for w in pair.wanted if not any(matches(each, w) for each in listening)]
            if not missing and now - first_seen > (look if listening else LOOK_S):
                return the_one(signals, stream)
        if timeout and now - began > timeout:
            raise Missing(_nothing(pair, stream, found, refused, f" for {timeout:g} s"))
        if now - reminded > REMIND_S:
            reminded = now
            remind(_nothing(pair, stream, found, refused))
        time.sleep(POLL_S)
    return None


def is_wanted(found: DiscoveredStream, wanted: str | None) -> bool:
    """Whether a stream can be the signal: the named one, or any EEG if ``wanted`` is None."""
    about = found.about
    if wanted is not None:
        return matches(found, wanted)
    return about.kind.upper() == "EEG" and about.rate > 0 and about.format != "string"


def the_one(signals: list[DiscoveredStream], wanted: str | None) -> DiscoveredStream:
    """The only stream in ``signals``; raises ``BadInput`` with the list if there are several."""
    if len(signals) == 1:
        return signals[0]
    same = len({each.about.source_id for each in signals}) == 1
    what = "share one source_id" if same else "could be meant" if wanted else "are of type EEG"
    listing = "; ".join(
        f"{each.about.name} on {each.about.host}, source_id {each.about.source_id or 'none'}, "
        f"uid {each.about.uid}" for each in signals
    )  # fmt: skip
    raise BadInput(
        f"{len(signals)} streams {what}: {listing}. "
        f"Stop all but one, or choose with --stream {'UID' if same or wanted else 'NAME'}"
    )


def any_layout(unit: str | None) -> Callable[[Description], Layout]:
    """Acceptance of any first signal, then only of one with the same rate and all its channels."""
    first: list[Layout] = []

    def accept(about: Description) -> Layout:
        info, factor = signal(about, unit)
        if info.unit_from != "stated":
            raise BadInput(f"stream {about.name!r} does not say its unit; give one, e.g. unit='uV'")
        if not first:
            first.append((info, factor))
        wanted = first[0][0]
        missing = [name for name in wanted.channels if name not in info.channels]
        if missing or info.rate != wanted.rate:
            raise BadInput(
                f"stream {about.name!r} has {len(info.channels)} channels at {info.rate:g} Hz now, "
                f"and had {len(wanted.channels)} at {wanted.rate:g} Hz; connect again"
            )
        return info, factor

    return accept


def _nothing(
    pair: SignalWithMarkers,
    stream: str | None,
    found: list[DiscoveredStream],
    refused: dict[str, str],
    since: str = " yet",
) -> str:
    """Message about the missing streams and those that are present instead.

    It is the same sentence as long as both stay the same.
    """
    wanted = f"stream {stream!r}" if stream else "EEG stream"
    others = [each.about for each in found if each.about.name not in RESULTS]
    there = ", ".join(f"{about.name} ({about.kind})" for about in others) or "no other stream"
    if pair.wanted:
        wanted += f" with markers {', '.join(pair.wanted)}"
    why = "".join(f"; not read: {each}" for each in sorted(refused.values()))
    return (
        f"no {wanted}{since}; {there} {'are' if len(others) > 1 else 'is'} there{why}. "
        "Is the amplifier's program streaming? (rtbci streams, rtbci doctor)"
    )
