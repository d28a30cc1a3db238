"""Electrode positions on a flattened head, and neighbour search among them."""

from collections.abc import Mapping, Sequence
from math import atan2, cos, hypot, inf, pi, sin

from rtbci.signal.montage import position

CENTRE, RADII = (0.0, -16.0, 0.0), (86.0, 102.0, 100.0)  # mm, of the head the positions belong to
FAR = 60.0  # distance returned for a single electrode

Place = tuple[float, float]


def place(name: str) -> Place | None:
    """Right and front position on the flattened head, or None; radius 1 is level with Fpz, T7."""
    known = position(name)
    if known is None:
        return None
    x, y, z = ((v - c) / r for v, c, r in zip(known, CENTRE, RADII, strict=True))
    out = atan2(hypot(x, y), z) / (pi / 2)
    around = atan2(y, x)
    return out * cos(around), out * sin(around)


def closest(places: Sequence[Place]) -> float:
    """Distance between the two nearest electrodes."""
    pairs = ((a, b) for i, a in enumerate(places) for b in places[:i])
    return min((hypot(a[0] - b[0], a[1] - b[1]) for a, b in pairs), default=FAR)


def nearest(places: Mapping[str, Place], at: Place) -> tuple[str | None, float]:
    """Electrode nearest to a position, and its distance."""
    best: tuple[str | None, float] = (None, inf)
    for name, (x, y) in places.items():
        far = hypot(x - at[0], y - at[1])
        if far < best[1]:
            best = name, far
    return best


def towards(places: Mapping[str, Place], name: str, way: Place) -> str:
    """Next electrode from ``name`` in direction ``way``, or ``name`` if there is none."""
    here = places[name]
    best, cost = name, inf
    for other, (x, y) in places.items():
        x, y = x - here[0], y - here[1]
        along, aside = x * way[0] + y * way[1], abs(x * way[1] - y * way[0])
        if other != name and along > aside / 2 and along + 2 * aside < cost:
            best, cost = other, along + 2 * aside
    return best
