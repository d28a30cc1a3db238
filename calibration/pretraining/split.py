"""Split of trials into training, validation and test by session in time order.

No picture is on both sides where the data allow it; where they do not, the number is said.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rtbci.errors import BadInput

TRAIN, CHECK, TEST, UNUSED = 0, 1, 2, -1
NAMES = ("training", "validation", "test")
HELD_BACK = 0.2  # of a training session's trials, its last: validation where no session is given
ENOUGH = 0.6  # of the training trials have to stay when pictures are taken out
ENOUGH_OF_ONE = 0.25  # and of every subject's: a head needs trials of its own


@dataclass(frozen=True)
class Split:
    """Part of every trial, and the treatment of shared pictures."""

    part: np.ndarray  # (trials,) TRAIN, CHECK, TEST or UNUSED
    pictures: str  # a sentence
    removed: int  # training trials that were taken out
    shared: int  # training trials whose picture is on the other side too


def session_counts(text: str) -> tuple[int, int, int]:
    """``3/1/1`` as numbers of sessions for training, validation and test."""
    parts = text.split("/")
    if len(parts) != 3 or not all(p.isdigit() for p in parts) or int(parts[0]) < 1:
        raise BadInput(
            f"{text!r} is no split of sessions: three numbers for training, validation and test, "
            "e.g. 3/1/1 (2/0/0: validation is the last fifth of the training sessions)"
        )
    return int(parts[0]), int(parts[1]), int(parts[2])


def enough_sessions(
    subject: Sequence[str], session: Sequence[int], counts: tuple[int, int, int]
) -> None:
    """Check the number of sessions per subject; raises ``BadInput`` if there are too few."""
    there: dict[str, set[int]] = {}
    for who, number in zip(subject, session, strict=True):
        there.setdefault(who, set()).add(number)
    for who, found in there.items():
        n = len(found)
        if n < sum(counts):
            raise BadInput(
                f"{who} has {n} session{'s' * (n != 1)}, --sessions {'/'.join(map(str, counts))} "
                f"needs {sum(counts)}; give a smaller split, e.g. --sessions {max(n - 1, 1)}/0/"
                f"{min(n - 1, 1)}"
            )


def split(
    subject: np.ndarray, session: np.ndarray, picture: np.ndarray, counts: tuple[int, int, int]
) -> Split:
    """Split from ``subject``, ``session`` and ``picture`` (trials,), in time order per session.

    ``picture`` is -1 where it is not known. Raises ``BadInput`` for a subject with too few
    sessions.
    """
    enough_sessions(subject.tolist(), session.tolist(), counts)
    part = np.full(len(subject), UNUSED)
    for who in dict.fromkeys(subject.tolist()):
        there = sorted(set(session[subject == who].tolist()))
        roles = [kind for kind, count in enumerate(counts) for _ in range(count)]
        for number, role in zip(there, roles, strict=False):
            rows = np.flatnonzero((subject == who) & (session == number))
            part[rows] = role
            if role == TRAIN and not counts[1]:
                part[rows[len(rows) - round(HELD_BACK * len(rows)) :]] = CHECK
    return _without_shared_pictures(part, subject, picture)


def _without_shared_pictures(part: np.ndarray, subject: np.ndarray, picture: np.ndarray) -> Split:
    """Remove shared pictures from training: of all subjects, else of the same one, else none."""
    anybody = _shared(part, np.zeros(len(part), int), picture)
    own = _shared(part, np.unique(subject, return_inverse=True)[1], picture)
    count = int((part == TRAIN).sum())
    for found, whose in ((anybody, "anybody's"), (own, "the same subject's")):
        most = max(float(found[(part == TRAIN) & (subject == who)].mean()) if count else 0.0
                   for who in np.unique(subject[part == TRAIN]))  # fmt: skip
        if found.sum() <= (1 - ENOUGH) * count and most <= 1 - ENOUGH_OF_ONE:
            left = part.copy()
            left[found] = UNUSED
            rest = int(_shared(left, np.zeros(len(part), int), picture).sum())
            text = f"no picture of {whose} validation or test trials is in training"
            if found.any():
                text += f" ({int(found.sum())} of {count} training trials left out)"
            if rest:
                text += f"; {rest} show a picture that another subject is tested with"
            return Split(left, text, int(found.sum()), rest)
    return Split(
        part,
        f"{int(own.sum())} of {count} training trials show a picture that the same subject is "
        "validated or tested with; the data hold too few others to leave them out",
        0,
        int(anybody.sum()),
    )


def _shared(part: np.ndarray, within: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """(trials,) bool: training trials whose picture is in validation or test ``within``."""
    name = within * (int(picture.max(initial=0)) + 1) + picture
    held = np.unique(name[((part == CHECK) | (part == TEST)) & (picture >= 0)])
    return (part == TRAIN) & (picture >= 0) & np.isin(name, held)
