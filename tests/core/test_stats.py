"""The figures: intervals that cover, p-values that do not flatter, verdicts by the rules."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom, norm
from sklearn.metrics import accuracy_score, balanced_accuracy_score, roc_auc_score

from rtbci.statistics import scores
from rtbci.statistics.scores import (
    Scores,
    auc_interval,
    balanced_accuracy,
    p_from_null,
    permutation_p,
    score,
    shuffle_within,
    wilson,
)
from rtbci.statistics.verdict import Verdict, calibrated
from rtbci.types import Array

DISTANCE = 1.0  # standard deviations between two classes of simulated trials


def simulated(counts: tuple[int, ...], rng: np.random.Generator) -> tuple[np.ndarray, Array]:
    """True classes and the ideal observer's probabilities of normal evidence, one axis a class."""
    true = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    evidence = rng.standard_normal((len(true), len(counts)))
    evidence[np.arange(len(true)), true] += DISTANCE
    odds = np.exp(DISTANCE * evidence)
    return true, odds / odds.sum(axis=1, keepdims=True)


def perfect(counts: tuple[int, ...], wrong: bool = False) -> tuple[np.ndarray, Array]:
    """True classes and probabilities that are always right, or always wrong."""
    true = np.repeat(np.arange(len(counts)), counts)
    named = (true + 1) % len(counts) if wrong else true
    return true, np.where(np.arange(len(counts)) == named[:, None], 0.9, 0.1 / (len(counts) - 1))


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [  # Newcombe 1998, "Two-sided confidence intervals for the single proportion", method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilsons_interval_is_the_one_of_the_textbook(hits, n, low, high):
    assert wilson(hits, n) == pytest.approx((low, high), abs=5e-5)
    assert wilson(n - hits, n) == pytest.approx((1 - high, 1 - low), abs=5e-5)


@pytest.mark.parametrize("counts", [(40, 40), (170, 30), (25, 40, 10, 25)])
@pytest.mark.parametrize("digits", [1, 15], ids=["ties", "no ties"])
def test_figures_equal_those_of_scikit_learn(counts, digits):
    true, p = simulated(counts, np.random.default_rng(1))
    if digits == 1:
        p = np.round(p[:, :1], 1) if len(counts) == 2 else np.round(5 * p) / 5
        p = np.hstack([p, 1 - p]) if len(counts) == 2 else p
    auc, (low, high) = auc_interval(true, p)
    if len(counts) == 2:
        expected = roc_auc_score(true, p[:, 1])
    else:
        expected = np.mean([roc_auc_score(true == c, p[:, c]) for c in range(len(counts))])
    assert auc == pytest.approx(expected, abs=1e-12)
    assert low < auc < high
    scores = score(true, p, 0.5, 100)
    assert scores.accuracy == pytest.approx(accuracy_score(true, p.argmax(1)))
    assert scores.balanced_accuracy == pytest.approx(balanced_accuracy_score(true, p.argmax(1)))
    assert scores.auc == auc
    assert scores.majority == max(counts) / sum(counts)
    assert scores.chance == 1 / len(counts)


def test_four_classes_one_against_the_rest_equal_scikit_learns_macro_average():
    true, p = simulated((30, 20, 25, 15), np.random.default_rng(2))
    assert auc_interval(true, p)[0] == pytest.approx(roc_auc_score(true, p, multi_class="ovr"))


@pytest.mark.parametrize("counts", [(50, 50), (80, 20)], ids=["equal", "unequal"])
def test_intervals_hold_the_truth_about_as_often_as_they_say(counts):
    rng = np.random.default_rng(3)
    truth = {
        # two axes of evidence: their difference separates the classes by root two
        "auc": float(norm.cdf(DISTANCE)),
        "balanced_accuracy": float(norm.cdf(DISTANCE / np.sqrt(2))),
        "accuracy": float(norm.cdf(DISTANCE / np.sqrt(2))),
    }
    held = dict.fromkeys(truth, 0)
    for _ in range(200):
        scores = score(*simulated(counts, rng), 0.5, 100)
        for name, value in truth.items():
            low, high = getattr(scores, f"{name}_ci95")
            held[name] += low <= value <= high
    for name, count in held.items():
        assert 180 <= count <= 198, f"{name}: {count} of 200"


def test_equal_counts_get_wilsons_interval_and_unequal_ones_a_bootstrap():
    true, p = simulated((30, 30), np.random.default_rng(4))
    scores = score(true, p, 0.5, 100)
    hits = int((p.argmax(1) == true).sum())
    assert scores.interval == "wilson"
    assert scores.accuracy_ci95 == scores.balanced_accuracy_ci95 == wilson(hits, 60)
    true, p = simulated((40, 20), np.random.default_rng(4))
    assert score(true, p, 0.5, 100).interval == "stratified bootstrap"


@pytest.mark.parametrize("counts", [(20, 20), (30, 10), (12, 20, 9)])
@pytest.mark.parametrize("wrong", [False, True])
def test_an_interval_has_a_width_even_where_every_trial_was_right_or_wrong(counts, wrong):
    scores = score(*perfect(counts, wrong), 0.001, 1000)
    value = float(not wrong)
    for name in ("accuracy", "balanced_accuracy"):
        assert getattr(scores, name) == value
        low, high = getattr(scores, f"{name}_ci95")
        assert 0.05 < high - low < 0.35, name
        assert low <= value <= high
    low, high = scores.auc_ci95
    assert high - low > 0.05
    if not wrong:
        assert scores.auc == 1.0


def verdict(scores: Scores) -> Verdict:
    low = scores.balanced_accuracy_ci95[0]
    return calibrated(scores.p_value, low, scores.chance, scores.n)


def test_a_single_class_has_no_auc_and_no_evidence():
    true, p = np.zeros(30, int), np.tile([0.7, 0.3], (30, 1))
    scores = score(true, p, 1.0, 100)
    assert np.isnan(scores.auc)
    assert np.isnan(scores.auc_ci95).all()
    assert (scores.accuracy, scores.balanced_accuracy, scores.chance) == (1.0, 1.0, 1.0)
    assert verdict(scores).word == "NO-GO"


def test_an_interval_has_a_width_where_each_class_was_always_or_never_right():
    true, p = perfect((12, 20, 9))
    p[true == 2] = p[true == 1][0]  # the third class is always taken for the second
    scores = score(true, p, 0.001, 1000)
    assert scores.balanced_accuracy == pytest.approx(2 / 3)
    for name in ("accuracy", "balanced_accuracy", "auc"):
        low, high = getattr(scores, f"{name}_ci95")
        assert low + 0.1 < getattr(scores, name) < high - 0.02, name


def test_the_same_trials_give_the_same_figures_every_time():
    true, p = simulated((40, 25), np.random.default_rng(5))
    assert score(true, p, 0.5, 100) == score(true, p, 0.5, 100)


def test_a_decoder_that_always_names_the_commonest_class_is_at_chance():
    true = np.repeat([0, 1], [85, 15])
    p = np.tile([0.85, 0.15], (100, 1))
    scores = score(true, p, 1.0, 100)
    assert scores.accuracy == scores.majority == 0.85
    assert scores.balanced_accuracy == scores.chance == scores.auc == 0.5


def test_balanced_accuracy_of_many_shuffles_at_once_equals_one_by_one():
    rng = np.random.default_rng(6)
    true, named = rng.integers(0, 3, (50, 40)), rng.integers(0, 3, (50, 40))
    expected = [balanced_accuracy_score(t, n) for t, n in zip(true, named, strict=True)]
    assert balanced_accuracy(true, named, 3) == pytest.approx(np.array(expected))


def test_p_counts_the_observed_value_among_the_shuffles():
    null = np.array([0.4, 0.5, 0.5, 0.6])
    assert p_from_null(0.7, null) == 1 / 5
    assert p_from_null(0.5, null) == 4 / 5
    assert p_from_null(0.1 + 0.2, np.array([0.3])) == 1.0  # equal but for rounding is not better


def test_shuffling_stays_inside_blocks():
    labels, blocks = np.arange(30) % 3, np.repeat(np.arange(5), 6)
    shuffled = shuffle_within(labels, blocks, np.random.default_rng(7))
    assert not np.array_equal(shuffled, labels)
    for block in range(5):
        assert sorted(shuffled[blocks == block]) == sorted(labels[blocks == block])


def test_p_of_predictions_that_know_nothing_is_small_as_rarely_as_it_says(monkeypatch):
    monkeypatch.setattr(scores, "PERMUTATIONS", 200)
    rng, blocks = np.random.default_rng(8), np.repeat(np.arange(4), 60)
    p = np.array(
        [
            permutation_p(rng.permutation(np.arange(240) % 2), rng.integers(0, 2, 240), blocks, 2)
            for _ in range(200)
        ]
    )
    for level in (0.05, 0.2, 0.5):
        low, high = binom.ppf([0.001, 0.999], 200, level)
        # ties of a discrete figure count against the decoder: never too often, a little too rarely
        assert 0.5 * low <= (p <= level).sum() <= high, level


def test_p_is_small_for_predictions_that_know_the_classes():
    true, p = simulated((60, 60), np.random.default_rng(9))
    assert permutation_p(true, p.argmax(1), np.zeros(120, int), 2) < 0.001


def test_knowing_the_time_instead_of_the_class_is_not_significant():
    rng, blocks = np.random.default_rng(10), np.repeat([0, 1], 100)
    share = np.where(blocks == 0, 0.8, 0.2)  # the first half holds mostly class 1
    true, named = (rng.random(200) < share).astype(int), (rng.random(200) < share).astype(int)
    assert permutation_p(true, named, np.zeros(200, int), 2) < 0.01
    assert permutation_p(true, named, blocks, 2) > 0.05


def passing_scores(**values) -> Scores:
    """Figures of a decoder that deserves GO, but for ``values``."""
    return replace(
        Scores(
            n=40, accuracy=0.7, accuracy_ci95=(0.55, 0.82), balanced_accuracy=0.7,
            balanced_accuracy_ci95=(0.55, 0.82), auc=0.75, auc_ci95=(0.6, 0.9), chance=0.5,
            majority=0.5, p_value=0.01, permutations=1000, interval="wilson",
        ),
        **values,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("values", "said", "because"),
    [
        ({}, "GO", "above chance (p = 0.01)"),
        ({"n": 39}, "CAUTION", "only 39 test trials"),
        ({"p_value": 0.0101}, "CAUTION", "perhaps above chance"),
        ({"balanced_accuracy_ci95": (0.5, 0.8)}, "CAUTION", "perhaps above chance"),
        ({"p_value": 0.05}, "CAUTION", "perhaps above chance"),
        ({"p_value": 0.0501}, "NO-GO", "not above chance"),
        ({"p_value": 1.0, "balanced_accuracy": 0.9}, "NO-GO", "not above chance (p = 1)"),
    ],
)
def test_the_verdict_keeps_its_rules(values, said, because):
    found = verdict(passing_scores(**values))
    assert found.word == said
    assert because in found.reason
    assert found.above_chance is (said == "GO" or "but only" in found.reason)
