"""Every whole chunk of an XDF file, also after damage, and its contents.

A file that was cut or damaged is read as far as its chunks are whole; after damage, reading
continues at the next boundary chunk, as in every XDF reader.
"""

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from rtbci.foreign_text import clean
from rtbci.formats.stream_header import CoreFields
from rtbci.formats.xdf_chunks import CLOCK, FOOTER, HEADER, SAMPLES, check_chunk, framed
from rtbci.types import Array

BOUNDARY = bytes.fromhex("43A546DCCBF5410FB30ED5467383CBE4")
BOUNDARY_TAG, FILE_HEADER = 5, 1


@dataclass(frozen=True)
class Span:
    """A whole chunk: bytes ``start`` to ``stop`` of the file, its content from ``content`` on."""

    start: int
    content: int  # after the tag
    stop: int
    tag: int
    stream: int | None


@dataclass(frozen=True)
class Damage:
    """Bytes that make no sense."""

    start: int
    stop: int
    why: str


@dataclass
class Salvage:
    """The whole chunks of a file, and its damage."""

    path: Path
    size: int
    streams: dict[int, CoreFields]
    unread: dict[int, str]  # stream -> why its header, and all its chunks, are left out
    spans: list[Span] = field(default_factory=list)
    damages: list[Damage] = field(default_factory=list)

    @property
    def torn(self) -> int:
        """Number of bytes at the end that do not form a whole chunk."""
        last = self.damages[-1] if self.damages else None
        return last.stop - last.start if last is not None and last.stop == self.size else 0

    @property
    def damaged(self) -> list[Damage]:
        """Damage with whole chunks after it."""
        return [each for each in self.damages if each.stop < self.size]

    def of(self, tag: int, stream: int | None = None) -> list[Span]:
        """The chunks of one kind (and stream)."""
        return [s for s in self.spans if s.tag == tag and (stream is None or s.stream == stream)]


def salvage(path: Path) -> Salvage:
    """The whole chunks of ``path``; raises ``BadInput`` if nothing useful is whole."""
    with framed(path) as (data, frame):
        found = Salvage(path, frame.size, frame.streams, frame.unread)
        while frame.whole < frame.size:
            start = frame.whole
            why = check_chunk(data, frame)
            if why is None:
                if (start, frame.whole) not in frame.skipped[-1:]:
                    found.spans.append(_span(data, start, frame.whole))
                continue
            boundary = data.find(BOUNDARY, start + 1)
            stop = frame.size if boundary < 0 else boundary + len(BOUNDARY)
            found.damages.append(Damage(start, stop, why))
            frame.whole = stop
    return found


def stamps(found: Salvage, stream: int, until: float = float("inf")) -> Array:
    """The stamps of the samples of ``stream``, seconds, as they lie in the file: all of them, or
    those of the chunks up to one that ends after ``until``."""
    declared, parts = found.streams[stream], list[Array]()
    last, step = 0.0, 1 / declared.rate if declared.rate else 0.0
    with open(found.path, "rb") as file, _mapped(file.fileno()) as data:
        for span in found.of(SAMPLES, stream):
            part = _stamps(data[span.content + 4 : span.stop], declared, last, step)
            if len(part):
                last = float(part[-1])
                parts.append(part)
            if last > until:
                break
    return np.concatenate(parts) if parts else np.empty(0)


def texts(found: Salvage, stream: int) -> list[list[str]]:
    """The rows (channels each) of a text stream, in which bytes that are not UTF-8 are kept as
    "surrogateescape" keeps them; pyxdf makes all of them one and the same character."""
    declared, rows = found.streams[stream], list[list[str]]()
    with open(found.path, "rb") as file, _mapped(file.fileno()) as data:
        for span in found.of(SAMPLES, stream):
            body = data[span.content + 4 : span.stop]
            count, at = _number(body, 0)
            for _ in range(count):
                at += 1 + body[at]
                row = list[str]()
                for _ in range(declared.channels):
                    length, at = _number(body, at)
                    row.append(body[at : at + length].decode("utf-8", "surrogateescape"))
                    at += length
                rows.append(row)
    return rows


def offsets(found: Salvage, stream: int) -> Array:
    """Clock offsets of ``stream``: rows of (when, offset), seconds."""
    with open(found.path, "rb") as file, _mapped(file.fileno()) as data:
        rows = [struct.unpack_from("<dd", data, s.content + 4) for s in found.of(CLOCK, stream)]
    return np.array(rows, np.float64).reshape(len(rows), 2)


def fields(found: Salvage, tag: int, stream: int | None = None) -> dict[str, str] | None:
    """The text fields of the (last) header or footer; None without one."""
    spans = found.of(tag, stream)
    if not spans:
        return None
    skip = 0 if stream is None else 4
    with open(found.path, "rb") as file:
        file.seek(spans[-1].content + skip)
        text = file.read(spans[-1].stop - spans[-1].content - skip).decode("utf-8", "replace")
    return {each.tag: clean(each.text or "") for each in ElementTree.fromstring(text)}


def copy(found: Salvage) -> Iterator[bytes]:
    """The undamaged parts of the file: its start, then every whole chunk but footers."""
    yield b"XDF:"
    with open(found.path, "rb") as file:
        for span in found.spans:
            if span.tag != FOOTER:
                file.seek(span.start)
                yield file.read(span.stop - span.start)


def _mapped(number: int) -> mmap.mmap:
    return mmap.mmap(number, 0, access=mmap.ACCESS_READ)


def _span(data: mmap.mmap, start: int, stop: int) -> Span:
    content = start + 1 + data[start] + 2
    (tag,) = struct.unpack_from("<H", data, content - 2)
    stream = None
    if tag in (HEADER, SAMPLES, CLOCK, FOOTER):
        (stream,) = struct.unpack_from("<I", data, content)
    return Span(start, content, stop, tag, stream)


def _stamps(body: bytes, declared: CoreFields, last: float, step: float) -> Array:
    """Stamps of one chunk, whose ``body`` begins with the count of samples and was checked."""
    count, at = _number(body, 0)
    width = declared.width
    if width and len(body) - at == count * (9 + width):  # every sample stamped, the usual case
        rows = np.frombuffer(
            body, [("mark", "u1"), ("stamp", "<f8"), ("x", f"V{width}")], count, at
        )
        return rows["stamp"].astype(np.float64)
    found = np.empty(count)
    for number in range(count):
        if body[at]:
            (last,) = struct.unpack_from("<d", body, at + 1)
        else:
            last += step
        at += 1 + body[at]
        found[number] = last
        at += width
        for _ in range(0 if width else declared.channels):
            length, at = _number(body, at)
            at += length
    return found


def _number(body: bytes, at: int) -> tuple[int, int]:
    """A variable-length number and the position after it."""
    width = body[at]
    return int.from_bytes(body[at + 1 : at + 1 + width], "little"), at + 1 + width


def declared_samples(found: Salvage) -> int:
    """Number of samples that damaged chunks declare, if that can still be read."""
    total = 0
    with open(found.path, "rb") as file:
        for damage in found.damages:
            file.seek(damage.start)
            head = file.read(24)
            try:
                _, at = _number(head, 0)
                tag, stream = struct.unpack_from("<HI", head, at)
                count, _ = _number(head, at + 6)
            except (struct.error, IndexError):
                continue
            declared = found.streams.get(stream)
            if tag == SAMPLES and declared is not None and head[at + 6] in (1, 4, 8):
                smallest = 1 + (declared.width or 2 * declared.channels)
                total += count if count * smallest <= 2**32 else 0
    return total
