"""Description of a stream, parsed from untrusted XML: labels, units, rate, origin."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.etree import ElementTree

from rtbci.errors import BadInput
from rtbci.foreign_text import clean
from rtbci.formats.stream_header import core_fields, parse_header
from rtbci.formats.units import MICROVOLTS, named, type_of
from rtbci.signal.liveness import StreamIdentity
from rtbci.types import StreamInfo

# Limits of numbers under <desc>. A number beyond its limit is ignored, as if it were not stated.
# Distance of t0 from 0, s; the wall clock's seconds since 1970 are within it.
FARTHEST_T0 = 1e10
# Recording seconds per second.
SPEEDS = (1e-6, 1e3)
# Share by which the rate under <desc> may differ from the nominal one.
RATE_OFF = 0.01
# Sample index of a reset.
HIGHEST_RESET = 2**53


@dataclass(frozen=True)
class Description:
    """Header of a stream.

    ``channels``, ``types`` and ``units`` are empty in the short header that discovery returns.
    """

    name: str
    kind: str  # content type: "EEG", "Markers", ...
    rate: float  # nominal, Hz; 0 for an irregular stream
    format: str  # e.g. float32, string
    count: int  # of channels
    source_id: str
    uid: str
    session: str
    host: str
    channels: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    units: tuple[str, ...] = ()  # as stated, "" if not stated
    fields: Mapping[str, str] = field(default_factory=dict)  # elements directly under <desc>
    xml: str = ""

    @property
    def identity(self) -> StreamIdentity:
        """The names by which the outlet is recognized."""
        return StreamIdentity(self.name, self.kind, self.source_id, self.host, self.uid)

    @property
    def is_markers(self) -> bool:
        """Whether its samples are events: text, or one irregular number."""
        return self.format == "string" or (self.rate == 0 and self.count == 1)

    def number(self, key: str, low: float = -math.inf, high: float = math.inf) -> float | None:
        """Number under ``key`` of the description, or None if not from ``low`` to ``high``."""
        try:
            value = float(self.fields[key])
        except (KeyError, ValueError):
            return None
        return value if math.isfinite(value) and low <= value <= high else None

    @property
    def t0(self) -> float | None:
        """Stamp of sample index 0, s, or None if it is not stated."""
        return self.number("t0", -FARTHEST_T0, FARTHEST_T0)

    @property
    def speed(self) -> float:
        """Recording seconds per second; 1 unless a replay states another one."""
        return self.number("speed", *SPEEDS) or 1.0

    @property
    def sample_rate(self) -> float:
        """Rate in Hz as the description states it in full precision, else the nominal rate."""
        low, high = self.rate * (1 - RATE_OFF), self.rate * (1 + RATE_OFF)
        return self.number("rate", low, high) or self.rate

    @property
    def resets(self) -> list[int]:
        """Sample indices at which the recording was reset, in order."""
        words = (word.strip() for word in self.fields.get("resets", "").split(","))
        found = (int(word) for word in words if word.isascii() and word.isdecimal())
        return sorted(index for index in found if index <= HIGHEST_RESET)

    def same_layout(self, other: "Description") -> bool:
        """Whether rows of one can follow rows of the other."""
        return all(
            getattr(self, key) == getattr(other, key)
            for key in ("rate", "format", "count", "channels", "units")
        )


def parse(xml: str) -> Description:
    """Description in ``xml``; raises ``BadInput`` if it is malformed or implausible."""
    root = parse_header(xml.encode("utf-8", "replace"))
    core = core_fields(root)
    desc = root.find("desc")
    labels, types, units = _channels(desc, core.channels)
    fields = {each.tag: _text(desc, each.tag) for each in desc} if desc is not None else {}
    return Description(
        name=core.name or "without a name",
        kind=core.type,
        rate=core.rate,
        format=core.format,
        count=core.channels,
        source_id=_text(root, "source_id"),
        uid=_text(root, "uid"),
        session=_text(root, "session_id"),
        host=_text(root, "hostname"),
        channels=labels,
        types=types,
        units=units,
        fields={key: value for key, value in fields.items() if value},
        xml=xml,
    )


def signal(about: Description, unit: str | None = None) -> tuple[StreamInfo, float]:
    """``StreamInfo`` of a signal stream, and the factor to microvolts.

    ``unit`` replaces the unit that the stream states. With neither, ``unit_from`` is "unknown" and
    the pipeline refuses the stream. Raises ``BadInput`` for a stream that is not a signal.
    """
    if about.is_markers or about.rate <= 0:
        raise BadInput(
            f"stream {about.name!r} has no regular rate; it holds events, not a signal "
            "(rtbci streams lists what there is)"
        )
    types = tuple(type_of(*pair) for pair in zip(about.channels, about.types, strict=True))
    stated = {named(u) for u, t in zip(about.units, types, strict=True) if t == "EEG"} or {None}
    found = named(unit) if unit else stated.pop() if len(stated) == 1 else None
    info = StreamInfo(
        name=about.name,
        rate=about.rate,
        channels=about.channels,
        types=types,
        unit=found or "uV",
        unit_from="stated" if found else "unknown",
    )
    return info, MICROVOLTS[found] if found else 1.0


def _channels(
    desc: ElementTree.Element | None, count: int
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Labels (unique; generated for channels without one), types and units."""
    found = desc.findall("channels/channel") if desc is not None else []
    if len(found) != count:
        found = [ElementTree.Element("channel")] * count
    labels: list[str] = []
    for number, channel in enumerate(found, start=1):
        label = _text(channel, "label") or f"channel {number}"
        labels.append(f"{label} ({number})" if label in labels else label)
    types = tuple(_text(channel, "type") for channel in found)
    units = tuple(_text(channel, "unit") or _text(channel, "units") for channel in found)
    return tuple(labels), types, units


def _text(parent: ElementTree.Element | None, tag: str) -> str:
    """Text of a child element without control characters; "" if there is none."""
    return clean(parent.findtext(tag) or "") if parent is not None else ""
