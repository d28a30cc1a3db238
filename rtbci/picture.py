"""One PNG of a session that people would rather look at than read a table.

Above: every event in time, what was shown (grey bar) and what was decoded (a dot where it was
right, a cross where it was wrong). Below: how well the classes come apart, what was taken for what,
and the figures with their intervals beside chance. Blue is right and orange is wrong, in shape as
well as in colour (Okabe and Ito 2008). Names are untrusted text and are drawn as they are.
"""

import io
import textwrap
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rtbci.errors import BadInput
from rtbci.formats.source import clean
from rtbci.stats import CAUTION_P, FEWEST_FOR_GO, GO_P, Scores
from rtbci.types import Array, Decision

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg

SIZE, DPI = (12.8, 8.0), 100  # inches; 1280 x 800 pixels
INK, GREY, BAR, PALE, PAPER = "#1a1a1a", "#5a6068", "#c3c9d0", "#eceff2", "#ffffff"
RIGHT, WRONG, UNSAID = "#0072b2", "#d55e00", "#7a5195"  # blue, vermilion, purple
NAME_CHARS = 14  # a longer name is cut
FEW = 8  # up to so many classes there is room for height and for words
NEW_FILE_S = 10.0  # an onset that steps back further begins another recording
STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600)  # between marks of time
FONTS = (
    "DejaVu Sans", "Noto Sans", "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans CJK KR",
    "Source Han Sans SC", "WenQuanYi Zen Hei", "Microsoft YaHei", "PingFang SC", "Malgun Gothic",
    "Hiragino Sans", "Arial Unicode MS", "Noto Sans Symbols 2", "Noto Emoji", "FreeSans",
)  # fmt: skip
STYLE = {
    "font.size": 9.5, "text.parse_math": False, "text.usetex": False, "text.color": INK,
    "axes.edgecolor": GREY, "axes.labelcolor": GREY, "axes.linewidth": 0.8, "axes.facecolor": PAPER,
    "axes.spines.top": False, "axes.spines.right": False, "axes.titlelocation": "left",
    "axes.titleweight": "bold", "axes.titlesize": 11, "axes.titlepad": 10, "axes.labelsize": 9,
    "xtick.color": GREY, "ytick.color": GREY, "xtick.labelsize": 9, "ytick.labelsize": 9,
    "xtick.major.size": 3, "ytick.major.size": 3, "figure.facecolor": PAPER,
    "savefig.bbox": None, "savefig.facecolor": "auto", "legend.frameon": False,
}  # fmt: skip


def session_picture(
    path: str | Path,
    decisions: Sequence[Decision],
    scores: Scores | None,
    title: str,
    classes: Sequence[str],
) -> None:
    """Write the picture of ``decisions`` to ``path`` (PNG, 1280 x 800, overwritten).

    ``classes`` in the decoder's order; ``scores`` None where nothing could be scored. Raises
    ``BadInput`` where the file cannot be written.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    fonts = _Fonts()
    session = _session(list(decisions), list(classes), fonts)
    with matplotlib.rc_context({**STYLE, "font.family": fonts.families}):
        figure = Figure(figsize=SIZE, dpi=DPI)
        _heading(FigureCanvasAgg(figure), session, scores, fonts, title)
        _timeline(figure.add_axes((0.1, 0.475, 0.875, 0.325)), session, fonts)
        few = len(session.names) <= FEW
        _separation(figure.add_axes((0.1, 0.09, 0.2, 0.27)), session, scores)
        _confusion(
            figure.add_axes((0.42, 0.09 if few else 0.08, 0.22, 0.27 if few else 0.3)), session
        )
        _figures(figure.add_axes((0.735, 0.09, 0.24, 0.27)), session, scores)
        drawn = io.BytesIO()
        figure.savefig(drawn, format="png", dpi=DPI)
    try:
        Path(path).write_bytes(drawn.getvalue())
    except OSError as error:
        raise BadInput(
            f"cannot write the picture {path} ({error.strerror}); name another place"
        ) from error


def headline(decisions: Sequence[Decision], scores: Scores | None) -> tuple[str, str]:
    """What the session showed, in a few words, and why."""
    n, decided = len(decisions), sum(each.label is not None for each in decisions)
    if n == 0:
        return "No events", "nothing here was to be decoded; check the markers and --labels"
    if decided == 0:
        counts = Counter(each.rejected or "no decision" for each in decisions).most_common(2)
        why = ", ".join(f"{reason} ({count})" for reason, count in counts)
        return "Nothing decoded", f"none of {n} events; {why}"
    if scores is None:
        return "Not scored", f"{decided} of {n} events decoded, too little is known of the truth"
    p = _p(scores)
    if scores.p_value > GO_P:
        more = "; more trials would tell" if scores.p_value <= CAUTION_P else ""
        return "Not above chance", f"{p}, {scores.n} trials{more}"
    if scores.balanced_accuracy_ci95[0] <= scores.chance:
        return "Barely above chance", f"{p}, but the interval reaches down to chance"
    few = "; too few to rely on" if scores.n < FEWEST_FOR_GO else ""
    return "Above chance", f"{p}, {scores.n} trials{few}"


def _p(scores: Scores) -> str:
    """The permutation p, never smaller than the permutations can tell."""
    least = 1 / (1 + scores.permutations)
    return f"p < {2 * least:.2g}" if scores.p_value < 1.5 * least else f"p = {scores.p_value:.2g}"


class _Fonts:
    """Those of ``FONTS`` that are installed, and the text that they can draw."""

    def __init__(self) -> None:
        from matplotlib.font_manager import FontProperties, findfont, fontManager
        from matplotlib.ft2font import FT2Font

        installed = {entry.name for entry in fontManager.ttflist}
        self.families = [name for name in FONTS if name in installed]
        self._known: set[int] = set()
        for name in self.families:
            both = [  # titles are bold, and bold faces hold fewer characters
                set(FT2Font(findfont(FontProperties(family=name, weight=weight))).get_charmap())
                for weight in ("normal", "bold")
            ]
            self._known |= both[0] & both[1]

    def fit(self, text: str, limit: int = NAME_CHARS) -> str:
        """``text`` on one line, cut to ``limit``, a box for each character that no font has."""
        text = clean(text)
        text = text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
        return "".join(c if ord(c) in self._known else "□" for c in text)


@dataclass(frozen=True)
class _Session:
    """Decisions as arrays, in the order in which they came; class indices, -1 for none."""

    decisions: list[Decision]
    names: list[str]  # of the classes, fit to be drawn
    times: Array  # (n,) s since the start, recordings one behind the other
    starts: list[float]  # of the second and later recordings, s
    true: NDArray[np.int64]
    said: NDArray[np.int64]
    probabilities: Array  # (n, classes), NaN where nothing was decoded

    @cached_property
    def scored(self) -> NDArray[np.bool_]:
        """(n,) decoded, and the truth is known."""
        return (self.true >= 0) & (self.said >= 0)

    @cached_property
    def right(self) -> NDArray[np.bool_]:
        """(n,) decoded as what was shown."""
        return self.scored & (self.true == self.said)


def _session(decisions: list[Decision], classes: list[str], fonts: _Fonts) -> _Session:
    names: list[str] = []
    for name in classes:
        drawn = fonts.fit(name) or "(no name)"
        names.append(drawn if drawn not in names else f"{drawn} {len(names) + 1}")
    times, starts, shift, last = [], list[float](), 0.0, 0.0
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
    return _Session(
        decisions=decisions,
        names=names,
        times=np.array(times, float),
        starts=starts,
        true=np.array([where.get(each.true or "", -1) for each in decisions], np.int64),
        said=np.array([where.get(each.label or "", -1) for each in decisions], np.int64),
        probabilities=probabilities,
    )


def _heading(
    canvas: "FigureCanvasAgg", session: _Session, scores: Scores | None, fonts: _Fonts, title: str
) -> None:
    figure = canvas.figure
    verdict, why = headline(session.decisions, scores)
    above = verdict.startswith("Above")
    colour = RIGHT if above else GREY if scores is None else WRONG
    figure.text(0.03, 0.945, fonts.fit(title, 70), size=17, weight="bold", va="center")
    n, decided = len(session.decisions), int((session.said >= 0).sum())
    badge = {"boxstyle": "round,pad=0.45", "facecolor": colour, "edgecolor": colour}
    box = figure.text(
        0.037, 0.888, verdict, size=12, weight="bold", color=PAPER, va="center", bbox=badge
    )
    beside = box.get_window_extent(canvas.get_renderer()).x1 / (SIZE[0] * DPI) + 0.018
    figure.text(beside, 0.888, fonts.fit(why, 84), size=11, color=GREY, va="center")
    if scores is not None:
        value = f"{100 * scores.balanced_accuracy:.0f} %"
        figure.text(
            0.975, 0.937, value, size=27, weight="bold", ha="right", va="center", color=colour
        )
        what = f"balanced accuracy; chance {_percent(scores.chance)}"
        figure.text(0.975, 0.888, what, size=10, ha="right", va="center", color=GREY)
    elif n:
        figure.text(0.975, 0.937, f"{decided} / {n}", size=27, weight="bold", ha="right", va="center",
                    color=GREY)  # fmt: skip
        figure.text(0.975, 0.888, "events decoded", size=10, ha="right", va="center", color=GREY)


def _timeline(axes: "Axes", session: _Session, fonts: _Fonts) -> None:
    k, n = len(session.names), len(session.decisions)
    rejected = session.said < 0
    floor = -max(1.0, 0.08 * k) if rejected.any() else 0.0  # a lane below for what was not decoded
    for lane in range(k):
        axes.axhspan(k - 1 - lane, k - lane, color=PALE if lane % 2 == 0 else PAPER, lw=0, zorder=0)
    axes.set_ylim(floor, k)
    end = float(session.times.max()) if n else 60.0
    axes.set_xlim(-0.01 * end - 1, 1.01 * end + 1)
    step = next((s for s in STEPS_S if end / s <= 10), 3600 * int(np.ceil(end / 36000)))
    ticks = np.arange(0, end + 1, step)
    axes.set_xticks(ticks, [f"{int(t) // 60}:{int(t) % 60:02d}" for t in ticks])
    centres = [k - 0.5 - lane for lane in range(k)]
    labels = list(session.names)
    if rejected.any():
        centres, labels = [*centres, floor / 2], [*labels, "not decoded"]
        axes.axhline(0, color=GREY, lw=0.8)
    size = 10.5 if k <= FEW else 6.5
    axes.set_yticks(centres, labels, size=size, color=INK)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    for start in session.starts:
        axes.axvline(start - NEW_FILE_S / 4, color=GREY, lw=1, ls=(0, (2, 2)))
    how = f"height in a lane: probability, {_percent(1 / max(k, 2))} to 100 %"
    axes.set_title("Shown and decoded" + (f"   ({how})" if k <= FEW and n else ""))
    axes.set_xlabel("minutes:seconds", loc="right", labelpad=-2)
    if not n:
        _say(axes, "no events")
        return

    room = SIZE[0] * DPI * 0.875 / n  # pixels an event
    shown = session.true >= 0
    base = k - 1 - session.true[shown]
    axes.vlines(session.times[shown], base + 0.03, base + 0.97, color=BAR,
                lw=float(np.clip(0.45 * room, 0.8, 7)), zorder=1, label="shown")  # fmt: skip
    decided = np.flatnonzero(~rejected)
    p = session.probabilities[decided, session.said[decided]]
    height = (p - 1 / k) / (1 - 1 / k) if k <= FEW else np.full(len(p), 0.5)
    y = k - 1 - session.said[decided] + 0.12 + 0.76 * np.clip(height, 0, 1)
    dot = float(np.clip(9 * room, 9 if k <= FEW else 6, 46))
    kinds = (
        ("right", session.right[decided], "o", RIGHT, dot),
        ("wrong", (session.scored & ~session.right)[decided], "X", WRONG, 1.1 * dot),
        ("truth unknown", ~session.scored[decided], "s", UNSAID, dot),
    )
    for name, these, marker, colour, area in kinds:
        if these.any():
            axes.scatter(session.times[decided][these], y[these], s=area, marker=marker, c=colour,
                         lw=0.4, edgecolors=PAPER, zorder=3, label=f"{name}: {these.sum()}")  # fmt: skip
    reasons = Counter(
        each.rejected or "no decision" for each in session.decisions if each.label is None
    )
    for place, (reason, count) in enumerate(reasons.most_common()):
        these = [t for t, each in zip(session.times, session.decisions, strict=True)
                 if each.label is None and (each.rejected or "no decision") == reason]  # fmt: skip
        label = f"{fonts.fit(reason, 34)}: {count}" if place < 3 else None
        axes.scatter(these, [floor / 2] * count, s=max(dot, 16), marker="v^Dd"[min(place, 3)],
                     facecolors=PAPER, edgecolors=INK, lw=1, zorder=3, label=label)  # fmt: skip
    axes.legend(loc="lower right", bbox_to_anchor=(1.005, 0.985), ncols=7, columnspacing=1.4,
                handletextpad=0.4, fontsize=9)  # fmt: skip


def _separation(axes: "Axes", session: _Session, scores: Scores | None) -> None:
    if len(session.names) == 2:
        _roc(axes, session, scores)
    else:
        _probabilities(axes, session)


def _roc(axes: "Axes", session: _Session, scores: Scores | None) -> None:
    """Hits against false alarms for the second class."""
    first, second = session.names
    axes.set_title(f"{second} against {first}")
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.01)
    marks = [0, 0.5, 1]
    axes.set_xticks(marks, [f"{100 * mark:.0f} %" for mark in marks])
    axes.set_yticks(marks, [f"{100 * mark:.0f} %" for mark in marks])
    axes.set_xlabel("false alarms", labelpad=2)
    axes.set_ylabel("hits", labelpad=-14)
    axes.plot([0, 1], [0, 1], color=GREY, lw=1, ls=(0, (4, 3)))
    y = session.true[session.scored] == 1
    if y.all() or not y.any():
        _say(axes, "needs decisions\nof both classes")
        return
    p = session.probabilities[session.scored, 1]
    limits = np.concatenate([[np.inf], np.unique(p)[::-1]])
    hits = (p[y] >= limits[:, None]).mean(axis=1)
    alarms = (p[~y] >= limits[:, None]).mean(axis=1)
    axes.fill_between(alarms, hits, alarms, color=RIGHT, alpha=0.12, lw=0)
    axes.plot(alarms, hits, color=RIGHT, lw=2.2)
    if scores is not None:
        axes.text(0.98, 0.06, f"area {scores.auc:.2f}", ha="right", size=12, weight="bold",
                  color=RIGHT if scores.p_value <= GO_P else GREY)  # fmt: skip
    axes.text(0.6, 0.53, "chance", color=GREY, size=8.5, rotation=40, rotation_mode="anchor")


def _probabilities(axes: "Axes", session: _Session) -> None:
    """What the decoder gave to the class that was shown, one row a class."""
    k = len(session.names)
    axes.set_title("Probability of what was shown")
    axes.set_ylim(k - 0.4, -0.6)
    axes.set_yticks(range(k), session.names, size=10 if k <= FEW else 6.5, color=INK)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    if not session.scored.any():
        axes.set_xticks([])
        _say(axes, "no decision whose\ntruth is known")
        return
    scatter = np.random.default_rng(0)
    top = 0.0
    for c in range(k):
        p = session.probabilities[session.scored & (session.true == c), c]
        if not len(p):
            continue
        axes.scatter(
            p, c + scatter.uniform(-0.27, 0.27, len(p)), s=14 if k <= FEW else 5, c=BAR, lw=0
        )
        low, middle, high = np.percentile(p, [25, 50, 75])
        axes.plot([low, high], [c, c], color=RIGHT, lw=4 if k <= FEW else 2, solid_capstyle="butt")
        axes.plot([middle], [c], "o", color=PAPER, mec=RIGHT, mew=1.6, ms=7 if k <= FEW else 3.5)
        top = max(top, float(p.max()))
    axes.axvline(1 / k, color=INK, lw=1, ls=(0, (4, 3)), zorder=0)
    axes.set_xlim(0, min(1.0, max(1.05 * top, 2.2 / k)))
    axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    axes.locator_params(axis="x", nbins=4)
    axes.set_xlabel(f"dots: trials; bar: middle half; dashed: chance, {_percent(1 / k)}", size=8)


def _confusion(axes: "Axes", session: _Session) -> None:
    """Counts: rows what was shown, columns what was decoded; darker is a larger share of a row."""
    k = len(session.names)
    counts = np.zeros((k, k), int)
    np.add.at(counts, (session.true[session.scored], session.said[session.scored]), 1)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    own = np.eye(k, dtype=bool)[..., None]
    tint = np.where(own, _rgb(RIGHT), _rgb(WRONG))
    axes.imshow(1 - (1 - tint) * 0.95 * share[..., None], aspect="equal")
    few = k <= FEW
    size = 7 + 22 / k if few else 6
    for row in range(k):
        for column in range(k):
            if few or counts[row, column]:
                axes.text(column, row, str(counts[row, column]), ha="center", va="center", size=size,
                          color=PAPER if share[row, column] > 0.55 else INK,
                          weight="bold" if row == column else "normal")  # fmt: skip
    axes.set_xticks(np.arange(k + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(k + 1) - 0.5, minor=True)
    axes.grid(which="minor", color=PALE, lw=0.8 if few else 0.4)
    axes.tick_params(which="both", length=0)
    upright = few and sum(map(len, session.names)) <= 34
    axes.set_xticks(range(k), session.names, size=10 if few else 6, color=INK,
                    rotation=0 if upright else 90)  # fmt: skip
    axes.set_yticks(range(k), session.names, size=10 if few else 6, color=INK)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_title("Shown (rows) and decoded (columns)")


def _figures(axes: "Axes", session: _Session, scores: Scores | None) -> None:
    """Each figure with its 95 % interval beside its chance level."""
    axes.set_title("How good, with 95 % intervals")
    axes.set_ylim(3.75, -0.45)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    notes = []
    rejected, n = int((session.said < 0).sum()), len(session.decisions)
    large = sum("amplitude" in each.flags for each in session.decisions)
    if n:
        notes.append(
            f"{n} events, {n - rejected} decoded" + (f", {rejected} not" if rejected else "")
        )
    if large:
        notes.append(f"{large} beyond the amplitude limit, counted like all")
    if scores is None:
        axes.spines["bottom"].set_visible(False)
        axes.set_xticks([])
        axes.set_xlim(0, 1)
        _say(axes, "nothing to count")
    else:
        chance, usual = scores.chance, max(scores.chance, scores.majority)
        rows = (
            ("Balanced accuracy", scores.balanced_accuracy, scores.balanced_accuracy_ci95, chance),
            ("Accuracy", scores.accuracy, scores.accuracy_ci95, usual),
            ("Area under the curve", scores.auc, scores.auc_ci95, 0.5),
        )
        for row, (name, value, (low, high), level) in enumerate(rows):
            sure = RIGHT if low > level else GREY
            axes.text(0, row - 0.02, name, va="bottom", size=9.5)
            axes.text(1, row - 0.02, f"{100 * value:.1f} %  ({100 * low:.0f} to {100 * high:.0f})"
                      if np.isfinite(value) else "-", va="bottom", ha="right", size=9.5)  # fmt: skip
            axes.plot([0, 1], [row + 0.3] * 2, color=PALE, lw=7, solid_capstyle="butt", zorder=0)
            axes.plot([low, high], [row + 0.3] * 2, color=sure, lw=2.4, solid_capstyle="butt")
            axes.plot([value], [row + 0.3], "o", color=sure, ms=8, mec=PAPER, mew=1.2)
            axes.plot([level] * 2, [row + 0.1, row + 0.5], color=INK, lw=1.2, ls=(0, (2, 1.5)))
        axes.text(chance, 0.52, "chance", ha="center", va="top", size=8, color=GREY)
        if usual > chance + 0.02:
            axes.text(
                usual, 1.52, "always the commonest", ha="center", va="top", size=8, color=GREY
            )
        axes.set_xlim(0, 1)
        marks = np.linspace(0, 1, 5)
        axes.set_xticks(marks, [f"{100 * mark:.0f} %" for mark in marks])
        notes += [f"permutation {_p(scores)}; intervals: {scores.interval}"]
    axes.text(0, -0.14, "\n".join(notes), transform=axes.transAxes, va="top", size=8.5, color=GREY)


def _say(axes: "Axes", sentence: str) -> None:
    axes.text(0.5, 0.5, textwrap.fill(sentence, 40), transform=axes.transAxes, ha="center",
              va="center", size=11, color=GREY)  # fmt: skip


def _percent(share: float) -> str:
    """``25 %``, ``33.3 %``"""
    return f"{100 * share:.3g} %"


def _rgb(colour: str) -> Array:
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
