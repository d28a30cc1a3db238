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
from rtbci.signal.liveness import (
    OVERSLEPT_S,
    Claimants,
    Liveness,
    claimants,
    is_doubted,
)
from rtbci.types import Array

OPEN_S = 2.0  # a newcomer has so long to answer
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
        self.liveness = Liveness(now())
        self._refused: set[str] = set()
        self._suspected = now()  # last
        self._watch: StreamDiscovery | None = (
            None  # only while nothing comes, or after it was suspected
        )

    @property
    def age(self) -> float:
        """Seconds of silence: since rows arrived last, without this process's own sleep."""
        return self.liveness.age(self._now())

    @property
    def arrived(self) -> float:
        """When rows arrived last, s of the follower's clock."""
        return self.liveness.arrived

    @property
    def heard(self) -> bool:
        """Whether a row ever arrived."""
        return self.liveness.heard

    @property
    def limit(self) -> float:
        """Seconds without a sample that are normal, once the first is there."""
        return self.liveness.limit

    @property
    def watch(self) -> StreamDiscovery | None:
        """Discovery, while it is being asked what has become of the stream."""
        return self._watch

    def pull(self, timeout: float, at_most: int | None = None) -> tuple[NDArray, Array]:
        """As ``Inlet.pull``; no rows while it is not known whose rows they are."""
        if self._watch is not None and not self._may_read(self._watch):
            if timeout:  # wait, but read nothing
                time.sleep(min(timeout, POLL_S))
            return self.inlet.nothing
        asked = self._now()
        values, stamps = self.inlet.pull(timeout, at_most)
        if len(stamps):
            self.liveness, self._watch = self.liveness.after_rows(self._now()), None
            return values, stamps
        late = self._now() - asked - timeout
        if late > OVERSLEPT_S:  # frozen or starved: what was sent meanwhile is on its way
            self.liveness = self.liveness.excuse(late)
        if self.about.rate and self._watch is None and self.liveness.gap(self._now()) > self.limit:
            self._watch = StreamDiscovery()  # whoever slept does not know who is there now
        return values, stamps

    def accept(self) -> Description:
        """Read the newcomer from now on."""
        assert self.newcomer is not None, "nobody came"
        self.inlet.close()
        self.inlet, self.newcomer = self.newcomer, None
        self.about = self.inlet.about
        self.found = self.inlet.found
        self._watch, self.liveness = None, self.liveness.waiting_since(self._now())
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
        """Stop asking once the doubt is over, if only the process that was read answers."""
        if self._watch is None or is_doubted(self._suspected, self._now()):
            return
        if self._claimants(self._listed(self._watch)).is_alone:
            self._watch = None

    def close(self) -> None:
        """Unsubscribe."""
        self.inlet.close()
        if self.newcomer is not None:
            self.newcomer.close()

    def _listed(self, watch: StreamDiscovery) -> dict[str, DiscoveredStream]:
        """The outlets that answer now, by uid, without those that were refused."""
        found = {each.about.uid: each for each in watch.found()}
        return {uid: each for uid, each in found.items() if uid not in self._refused}

    def _claimants(self, listed: dict[str, DiscoveredStream]) -> Claimants:
        """The outlets of ``listed`` that answer as this source."""
        return claimants(self.about.identity, [each.about.identity for each in listed.values()])

    def _may_read(self, watch: StreamDiscovery) -> bool:
        """Whether only the process that was read answers. An heir is opened, twins are kept."""
        listed = self._listed(watch)
        present = self._claimants(listed)
        self.twins = tuple(listed[each.uid] for each in present.twins)
        if self.newcomer is None and present.heir is not None:
            with suppress(Missing):
                inlet = Inlet(listed[present.heir.uid], self._buffer_s)
                inlet.open(OPEN_S)
                self.newcomer = inlet
        return present.is_alone
