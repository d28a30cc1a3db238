"""A small reader of XDF that shares no code with the product, which checks must not trust.

It reads numeric streams of stamped samples and text streams, up to the first chunk that is cut.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

CODES = {"float32": "f", "double64": "d", "int8": "b", "int16": "h", "int32": "i", "int64": "q"}


@dataclass
class TinyStream:
    """One stream: header fields, stamps in seconds, the first channel's values or the texts."""

    name: str
    type: str
    channels: int
    format: str
    source_id: str
    stamps: list[float] = field(default_factory=list)
    values: list[float | str] = field(default_factory=list)
    offsets: list[tuple[float, float]] = field(default_factory=list)


def chunks(data: bytes, at: int = 4) -> tuple[list[tuple[int, bytes]], bool]:
    """Tag and content of every chunk from byte ``at`` on, and whether the end is torn."""
    found = list[tuple[int, bytes]]()
    while at < len(data):
        try:
            length, begin = _number(data, at)
            (tag,) = struct.unpack_from("<H", data, begin)
        except (struct.error, IndexError):
            return found, True
        at = begin + length
        if at > len(data):
            return found, True
        found.append((tag, data[begin + 2 : at]))
    return found, False


def streams(path: Path) -> tuple[dict[int, TinyStream], bool]:
    """The streams of a file by number, and whether its end is torn."""
    found = dict[int, TinyStream]()
    data = path.read_bytes()
    if data[:4] != b"XDF:":
        return found, True
    whole, torn = chunks(data)
    for tag, body in whole:
        _take(found, tag, body)
    return found, torn


def read(path: Path) -> tuple[list[int], bool]:
    """What channel 0 of the only numeric stream counts, and whether the end is torn."""
    found, torn = streams(path)
    numeric = [each for each in found.values() if each.format != "string"]
    return [int(value) for each in numeric for value in each.values], torn


def _take(found: dict[int, TinyStream], tag: int, body: bytes) -> None:
    if tag not in (2, 3, 4):
        return
    (number,) = struct.unpack_from("<I", body, 0)
    if tag == 2:
        root = ElementTree.fromstring(body[4:].decode("utf-8", "replace"))
        texts = {key: root.findtext(key) or "" for key in
                 ("name", "type", "channel_count", "channel_format", "source_id")}  # fmt: skip
        found[number] = TinyStream(
            texts["name"], texts["type"], int(texts["channel_count"]), texts["channel_format"],
            texts["source_id"],
        )  # fmt: skip
    elif tag == 4:
        found[number].offsets.append(struct.unpack_from("<dd", body, 4))
    else:
        for stamp, value in _samples(found[number], body):
            found[number].stamps.append(stamp)
            found[number].values.append(value)


def _samples(stream: TinyStream, body: bytes) -> Iterator[tuple[float, float | str]]:
    count, at = _number(body, 4)
    code = CODES.get(stream.format)
    for _ in range(count):
        assert body[at] == 8, "a sample without a stamp"
        (stamp,) = struct.unpack_from("<d", body, at + 1)
        at += 9
        if code is not None:
            value: float | str = struct.unpack_from(f"<{code}", body, at)[0]
            at += struct.calcsize(code) * stream.channels
        else:
            value = ""
            for channel in range(stream.channels):
                length, at = _number(body, at)
                text = body[at : at + length].decode("utf-8", "replace")
                value = text if channel == 0 else value
                at += length
        yield stamp, value


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A variable-length number and the position after it."""
    width = data[at]
    if width not in (1, 4, 8):
        raise struct.error("no length")
    return int.from_bytes(data[at + 1 : at + 1 + width], "little"), at + 1 + width
