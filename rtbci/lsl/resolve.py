"""Discovery of streams. Names are not unique, so a stream is identified by its uid."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import pylsl

from rtbci.errors import BadInput
from rtbci.lsl.description import Description, parse
from rtbci.lsl.header_text import xml_of
from rtbci.signal.liveness import LISTED_S

# One multicast answer hides those of other outlets on the same computer. liblsl queries their ports
# one by one after 0.5 s, so shorter rounds find only one of them (measured: 1 of 40; with rounds
# of 1 s, 40 of 40).
ROUND_S = 1.0


@dataclass(frozen=True)
class DiscoveredStream:
    """A stream on the network: its short description, and the handle to open it."""

    about: Description
    info: pylsl.StreamInfo


def look(seconds: float = 1.0, refused: dict[str, str] | None = None) -> list[DiscoveredStream]:
    """All streams that answer within ``seconds``, ordered by name.

    Malformed ones are left out; ``refused`` collects the reasons by uid.
    """
    found: dict[str, DiscoveredStream] = {}
    known = KnownHeaders()
    for _ in range(max(1, round(seconds / ROUND_S))):
        for each in known.read(pylsl.resolve_streams(min(ROUND_S, seconds)), refused):
            found.setdefault(each.about.uid, each)
    return in_order(found.values())


class StreamDiscovery:
    """Continuous discovery in the background; ``found`` does not block."""

    def __init__(self, forget_after: float = LISTED_S) -> None:
        self._resolver = pylsl.ContinuousResolver(forget_after=forget_after)
        self._known = KnownHeaders()

    def found(self, refused: dict[str, str] | None = None) -> list[DiscoveredStream]:
        """Streams that answered in the last ``forget_after`` s; ``refused`` as in ``look``."""
        return in_order(self._known.read(self._resolver.results(), refused))


def twins(found: Iterable[DiscoveredStream]) -> dict[str, list[DiscoveredStream]]:
    """Streams that share a source_id, which keeps LSL from recovering any of them."""
    by_source: dict[str, list[DiscoveredStream]] = defaultdict(list)
    for each in found:
        if each.about.source_id:
            by_source[each.about.source_id].append(each)
    return {source: group for source, group in by_source.items() if len(group) > 1}


def matches(found: DiscoveredStream, wanted: str) -> bool:
    """Whether ``wanted`` is the stream's name, source_id or uid."""
    return wanted in (found.about.name, found.about.source_id, found.about.uid)


def in_order(found: Iterable[DiscoveredStream]) -> list[DiscoveredStream]:
    """Streams sorted by name, source_id and uid, independent of the order of the answers."""
    return sorted(found, key=lambda f: (f.about.name, f.about.source_id, f.about.uid))


class KnownHeaders:
    """Parsed headers by the names of their outlet: each is read from LSL once only."""

    def __init__(self) -> None:
        self._parsed: dict[tuple[str, ...], Description | str] = {}  # or why it is refused

    def read(
        self, infos: Iterable[pylsl.StreamInfo], refused: dict[str, str] | None = None
    ) -> list[DiscoveredStream]:
        """The outlets behind ``infos``; ``refused`` collects why one cannot be read, by uid."""
        found: list[DiscoveredStream] = []
        here: dict[tuple[str, ...], Description | str] = {}
        for info in infos:
            key = (info.uid(), info.source_id(), info.name(), info.hostname())
            about = here[key] = self._parsed[key] if key in self._parsed else _parsed(info)
            if isinstance(about, Description):
                found.append(DiscoveredStream(about, info))
            elif refused is not None:
                refused[key[0]] = about
        self._parsed = here
        return found


def _parsed(info: pylsl.StreamInfo) -> Description | str:
    """Description of an outlet, or the reason if it cannot be read."""
    try:
        return parse(xml_of(info))
    except BadInput as error:
        return str(error)
