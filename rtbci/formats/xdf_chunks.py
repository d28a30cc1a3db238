"""The frame of an XDF file: every declared size is checked before anything is allocated for it."""

import mmap
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rtbci.errors import BadInput
from rtbci.formats.source import regular
from rtbci.formats.stream_header import MOST_STREAMS, CoreFields, core_fields, parse_header

HEADER, SAMPLES, CLOCK, FOOTER = 2, 3, 4, 6
FARTHEST_CLOCK = 1e15  # s; a reading of a clock beyond it, or not finite, is left out


@dataclass
class Frame:
    """Streams of a file, how many samples they hold, and how far its chunks are whole.

    A header that cannot be read costs its own stream only: the chunks of that stream are
    ``skipped``, everything else is read.
    """

    streams: dict[int, CoreFields] = field(default_factory=dict)
    unread: dict[int, str] = field(default_factory=dict)  # stream -> why its header is refused
    # Bytes of the chunks of ``unread`` streams, and of invalid readings of a clock.
    skipped: list[tuple[int, int]] = field(default_factory=list)
    odd_clocks: int = 0  # number of these readings
    samples: dict[int, int] = field(default_factory=dict)
    whole: int = 4  # bytes that can be read
    size: int = 0
    damage: str | None = None  # why the rest cannot be read


def walk(path: Path) -> Frame:
    """The frame of ``path``; raises ``BadInput`` where nothing useful is whole."""
    with framed(path) as (data, frame):
        while frame.whole < frame.size and frame.damage is None:
            frame.damage = check_chunk(data, frame)
    return frame


@contextmanager
def framed(path: Path) -> Iterator[tuple[mmap.mmap, Frame]]:
    """The bytes of ``path`` and a frame to take their chunks into.

    Raises ``BadInput`` if it is not an XDF file, and at the end if no stream was found in it.
    """
    size = regular(path)
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data[:4] != b"XDF:":
            raise BadInput(
                f"{path} does not start with 'XDF:'; it is not an XDF file or is damaged"
            )
        frame = Frame(size=size)
        yield data, frame
    if not frame.streams:
        why = "; ".join(frame.unread.values()) or "it was cut or damaged at its start"
        raise BadInput(f"{path} holds no whole stream header that can be read: {why}")


def check_chunk(data: mmap.mmap, frame: Frame) -> str | None:
    """Take the chunk at ``frame.whole`` into ``frame``; returns None, or the reason for failure."""
    try:
        frame.whole = _chunk(data, frame)
    except _Cut as error:
        return str(error)
    except (struct.error, IndexError):
        return "the last chunk is cut"
    return None


class _Cut(Exception):
    """The file ends, or stops making sense, inside a chunk."""


def _chunk(data: mmap.mmap, frame: Frame) -> int:
    """Position after the chunk that starts at ``frame.whole``."""
    length, start = _number(data, frame.whole)
    stop = start + length
    if length < 2 or stop > frame.size:
        raise _Cut("the last chunk is cut" if length >= 2 else "a chunk has no length")
    (tag,) = struct.unpack_from("<H", data, start)
    at = start + 2
    if tag in (HEADER, SAMPLES, CLOCK, FOOTER):
        if stop - at < 4:
            raise _Cut("a chunk is too short for its stream number")
        (stream,) = struct.unpack_from("<I", data, at)
        at += 4
        if tag == HEADER:
            _header(frame, stream, data[at:stop])
        if stream in frame.unread:
            frame.skipped.append((frame.whole, stop))
        elif tag == HEADER:
            pass
        elif stream not in frame.streams:
            raise _Cut(f"a chunk belongs to stream {stream}, which has no header")
        elif tag == SAMPLES:
            count = _samples(data, at, stop, frame.streams[stream])
            frame.samples[stream] = frame.samples.get(stream, 0) + count
        elif tag == CLOCK:
            if stop - at != 16:
                raise _Cut("a clock offset has the wrong length")
            if not all(
                abs(value) < FARTHEST_CLOCK for value in struct.unpack_from("<dd", data, at)
            ):
                frame.skipped.append((frame.whole, stop))  # NaN, too: it corrects no stamp
                frame.odd_clocks += 1
        elif tag == FOOTER:
            _check_xml(data[at:stop])
    elif tag == 1:
        _check_xml(data[at:stop])
    elif tag != 5:
        raise _Cut(f"a chunk has the unknown tag {tag}")
    return stop


def _number(data: mmap.mmap, at: int) -> tuple[int, int]:
    """A variable-length number and the position after it."""
    width = data[at]
    form = {1: "<B", 4: "<I", 8: "<Q"}.get(width)
    if form is None:
        raise _Cut("a length field is damaged")
    return struct.unpack_from(form, data, at + 1)[0], at + 1 + width


def _header(frame: Frame, stream: int, text: bytes) -> None:
    """Take the header of ``stream`` into ``frame``, or the reason why it is refused."""
    try:
        if len(frame.streams) >= MOST_STREAMS:
            raise BadInput(f"{MOST_STREAMS} streams of one file are read")
        frame.streams[stream] = core_fields(parse_header(text))
    except BadInput as error:
        if stream not in frame.streams:
            frame.unread[stream] = str(error)


def _check_xml(text: bytes) -> None:
    try:
        parse_header(text)
    except BadInput as error:
        raise _Cut(str(error)) from None


def _samples(data: mmap.mmap, at: int, stop: int, stream: CoreFields) -> int:
    """How many samples a chunk holds; raises ``_Cut`` unless they fill it exactly."""
    count, at = _number(data, at)
    width = stream.width
    if width and stop - at == count * (9 + width):  # every sample stamped, the usual case
        if data[at : stop : 9 + width].count(8) != count:
            raise _Cut("the mark of a time stamp is damaged")
        return count
    if count * (1 + (width or stream.channels * 2)) > stop - at:
        raise _Cut(f"a chunk declares {count} samples, more than it can hold")
    for _ in range(count):
        stamped = data[at]
        if stamped not in (0, 8):
            raise _Cut("the mark of a time stamp is damaged")
        at += 1 + stamped + width
        if not width:
            for _ in range(stream.channels):
                length, at = _number(data, at)
                at += length
        if at > stop:
            break
    if at != stop:
        raise _Cut("the samples of a chunk do not fill it")
    return count
