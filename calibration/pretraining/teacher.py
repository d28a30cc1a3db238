"""Soft targets for distillation: class probabilities of a teacher that saw the picture.

Ferrante et al. (arXiv 2402.07547) distil a classifier on the CLIP features of the images (99 %
correct) into the EEG network: the network learns its class distribution, and needs EEG alone later;
here the teacher reads the caption, or somebody's soft targets come from a file.
"""

from pathlib import Path

import numpy as np

from calibration.pretraining.corpus import CaptionPoints, Corpus
from rtbci.errors import BadInput
from rtbci.formats.source import load_json
from rtbci.types import Samples

SHARPNESS = 0.05  # temperature of the softmax over cosines


def from_captions(corpus: Corpus) -> Samples:
    """``(pictures, classes)``: softmax over the likeness of the caption and the class's name.

    Zeros for a picture without a caption: no opinion.
    """
    assert corpus.points is not None
    names = CaptionPoints()(tuple(f"a picture of a {name}" for name in corpus.classes))
    scores = corpus.points @ names.T / SHARPNESS
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    by_caption = odds / odds.sum(axis=1, keepdims=True)
    out = np.zeros((len(corpus.pictures), len(corpus.classes)))
    known = (corpus.picture >= 0) & (corpus.caption >= 0)
    out[corpus.picture[known]] = by_caption[corpus.caption[known]]
    return out.astype(np.float32)


def from_file(path: Path, pictures: tuple[str, ...], classes: int) -> Samples:
    """``(pictures, classes)`` from an array of probabilities by picture.

    ``NAME.json`` beside ``NAME.npy`` lists the pictures' names in order; without it the rows are
    those of ``rtbci.stimuli.load()``. Raises ``BadInput`` for anything else.
    """
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise BadInput(f"cannot read the teacher's targets {path}: {error}") from error
    beside = path.with_suffix(".json")
    if beside.exists():
        names = load_json(beside)
        if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
            raise BadInput(f"{beside} is no list of pictures' names, one for each row of {path}")
    else:
        from rtbci import stimuli

        names = [each.name for each in stimuli.load()]
    if values.shape != (len(names), classes) or not (values >= 0).all():
        raise BadInput(
            f"{path} has shape {values.shape}; expected probabilities ({len(names)} pictures, "
            f"{classes} classes), the pictures named in {beside.name}"
        )
    where = {name: row for row, name in enumerate(names)}
    missing = [name for name in pictures if name not in where]
    if missing:
        raise BadInput(
            f"{path} has no targets for {len(missing)} pictures, {missing[0]} among them; "
            f"name its rows in {beside.name}"
        )
    chosen = values[[where[name] for name in pictures]].astype(np.float32)
    return chosen / np.maximum(chosen.sum(axis=1, keepdims=True), 1e-9)
