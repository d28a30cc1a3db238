"""One PNG of a session that people would rather look at than read a table.

Above: every event in time, its true class (grey bar) and the decoded one (a dot if right, a cross
if wrong). Below: how well the classes separate, the confusion matrix, and the figures with their
intervals and chance. Names are untrusted text and are drawn as they
are. The panels are in ``rtbci.report.session_panels``.
"""

import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rtbci.errors import BadInput
from rtbci.foreign_text import clean
from rtbci.report import session_panels
from rtbci.report.numbers import permutation_p, share
from rtbci.report.session_panels import (
    DPI,
    GREY,
    INK,
    PAPER,
    RIGHT,
    SIZE,
    WARNING,
    DecisionArrays,
)
from rtbci.statistics import verdict as rule
from rtbci.statistics.scores import Scores
from rtbci.statistics.verdict import Verdict
from rtbci.types import Decision

if TYPE_CHECKING:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

NAME_CHARS = 14  # a longer name of a class is cut
TITLE_CHARS, WHY_CHARS, REASON_CHARS = 60, 84, 34
NEW_FILE_S = 10.0  # an onset that steps back further begins another recording
TOP = 0.372  # of the panels below the timeline, as a share of the height
FONTS = (
    "DejaVu Sans", "Noto Sans", "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans CJK KR",
    "Source Han Sans SC", "WenQuanYi Zen Hei", "Microsoft YaHei", "PingFang SC", "Malgun Gothic",
    "Hiragino Sans", "Arial Unicode MS", "Noto Sans Symbols 2", "Noto Emoji", "FreeSans",
)  # fmt: skip
STYLE: dict[Any, Any] = {
    "font.size": 9.5, "text.parse_math": False, "text.usetex": False, "text.color": INK,
    "axes.edgecolor": GREY, "axes.labelcolor": GREY, "axes.linewidth": 0.8, "axes.facecolor": PAPER,
    "axes.spines.top": False, "axes.spines.right": False, "axes.titlelocation": "left",
    "axes.titleweight": "bold", "axes.titlesize": 11, "axes.titlepad": 10, "axes.labelsize": 9,
    "axes.grid": False, "xtick.color": GREY, "ytick.color": GREY, "xtick.labelsize": 9,
    "ytick.labelsize": 9, "xtick.major.size": 3, "ytick.major.size": 3, "figure.facecolor": PAPER,
    "savefig.bbox": None, "savefig.facecolor": "auto", "legend.frameon": False,
}  # fmt: skip


def session_picture(
    path: str | Path,
    decisions: Sequence[Decision],
    scores: Scores | None,
    title: str,
    classes: Sequence[str],
    verdict: Verdict | None = None,
) -> None:
    """Write the picture of ``decisions`` to ``path`` (PNG, 1280 x 800, overwritten).

    ``classes`` in the decoder's order; ``scores`` None if nothing could be scored. Recordings
    whose onsets start again are drawn one after the other. Raises ``BadInput`` if the file
    cannot be written. ``verdict`` matters if it was refused: figures of trials that the decoder
    was trained on are not a test.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    fonts = Fonts()
    session = arrange(decisions, classes, fonts)
    with matplotlib.rc_context({**STYLE, "font.family": fonts.families}):
        figure = Figure(figsize=SIZE, dpi=DPI)
        canvas = FigureCanvasAgg(figure)
        word, why = headline(decisions, scores, verdict)
        _heading(
            canvas,
            session,
            scores,
            (fonts.fit(title, TITLE_CHARS), word, fonts.fit(why, WHY_CHARS)),
        )
        session_panels.timeline(figure.add_axes((0.1, 0.475, 0.875, 0.325)), session)
        session_panels.separation(
            figure.add_axes((0.1, 0.095, 0.205, TOP - 0.095)), session, scores
        )
        session_panels.confusion(figure, (0.43, 0.2, TOP), session)
        session_panels.figures(figure.add_axes((0.735, 0.175, 0.24, TOP - 0.175)), session, scores)
        drawn = io.BytesIO()
        canvas.print_png(drawn)
    try:
        Path(path).write_bytes(drawn.getvalue())
    except OSError as error:
        raise BadInput(
            f"cannot write the picture {path} ({error.strerror}); name another place"
        ) from error


def headline(
    decisions: Sequence[Decision], scores: Scores | None, verdict: Verdict | None = None
) -> tuple[str, str]:
    """The result of the session in a few words, and the reason."""
    n, decided = len(decisions), sum(each.label is not None for each in decisions)
    if n == 0:
        return "No events", "nothing here was to be decoded; check the markers and --labels"
    if decided == 0:
        counts = Counter(each.rejected or "no decision" for each in decisions).most_common(2)
        why = ", ".join(f"{reason} ({count})" for reason, count in counts)
        return "Nothing decoded", f"{n} events: {why}"
    if scores is None:
        return "Not scored", f"{decided} of {n} events decoded; what was shown is not known"
    p, low = permutation_p(scores.p_value, scores.permutations), scores.balanced_accuracy_ci95[0]
    above = rule.is_above(scores.p_value, low, scores.chance)
    if verdict is not None and above and not verdict.above_chance:
        return "No test", verdict.reason
    if not rule.is_significant(scores.p_value):
        more = "; more trials would tell" if rule.is_suggestive(scores.p_value) else ""
        return "Not above chance", f"{p}, {scores.n} trials{more}"
    if not above:
        return "Barely above chance", f"{p}, but the interval reaches down to chance"
    few = "; too few to rely on" if rule.is_few(scores.n) else ""
    return "Above chance", f"{p}, {scores.n} trials{few}"


class Fonts:
    """Those of ``FONTS`` that are installed, and the text that they can draw."""

    def __init__(self) -> None:
        from matplotlib.font_manager import FontProperties, findfont, fontManager
        from matplotlib.ft2font import FT2Font

        installed = {entry.name for entry in fontManager.ttflist}
        self.families = [name for name in FONTS if name in installed]
        self._known: set[int] = set()
        for name in self.families:
            faces = [  # titles are bold, and bold faces hold fewer characters
                set(FT2Font(findfont(FontProperties(family=name, weight=weight))).get_charmap())
                for weight in ("normal", "bold")
            ]
            self._known |= faces[0] & faces[1]

    def fit(self, text: str, limit: int) -> str:
        """``text`` on one line, cut to ``limit``, a box for each character that no font has."""
        text = clean(text)
        text = text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
        return "".join(c if ord(c) in self._known else "□" for c in text)


def arrange(decisions: Sequence[Decision], classes: Sequence[str], fonts: Fonts) -> DecisionArrays:
    """``decisions`` as arrays, with every text fit to be drawn; equal names are numbered."""
    names: list[str] = []
    for name in classes:
        drawn = fonts.fit(name, NAME_CHARS) or "(no name)"
        names.append(drawn if drawn not in names else f"{drawn} {len(names) + 1}")
    times, starts, shift, last = list[float](), list[float](), 0.0, 0.0
    for each in decisions:
        if each.onset + shift < last - NEW_FILE_S:
            shift = last + NEW_FILE_S / 2
            starts.append(shift)
        times.append(each.onset + shift)
        last = max(last, times[-1])
    where = {name: k for k, name in enumerate(classes)}
    probabilities = np.full((len(decisions), len(classes)), np.nan)
    for row, each in zip(probabilities, decisions, strict=True):
        if each.label is not None:
            row[:] = [each.probabilities.get(name, 0.0) for name in classes]
    return DecisionArrays(
        names=names,
        times=np.array(times, float),
        starts=starts,
        true=np.array([where.get(each.true or "", -1) for each in decisions], np.int64),
        said=np.array([where.get(each.label or "", -1) for each in decisions], np.int64),
        probabilities=probabilities,
        why=[fonts.fit(each.rejected or "no decision", REASON_CHARS) for each in decisions],
        large=sum("amplitude" in each.flags for each in decisions),
    )


def _heading(
    canvas: "FigureCanvasAgg",
    session: DecisionArrays,
    scores: Scores | None,
    words: tuple[str, str, str],
) -> None:
    """Title, verdict and reason on the left, the one figure to remember on the right."""
    figure, (title, verdict, why) = canvas.figure, words
    colour = GREY if scores is None else RIGHT if verdict == "Above chance" else WARNING
    badge = {"boxstyle": "round,pad=0.45", "facecolor": colour, "edgecolor": colour}
    line = 0.888
    figure.text(0.03, 0.945, title, size=17, weight="bold", va="center")
    box = figure.text(
        0.037, line, verdict, size=12, weight="bold", color=PAPER, bbox=badge, va="center"
    )
    beside = box.get_window_extent(canvas.get_renderer()).x1 / (SIZE[0] * DPI) + 0.018
    figure.text(beside, line, why, size=11, color=GREY, va="center")
    decided, n = int((session.said >= 0).sum()), len(session.said)
    value, what = f"{decided} / {n}", "events decoded"
    if scores is not None:
        value = f"{100 * scores.balanced_accuracy:.0f} %"
        what = f"balanced accuracy; chance {share(scores.chance)}"
    if n:
        figure.text(
            0.975, 0.94, value, size=27, weight="bold", ha="right", color=colour, va="center"
        )
        figure.text(0.975, line, what, size=10, ha="right", color=GREY, va="center")
