"""Plots as SVG text, drawn by hand so that one drawing serves the light and the dark page.

Colours are classes of ``style.py``, never values. No state is shown by colour alone: marks above
chance are filled, others are hollow. Every mark carries its numbers as a tooltip. Lengths are
CSS pixels.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from rtbci.report.numbers import said_p, share, shown, shown_interval, shown_p
from rtbci.statistics.predictions import Figure
from rtbci.types import Array

WIDTH = 880  # of the page's column
STEPS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.25)  # between ticks of a share
MOST_TICKS = 8
ROW, NARROW_ROW, MANY = 30, 22, 16  # height of a row; many rows are narrower
NAMES, VALUES = 164, 322  # room for names on the left, for numbers on the right
COLUMNS = (248, 130, 76, 8)  # where value, interval, n and p end, from the right
LETTER = 7.2  # px, mean width at 13 px
LONGEST = 20  # letters of a name
LEGEND = 160  # width of the scale of shades
DARK_INK, LIGHT_INK = 0.62, 0.85  # strength of a cell from which its other ink reads better


@dataclass(frozen=True)
class Bin:
    """Trials of like confidence, a dot of the reliability diagram."""

    confidence: float  # mean
    share: float  # that were right
    interval: tuple[float, float]  # Wilson, 95 %
    n: int


@dataclass(frozen=True)
class Dot:
    """One row of a dot plot."""

    name: str
    figure: Figure
    filled: bool  # above chance
    mean: bool = False  # a mean over the others: a diamond, set off
    trials: int | None = None  # of a mean over people, whose own n counts people


def dots(rows: Sequence[Dot], chance: float, label: str) -> str:
    """Value and interval of each row, the chance line through all of them."""
    height = NARROW_ROW if len(rows) > MANY else ROW
    left, right, top = NAMES, WIDTH - VALUES, 26
    ends = [end for row in rows for end in (*row.figure.interval, row.figure.value)]
    scale = Scale.around([chance, *(end for end in ends if math.isfinite(end))], left, right)
    bottom = top + height * len(rows) + 6
    parts = [
        f'<rect class="band" x="0" y="{top + height * number}" width="{WIDTH}" '
        f'height="{height}" rx="4"/>'
        for number, row in enumerate(rows)
        if row.mean
    ]
    parts.append(scale.grid(top - 4, bottom))
    x = scale.at(chance)
    parts += [
        f'<line class="chance" x1="{x:.1f}" x2="{x:.1f}" y1="{top - 4}" y2="{bottom}"/>',
        f'<text class="dim" x="{x:.1f}" y="{top - 11}" text-anchor="middle">'
        f"chance {share(chance)}</text>",
    ]
    parts += [
        f'<text class="dim" x="{WIDTH - end}" y="{top - 11}" text-anchor="end">{name}</text>'
        for name, end in zip(("", "95 % interval", "n", "p"), COLUMNS, strict=True)
        if name
    ]
    parts += [_dot(row, top + height * (i + 0.5), scale) for i, row in enumerate(rows)]
    parts += scale.numbers(bottom + 16)
    parts.append(_middle(label, (left + right) / 2, bottom + 36))
    return _svg(WIDTH, bottom + 44, parts, label)


def _dot(row: Dot, y: float, scale: "Scale") -> str:
    figure, weight = row.figure, ' class="strong"' if row.mean else ""
    low, high = figure.interval
    said = f"{row.name}: {shown(figure.name, figure.value)}"
    mark = [f"<g><title>{escape(said)}, n = {figure.n}, {escape(said_p(figure.p))}</title>"]
    if math.isfinite(low) and math.isfinite(high):
        a, b = scale.at(low), scale.at(high)
        mark.append(f'<line class="whisker" x1="{a:.1f}" x2="{b:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>')
    x, kind = scale.at(figure.value), "mark" if row.filled else "mark hollow"
    if row.mean:
        corners = f"{x - 7:.1f},{y:.1f} {x:.1f},{y - 7:.1f} {x + 7:.1f},{y:.1f} {x:.1f},{y + 7:.1f}"
        mark.append(f'<polygon class="{kind}" points="{corners}"/>')
    else:
        mark.append(f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="5"/>')
    value = shown(figure.name, figure.value)
    span = shown_interval(figure.name, figure.interval) if math.isfinite(low) else ""
    n = f"{row.trials or figure.n:,}"
    mark.append(f'<text{weight} x="8" y="{y + 4.5:.1f}">{escape(cut(row.name))}</text>')
    for text, end in zip((value, span, n, shown_p(figure.p)), COLUMNS, strict=True):
        kind = "strong" if text is value else "dim"
        mark.append(
            f'<text class="{kind}" x="{WIDTH - end}" y="{y + 4.5:.1f}" text-anchor="end">'
            f"{escape(text)}</text>"
        )
    return "".join([*mark, "</g>"])


def confusion(table: Array, classes: Sequence[str]) -> str:
    """Confusion matrix: true classes (rows) against decoded ones (columns), as shares of a row."""
    k = len(classes)
    cell = 64 if k <= 5 else 46 if k <= 10 else max(12, min(28, 560 // k))
    counts = table.sum(axis=1, keepdims=True)
    shares = table / counts.clip(min=1)
    most = max(float(shares.max()), 1e-9)
    room = min(LONGEST, max(map(len, classes))) * LETTER + 14
    left, top = room, (26 if cell >= 64 and room < 84 else 0.72 * room + 12)
    parts = []
    for row in range(k):
        y = top + cell * row
        parts.append(
            f'<text x="{left - 8:.1f}" y="{y + cell / 2 + 4.5:.1f}" text-anchor="end">'
            f"{escape(cut(classes[row]))}</text>"
        )
        parts += [
            _cell(left + cell * column, y, cell, shares[row, column], most,
                  f"{classes[row]} named {classes[column]}: {table[row, column]:.0f} of "
                  f"{counts[row, 0]:.0f}", row == column)
            for column in range(k)
        ]  # fmt: skip
        x = left + cell * (row + 0.5)
        name = escape(cut(classes[row]))
        if top == 26:
            parts.append(_middle(name, x, top - 10, "text"))
        else:
            parts.append(f'<text transform="translate({x:.1f} {top - 8:.1f}) rotate(-45)">'
                         f"{name}</text>")  # fmt: skip
    bottom = top + cell * k
    parts.append(_legend(left, bottom + 18, most, 1 / k))
    spill = 0 if top == 26 else 0.72 * len(cut(classes[-1])) * LETTER - cell / 2
    width = max(left + cell * k + max(8, spill), left + LEGEND + 200)
    return _svg(width, bottom + 58, parts, "Confusion matrix")


def _cell(
    x: float, y: float, size: float, value: float, most: float, tip: str, diagonal: bool
) -> str:
    strength = value / most
    kind = "cell diagonal" if diagonal else "cell"
    drawn = (
        f'<g><title>{escape(tip)}</title><rect class="ground" x="{x + 0.5:.1f}" y="{y + 0.5:.1f}" '
        f'width="{size - 1}" height="{size - 1}"/><rect class="{kind}" x="{x + 0.5:.1f}" '
        f'y="{y + 0.5:.1f}" width="{size - 1}" height="{size - 1}" '
        f'fill-opacity="{strength:.3f}"/>'
    )
    if size >= 24:
        # where the ink must change lies elsewhere on a light and on a dark page
        ink = "high" if strength > LIGHT_INK else "mid" if strength > DARK_INK else "text"
        small = " small" if size < 40 else ""
        drawn += (
            f'<text class="{ink}{small}" x="{x + size / 2:.1f}" y="{y + size / 2 + 4:.1f}" '
            f'text-anchor="middle">{100 * value:.0f}</text>'
        )
    return drawn + "</g>"


def _legend(x: float, y: float, most: float, chance: float) -> str:
    """Shades from nothing to the most that occurs, and where chance lies among them."""
    width, steps = LEGEND, 32
    drawn = [f'<rect class="ground" x="{x}" y="{y}" width="{width}" height="10"/>']
    drawn += [
        f'<rect class="cell" x="{x + width * i / steps:.1f}" y="{y}" width="{width / steps:.1f}" '
        f'height="10" fill-opacity="{(i + 0.5) / steps:.3f}"/>'
        for i in range(steps)
    ]
    at = x + width * min(1.0, chance / most)
    drawn += [
        f'<line class="tick" x1="{at:.1f}" x2="{at:.1f}" y1="{y - 3}" y2="{y + 13}"/>',
        f'<text class="dim" x="{x + width + 10:.1f}" y="{y + 9}">{share(most)} of the trials of a '
        "class</text>",
    ]
    if at - x > LEGEND / 3:
        drawn.append(f'<text class="dim" x="{x}" y="{y + 26}">0</text>')
    drawn.append(_middle(f"chance {share(chance)}", at, y + 26))
    return "".join(drawn)


def reliability(bins: Sequence[Bin]) -> str:
    """Confidence against the share that was right; on the diagonal they agree."""
    side, left, top = 330, 68, 14
    right, bottom = left + side, top + side
    values = [v for each in bins for v in (each.confidence, each.share, *each.interval)]
    across = Scale.around([0.0, *values], left, right)
    up = Scale(across.low, across.high, across.step, bottom, top)
    parts = [across.grid(top, bottom), up.grid(left, right, upright=False)]
    parts.append(f'<line class="chance" x1="{left}" y1="{bottom}" x2="{right}" y2="{top}"/>')
    for each in bins:
        x, y = across.at(each.confidence), up.at(each.share)
        a, b = (up.at(end) for end in each.interval)
        said = f"said {share(each.confidence)}, right {share(each.share)}, n = {each.n}"
        parts.append(
            f'<g><title>{said}</title><line class="whisker" x1="{x:.1f}" x2="{x:.1f}" '
            f'y1="{a:.1f}" y2="{b:.1f}"/><circle class="mark" cx="{x:.1f}" cy="{y:.1f}" r="5"/></g>'
        )
    parts += across.numbers(bottom + 18)
    parts += up.numbers(left - 8, upright=False)
    parts += [
        f'<text class="dim halo" x="{right - 8}" y="{bottom - 12}" text-anchor="end">too sure'
        "</text>",
        f'<text class="dim halo" x="{left + 10}" y="{top + 20}">not sure enough</text>',
        _middle("how sure the decoder was", (left + right) / 2, bottom + 40),
        f'<text class="dim" transform="translate(13 {(top + bottom) / 2:.1f}) rotate(-90)" '
        'text-anchor="middle">how often it was right</text>',
    ]
    return _svg(right + 28, bottom + 50, parts, "Reliability diagram")


@dataclass(frozen=True)
class Scale:
    """From a share to pixels, with its ticks."""

    low: float
    high: float
    step: float
    start: float  # pixel of ``low``
    stop: float  # pixel of ``high``

    @classmethod
    def around(cls, values: Sequence[float], start: float, stop: float) -> "Scale":
        """A scale that holds all of ``values`` (shares) between round ends."""
        least, most = max(0.0, min(values)), min(1.0, max(values))
        step = next((s for s in STEPS if (most - least) / s <= MOST_TICKS - 1), STEPS[-1])
        low = max(0.0, math.floor(least / step - 1e-9) * step)
        high = min(1.0, math.ceil(most / step + 1e-9) * step)
        if high <= low:
            low, high = max(0.0, low - step), min(1.0, high + step)
        return cls(low, high, step, start, stop)

    def at(self, value: float) -> float:
        """Pixel of a share; values outside are drawn at the end."""
        part = min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))
        return self.start + part * (self.stop - self.start)

    @property
    def ticks(self) -> list[float]:
        """Shares at round places."""
        first = math.ceil(self.low / self.step - 1e-6)
        last = math.floor(self.high / self.step + 1e-6)
        return [self.step * number for number in range(first, last + 1)]

    def grid(self, begin: float, end: float, upright: bool = True) -> str:
        """Hairlines at the ticks, across or up."""
        across, along = ("x", "y") if upright else ("y", "x")
        return "".join(
            f'<line class="grid" {across}1="{p:.1f}" {across}2="{p:.1f}" {along}1="{begin:.1f}" '
            f'{along}2="{end:.1f}"/>'
            for p in map(self.at, self.ticks)
        )

    def numbers(self, at: float, upright: bool = True) -> list[str]:
        """The ticks in percent, below or to the left."""
        if upright:
            return [_middle(share(tick), self.at(tick), at) for tick in self.ticks]
        return [
            f'<text class="dim" x="{at:.1f}" y="{self.at(tick) + 4:.1f}" text-anchor="end">'
            f"{share(tick)}</text>"
            for tick in self.ticks
        ]


def cut(name: str) -> str:
    """A name that fits its room."""
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"


def _middle(text: str, x: float, y: float, kind: str = "dim") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="middle">{text}</text>'


def _svg(width: float, height: float, parts: Sequence[str], label: str) -> str:
    return (
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" role="img" '
        f'aria-label="{escape(label)}">{"".join(parts)}</svg>'
    )
