"""Positions, orientations and picture responses of a simulated participant's sources.

Everybody shares a template: four visual areas in both hemispheres, each a patch of a few dipoles,
and a map from features of pictures to these dipoles. A person's patches lie a little elsewhere and
point a little otherwise, and a part of the map is the person's own.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from rtbci.types import Array
from sims.person.constants import (
    ANATOMY_MM,
    ANATOMY_SEED,
    ANATOMY_TURN,
    AREAS_MM,
    COMMON,
    CORTEX_DEPTH,
    CORTEX_SOURCES,
    FULL_CAP,
    INFORMATION,
    LOOKS,
    MEANING,
    OWN_MAP,
    PATCH_DIPOLES,
    PATCH_MM,
    PATCH_TURN,
    RADIUS_MM,
    SHALLOWEST,
    Wave,
)
from sims.person.head import inside, lead_field, outward, put_on

PER_AREA = 2 * PATCH_DIPOLES
INDEX_OF_ERP = 64  # the electrode whose average response is published
DRIVERS = {"looks": LOOKS, "meaning": MEANING}  # driver -> how many features


@dataclass(frozen=True)
class Anatomy:
    """Dipoles by area, and their responses to pictures."""

    places: dict[str, Array]  # area -> (dipoles, 3), units of the head's radius
    moments: dict[str, Array]  # area -> (dipoles, 3)
    maps: tuple[Array, ...]  # one a wave of INFORMATION: (dipoles, features of its driver)
    cortex: tuple[Array, Array]  # places and moments (CORTEX_SOURCES, 3) of the background

    def common(self, cap: Array) -> Array:
        """Response common to all pictures ``(waves of COMMON, electrodes)``, uV at the peaks."""
        return np.stack([self._common(wave, cap) for wave in COMMON]) * _template_common()[:, None]

    def information(self, cap: Array, effect: float) -> list[Array]:
        """Response to each feature ``(features, electrodes)``, uV, for each wave of INFORMATION.

        ``effect`` uV is the rms over pictures of a wave of size 1 at its best electrode.
        """
        found = []
        for wave, weights, scale in zip(
            INFORMATION, self.maps, _template_information(), strict=True
        ):
            field = lead_field(cap, self.places[wave.area], self.moments[wave.area])
            found.append(effect * wave.size * scale * (field @ weights).T)
        return found

    def _common(self, wave: Wave, cap: Array) -> Array:
        field = lead_field(cap, self.places[wave.area], self.moments[wave.area])
        return field.sum(axis=1)


def template() -> Anatomy:
    """Population template, the average of all simulated participants."""
    rng = np.random.default_rng(ANATOMY_SEED)
    places, moments = {}, {}
    for area, middle in AREAS_MM.items():
        sides = np.repeat([[1.0, 1, 1], [-1, 1, 1]], PATCH_DIPOLES, axis=0)
        scattered = middle + rng.normal(0, PATCH_MM, (PER_AREA, 3))
        turned = outward(scattered) + rng.normal(0, PATCH_TURN, (PER_AREA, 3))
        places[area] = inside(scattered * sides)
        moments[area] = sides * turned / np.linalg.norm(turned, axis=1, keepdims=True)
    maps = tuple(rng.normal(size=(PER_AREA, DRIVERS[wave.driver])) for wave in INFORMATION)
    return Anatomy(places, moments, maps, _cortex(rng))


def of_person(rng: np.random.Generator) -> Anatomy:
    """Template with the individual variation of one participant."""
    base = template()
    places, moments = {}, {}
    for area in AREAS_MM:
        shape = base.places[area].shape
        moved = base.places[area] + rng.normal(0, ANATOMY_MM / RADIUS_MM, shape)
        eccentricity = np.linalg.norm(moved, axis=1, keepdims=True)
        places[area] = moved * np.minimum(SHALLOWEST / eccentricity, 1)
        turned = base.moments[area] + rng.normal(0, ANATOMY_TURN, shape)
        moments[area] = turned / np.linalg.norm(turned, axis=1, keepdims=True)
    maps = tuple(
        np.sqrt(1 - OWN_MAP) * each + np.sqrt(OWN_MAP) * rng.normal(size=each.shape)
        for each in base.maps
    )
    return Anatomy(places, moments, maps, _cortex(rng))


def _cortex(rng: np.random.Generator) -> tuple[Array, Array]:
    """Dipoles spread over the upper part of the head, most of them pointing outward."""
    directions = rng.normal(size=(4 * CORTEX_SOURCES, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    directions = directions[directions[:, 2] > -0.45][:CORTEX_SOURCES]
    depth = rng.uniform(*CORTEX_DEPTH, (CORTEX_SOURCES, 1))
    moments = directions + rng.normal(0, 0.6, (CORTEX_SOURCES, 3))
    return directions * depth, moments / np.linalg.norm(moments, axis=1, keepdims=True)


@cache
def _template_common() -> Array:
    """Scale of each common wave: ``size`` uV at index 64 of the template, (waves of COMMON,)."""
    cap, base = put_on(tuple(FULL_CAP.split())), template()
    return np.array([wave.size / base._common(wave, cap)[INDEX_OF_ERP] for wave in COMMON])


@cache
def _template_information() -> Array:
    """Scale for an rms of 1 uV over pictures at the best electrode: (waves of INFORMATION,)."""
    cap, base = put_on(tuple(FULL_CAP.split())), template()
    found = []
    for wave, weights in zip(INFORMATION, base.maps, strict=True):
        field = lead_field(cap, base.places[wave.area], base.moments[wave.area])
        found.append(1 / np.sqrt(((field @ weights) ** 2).sum(axis=1)).max())
    return np.array(found)
