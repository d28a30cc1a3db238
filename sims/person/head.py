"""Spherical head model: electrode positions, dipoles, and the lead field between them.

Brain, fluid, skull and scalp are four spherical shells; three dipoles in a homogeneous sphere act
like one in the four (Berg & Scherg 1994), and there the potential has a closed form.
"""

import numpy as np

from rtbci.errors import BadInput
from rtbci.signal.montage import position
from rtbci.types import Array
from sims.person.constants import (
    BERG_LAMBDA,
    BERG_MU,
    CENTRE_MM,
    DEEPEST,
    MONTAGES,
    RADIUS_MM,
    REFERENCE,
    SHALLOWEST,
)


def montage(count: int) -> tuple[str, ...]:
    """Electrode names of a cap of ``count`` electrodes; raises ``BadInput`` for other counts."""
    if count not in MONTAGES:
        raise BadInput(
            f"no cap of {count} electrodes; choose one of {', '.join(map(str, MONTAGES))}, "
            "or name them, e.g. Oz,O1,O2,Pz"
        )
    return tuple(MONTAGES[count].split())


def electrodes(names: tuple[str, ...]) -> Array:
    """Positions ``(names, 3)`` on the unit sphere; raises ``BadInput`` for unknown names."""
    places = [position(name) for name in names]
    unknown = [name for name, place in zip(names, places, strict=True) if place is None]
    if unknown:
        raise BadInput(
            f"no place is known for {', '.join(unknown)}; use names of the 10-05 system, e.g. Oz"
        )
    return outward(np.array(places, float))


def outward(millimetres: Array) -> Array:
    """Directions ``(n, 3)`` of unit length from the head's centre to places in MNI millimetres."""
    x = millimetres - CENTRE_MM
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def inside(millimetres: Array) -> Array:
    """Positions ``(n, 3)`` in head radii, moved into grey matter."""
    x = (millimetres - CENTRE_MM) / RADIUS_MM
    eccentricity = np.linalg.norm(x, axis=-1, keepdims=True)
    return x * np.clip(eccentricity, DEEPEST, SHALLOWEST) / eccentricity


def lead_field(cap: Array, places: Array, moments: Array) -> Array:
    """Potentials ``(electrodes, dipoles)`` against the reference, in units of its own.

    ``cap`` (electrodes + 1, 3) unit vectors, the reference last; ``places`` (dipoles, 3) within the
    unit sphere, ``moments`` (dipoles, 3).
    """
    shares = [
        share * homogeneous(cap, eccentricity * places, moments)
        for eccentricity, share in zip(BERG_MU, BERG_LAMBDA, strict=True)
    ]
    potentials = np.sum(shares, axis=0)
    return potentials[:-1] - potentials[-1]


def homogeneous(cap: Array, places: Array, moments: Array) -> Array:
    """Potentials ``(electrodes, dipoles)`` on a homogeneous sphere of radius 1, times 4 pi sigma.

    The gradient, by the dipole's place, of the sphere's Neumann function
    2 / d + log(2 / (1 - r.s + d)), d the distance of electrode r and dipole s.
    """
    away = cap[:, None] - places  # (electrodes, dipoles, 3)
    d = np.linalg.norm(away, axis=2, keepdims=True)
    cosine = (cap @ places.T)[:, :, None]
    field = 2 * away / d**3 + (cap[:, None] + away / d) / (1 - cosine + d)
    return np.einsum("edk,dk->ed", field, moments)


def put_on(names: tuple[str, ...], turn_rad: Array | None = None) -> Array:
    """Cap ``(electrodes + 1, 3)`` as worn, reference last; ``turn_rad`` about x, y, z."""
    places = np.concatenate([electrodes(names), [electrodes(REFERENCE).sum(axis=0)]])
    places[-1] /= np.linalg.norm(places[-1])
    if turn_rad is None:
        return places
    angle = float(np.linalg.norm(turn_rad))
    axis = turn_rad / angle
    # Rodrigues' rotation
    return (
        places * np.cos(angle)
        + np.cross(axis, places) * np.sin(angle)
        + np.outer(places @ axis, axis) * (1 - np.cos(angle))
    )


def reach(cap: Array, towards: Array, radians: float) -> Array:
    """Sensitivity ``(electrodes,)`` of each electrode to a source under the scalp, ``towards``."""
    angle = np.arccos(np.clip(cap[:-1] @ towards, -1, 1))
    return np.exp(-((angle / radians) ** 2))
