"""Our own outlets: full descriptions, source ids that survive a restart, a stamp per sample.

    eeg = Outlet("rtbci-eeg", source_id("eeg"), kind="EEG", rate=250, channels=("C3", "C4"),
                 types=("EEG", "EEG"), unit="microvolts", fields={"t0": repr(t0)})
    eeg.push(x, stamps)

``rtbci.lsl.config.configure`` must have been called before.
"""

import re
from collections.abc import Mapping, Sequence

import psutil
import pylsl
from pylsl.info import XMLElement

from rtbci.lsl import config
from rtbci.lsl.header_text import xml_of
from rtbci.signal.montage import position
from rtbci.types import Array, Samples

# Stream time that is buffered for a reader that does not read, s; beyond it the oldest is lost.
KEEP_S = 30
MOST_KEEP_S = 360
# Events that are buffered for a reader of an irregular stream.
EVENTS_KEPT = 10_000
# Decisions that are buffered for a reader, in hundreds.
DECISIONS_KEPT = 60
_FORMATS = {"float32": pylsl.cf_float32, "double64": pylsl.cf_double64, "string": pylsl.cf_string}
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

clock = pylsl.local_clock  # LSL seconds of this machine


class Outlet:
    """One stream on the network, from construction until ``close``. One thread pushes.

    ``rate`` is in Hz, 0 for events; ``channels`` has one label per column and ``types`` one word;
    ``unit`` is that of all channels ("": not stated); ``fields`` are texts directly under
    ``<desc>``.
    """

    def __init__(
        self,
        name: str,
        source_id: str,
        *,
        kind: str,
        rate: float,
        channels: Sequence[str],
        types: Sequence[str] = (),
        unit: str = "",
        format: str = "float32",
        fields: Mapping[str, str] | None = None,
        speed: float = 1.0,
    ) -> None:
        info = pylsl.StreamInfo(name, kind, len(channels), rate, _FORMATS[format], source_id)
        desc = info.desc()
        for key, text in (fields or {}).items():
            _child(desc, key, text)
        described = desc.append_child("channels")
        for label, sort in zip(channels, types or [kind] * len(channels), strict=True):
            channel = described.append_child("channel")
            _child(channel, "label", label)
            _child(channel, "type", sort)
            if unit:
                _child(channel, "unit", unit)
            place = position(label) if sort == "EEG" else None
            if place is not None:
                location = channel.append_child("location")
                for axis, millimetres in zip("XYZ", place, strict=True):
                    _child(location, axis, str(millimetres))
        # LSL takes seconds for a regular stream, and hundreds of samples for an irregular one.
        keep = min(round(KEEP_S * max(speed, 1.0)), MOST_KEEP_S) if rate else EVENTS_KEPT // 100
        self._outlet: pylsl.StreamOutlet | None = pylsl.StreamOutlet(info, 0, keep)
        self._ports = _ports(self._outlet)
        self._process = psutil.Process()

    def push(self, x: Samples, stamps: Array) -> None:
        """Send rows ``x`` (n, channels) as one chunk; ``stamps`` (n,) are LSL seconds."""
        if self._outlet is not None and len(x):
            self._outlet.push_chunk(x, stamps.tolist())

    def say(self, text: str, stamp: float) -> None:
        """Send one event on a stream of one string."""
        if self._outlet is not None:
            self._outlet.push_sample([text], stamp)

    def readers(self) -> frozenset[tuple[object, ...]]:
        """Subscribers at present: one address per inlet.

        liblsl reports only whether there are any. Each open inlet has one connection to the data
        port. A request for the description has one for a moment too, so two calls are needed to
        be sure.
        """
        return frozenset(
            tuple(each.raddr)
            for each in self._process.net_connections("tcp")
            if each.status == psutil.CONN_ESTABLISHED and each.laddr.port in self._ports
        )

    def close(self) -> None:
        """Remove the stream from the network. Idempotent."""
        self._outlet = None


class Results:
    """The streams ``rtbci-decisions`` (JSON text) and ``rtbci-probabilities`` (one per class)."""

    def __init__(self, classes: tuple[str, ...]) -> None:
        text = pylsl.StreamInfo(
            config.stream_name("decisions"), "Decisions", 1, 0, pylsl.cf_string,
            config.source_id("decisions"),
        )  # fmt: skip
        text.set_channel_labels(["decision"])
        numbers = pylsl.StreamInfo(
            config.stream_name("probabilities"), "Probabilities", len(classes), 0,
            pylsl.cf_float32, config.source_id("probabilities"),
        )  # fmt: skip
        numbers.set_channel_labels(list(classes))
        numbers.set_channel_types("Probability")
        numbers.set_channel_units("1")
        self._nothing = [float("nan")] * len(classes)
        self._text = pylsl.StreamOutlet(text, max_buffered=DECISIONS_KEPT)
        self._numbers = pylsl.StreamOutlet(numbers, max_buffered=DECISIONS_KEPT)

    def push(self, probabilities: list[float] | None, text: str, stamp: float) -> None:
        """Send one decision, stamped in the clock of the EEG; NaN if it has no probabilities."""
        self._numbers.push_sample(probabilities or self._nothing, stamp)
        self._text.push_sample([text], stamp)


def events(name: str, source_id: str, fields: Mapping[str, str] | None = None) -> Outlet:
    """Outlet for markers: one string per sample, irregular."""
    return Outlet(
        name, source_id, kind="Markers", rate=0.0, channels=("marker",), types=("MARKER",),
        format="string", fields=fields,
    )  # fmt: skip


def _child(parent: XMLElement, name: str, text: str) -> None:
    """Append a child element; characters that XML cannot hold become spaces."""
    parent.append_child_value(name, _NOT_XML.sub(" ", text))


def _ports(outlet: pylsl.StreamOutlet) -> frozenset[int]:
    found = re.findall(r"<v[46]data_port>(\d+)<", xml_of(outlet.get_info()))
    return frozenset(int(port) for port in found) - {0}
