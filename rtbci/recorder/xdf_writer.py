"""Crash-safe writer of XDF 1.0: every chunk is one write, and no footer is needed.

    with XdfWriter(path) as writer:
        eeg = writer.add_stream(info)
        writer.samples(eeg, stamps, values)

A killed process loses no chunk for which ``samples`` has returned; a power cut loses at most the
last second (``SYNC_S``). Streams can be added at any time. Format: https://github.com/sccn/xdf/wiki.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self
from xml.etree import ElementTree

import numpy as np
from numpy.typing import ArrayLike

from rtbci import messages
from rtbci.errors import BadInput
from rtbci.formats.events import from_value
from rtbci.recorder import xdf_pack
from rtbci.recorder.xdf_file import XdfFile
from rtbci.signal.recording import Recording
from rtbci.types import Chunk, Marker, StreamInfo

# Shortest interval of syncs, s; a power cut loses at most this.
SYNC_S = 1.0
# Length of a chunk of ``write_recording``, s.
CHUNK_S = 1.0
# Interval of boundaries, s; after damage a reader resumes at the next one.
BOUNDARY_S = 10.0


class XdfWriter(XdfFile):
    """Writer of one new XDF file, chunk by chunk. One thread; ``sync`` may run in another.

    ``clock`` (s, monotonic) decides when to sync. ``about`` adds fields to the file's header. An
    existing file is never overwritten. Errors of the system are raised as ``BadInput``; the file
    then ends after its last whole chunk, and writing can go on once there is space.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        clock: Callable[[], float] = time.monotonic,
        about: Mapping[str, str] | None = None,
    ) -> None:
        self._clock, self._synced = clock, clock()
        self._streams = list[tuple[int, str, xdf_pack.StreamFooter]]()  # channels, format, footer
        super().__init__(path, xdf_pack.file_header(about or {}))
        try:
            self.sync()  # the name of the file, too, survives a power cut from here on
        except BadInput:
            self.discard()
            raise

    def add_stream(
        self,
        info: StreamInfo,
        *,
        kind: str = "EEG",
        format: str = "float32",
        about: Mapping[str, str] | None = None,
        desc: Mapping[str, str] | None = None,
    ) -> int:
        """Add a stream and return its number; possible at any time.

        ``kind`` is the content type ("EEG", "Markers", ...), ``format`` one of
        ``xdf_pack.FORMATS``; ``about`` adds fields to the header (source_id, hostname,
        session_id, ...), and ``desc`` to its description. Streams of strings have no unit; a rate
        of 0 means irregular.
        """
        root = ElementTree.Element("info")
        fields = {
            "name": info.name,
            "type": kind,
            "channel_count": str(len(info.channels)),
            "nominal_srate": f"{info.rate:.12g}",
            "channel_format": format,
        }
        xdf_pack.add_fields(root, {**fields, **(about or {})})
        description = ElementTree.SubElement(root, "desc")
        xdf_pack.add_fields(description, desc or {})
        channels = ElementTree.SubElement(description, "channels")
        unit = "microvolts" if info.unit == "uV" else info.unit
        for label, type_ in zip(info.channels, info.types, strict=True):
            channel = ElementTree.SubElement(channels, "channel")
            xdf_pack.add_fields(channel, {"label": label, "type": type_})
            if format != "string":
                xdf_pack.add_fields(channel, {"unit": unit})
        return self.add_header(xdf_pack.xml(root), len(info.channels), format)

    def add_header(self, xml: bytes, channels: int, format: str) -> int:
        """Add a stream with the header ``xml`` of a live stream and return its number."""
        known = xdf_pack.FORMATS
        assert format in known, f"no format {format!r} in XDF; there are {', '.join(known)}"
        number = len(self._streams) + 1
        self.append(xdf_pack.stream_header(number, xml))
        self._streams.append((channels, format, xdf_pack.StreamFooter()))
        return number

    def samples(self, stream: int, stamps: ArrayLike, values: ArrayLike | Sequence[str]) -> None:
        """Write samples: raw ``stamps`` (n,) s; ``values`` (n, channels), or (n,) for 1 channel."""
        channels, format, tally = self._streams[stream - 1]
        times = np.asarray(stamps, np.float64)
        if len(times):
            self.append(xdf_pack.samples(stream, format, channels, times, values))
            tally.add(len(times), float(times[0]), float(times[-1]))

    def clock_offset(self, stream: int, at: float, offset: float) -> None:
        """Write ``offset`` (s) to the recorder's clock, measured at ``at`` s of the stream's."""
        self.append(xdf_pack.clock_offset(stream, at, offset))

    def boundary(self) -> None:
        """Write a boundary, from which a reader can resume after damage; usually every 10 s."""
        self.append(xdf_pack.boundary())

    def append(self, chunk: bytes) -> None:
        """Write ``chunk`` whole, or leave the file as it was; syncs once a second."""
        super().append(chunk)
        now = self._clock()
        if now - self._synced >= SYNC_S:
            self._synced = now
            self.sync()

    def close(self, *, footers: bool = True) -> None:
        """Write ``footers`` unless False, sync and close. Idempotent."""
        if self._closed:
            return
        try:
            for number, (_, _, tally) in enumerate(self._streams if footers else (), start=1):
                self.append(xdf_pack.stream_footer(number, tally))
            self.sync()
        finally:
            self.release()

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
        with suppress(BadInput):  # it would hide the first exception
            self.close(footers=False)


def write_recording(path: str | Path, recording: Recording) -> None:
    """Write ``recording`` to XDF: its signal (float32, microvolts) and a stream of markers.

    Stamps are ``t0 + index / rate``, so that a gap appears in them as in a live stream; a gap of 0
    samples cannot be seen. Raises ``BadInput`` if the file exists or cannot be written.
    """
    info = replace(recording.info, unit="uV")  # the signal is in uV, whatever the file had
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
    """Text of a marker: its label, or a JSON object.

    JSON is used if the marker has fields, or if a reader would change the plain label.
    """
    if not marker.fields and from_value(0, marker.label) == Marker(0, marker.label):
        return marker.label
    return messages.line({"label": marker.label, **marker.fields})
