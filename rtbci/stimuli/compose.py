"""Composition of a picture: a scene, and one to three copies of an artwork with their shadows.

The artworks in ``data/artworks`` are small WebP images with transparency. A ``Composition`` is the
layout of a picture; the same layout gives the same pixels.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from rtbci.stimuli.scenes import SCENES, paint

ARTWORKS = Path(__file__).parent / "data" / "artworks"
# Opacity in the middle of an object's shadow.
SHADOW = 0.5
# Number of copies -> largest width of one, as a share of the picture.
WIDEST = {1: 0.9, 2: 0.52, 3: 0.42}
# An object whose lower edge is below this height throws no shadow.
LOWEST = 0.98
# Number of copies -> for each, from back to front: offset to the right of the middle, offset below
# the ground, share of the size.
PLACES: dict[int, tuple[tuple[float, float, float], ...]] = {
    1: ((0.0, 0.0, 1.0),),
    2: ((-0.22, -0.02, 0.62), (0.2, 0.03, 0.68)),
    3: ((0.02, -0.05, 0.48), (-0.27, 0.0, 0.54), (0.25, 0.05, 0.58)),
}


@dataclass(frozen=True)
class Composition:
    """Layout of a picture."""

    artwork: str  # name of a file in data/artworks
    scene: str  # key of SCENES
    count: int  # copies of the artwork, 1 to 3
    height: float  # of a single copy, as a share of the picture
    x: float  # middle of the object, 0 left to 1 right
    y: float  # lower edge of the object, or its middle in a flying scene; 0 top to 1 bottom
    mirrored: bool
    seed: int  # sets the details of the scene


def compose(layout: Composition, size: int) -> Image.Image:
    """Picture with this layout, RGB, ``size`` pixels a side."""
    picture = paint(layout.scene, size, layout.seed)
    art = artwork(layout.artwork)
    if layout.mirrored:
        art = art.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    for right, below, share in PLACES[layout.count]:
        tall = layout.height * share * size
        wide = tall * art.width / art.height
        fit = min(1.0, WIDEST[layout.count] * size / wide)
        tall, wide = tall * fit, wide * fit
        x = min(max((layout.x + right) * size, wide / 2), size - wide / 2)
        y = (layout.y + below) * size - tall
        if SCENES[layout.scene].flying:
            y = (layout.y + 2 * below) * size - tall / 2
        elif layout.y < LOWEST:
            _darken(picture, x, y + tall * 0.985, wide)
        copy = art.resize((max(1, round(wide)), max(1, round(tall))), Image.Resampling.LANCZOS)
        picture.paste(copy, (round(x - wide / 2), round(y)), copy)
    return picture


def _darken(picture: Image.Image, x: float, y: float, wide: float) -> None:
    """Draw a soft flat shadow around (x, y)."""
    shape = (max(2, round(wide * 1.1)), max(2, round(wide * 0.2)))
    mask = _blob().resize(shape)
    picture.paste((24, 22, 36), (round(x - shape[0] / 2), round(y - shape[1] / 2)), mask)


@lru_cache(1)
def _blob() -> Image.Image:
    across = np.linspace(-1, 1, 64) ** 2
    far = np.minimum(1, across[:, None] + across[None, :])
    return Image.fromarray((255 * SHADOW * (1 - far) ** 1.2).astype(np.uint8))


@lru_cache(512)
def artwork(name: str) -> Image.Image:
    """Artwork with transparency (RGBA), as stored: cropped to the drawing."""
    with Image.open(ARTWORKS / f"{name}.webp") as image:
        return image.convert("RGBA")
