"""The structure of MATLAB 5 files, walked before scipy reads them: damage makes scipy crash.

A single wrong byte in a dimension or a length lets ``scipy.io.loadmat`` (1.17) read outside its
memory and end the process. Every tag, size and count is therefore checked here first. The format
is MathWorks' "MAT-File Format", level 5.
"""

import math
import struct
import zlib
from pathlib import Path

from rtbci.errors import BadInput

MATRIX, COMPRESSED = 14, 15
WIDTHS = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 9: 8, 12: 8, 13: 8, 16: 1, 17: 2, 18: 4}
INT8, INT32, UINT32 = 1, 5, 6
CELL, STRUCT, OBJECT, CHAR, SPARSE, FUNCTION, OPAQUE = 1, 2, 3, 4, 5, 16, 17
NUMBERS = range(6, 16)
COMPLEX = 0x800  # flag of an array
MAX_DEPTH = 32
MAX_DIMENSIONS = 32
MAX_FIELD_NAME = 64  # bytes


class _Damaged(Exception):
    """The structure contradicts itself."""


def check_structure(path: Path, data: bytes) -> None:
    """Raises ``BadInput`` unless the arrays in the MATLAB 5 file ``data`` are whole."""
    order = "<" if data[126:128] == b"IM" else ">"
    at = 128
    try:
        while at < len(data):
            kind, size = struct.unpack_from(order + "II", data, at)
            start, at = at + 8, at + 8 + size
            if kind == COMPRESSED:
                inflated = zlib.decompress(data[start:at])
                _Walk(inflated, order).top(0, len(inflated))
            else:
                _Walk(data, order).top(start - 8, at)
    except (_Damaged, struct.error, zlib.error, IndexError) as error:
        why = error if isinstance(error, _Damaged) else "it ends too early"
        raise BadInput(
            f"{path} holds a damaged MATLAB array ({why}); copy it again or save it anew in EEGLAB"
        ) from None


class _Walk:
    """Visits every element between two positions; raises ``_Damaged`` or ``struct.error``."""

    def __init__(self, data: bytes, order: str) -> None:
        self._data = data
        self._two = struct.Struct(order + "II")
        self._order = order

    def top(self, at: int, stop: int) -> None:
        """One array of the file."""
        kind, start, end, behind = self._element(at, stop)
        if kind != MATRIX or behind > stop:
            raise _Damaged(f"type {kind} where an array belongs")
        self._matrix(start, end, 0)

    def _element(self, at: int, stop: int) -> tuple[int, int, int, int]:
        """Type, first and last position of the data, and the position after its padding."""
        kind, size = self._two.unpack_from(self._data, at)
        if kind >> 16:  # short form: both in four bytes, the data in the next four
            kind, size = kind & 0xFFFF, kind >> 16
            if size > 4 or at + 8 > stop:
                raise _Damaged(f"a short element of {size} bytes")
            return kind, at + 4, at + 4 + size, at + 8
        end = at + 8 + size
        if end > stop:
            raise _Damaged("an element reaches beyond its array")
        return kind, at + 8, end, min(end + -size % 8, stop)

    def _matrix(self, at: int, stop: int, depth: int) -> None:
        if at == stop:
            return  # an empty array may be written as nothing
        if depth > MAX_DEPTH:
            raise _Damaged(f"nested more than {MAX_DEPTH} deep")
        kind, start, end, at = self._element(at, stop)
        if kind != UINT32 or end - start != 8:
            raise _Damaged("an array without flags")
        (flags,) = struct.unpack_from(self._order + "I", self._data, start)
        shape = flags & 0xFF
        if shape == OPAQUE:
            self._rest(at, stop, depth)
            return
        kind, start, end, at = self._element(at, stop)
        n = (end - start) // 4
        if kind != INT32 or (end - start) % 4 or not 2 <= n <= MAX_DIMENSIONS:
            raise _Damaged("an array without dimensions")
        dimensions = struct.unpack_from(f"{self._order}{n}i", self._data, start)
        if min(dimensions) < 0:
            raise _Damaged(f"dimensions {dimensions}")
        count = math.prod(dimensions)
        kind, start, end, at = self._element(at, stop)
        if kind != INT8:
            raise _Damaged("an array without a name")
        if shape == CELL:
            self._matrices(count, at, stop, depth)
        elif shape in (STRUCT, OBJECT):
            self._fields(shape, count, at, stop, depth)
        elif shape == CHAR:
            self._characters(count, at, stop)
        elif shape in NUMBERS:
            for _ in range(2 if flags & COMPLEX else 1):
                at = self._numbers(count, at, stop)
        elif shape in (SPARSE, FUNCTION):
            self._rest(at, stop, depth)
        else:
            raise _Damaged(f"an array of the unknown class {shape}")

    def _fields(self, shape: int, count: int, at: int, stop: int, depth: int) -> None:
        if shape == OBJECT:
            kind, _, _, at = self._element(at, stop)
            if kind != INT8:
                raise _Damaged("an object without a class")
        kind, start, end, at = self._element(at, stop)
        if kind != INT32 or end - start != 4:
            raise _Damaged("a structure without a length of its names")
        (width,) = struct.unpack_from(self._order + "i", self._data, start)
        kind, start, end, at = self._element(at, stop)
        if kind != INT8 or not 1 <= width <= MAX_FIELD_NAME or (end - start) % width:
            raise _Damaged("a structure without names of its fields")
        names = self._data[start:end]
        if any(names[i + width - 1] for i in range(0, len(names), width)):
            raise _Damaged("the name of a field does not end")
        self._matrices(count * (len(names) // width), at, stop, depth)

    def _matrices(self, count: int, at: int, stop: int, depth: int) -> None:
        if count > (stop - at) // 8:
            raise _Damaged(f"{count} arrays in {stop - at} bytes")
        for _ in range(count):
            kind, start, end, at = self._element(at, stop)
            if kind != MATRIX:
                raise _Damaged(f"type {kind} where an array belongs")
            self._matrix(start, end, depth + 1)

    def _characters(self, count: int, at: int, stop: int) -> None:
        kind, start, end, _ = self._element(at, stop)
        # text in UTF-8 has more bytes than characters, all else has as many
        widths = {1: 1, 2: 1, 3: 2, 4: 2, 16: 1, 17: 2, 18: 4}
        if kind not in widths or (end - start) % widths[kind]:
            raise _Damaged(f"text of type {kind}")
        there = (end - start) // widths[kind]
        if there != count and not (kind == 16 and there >= count) and there:
            raise _Damaged(f"{there} characters for {count}")

    def _numbers(self, count: int, at: int, stop: int) -> int:
        kind, start, end, at = self._element(at, stop)
        width = WIDTHS.get(kind)
        if width is None or end - start != count * width:
            raise _Damaged(f"{end - start} bytes of type {kind} for {count} numbers")
        return at

    def _rest(self, at: int, stop: int, depth: int) -> None:
        while at < stop:
            kind, start, end, at = self._element(at, stop)
            if kind == MATRIX:
                self._matrix(start, end, depth + 1)
            elif kind not in WIDTHS or (end - start) % WIDTHS[kind]:
                raise _Damaged(f"type {kind} in an array")
