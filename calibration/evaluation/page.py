"""The report as one HTML file: no script, nothing loaded from elsewhere, fit to be printed.

Every name that comes from a file is untrusted text and is escaped.
"""

import math
import re
from collections.abc import Sequence
from html import escape

from calibration.evaluation import plots
from calibration.evaluation.figures import (
    ABOVE,
    NOT_ABOVE,
    RETRIEVAL,
    WORDS,
    Measured,
    Row,
    Verdict,
    has_failed,
    is_above,
    said_p,
    shown,
    shown_interval,
    shown_p,
)
from calibration.evaluation.style import STYLE
from calibration.evaluation.values import Evaluation
from rtbci.statistics.predictions import Figure

TONES = {ABOVE: "good", NOT_ABOVE: "doubtful"}  # else "bad"
MOST_CLASSES = 60  # in a confusion matrix; more are only in the JSON
BESIDE = 8  # up to so many classes the confusion matrix leaves room beside it


def page(evaluation: Evaluation, measured: Sequence[Measured], verdict: Verdict) -> str:
    """The whole file; ``measured`` one a part, in order."""
    first = measured[0]
    sections = [
        _heading(evaluation, first, verdict),
        _dots(first),
        _figures(first),
        _errors(evaluation, first),
        _sessions(first),
        *(_other(each) for each in measured[1:]),
        _retrieval(evaluation),
        _controls(evaluation),
        _overlaps(evaluation),
        _limits(evaluation, first),
        _foot(),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(verdict.word.capitalize())}: {escape(evaluation.model)}</title>"
        f"<style>{STYLE}</style></head><body><main>\n"
        + _unbroken("\n".join(each for each in sections if each))
        + "\n</main></body></html>\n"
    )


def _unbroken(text: str) -> str:
    """Numbers stay with their percent sign, and p with its value, when a line is full."""
    text = re.sub(r"(\d) %", r"\1&nbsp;%", text)
    return re.sub(r"\bp (=|&lt;) (\d)", r"p&nbsp;\1&nbsp;\2", text)


def _heading(evaluation: Evaluation, first: Measured, verdict: Verdict) -> str:
    figure, people = first.main, len(first.subjects)
    value = shown("balanced_accuracy", figure.value).replace(" ", "&thinsp;")
    under = "balanced accuracy" + (f", mean of {people} people" if first.many else "")
    trials = first.trials
    intervals = f"{shown_interval(trials.name, trials.interval)} over trials"
    if first.many:
        intervals += f", {shown_interval(figure.name, figure.interval)} over people"
    simulated = ""
    if evaluation.simulated:
        simulated = '\n<p class="dim"><b>Simulated: no brain was measured.</b></p>'
    return f"""<header class="{TONES.get(verdict.word, "bad")}">
<p class="over">rtbci evaluation · {escape(evaluation.made)}</p>
<h1>{escape(evaluation.model)}</h1>
<p class="dim">{escape(evaluation.data)} · {len(evaluation.classes)} classes ·
{_count(people, "person", "people")} · {figure_trials(first)} trials</p>{simulated}
<div class="headline"><div><div class="number">{value}</div>
<div class="under">{under}</div><div class="under">chance {plots.share(figure.chance)}</div></div>
<div class="words"><span class="badge">{escape(verdict.word.capitalize())}</span>
<p class="said">{escape(conclusion(first, verdict))}</p>
<p>{escape(first.part.title)}: {escape(verdict.reason)}.</p>
<p class="dim">95&thinsp;% interval {intervals}</p></div></div></header>"""


def conclusion(first: Measured, verdict: Verdict) -> str:
    """What was found, in words that need no statistics."""
    k, figure = len(first.confusion), first.main
    right = f"about {round(100 * figure.value)} of 100"
    luck = f"guessing gives {round(100 * figure.chance)}"
    if verdict.word == ABOVE:
        return f"The decoder named the right one of {k} classes in {right} trials; {luck}."
    if verdict.word == NOT_ABOVE:
        return f"The decoder was right in {right} trials, which luck alone may give ({luck})."
    return f"{right.capitalize()} trials were right, but not for what the brain did."


def figure_trials(measured: Measured) -> str:
    """Number of trials, as written."""
    return f"{len(measured.part.table):,}"


def _dots(measured: Measured, legend: bool = True) -> str:
    """Accuracy of each person; of each session or run where there is one person only."""
    what, rows = dot_rows(measured)
    chance = measured.main.chance
    marks = (
        '<p class="dim">Lines are 95 % intervals over trials. Filled: above chance (p ≤ 0.01 and '
        "the interval above chance); hollow: not."
        f"{' Diamond: mean, interval and p over people.' if measured.many else ''}</p>"
    )
    return (
        f"<h2>{escape(measured.part.title)}, by {what}</h2><p>{escape(measured.part.how)}</p>"
        f'<div class="figure dots">{plots.dots(rows, chance, "balanced accuracy")}</div>'
        f"{marks if legend else ''}"
    )


def dot_rows(measured: Measured) -> tuple[str, list[plots.Dot]]:
    """What the rows of the plot are, and the rows, the best first."""
    if len(measured.subjects) > 1:
        people = sorted(measured.subjects, key=lambda row: -row.main.value)
        name = "mean of people" if measured.many else "all trials"
        above = measured.above if not measured.many else is_above(measured.main)
        mean = plots.Dot(name, measured.main, above, mean=True, trials=measured.trials.n)
        return "person", [mean, *map(_as_dot, people)]
    if len(measured.sessions) > 1:
        whole = plots.Dot("all sessions", measured.trials, measured.above, mean=True)
        return "session", [whole, *map(_as_dot, measured.sessions)]
    if len(measured.runs) > 1:
        whole = plots.Dot("all runs", measured.trials, measured.above, mean=True)
        return "run", [whole, *map(_as_dot, measured.runs)]
    return "person", [_as_dot(row) for row in measured.subjects]


def _as_dot(row: Row) -> plots.Dot:
    return plots.Dot(row.name, row.main, is_above(row.main))


def _figures(measured: Measured) -> str:
    """Every metric with its interval, chance and p; over people beside over trials."""
    people = measured.many
    head = ["", "value", "95 % interval", "chance", "p"]
    head += ["mean of people", "95 % interval, people"] if people else []
    rows = []
    for name, said in WORDS.items():
        figure = measured.pooled[name]
        if not math.isfinite(figure.value) or (name.startswith("top") and figure.chance > 0.999):
            continue
        row = [said, f"<b>{shown(name, figure.value)}</b>", shown_interval(name, figure.interval)]
        row += [shown(name, figure.chance), escape(shown_p(figure.p))]
        if people:
            mean = measured.people[name]
            row += [shown(name, mean.value), shown_interval(name, mean.interval)]
        rows.append(row)
    k = len(measured.confusion)
    together = ", all people together" if len(measured.subjects) > 1 else ""
    return f"""<h2>All figures</h2><p>n = {figure_trials(measured)} trials{together}.
Chance and p: {measured.trials.null}, predictions untouched. Of the calibration error: what a
perfectly calibrated decoder with the same confidences would show by luck; there a small p means
that confidences are wrong. Log loss is better when lower; its chance is equal probabilities,
ln {k}. Information: bits of Wolpaw's transfer rate.</p>
{_table(head, rows, "wide" if people else "")}"""


def _errors(evaluation: Evaluation, measured: Measured) -> str:
    """What is taken for what, and whether confidences can be believed."""
    k = len(evaluation.classes)
    error = measured.pooled["calibration_error"]
    said = (
        f"Calibration error {shown(error.name, error.value)}; a perfectly calibrated decoder would "
        f"show {shown(error.name, error.chance)} by luck ({escape(said_p(error.p))})."
    )
    diagram = (
        f"<div><h2>How sure, how right</h2><p>{said} Equal numbers of trials in each dot.</p>"
        f'<div class="figure">{plots.reliability(measured.reliability)}</div></div>'
    )
    if k > MOST_CLASSES:
        return diagram
    matrix = (
        "<div><h2>What is taken for what</h2><p>Rows: what was shown. Columns: what was named. "
        f'Percent of a row.</p><div class="figure">'
        f"{plots.confusion(measured.confusion, evaluation.classes)}</div></div>"
    )
    return f'<div class="pair">{matrix}{diagram}</div>' if k <= BESIDE else matrix + diagram


def _sessions(measured: Measured) -> str:
    """Balanced accuracy of each session of each person, where there is more than one session."""
    if len(measured.subjects) == len(measured.sessions) or len(measured.subjects) == 1:
        return ""  # the plot shows them
    numbers = sorted({row.session for row in measured.sessions if row.session is not None})
    found = {(row.subject, row.session): row for row in measured.sessions}
    sizes = sorted({row.main.n for row in measured.sessions})
    rows = [
        [escape(one.subject), *(_cell(found.get((one.subject, n))) for n in numbers)]
        for one in measured.subjects
    ]
    head = ["", *(f"session {n}" for n in numbers)]
    n = f"{sizes[0]:,}" if len(sizes) == 1 else f"{sizes[0]:,} to {sizes[-1]:,}"
    return (
        f"<h3>By session</h3><p>Balanced accuracy, 95 % interval and p over the {n} trials of a "
        f"session; chance {plots.share(measured.trials.chance)}. Bold: above chance.</p>"
        f"{_table(head, rows, 'stack')}"
    )


def _cell(row: Row | None) -> str:
    if row is None:
        return '<span class="dim">–</span>'
    figure = row.main
    value = shown(figure.name, figure.value)
    bold = f"<b>{value}</b>" if is_above(figure) else value
    low, high = figure.interval
    span = f"{100 * low:.1f} to {100 * high:.1f} %"
    return (
        f'{bold}<span class="sub">{span}</span><span class="sub">{escape(said_p(figure.p))}</span>'
    )


def _other(measured: Measured) -> str:
    """A further question: its mean, its people, its sessions."""
    trials = measured.trials
    word = ABOVE if measured.above else NOT_ABOVE
    said = (
        f"<b>{escape(word.capitalize())}</b>: balanced accuracy "
        f"{shown(trials.name, trials.value)} over {trials.n:,} trials "
        f"({shown_interval(trials.name, trials.interval)}), chance {plots.share(trials.chance)}, "
        f"{escape(said_p(trials.p))}"
    )
    if measured.part.names_p is not None:
        said += f"; with the names dealt anew {escape(said_p(measured.part.names_p))}"
    return f"{_dots(measured, legend=False)}<p>{said}.</p>{_sessions(measured)}"


def _retrieval(evaluation: Evaluation) -> str:
    """The picture by its caption, where there is a text head."""
    found = evaluation.retrieval
    if found is None:
        return ""
    rows = []
    for name, said in RETRIEVAL.items():
        figure = found.figures.get(name)
        if figure is not None:
            row = [said, f"<b>{shown(name, figure.value)}</b>"]
            row += [shown_interval(name, figure.interval), f"{figure.n:,}"]
            rows.append([*row, plots.share(figure.chance), escape(shown_p(figure.p))])
    head = ["the right caption is", "of trials", "95 % interval", "n", "chance", "p"]
    return (
        "<h2>Which picture was it?</h2><p>The text head's point for each test trial, held against "
        f"the {found.captions:,} different captions of the test pictures, {found.trained:,} of "
        "which are captions of training runs too. Intervals by resampling pictures, as some are "
        "shown more than once; p by dealing the captions to the pictures anew. What only the "
        "category tells is at chance in the second row.</p>"
        f"{_table(head, rows, 'wide')}"
    )


def _controls(evaluation: Evaluation) -> str:
    """The decoder where there is nothing to decode."""
    if not evaluation.controls:
        return ""
    rows = []
    for control in evaluation.controls:
        row = [f"<b>{escape(control.name)}</b>", escape(control.how)]
        if control.figure is None:
            row += [*"––––", f'<span class="dim">not made: {escape(control.reason)}</span>']
        else:
            failed = has_failed(control, evaluation)
            tone = "fail" if failed else "pass" if math.isfinite(control.figure.p) else "dim"
            word = "✗ above chance" if failed else "✓ at chance"
            if not math.isfinite(control.figure.p):
                word = "what luck gives"  # nothing that could fail
            row += [
                _value(control.figure),
                f"{control.figure.n:,}",
                plots.share(control.figure.chance),
                escape(shown_p(control.figure.p)),
                f'<span class="{tone}">{word}</span>',
            ]
        rows.append(row)
    head = ["", "what the decoder was given", "balanced accuracy", "n", "chance", "p", "found"]
    return (
        "<h2>Controls</h2><p>The same decoder where there is nothing to find. It must stay at "
        f"chance; if not, it lives on something else.</p>{_table(head, rows, 'wide', words=(1, 6))}"
    )


def _overlaps(evaluation: Evaluation) -> str:
    """Pictures and captions on both sides of the split."""
    if not evaluation.overlaps:
        return ""
    rows = []
    for each in evaluation.overlaps:
        sides = (("seen", each.n, each.seen), ("not seen", each.of - each.n, each.unseen))
        for place, (name, n, figure) in enumerate(sides):
            row = ["–", "–", "–"]
            if figure is not None:
                row = [_value(figure), plots.share(figure.chance), escape(shown_p(figure.p))]
            rows.append(["" if place else escape(each.what), name, f"{n:,}", *row])
    head = ["", "in training", "n", "balanced accuracy", "chance", "p"]
    return (
        "<h2>Pictures on both sides</h2><p>A picture that was seen in training may be recognised "
        f"instead of its class.</p>{_table(head, rows, 'wide', words=(1,))}"
    )


def _limits(evaluation: Evaluation, first: Measured) -> str:
    """What the figures are not."""
    items = "".join(f"<li>{escape(each)}</li>" for each in limits(evaluation, first))
    refused = "".join(
        f"<li><b>{escape(what)}</b> {escape(why)}</li>" for what, why in evaluation.refused
    )
    left_out = f"<h2>Left out</h2><ul>{refused}</ul>" if refused else ""
    notes = "".join(f"<li>{escape(each)}</li>" for each in evaluation.notes)
    worth = f"<h2>Worth a look</h2><ul>{notes}</ul>" if notes else ""
    return f"{left_out}{worth}<h2>What these figures are not</h2><ul>{items}</ul>"


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


def _foot() -> str:
    return (
        "<footer><p>Made by rtbci evaluate. The same figures for programs: report.json. Accuracy "
        "above chance is p ≤ 0.01 with the 95 % interval above chance.</p></footer>"
    )


def _value(figure: Figure) -> str:
    span = shown_interval(figure.name, figure.interval)
    return f'{shown(figure.name, figure.value)}<span class="sub">{span}</span>'


def _table(
    head: Sequence[str], rows: Sequence[Sequence[str]], kind: str = "", words: Sequence[int] = ()
) -> str:
    """Cells are HTML; the columns ``words`` hold sentences."""

    def tag(column: int) -> str:
        return ' class="words-cell"' if column in words else ""

    top = "".join(f"<th{tag(i)}>{each}</th>" for i, each in enumerate(head))
    body = "".join(
        "<tr>" + "".join(f"<td{tag(i)}>{each}</td>" for i, each in enumerate(row)) + "</tr>"
        for row in rows
    )
    return (
        f'<div class="table"><table class="{kind}"><thead><tr>{top}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _count(n: int, one: str, many: str) -> str:
    return f"{n} {one if n == 1 else many}"
