"""Pseudonyms of subjects: how they are written, found in paths and compared."""

import re
from pathlib import Path


def subject_id(text: str) -> str:
    """A pseudonym as ``sub-...``; raises ``ValueError`` for anything that may be a name."""
    bare = re.sub(r"^sub(ject)?([-_]|(?=\d))", "", text)
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,40}", bare):
        raise ValueError(
            f"{text!r} is no pseudonym: letters, digits, - and _ only, e.g. 02 or sub-02 "
            "(no names or e-mail addresses: brain data is personal)"
        )
    return text if text.startswith("sim-") else f"sub-{bare}"


def subject_of(path: Path) -> str | None:
    """The subject that a path names, nearest first.

    ``sub-02_ses-01.npy``, ``subject1/...``, ``S001/S001R03.edf``.
    """
    for part in reversed(path.parts):
        if re.fullmatch(r"S\d{3}", part):
            return f"sub-{part}"
        found = re.match(r"(?:sub(?:ject)?|sim)(?:[-_]|(?=\d))([A-Za-z0-9]+)", part)
        if found:
            return f"sim-{found[1]}" if part.startswith("sim") else f"sub-{found[1]}"
    return None


def same_subject(one: str, other: str) -> bool:
    """Whether two ids differ in leading zeros and case only."""
    first, second = (each.split("-", 1)[-1].lstrip("0").lower() for each in (one, other))
    return first == second
