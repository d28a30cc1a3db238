"""Check of whether a stream can be decoded: its layout after renaming of electrodes."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rtbci.formats.draft import read_rename
from rtbci.formats.units import wanted
from rtbci.lsl.description import Description, signal
from rtbci.lsl.signal import Layout
from rtbci.types import StreamInfo


def acceptance(
    check: Callable[[StreamInfo], object], unit: str | None, rename: Path | None
) -> Callable[[Description], Layout]:
    """Function from a stream's description to its layout; ``check`` raises if it does not fit.

    ``unit`` is used if the stream states none; ``rename`` is a file of old and new names of
    electrodes. Raises ``BadInput`` at once if either is invalid for every stream.
    """
    if unit is not None:
        wanted(unit)
    new = read_rename(rename) if rename else {}

    def accept(about: Description) -> Layout:
        channels = tuple(new.get(name, name) for name in about.channels)
        info, factor = signal(replace(about, channels=channels), unit)
        check(info)
        return info, factor

    return accept
