"""Whether classes were shown in blocks, so that a decoder could learn the time instead."""

import numpy as np


def forms_class_blocks(y: np.ndarray, run: np.ndarray, k: int) -> bool:
    """Do classes come one after the other instead of intermixed?

    Then a decoder could learn the time instead of the class. True where neighbours share their
    class far more often than a shuffle gives: more than half way to always, by four standard
    errors.
    """
    together = run[1:] == run[:-1]
    pairs = int(together.sum())
    if not pairs:
        return False
    same = float((y[1:] == y[:-1])[together].mean())
    expected = float(((np.bincount(y, minlength=k) / len(y)) ** 2).sum())
    error = np.sqrt(expected * (1 - expected) / pairs)
    return same > (1 + expected) / 2 and same - expected > 4 * error
