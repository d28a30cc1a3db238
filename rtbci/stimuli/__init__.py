"""Packaged picture set: 20 categories of 100 pictures, each with a caption.

The categories are those of the 122-channel dataset. Pictures are composed on demand from freely
licensed artworks (``licences/``) in painted scenes. Captions, their embeddings and visual features
of each picture are shipped, so neither the text encoder nor the network is needed.
"""

import csv
import io
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rtbci.formats.dataset import CLASSES

if TYPE_CHECKING:
    from rtbci.stimuli.compose import Composition

DATA = Path(__file__).parent / "data"
CATEGORIES = CLASSES  # number and spelling as in the dataset
PER_CATEGORY = 100
JPEG_SIZE, JPEG_QUALITY = 256, 85


@dataclass(frozen=True)
class Picture:
    """One picture of the set with its caption."""

    name: str  # "horse_0012"
    category: str
    caption: str
    layout: "Composition"


@cache
def load() -> tuple[Picture, ...]:
    """All 2,000 pictures by category and number, in the order of ``embeddings`` and ``looks``."""
    from rtbci.stimuli.compose import Composition

    with (DATA / "pictures.tsv").open(encoding="utf-8", newline="") as file:
        return tuple(
            Picture(
                name=row["name"],
                category=row["name"].rsplit("_", 1)[0],
                caption=row["caption"],
                layout=Composition(
                    artwork=row["artwork"],
                    scene=row["scene"],
                    count=int(row["count"]),
                    height=float(row["height"]),
                    x=float(row["x"]),
                    y=float(row["y"]),
                    mirrored=row["mirrored"] == "1",
                    seed=int(row["seed"]),
                ),
            )
            for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        )


def render(picture: Picture, size: int = 256) -> NDArray[np.uint8]:
    """The picture as (size, size, 3) RGB; the same pixels every time."""
    from rtbci.stimuli.compose import compose

    return np.asarray(compose(picture.layout, size))


def jpeg(picture: Picture) -> bytes:
    """The picture as a JPEG file of 256 x 256 pixels."""
    from rtbci.stimuli.compose import compose

    file = io.BytesIO()
    compose(picture.layout, JPEG_SIZE).save(file, "JPEG", quality=JPEG_QUALITY)
    return file.getvalue()


@cache
def embeddings() -> NDArray[np.float32]:
    """MiniLM embeddings of all captions, (2000, 384), rows of unit length; read-only."""
    points = _array("embeddings")
    points /= np.linalg.norm(points, axis=1, keepdims=True)  # stored in half precision
    points.flags.writeable = False
    return points


@cache
def looks() -> NDArray[np.float32]:
    """Visual features of all pictures, (2000, F), standardised by feature; read-only.

    Their names are ``rtbci.stimuli.features.FEATURES``.
    """
    features = _array("looks")
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    features.flags.writeable = False
    return features


def _array(name: str) -> NDArray[np.float32]:
    with np.load(DATA / "features.npz") as arrays:
        return arrays[name].astype(np.float32)
