"""The panels of a session's picture: timeline, separation of classes, confusion, figures.

Blue is right and orange is wrong, in shape as well as in colour (Okabe and Ito 2008,
https://jfly.uni-koeln.de/color).
"""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rtbci.report.numbers import permutation_p, share
from rtbci.statistics.scores import Scores
from rtbci.statistics.verdict import is_above, is_significant
from rtbci.types import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE, DPI = (12.8, 8.0), 100  # inches; 1280 x 800 pixels
INK, GREY, BAR, PALE, PAPER = "#1a1a1a", "#5a6068", "#c3c9d0", "#eceff2", "#ffffff"
RIGHT, WRONG, UNSAID = "#0072b2", "#d55e00", "#7a5195"  # blue, vermilion, purple
WARNING = "#b34700"  # vermilion dark enough to carry white text: 5.5 to 1
FEW = 8  # with at most this many classes there is room for height and for words
STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600)  # between marks of time
DASHED = (0, (4, 3))


@dataclass(frozen=True)
class DecisionArrays:
    """Decisions as arrays, in the order in which they came; class indices, -1 for none."""

    names: list[str]  # of the classes, fit to be drawn
    times: Array  # (n,) s since the start, recordings one after the other
    starts: list[float]  # of the second and later recordings, s
    true: NDArray[np.int64]  # (n,)
    said: NDArray[np.int64]  # (n,)
    probabilities: Array  # (n, classes), NaN if nothing was decoded
    why: list[str]  # (n,) reason if nothing was decoded
    large: int  # decisions beyond the amplitude limit

    @cached_property
    def scored(self) -> NDArray[np.bool_]:
        """(n,) decoded, and the truth is known."""
        return (self.true >= 0) & (self.said >= 0)

    @cached_property
    def right(self) -> NDArray[np.bool_]:
        """(n,) whether the true class was decoded."""
        return self.scored & (self.true == self.said)


def timeline(axes: "Axes", session: DecisionArrays) -> None:
    """One lane a class; a narrow one below for events that were not decoded."""
    k, n = len(session.names), len(session.said)
    rejected = session.said < 0
    floor = -0.13 * k if rejected.any() else 0.0
    for lane in range(0, k, 2):
        axes.axhspan(k - 1 - lane, k - lane, color=PALE, lw=0, zorder=0)
    axes.set_ylim(floor, k)
    axes.set_yticks(k - 0.5 - np.arange(k), session.names, size=_size(k, 10.5, 6.5), color=INK)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    _clock(axes, session)
    axes.set_title("Shown and decoded")
    if not n:
        _say(axes, "no events")
        return

    if not rejected.all():
        how = "size: probability"
        if k <= FEW:
            how = f"height in a lane: probability, {share(1 / k)} to 100 %"
        axes.annotate(how, (0, 1), (134, 10), "axes fraction", "offset points", size=9, color=GREY)
    room = SIZE[0] * DPI * 0.875 / n  # pixels an event
    shown = session.true >= 0
    base = k - 1 - session.true[shown]
    width = float(np.clip(0.45 * room, 0.8, 7))
    if shown.any():
        axes.vlines(session.times[shown], base + 0.03, base + 0.97, BAR, lw=width, label="shown")
    decided = np.flatnonzero(~rejected)
    p = session.probabilities[decided, session.said[decided]]
    above = np.clip((p - 1 / k) / (1 - 1 / k), 0, 1)
    y = k - 1 - session.said[decided] + (0.12 + 0.76 * above if k <= FEW else 0.5)
    dot = float(np.clip(9 * room, 9, 46))
    areas = np.full(len(p), dot) if k <= FEW else 8 + 30 * above
    kinds = (
        ("right", session.right, "o", RIGHT),
        ("wrong", session.scored & ~session.right, "X", WRONG),
        ("truth unknown", ~session.scored, "s", UNSAID),
    )
    look: dict[str, Any] = {"lw": 0.4, "edgecolors": PAPER, "zorder": 3}
    for name, which, marker, colour in kinds:
        these = which[decided]
        if these.any():
            axes.scatter(
                session.times[decided][these], y[these], s=areas[these], marker=marker, c=colour,
                label=f"{name}: {these.sum()}", **look,
            )  # fmt: skip
    if rejected.any():
        _rejected(axes, session, floor, max(dot, 16))
    axes.legend(loc="lower right", bbox_to_anchor=(1.005, 0.985), ncols=7, columnspacing=1.4,
                handletextpad=0.4, fontsize=9)  # fmt: skip


def _rejected(axes: "Axes", session: DecisionArrays, floor: float, area: float) -> None:
    """A lane with a mark for every event that was not decoded; its shape is the reason."""
    axes.axhline(0, color=GREY, lw=0.8)
    size = _size(len(session.names), 9, 6.5)
    axes.annotate("not decoded", (0, floor / 2), (-3.5, 0), ("axes fraction", "data"),
                  "offset points", size=size, color=GREY, ha="right", va="center")  # fmt: skip
    why = np.where(session.said < 0, np.array(session.why), "")
    for place, (reason, count) in enumerate(Counter(why[why != ""].tolist()).most_common()):
        times = session.times[why == reason]
        label = f"{reason}: {count}" if place < 3 else None
        axes.scatter(times, [floor / 2] * count, s=area, marker="v^Dd"[min(place, 3)], lw=1,
                     facecolors=PAPER, edgecolors=INK, zorder=3, label=label)  # fmt: skip


def _clock(axes: "Axes", session: DecisionArrays) -> None:
    """Minutes and seconds below, and a line between recordings."""
    end = float(session.times.max()) if len(session.times) else 60.0
    margin = 0.008 * end + 0.5
    axes.set_xlim(min(0.0, float(session.times.min(initial=0))) - margin, end + margin)
    step = next((s for s in STEPS_S if end / s <= 10), 3600 * int(np.ceil(end / 36000)))
    marks = np.arange(0, end + margin, step)
    axes.set_xticks(marks, [f"{int(t) // 60}:{int(t) % 60:02d}" for t in marks])
    axes.annotate("min:s", (0, 0), (-10, -6.5), "axes fraction", "offset points", size=9,
                  color=GREY, ha="right", va="top")  # fmt: skip
    for start in session.starts:
        axes.axvline(start, color=GREY, lw=1, ls=DASHED)


def separation(axes: "Axes", session: DecisionArrays, scores: Scores | None) -> None:
    """The ROC curve of two classes; of more, the probability of the true class."""
    if len(session.names) == 2:
        _roc(axes, session, scores)
    else:
        _probabilities(axes, session)


def _roc(axes: "Axes", session: DecisionArrays, scores: Scores | None) -> None:
    """Hits against false alarms for the second class."""
    first, second = session.names
    axes.set_title(f"{second} against {first}")
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.01)
    marks = [0, 0.5, 1]
    axes.set_xticks(marks, [share(mark) for mark in marks])
    axes.set_yticks(marks, [share(mark) for mark in marks])
    axes.set_xlabel("false alarms", labelpad=1)
    axes.set_ylabel("hits", labelpad=1)
    y = session.true[session.scored] == 1
    if y.all() or not y.any():
        _say(axes, "no decisions\nof both classes")
        return
    axes.plot([0, 1], [0, 1], color=GREY, lw=1, ls=DASHED)
    p = session.probabilities[session.scored, 1]
    limits = np.concatenate([[np.inf], np.unique(p)[::-1]])
    hits = (p[y] >= limits[:, None]).mean(axis=1)
    alarms = (p[~y] >= limits[:, None]).mean(axis=1)
    axes.fill_between(alarms, hits, alarms, color=RIGHT, alpha=0.12, lw=0)
    axes.plot(alarms, hits, color=RIGHT, lw=2.2)
    axes.text(0.76, 0.72, "chance", color=GREY, size=8.5, rotation=40, ha="center", va="top",
              rotation_mode="anchor")  # fmt: skip
    if scores is not None:
        colour = RIGHT if is_significant(scores.p_value) else GREY
        axes.text(0.98, 0.05, f"area {scores.auc:.2f}", ha="right", size=12, weight="bold",
                  color=colour)  # fmt: skip


def _probabilities(axes: "Axes", session: DecisionArrays) -> None:
    """Probability of the true class, one row a class."""
    k = len(session.names)
    axes.set_title("Probability of what was shown")
    axes.set_ylim(k - 0.4, -0.6)
    axes.set_yticks(range(k), session.names, size=_size(k, 9.5, 6.5), color=INK)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    if not session.scored.any():
        axes.set_xticks([])
        _say(axes, "no decision whose\ntruth is known")
        return
    scatter = np.random.default_rng(0)
    top = 2.2 / k
    for c in range(k):
        p = session.probabilities[session.scored & (session.true == c), c]
        if not len(p):
            continue
        spread = c + scatter.uniform(-0.27, 0.27, len(p))
        axes.scatter(p, spread, s=_size(k, 14, 5), c=BAR, lw=0)
        low, middle, high = np.percentile(p, [25, 50, 75])
        axes.plot([low, high], [c, c], color=RIGHT, lw=_size(k, 4, 2), solid_capstyle="butt")
        axes.plot(middle, c, "o", color=PAPER, mec=RIGHT, mew=1.6, ms=_size(k, 7, 3.5))
        top = max(top, 1.05 * float(p.max()))
    axes.axvline(1 / k, color=INK, lw=1, ls=DASHED, zorder=0)
    axes.set_xlim(0, min(1.0, top))
    axes.locator_params(axis="x", nbins=4)
    axes.xaxis.set_major_formatter(lambda value, _: share(value))
    axes.set_xlabel(f"bar: middle half of the trials; dashed: chance, {share(1 / k)}", size=8)


def confusion(figure: "Figure", place: tuple[float, float, float], session: DecisionArrays) -> None:
    """Confusion matrix of counts: true classes as rows; darker is a larger share of a row.

    ``place`` is left, width and top; long names below need more height.
    """
    k = len(session.names)
    left, width, top = place
    few = k <= FEW
    upright = few and max(map(len, session.names)) * 6.8 < width * SIZE[0] * DPI / k  # pixels
    bottom = 0.095 if upright or not few else 0.14
    axes = figure.add_axes((left, bottom, width, top - bottom), anchor="N")
    counts = np.zeros((k, k), int)
    np.add.at(counts, (session.true[session.scored], session.said[session.scored]), 1)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    own = np.eye(k, dtype=bool)
    tint = np.where(own[..., None], _rgb(RIGHT), _rgb(WRONG))
    axes.imshow(1 - 0.75 * (1 - tint) * share[..., None], aspect="equal")
    size = 7 + 22 / k if few else 6
    if not counts.any():
        _say(axes, "no decision whose\ntruth is known")
    for row, column in np.argwhere((counts > 0) | (few and counts.any())):
        weight = "bold" if row == column else "normal"
        axes.text(column, row, str(counts[row, column]), ha="center", va="center", size=size,
                  color=INK, weight=weight)  # fmt: skip
    edges = np.arange(k + 1) - 0.5
    axes.set_xticks(edges, minor=True)
    axes.set_yticks(edges, minor=True)
    axes.grid(which="minor", color=BAR, lw=0.8 if few else 0.3)
    axes.tick_params(which="both", length=0)
    words: dict[str, Any] = {"size": _size(k, 9.5, 6), "color": INK}
    axes.set_xticks(range(k), session.names, rotation=0 if upright else 90, **words)
    axes.set_yticks(range(k), session.names, **words)
    axes.spines[:].set(visible=True, color=BAR)
    axes.set_title("Shown (rows) and decoded (columns)")


def figures(axes: "Axes", session: DecisionArrays, scores: Scores | None) -> None:
    """Each figure with its 95 % interval and its chance level."""
    axes.set_title("How good, with 95 % intervals")
    axes.set_xlim(0, 1)
    axes.set_ylim(2.8, -0.45)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    n, rejected = len(session.said), int((session.said < 0).sum())
    notes = [f"{n} events, {n - rejected} decoded" + (f", {rejected} not" if rejected else "")]
    if session.large:
        notes.append(f"{session.large} beyond the amplitude limit, counted like all")
    if scores is None:
        axes.spines["bottom"].set_visible(False)
        axes.set_xticks([])
        _say(axes, "nothing to count")
    else:
        usual = max(scores.chance, scores.majority)
        rows = (
            ("Balanced accuracy", scores.balanced_accuracy, scores.balanced_accuracy_ci95,
             scores.chance),
            ("Accuracy", scores.accuracy, scores.accuracy_ci95, usual),
            ("Area under the curve", scores.auc, scores.auc_ci95, 0.5),
        )  # fmt: skip
        for row, (name, value, (low, high), level) in enumerate(rows):
            colour = RIGHT if is_above(scores.p_value, low, level) else GREY
            number = f"{100 * value:.1f} %  ({100 * low:.0f} to {100 * high:.0f})"
            if row == 2:
                number = f"{value:.3f}  ({low:.2f} to {high:.2f})"
            y = row + 0.3
            axes.text(0, row - 0.02, name, va="bottom")
            axes.text(1, row - 0.02, number if value == value else "-", va="bottom", ha="right")
            axes.plot([0, 1], [y, y], color=PALE, lw=7, solid_capstyle="butt", zorder=0)
            axes.plot([low, high], [y, y], color=colour, lw=3, solid_capstyle="butt")
            axes.plot(value, y, "o", color=colour, ms=7.5, mec=PAPER, mew=1.2)
            axes.plot([level, level], [y - 0.2, y + 0.2], color=INK, lw=1.2, ls=(0, (2, 1.5)))
        marks = np.linspace(0, 1, 5)
        axes.set_xticks(marks, [share(mark) for mark in marks])
        commonest = "; of accuracy, the commonest class" if usual > scores.chance + 0.005 else ""
        notes = [f"dashed: chance{commonest}", *notes]
        p = permutation_p(scores.p_value, scores.permutations)
        notes.append(f"{p}, {scores.permutations} permutations of the labels")
        notes.append(f"intervals: {scores.interval.replace('wilson', 'Wilson')}")
    axes.text(0, -0.19, "\n".join(notes), transform=axes.transAxes, va="top", size=8.5, color=GREY)


def _size(k: int, few: float, many: float) -> float:
    return few if k <= FEW else many


def _say(axes: "Axes", sentence: str) -> None:
    axes.text(0.5, 0.5, sentence, transform=axes.transAxes, ha="center", va="center", size=11,
              color=GREY, bbox={"facecolor": PAPER, "edgecolor": "none"})  # fmt: skip


def _rgb(colour: str) -> Array:
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
