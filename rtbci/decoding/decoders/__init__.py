"""Decoders, forward pass only: from the arrays of a bundle to log-odds, in numpy.

``FAMILIES`` names every family; each entry builds a decoder from class names and arrays, and
raises ``KeyError``, ``TypeError`` or ``ValueError`` where arrays are missing or do not fit. A
family that begins with ``UPDATED`` holds a decoder of the family that follows.
"""

import re
from collections.abc import Callable
from dataclasses import fields

from rtbci.decoding.decoders.evoked import EvokedDecoder
from rtbci.decoding.decoders.oscillation import OscillationDecoder
from rtbci.decoding.decoders.stacked import StackedDecoder
from rtbci.decoding.decoders.updated import UpdatedDecoder
from rtbci.types import Array, Decoder

FAMILIES: dict[str, Callable[[tuple[str, ...], dict[str, Array]], Decoder]] = {
    "evoked": lambda classes, arrays: EvokedDecoder(classes, **arrays),
    "oscillation": lambda classes, arrays: OscillationDecoder.from_arrays(arrays, classes),
    "stacked": StackedDecoder.from_arrays,
}
UPDATED = "updated "
_CLOSED = "|".join(each.name for each in fields(EvokedDecoder) if each.name != "classes")
NAMES = {  # of the arrays of each family, as regular expressions
    "evoked": _CLOSED,
    "oscillation": r"bias|shape|cca\.(electrodes|references|weights)"
    r"|view\d{1,3}\.(stream|columns|filters|floor|weights)",
    "stacked": rf"weights|spans|closed\.({_CLOSED})|net\.[\w.:]{{1,200}}",
}


def decoder_of(family: str, classes: tuple[str, ...], arrays: dict[str, Array]) -> Decoder:
    """The decoder that a bundle stored; ``KeyError`` for a family that is not known."""
    if not family.startswith(UPDATED):
        return FAMILIES[family](classes, arrays)
    inside = {
        name.removeprefix("old."): array
        for name, array in arrays.items()
        if name.startswith("old.")
    }
    old = decoder_of(family.removeprefix(UPDATED), classes, inside)
    return UpdatedDecoder.from_arrays(classes, arrays, old)


def accepts(family: str, name: str) -> bool:
    """Whether a decoder of ``family`` has an array of that ``name``."""
    if not family.startswith(UPDATED):
        return re.fullmatch(NAMES[family], name) is not None
    part, _, rest = name.partition(".")
    if part == "old":
        return accepts(family.removeprefix(UPDATED), rest)
    return re.fullmatch(rf"weights|bias|span|fresh\.({_CLOSED})", name) is not None


def knows(family: str) -> bool:
    """Whether this rtbci can build a decoder of ``family``."""
    while family.startswith(UPDATED):
        family = family.removeprefix(UPDATED)
    return family in FAMILIES
