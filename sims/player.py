"""Playback of a recording like an amplifier: two outlets, absolute due times, stamped samples.

Sample index i carries the stamp ``t0 + i / rate`` and leaves at ``t0 + (stamp - t0) / speed`` of
this machine's LSL clock. Deadlines never build on each other: a process that was held up sends all
that is due at once, and nothing is skipped.
"""

import math
import time
from collections import deque
from typing import TYPE_CHECKING, Protocol

import numpy as np

from rtbci.lsl.config import session_id
from rtbci.lsl.outlet import Outlet, clock, events
from rtbci.messages import (
    Event,
    Finish,
    Order,
    OutletsBack,
    PartPlayed,
    PlayerCounters,
    PlayerReady,
    PlayerStatus,
    ReplayEnded,
    ReplayStarted,
    Stop,
    WaitingForReaders,
    late_start_marker,
)
from rtbci.signal.recording import Recording
from sims import schedule
from sims.changes import guise
from sims.program import OutletLife, PlaybackSettings, Start, describe, names, program
from sims.schedule import Item, Notice, SamplePush

if TYPE_CHECKING:
    from sims.faults import Fault

TICK_S = 0.1  # longest time between two checks for orders
STATUS_S = 1.0
OPENING_S = 0.05  # until the outlets are open
LOOK_S = 0.05  # between two checks of the subscribed readers
# Readers open one stream after the other: playback starts once none has connected for this long.
SETTLED_S = 0.3
# Longest wait for readers to settle.
SETTLE_AT_MOST_S = 3.0
LEFT_S = 0.5  # lead-in left after the last reader has connected
TOLD_S = 3.0  # between two messages about missing readers
LATEST = 20_000  # pushes whose lateness is kept


class PlayerListener(Protocol):
    """Callback for playback events."""

    def __call__(self, event: Event, /) -> None: ...


class Orders(Protocol):
    """Source of orders that may end playback."""

    parent_gone: bool

    def poll(self) -> list[Order]:
        """Orders received since the last call."""
        ...


class Stopped(Exception):
    """Playback was stopped by an order."""


def check_orders(orders: Orders) -> None:
    """Raise ``Stopped`` if an order or the end of the parent process requires it."""
    if orders.parent_gone or any(isinstance(each, Finish | Stop) for each in orders.poll()):
        raise Stopped


class Player:
    """Plays a part of ``recording`` once, in one thread; ``tell`` must not block."""

    def __init__(
        self, recording: Recording, settings: PlaybackSettings, faults: "tuple[Fault, ...]"
    ) -> None:
        self._recording, self._settings = recording, settings
        self._faults = tuple(fault for fault in faults if not fault.kills)
        self._samples = self._markers = 0  # pushed, from sample index 0 on
        self._index, self._stamp = 0, float("nan")  # index after the last sample pushed; its stamp
        self._late: deque[float] = deque(maxlen=LATEST)  # s
        self._heard = self._reported = 0.0
        self._outlets: tuple[Outlet, ...] = ()

    def run(
        self,
        tell: PlayerListener,
        orders: Orders,
        part: OutletLife | None = None,
        start: Start | None = None,
    ) -> None:
        """Play ``part``, or all; without ``start`` it chooses t0. Raises ``Stopped``."""
        self._tell, self._orders, part = tell, orders, part or OutletLife()
        self._look = guise(self._recording, part.kill)
        if start is not None:
            self._start = start
            self._open()
            tell(OutletsBack(part.since, part.samples(self._look.recording.info.rate)[0]))
        else:
            # six digits: the same number in every life, in JSON and in a description
            self._start = Start(round(clock() + self._settings.lead_in + OPENING_S, 6))
            self._open()
            tell(self._identity())
            self._begin()
        self._index = part.samples(self._look.recording.info.rate)[0]
        for item in program(self._look.recording, self._settings, self._faults, part):
            self._push(item)
        self._finish(part)

    def close(self) -> None:
        """Close the outlets. Idempotent."""
        for outlet in self._outlets:
            outlet.close()

    def counts(self) -> PlayerCounters:
        """Counts pushed, and lateness."""
        late = None, None
        if self._late:
            p50, p99 = np.quantile(self._late, [0.5, 0.99])
            late = round(1e3 * float(p50), 3), round(1e3 * float(p99), 3)
        return PlayerCounters(self._samples, self._markers, late)

    def _open(self) -> None:
        (name, source), (events_name, events_source) = names(self._settings.name)
        info = self._look.recording.info
        fields = describe(self._recording, self._look, self._settings, self._start)
        self._eeg = Outlet(
            name, source, kind="EEG", rate=info.rate, channels=info.channels, types=info.types,
            unit=self._look.unit, fields=fields, speed=self._settings.speed,
        )  # fmt: skip
        kept = {key: fields[key] for key in ("t0", "speed", "lead_in", "rate", "recording")}
        self._events = events(events_name, events_source, kept)
        self._outlets = (self._eeg, self._events)

    def _identity(self) -> PlayerReady:
        info = self._look.recording.info
        (name, source), (events_name, _) = names(self._settings.name)
        return PlayerReady(
            t0=self._start.t0, speed=self._settings.speed, samples=self._recording.n_samples,
            rate=info.rate, channels=len(info.channels), name=name, markers=events_name,
            source_id=source, session=session_id(),
        )  # fmt: skip

    def _begin(self) -> None:
        """Play the lead-in, or the rest of it once enough readers are connected."""
        chunk = self._settings.rows(self._recording.info.rate)
        speed, t0 = self._settings.speed, self._start.t0
        seconds = self._settings.lead_in
        if self._settings.wait_for:
            self._wait_for_readers()
            late = round(max(0.0, clock() + min(LEFT_S, seconds) - t0), 6)
            seconds = min(seconds, t0 + late - clock())
            self._start = Start(t0, late)
            if late:
                self._events.say(late_start_marker(late), t0 - 1 / self._rate)
        self._tell(ReplayStarted(t0, self._start.late))
        for item in schedule.lead_in(self._recording, seconds * speed, chunk):
            self._push(item)

    def _wait_for_readers(self) -> None:
        """Wait until enough readers of the EEG are connected and no other has just connected."""
        wanted, told, said = self._settings.wait_for, 0.0, -1
        before: frozenset[object] = frozenset()
        known: frozenset[object] = frozenset()
        changed = enough_since = clock()
        while True:
            eeg = self._eeg.readers()
            everybody = eeg | self._events.readers()
            steady = eeg & before  # a request for the description is gone at the second look
            now = clock()
            if everybody != known:
                changed = now
            if len(steady) < wanted:
                enough_since = now
                if now - told > TOLD_S or said != len(steady):
                    told, said = now, len(steady)
                    self._tell(WaitingForReaders(wanted, len(steady)))
            elif now - changed > SETTLED_S or now - enough_since > SETTLE_AT_MOST_S:
                return
            before, known = eeg, everybody
            self._until(now + LOOK_S)

    def _push(self, item: Item) -> None:
        start = self._start
        deadline = start.t0 + start.late + item.due / self._settings.speed
        self._until(deadline)
        if isinstance(item, Notice):
            self._tell(item.event)
            return
        if isinstance(item, SamplePush):
            x = item.x if self._look.factor == 1 else item.x * np.float32(self._look.factor)
            stamps = start.t0 + item.stamps
            is_counted = item.index >= 0
            if is_counted:
                self._late.append(clock() - deadline)
            self._eeg.push(x, stamps)
            if is_counted:
                self._samples += len(x)
                self._index, self._stamp = item.index + len(x), float(stamps[-1])
        else:
            self._events.say(item.text, start.t0 + item.stamp)
            self._markers += 1

    def _finish(self, part: OutletLife) -> None:
        """Wait to be killed after the last push, or linger for slow readers."""
        if part.until is not None:
            self._tell(PartPlayed(**vars(self.counts())))
            self._until(math.inf)
        self._tell(ReplayEnded(self._recording.n_samples, self._stamp))
        self._until(clock() + self._settings.linger)

    def _until(self, deadline: float) -> None:
        """Sleep until a deadline while checking for orders at least every ``TICK_S``."""
        while True:
            now = clock()
            if now - self._heard >= TICK_S:
                self._heard = now
                check_orders(self._orders)
                if now - self._reported >= STATUS_S:
                    self._reported = now
                    self._tell(PlayerStatus(self._index, self._samples, self._markers))
            if now >= deadline:
                return
            time.sleep(min(deadline - now, TICK_S))

    @property
    def _rate(self) -> float:
        return self._recording.info.rate
