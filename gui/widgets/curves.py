"""Antialiased curves in numpy, from the exact pixel coverage of each line.

Qt strokes a path of some hundred points in tens of milliseconds; this takes well under one.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gui.widgets.palette import channels

Array = NDArray[np.float64]
Cover = NDArray[np.float32]
Pixels = NDArray[np.uint32]


def coverage(top: Array, bottom: Array, row: NDArray[np.int64], rows: int, height: int) -> Cover:
    """Share (rows, height) of each pixel that spans from ``top`` to ``bottom`` cover, 0 to 1.

    All three have one shape; ``row`` says where each span goes, NaN marks a span that is not there.
    """
    there = ~np.isnan(top)
    size = height + 2
    at, weight = [], []
    # a span is a step up and a step down; a step within a pixel is shared with the next pixel
    for edge, sign in ((top, 1.0), (bottom, -1.0)):
        edge = np.clip(edge[there], 0, height)
        whole = edge.astype(np.int64)
        part = edge - whole
        at += [row[there] * size + whole, row[there] * size + whole + 1]
        weight += [sign * (1 - part), sign * part]
    steps = np.bincount(np.concatenate(at), np.concatenate(weight), minlength=rows * size)
    cover = np.cumsum(steps.astype(np.float32).reshape(rows, size), axis=1)[:, :height]
    return np.clip(cover, 0, 1, out=cover)


def extent(x: Array, y: Array, width: int) -> tuple[Array, Array]:
    """Lowest and highest ``y`` of the polyline in each of ``width`` columns, or NaN.

    ``x`` is ascending, in columns; a NaN in ``y`` breaks the line.
    """
    edges = np.arange(width + 1, dtype=np.float64)
    edge = np.interp(edges, x, y, left=np.nan, right=np.nan)
    starts = np.searchsorted(x, edges)
    empty = starts[1:] == starts[:-1]
    points = np.append(y, np.nan)
    low = np.where(empty, np.nan, np.fmin.reduceat(points, starts)[:-1])
    high = np.where(empty, np.nan, np.fmax.reduceat(points, starts)[:-1])
    return np.fmin(low, np.fmin(edge[:-1], edge[1:])), np.fmax(high, np.fmax(edge[:-1], edge[1:]))


def curves(
    x: Array, ys: Sequence[Array], colors: Sequence[str], size: tuple[int, int], thickness: float
) -> Pixels:
    """Image of lines through (``x``, each of ``ys``), of ``size`` (width, height) pixels.

    Later ones lie on top. Returns (height, width) 0xAARRGGBB, premultiplied.
    """
    width, height = size
    picture = np.zeros((4, width, height), np.float32)  # red, green, blue, alpha
    row = np.arange(width)
    for y, color in zip(ys, colors, strict=True):
        low, high = extent(x, y, width)
        cover = coverage(low - thickness / 2, high + thickness / 2, row, width, height)
        for part, value in zip(picture, (*channels(color), 255), strict=True):
            part += cover * (value - part)
    red, green, blue, alpha = np.rint(picture).astype(np.uint32)
    packed = alpha << 24 | red << 16 | green << 8 | blue
    return np.ascontiguousarray(packed.T)
