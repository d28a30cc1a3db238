"""The frame of an XDF file: every declared size is checked before anything is allocated for it."""

import mmap
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from xml.etree import ElementTree

from rtbci.errors import BadInput
from rtbci.foreign_text import clean
from rtbci.formats.draft import MAX_CHANNELS, MAX_RATE
from rtbci.formats.source import regular

MAX_HEADER_BYTES = 4 * 2**20
MAX_DEPTH = 50  # of XML
MAX_STREAMS = 256
BYTES = {"int8": 1, "int16": 2, "int32": 4, "int64": 8, "float32": 4, "double64": 8, "string": 0}
HEADER, SAMPLES, CLOCK, FOOTER = 2, 3, 4, 6


@dataclass
class Declared:
    """What the header of a stream says."""

    name: str
    type: str
    channels: int
    rate: float
    format: str

    @property
    def width(self) -> int:
        """Bytes of one sample's values; 0 for text, which has any length."""
        return BYTES[self.format] * self.channels


@dataclass
class Frame:
    """Streams of a file, how many samples they hold, and how far its chunks are whole."""

    streams: dict[int, Declared] = field(default_factory=dict)
    samples: dict[int, int] = field(default_factory=dict)
    whole: int = 4  # bytes that can be read
    size: int = 0
    damage: str | None = None  # why the rest cannot be read


def walk(path: Path) -> Frame:
    """The frame of ``path``; raises ``BadInput`` where nothing useful is whole."""
    with framed(path) as (data, frame):
        while frame.whole < frame.size and frame.damage is None:
            frame.damage = check_chunk(data, frame, path)
    return frame


@contextmanager
def framed(path: Path) -> Iterator[tuple[mmap.mmap, Frame]]:
    """The bytes of ``path`` and a frame to take their chunks into.

    Raises ``BadInput`` where it is no XDF file, and at the end where no stream was found in it.
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
        raise BadInput(f"{path} holds no whole stream header; it was cut or damaged at its start")


def check_chunk(data: mmap.mmap, frame: Frame, path: Path) -> str | None:
    """Take the chunk that starts at ``frame.whole`` into ``frame``; else say why it is none."""
    try:
        frame.whole = _chunk(data, frame, path)
    except _Cut as error:
        return str(error)
    except (struct.error, IndexError):
        return "the last chunk is cut"
    return None


class _Cut(Exception):
    """The file ends, or stops making sense, inside a chunk."""


def _chunk(data: mmap.mmap, frame: Frame, path: Path) -> int:
    """Position behind the chunk that starts at ``frame.whole``."""
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
            if len(frame.streams) >= MAX_STREAMS:
                raise _Cut(f"more than {MAX_STREAMS} streams")
            frame.streams[stream] = _declared(data[at : min(stop, at + MAX_HEADER_BYTES)], path)
        elif stream not in frame.streams:
            raise _Cut(f"a chunk belongs to stream {stream}, which has no header")
        elif tag == SAMPLES:
            count = _samples(data, at, stop, frame.streams[stream])
            frame.samples[stream] = frame.samples.get(stream, 0) + count
        elif tag == CLOCK and stop - at != 16:
            raise _Cut("a clock offset has the wrong length")
        elif tag == FOOTER:
            _xml(data[at : min(stop, at + MAX_HEADER_BYTES)])
    elif tag == 1:
        _xml(data[at : min(stop, at + MAX_HEADER_BYTES)])
    elif tag != 5:
        raise _Cut(f"a chunk has the unknown tag {tag}")
    return stop


def _number(data: mmap.mmap, at: int) -> tuple[int, int]:
    """A variable-length number and the position behind it."""
    width = data[at]
    form = {1: "<B", 4: "<I", 8: "<Q"}.get(width)
    if form is None:
        raise _Cut("a length field is damaged")
    return struct.unpack_from(form, data, at + 1)[0], at + 1 + width


def _samples(data: mmap.mmap, at: int, stop: int, stream: Declared) -> int:
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


def _declared(text: bytes, path: Path) -> Declared:
    root = _xml(text)
    values = {tag: clean(root.findtext(tag) or "") for tag in ("name", "type", "channel_format")}
    try:
        channels = int(root.findtext("channel_count") or "")
        rate = float(root.findtext("nominal_srate") or "")
    except ValueError:
        raise BadInput(
            f"{path}: stream {values['name']!r} has no count of channels or rate"
        ) from None
    if not 1 <= channels <= MAX_CHANNELS or not 0 <= rate <= MAX_RATE:
        raise BadInput(
            f"{path}: stream {values['name']!r} declares {channels} channels at {rate:g} Hz; "
            f"1 to {MAX_CHANNELS} channels and up to {MAX_RATE:g} Hz are read"
        )
    if values["channel_format"] not in BYTES:
        raise BadInput(
            f"{path}: stream {values['name']!r} has the unknown format {values['channel_format']!r}"
        )
    return Declared(values["name"], values["type"], channels, rate, values["channel_format"])


def _xml(text: bytes) -> ElementTree.Element:
    """The root of ``text``; raises ``_Cut`` where it is no XML, deep, or has entities."""
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise _Cut("a header declares XML entities")
    parser = ElementTree.XMLPullParser(events=("start", "end"))
    root: ElementTree.Element | None = None
    depth = 0
    try:
        parser.feed(text.decode("utf-8", "replace"))
        for event, element in cast(list[tuple[str, Any]], list(parser.read_events())):
            depth += 1 if event == "start" else -1
            root = element if root is None else root
            if depth > MAX_DEPTH:
                raise _Cut(f"XML nested more than {MAX_DEPTH} deep")
        parser.close()
    except ElementTree.ParseError:
        raise _Cut("a header is no XML") from None
    if root is None or depth:
        raise _Cut("a header is no XML")
    return root
