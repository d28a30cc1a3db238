"""Marker streams of a decoder, and the clock offsets between hosts."""

import threading
from contextlib import suppress

from rtbci.errors import Missing
from rtbci.formats.events import from_value
from rtbci.lsl.follow import StreamFollower
from rtbci.lsl.resolve import DiscoveredStream, StreamDiscovery, matches
from rtbci.messages import RESULTS
from rtbci.types import Marker

OFFSETS_S = 5.0  # interval at which clock offsets are measured


def is_for_decoding(found: DiscoveredStream, wanted: tuple[str, ...]) -> bool:
    """Whether a stream is one of ``wanted`` (name, source_id or uid).

    If ``wanted`` is empty: whether it is a marker stream other than our own results.
    """
    if wanted:
        return any(matches(found, each) for each in wanted)
    return found.about.is_markers and found.about.name not in RESULTS


class MarkerStreams:
    """Markers of several streams. One thread."""

    def __init__(self) -> None:
        self._followers: dict[tuple[str, ...], StreamFollower] = {}  # by source, or uid without it

    @property
    def names(self) -> list[str]:
        """Names of all streams that are read."""
        return sorted(each.about.name for each in self._followers.values())

    @property
    def followers(self) -> list[StreamFollower]:
        """Followers of all streams that are read."""
        return list(self._followers.values())

    def add(self, found: DiscoveredStream) -> None:
        """Read one more stream. Idempotent. A stream that does not answer is left out."""
        about = found.about
        key = about.identity.source if about.source_id else (about.uid,)
        if key not in self._followers:
            with suppress(Missing):
                self._followers[key] = StreamFollower(found)

    def pull(self, doubt: StreamDiscovery | None) -> list[tuple[StreamFollower, float, Marker]]:
        """New markers, each with its follower and raw stamp; does not wait.

        ``doubt`` is the discovery that searches for the signal during a silence. Its markers are
        then likely to be lost as well, and to return at the same time.
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
        """Unsubscribe from all streams."""
        for follower in self._followers.values():
            follower.close()


class HostClockOffsets:
    """Clock offsets of the sending hosts, measured in a separate thread, since calls may block.

    All streams of a host share one offset, so that its markers stay aligned with its signal.
    """

    def __init__(self) -> None:
        self._by_host: dict[str, float] = {}
        self._ask: dict[str, StreamFollower] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="offsets", daemon=True)

    def start(self, followers: list[StreamFollower]) -> None:
        """Start to measure the offset of each host by one of its streams."""
        for follower in followers:
            self._ask.setdefault(follower.about.host, follower)
        if not self._thread.is_alive():
            self._thread.start()

    def of(self, host: str) -> float | None:
        """Seconds to add to the clock of ``host`` for ours; None while unknown."""
        return self._by_host.get(host)

    def close(self) -> None:
        """Stop measuring; waits for the current measurement, 3 s at most."""
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
