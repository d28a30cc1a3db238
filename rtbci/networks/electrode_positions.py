"""Electrode positions as input features: directions on a unit sphere and Fourier features.

An electrode whose name is in the 10-05 table gets features of its position; any other gets a
learned row for its name (``ElectrodeFeatures``).
"""

from itertools import product

import numpy as np
from numpy.typing import NDArray

from rtbci.signal.montage import position
from rtbci.types import Array

# Centre of the template's sphere, mm: halfway between Fpz and Oz.
CENTRE = (0.0, -19.0, 0.0)
# Largest squared norm of the integer wave vectors; 16 vectors lie within it.
LARGEST_NORM = 4


def _waves() -> Array:
    """Half of the integer vectors with 0 < norm² <= ``LARGEST_NORM``, (3, waves)."""
    every = [v for v in product(range(-2, 3), repeat=3) if 0 < sum(a * a for a in v) <= 4]
    half = [v for v in every if v > (0, 0, 0)]
    return np.array(half, np.float64).T


WAVES = _waves()
FEATURES = 1 + 3 + 2 * WAVES.shape[1]  # 36


def sphere(names: tuple[str, ...]) -> tuple[Array, NDArray[np.bool_]]:
    """Directions ``(channels, 3)`` on the unit sphere, and which names have a known position."""
    places = [position(name) for name in names]
    known = np.array([place is not None for place in places], bool)
    xyz = np.array([(0, 0, 0) if place is None else place for place in places], np.float64)
    xyz = (xyz - CENTRE).reshape(-1, 3)
    return xyz / np.maximum(np.linalg.norm(xyz, axis=1, keepdims=True), 1e-9), known


def fourier(directions: Array) -> Array:
    """Features ``(channels, FEATURES)`` of unit vectors: 1, xyz, sine and cosine of the waves.

    Rows have about unit length, and neighbouring electrodes have similar rows.
    """
    phase = np.pi / 2 * directions @ WAVES
    ones = np.ones((len(directions), 1))
    waves = np.concatenate([np.sin(phase), np.cos(phase)], axis=1)
    return np.concatenate([ones, directions, waves], axis=1) / np.sqrt(2 + WAVES.shape[1])


def spread(count: int) -> Array:
    """Directions ``(count, 3)`` spread evenly over the part of the sphere that a cap covers."""
    lowest = -0.35  # z of the lowest row of a cap
    z = 1 - (1 - lowest) * (np.arange(count) + 0.5) / count
    turn = np.pi * (3 - np.sqrt(5)) * np.arange(count)  # the golden angle
    radius = np.sqrt(1 - z * z)
    return np.stack([radius * np.cos(turn), radius * np.sin(turn), z], axis=1)
