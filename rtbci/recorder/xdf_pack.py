"""Encoding of each kind of XDF chunk (https://github.com/sccn/xdf/wiki/Specifications).

A chunk is its length, its tag and its content. Every sequence of whole chunks is a valid file;
footers are optional.
"""

import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np
from numpy.typing import ArrayLike

from rtbci.types import Array

BOUNDARY = bytes.fromhex("43A546DCCBF5410FB30ED5467383CBE4")
FILE_HEADER, STREAM_HEADER, SAMPLES, CLOCK_OFFSET, BOUNDARY_TAG, STREAM_FOOTER = 1, 2, 3, 4, 5, 6
FORMATS = {  # channel_format -> numpy type in the file
    "float32": "<f4", "double64": "<f8", "string": None,
    "int8": "<i1", "int16": "<i2", "int32": "<i4", "int64": "<i8",
}  # fmt: skip
# A torn write ends at a multiple of this, bytes from the start of the file.
SECTOR = 512
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass
class StreamFooter:
    """Content of a stream's footer: number of samples, first and last stamp."""

    count: int = 0
    first: float = 0.0  # stamp, s
    last: float = 0.0

    def add(self, count: int, first: float, last: float) -> None:
        """Count ``count`` more samples, stamped from ``first`` to ``last``."""
        if not self.count:
            self.first = first
        self.count, self.last = self.count + count, last


def file_header(about: Mapping[str, str]) -> bytes:
    """Start of every file: magic bytes and file header; ``about`` adds fields."""
    root = ElementTree.Element("info")
    add_fields(root, {"version": "1.0", **about})
    return b"XDF:" + _chunk(FILE_HEADER, xml(root))


def stream_header(stream: int, header: bytes) -> bytes:
    """Chunk with the header of ``stream``, in XML."""
    return _chunk(STREAM_HEADER, struct.pack("<I", stream) + header)


def samples(
    stream: int, format: str, channels: int, stamps: ArrayLike, values: ArrayLike | Sequence[str]
) -> bytes:
    """Chunk of samples: raw ``stamps`` (n,) s; ``values`` (n, channels), or (n,) for 1 channel."""
    times = np.asarray(stamps, np.float64)
    n, code = len(times), FORMATS[format]
    rows = np.asarray(values, object if code is None else None)
    if channels == 1 and rows.ndim == 1:
        rows = rows[:, None]
    assert rows.shape == (n, channels), f"samples {rows.shape}, stream {stream} takes {n, channels}"
    head = struct.pack("<I", stream) + b"\x04" + struct.pack("<I", n)
    if code is None:
        return _chunk(SAMPLES, head + _strings(times, rows))
    packed = np.empty(n, [("mark", "u1"), ("stamp", "<f8"), ("values", code, (channels,))])
    packed["mark"], packed["stamp"], packed["values"] = 8, times, rows
    return _chunk(SAMPLES, head + packed.tobytes())


def clock_offset(stream: int, at: float, offset: float) -> bytes:
    """Chunk with ``offset`` (s) to the recorder's clock, measured at ``at`` s of the stream's."""
    return _chunk(CLOCK_OFFSET, struct.pack("<Idd", stream, at, offset))


def boundary() -> bytes:
    """Boundary chunk, from which a reader can resume after damage."""
    return _chunk(BOUNDARY_TAG, BOUNDARY)


def placed(at: int, chunk: bytes) -> bytes:
    """``chunk`` for writing at byte ``at`` of a file, with boundaries in front of it if needed.

    pyxdf (1.17) reads truncated files, except if they end directly before or inside a chunk's tag,
    or inside a clock offset. Torn writes end where a sector ends, so boundaries move such places
    away from the ends of sectors.
    """
    before = b""
    while _is_delicate(at + len(before), chunk) and len(before) < SECTOR:
        long, short = boundary(), struct.pack("<BBH", 1, 18, BOUNDARY_TAG) + BOUNDARY
        before += long if _is_delicate(at + len(before), short) else short
    return before + chunk


def _is_delicate(at: int, chunk: bytes) -> bool:
    """Whether a sector would end in such a place of ``chunk`` if it were written at ``at``."""
    tag = 1 + chunk[0]
    if -(at + tag) % SECTOR < 2:
        return True
    is_offset = chunk[tag] == CLOCK_OFFSET
    return is_offset and -(at + tag) % SECTOR < len(chunk) - tag


def stream_footer(
    stream: int, tally: StreamFooter, about: Mapping[str, str] | None = None
) -> bytes:
    """Chunk with the footer of ``stream``; ``about`` adds fields."""
    root = ElementTree.Element("info")
    add_fields(root, {"first_timestamp": repr(tally.first), "last_timestamp": repr(tally.last),
                      "sample_count": str(tally.count), **(about or {})})  # fmt: skip
    return _chunk(STREAM_FOOTER, struct.pack("<I", stream) + xml(root))


def add_fields(parent: ElementTree.Element, fields: Mapping[str, str]) -> None:
    """Append one child per field; characters that XML cannot hold become spaces."""
    for tag, text in fields.items():
        ElementTree.SubElement(parent, tag).text = _NOT_XML.sub(" ", text)


def xml(root: ElementTree.Element) -> bytes:
    """XML document with the root element ``root``."""
    return b'<?xml version="1.0"?>' + ElementTree.tostring(root, "utf-8")


def _chunk(tag: int, content: bytes) -> bytes:
    """Chunk of length, tag and content; the length includes the tag."""
    length = len(content) + 2
    if length < 2**32:
        return struct.pack("<BIH", 4, length, tag) + content
    return struct.pack("<BQH", 8, length, tag) + content


def _strings(times: Array, values: np.ndarray) -> bytes:
    """Stamped strings ``values`` (n, channels), UTF-8; bytes that were not are as they came."""
    parts = list[bytes]()
    for stamp, row in zip(times, values, strict=True):
        parts.append(struct.pack("<Bd", 8, stamp))
        for value in row:
            text = _encoded(str(value))
            parts += (struct.pack("<BI", 4, len(text)), text)
    return b"".join(parts)


def _encoded(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half of a surrogate pair, which stands for no byte either
        return text.encode("utf-8", "replace")
