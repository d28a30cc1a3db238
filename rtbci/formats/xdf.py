"""XDF as LabRecorder, rtbci and others write it: one EEG stream, any number of marker streams.

A replay that was recorded reads as the recording that was played: without its lead-in, from sample
index 0 on, and without the decisions made meanwhile.
"""

import contextlib
import io
import logging
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rtbci.errors import BadInput
from rtbci.foreign_text import clean
from rtbci.formats.draft import Draft
from rtbci.formats.events import from_value
from rtbci.formats.source import ReadOptions
from rtbci.formats.stream_header import CoreFields
from rtbci.formats.units import type_of
from rtbci.formats.xdf_chunks import Frame, walk
from rtbci.formats.xdf_replay import Epochs, epochs, lead_in_rows, offset_of, replay_fields, resets
from rtbci.formats.xdf_salvage import salvage, texts
from rtbci.formats.xdf_salvage import stamps as raw_stamps
from rtbci.messages import LATE_START, RESULTS
from rtbci.signal.timebase import CLOCK_RESET, TimeBase, from_stamps
from rtbci.terminal import count
from rtbci.types import Gap, Marker

Stream = Mapping[str, Any]
REPLACED = "\ufffd"  # pyxdf puts it in the place of bytes that are not UTF-8


def read_xdf(path: Path, options: ReadOptions) -> Draft:
    """The EEG stream of ``path`` with all its marker streams, on clock-corrected stamps.

    Raises ``BadInput`` where no stream, or more than one, could be the EEG (``--stream NAME``).
    """
    frame = walk(path)
    chosen = _choose(frame, options.stream, path)
    notes: list[str] = []
    if frame.damage is not None:
        lost = frame.size - frame.whole
        notes.append(
            f"the last {lost} of {frame.size} bytes are damaged ({frame.damage}); left out"
        )
    notes += [f"stream {n} cannot be read ({why}); left out" for n, why in frame.unread.items()]
    if frame.odd_clocks:
        notes.append(f"{count(frame.odd_clocks, 'reading')} of a clock not finite; left out")
    streams = {int(s["info"]["stream_id"]): s for s in _load(path, frame)}
    eeg = streams[chosen]
    declared, said = frame.streams[chosen], replay_fields(eeg)
    stamps = np.asarray(eeg["time_stamps"], np.float64)
    x = np.asarray(eeg["time_series"])
    if len(stamps) == 0:
        raise BadInput(f"{path}: stream {declared.name!r} holds no samples")
    # clocks are corrected here, so t0 is compared with the stamps as they are in the file
    lead_in = lead_in_rows(said, lambda until: raw_stamps(salvage(path), chosen, until))
    if lead_in >= len(stamps):
        raise BadInput(
            f"{path}: stream {declared.name!r} was cut before its first sample; all "
            f"{len(stamps)} rows are the lead-in of a replay"
        )
    stamps, x = stamps[lead_in:], x[lead_in:]
    rate = options.rate or declared.rate
    base = from_stamps(stamps, rate or None) if len(stamps) > 1 else None
    if not rate:
        if base is None:
            raise BadInput(f"{path}: stream {declared.name!r} states no rate; give --rate HZ")
        rate = round(base.rate, 3)
        notes.append(f"stream {declared.name!r} states no rate; its stamps advance at {rate:g} Hz")
    labels, units, types = _describe(eeg, declared.channels)
    found = _epochs(path, chosen, said, lead_in, base)
    if found is not None:
        notes.append(found.note)
    return Draft(
        format="xdf",
        paths=[path],
        name=declared.name,
        x=x,
        channels=labels,
        types=types,
        rate=rate,
        units=units,
        markers=_markers(path, frame, streams, chosen, base, notes),
        gaps=_gaps(base, eeg, lead_in, said),
        effective_rate=base.rate if base else None,
        back_steps=base.back_steps if base else 0,
        t0=base.t0 if base else float(stamps[0]),
        stamps=stamps,
        lead_in=lead_in,
        notes=notes,
        epoch_rows=found.rows if found else None,
        runs=found.runs if found else (),
        bridged=found.starts if found else None,
    )


def _choose(frame: Frame, wanted: str | None, path: Path) -> int:
    """Id of the stream to read as EEG."""
    numeric = {
        i: s for i, s in frame.streams.items() if s.format != "string" and not _is_markers(s)
    }
    listing = ", ".join(f"{s.name!r} ({s.type or 'no type'})" for s in frame.streams.values())
    if wanted is not None:
        named = [i for i, s in numeric.items() if s.name == wanted]
        if len(named) == 1:
            return named[0]
        what = "no signal stream is" if not named else "several streams are"
        raise BadInput(f"{what} named {wanted!r} in {path}; it has {listing}")
    eeg = [i for i, s in numeric.items() if s.type.upper() == "EEG"]
    found = eeg or list(numeric)
    if len(found) > 1:  # empty streams do not count
        found = [i for i in found if frame.samples.get(i)] or found
    if len(found) == 1:
        return found[0]
    if not found:
        raise BadInput(f"{path} holds no signal stream; it has {listing}")
    kind = "streams of type EEG" if eeg else "signal streams, none of type EEG"
    raise BadInput(f"{path} holds {len(found)} {kind}; choose with --stream NAME among {listing}")


def _is_markers(stream: CoreFields) -> bool:
    return stream.type.lower() in ("markers", "marker", "events") or (
        stream.rate == 0 and stream.channels == 1 and stream.type.upper() != "EEG"
    )


def _load(path: Path, frame: Frame) -> list[Stream]:
    """Streams as pyxdf parses them: clocks corrected, resets handled, stamps not smoothed."""
    import pyxdf

    # It logs about segments and repairs on stderr; what matters of that, our time base finds.
    logger = logging.getLogger("pyxdf")
    level, quiet = logger.level, logging.CRITICAL + 1
    logger.setLevel(quiet)
    try:
        with open(path, "rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            is_whole = frame.whole == frame.size and not frame.skipped
            source = file if is_whole else io.BytesIO(_readable(file.read(frame.whole), frame))
            streams, _ = pyxdf.load_xdf(
                source, dejitter_timestamps=False, synchronize_clocks=True, verbose=None
            )
    finally:
        logger.setLevel(level)
    return streams


def _readable(data: bytes, frame: Frame) -> bytes:
    """``data`` without the chunks of streams whose header cannot be read."""
    starts = (0, *(stop for _, stop in frame.skipped))
    stops = (*(start for start, _ in frame.skipped), len(data))
    return b"".join(data[start:stop] for start, stop in zip(starts, stops, strict=True))


def _describe(stream: Stream, n: int) -> tuple[list[str], list[str | None], list[str]]:
    """Labels, units and types of the channels from the stream's description."""
    found: list[Mapping[str, Any]] = []
    with contextlib.suppress(KeyError, IndexError, TypeError):
        found = list(stream["info"]["desc"][0]["channels"][0]["channel"])
    if len(found) != n or not all(isinstance(channel, Mapping) for channel in found):
        found = [{}] * n
    labels = [_text(c, "label") or f"channel {i + 1}" for i, c in enumerate(found)]
    units = [_text(c, "unit") or _text(c, "units") or None for c in found]
    types = [type_of(label, _text(c, "type")) for label, c in zip(labels, found, strict=True)]
    return labels, units, types


def _text(channel: Mapping[str, Any], key: str) -> str:
    value = (channel.get(key) or [None])[0]
    return clean(value) if isinstance(value, str) else ""


def _gaps(
    base: TimeBase | None, eeg: Stream, lead_in: int, said: Mapping[str, str]
) -> tuple[Gap, ...]:
    """Gaps of the time base; restarts of the sender's clock are marked. With a lead-in, indices are
    those of the recording that was played, and its resets are added."""
    if base is None:
        return ()
    restarts = {int(first) - lead_in for first, _ in eeg["info"].get("clock_segments", [])[1:]}
    rows = np.searchsorted(base.indices, [gap.index for gap in base.gaps])
    gaps = [
        Gap(gap.index, gap.missing, CLOCK_RESET) if int(row) in restarts else gap
        for gap, row in zip(base.gaps, rows, strict=True)
    ]
    if lead_in:
        known = {gap.index for gap in gaps}
        more = resets(said, 0, int(base.indices[-1]))
        gaps = sorted(gaps + [gap for gap in more if gap.index not in known], key=_index)
    return tuple(gaps)


def _epochs(
    path: Path, stream: int, said: Mapping[str, str], lead_in: int, base: TimeBase | None
) -> Epochs | None:
    """The epochs of a bridged replay, in sample indices of the recording."""
    if base is None or "epochs" not in said:
        return None
    offset: int | None = 0
    if not lead_in:  # it began in the middle: clocks are corrected already, so by the raw stamp
        first = raw_stamps(salvage(path), stream, -np.inf)
        offset = offset_of(said, float(first[0])) if len(first) else None
    return None if offset is None else epochs(said, offset, int(base.indices[-1]) + 1)


def _index(gap: Gap) -> int:
    return gap.index


def _markers(
    path: Path,
    frame: Frame,
    streams: dict[int, Stream],
    chosen: int,
    base: TimeBase | None,
    notes: list[str],
) -> list[Marker]:
    """Markers of all marker streams, at the sample nearest in time."""
    markers: list[Marker] = []
    last = int(base.indices[-1]) if base else 0
    outside = 0
    for number, declared in frame.streams.items():
        if number == chosen or not (declared.format == "string" or _is_markers(declared)):
            continue
        if declared.name in RESULTS:
            continue
        stamps = np.asarray(streams[number]["time_stamps"], np.float64)
        if not len(stamps):
            notes.append(f"marker stream {declared.name!r} is empty")
            continue
        good = np.isfinite(stamps)
        indices = np.zeros(len(stamps), np.int64)
        if base:
            indices[good] = base.index_at(stamps[good])
        values = streams[number]["time_series"]
        if any(REPLACED in part for value in values for part in value if isinstance(part, str)):
            kept = texts(salvage(path), number)  # as many, unless pyxdf read on after damage
            values = kept if len(kept) == len(values) else values
        for index, value, fine in zip(indices, values, good, strict=True):
            for marker in (from_value(int(index), part) for part in value):
                if marker is None or marker.label == LATE_START:
                    continue
                if not fine or not 0 <= index <= last:
                    outside += 1
                else:
                    markers.append(marker)
    for number, declared in frame.streams.items():
        empty = number != chosen and not len(streams[number]["time_stamps"])
        if empty and declared.format != "string" and not _is_markers(declared):
            notes.append(f"stream {declared.name!r} is empty")
    if outside:
        lie = "lies" if outside == 1 else "lie"
        notes.append(
            f"{count(outside, 'marker')} {lie} before the first or after the last sample; left out"
        )
    return markers
