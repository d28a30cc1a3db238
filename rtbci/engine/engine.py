"""Loop of the decode process: chunks and markers from the bus in, decisions out.

One thread does it all: it blocks on the next chunk, pushes, decides, publishes. Two others only
wait: one asks for clock offsets, one owns stdout (``rtbci.process``).
"""

import gc
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from rtbci.decoding import shifts
from rtbci.decoding.bundle import Bundle
from rtbci.decoding.pipeline import Pipeline
from rtbci.engine.timed_decoder import TimedDecoder
from rtbci.messages import (
    LATE_START,
    DecoderCounters,
    DecoderStatus,
    Finish,
    GapFound,
    Order,
    Pause,
    RecordingBegan,
    Resume,
    SetDead,
    Stop,
    decision_line,
    lateness,
    with_latency,
)
from rtbci.process import ControlInput, Reporter
from rtbci.signal.counted_rows import FAR
from rtbci.signal.windows import MARKER_WAIT
from rtbci.statistics.delays import Delays
from rtbci.terminal import count
from rtbci.types import Chunk, Decision, Decoder, Gap, Marker, StreamInfo

PULL_S = 0.1  # longest turn of the loop
STATUS_S = 1.0
WATCH_S = 0.1  # between two looks of the watchdog while samples come
FINISH_S = 5.0  # s without samples, once the end is announced
BEHIND_S = 0.5  # lateness from which sliding windows are skipped, s
MOST_EARLY = 10_000  # markers kept until the first sample comes
MARKERS_S = 0.05  # s of signal between two looks for markers; events wait longer for them anyway


class SignalSource(Protocol):
    """Live signal of the engine, such as ``rtbci.lsl.signal.SignalStream``."""

    info: StreamInfo
    rate: float
    speed: float
    refused: str | None
    ended: bool
    arrived: float
    newest: float
    late: float

    @property
    def head(self) -> int: ...
    def pull(self, timeout: float) -> list[Chunk | Gap]: ...
    def due(self, stamp: float) -> float: ...
    def index_at(self, stamp: float) -> int | None: ...
    def stamp_at(self, index: int) -> float: ...


class Engine:
    """Loop of the decode process, until an order ends it.

    ``markers`` returns those since the last call as ``(stamp in the signal's clock, marker)``;
    ``publish(probabilities, line, stamp)`` sends a decision.

    ``every`` seconds a sliding window is decided as well; ``wait`` is how long events wait for
    earlier ones whose marker is late. ``watch`` is called every turn, ``clock`` (s) is the one that
    ``source.arrived`` is read from.
    """

    unplaced = 0  # markers without a usable stamp, left out

    def __init__(
        self,
        bundle: Bundle,
        source: SignalSource,
        markers: Callable[[], list[tuple[float, Marker]]],
        publish: Callable[[list[float] | None, str, float], None],
        tell: Reporter,
        control: ControlInput,
        *,
        reload: Callable[[], Decoder],
        every: float | None = None,
        wait: float = MARKER_WAIT,
        watch: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.source, self._markers, self._publish = source, markers, publish
        self._tell, self._control, self._watch = tell, control, watch
        self._clock = clock
        self._guarded = TimedDecoder(bundle.decoder, reload, tell)
        self._bundle = replace(bundle, decoder=self._guarded)
        self._every, self._wait = every, wait
        self._shift_ms = 0.0  # of the latency gate, as reported
        self._dead: dict[str, str] = {}
        self.delays = Delays()
        self.decisions = self.rejected = 0
        self._skipped = self._duplicates = 0  # in recordings that are over
        self.paused = False
        self._early: list[tuple[float, Marker]] = []  # before the first sample
        self._finish_at: int | None = None  # sample index, once the end is announced
        self._stopping = False
        self._last = time.monotonic()  # of the last sample
        self._status_at = self._watch_at = 0.0
        self._markers_at = 0  # sample index
        self._start()

    def _start(self) -> None:
        self.pipeline = Pipeline(
            self._bundle, self.source.info, every=self._every, wait=self._wait, dead=self._dead
        )

    def run(self) -> None:
        """Decide until the end; pending events are decided at the end too."""
        gc.collect()
        gc.freeze()  # everything loaded stays, and needs no further collection
        gc.disable()  # garbage is collected once a second, when nothing is due
        try:
            while not self._over():
                self.turn()
            self._look_for_markers()
            self._emit(self.pipeline.finish())
        finally:
            gc.enable()

    def turn(self) -> None:
        """Process one chunk, or wait a tenth of a second for one."""
        source = self.source
        items = source.pull(PULL_S)
        behind = source.arrived - source.due(source.newest) if items else 0.0
        self.pipeline.windows.hurry = behind > BEHIND_S
        for item in items:
            if isinstance(item, Gap):
                self._tell.event(GapFound(item.index, item.missing, item.reason))
            self._emit(self.pipeline.push(item))
        if not items or source.ended or source.head >= self._markers_at:
            self._markers_at = source.head + round(MARKERS_S * source.rate)
            self._look_for_markers()
        self.pipeline.learn()
        now = time.monotonic()
        if items:
            self._last = now
        if source.ended:
            self._next_recording()
        for order in self._control.poll():
            self._obey(order)
        if not items or now >= self._watch_at:
            self._watch_at = now + WATCH_S
            self._watch()
        if now >= self._status_at:
            self._status_at = now + STATUS_S
            self._tell_unplaced()
            self._tell.event(DecoderStatus(**vars(self.counters())))
            gc.collect(1)

    def _look_for_markers(self) -> None:
        early, self._early = self._early, []
        for stamp, marker in early:
            self._event(stamp, marker)
        for stamp, marker in self._markers():
            self._event(stamp, marker)

    def _next_recording(self) -> None:
        self._markers_at = 0
        self._emit(self.pipeline.finish())
        self._skipped += self.pipeline.windows.skipped
        self._duplicates += self.pipeline.windows.duplicates
        self._dead = {}
        self._tell.event(RecordingBegan(), "another recording begins")
        self._start()

    def _event(self, stamp: float, marker: Marker) -> None:
        index = self.source.index_at(stamp)
        if index is None:
            if abs(stamp) < FAR and len(self._early) < MOST_EARLY:  # NaN is not
                self._early.append((stamp, marker))
            else:
                self.unplaced += 1
            return
        if marker.label == LATE_START:
            self.source.late = lateness(marker)
            return
        self._emit(self.pipeline.push(replace(marker, index=index)))

    def _emit(self, decisions: list[Decision]) -> None:
        source = self.source
        for decision in decisions:
            if self.paused:
                continue
            stamp = source.stamp_at(decision.index)
            text = decision_line(decision, stamp)
            probabilities = list(decision.probabilities.values()) or None
            model, self._guarded.spent = self._guarded.spent, 0.0
            transport = source.arrived - source.due(source.newest)
            line = with_latency(text, *self._delays(transport, model))
            self._publish(probabilities, line, source.newest if source.newest > 0 else 0.0)
            delays = self._delays(transport, model)
            self.delays.add(*delays)
            self.decisions += 1
            self.rejected += decision.rejected is not None
            self._tell.line(with_latency(text, *delays))  # the push included
        if decisions and self.pipeline.shift_ms != self._shift_ms:
            self._shift_ms = self.pipeline.shift_ms
            self._tell_shift()

    def _tell_unplaced(self) -> None:
        if self.unplaced:
            self._tell.alarm(
                "amber", "unplaced", f"{count(self.unplaced, 'marker')} had no usable time stamp "
                "and were left out; let the stimulus program stamp its markers with LSL's clock",
            )  # fmt: skip

    def _tell_shift(self) -> None:
        text = shifts.sentence(self._shift_ms)
        if self._shift_ms:
            self._tell.alarm("amber", "latency", text)
        else:
            self._tell.clear("latency", text)

    def _delays(self, transport: float, model: float) -> tuple[float, float, float, float]:
        """Delays up to now, ms, in the order of ``delays.KEYS``."""
        taken = self._clock() - self.source.arrived
        return 1000 * transport, 1000 * (taken - model), 1000 * model, 1000 * (transport + taken)

    def counters(self) -> DecoderCounters:
        """Counts so far."""
        windows = self.pipeline.windows
        return DecoderCounters(
            decisions=self.decisions,
            rejected=self.rejected,
            skipped=self._skipped + windows.skipped,
            duplicates=self._duplicates + windows.duplicates,
            decoder_failures=dict(self._guarded.failures),
        )

    def _obey(self, order: Order) -> None:
        match order:
            case Finish(index=index):
                self._finish_at = self.source.head if index is None else index
            case Stop():
                self._stopping = True
            case SetDead(electrodes=electrodes):
                self._dead = dict(electrodes)
                self._start()
            case Pause():
                self.paused = True
            case Resume():
                self.paused = False

    def _over(self) -> bool:
        if self._stopping or self._control.parent_gone:
            return True
        if self._finish_at is None:
            return False
        return self.source.head >= self._finish_at or time.monotonic() - self._last > FINISH_S
