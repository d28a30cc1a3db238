"""The one rule for "above chance": its limits, and the verdict that is made once and read by all.

A calibration makes its verdict when it ends and stores it in the bundle; the window, the summary
of a replay, the picture of a session and an evaluation read one or make one here.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

GO_P = 0.01  # above chance
CAUTION_P = 0.05
FEWEST_FOR_GO = 40  # test trials
P_WRITTEN = f"{GO_P:g}"  # the limit of "above chance" in sentences

GO, CAUTION, NO_GO, NOT_TESTED = "GO", "CAUTION", "NO-GO", "not tested"  # of a calibration
ABOVE, NOT_ABOVE, FAILED = "above chance", "not above chance", "a control failed"  # of others


@dataclass(frozen=True)
class Verdict:
    """Whether a decoder is better than chance, in a word, with the reason in a sentence."""

    word: str
    reason: str = ""
    above_chance: bool | None = None  # None if nothing was tested


UNTESTED = Verdict(NOT_TESTED)


def is_significant(p: float, tests: int = 1) -> bool:
    """Whether a permutation p is small enough, if ``tests`` of them were made."""
    return p <= GO_P / tests


def is_above(p: float, low: float, chance: float, tests: int = 1) -> bool:
    """Whether p and the lower end ``low`` of the 95 % interval both are above ``chance``."""
    return is_significant(p, tests) and low > chance


def is_suggestive(p: float) -> bool:
    """Whether more trials might show it: p is small, if perhaps not small enough."""
    return p <= CAUTION_P


def is_few(n: int) -> bool:
    """Whether ``n`` test trials are too few to rely on."""
    return n < FEWEST_FOR_GO


def calibrated(p: float, low: float, chance: float, n: int) -> Verdict:
    """The verdict on ``n`` test trials, from the permutation p of their balanced accuracy and the
    lower end of its 95 % interval."""
    text = f"p = {p:.3g}"
    above = is_above(p, low, chance)
    if above and is_few(n):
        return Verdict(CAUTION, f"above chance ({text}), but only {n} test trials", above)
    if above:
        return Verdict(GO, f"above chance ({text})", above)
    if is_suggestive(p):
        return Verdict(CAUTION, f"perhaps above chance ({text}); more trials would tell", above)
    return Verdict(NO_GO, f"not above chance ({text})", above)


def refused(reason: str) -> Verdict:
    """NO-GO for any p, since the trials were no valid test."""
    return Verdict(NO_GO, reason, False)


def stored(document: Mapping[str, object]) -> Verdict:
    """The verdict in a bundle's ``subject.json``.

    Older bundles hold only its word; p and interval of their training record then give
    ``above_chance``. NO-GO is never above chance, and a word that is not a verdict is not tested.
    """
    word, reason = str(document.get("verdict") or NOT_TESTED), str(document.get("reason") or "")
    above = document.get("above_chance")
    if word not in (GO, CAUTION):
        return Verdict(word, reason, False if word == NO_GO else None)
    if isinstance(above, bool):
        return Verdict(word, reason, above)
    training = document.get("training")
    values = training if isinstance(training, Mapping) else {}
    interval = values.get("balanced_accuracy_ci95")
    low = interval[0] if isinstance(interval, list | tuple) and interval else None
    p, low, chance = map(_number, (values.get("p_value"), low, values.get("chance")))
    return Verdict(word, reason, is_above(p, low, chance))


def _number(value: object) -> float:
    """``value``, or NaN, with which nothing is above chance."""
    return float(value) if isinstance(value, int | float) else math.nan
