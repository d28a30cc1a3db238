"""Accuracy figures of a decoder, each with its interval, chance level and p-value.

One place, one rule. The p-value is the permutation p of balanced accuracy, labels shuffled within
blocks of time. Intervals are Wilson's where the classes have equal counts, else a bootstrap
stratified by class (one trial fewer is drawn than there are, Rao and Wu 1988, or intervals of
few trials come out too short); where every class was always or never right a bootstrap has no
spread, and Wilson's interval of the smallest class stands in.
"""

from dataclasses import dataclass, fields

import numpy as np

from rtbci.types import Array

Interval = tuple[float, float]

RESAMPLES = 2000  # of the bootstrap
PERMUTATIONS = 2000  # of labels against fixed predictions
SEED = 20  # the same input gives the same figures


@dataclass(frozen=True)
class Scores:
    """Figures of ``n`` test trials, each with its 95 % interval."""

    n: int
    accuracy: float
    accuracy_ci95: Interval
    balanced_accuracy: float
    balanced_accuracy_ci95: Interval
    auc: float  # one-vs-rest mean for more than two classes
    auc_ci95: Interval
    chance: float  # of balanced accuracy and, with equal class counts, of accuracy
    majority: float  # accuracy of always naming the commonest class
    p_value: float
    permutations: int
    interval: str  # "wilson" or "stratified bootstrap"


def score(true: np.ndarray, probabilities: Array, p_value: float, permutations: int) -> Scores:
    """``true`` (n,) class indices, ``probabilities`` (n, classes), of trials never trained on."""
    n, k = probabilities.shape
    counts = np.bincount(true, minlength=k)
    hits = np.bincount(true[probabilities.argmax(axis=1) == true], minlength=k)
    there = counts > 0
    accuracy_ci, balanced_ci, kind = share_intervals(hits, counts)
    auc, auc_ci = auc_interval(true, probabilities)
    return Scores(
        n=n,
        accuracy=float(hits.sum() / n),
        accuracy_ci95=accuracy_ci,
        balanced_accuracy=float((hits[there] / counts[there]).mean()),
        balanced_accuracy_ci95=balanced_ci,
        auc=auc,
        auc_ci95=auc_ci,
        chance=1 / int(there.sum()),
        majority=float(counts.max() / n),
        p_value=p_value,
        permutations=permutations,
        interval=kind,
    )


def scores_json(scores: Scores | None) -> dict[str, object]:
    """The figures of a calibration or a replay; null where there was nothing to count."""
    return {f.name: getattr(scores, f.name, None) for f in fields(Scores) if f.name != "n"}


def share_intervals(hits: np.ndarray, counts: np.ndarray) -> tuple[Interval, Interval, str]:
    """Intervals of the share of hits and of its mean over classes, and how they were made.

    ``hits`` (classes,) of ``counts`` (classes,) trials; classes that are not there count nowhere.
    """
    hits, counts = hits[counts > 0], counts[counts > 0]
    n, recalls = int(counts.sum()), hits / counts
    if len(set(counts.tolist())) == 1:
        interval = wilson(int(hits.sum()), n)
        return interval, interval, "wilson"
    drawn, smallest = np.maximum(counts - 1, 1), int(counts.min())
    resampled = _rng().binomial(drawn, recalls, (RESAMPLES, len(counts))) / drawn
    share = _percentiles(hits.sum() / n, resampled @ counts / n, smallest)
    mean = _percentiles(float(recalls.mean()), resampled.mean(axis=1), smallest)
    return share, mean, "stratified bootstrap"


def wilson(hits: int, n: int) -> Interval:
    """Wilson's 95 % interval of a share, 1927, doi 10.1080/01621459.1927.10502953."""
    from scipy.stats import binomtest

    interval = binomtest(hits, n).proportion_ci(0.95, "wilson")
    return float(interval.low), float(interval.high)


def auc_interval(true: np.ndarray, probabilities: Array) -> tuple[float, Interval]:
    """Area under the ROC curve and its bootstrap interval, resampled within each class.

    For two classes that of the second; for more the mean over classes against the rest. NaN
    where only one class is there.
    """
    k = probabilities.shape[1]
    classes = [c for c in range(k) if (true == c).any()]
    if len(classes) < 2:
        return float("nan"), (float("nan"), float("nan"))
    rng = _rng()
    weights = np.zeros((RESAMPLES, len(true)))
    for c in classes:
        members = np.flatnonzero(true == c)
        draws = rng.integers(0, len(members), (RESAMPLES, max(1, len(members) - 1)))
        for resample, drawn in enumerate(draws):
            weights[resample, members] = np.bincount(drawn, minlength=len(members))
    values, resampled = [], np.zeros(RESAMPLES)
    against = [1] if k == 2 else classes
    for c in against:
        inside, outside = true == c, true != c
        s = probabilities[:, c]
        above = s[inside][:, None] - s[outside]
        wins = (above > 0) + 0.5 * (above == 0)  # (members, others)
        values.append(wins.mean())
        pairs = weights[:, inside].sum(axis=1) * weights[:, outside].sum(axis=1)
        resampled += ((weights[:, inside] @ wins) * weights[:, outside]).sum(axis=1) / pairs
    value = float(np.mean(values))
    smallest = min(int((true == c).sum()) for c in classes)
    return value, _percentiles(value, resampled / len(against), smallest)


def balanced_accuracy(true: np.ndarray, predicted: np.ndarray, k: int) -> Array:
    """Mean recall over the classes that are there; leading axes of ``true`` and ``predicted`` stay.

    ``true`` (..., n) and ``predicted`` (..., n) class indices.
    """
    recalls, there = 0.0, 0
    for c in range(k):
        members = true == c
        count = members.sum(axis=-1)
        recalls = recalls + (members & (predicted == c)).sum(axis=-1) / np.maximum(count, 1)
        there = there + (count > 0)
    return np.asarray(recalls / there)


def permutation_p(true: np.ndarray, predicted: np.ndarray, blocks: np.ndarray, k: int) -> float:
    """p of balanced accuracy for predictions that do not depend on these labels.

    ``blocks`` (n,) keeps the shuffling inside stretches of time. Ojala and Garriga 2010.
    """
    observed = balanced_accuracy(true, predicted, k)
    rng = _rng()
    shuffled = np.stack([shuffle_within(true, blocks, rng) for _ in range(PERMUTATIONS)])
    null = balanced_accuracy(shuffled, np.broadcast_to(predicted, shuffled.shape), k)
    return p_from_null(float(observed), null)


def p_from_null(observed: float, null: Array) -> float:
    """Share of permutations at least as good, the observed one counted among them."""
    return float((1 + (null >= observed - 1e-12).sum()) / (1 + len(null)))


def shuffle_within(labels: np.ndarray, blocks: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A copy of ``labels`` shuffled inside each block."""
    out = labels.copy()
    for block in np.unique(blocks):
        members = np.flatnonzero(blocks == block)
        out[members] = labels[rng.permutation(members)]
    return out


def _percentiles(value: float, resampled: Array, smallest: int) -> Interval:
    low, high = np.percentile(resampled, [2.5, 97.5])
    if high - low < 1e-9:  # every class always or never right: nothing to resample
        return wilson(round(value * smallest), smallest)
    return float(low), float(high)


def _rng() -> np.random.Generator:
    return np.random.default_rng(SEED)
