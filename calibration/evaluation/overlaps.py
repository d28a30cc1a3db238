"""Pictures and captions on both sides of a split, and their effect on the figures.

A picture is known by its bytes where the data hold it, else by its name: the same photograph may
lie there under two names.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from calibration.evaluation.figures import overlap
from calibration.evaluation.sources import UnreadRun
from calibration.evaluation.values import Overlap, TrialTable

PICTURES = "images"  # folder of a dataset's pictures


def overlaps_of(
    data: Path,
    sources: Sequence[UnreadRun],
    table: TrialTable,
    seen: set[tuple[str, str]],
    *,
    anybody: bool,
) -> list[Overlap]:
    """``seen`` holds (subject, picture) of every training trial.

    The same person's pictures and captions are compared; with ``anybody`` everybody's as well.
    """
    captions = {
        name: caption
        for each in sources
        for name, caption in zip(each.images, each.captions, strict=False)
        if caption
    }
    names, people = table.image.tolist(), table.subject.tolist()
    contents = contents_of(data, {name for _, name in seen} | set(names))
    found = []
    for what, of in (("picture", contents), ("caption", captions)):
        if what == "caption" and not captions:
            continue
        own = {(who, of[name]) for who, name in seen if name in of}
        same = [(who, of.get(name)) in own for who, name in zip(people, names, strict=True)]
        found.append(overlap(f"the same {what}, the same person", table, np.array(same, bool)))
        if anybody:
            shown = {content for _, content in own}
            same = [of.get(name) in shown for name in names]
            found.append(overlap(f"the same {what}, anybody", table, np.array(same, bool)))
    return found


def contents_of(folder: Path, names: set[str]) -> dict[str, str]:
    """Identity of each picture by name: hash of its bytes, or the name if the file is missing."""
    files = {each.stem: each for each in folder.glob(f"{PICTURES}/*") if each.stem in names}
    return {
        name: hashlib.sha256(files[name].read_bytes()).hexdigest() if name in files else name
        for name in names
        if name
    }
