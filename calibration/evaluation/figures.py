"""From predictions to figures, and from figures to a verdict that a person can read.

The verdict speaks of the people who were measured: p of balanced accuracy, labels shuffled within
runs, and its interval over trials. The mean over people and its interval say what to expect of
the next person. A control that is above chance overrules both.
"""

from dataclasses import dataclass

import numpy as np

from calibration.evaluation.values import (
    ControlAnalysis,
    Evaluation,
    EvaluationPart,
    Overlap,
    TrialTable,
)
from rtbci.report.numbers import said_p
from rtbci.report.plots import Bin
from rtbci.statistics import verdict as rule
from rtbci.statistics.metrics import (
    FEWEST_PEOPLE,
    balanced_accuracy,
    bin_edges,
    measure,
    over_subjects,
)
from rtbci.statistics.predictions import Figure
from rtbci.statistics.scores import wilson
from rtbci.statistics.verdict import ABOVE, FAILED, NOT_ABOVE, Verdict, is_significant
from rtbci.types import Array

FEWEST = 20  # trials, below which a figure of seen pictures would say nothing
WORDS = {  # what the figures are called in print
    "accuracy": "Accuracy (top-1)",
    "balanced_accuracy": "Balanced accuracy",
    "top_3": "Top-3 accuracy",
    "top_5": "Top-5 accuracy",
    "macro_f1": "F1, mean over classes",
    "kappa": "Cohen's kappa",
    "itr_bits_per_trial": "Information, bits per trial",
    "itr_bits_per_minute": "Information, bits per minute",
    "log_loss": "Log loss, nats",
    "calibration_error": "Calibration error",
}
RETRIEVAL = {
    "two_way": "Nearer than the caption of one other picture",
    "two_way_same_category": "Likewise, the other of the same category",
    "ten_way": "Nearest of ten captions",
    "caption_top_1": "Nearest of all captions",
    "caption_top_5": "Among the five nearest of all",
}


@dataclass(frozen=True)
class Row:
    """Figures of one person, of one session of one person, or of one run (None: all)."""

    subject: str
    session: int | None
    run: int | None
    figures: dict[str, Figure]

    @property
    def name(self) -> str:
        """As it is written beside a dot."""
        if self.run is not None:
            return f"session {self.session}, run {self.run}"
        return self.subject if self.session is None else f"session {self.session}"

    @property
    def main(self) -> Figure:
        """Balanced accuracy, which all verdicts speak of."""
        return self.figures["balanced_accuracy"]


@dataclass(frozen=True)
class Measured:
    """All figures of one part."""

    part: EvaluationPart
    pooled: dict[str, Figure]  # over all trials
    people: dict[str, Figure]  # mean over people
    subjects: tuple[Row, ...]
    sessions: tuple[Row, ...]
    runs: tuple[Row, ...]  # of one person; of many nobody reads them
    confusion: Array  # (classes, classes) trials, true class a row
    reliability: tuple[Bin, ...]

    @property
    def main(self) -> Figure:
        """Balanced accuracy: the mean over people, or of one or two people over their trials."""
        return self.people["balanced_accuracy"] if self.many else self.trials

    @property
    def many(self) -> bool:
        """Are there people enough to speak of people?"""
        return len(self.subjects) >= FEWEST_PEOPLE

    @property
    def trials(self) -> Figure:
        """Balanced accuracy over all trials."""
        return self.pooled["balanced_accuracy"]

    @property
    def above(self) -> bool:
        """Is it above chance by the rule of the house?"""
        names_p = self.part.names_p
        return is_above(self.trials) and (names_p is None or is_significant(names_p))


def measure_part(part: EvaluationPart, trial_s: float | None) -> Measured:
    """Every figure of a part: pooled, over people, per person, per session of a person."""
    table = part.table
    pooled = table.predictions(trial_s)
    subjects = [_row(table, trial_s, subject) for subject in table.subjects]
    sessions = [
        _row(table, trial_s, subject, session)
        for subject in table.subjects
        for session in table.sessions(subject)
    ]
    runs = sorted(set(zip(table.session.tolist(), table.run.tolist(), strict=True)))
    found = measure(pooled)
    return Measured(
        part=part,
        pooled=found,
        people={name: over_subjects([row.figures[name] for row in subjects]) for name in found},
        subjects=tuple(subjects),
        sessions=tuple(sessions),
        runs=tuple(_row(table, trial_s, table.subjects[0], *run) for run in runs)
        if len(subjects) == 1
        else (),
        confusion=pooled.table,
        reliability=bins(table),
    )


def _row(
    table: TrialTable,
    trial_s: float | None,
    subject: str,
    session: int | None = None,
    run: int | None = None,
) -> Row:
    rows = table.subject == subject
    for values, wanted in ((table.session, session), (table.run, run)):
        if wanted is not None:
            rows = rows & (values == wanted)
    return Row(subject, session, run, measure(table.where(rows).predictions(trial_s)))


def bins(table: TrialTable) -> tuple[Bin, ...]:
    """Confidence against the share that was right, in bins of equal numbers of trials."""
    confidence = table.probabilities.max(axis=1)
    order = np.argsort(confidence, kind="stable")
    right = (table.probabilities.argmax(axis=1) == table.true)[order]
    found = []
    for members in np.split(np.arange(len(table)), bin_edges(len(table))[1:]):
        hits, n = int(right[members].sum()), len(members)
        mean = float(confidence[order][members].mean())
        found.append(Bin(mean, hits / n, wilson(hits, n), n))
    return tuple(found)


def is_above(figure: Figure, tests: int = 1) -> bool:
    """Whether a figure is above chance, if ``tests`` such figures were looked at."""
    return rule.is_above(figure.p, figure.interval[0], figure.chance, tests)


def has_failed(control: ControlAnalysis, evaluation: Evaluation) -> bool:
    """Is a control above chance? p is held against the number of controls that were made."""
    made = sum(each.figure is not None for each in evaluation.controls)
    figure = control.figure
    return figure is not None and is_above(figure, max(1, made))


def verdict(evaluation: Evaluation, first: Measured) -> Verdict:
    """The headline of an evaluation, from its first part and its controls."""
    failed = [each.name for each in evaluation.controls if has_failed(each, evaluation)]
    figure = first.trials
    found = f"{said_p(figure.p)}, {figure.n:,} trials"
    if failed:
        return Verdict(
            FAILED,
            f"the decoder finds the class where there is none ({', '.join(failed)}), so that its "
            "other figures say nothing about the brain",
            False,
        )
    if not is_above(figure):
        down = ", but the interval reaches down to chance" if is_significant(figure.p) else ""
        return Verdict(NOT_ABOVE, f"{found}{down}{_who(first)}", False)
    few = "; too few to rely on" if rule.is_few(figure.n) else ""
    return Verdict(ABOVE, found + few + _who(first) + _next(first), True)


def _who(measured: Measured) -> str:
    """How many of the people are above chance each for themselves."""
    m = len(measured.subjects)
    if m == 1:
        return ""
    above = sum(is_above(row.main) for row in measured.subjects)
    return f"; {above} of {m} people above chance alone"


def _next(measured: Measured) -> str:
    """Remark if the people measured are too few or too unlike to speak of others."""
    if not measured.many or is_above(measured.main):
        return ""
    return "; too few or too different to tell what the next person will show"


def overlap(what: str, table: TrialTable, seen: np.ndarray) -> Overlap:
    """Trials of ``table`` that are ``seen`` (n,) bool in training too, and what they change."""

    def figure(rows: np.ndarray) -> Figure | None:
        if rows.sum() < FEWEST or len(np.unique(table.true[rows])) < 2:
            return None
        return balanced_accuracy(table.where(rows).predictions())

    return Overlap(what, int(seen.sum()), len(table), figure(seen), figure(~seen))
