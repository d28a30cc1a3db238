"""XDF 1.0 written so that a crash costs nothing: every chunk is one write, no footer is needed.

    with XdfWriter(path) as writer:
        eeg = writer.add_stream(info)
        writer.samples(eeg, stamps, values)

A killed process loses no chunk that ``samples`` has returned from, a power cut at most the last
second (``SYNC_S``). Streams may come late. The format: https://github.com/sccn/xdf/wiki.
"""

import os
import re
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self
from xml.etree import ElementTree

import numpy as np
from numpy.typing import ArrayLike

from rtbci import messages
from rtbci.errors import BadInput
from rtbci.formats.events import from_value
from rtbci.recording import Recording
from rtbci.types import Array, Chunk, Marker, StreamInfo

SYNC_S = 1.0  # at most so often, and at most so much is lost in a power cut
CHUNK_S = 1.0  # of a whole recording
BOUNDARY_S = 10.0  # readers look for the next boundary behind damage
BOUNDARY = bytes.fromhex("43A546DCCBF5410FB30ED5467383CBE4")
FILE_HEADER, STREAM_HEADER, SAMPLES, CLOCK_OFFSET, BOUNDARY_TAG, STREAM_FOOTER = 1, 2, 3, 4, 5, 6
FORMATS = {  # channel_format -> bytes as they lie in the file
    "float32": "<f4", "double64": "<f8", "string": None,
    "int8": "<i1", "int16": "<i2", "int32": "<i4", "int64": "<i8",
}  # fmt: skip
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass
class _Stream:
    """What the writer knows of a stream it has written the header of."""

    channels: int
    format: str
    count: int = 0
    first: float = 0.0
    last: float = 0.0


class XdfWriter:
    """Writes one new XDF file, chunk by chunk. One thread; ``sync`` may run in another.

    ``clock`` (s, monotonic) decides when to sync. ``about`` adds fields to the file's header. An
    existing file is never overwritten. Everything the system refuses comes out as ``BadInput``; the
    file then ends behind its last whole chunk, and writing may go on once there is room.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        clock: Callable[[], float] = time.monotonic,
        about: Mapping[str, str] | None = None,
    ) -> None:
        self.path = Path(path)
        self._clock, self._streams = clock, list[_Stream]()
        self._whole = 0  # bytes up to the end of the last whole chunk
        try:
            # nobody else's business: recordings are personal data
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
            self._file = os.open(self.path, flags, 0o600)
        except FileExistsError:
            raise BadInput(
                f"{self.path} exists already and is not overwritten; choose another name"
            ) from None
        except OSError as error:
            raise self._refused(error) from error
        self._closed = False
        self._synced = clock()
        root = ElementTree.Element("info")
        _add(root, {"version": "1.0", **(about or {})})
        try:
            self._append(b"XDF:" + _chunk(FILE_HEADER, _xml(root)))
            self.sync()
        except BadInput:
            self._release()
            with suppress(OSError):  # nothing of worth is in it
                self.path.unlink()
            raise
        _sync_folder(self.path.parent)

    def add_stream(
        self,
        info: StreamInfo,
        *,
        kind: str = "EEG",
        format: str = "float32",
        about: Mapping[str, str] | None = None,
        desc: Mapping[str, str] | None = None,
    ) -> int:
        """The number of a new stream, which may start at any time.

        ``kind`` is the content type ("EEG", "Markers", ...), ``format`` one of ``FORMATS``;
        ``about`` adds fields beside name and type (source_id, hostname, session_id, ...), ``desc``
        fields to the description, beside the channels. Strings carry no unit; a rate of 0 is none.
        """
        root = ElementTree.Element("info")
        _add(root, {"name": info.name, "type": kind, "channel_count": str(len(info.channels)),
                    "nominal_srate": f"{info.rate:.12g}", "channel_format": format,
                    **(about or {})})  # fmt: skip
        description = ElementTree.SubElement(root, "desc")
        _add(description, desc or {})
        channels = ElementTree.SubElement(description, "channels")
        unit = "microvolts" if info.unit == "uV" else info.unit
        for label, type_ in zip(info.channels, info.types, strict=True):
            channel = ElementTree.SubElement(channels, "channel")
            _add(channel, {"label": label, "type": type_})
            if format != "string":
                _add(channel, {"unit": unit})
        return self.add_header(_xml(root), len(info.channels), format)

    def add_header(self, xml: bytes, channels: int, format: str) -> int:
        """The number of a new stream with the header ``xml``, as a live stream gives it."""
        assert format in FORMATS, f"no format {format!r} in XDF; there are {', '.join(FORMATS)}"
        number = len(self._streams) + 1
        self._append(_chunk(STREAM_HEADER, struct.pack("<I", number) + xml))
        self._streams.append(_Stream(channels, format))
        return number

    def samples(self, stream: int, stamps: ArrayLike, values: ArrayLike | Sequence[str]) -> None:
        """``stamps`` (n,) seconds, raw; ``values`` (n, channels), or (n,) for one channel."""
        known = self._streams[stream - 1]
        times = np.asarray(stamps, np.float64)
        n = len(times)
        if n == 0:
            return
        code = FORMATS[known.format]
        rows = np.asarray(values, object if code is None else None)
        if known.channels == 1 and rows.ndim == 1:
            rows = rows[:, None]
        expected = (n, known.channels)
        assert rows.shape == expected, f"samples {rows.shape}, stream {stream} takes {expected}"
        head = struct.pack("<I", stream) + b"\x04" + struct.pack("<I", n)
        if code is None:
            body = _strings(times, rows)
        else:
            packed = np.empty(
                n, [("mark", "u1"), ("stamp", "<f8"), ("values", code, (known.channels,))]
            )
            packed["mark"], packed["stamp"], packed["values"] = 8, times, rows
            body = packed.tobytes()
        self._append(_chunk(SAMPLES, head + body))
        if known.count == 0:
            known.first = float(times[0])
        known.count, known.last = known.count + n, float(times[-1])

    def clock_offset(self, stream: int, at: float, offset: float) -> None:
        """``offset`` s, measured at ``at`` s, leads from the stream's clock to the recorder's."""
        self._append(_chunk(CLOCK_OFFSET, struct.pack("<Idd", stream, at, offset)))

    def boundary(self) -> None:
        """A mark from which a reader can go on behind damage; every ten seconds is usual."""
        self._append(_chunk(BOUNDARY_TAG, BOUNDARY))

    def sync(self) -> None:
        """Wait until the disk has everything."""
        try:
            os.fsync(self._file)
        except OSError as error:
            raise self._refused(error) from error

    def close(self, *, footers: bool = True) -> None:
        """Sync and close; ``footers`` say how much there was. Twice is fine."""
        if self._closed:
            return
        try:
            for number, stream in enumerate(self._streams if footers else (), start=1):
                root = ElementTree.Element("info")
                _add(root, {"first_timestamp": repr(stream.first),
                            "last_timestamp": repr(stream.last),
                            "sample_count": str(stream.count)})  # fmt: skip
                self._append(_chunk(STREAM_FOOTER, struct.pack("<I", number) + _xml(root)))
            self.sync()
        finally:
            self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
            return
        with suppress(BadInput):  # it would hide why we are here
            self.close(footers=False)

    def _append(self, chunk: bytes) -> None:
        """Write ``chunk`` whole, or leave the file as it was."""
        assert not self._closed, f"{self.path} is closed"
        left = memoryview(chunk)
        try:
            while left:  # a full disk shows as a short write first
                left = left[os.write(self._file, left) :]
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._file, self._whole)
                os.lseek(self._file, self._whole, os.SEEK_SET)
            raise self._refused(error) from error
        self._whole += len(chunk)
        now = self._clock()
        if now - self._synced >= SYNC_S:
            self._synced = now
            self.sync()

    def _release(self) -> None:
        self._closed = True
        os.close(self._file)

    def _refused(self, error: OSError) -> BadInput:
        reason = error.strerror or type(error).__name__
        kept = f"; its {self._whole} bytes so far can be read" if self._whole else ""
        return BadInput(
            f"cannot write {self.path} ({reason}){kept}; free some space or write elsewhere"
        )


def write_recording(path: str | Path, recording: Recording) -> None:
    """``recording`` as one LSL session: its signal, float32 microvolts, and a stream of markers.

    Stamps are ``t0 + index / rate``: a gap shows in them as it does live, one without missing
    samples leaves no trace. Raises ``BadInput`` where the file exists or cannot be written.
    """
    info = replace(recording.info, unit="uV")  # whatever it was recorded in
    start, rate = recording.t0 or 0.0, recording.effective_rate or info.rate
    markers = StreamInfo(f"{info.name}-markers", 0.0, ("marker",), ("MARKER",), unit="")
    about = {"version": "1.1", "created_at": f"{start:.6f}", "session_id": "default"}
    with XdfWriter(path) as writer:
        eeg = writer.add_stream(info, about={**about, "source_id": f"rtbci:{info.name}"})
        events = writer.add_stream(
            markers, kind="Markers", format="string",
            about={**about, "source_id": f"rtbci:{markers.name}"},
        )  # fmt: skip
        for stream in (eeg, events):
            writer.clock_offset(stream, start, 0.0)
        next_boundary = start + BOUNDARY_S
        for item in recording.items(max(1, round(CHUNK_S * info.rate))):
            if isinstance(item, Marker):
                writer.samples(events, [start + item.index / rate], [marker_text(item)])
            elif isinstance(item, Chunk):
                stamps = start + np.arange(item.index, item.index + len(item.x)) / rate
                writer.samples(eeg, stamps, item.x)
                if stamps[-1] >= next_boundary:
                    writer.boundary()
                    next_boundary = stamps[-1] + BOUNDARY_S


def marker_text(marker: Marker) -> str:
    """Its label; one JSON object where there are fields or a reader would change the label."""
    if not marker.fields and from_value(0, marker.label) == Marker(0, marker.label):
        return marker.label
    return messages.line({"label": marker.label, **marker.fields})


def _chunk(tag: int, content: bytes) -> bytes:
    """Length, tag and content; the length counts the tag."""
    length = len(content) + 2
    if length < 2**32:
        return struct.pack("<BIH", 4, length, tag) + content
    return struct.pack("<BQH", 8, length, tag) + content


def _strings(times: Array, values: np.ndarray) -> bytes:
    """Stamped strings ``values`` (n, channels), UTF-8."""
    parts = list[bytes]()
    for stamp, row in zip(times, values, strict=True):
        parts.append(struct.pack("<Bd", 8, stamp))
        for value in row:
            text = str(value).encode("utf-8", "replace")
            parts += (struct.pack("<BI", 4, len(text)), text)
    return b"".join(parts)


def _add(parent: ElementTree.Element, fields: Mapping[str, str]) -> None:
    """One child a field; characters that XML cannot hold become spaces."""
    for tag, text in fields.items():
        ElementTree.SubElement(parent, tag).text = _NOT_XML.sub(" ", text)


def _xml(root: ElementTree.Element) -> bytes:
    return b'<?xml version="1.0"?>' + ElementTree.tostring(root, "utf-8")


def _sync_folder(folder: Path) -> None:
    """The new file's name must survive a power cut too; not every system lets a folder sync."""
    with suppress(OSError):
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
