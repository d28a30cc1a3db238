"""Reader of one stream across silence, loss and return, which checks every new sender first.

LSL reconnects by itself within about a second, without notice, and even to a stream of another
rate; its ``info()`` then still returns the old header. So after a silence nothing is read until
discovery shows which process sends now. If it is the same one (it was frozen), reading goes on. If
it is another one, it is opened, its description is read, and the owner decides. Discovery answers
in about 0.3 s.
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

# Time limit for a new sender to answer, s.
OPEN_S = 2.0
# Interval at which the results of discovery are checked, s.
POLL_S = 0.02


class StreamFollower:
    """Rows of one source. Owned by one thread; another may ask ``inlet`` for its clock offset.

    A process that replaces the previous sender appears as ``newcomer``: nothing is pulled until
    the owner calls ``accept`` or ``refuse``. ``twins`` are two or more such processes at once.
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
        self._suspected = now()  # time of the latest call of ``suspect``
        # Set only during a silence, and after ``suspect``.
        self._watch: StreamDiscovery | None = None

    @property
    def age(self) -> float:
        """Seconds since rows last arrived, without the time in which this process was suspended."""
        return self.liveness.age(self._now())

    @property
    def arrived(self) -> float:
        """Time at which rows last arrived, s of the follower's clock."""
        return self.liveness.arrived

    @property
    def heard(self) -> bool:
        """Whether a row ever arrived."""
        return self.liveness.heard

    @property
    def limit(self) -> float:
        """Longest normal time between rows, s, after the first has arrived."""
        return self.liveness.limit

    @property
    def watch(self) -> StreamDiscovery | None:
        """Discovery that is searching for the stream during a silence, else None."""
        return self._watch

    def pull(self, timeout: float, at_most: int | None = None) -> tuple[NDArray, Array]:
        """Rows and stamps as from ``Inlet.pull``; no rows while their sender is not confirmed."""
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
        if late > OVERSLEPT_S:
            # This process was suspended or starved; rows sent meanwhile are still to come.
            self.liveness = self.liveness.excuse(late)
        if self.about.rate and self._watch is None and self.liveness.gap(self._now()) > self.limit:
            # Also after a suspension of this process: the sender may have changed meanwhile.
            self._watch = StreamDiscovery()
        return values, stamps

    def accept(self) -> Description:
        """Switch to the newcomer and return its description."""
        assert self.newcomer is not None, "there is no newcomer"
        self.inlet.close()
        self.inlet, self.newcomer = self.newcomer, None
        self.about = self.inlet.about
        self.found = self.inlet.found
        self._watch, self.liveness = None, self.liveness.waiting_since(self._now())
        return self.about

    def refuse(self) -> None:
        """Close the newcomer and ignore its process from now on."""
        assert self.newcomer is not None, "there is no newcomer"
        self._refused.add(self.newcomer.about.uid)
        self.newcomer.close()
        self.newcomer = None

    def suspect(self, watch: StreamDiscovery) -> None:
        """Check the sender with ``watch``; for events, whose silence has no meaning."""
        self._suspected, self._watch = self._now(), watch

    def trust(self) -> None:
        """End the check after the period of doubt, if only the process that was read answers."""
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
        """Whether only the process that was read answers.

        A single other process is opened as ``newcomer``; several are kept as ``twins``.
        """
        listed = self._listed(watch)
        present = self._claimants(listed)
        self.twins = tuple(listed[each.uid] for each in present.twins)
        if self.newcomer is None and present.heir is not None:
            with suppress(Missing):
                inlet = Inlet(listed[present.heir.uid], self._buffer_s)
                inlet.open(OPEN_S)
                self.newcomer = inlet
        return present.is_alone
