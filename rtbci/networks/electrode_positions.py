"""Where electrodes lie, as numbers that a network can read: unit sphere, Fourier features.

An electrode whose name is in the 10-05 table gets features of its place; one that is not gets a
learned row of its own name.
"""

from itertools import product

import numpy as np
from numpy.typing import NDArray

from rtbci.signal.montage import position
from rtbci.types import Array

CENTRE = (0.0, -19.0, 0.0)  # mm; middle of the template's sphere: halfway between Fpz and Oz
LARGEST_NORM = 4  # of the integer wave vectors, squared: 16 of them


def _waves() -> Array:
    """Half of the integer vectors with 0 < norm² <= ``LARGEST_NORM``, (3, waves)."""
    every = [v for v in product(range(-2, 3), repeat=3) if 0 < sum(a * a for a in v) <= 4]
    half = [v for v in every if v > (0, 0, 0)]
    return np.array(half, np.float64).T


WAVES = _waves()
FEATURES = 1 + 3 + 2 * WAVES.shape[1]  # 36


def sphere(names: tuple[str, ...]) -> tuple[Array, NDArray[np.bool_]]:
    """Directions ``(channels, 3)`` on the unit sphere, and which of the names have a place."""
    places = [position(name) for name in names]
    known = np.array([place is not None for place in places], bool)
    xyz = np.array([(0, 0, 0) if place is None else place for place in places], np.float64)
    xyz = (xyz - CENTRE).reshape(-1, 3)
    return xyz / np.maximum(np.linalg.norm(xyz, axis=1, keepdims=True), 1e-9), known


def fourier(directions: Array) -> Array:
    """Features ``(channels, FEATURES)`` of unit vectors: 1, xyz, sine and cosine of the waves.

    Rows have about unit length, and near electrodes similar rows.
    """
    phase = np.pi / 2 * directions @ WAVES
    ones = np.ones((len(directions), 1))
    waves = np.concatenate([np.sin(phase), np.cos(phase)], axis=1)
    return np.concatenate([ones, directions, waves], axis=1) / np.sqrt(2 + WAVES.shape[1])


def spread(count: int) -> Array:
    """``count`` directions (count, 3) spread evenly over the upper sphere, as a cap sits."""
    lowest = -0.35  # of the z axis: the lowest row of a cap
    z = 1 - (1 - lowest) * (np.arange(count) + 0.5) / count
    turn = np.pi * (3 - np.sqrt(5)) * np.arange(count)  # the golden angle
    radius = np.sqrt(1 - z * z)
    return np.stack([radius * np.cos(turn), radius * np.sin(turn), z], axis=1)
