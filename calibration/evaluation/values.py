"""Results of an evaluation as plain values, which are all that the report needs.

An ``Evaluation`` can be made from any predictions, also invented ones; nothing here knows models,
files or plots.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from rtbci.decoding.scorer import softmax
from rtbci.statistics.predictions import SHUFFLES, Figure, Predictions
from rtbci.types import Array, Samples


@dataclass(frozen=True)
class TrialTable:
    """Decoded test trials, one row each."""

    subject: NDArray[np.str_]  # (n,) pseudonyms
    session: NDArray[np.int64]  # (n,)
    run: NDArray[np.int64]  # (n,) number in its session
    trial: NDArray[np.int64]  # (n,) number in its run
    true: NDArray[np.int64]  # (n,) class index
    probabilities: Array  # (n, classes)
    image: NDArray[np.str_]  # (n,) name of the picture, "" where it is not known

    def __len__(self) -> int:
        return len(self.true)

    def where(self, rows: np.ndarray) -> Self:
        """Rows selected by a mask or by numbers."""
        return replace(self, **{each.name: getattr(self, each.name)[rows] for each in fields(self)})

    def with_logits(self, logits: Samples | Array) -> Self:
        """Same trials with probabilities from log-odds (n, classes)."""
        return replace(self, probabilities=softmax(np.asarray(logits, np.float64)))

    def narrowed(self, classes: list[int]) -> Self:
        """Same trials over ``classes`` only, with probabilities rescaled to sum to 1."""
        p = self.probabilities[:, classes]
        total = np.maximum(p.sum(axis=1, keepdims=True), 1e-30)
        return replace(self, true=np.searchsorted(classes, self.true), probabilities=p / total)

    @property
    def blocks(self) -> NDArray[np.int64]:
        """(n,) number of the run: labels are shuffled inside one run of one person."""
        _, people = np.unique(self.subject, return_inverse=True)
        keys = np.stack([people, self.session, self.run], axis=1)
        _, which = np.unique(keys, axis=0, return_inverse=True)
        return which.reshape(-1)

    @property
    def subjects(self) -> list[str]:
        """Pseudonyms in order."""
        return sorted(set(self.subject.tolist()))

    def sessions(self, subject: str) -> list[int]:
        """Session numbers of one subject."""
        return sorted(set(self.session[self.subject == subject].tolist()))

    def predictions(self, trial_s: float | None = None, shuffles: int = SHUFFLES) -> Predictions:
        """Predictions in the form taken by the metrics."""
        return Predictions(self.true, self.probabilities, self.blocks, trial_s, shuffles)


def joined(tables: list[TrialTable]) -> TrialTable:
    """All rows of ``tables``, which have the same classes; at least one."""
    names = [each.name for each in fields(TrialTable)]
    return TrialTable(**{n: np.concatenate([getattr(each, n) for each in tables]) for n in names})


@dataclass(frozen=True)
class EvaluationPart:
    """One evaluation question and its predictions."""

    name: str  # for programs, e.g. "test_sessions"
    title: str  # for people
    how: str  # what was held out, and what the model has seen all the same; sentences
    table: TrialTable
    classes: tuple[str, ...] = ()  # where they are not those of the evaluation
    names_p: float | None = None  # p of the names dealt to the categories anew (``words.py``)


@dataclass(frozen=True)
class Retrieval:
    """Test trials against the captions of the test pictures (``captions.py``)."""

    trials: int
    captions: int  # candidates
    trained: int  # captions that runs of training show too
    figures: Mapping[str, Figure]


@dataclass(frozen=True)
class ControlAnalysis:
    """A negative control: a figure expected at chance, or the reason why it is missing."""

    name: str
    how: str  # what was fed to it
    figure: Figure | None  # balanced accuracy
    reason: str = ""  # why there is no figure


@dataclass(frozen=True)
class Overlap:
    """Test trials whose picture or caption was also shown in training."""

    what: str  # "the same picture, the same person", ...
    n: int  # test trials
    of: int
    seen: Figure | None  # balanced accuracy on these; None where too few
    unseen: Figure | None  # on the others


@dataclass(frozen=True)
class Evaluation:
    """Complete evaluation; its first part supplies the headline."""

    model: str  # what was evaluated, in words
    data: str  # on what, in words
    made: str  # ISO date and time
    classes: tuple[str, ...]
    parts: tuple[EvaluationPart, ...]
    controls: tuple[ControlAnalysis, ...] = ()
    overlaps: tuple[Overlap, ...] = ()
    retrieval: Retrieval | None = None
    refused: tuple[tuple[str, str], ...] = ()  # what was left out, and why
    notes: tuple[str, ...] = ()  # what looks wrong, or has to be known; sentences
    trial_s: float | None = None  # from onset to onset
    simulated: bool = False
    details: Mapping[str, object] | None = None  # of the model, for programs
