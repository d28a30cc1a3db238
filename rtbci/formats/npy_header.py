"""The header of a NumPy file: shape and type of its array, checked against the file's size."""

import math
from pathlib import Path
from typing import Literal

import numpy as np

from rtbci.errors import BadInput
from rtbci.foreign_text import clean
from rtbci.formats.source import regular

DTYPES = ("f4", "f8", "i2", "i4")


def npy_header(path: Path) -> tuple[tuple[int, ...], Literal["C", "F"], np.dtype, int]:
    """Shape, order, dtype and offset of the data, after checking them against the file's size."""
    size = regular(path)
    with open(path, "rb") as file:
        try:
            version = np.lib.format.read_magic(file)
            read = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }[version]
            shape, fortran, dtype = read(file, max_header_size=10_000)
        except Exception as error:  # noqa: BLE001 - numpy lets any error of its parser through
            raise BadInput(
                f"{path} has no NumPy header that can be read ({clean(str(error))}); save it again"
            ) from None
        offset = file.tell()
    if dtype.hasobject or dtype.kind + str(dtype.itemsize) not in DTYPES:
        raise BadInput(f"{path} holds {dtype}; expected one of {', '.join(DTYPES)}")
    if len(shape) not in (2, 3) or any(n < 1 for n in shape):
        raise BadInput(
            f"{path} has shape {shape}; expected (time, channel) or (epoch, time, channel)"
        )
    declared = math.prod(shape) * dtype.itemsize
    if declared != size - offset:
        raise BadInput(
            f"{path} declares {shape} of {dtype} = {declared} bytes but holds {size - offset}; "
            "it was cut or damaged, copy it again"
        )
    return shape, "F" if fortran else "C", dtype, offset
