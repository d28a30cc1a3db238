"""Hashes of trials, which identify those that a decoder was trained on in any file.

A session lies on disk as one merged array and as single runs, is copied, renamed and cut. So a
trial is identified by its own samples: a hash of the electrodes right after its marker. A bundle
keeps the hashes of its training trials, and no trial among them is counted as a test.
"""

import hashlib
from collections.abc import Iterable, Mapping

import numpy as np

from rtbci.signal.recording import Recording

SPAN = 0.1  # s after its marker by which a trial is known
LENGTH = 16  # hexadecimal digits; among a million trials two are alike once in 40 million


def marks(recording: Recording) -> str:
    """One mark a trial, in the order of the markers, with spaces between them.

    None for a marker without a living signal. The same for an array of epochs and for
    what ``rtbci.signal.epoch_gaps`` makes of it.
    """
    columns = list(recording.info.columns(recording.eeg_channels))
    rows = max(1, round(SPAN * recording.info.rate))
    pieces = np.array(recording.segments, int).reshape(-1, 3)  # first row, stop, index
    found = []
    for marker in recording.markers:
        place = int(np.searchsorted(pieces[:, 2], marker.index, side="right")) - 1
        if place < 0:
            continue
        first, stop, index = pieces[place].tolist()
        at = first + marker.index - index
        x = recording.signal[at : min(at + rows, stop), columns]
        if len(x) == rows and (x != x[0]).any():  # still electrodes are alike everywhere
            digest = hashlib.sha256(np.ascontiguousarray(x, "<f4").tobytes())
            found.append(digest.hexdigest()[:LENGTH])
    return " ".join(found)


def learnt(training: Mapping[str, object]) -> list[Mapping[str, object]]:
    """The files that a bundle and those it builds on were trained on, as ``training``
    of ``subject.json`` has them: each with its ``name`` and its ``marks``."""
    lists = [training.get(key) for key in ("files", "earlier")]
    return [each for found in lists if isinstance(found, list) for each in found]


def shared(own: str, files: Iterable[Mapping[str, object]]) -> tuple[str, int] | None:
    """The first of ``files`` (as ``learnt`` gives them) that holds some of the trials with the
    marks ``own``, and how many of them."""
    mine = set(own.split())
    for each in files:
        both = mine.intersection(str(each.get("marks", "")).split())
        if both:
            return str(each.get("name", "an earlier file")), len(both)
    return None
