"""Markers from trigger channels and from the text of marker streams."""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from rtbci.errors import BadInput
from rtbci.foreign_text import clean, parse_json
from rtbci.types import Array, Marker, Samples

LABEL_CHARS = 200
MARKER_CHARS = 100_000  # of the JSON of one marker
BIOSEMI_BITS = 0xFFFF  # of a 24-bit Status channel, those that carry triggers


def parse_trigger(text: str) -> tuple[str, int | None]:
    """``CHANNEL`` or ``CHANNEL:mask`` (decimal or 0x...); raises ``BadInput``."""
    name, colon, mask = text.rpartition(":")
    if not colon:
        return text, None
    try:
        value = int(mask, 0)
    except ValueError:
        return text, None  # the colon belongs to the channel's name
    if not 0 < value < 2**32:
        raise BadInput(f"trigger mask {mask} is not between 1 and 0xffffffff")
    return name, value


def rising(
    codes: Array | Samples, indices: NDArray[np.int64], mask: int | None, name: str
) -> tuple[Marker, ...]:
    """A marker wherever ``codes`` (rows,) turn to another value that is not 0.

    Whole numbers are codes and become the label; anything else is an analogue line, whose rise
    through the middle of its range is labelled ``name``.
    """
    values = np.nan_to_num(np.asarray(codes, np.float64), posinf=0.0, neginf=0.0)
    if not len(values):
        return ()
    if np.abs(values - np.round(values)).max() < 1e-3 and np.abs(values).max() < 2**53:
        whole = np.round(values).astype(np.int64)
        if mask is not None:
            whole &= mask
    else:
        low, high = np.quantile(values, [0.001, 0.999])
        whole = (values > (low + high) / 2).astype(np.int64)
        return tuple(Marker(int(indices[row]), name) for row in _edges(whole))
    return tuple(Marker(int(indices[row]), str(whole[row])) for row in _edges(whole))


def _edges(whole: NDArray[np.int64]) -> NDArray[np.int64]:
    before = np.concatenate([[0], whole[:-1]])
    return np.flatnonzero((whole != 0) & (whole != before))


def from_value(index: int, value: object) -> Marker | None:
    """The marker for one sample of a marker stream: number, text, or the text of a JSON object."""
    if isinstance(value, str):
        return _from_text(index, value)
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        return None
    number = float(value)
    if not math.isfinite(number):
        return None
    return Marker(index, str(int(number)) if number == int(number) else f"{number:g}")


def readable(text: str) -> str:
    """``text`` as people read it: bytes that were not UTF-8 (kept as "surrogateescape" keeps them)
    are Latin-1, which programs of Windows write."""
    if text.isascii() or not any("\udc80" <= c <= "\udcff" for c in text):
        return text
    return text.encode("utf-8", "surrogateescape").decode("latin-1")


def _from_text(index: int, text: str) -> Marker | None:
    text = readable(text)
    if text.lstrip().startswith("{") and len(text) <= MARKER_CHARS:
        try:
            fields = parse_json(text)
        except (ValueError, RecursionError):
            fields = None  # a brace does not make an object; it is text then
        if isinstance(fields, Mapping) and isinstance(fields.get("label"), str | int):
            label = clean(str(fields["label"]))[:LABEL_CHARS]
            rest = {key: value for key, value in fields.items() if key != "label"}
            return Marker(index, label, rest) if label else None
    label = clean(text)[:LABEL_CHARS]
    if not label:
        return None
    try:
        number = float(label)
    except ValueError:
        return Marker(index, label)
    # "2.000" and "2" of two recorders are one class; "007" and "1e3" are names
    return Marker(index, str(int(number)) if label.rstrip("0") == f"{number:.0f}." else label)
