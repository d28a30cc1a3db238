"""EEG and markers read from LSL by a thread of the window.

It subscribes only once the session's own boxes read the stream: a replay begins when enough
readers are there, and a window must never stand in for a recorder.
"""

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from gui.operator.about import About
from gui.operator.measure import ElectrodeReading, band_power, readings
from rtbci.errors import BadInput, RtbciError
from rtbci.lsl.config import configure
from rtbci.lsl.description import Description, signal
from rtbci.lsl.inlet import clock
from rtbci.lsl.pair import SignalWithMarkers, search
from rtbci.lsl.signal import Layout, SignalStream
from rtbci.messages import (
    LATE_START,
    DecoderReady,
    Done,
    Ended,
    Event,
    ReplayStarted,
    SessionReport,
)
from rtbci.signal.ring import Ring
from rtbci.types import Chunk, Gap, Marker, Samples, StreamInfo

PULL_S = 0.1
LOOK_S = 0.3  # time for duplicate streams and markers to answer
AGAIN_S = 0.5  # pause before the next attempt to read a stream
MEASURE_S, SPAN_S = 1.0, 2.0  # electrodes are judged so often, on so much signal
# Chunks and markers queued for a stopped window; beyond this the oldest are dropped.
MOST_WAITING = 6000


@dataclass(frozen=True)
class SignalOpened:
    """A stream was opened; indices restart. ``columns`` are those displayed."""

    info: StreamInfo
    columns: tuple[int, ...]
    host: str


@dataclass(frozen=True)
class DrawnSamples:
    """Samples to draw from sample index ``index`` on: (n, shown channels), uV."""

    index: int
    x: Samples


@dataclass(frozen=True)
class DrawnMarker:
    """A marker of the experiment to draw."""

    index: int
    label: str


@dataclass(frozen=True)
class QualityUpdate:
    """Quality of each electrode, and band power over all."""

    electrodes: tuple[ElectrodeReading, ...]
    bands: Mapping[str, float | None]


@dataclass(frozen=True)
class Moment:
    """A moment of an operator's marker: LSL seconds, and the sample index, if known."""

    stamp: float
    index: int | None = None


@dataclass(frozen=True)
class SignalTrouble:
    """Reason why no signal is shown, as a sentence; "" once there is one."""

    text: str


Item = SignalOpened | DrawnSamples | Gap | DrawnMarker | QualityUpdate | SignalTrouble


class SignalFeed:
    """Reader of the EEG stream; ``hear`` and ``hear_report`` run in the control thread."""

    def __init__(self, about: About) -> None:
        self.about = about
        self._items: deque[Item] = deque(maxlen=MOST_WAITING)
        self._may_read, self._stop = threading.Event(), threading.Event()
        self._uid: str | None = None  # of the stream that the decoder reads
        self._signal: SignalStream | None = None
        self._thread = threading.Thread(target=self._run, name="signal", daemon=True)
        self._late = 0.0  # lateness of a replay, s

    def start(self) -> None:
        """Start the thread, which waits until the stream may be read."""
        self._thread.start()

    def close(self) -> None:
        """Stop reading and wait briefly for the thread."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(2.0)

    def items(self) -> list[Item]:
        """Items received since the last call, in order."""
        found: list[Item] = []
        while self._items:
            found.append(self._items.popleft())
        return found

    def age(self) -> float | None:
        """Seconds since the newest sample was due; None if nothing is read."""
        source = self._signal
        if source is None or not np.isfinite(source.newest):
            return None
        return max(0.0, clock() - source.due(source.newest))

    def counts(self) -> tuple[int, int] | None:
        """Received and missing samples of this window's own inlet."""
        source = self._signal
        return None if source is None else (source.counts.samples, source.counts.missing)

    def now(self) -> Moment:
        """LSL seconds now, and the sample index that is due now, if known."""
        stamp, source = clock(), self._signal
        if source is None or not np.isfinite(source.newest):
            return Moment(stamp)
        here = stamp - source.offset
        if source.t0 is not None:  # a replay: its stamps advance at its speed
            here = source.t0 + (here - source.t0 - source.late) * source.speed
        return Moment(stamp, source.index_at(here))

    def hear_report(self, report: SessionReport) -> None:
        """Process the events in a report of the session."""
        for event in report.said:
            self.hear(event)

    def hear(self, event: Event) -> None:
        """Process one event of the session."""
        match event:
            case DecoderReady(uid=uid):
                self._uid = uid or None
                if self.about.kind == "live":
                    self._may_read.set()
            case ReplayStarted(late=late):
                self._late = late
                self._may_read.set()
            case Ended(box="stream") | Done(box="stream"):
                self._may_read.clear()

    def _run(self) -> None:
        told = ""
        while not self._stop.is_set():
            if not self._may_read.wait(PULL_S):
                continue
            configure_once(self.about)
            try:
                self._read()
                told = ""
            except RtbciError as error:
                self._uid = None  # it may have come back as another process
                if str(error) != told:
                    told = str(error)
                    self._items.append(SignalTrouble(f"this window shows no signal: {told}"))
            self._signal = None
            self._stop.wait(AGAIN_S)

    def _read(self) -> None:
        """Read one stream until it ends, changes, or should not be read any more."""
        pair = SignalWithMarkers(self.about.markers)
        given_up = self._is_unwanted
        wanted = self._uid or self.about.stream
        found = search(pair, wanted, look=LOOK_S, timeout=5.0, given_up=given_up)
        if found is None:
            return
        try:
            source = pair.open(found, same_layout(self.about.unit))
            source.late = self._late
            self._signal = source
            self._items.append(SignalTrouble(""))
            while not given_up() and source.refused is None:
                self._read_one(pair, source)
        finally:
            self._signal = None
            pair.close()

    def _read_one(self, pair: SignalWithMarkers, source: SignalStream) -> None:
        """Read one recording, or a live stream without end."""
        info = source.info
        columns = tuple(n for n, kind in enumerate(info.types) if kind == "EEG")
        columns = columns or tuple(range(len(info.channels)))
        shown = ShownChannels(info, columns)
        self._items.append(SignalOpened(info, columns, source.about.host))
        early: list[tuple[float, Marker]] = []
        measured = clock()
        while not self._is_unwanted() and source.refused is None:
            for item in source.pull(PULL_S):
                self._items.append(shown.push(item))
            early = self._mark(source, early + pair.pull_markers())
            pair.late_markers()
            if clock() - measured >= MEASURE_S:
                measured = clock()
                self._items.append(shown.quality())
            if source.ended:
                return

    def _mark(
        self, source: SignalStream, marks: list[tuple[float, Marker]]
    ) -> list[tuple[float, Marker]]:
        """Queue markers for drawing; those without a sample index yet are returned."""
        early = []
        for stamp, marker in marks:
            index = source.index_at(stamp)
            if index is None:
                early.append((stamp, marker))
            elif marker.label != LATE_START:
                self._items.append(DrawnMarker(index, marker.label))
        return early

    def _is_unwanted(self) -> bool:
        return self._stop.is_set() or not self._may_read.is_set()


class ShownChannels:
    """The displayed columns of a stream, and their signal quality."""

    def __init__(self, info: StreamInfo, columns: tuple[int, ...]) -> None:
        self._names = tuple(info.channels[column] for column in columns)
        self._columns = list(columns)
        self._rate = info.rate
        self._ring = Ring(max(8, round(SPAN_S * info.rate)), (len(columns),))
        self._from = 0  # first row in the ring after the last gap
        self._judged = -1  # rows in the ring when electrodes were last judged

    def push(self, item: Chunk | Gap) -> DrawnSamples | Gap:
        """Displayed part of ``item`` as a copy, because the inlet reuses its buffer."""
        if isinstance(item, Gap):
            self._from = self._ring.rows
            return item
        x = item.x[:, self._columns]
        self._ring.append(x)
        return DrawnSamples(item.index, x)

    def quality(self) -> QualityUpdate:
        """Quality over the last seconds without a gap."""
        ring = self._ring
        if ring.rows == self._judged:  # nothing came: what was true is not known any more
            self._from = ring.rows
        self._judged = ring.rows
        x = ring.view(max(self._from, ring.oldest), ring.rows)
        return QualityUpdate(tuple(readings(x, self._names, self._rate)), band_power(x, self._rate))


def same_layout(unit: str | None):
    """Layout check that accepts any first signal, then only the same channels and rate."""
    first: list[Layout] = []

    def accept(about: Description) -> Layout:
        info, factor = signal(about, unit)
        if not first:
            first.append((info, factor))
        wanted = first[0][0]
        if (set(wanted.channels), wanted.rate) != (set(info.channels), info.rate):
            raise BadInput("it has other channels or another rate now")
        return replace(info, unit=info.unit), factor

    return accept


_configured = threading.Lock()
_is_configured = False


def configure_once(about: About) -> None:
    """Configure liblsl once per process, before the first stream is resolved."""
    global _is_configured
    with _configured:
        if not _is_configured:
            configure(about.lsl_session, about.lsl_scope)
            _is_configured = True
