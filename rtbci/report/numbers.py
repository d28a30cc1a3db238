"""How numbers are written for people: shares, intervals, p-values, counts. One place for all.

Programs get the numbers themselves, as JSON (``rtbci.messages``).
"""

import math

Interval = tuple[float, float]

HALF_UP = 1e-9  # added before rounding: two ways to sum one share must not differ in print
SHARES = {  # figures that are shares: written in percent
    *("accuracy", "balanced_accuracy", "top_1", "top_3", "top_5", "calibration_error"),
    *("two_way", "two_way_same_category", "ten_way", "caption_top_1", "caption_top_5"),
}
NONE = "–"


def shown(name: str, value: float) -> str:
    """The value of the figure ``name``: ``28.3 %`` for a share, else three significant digits."""
    if not math.isfinite(value):
        return NONE
    if name in SHARES:
        return f"{100 * value + HALF_UP:.1f} %"
    digits = 3 if abs(value) < 1 else 2 if abs(value) < 10 else 1
    text = f"{value + HALF_UP:.{digits}f}"
    return text.replace("-", "−") if float(text) else text.removeprefix("-")


def shown_interval(name: str, interval: Interval) -> str:
    """The interval of the figure ``name``: ``10.0 to 20.0 %``."""
    low, high = interval
    if not (math.isfinite(low) and math.isfinite(high)):
        return NONE
    if name in SHARES:
        return f"{100 * low:.1f} to {100 * high:.1f} %"
    return f"{shown(name, low)} to {shown(name, high)}"


def with_interval(value: object, interval: object = None, percent: bool = True) -> str:
    """``46.9 %  [41.5, 52.3]`` for a terminal, or ``-`` if nothing was measured."""
    if not isinstance(value, float):
        return "-"
    factor, digits = (100, 1) if percent else (1, 3)
    text = f"{factor * value:.{digits}f}{' %' if percent else ''}"
    if isinstance(interval, tuple):
        low, high = (f"{factor * end:.{digits}f}" for end in interval)
        text += f"  [{low}, {high}]"
    return text


def share(value: float) -> str:
    """A share in percent with one decimal, or none if that is 0: ``25 %``, ``33.3 %``."""
    text = f"{100 * value + HALF_UP:.1f}"
    return text.removesuffix(".0") + " %"


def shown_p(p: float) -> str:
    """A p-value with three decimals, never 0: ``0.031``, ``< 0.001``."""
    if not math.isfinite(p):
        return NONE
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def said_p(p: float) -> str:
    """A p-value in a sentence: ``p = 0.031``."""
    text = shown_p(p)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def permutation_p(p: float, permutations: int) -> str:
    """The p of a permutation test in a sentence, never smaller than their number allows."""
    least = 1 / (1 + permutations)
    return f"p < {2 * least:.1g}" if p < 1.5 * least else f"p = {p:.2g}"
