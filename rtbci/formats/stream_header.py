"""The XML header of a stream, from LSL or from an XDF file: one set of limits for all that read it.

The recorder writes no header that the readers of its file refuse, since both ask ``parse_header``
and ``core_fields``.
"""

from dataclasses import dataclass
from typing import Any, cast
from xml.etree import ElementTree

from rtbci.errors import BadInput
from rtbci.foreign_text import clean
from rtbci.formats.draft import MAX_CHANNELS, MAX_RATE

LARGEST_HEADER = 16 * 2**20  # bytes
DEEPEST_HEADER = 200  # levels of XML; pyxdf reads them by recursion, up to about 900
MOST_STREAMS = 4096  # of one recording
BYTES = {"int8": 1, "int16": 2, "int32": 4, "int64": 8, "float32": 4, "double64": 8, "string": 0}


@dataclass(frozen=True)
class CoreFields:
    """The fields that every header has."""

    name: str
    type: str  # content type: "EEG", "Markers", ...
    channels: int
    rate: float  # nominal, Hz; 0 if samples come irregularly
    format: str  # a key of ``BYTES``

    @property
    def width(self) -> int:
        """Bytes of one sample's values; 0 for text, which has any length."""
        return BYTES[self.format] * self.channels


def parse_header(text: bytes) -> ElementTree.Element:
    """The root of a header; raises ``BadInput`` if it is too large, too deep or not plain XML."""
    if len(text) > LARGEST_HEADER:
        raise BadInput(f"a stream's header has {len(text)} bytes; {LARGEST_HEADER} are read")
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise BadInput("a stream's header holds a document type, which none needs")
    parser = ElementTree.XMLPullParser(events=("start", "end"))
    root: ElementTree.Element | None = None
    depth = 0
    try:
        parser.feed(text.decode("utf-8", "replace").replace("\x00", ""))
        for event, element in cast(list[tuple[str, Any]], list(parser.read_events())):
            depth += 1 if event == "start" else -1
            root = element if root is None else root
            if depth > DEEPEST_HEADER:
                raise BadInput(f"a stream's header is more than {DEEPEST_HEADER} levels deep")
        parser.close()
    except ElementTree.ParseError as error:
        raise BadInput(f"a stream's header is no XML ({error}); restart its sender") from None
    if root is None or depth:
        raise BadInput("a stream's header is no XML; restart its sender")
    return root


def core_fields(root: ElementTree.Element) -> CoreFields:
    """The fields that every header has; raises ``BadInput`` if one is absent or absurd."""
    text = {tag: clean(root.findtext(tag) or "") for tag in ("name", "type", "channel_format")}
    name = text["name"]
    try:
        channels = int(root.findtext("channel_count") or "")
        rate = float(root.findtext("nominal_srate") or "")
    except ValueError:
        raise BadInput(f"stream {name!r} does not say its channels and rate") from None
    if not 1 <= channels <= MAX_CHANNELS:
        raise BadInput(f"stream {name!r} has {channels} channels; 1 to {MAX_CHANNELS} are read")
    if not 0 <= rate <= MAX_RATE:  # NaN too
        raise BadInput(f"stream {name!r} has a rate of {rate:g} Hz; 0 to {MAX_RATE:g} are read")
    if text["channel_format"] not in BYTES:
        raise BadInput(
            f"stream {name!r} holds {text['channel_format'] or 'nothing'!r}, not {', '.join(BYTES)}"
        )
    return CoreFields(name, text["type"], channels, rate, text["channel_format"])
