"""Machine-readable report of an evaluation, and writing of both reports; never overwrites."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from calibration.evaluation.figures import (
    Measured,
    Row,
    Verdict,
    has_failed,
    measure_part,
    verdict,
)
from calibration.evaluation.page import limits, page
from calibration.evaluation.values import ControlAnalysis, Evaluation, Retrieval
from rtbci.errors import BadInput
from rtbci.messages import line, result_kind
from rtbci.statistics.predictions import Figure

MOST_FOLDERS = 999


@dataclass(frozen=True)
class Report:
    """An evaluation with its figures and its verdict."""

    evaluation: Evaluation
    measured: tuple[Measured, ...]  # one a part
    verdict: Verdict

    def values(self) -> dict[str, object]:
        """The report as a JSON object."""
        return document(self.evaluation, self.measured, self.verdict)

    def html(self) -> str:
        """The report as an HTML page."""
        return page(self.evaluation, self.measured, self.verdict)


def report(evaluation: Evaluation) -> Report:
    """Report with all figures computed."""
    measured = tuple(measure_part(part, evaluation.trial_s) for part in evaluation.parts)
    return Report(evaluation, measured, verdict(evaluation, measured[0]))


def document(
    evaluation: Evaluation, measured: Sequence[Measured], said: Verdict
) -> dict[str, object]:
    """The object that ``--json`` prints and ``report.json`` holds. Keys:

    event, verdict, reason, balanced_accuracy and its balanced_accuracy_ci95 and chance (mean of
    people; of one or two people over trials), p_value and n (over trials), subjects, model, data,
    simulated, made, classes, trial_s (onset to onset), parts (name, title, how, classes, n,
    above_chance, names_p of a zero-shot part, figures over trials, over_subjects, then the same
    figures of subjects, sessions, runs; confusion, reliability), retrieval (null without a text
    head; trials, captions: how many candidates, trained: how many of them runs of training show
    too, figures), controls, overlaps, refused, notes, not (what the figures are not), details. A
    figure is name, value, n, interval (95 %), chance, p, null and interval_by (how made).
    """
    main = measured[0].main
    return {
        **result_kind("evaluated"),
        "verdict": said.word,
        "reason": said.reason,
        "balanced_accuracy": main.value,
        "balanced_accuracy_ci95": list(main.interval),
        "chance": main.chance,
        "p_value": measured[0].trials.p,
        "n": measured[0].trials.n,
        "subjects": len(measured[0].subjects),
        "model": evaluation.model,
        "data": evaluation.data,
        "simulated": evaluation.simulated,
        "made": evaluation.made,
        "classes": list(evaluation.classes),
        "trial_s": evaluation.trial_s,
        "parts": [_part(each, evaluation.classes) for each in measured],
        "retrieval": _retrieval(evaluation.retrieval),
        "controls": [_control(each, evaluation) for each in evaluation.controls],
        "overlaps": [
            {
                "what": each.what,
                "n": each.n,
                "of": each.of,
                "seen": _figure(each.seen),
                "unseen": _figure(each.unseen),
            }
            for each in evaluation.overlaps
        ],
        "refused": [{"what": what, "reason": why} for what, why in evaluation.refused],
        "notes": list(evaluation.notes),
        "not": limits(evaluation, measured[0]),
        "details": evaluation.details or {},
    }


def _retrieval(found: Retrieval | None) -> dict[str, object] | None:
    if found is None:
        return None
    counts = {"trials": found.trials, "captions": found.captions, "trained": found.trained}
    return {**counts, "figures": _figures(found.figures)}


def _part(measured: Measured, classes: Sequence[str]) -> dict[str, object]:
    return {
        "name": measured.part.name,
        "title": measured.part.title,
        "how": measured.part.how,
        "classes": list(measured.part.classes or classes),
        "n": len(measured.part.table),
        "above_chance": measured.above,
        "names_p": measured.part.names_p,
        "figures": _figures(measured.pooled),
        "over_subjects": _figures(measured.people),
        "subjects": [_row(row) for row in measured.subjects],
        "sessions": [_row(row) for row in measured.sessions],
        "runs": [_row(row) for row in measured.runs],
        "confusion": measured.confusion.astype(int).tolist(),
        "reliability": [asdict(each) for each in measured.reliability],
    }


def _row(row: Row) -> dict[str, object]:
    where = {"subject": row.subject, "session": row.session, "run": row.run}
    there = {name: value for name, value in where.items() if value is not None}
    return there | {"n": row.main.n, "figures": _figures(row.figures)}


def _control(control: ControlAnalysis, evaluation: Evaluation) -> dict[str, object]:
    return {
        "name": control.name,
        "how": control.how,
        "figure": _figure(control.figure),
        "failed": has_failed(control, evaluation),
        "reason": control.reason,
    }


def _figures(figures: Mapping[str, Figure]) -> dict[str, object]:
    return {name: _figure(figure) for name, figure in figures.items()}


def _figure(figure: Figure | None) -> dict[str, object] | None:
    return None if figure is None else asdict(figure)


def write(folder: Path, found: Report) -> Path:
    """Write ``report.html`` and ``report.json`` to ``folder``, or ``folder-02`` if it has some.

    Returns the folder. Raises ``BadInput`` where it cannot be written.
    """
    html, values = found.html(), found.values()
    try:
        for number in range(1, MOST_FOLDERS + 1):
            target = folder if number == 1 else folder.with_name(f"{folder.name}-{number:02d}")
            if any((target / name).exists() for name in ("report.html", "report.json")):
                continue
            target.mkdir(parents=True, exist_ok=True)
            text = json.dumps(json.loads(line(values)), indent=1, ensure_ascii=False)
            with open(target / "report.json", "x", encoding="utf-8") as file:
                file.write(text + "\n")
            with open(target / "report.html", "x", encoding="utf-8") as file:
                file.write(html)
            return target
    except FileExistsError as error:
        raise BadInput(f"{error.filename} appeared meanwhile; run again") from error
    except OSError as error:
        raise BadInput(
            f"cannot write the report to {folder}: {error.strerror or error}; "
            "name another folder with --out"
        ) from error
    raise BadInput(f"{folder} and {MOST_FOLDERS - 1} numbered ones hold reports; remove some")
