"""XDF 1.0 written so that a crash costs nothing: every chunk is one write, no footer is needed.

    with XdfWriter(path) as writer:
        eeg = writer.add_stream(info)
        writer.samples(eeg, stamps, values)

A killed process loses no chunk that ``samples`` has returned from, a power cut at most the last
second (``SYNC_S``). Streams may come late. The format: https://github.com/sccn/xdf/wiki.
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

SYNC_S = 1.0  # at most so often, and at most so much is lost in a power cut
CHUNK_S = 1.0  # of a whole recording
BOUNDARY_S = 10.0  # readers look for the next boundary behind damage


class XdfWriter(XdfFile):
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
        self._clock, self._synced = clock, clock()
        self._streams = list[tuple[int, str, xdf_pack.StreamFooter]]()  # channels, format, how much
        super().__init__(path, xdf_pack.file_header(about or {}))

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

        ``kind`` is the content type ("EEG", "Markers", ...), ``format`` one of
        ``xdf_pack.FORMATS``; ``about`` adds fields beside name and type (source_id, hostname,
        session_id, ...), ``desc`` fields to the description, beside the channels. Strings carry no
        unit; a rate of 0 is none.
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
        """The number of a new stream with the header ``xml``, as a live stream gives it."""
        known = xdf_pack.FORMATS
        assert format in known, f"no format {format!r} in XDF; there are {', '.join(known)}"
        number = len(self._streams) + 1
        self.append(xdf_pack.stream_header(number, xml))
        self._streams.append((channels, format, xdf_pack.StreamFooter()))
        return number

    def samples(self, stream: int, stamps: ArrayLike, values: ArrayLike | Sequence[str]) -> None:
        """``stamps`` (n,) seconds, raw; ``values`` (n, channels), or (n,) for one channel."""
        channels, format, tally = self._streams[stream - 1]
        times = np.asarray(stamps, np.float64)
        if len(times):
            self.append(xdf_pack.samples(stream, format, channels, times, values))
            tally.add(len(times), float(times[0]), float(times[-1]))

    def clock_offset(self, stream: int, at: float, offset: float) -> None:
        """``offset`` s, measured at ``at`` s, leads from the stream's clock to the recorder's."""
        self.append(xdf_pack.clock_offset(stream, at, offset))

    def boundary(self) -> None:
        """A mark from which a reader can go on behind damage; every ten seconds is usual."""
        self.append(xdf_pack.boundary())

    def append(self, chunk: bytes) -> None:
        """Write ``chunk`` whole, or leave the file as it was; sync once a second."""
        super().append(chunk)
        now = self._clock()
        if now - self._synced >= SYNC_S:
            self._synced = now
            self.sync()

    def close(self, *, footers: bool = True) -> None:
        """Sync and close; ``footers`` say how much there was. Twice is fine."""
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
        with suppress(BadInput):  # it would hide why we are here
            self.close(footers=False)


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
