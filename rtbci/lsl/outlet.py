"""Streams of ours: full descriptions, identities that survive a restart, every sample stamped.

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

from rtbci.lsl.header_text import xml_of
from rtbci.signal.montage import position
from rtbci.types import Array, Samples

KEEP_S = 30  # of stream time for a reader that is frozen, then the oldest is lost
MOST_KEEP_S = 360
EVENTS_KEPT = 10_000  # for a reader of an irregular stream that is frozen
_FORMATS = {"float32": pylsl.cf_float32, "double64": pylsl.cf_double64, "string": pylsl.cf_string}
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

clock = pylsl.local_clock  # LSL seconds of this machine


class Outlet:
    """One stream on the network, from here until ``close``. One thread pushes.

    ``rate`` in Hz, 0 for events; ``channels`` one label a column, ``types`` one word each; ``unit``
    of all channels ("" says nothing); ``fields`` are texts that go directly under ``<desc>``.
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
        # LSL counts seconds where there is a rate, hundreds of samples where there is none
        keep = min(round(KEEP_S * max(speed, 1.0)), MOST_KEEP_S) if rate else EVENTS_KEPT // 100
        self._outlet: pylsl.StreamOutlet | None = pylsl.StreamOutlet(info, 0, keep)
        self._ports = _ports(self._outlet)
        self._process = psutil.Process()

    def push(self, x: Samples, stamps: Array) -> None:
        """Rows ``x`` (n, channels), each with its own stamp, LSL seconds, as one chunk."""
        if self._outlet is not None and len(x):
            self._outlet.push_chunk(x, stamps.tolist())

    def say(self, text: str, stamp: float) -> None:
        """One event of a stream of one string."""
        if self._outlet is not None:
            self._outlet.push_sample([text], stamp)

    def readers(self) -> frozenset[tuple[object, ...]]:
        """Who is subscribed now: one address for each inlet.

        liblsl tells only whether there is any. Each open inlet holds one connection to the data
        port; a request for the description is there for a moment, so look twice.
        """
        return frozenset(
            tuple(each.raddr)
            for each in self._process.net_connections("tcp")
            if each.status == psutil.CONN_ESTABLISHED and each.laddr.port in self._ports
        )

    def close(self) -> None:
        """Leave the network. Twice is fine."""
        self._outlet = None


def events(name: str, source_id: str, fields: Mapping[str, str] | None = None) -> Outlet:
    """A stream of markers: one string a sample, no rate."""
    return Outlet(
        name, source_id, kind="Markers", rate=0.0, channels=("marker",), types=("MARKER",),
        format="string", fields=fields,
    )  # fmt: skip


def _child(parent: XMLElement, name: str, text: str) -> None:
    """Text that XML cannot hold becomes spaces."""
    parent.append_child_value(name, _NOT_XML.sub(" ", text))


def _ports(outlet: pylsl.StreamOutlet) -> frozenset[int]:
    found = re.findall(r"<v[46]data_port>(\d+)<", xml_of(outlet.get_info()))
    return frozenset(int(port) for port in found) - {0}
