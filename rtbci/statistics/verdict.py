"""The one rule for "above chance": its thresholds, and the verdict that follows from them."""

from rtbci.statistics.scores import Scores

GO_P = 0.01  # above chance
CAUTION_P = 0.05
FEWEST_FOR_GO = 40  # test trials


def verdict(scores: Scores) -> tuple[str, str]:
    """GO, CAUTION or NO-GO, and the reason in a sentence."""
    low = scores.balanced_accuracy_ci95[0]
    p = f"p = {scores.p_value:.3g}"
    if scores.p_value <= GO_P and low > scores.chance:
        if scores.n >= FEWEST_FOR_GO:
            return "GO", f"above chance ({p})"
        return "CAUTION", f"above chance ({p}), but only {scores.n} test trials"
    if scores.p_value <= CAUTION_P:
        return "CAUTION", f"perhaps above chance ({p}); more trials would tell"
    return "NO-GO", f"not above chance ({p})"
