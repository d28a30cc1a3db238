"""Designs that make every figure invalid; they are refused with the evidence.

A decoder of trials whose classes come in blocks may learn the time instead of the class: electrodes
dry, people tire, filters drift (Li et al. 2021, doi 10.1109/TPAMI.2020.2973153).
"""

from collections.abc import Sequence

import numpy as np

from rtbci.errors import BadInput
from rtbci.statistics.class_blocks import forms_class_blocks

QUARTERS = 4  # parts of a run that the class is held against
SHUFFLES = 200
ERRORS = 4  # standard deviations of luck, below which nothing was told
TOLD = 0.25  # share of the class's entropy that the quarter of a run may tell beyond luck


def check_classes(true: np.ndarray, classes: Sequence[str], where: str) -> None:
    """Check that every class has trials; raises ``BadInput`` because chance would change."""
    counts = np.bincount(true, minlength=len(classes))
    missing = [name for name, count in zip(classes, counts, strict=True) if not count]
    if missing:
        raise BadInput(
            f"{where} holds no trial of {', '.join(missing)}, which the model was trained to tell "
            f"apart from {len(classes) - len(missing)} other classes; its accuracy on the rest "
            "would be compared with the wrong chance. Evaluate on runs with all classes"
        )


def check_order(true: np.ndarray, run: np.ndarray, k: int, where: str) -> None:
    """Check the order of trials; raises ``BadInput`` if it predicts the class.

    ``true`` (n,) in order of presentation inside every ``run`` (n,) of ``where``.
    """
    if forms_class_blocks(true, run, k):
        length, expected = run_length(true, run), _expected_length(true, k)
        raise BadInput(
            f"the order of trials in {where} forms class blocks: the same class comes "
            f"{length:.1f} times in a row on average, a random order would give {expected:.1f}. "
            "A decoder could learn the time instead of the class, so that no accuracy would be "
            "honest; record with classes intermixed"
        )
    told = told_by_time(true, run, k)
    if told > TOLD:
        raise BadInput(
            f"the order of trials in {where} forms class blocks: the quarter of the run tells "
            f"{100 * told:.0f} % of what there is to know about the class beyond luck (at most "
            f"{100 * TOLD:.0f} % are accepted). A decoder could learn the time instead of the "
            "class, so that no accuracy would be honest; record with classes intermixed"
        )


def run_length(true: np.ndarray, run: np.ndarray) -> float:
    """Mean number of consecutive trials of the same class."""
    changes = (true[1:] != true[:-1]) | (run[1:] != run[:-1])
    return len(true) / (1 + int(changes.sum()))


def told_by_time(true: np.ndarray, run: np.ndarray, k: int) -> float:
    """Share of class entropy explained by the quarter of the run, beyond shuffled labels.

    0 (also where luck may tell as much) to 1. It finds classes that keep to a part of the run
    without coming in a row.
    """
    if len(true) < 2 * QUARTERS:
        return 0.0
    quarter = np.zeros(len(true), int)
    for place, number in enumerate(np.unique(run)):
        members = np.flatnonzero(run == number)
        for part, chunk in enumerate(np.array_split(members, QUARTERS)):
            quarter[chunk] = place * QUARTERS + part
    shares = np.bincount(true, minlength=k) / len(true)
    entropy = -float((shares[shares > 0] * np.log(shares[shares > 0])).sum())
    if entropy <= 0:
        return 0.0
    rng = np.random.default_rng(0)
    luck = np.array([_information(rng.permutation(true), quarter, k) for _ in range(SHUFFLES)])
    found = _information(true, quarter, k)
    room = entropy - luck.mean()  # with few trials a quarter, luck alone tells a part
    if room <= 0 or found <= luck.mean() + ERRORS * luck.std():
        return 0.0
    return float((found - luck.mean()) / room)


def _information(true: np.ndarray, part: np.ndarray, k: int) -> float:
    """Mutual information of class and part, nats."""
    joint = np.bincount(part * k + true, minlength=(part.max() + 1) * k).reshape(-1, k) / len(true)
    alone = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    there = joint > 0
    return float((joint[there] * np.log(joint[there] / alone[there])).sum())


def _expected_length(true: np.ndarray, k: int) -> float:
    """Expected run length if every trial is drawn independently."""
    shares = np.bincount(true, minlength=k) / len(true)
    return float(1 / max(1e-9, 1 - (shares**2).sum()))
