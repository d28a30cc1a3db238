"""One stream, followed through silence, death and return, without ever trusting a newcomer.

LSL reconnects by itself, in about a second, in silence, and even to a stream of another rate; its
``info()`` then still tells the old story. So after a silence nothing is read until discovery has
answered who is there now: the same process (it was frozen), or another one, which is opened,
described, and shown to the owner first. Discovery answers in about 0.3 s.
"""

import time
from collections.abc import Callable
from contextlib import suppress

from numpy.typing import NDArray

from rtbci.errors import Missing
from rtbci.lsl.description import Description
from rtbci.lsl.inlet import BUFFER_S, Inlet, clock
from rtbci.lsl.resolve import DiscoveredStream, StreamDiscovery
from rtbci.types import Array

SILENT_S = 0.5  # without a sample before anybody worries ...
SILENT_INTERVALS = 3.0  # ... or so many of the usual arrival intervals, if that is more
SLEPT_S = 0.1  # a pull that ends so much later than asked was this process's sleep
SMOOTHING = 0.05  # of the usual arrival interval
OPEN_S = 2.0  # a newcomer has so long to answer
DOUBT_S = (
    3.5  # that a stream is still asked for once it may be trusted: the dead are listed for 3 s
)
POLL_S = 0.02  # between two looks at what discovery found


class StreamFollower:
    """Rows of one source. One thread owns it; ``inlet`` may be asked for offsets by another.

    A process that takes the place of the one before appears as ``newcomer``: nothing is pulled
    until the owner calls ``accept`` or ``refuse``. ``twins`` are two or more at once.
    """

    def __init__(
        self, found: DiscoveredStream, buffer_s: int = BUFFER_S, now: Callable[[], float] = clock
    ) -> None:
        self.found, self._buffer_s, self._now = found, buffer_s, now
        self.inlet = Inlet(found, buffer_s)
        self.about: Description = self.inlet.open()
        self.newcomer: Inlet | None = None
        self.twins: tuple[DiscoveredStream, ...] = ()
        self.usual = 0.0  # s between arrivals, smoothed
        self.arrived = now()  # when rows last came
        self._slept = 0.0  # s of it that this process did not look
        self._first = True  # nothing has come yet
        self._refused: set[str] = set()
        self._suspected = now()  # last
        self._watch: StreamDiscovery | None = (
            None  # only while nothing comes, or after it was suspected
        )

    @property
    def age(self) -> float:
        """Seconds of silence: since something came, less those that this process slept through."""
        return self._now() - self.arrived - self._slept

    @property
    def heard(self) -> bool:
        """Whether anything ever came."""
        return not self._first

    @property
    def limit(self) -> float:
        """Seconds without a sample that are normal, once the first is there."""
        return max(SILENT_S, SILENT_INTERVALS * self.usual)

    @property
    def watch(self) -> StreamDiscovery | None:
        """Discovery, while it is being asked what has become of the stream."""
        return self._watch

    def pull(self, timeout: float, at_most: int | None = None) -> tuple[NDArray, Array]:
        """As ``Inlet.pull``; no rows while it is not known whose rows they are."""
        if self._watch is not None and not self._is_the_same():
            with suppress(Missing):
                self._look_for_another()
            if timeout:  # wait, but read nothing
                time.sleep(min(timeout, POLL_S))
            return self.inlet.nothing
        asked = self._now()
        values, stamps = self.inlet.pull(timeout, at_most)
        if len(stamps):
            self._arrived()
            return values, stamps
        late = self._now() - asked - timeout
        if late > SLEPT_S:  # frozen or starved: what was sent meanwhile is on its way
            self._slept += late
        if self.about.rate and self._watch is None and self._now() - self.arrived > self.limit:
            self._watch = StreamDiscovery()  # whoever slept does not know who is there now
        return values, stamps

    def accept(self) -> Description:
        """Read the newcomer from now on."""
        assert self.newcomer is not None, "nobody came"
        self.inlet.close()
        self.inlet, self.newcomer = self.newcomer, None
        self.about = self.inlet.about
        self.found = self.inlet.found
        self._watch, self.arrived, self._slept = None, self._now(), 0.0
        return self.about

    def refuse(self) -> None:
        """Never look at this newcomer again."""
        assert self.newcomer is not None, "nobody came"
        self._refused.add(self.newcomer.about.uid)
        self.newcomer.close()
        self.newcomer = None

    def suspect(self, watch: StreamDiscovery) -> None:
        """Ask ``watch`` who is there: events come irregularly, their silence says nothing."""
        self._suspected, self._watch = self._now(), watch

    def trust(self) -> None:
        """Stop asking soon, where the process that was read is still the one that answers."""
        if self._now() - self._suspected > DOUBT_S and self._is_the_same():
            self._watch = None

    def close(self) -> None:
        """Unsubscribe."""
        self.inlet.close()
        if self.newcomer is not None:
            self.newcomer.close()

    def _arrived(self) -> None:
        now = self._now()
        interval = now - self.arrived
        if not self._first and self._watch is None:
            self.usual += SMOOTHING * (interval - self.usual) if self.usual else interval
        self._first, self.arrived, self._slept, self._watch = False, now, 0.0, None

    def _present(self) -> list[DiscoveredStream]:
        """Streams that answer now and may be this source."""
        assert self._watch is not None
        mine = self.about
        return [
            each
            for each in self._watch.found()
            if each.about.uid not in self._refused
            and (
                each.about.source_id == mine.source_id
                if mine.source_id
                else (each.about.name, each.about.kind) == (mine.name, mine.kind)
            )
        ]

    def _is_the_same(self) -> bool:
        """Whether the process that was read is the only one that answers."""
        return [each.about.uid for each in self._present()] == [self.about.uid]

    def _look_for_another(self) -> None:
        others = [each for each in self._present() if each.about.uid != self.about.uid]
        self.twins = tuple(others) if len(others) > 1 else ()
        if self.newcomer is None and len(others) == 1:
            inlet = Inlet(others[0], self._buffer_s)
            inlet.open(OPEN_S)
            self.newcomer = inlet
