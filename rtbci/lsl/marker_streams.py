"""All marker streams that a decoder listens to, in the clock of the signal."""

import threading
from contextlib import suppress

from rtbci.errors import Missing
from rtbci.formats.events import from_value
from rtbci.lsl.follow import StreamFollower
from rtbci.lsl.resolve import DiscoveredStream, StreamDiscovery, matches
from rtbci.messages import RESULTS
from rtbci.types import Marker

OFFSETS_S = 5.0  # between two readings of the clock offsets


def is_for_decoding(found: DiscoveredStream, wanted: tuple[str, ...]) -> bool:
    """Whether a stream is one of ``wanted`` (name, source_id or uid); without these, any markers
    but our own results."""
    if wanted:
        return any(matches(found, each) for each in wanted)
    return found.about.is_markers and found.about.name not in RESULTS


class MarkerStreams:
    """Markers of several streams. One thread, except ``offset_of``."""

    def __init__(self) -> None:
        self._followers: dict[tuple[str, ...], StreamFollower] = {}  # by source, or uid without it

    @property
    def names(self) -> list[str]:
        """Streams that are listened to."""
        return sorted(each.about.name for each in self._followers.values())

    @property
    def followers(self) -> list[StreamFollower]:
        """For the clock offsets."""
        return list(self._followers.values())

    def add(self, found: DiscoveredStream) -> None:
        """Listen to one more; twice is fine. One that does not answer is left out."""
        about = found.about
        key = about.identity.source if about.source_id else (about.uid,)
        if key not in self._followers:
            with suppress(Missing):
                self._followers[key] = StreamFollower(found)

    def pull(self, doubt: StreamDiscovery | None) -> list[tuple[StreamFollower, float, Marker]]:
        """Markers that came, each with its raw stamp; never waits.

        ``doubt`` is the discovery that is asked about the signal while that is silent: its
        markers are likely to be gone as well, and back at the same time.
        """
        out: list[tuple[StreamFollower, float, Marker]] = []
        for follower in self._followers.values():
            if doubt is not None:
                follower.suspect(doubt)
            elif follower.watch is not None:
                follower.trust()
            values, stamps = follower.pull(0.0)
            if follower.newcomer is not None:
                follower.accept()
                values, stamps = follower.pull(0.0)
            for row, stamp in zip(values, stamps, strict=True):
                for value in row:
                    marker = from_value(0, value)
                    if marker is not None:
                        out.append((follower, float(stamp), marker))
        return out

    def close(self) -> None:
        """Unsubscribe from all."""
        for follower in self._followers.values():
            follower.close()


class HostClockOffsets:
    """Clock offsets of the hosts that send, asked for in a thread of its own: it may block.

    Streams of one host share one offset, so that its markers and its signal stay in step.
    """

    def __init__(self) -> None:
        self._by_host: dict[str, float] = {}
        self._ask: dict[str, StreamFollower] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="offsets", daemon=True)

    def start(self, followers: list[StreamFollower]) -> None:
        """Begin to ask one stream of each host."""
        for follower in followers:
            self._ask.setdefault(follower.about.host, follower)
        if not self._thread.is_alive():
            self._thread.start()

    def of(self, host: str) -> float | None:
        """Seconds from the clock of ``host`` to ours; None while unknown."""
        return self._by_host.get(host)

    def close(self) -> None:
        """Ask no more; waits for a question that is on its way."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(3.0)

    def _run(self) -> None:
        while not self._stop.is_set():
            for host, follower in list(self._ask.items()):
                found = follower.inlet.offset(1.0)
                if found is not None:
                    self._by_host[host] = found
            self._stop.wait(OFFSETS_S)
