"""Features of a picture or sentence that drive a simulated response.

A fixed projection, the same for everybody and always, takes the embedding of a picture's caption to
``MEANING`` numbers and its looks to ``LOOKS`` numbers, each with mean 0 and sd 1 over the picture
set. Near captions and alike pictures get near numbers; so do categories not used in training.
"""

import hashlib
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from rtbci import stimuli
from rtbci.types import Array, Samples
from sims.person.constants import FEATURE_SEED, LOOKS, MEANING

Pictures = Sequence[int] | NDArray[np.integer]  # numbers in the set


def of_pictures(pictures: Pictures, codes: bool = False) -> Array:
    """Features ``(n, MEANING + LOOKS)`` of pictures (numbers in the set), or classes' codes."""
    if codes:
        return of_codes(classes()[np.asarray(pictures)])
    return of_set()[np.asarray(pictures)]


@cache
def classes() -> np.ndarray:
    """Class number of each picture of the set."""
    return np.array([stimuli.CATEGORIES.index(each.category) for each in stimuli.load()])


@cache
def of_set() -> Array:
    """Features ``(pictures, MEANING + LOOKS)`` of ``rtbci.stimuli.load()``."""
    return np.concatenate([of_meaning(stimuli.embeddings()), _of_looks()], axis=1)


def of_meaning(embeddings: Array | Samples) -> Array:
    """Features ``(n, MEANING)`` of sentences ``(n, dimensions)`` in the space of the captions."""
    projection, mean, scale = _meaning()
    return (np.asarray(embeddings, np.float64) @ projection - mean) / scale


def of_codes(classes: NDArray[np.integer]) -> Array:
    """Random features ``(n, MEANING + LOOKS)`` of class numbers ``(n,)``: no meaning, no looks."""
    codes = [
        np.random.default_rng([FEATURE_SEED, 3, int(each)]).normal(size=MEANING + LOOKS)
        for each in classes
    ]
    return np.array(codes)


def of_unknown(text: str) -> Array:
    """Features ``(MEANING + LOOKS,)`` of an unknown word, fixed by its text."""
    digest = hashlib.sha256(text.strip().casefold().encode()).digest()
    seed = int.from_bytes(digest[:8], "little")
    return np.random.default_rng([FEATURE_SEED, 4, seed]).normal(size=MEANING + LOOKS)


@cache
def _meaning() -> tuple[Array, Array, Array]:
    """Projection ``(dimensions, MEANING)``, and mean and sd ``(MEANING,)`` over the set."""
    embeddings = stimuli.embeddings().astype(np.float64)
    rng = np.random.default_rng([FEATURE_SEED, 1])
    projection = rng.normal(size=(embeddings.shape[1], MEANING))
    projected = embeddings @ projection
    return projection, projected.mean(axis=0), projected.std(axis=0)


def _of_looks() -> Array:
    looks = stimuli.looks().astype(np.float64)
    projection = np.random.default_rng([FEATURE_SEED, 2]).normal(size=(looks.shape[1], LOOKS))
    projected = looks @ projection
    return (projected - projected.mean(axis=0)) / projected.std(axis=0)
