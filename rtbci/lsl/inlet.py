"""Inlet of one stream: raw stamps, preallocated memory, and a time limit on every call."""

import ctypes

import numpy as np
import pylsl
from numpy.typing import NDArray

from rtbci.errors import Missing
from rtbci.formats.stream_header import BYTES
from rtbci.lsl.description import Description, parse
from rtbci.lsl.header_text import xml_of
from rtbci.lsl.resolve import DiscoveredStream
from rtbci.types import Array

BUFFER_S = 360  # of a dead reader's patience; LSL drops the oldest beyond it, without a word
BUFFER_BYTES = 2**28  # of one inlet at most: a stream of more than 0.7 MB/s is buffered for less
SLOT_BYTES = 16  # that liblsl takes for each sample of a full buffer, whether it comes or not
AT_ONCE_S = 1.0  # seconds of signal that one pull returns at most
AT_ONCE_BYTES = 2**22  # and bytes
FEWEST_AT_ONCE = 64  # rows
LOST = (pylsl.util.LostError, pylsl.util.TimeoutError, RuntimeError)
_DTYPES = {"float32": np.float32, "double64": np.float64, "int8": np.int8, "int16": np.int16,
           "int32": np.int32, "int64": np.int64}  # fmt: skip

clock = pylsl.local_clock  # LSL seconds of this machine


class Inlet:
    """Rows and raw stamps of one stream. One thread pulls; ``offset`` may be called from another.

    LSL reconnects without notice to a stream of the same source_id, even of another rate;
    ``StreamFollower`` checks for that.
    """

    def __init__(
        self,
        found: DiscoveredStream,
        buffer_s: int = BUFFER_S,
        buffer_bytes: float = BUFFER_BYTES,
    ) -> None:
        about = found.about
        seconds = buffer_seconds(about, buffer_s, buffer_bytes)
        self.buffer_bytes = seconds * bytes_a_second(about)  # that LSL may take for it
        self.found, self.about = found, about
        self._is_text = about.format == "string"
        self._inlet = pylsl.StreamInlet(
            found.info,
            max_buflen=seconds,
            processing_flags=0,
            as_numpy=self._is_text,
        )
        rows = min(round(AT_ONCE_S * about.rate), AT_ONCE_BYTES // (8 * about.count))
        rows = max(FEWEST_AT_ONCE, rows)
        self._values = np.empty(
            (0 if self._is_text else rows, about.count), _DTYPES.get(about.format)
        )
        self._stamps = np.empty(rows)
        self._memory = tuple(ctypes.c_void_p(x.ctypes.data) for x in (self._values, self._stamps))
        self._error = ctypes.c_int()
        self.nothing = (self._values[:0], self._stamps[:0])
        self._rows = rows

    def open(self, timeout: float = 5.0) -> Description:
        """Subscribe; no later sample is missed. Raises ``Missing`` if there is no answer."""
        try:
            self.about = parse(xml_of(self._inlet.info(timeout)))
            self._inlet.open_stream(timeout)
        except LOST:
            raise Missing(
                f"stream {self.about.name!r} was seen but does not answer within {timeout:g} s; "
                "is a firewall between it and here? (rtbci doctor)"
            ) from None
        return self.about

    def pull(self, timeout: float = 0.0, at_most: int | None = None) -> tuple[NDArray, Array]:
        """Rows ``(n, channels)`` in the stream's own type and their raw stamps ``(n,)``, seconds.

        Waits until ``at_most`` rows are there or ``timeout`` s are over; both arrays are views
        that the next pull overwrites. Text streams give rows of ``str``, in which bytes that are
        not UTF-8 are kept as "surrogateescape" keeps them.
        """
        if self._is_text:
            return self._texts(timeout)
        want = min(at_most or self._rows, self._rows)
        self._error.value = 0
        # pylsl's pull_chunk creates arrays and types in every call, which takes longer than liblsl
        # takes for the samples.
        values = self._inlet.do_pull_chunk(
            self._inlet.obj, *self._memory, ctypes.c_size_t(want * self.about.count),
            ctypes.c_size_t(want), ctypes.c_double(timeout), ctypes.byref(self._error),
        )  # fmt: skip
        if self._error.value:  # the stream is lost for good
            return self.nothing
        n = values // self.about.count
        return self._values[:n], self._stamps[:n]

    def _texts(self, timeout: float) -> tuple[NDArray, Array]:
        rows: list[list[str]] = []
        stamps: list[float] = []
        while len(rows) < self._rows:
            try:
                row, stamp = self._inlet.pull_sample(0.0 if rows else timeout)
            except LOST:
                break
            if row is None or stamp is None:
                break
            rows.append([value.decode("utf-8", "surrogateescape") for value in row])
            stamps.append(stamp)
        if not rows:
            return self.nothing
        values = np.array(rows, object).reshape(len(rows), self.about.count)
        return values, np.array(stamps, np.float64)

    @property
    def waiting(self) -> int:
        """Number of rows that can be read without waiting."""
        return self._inlet.samples_available()

    def offset(self, timeout: float = 2.0) -> float | None:
        """Seconds to add to its stamps for ``clock()`` of this computer; None if unknown.

        The first call takes 0.65 s.
        """
        try:
            return self._inlet.time_correction(timeout)
        except LOST:
            return None

    def was_reset(self) -> bool:
        """Whether LSL switched to another outlet since the last call.

        Reported with a short delay, and only if ``offset`` has returned a value before.
        """
        return self._inlet.was_clock_reset()

    def close(self) -> None:
        """Unsubscribe. Destroying an inlet takes up to half a second."""
        self._inlet.close_stream()


def bytes_a_second(about: Description) -> float:
    """Memory that a second of a stream takes in liblsl's buffer; 0 if it states no rate."""
    return about.rate * (SLOT_BYTES + BYTES[about.format] * about.count)


def buffer_seconds(about: Description, wanted: int, most_bytes: float) -> int:
    """For how long LSL is asked to keep samples that are not read, s: ``wanted``, or as long as
    ``most_bytes`` allow, at least 1."""
    needed = bytes_a_second(about)
    return int(min(max(most_bytes / needed, 1), wanted)) if needed else wanted
