"""Decoders, forward pass only: from the arrays of a bundle to log-odds, in numpy.

``FAMILIES`` names every family; each entry builds a decoder from class names and arrays, and
raises ``KeyError``, ``TypeError`` or ``ValueError`` where arrays are missing or do not fit.
"""

from collections.abc import Callable

from rtbci.decoders.evoked import EvokedDecoder
from rtbci.decoders.oscillation import OscillationDecoder
from rtbci.types import Array, Decoder

FAMILIES: dict[str, Callable[[tuple[str, ...], dict[str, Array]], Decoder]] = {
    "evoked": lambda classes, arrays: EvokedDecoder(classes, **arrays),
    "oscillation": lambda classes, arrays: OscillationDecoder.from_arrays(arrays, classes),
}
