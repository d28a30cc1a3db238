"""Tables of an evaluation's report: figures, sessions, captions, controls and overlaps."""

import math

from calibration.evaluation.figures import RETRIEVAL, WORDS, Measured, Row, has_failed, is_above
from calibration.evaluation.values import Evaluation, Retrieval
from rtbci.report.numbers import NONE, said_p, share, shown, shown_interval, shown_p
from rtbci.report.page import ReportTable, TableCell
from rtbci.statistics.predictions import Figure


def figures_table(measured: Measured) -> ReportTable:
    """Every metric with its interval, chance and p; over people beside over trials."""
    people = measured.many
    head = ["", "value", "95 % interval", "chance", "p"]
    head += ["mean of people", "95 % interval, people"] if people else []
    rows: list[list[TableCell | str]] = []
    for name, said in WORDS.items():
        figure = measured.pooled[name]
        if not math.isfinite(figure.value) or (name.startswith("top") and figure.chance > 0.999):
            continue
        row = [said, TableCell(shown(name, figure.value), bold=True)]
        row += [shown_interval(name, figure.interval), shown(name, figure.chance)]
        row.append(shown_p(figure.p))
        if people:
            mean = measured.people[name]
            row += [shown(name, mean.value), shown_interval(name, mean.interval)]
        rows.append(row)
    return ReportTable(head, rows, "wide" if people else "")


def sessions_table(measured: Measured) -> ReportTable | None:
    """Balanced accuracy of each session of each person; None if the plot shows them."""
    if len(measured.subjects) == len(measured.sessions) or len(measured.subjects) == 1:
        return None
    numbers = sorted({row.session for row in measured.sessions if row.session is not None})
    found = {(row.subject, row.session): row for row in measured.sessions}
    rows = [
        [one.subject, *(_session(found.get((one.subject, n))) for n in numbers)]
        for one in measured.subjects
    ]
    return ReportTable(["", *(f"session {n}" for n in numbers)], rows, "stack")


def _session(row: Row | None) -> TableCell:
    if row is None:
        return TableCell(NONE, tone="dim")
    figure = row.main
    below = (shown_interval(figure.name, figure.interval), said_p(figure.p))
    return TableCell(shown(figure.name, figure.value), is_above(figure), below)


def retrieval_table(found: Retrieval) -> ReportTable:
    """The picture by its caption, from the text head's embeddings."""
    rows: list[list[TableCell | str]] = []
    for name, said in RETRIEVAL.items():
        figure = found.figures.get(name)
        if figure is not None:
            row = [said, TableCell(shown(name, figure.value), bold=True)]
            row += [shown_interval(name, figure.interval), f"{figure.n:,}"]
            rows.append([*row, share(figure.chance), shown_p(figure.p)])
    head = ["the right caption is", "of trials", "95 % interval", "n", "chance", "p"]
    return ReportTable(head, rows, "wide")


def controls_table(evaluation: Evaluation) -> ReportTable | None:
    """The decoder where there is nothing to decode; None without controls."""
    rows: list[list[TableCell | str]] = []
    for control in evaluation.controls:
        row: list[TableCell | str] = [TableCell(control.name, bold=True), control.how]
        figure = control.figure
        if figure is None:
            row += [*(NONE * 4), TableCell(f"not made: {control.reason}", tone="dim")]
        else:
            found = TableCell("✓ at chance", tone="pass")
            if has_failed(control, evaluation):
                found = TableCell("✗ above chance", tone="fail")
            elif not math.isfinite(figure.p):
                found = TableCell("what luck gives", tone="dim")  # nothing that could fail
            row += [_value(figure), f"{figure.n:,}", share(figure.chance), shown_p(figure.p), found]
        rows.append(row)
    head = ["", "what the decoder was given", "balanced accuracy", "n", "chance", "p", "found"]
    return ReportTable(head, rows, "wide", (1, 6)) if rows else None


def overlaps_table(evaluation: Evaluation) -> ReportTable | None:
    """Pictures and captions on both sides of the split; None if there are none."""
    rows: list[list[TableCell | str]] = []
    for each in evaluation.overlaps:
        sides = (("seen", each.n, each.seen), ("not seen", each.of - each.n, each.unseen))
        for place, (name, n, figure) in enumerate(sides):
            row: list[TableCell | str] = [NONE] * 3
            if figure is not None:
                row = [_value(figure), share(figure.chance), shown_p(figure.p)]
            rows.append(["" if place else each.what, name, f"{n:,}", *row])
    head = ["", "in training", "n", "balanced accuracy", "chance", "p"]
    return ReportTable(head, rows, "wide", (1,)) if rows else None


def _value(figure: Figure) -> TableCell:
    span = shown_interval(figure.name, figure.interval)
    return TableCell(shown(figure.name, figure.value), below=(span,))
