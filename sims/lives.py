"""Outlets that are killed and return: each life is a separate process.

All lives are forked before any thread is started, share the recording's memory and wait: a life is
on the network milliseconds after the start signal. The parent only imports LSL and never calls it.
"""

import io
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from rtbci.errors import Missing, RtbciError
from rtbci.lsl.outlet import clock
from rtbci.messages import (
    Event,
    Go,
    LifeClock,
    LifeFailed,
    Order,
    PartPlayed,
    PlayerCounters,
    PlayerStatus,
    ReplayStarted,
    line,
    parse,
)
from rtbci.process import ControlInput
from rtbci.signal.recording import Recording
from sims.faults import Fault, Kill
from sims.player import Orders, Player, PlayerListener, Stopped, check_orders
from sims.program import OutletLife, PlaybackSettings, Start

TICK_S = 0.05
LEAVE_S = 2.0  # time for a life to stop when asked
LAST_WORDS_S = 1.0  # to tell what it pushed, when its time has come


@dataclass
class Life:
    """A forked process that waits for its start, then runs the outlets."""

    part: OutletLife
    pid: int
    orders: int  # pipe to its stdin
    events: int  # pipe from its stdout
    torn: bytes = b""  # the beginning of a line
    is_over: bool = False  # it has left, or was killed
    has_told: bool = False  # what it pushed

    def hang_up(self) -> None:
        """Close the command pipe, which ends the process. Idempotent."""
        if self.orders >= 0:
            os.close(self.orders)
            self.orders = -1


class Lives:
    """The lives of one replay. Make it before any thread is started; ``close`` it.

    ``configure`` is called in each life before LSL is.
    """

    def __init__(
        self,
        recording: Recording,
        settings: PlaybackSettings,
        faults: Sequence[Fault],
        configure: Callable[[], None],
    ) -> None:
        if not hasattr(os, "fork"):
            raise Missing("a fault that kills needs Linux or macOS: this system cannot fork")
        self._rate, self._speed = recording.info.rate, settings.speed
        self._counts = PlayerCounters(0, 0, (None, None))
        self._earlier = self._counts  # of the lives before
        self._start: Start | None = None
        self._ahead = 0.0  # s, LSL's clock before this process's monotonic one
        self._lives: list[Life] = []
        for part in parts(faults):

            def live(
                tell: PlayerListener, orders: Orders, start: Start | None, part: OutletLife = part
            ) -> None:
                configure()
                tell(LifeClock(clock()))
                player = Player(recording, settings, tuple(faults))
                try:
                    player.run(tell, orders, part, start)
                finally:
                    player.close()
                    tell(PartPlayed(**vars(player.counts())))

            self._lives.append(self._fork(part, live))

    def run(self, tell: PlayerListener, orders: Orders) -> None:
        """Run the lives one after the other; raises ``Stopped``."""
        for number, life in enumerate(self._lives):
            if self._start is not None:
                self._wait(None, self._due(life.part.since), tell, orders)
            self._order(life, Go(**vars(self._start)) if self._start else Go())
            until = life.part.until
            if until is None:
                self._wait(life, float("inf"), tell, orders)
                return
            while self._start is None:
                self._wait(life, time.monotonic() + TICK_S, tell, orders)
            self._wait(life, self._due(until), tell, orders)
            patience = time.monotonic() + LAST_WORDS_S
            while not life.has_told and time.monotonic() < patience:
                self._wait(life, time.monotonic() + TICK_S, tell, orders)
            os.kill(life.pid, signal.SIGKILL)
            self._bury(life)
            self._earlier = self._counts
            kill = self._lives[number + 1].part.kill
            assert kill is not None, "every life but the last ends by a kill"
            killed_at = life.part.samples(self._rate)[1]
            assert killed_at is not None
            tell(kill.began(killed_at))

    def counts(self) -> PlayerCounters:
        """Totals pushed by all lives; lateness as last reported."""
        return self._counts

    def close(self) -> None:
        """End all processes by closing their pipes."""
        for life in self._lives:
            if not life.is_over:
                life.hang_up()
        patience = time.monotonic() + LEAVE_S
        for life in self._lives:
            while not life.is_over and time.monotonic() < patience:
                self._hear(life, TICK_S, lambda _: None)
            if not life.is_over:
                os.kill(life.pid, signal.SIGKILL)
                self._bury(life)

    def _due(self, seconds: float) -> float:
        """Due time of a moment of the recording, on this process's monotonic clock."""
        assert self._start is not None
        return self._start.t0 + self._start.late + seconds / self._speed - self._ahead

    def _wait(
        self, life: Life | None, deadline: float, tell: PlayerListener, orders: Orders
    ) -> None:
        """Wait until ``deadline`` (monotonic) or until ``life`` has ended."""
        while (left := deadline - time.monotonic()) > 0:
            check_orders(orders)
            if life is None:
                time.sleep(min(left, TICK_S))
                continue
            self._hear(life, min(left, TICK_S), tell)
            if life.is_over:
                if life.part.until is not None or not life.has_told:
                    raise RtbciError(
                        "the process that streams has died; run again with --debug and report it"
                    )
                return

    def _hear(self, life: Life, timeout: float, tell: PlayerListener) -> None:
        """Forward events that ``life`` sends within ``timeout`` s."""
        if not select.select([life.events], [], [], timeout)[0]:
            return
        data = os.read(life.events, 65_536)
        if not data:
            self._bury(life)
            return
        *lines, life.torn = (life.torn + data).split(b"\n")
        for each in lines:
            event = parse(each)
            assert isinstance(event, Event), each
            self._pass_on(life, event, tell)

    def _pass_on(self, life: Life, event: Event, tell: PlayerListener) -> None:
        before = self._earlier
        match event:
            case LifeFailed(text=text):
                raise RtbciError(text)
            case LifeClock(lsl=lsl):
                self._ahead = lsl - time.monotonic()
            case PartPlayed(samples, markers, late_ms):
                if not life.has_told:
                    samples, markers = samples + before.samples, markers + before.markers
                    self._counts, life.has_told = PlayerCounters(samples, markers, late_ms), True
            case PlayerStatus(index, samples, markers):
                tell(PlayerStatus(index, samples + before.samples, markers + before.markers))
            case _:
                if isinstance(event, ReplayStarted) and self._start is None:
                    self._start = Start(event.t0, event.late)
                tell(event)

    def _order(self, life: Life, order: Order) -> None:
        with suppress(OSError):  # it has died: its events tell
            os.write(life.orders, (line(order) + "\n").encode())

    def _bury(self, life: Life) -> None:
        life.is_over = True
        life.hang_up()
        os.close(life.events)
        with suppress(ChildProcessError):
            os.waitpid(life.pid, 0)

    def _fork(
        self, part: OutletLife, live: Callable[[PlayerListener, Orders, Start | None], None]
    ) -> Life:
        from_parent, orders = os.pipe()
        events, to_parent = os.pipe()
        sys.stdout.flush()
        pid = os.fork()
        if pid:
            os.close(from_parent)
            os.close(to_parent)
            return Life(part, pid, orders, events)
        code = 1
        try:
            for other in self._lives:  # or they would never see the end of their pipes
                os.close(other.orders)
                os.close(other.events)
            os.close(orders)
            os.close(events)
            code = _child(from_parent, to_parent, live)
        finally:
            os._exit(code)


def parts(faults: Sequence[Fault]) -> list[OutletLife]:
    """Parts played between the kills among ``faults``, which are in time order."""
    kills = [fault for fault in faults if isinstance(fault, Kill)]
    found: list[OutletLife] = []
    since, last = 0.0, None
    for kill in kills:
        found.append(OutletLife(since, kill.at, last))
        since, last = kill.until, kill
    return [*found, OutletLife(since, None, last)]


def _child(
    from_parent: int, to_parent: int, live: Callable[[PlayerListener, Orders, Start | None], None]
) -> int:
    """Wait for the start signal, then run the outlets; returns the exit code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ctrl-c reaches the group; the parent decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.dup2(from_parent, 0)
    os.dup2(to_parent, 1)
    stdin = io.BufferedReader(io.FileIO(0, closefd=False))
    sys.stdin = io.TextIOWrapper(stdin)  # where orders are read

    def tell(event: Event, /) -> None:
        with suppress(BrokenPipeError):  # the parent has died; the end of stdin tells
            os.write(1, (line(event) + "\n").encode())

    try:
        go = parse(stdin.readline())
        if not isinstance(go, Go):  # the parent has left
            return 0
        start = Start(go.t0, go.late or 0.0) if go.t0 is not None else None
        live(tell, ControlInput(listen=True), start)
        return 0
    except Stopped:
        return 0
    except Exception as error:  # noqa: BLE001 - reported to the parent, which raises it
        text = f"the process that streams failed: {type(error).__name__}: {error}"
        tell(LifeFailed(text))
        return 1
