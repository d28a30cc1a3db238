"""A case on the disk, written as the recorder writes what it gets from LSL, or by ``XdfWriter``."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pylsl

from rtbci.errors import BadInput
from rtbci.lsl.description import parse
from rtbci.process import Reporter
from rtbci.recorder import xdf_pack
from rtbci.recorder.disk import PendingChunk, Spool
from rtbci.recorder.xdf_writer import XdfWriter
from rtbci.types import StreamInfo
from tests.soak.round_trip_cases import Case, Stream

WAIT_S = 10.0  # for a spool to write a few kilobytes
# bytes that other senders write into markers, in the place of as many of ours
LATIN_1 = {"ĸĸĸĸ".encode(): "éàüéàüéà".encode("latin-1")}


def lsl_xml(stream: Stream, number: int) -> str:
    """The header that liblsl gives for a stream."""
    made: Any = pylsl.StreamInfo  # whose formats may also be words
    info = made(
        stream.name, stream.kind, len(stream.labels), stream.rate, stream.format, f"id-{number}"
    )
    channels = info.desc().append_child("channels")
    for label in stream.labels:
        channel = channels.append_child("channel")
        for tag, text in (("label", label), ("unit", stream.unit), ("type", stream.kind)):
            channel.append_child_value(tag, text)
    info.desc().append_child_value("remark", "脳" * stream.remark)
    here = info.desc()
    for _ in range(stream.depth):
        here = here.append_child("level")
    return info.as_xml()


def write(case: Case, path: Path) -> tuple[list[Stream], list[str]]:
    """Write ``case``; the streams in the file, by number, and why others were refused."""
    found = _write_own(case, path) if case.own else _write_as_recorder(case, path)
    data = path.read_bytes()
    for ours, theirs in LATIN_1.items():
        if ours in data:
            path.write_bytes(data.replace(ours, theirs))
    return found


def _write_own(case: Case, path: Path) -> tuple[list[Stream], list[str]]:
    with XdfWriter(path) as writer:
        for stream in case.streams:
            types = (stream.kind,) * len(stream.labels)
            info = StreamInfo(stream.name, stream.rate, stream.labels, types, unit=stream.unit)
            writer.add_stream(info, kind=stream.kind, format=stream.format)
        for number, first, last in _chunks(case):
            stream = case.streams[number - 1]
            if first == 0:
                for at, offset in stream.offsets:
                    writer.clock_offset(number, at, offset)
                writer.boundary()
            writer.samples(number, stream.stamps[first:last], stream.values[first:last])
    return list(case.streams), []


def _write_as_recorder(case: Case, path: Path) -> tuple[list[Stream], list[str]]:
    kept, refused = list[Stream](), list[str]()
    spool = Spool(path, Reporter("record", True), header=xdf_pack.file_header({"session": "x"}))
    for stream in case.streams:
        xml = lsl_xml(stream, len(kept) + 1)
        try:
            about = parse(xml)
        except BadInput as error:
            refused.append(str(error))
            continue
        kept.append(stream)
        header = xdf_pack.stream_header(len(kept), about.xml.replace("\x00", "").encode())
        spool.put(PendingChunk(header, time.monotonic(), len(kept), is_header=True))
    for number, first, last in _chunks(replace(case, streams=tuple(kept))):
        stream = kept[number - 1]
        if first == 0:
            for at, offset in stream.offsets:
                data = xdf_pack.clock_offset(number, at, offset)
                spool.put(PendingChunk(data, time.monotonic(), number))
            spool.put(PendingChunk(xdf_pack.boundary(), time.monotonic()))
        stamps, count = stream.stamps[first:last], len(stream.labels)
        values = stream.values[first:last]
        data = xdf_pack.samples(number, stream.format, count, stamps, values)
        ends = float(stamps[0]), float(stamps[-1])
        spool.put(PendingChunk(data, time.monotonic(), number, last - first, *ends))
    spool.finish()
    assert spool.wait(WAIT_S), "the spool did not end"
    assert spool.error is None, f"the spool ended with {spool.error!r}"
    return kept, refused


def _chunks(case: Case) -> Sequence[tuple[int, int, int]]:
    """Number of the stream, first row, row behind the last, of all chunks, streams in turn."""
    found: list[tuple[float, int, int, int]] = []
    for number, stream in enumerate(case.streams, start=1):
        first = 0
        for turn, last in enumerate(stream.cuts):
            found.append((turn, number, first, last))
            first = last
    return [each[1:] for each in sorted(found)]
