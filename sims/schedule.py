"""Schedule of a recording: pushes of samples and markers in the order an amplifier sends them.

Pure: no clock, no network. All times are recording seconds after sample index 0; whoever plays the
schedule adds its ``t0`` and divides by its speed.
"""

import heapq
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import count

import numpy as np
from numpy.typing import NDArray

from rtbci.errors import BadInput
from rtbci.messages import Event
from rtbci.recorder.xdf_writer import marker_text
from rtbci.signal.recording import Recording
from rtbci.types import Array, Marker, Samples

CHUNK_S = 0.02
LOOP_HOLE_S = 1.0  # between the end and the next beginning, so that every reader sees a gap
AHEAD_S = 1.0  # markers of an accelerated replay go out so much earlier: a busy reader is no
# slower than an idle one then; the pipeline takes 2 s
NEARBY_S = 1.0  # rows around a marker that tell its time where stamps jitter


@dataclass(frozen=True)
class SamplePush:
    """Consecutive samples ``x`` (n, channels), sent together at ``due``."""

    index: int
    x: Samples
    stamps: Array  # (n,)
    due: float


@dataclass(frozen=True)
class MarkerPush:
    """A marker at sample ``index``, sent at ``due`` with the stamp of its row."""

    index: int
    text: str
    stamp: float
    due: float


@dataclass(frozen=True)
class Notice:
    """An event to be reported to listeners at ``due``."""

    due: float
    event: Event


Item = SamplePush | MarkerPush | Notice


class Timeline:
    """Stamps and due times of the rows of ``recording``, both (rows,).

    Regular: index / rate. With ``from_file`` the stamps are those of the file, and rows are due
    when they say, bursts and all; playback does not wait for a clock step. Raises ``BadInput`` for
    a file that has none.
    """

    def __init__(self, recording: Recording, from_file: bool = False) -> None:
        self.recording, self.rate = recording, recording.info.rate
        self.period = recording.n_samples + round(LOOP_HOLE_S * self.rate)  # samples of one pass
        self.from_file = from_file
        if not from_file:
            return
        if recording.stamps is None or recording.t0 is None:
            raise BadInput(
                f"{recording.provenance.paths[0]} ({recording.provenance.format}) holds no time "
                "stamps of its own; play it with --stamps regular"
            )
        self._stamps = recording.stamps - recording.t0
        self._due = _without_resets(recording, self._stamps)

    def rows(self, row: int, stop: int, index: int, turn: int) -> tuple[Array, float]:
        """Stamps and due times of rows ``row`` to ``stop``, the first at sample index ``index``."""
        if not self.from_file:
            first = index + turn * self.period
            stamps = np.arange(first, first + stop - row) / self.rate
            return stamps, float(stamps[-1])
        shift = turn * self.period / self.rate
        return self._stamps[row:stop] + shift, max(float(self._due[row:stop].max()), 0.0) + shift

    def event(self, marker: Marker, turn: int) -> tuple[float, float]:
        """Stamp and due time of a marker."""
        shift = turn * self.period / self.rate
        if not self.from_file:
            at = (marker.index + turn * self.period) / self.rate
            return at, at
        first, last, index = self._piece(marker.index)
        row = first + marker.index - index  # past the last one if it lies in a gap
        near = round(NEARBY_S * self.rate)
        beside = np.arange(max(first, row - near), max(min(last, row + near), first + 1))
        beside = beside[beside < last] if (beside < last).any() else np.array([last - 1])
        line = (row - beside) / (self.recording.effective_rate or self.rate)
        stamp = float(np.median(self._stamps[beside] + line))
        due = float(np.median(self._due[beside] + line))
        return stamp + shift, max(due, 0.0) + shift

    def _piece(self, index: int) -> tuple[int, int, int]:
        found = self.recording.segments[0]
        for piece in self.recording.segments:
            if piece[2] <= index:
                found = piece
        return found


def rows(
    timeline: Timeline, chunk: int, since: int = 0, until: int | None = None, loop: bool = False
) -> Iterator[SamplePush]:
    """Pushes of up to ``chunk`` rows, of sample indices from ``since`` to ``until``, in order."""
    recording = timeline.recording
    for turn in count(since // timeline.period) if loop else (0,):
        shift = turn * timeline.period
        for first, last, index in recording.segments:
            start = max(0, since - shift - index)
            stop_at = last if until is None else min(last, first + until - shift - index)
            for row in range(first + start, stop_at, chunk):
                stop = min(row + chunk, stop_at)
                at = index + row - first
                stamps, due = timeline.rows(row, stop, at, turn)
                yield SamplePush(at + shift, recording.signal[row:stop], stamps, due)
        if until is not None and shift + timeline.period >= until:
            return


def events(
    timeline: Timeline,
    ahead: float = 0.0,
    since: int = 0,
    until: int | None = None,
    loop: bool = False,
    spoil: Callable[[list[MarkerPush]], list[MarkerPush]] = list,
) -> Iterator[MarkerPush]:
    """Markers of sample indices from ``since`` to ``until``, ``ahead`` s before their row is due.

    ``spoil`` may change those of one pass before they are put in order of time.
    """
    markers = sorted(timeline.recording.markers, key=lambda marker: marker.index)
    if not markers:
        return
    for turn in count(since // timeline.period) if loop else (0,):
        shift = turn * timeline.period
        found: list[MarkerPush] = []
        for marker in markers:
            index = marker.index + shift
            if since <= index and (until is None or index < until):
                stamp, due = timeline.event(marker, turn)
                found.append(MarkerPush(index, marker_text(marker), stamp, max(due - ahead, 0.0)))
        yield from sorted(spoil(found), key=lambda event: event.due)
        if until is not None and shift + timeline.period >= until:
            return


def merged(*streams: Iterable[Item]) -> Iterator[Item]:
    """All items in order of due time; rows come after other items due at the same time."""
    return heapq.merge(*streams, key=lambda item: (item.due, isinstance(item, SamplePush)))


def lead_in(recording: Recording, seconds: float, chunk: int) -> Iterator[SamplePush]:
    """The first row held for ``seconds`` before sample index 0: a reader that comes meanwhile
    starts its filters exactly there."""
    n, rate = math.ceil(seconds * recording.info.rate), recording.info.rate
    for index in range(-n, 0, chunk):
        size = min(chunk, -index)
        stamps = np.arange(index, index + size) / rate
        yield SamplePush(
            index, np.repeat(recording.signal[:1], size, axis=0), stamps, float(stamps[-1])
        )


def resets(recording: Recording) -> list[int]:
    """Sample indices at which the recording restarts without missing indices."""
    return [gap.index for gap in recording.gaps if gap.missing == 0]


def in_order(items: Iterable[SamplePush]) -> Iterator[SamplePush]:
    """Due times made non-decreasing."""
    due = 0.0
    for item in items:
        due = max(due, item.due)
        yield item if item.due == due else replace(item, due=due)


def _without_resets(recording: Recording, stamps: Array) -> NDArray[np.float64]:
    """Stamps (rows,) with clock resets removed."""
    due = stamps.copy()
    where = {index: row for row, _, index in recording.segments}
    for index in resets(recording):
        row = where.get(index, 0)
        if row:
            due[row:] -= due[row] - due[row - 1] - 1 / recording.info.rate
    return due
