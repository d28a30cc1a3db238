"""The report of an evaluation as an HTML page: its sentences, and which plots and tables it has.

How a page looks is in ``rtbci/report`` (``templates/evaluation.html``).
"""

import math
from collections.abc import Sequence

from markupsafe import Markup

from calibration.evaluation.figures import Measured, Row, is_above
from calibration.evaluation.tables import (
    controls_table,
    figures_table,
    overlaps_table,
    retrieval_table,
    sessions_table,
)
from calibration.evaluation.values import Evaluation
from rtbci.report import plots
from rtbci.report.numbers import said_p, share, shown, shown_interval
from rtbci.report.page import render
from rtbci.statistics.verdict import ABOVE, NOT_ABOVE, P_WRITTEN, Verdict
from rtbci.terminal import count

TONES = {ABOVE: "good", NOT_ABOVE: "doubtful"}  # else "bad"
MOST_CLASSES = 60  # in a confusion matrix; more are only in the JSON
BESIDE = 8  # up to so many classes the confusion matrix leaves room beside it


def page(evaluation: Evaluation, measured: Sequence[Measured], verdict: Verdict) -> str:
    """The whole file; ``measured`` one a part, in order."""
    first, found = measured[0], evaluation.retrieval
    figure, trials, k = first.main, first.trials, len(evaluation.classes)
    error = first.pooled["calibration_error"]
    people = len(first.subjects)
    intervals = f"{shown_interval(trials.name, trials.interval)} over trials"
    if first.many:
        intervals += f", {shown_interval(figure.name, figure.interval)} over people"
    value = shown("balanced_accuracy", figure.value)
    return render(
        "evaluation.html",
        title=f"{verdict.word.capitalize()}: {evaluation.model}",
        tone=TONES.get(verdict.word, "bad"),
        made=evaluation.made,
        model=evaluation.model,
        data=evaluation.data,
        n_classes=k,
        people=count(people, "person", "people"),
        simulated=evaluation.simulated,
        value=Markup("{}&thinsp;{}").format(*value.split(" ")) if " " in value else value,
        under="balanced accuracy" + (f", mean of {people} people" if first.many else ""),
        verdict=verdict.word.capitalize(),
        conclusion=conclusion(first, verdict),
        reason=verdict.reason,
        intervals=intervals,
        first=part_values(first),
        others=[part_values(each) for each in measured[1:]],
        together=", all people together" if people > 1 else "",
        null=trials.null,
        figures=figures_table(first),
        confusion=drawing(plots.confusion(first.confusion, evaluation.classes))
        if k <= MOST_CLASSES
        else None,
        beside=k <= BESIDE,
        error=shown(error.name, error.value),
        error_chance=shown(error.name, error.chance),
        error_p=said_p(error.p),
        reliability=drawing(plots.reliability(first.reliability)),
        retrieval=retrieval_table(found) if found else None,
        captions=f"{found.captions:,}" if found else "",
        trained=f"{found.trained:,}" if found else "",
        controls=controls_table(evaluation),
        overlaps=overlaps_table(evaluation),
        refused=evaluation.refused,
        notes=evaluation.notes,
        limits=limits(evaluation, first),
        p_limit=P_WRITTEN,
    )


def drawing(svg: str) -> Markup:
    """A plot, which has escaped its own text."""
    return Markup(svg)


def part_values(measured: Measured) -> dict[str, object]:
    """One part's plot over people (sessions, runs) with its sentences."""
    trials, names_p = measured.trials, measured.part.names_p
    rows, dots = dot_rows(measured)
    said = (
        f"balanced accuracy {shown(trials.name, trials.value)} over {trials.n:,} trials "
        f"({shown_interval(trials.name, trials.interval)}), chance {share(trials.chance)}, "
        f"{said_p(trials.p)}"
    )
    sizes = sorted({row.main.n for row in measured.sessions})
    return {
        "title": measured.part.title,
        "how": measured.part.how,
        "rows": rows,
        "dots": drawing(plots.dots(dots, measured.main.chance, "balanced accuracy")),
        "many": measured.many,
        "k": len(measured.confusion),
        "trials": f"{len(measured.part.table):,}",
        "chance": share(trials.chance),
        "main_chance": share(measured.main.chance),
        "verdict": (ABOVE if measured.above else NOT_ABOVE).capitalize(),
        "said": said if names_p is None else f"{said}; with the names dealt anew {said_p(names_p)}",
        "sessions": sessions_table(measured),
        "session_trials": " to ".join(f"{n:,}" for n in dict.fromkeys((sizes[0], sizes[-1]))),
    }


def conclusion(first: Measured, verdict: Verdict) -> str:
    """The result in words that need no statistics."""
    k, figure = len(first.confusion), first.main
    right = f"about {round(100 * figure.value)} of 100"
    luck = f"guessing gives {round(100 * figure.chance)}"
    if verdict.word == ABOVE:
        return f"The decoder named the right one of {k} classes in {right} trials; {luck}."
    if verdict.word == NOT_ABOVE:
        return f"The decoder was right in {right} trials, which luck alone may give ({luck})."
    return f"{right.capitalize()} trials were right, but not for what the brain did."


def dot_rows(measured: Measured) -> tuple[str, list[plots.Dot]]:
    """Kind of the plot's rows (person, session or run), and the rows, the best first."""
    if len(measured.subjects) > 1:
        people = sorted(measured.subjects, key=lambda row: -row.main.value)
        name = "mean of people" if measured.many else "all trials"
        above = measured.above if not measured.many else is_above(measured.main)
        mean = plots.Dot(name, measured.main, above, mean=True, trials=measured.trials.n)
        return "person", [mean, *map(_as_dot, people)]
    for kind, rows in (("session", measured.sessions), ("run", measured.runs)):
        if len(rows) > 1:
            whole = plots.Dot(f"all {kind}s", measured.trials, measured.above, mean=True)
            return kind, [whole, *map(_as_dot, rows)]
    return "person", [_as_dot(row) for row in measured.subjects]


def _as_dot(row: Row) -> plots.Dot:
    return plots.Dot(row.name, row.main, is_above(row.main))


def limits(evaluation: Evaluation, first: Measured) -> list[str]:
    """Sentences that belong beside every figure."""
    k = len(evaluation.classes)
    said = [
        f"Not mind reading: one of {k} known classes was shown, and the decoder chose among these.",
        "Not a promise for another day, another cap or another paradigm: each moves the figures.",
    ]
    if evaluation.simulated:
        said.insert(0, "Not about people: the data were simulated, and no brain was measured.")
    if first.many:
        said.append(
            "p over all trials speaks of these people; what to expect of the next person is the "
            "interval over people."
        )
    else:
        number = "one person was" if len(first.subjects) == 1 else "two people were"
        said.append(f"Not about people in general: {number} measured.")
    if math.isfinite(first.pooled["itr_bits_per_minute"].value):
        said.append(
            f"Bits per minute count {evaluation.trial_s:.3g} s from onset to onset and ideal "
            "coding; nobody types at that rate."
        )
    said.append(
        "Intervals over trials take trials as independent; slow changes of state make them a "
        "little too short. The p-value does not: labels are shuffled within runs."
    )
    return said
