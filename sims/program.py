"""Content of one life of the outlets, and their stream descriptions."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

from rtbci.lsl.config import source_id, stream_name
from rtbci.messages import (
    Event,
    FaultBegan,
    OutletsBack,
    PlayerDone,
    PlayerReady,
    ReplayEnded,
    ReplayStarted,
    WaitingForReaders,
)
from rtbci.signal.recording import Recording
from rtbci.types import StreamInfo
from sims import schedule
from sims.changes import Guise
from sims.schedule import CHUNK_S, Item, MarkerPush, Notice, SamplePush, Timeline

if TYPE_CHECKING:
    from sims.faults import Fault, Kill

SENTENCES: dict[type[Event], str] = {
    PlayerReady: "streaming {name} ({channels} channels, {rate:g} Hz) and {markers}, "
    "speed {speed:g}",
    WaitingForReaders: "waiting for {wanted} readers, {there} of them are there",
    ReplayStarted: "the replay starts {late:.1f} s late: it waited for readers",
    FaultBegan: "fault at {at:g} s: {do}",
    OutletsBack: "back at {at:g} s",
    ReplayEnded: "that was all; still there for slow readers",
    PlayerDone: "{samples} samples and {markers} markers were sent",
}


@dataclass(frozen=True)
class PlaybackSettings:
    """Playback settings; times in real seconds unless stated otherwise."""

    speed: float = 1.0  # recording seconds per second
    chunk: int | None = None  # rows sent at once; None: 20 ms of the recording
    loop: bool = False
    file_stamps: bool = False  # those of the file in place of t0 + index / rate
    wait_for: int = 0  # readers of the EEG before it starts
    linger: float = 2.0  # after the last sample, for slow readers
    lead_in: float = 2.0
    name: str | None = None  # of the EEG stream; that of the markers ends in "-markers"

    def rows(self, rate: float) -> int:
        """Rows sent at once at ``rate`` Hz."""
        return self.chunk or max(1, round(CHUNK_S * rate))


@dataclass(frozen=True)
class Start:
    """Sample index 0 has the stamp ``t0`` and leaves ``late`` s after it, both LSL seconds."""

    t0: float
    late: float = 0.0


@dataclass(frozen=True)
class OutletLife:
    """One life of the outlets: recording seconds ``since`` to ``until``, back from ``kill``."""

    since: float = 0.0
    until: float | None = None
    kill: "Kill | None" = None

    def samples(self, rate: float) -> tuple[int, int | None]:
        """First sample index, and one past the last."""
        last = None if self.until is None else math.ceil(self.until * rate - 1e-6)
        return math.ceil(self.since * rate - 1e-6), last


def program(
    recording: Recording, settings: PlaybackSettings, faults: "Sequence[Fault]", part: OutletLife
) -> Iterator[Item]:
    """Everything sent during ``part``, in order, with ``faults`` applied (except kills)."""
    info = recording.info
    faults = [fault for fault in faults if not fault.kills]
    timeline = Timeline(recording, settings.file_stamps and recording.stamps is not None)
    since, until = part.samples(info.rate)
    rows: Iterable[SamplePush] = schedule.rows(
        timeline, settings.rows(info.rate), since, until, settings.loop
    )
    for fault in faults:
        rows = _spoilt(rows, fault, info)

    def spoil(found: list[MarkerPush]) -> list[MarkerPush]:
        for fault in faults:
            found = fault.events(found, info.rate)
        return found

    ahead = schedule.AHEAD_S if settings.speed > 1 else 0.0
    marks = schedule.events(timeline, ahead, since, until, settings.loop, spoil)
    end = math.inf if part.until is None else part.until
    dead_from = (
        part.kill.at if part.kill is not None else 0.0
    )  # faults that began then are reported now
    notices = [
        Notice(fault.at, fault.began(fault.first(info.rate)))
        for fault in faults
        if dead_from <= fault.at < end
    ]
    merged = schedule.merged(notices, marks, schedule.in_order(rows))
    return takewhile(lambda item: item.due < end, merged)  # the dead send nothing


def names(name: str | None) -> tuple[tuple[str, str], tuple[str, str]]:
    """Names and source_ids of the EEG and marker streams."""
    if name is None:
        eeg, markers = "eeg", "markers"
        return (stream_name(eeg), source_id(eeg)), (stream_name(markers), source_id(markers))
    return (name, source_id(name)), (f"{name}-markers", source_id(f"{name}-markers"))


def describe(
    recording: Recording, look: Guise, settings: PlaybackSettings, start: Start
) -> dict[str, str]:
    """Stream metadata for converting stamps into sample indices; see docs/streams.md."""
    rate = look.recording.info.rate
    fields = {
        "manufacturer": "rtbci stream",
        "t0": repr(start.t0),
        "speed": repr(settings.speed),
        "lead_in": repr(math.ceil(settings.lead_in * settings.speed * rate) / rate),
        "stamps": "file"
        if settings.file_stamps and look.recording.stamps is not None
        else "regular",
        "recording": recording.provenance.sha256,
        "samples": str(look.recording.n_samples),
        "rate": repr(rate),
    }
    found = schedule.resets(look.recording)
    if found:
        fields["resets"] = ",".join(map(str, found))
    if recording.bridged is not None and recording.epoch_rows is not None:
        factor = rate / recording.info.rate  # of a stream that came back with another rate
        fields["epoch_rows"] = str(round(recording.epoch_rows * factor))
        fields["epochs"] = ",".join(str(round(at * factor)) for at in recording.bridged)
        if recording.runs:
            fields["runs"] = ",".join(map(str, recording.runs))
    if settings.loop:
        fields["loop"] = str(Timeline(look.recording).period)
    return fields


def sentence(event: Event) -> str | None:
    """Event as a sentence for people; None for events meant for programs."""
    if isinstance(event, ReplayStarted) and not event.late:
        return None
    text = SENTENCES.get(type(event))
    return text.format(**vars(event)) if text else None


def _spoilt(rows: Iterable[SamplePush], fault: "Fault", info: StreamInfo) -> Iterator[SamplePush]:
    for item in rows:
        yield from fault.rows(item, info)
