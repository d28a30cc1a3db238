"""Twelve low-level visual features of a picture, such as contrast and edges, in numpy."""

import numpy as np
from numpy.typing import NDArray

FEATURES = (
    "luminance",  # mean, 0 to 1
    "contrast",  # standard deviation of luminance
    "red against green",
    "blue against yellow",
    "colourfulness",  # mean distance from grey
    "horizontal edges",  # share of the gradient's energy in each direction
    "vertical edges",
    "diagonal edges",
    "edge energy",  # mean gradient, log
    "coarse detail",  # contrast in three bands of spatial frequency, log
    "fine detail",
    "size of the object",  # share of the picture that differs from its border
)
# Size of the picture from which features are computed, pixels a side.
SIDE = 128
# Weights of linear RGB (ITU-R BT.709), applied here to gamma-coded values.
LUMINANCE = (0.2126, 0.7152, 0.0722)
SMALLEST = 1e-4


def looks_of(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Features of one picture (size, size, 3), size a multiple of 128; see ``FEATURES``."""
    x = _shrink(rgb.astype(np.float32) / np.float32(255), SIDE)
    red, green, blue = x[..., 0], x[..., 1], x[..., 2]
    light = x @ np.array(LUMINANCE, np.float32)
    down, right = np.gradient(light)
    energy = np.hypot(down, right)
    angle = np.arctan2(down, right)
    total = energy.sum() + SMALLEST
    along = np.cos(2 * angle)  # 1 at vertical edges, -1 at horizontal ones
    coarse, middle = _shrink(light, 16), _shrink(light, 64)
    fine = light - np.kron(middle, np.ones((2, 2), np.float32))
    grey = x.mean(axis=2, keepdims=True)
    return np.array(
        [
            light.mean(),
            light.std(),
            (red - green).mean(),
            (blue - (red + green) / 2).mean(),
            np.abs(x - grey).mean(),
            (energy * np.maximum(-along, 0)).sum() / total,
            (energy * np.maximum(along, 0)).sum() / total,
            (energy * np.abs(np.sin(2 * angle))).sum() / total,
            np.log(energy.mean() + SMALLEST),
            np.log(coarse.std() + SMALLEST),
            np.log(fine.std() + SMALLEST),
            _object_share(x),
        ],
        np.float32,
    )


def _shrink(x: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Image reduced to ``side`` rows and columns by the mean over blocks."""
    step = x.shape[0] // side
    assert step * side == x.shape[0] == x.shape[1], f"{x.shape} is not a multiple of {side}"
    return x.reshape(side, step, side, step, *x.shape[2:]).mean(axis=(1, 3))


def _object_share(x: NDArray[np.float32]) -> float:
    """Share of the picture that differs from the left and right border at the same height."""
    edges = np.concatenate([x[:, :8], x[:, -8:]], axis=1)  # (128, 16, 3)
    background = np.median(edges, axis=1, keepdims=True)
    return float((np.abs(x - background).sum(axis=2) > 0.3).mean())
