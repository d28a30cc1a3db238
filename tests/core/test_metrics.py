"""Metrics: the numbers of scikit-learn, intervals that cover, and nulls that are what they say."""

import math
import time
from dataclasses import replace

import numpy as np
import pytest
import sklearn.metrics as reference

from rtbci.statistics import metrics
from rtbci.statistics.metrics import TASK1, measure, over_subjects, wolpaw
from rtbci.statistics.predictions import SHUFFLES, Predictions, shuffle_labels

LEVEL_ROUNDS = 300
FEW = 199  # shuffles, where many experiments are made


def some(n=400, k=5, skill=0.3, seed=0, equal=True, shuffles=SHUFFLES):
    """Predictions of a decoder with a little skill, in blocks of 50, 3.8 s a trial."""
    rng = np.random.default_rng(seed)
    true = rng.permutation(np.arange(n) % k) if equal else rng.choice(k, n, p=_uneven(k))
    odds = rng.standard_normal((n, k))
    odds[np.arange(n), true] += skill
    odds[:, 0] += 0.3  # it likes the first class
    p = np.exp(odds) / np.exp(odds).sum(axis=1, keepdims=True)
    return Predictions(true, p, np.arange(n) // 50, 3.8, shuffles)


def _uneven(k):
    weights = np.arange(1, k + 1, dtype=float)
    return weights / weights.sum()


@pytest.mark.parametrize("equal", [True, False], ids=["equal counts", "uneven counts"])
def test_values_are_those_of_scikit_learn(equal):
    p = some(equal=equal)
    found = measure(p)
    y, said, odds = p.true, p.predicted, p.probabilities
    expected = {
        "accuracy": reference.accuracy_score(y, said),
        "balanced_accuracy": reference.balanced_accuracy_score(y, said),
        "top_1": reference.top_k_accuracy_score(y, odds, k=1),
        "top_3": reference.top_k_accuracy_score(y, odds, k=3),
        "macro_f1": reference.f1_score(y, said, average="macro"),
        "kappa": reference.cohen_kappa_score(y, said),
        "log_loss": reference.log_loss(y, odds),
    }
    for name, value in expected.items():
        assert found[name].value == pytest.approx(value, abs=1e-12), name
    assert (p.table == reference.confusion_matrix(y, said)).all()


def test_a_class_that_is_not_there_counts_nowhere():
    p = some(k=4)
    without = p.true != 2
    part = Predictions(p.true[without], p.probabilities[without], p.blocks[without])
    with pytest.warns(UserWarning, match="y_pred contains classes not in y_true"):
        expected = reference.balanced_accuracy_score(part.true, part.predicted)
    assert metrics.balanced_accuracy(part).value == pytest.approx(expected)
    f1 = reference.f1_score(part.true, part.predicted, average="macro", labels=[0, 1, 3])
    assert metrics.macro_f1(part).value == pytest.approx(f1)
    assert metrics.log_loss(part).chance == pytest.approx(math.log(3))


def test_every_figure_carries_its_null():
    for name, figure in measure(some()).items():
        assert figure.name == name
        assert figure.n == 400
        assert figure.interval[0] <= figure.value <= figure.interval[1], name
        assert 0 < figure.p <= 1, name
        assert math.isfinite(figure.chance), name
        assert "1,000" in figure.null, name


def test_chance_is_one_in_k_with_equal_counts():
    p = some(k=20, n=1000)
    found = measure(replace(p, true=np.arange(1000) % 20, blocks=np.zeros(1000)))
    assert found["accuracy"].chance == pytest.approx(0.05)
    assert found["balanced_accuracy"].chance == pytest.approx(0.05)
    assert found["top_3"].chance == pytest.approx(0.15)
    assert found["kappa"].chance == pytest.approx(0, abs=0.002)
    assert found["log_loss"].chance == pytest.approx(math.log(20))


def test_naming_the_commonest_class_is_chance_whatever_the_counts():
    rng = np.random.default_rng(0)
    true = (rng.random(300) < 0.2).astype(int)
    lazy = np.tile([0.8, 0.2], (300, 1))
    found = measure(Predictions(true, lazy, np.zeros(300)))
    assert found["accuracy"].value > 0.7
    assert found["accuracy"].value == pytest.approx(found["accuracy"].chance)
    assert found["balanced_accuracy"].value == 0.5
    assert found["kappa"].value == pytest.approx(0, abs=1e-12)
    assert min(figure.p for figure in found.values() if figure.name != "calibration_error") > 0.9


def test_knowing_the_block_is_not_knowing_the_class():
    # each block holds mostly one class, and the decoder only names the block's class
    rng = np.random.default_rng(1)
    blocks = np.arange(400) // 50
    true = np.where(rng.random(400) < 0.8, blocks % 4, rng.integers(0, 4, 400))
    by_block = np.eye(4)[blocks % 4] * 0.7 + 0.075
    found = metrics.balanced_accuracy(Predictions(true, by_block, blocks))
    assert found.value > 0.7
    assert found.p == 1.0
    assert found.chance == pytest.approx(found.value)


def test_the_exact_expectation_is_the_mean_of_many_shuffles():
    p = replace(some(n=200, equal=False), shuffles=20_000)
    values = p.probabilities
    assert p.expected(values) == pytest.approx(p.under_shuffles(values).mean(), rel=2e-3)


def test_shuffled_labels_stay_in_their_blocks():
    blocks = np.repeat([5, 1, 9, 1], [30, 20, 30, 10])  # two parts of block 1, not of one size
    true = np.arange(90)
    rows = shuffle_labels(true, blocks, 50).astype(float)
    for block in (1, 5, 9):
        members = blocks == block
        assert (np.sort(rows[:, members], axis=1) == np.sort(true[members])).all()
    assert (rows != true).any(axis=1).all()
    assert len(np.unique(rows, axis=0)) == 50
    alike = np.asarray(np.corrcoef(rows[:, :30]))
    assert (np.abs(alike[np.triu_indices(50, 1)]) < 0.9).all()


@pytest.mark.parametrize("name", ["balanced_accuracy", "top_3", "macro_f1", "kappa", "log_loss"])
def test_without_skill_p_is_below_5_percent_in_5_percent(name):
    metric = {"top_3": metrics.top(3)}.get(name) or getattr(metrics, name)
    p = [metric(some(120, 4, 0.0, seed, False, FEW)).p for seed in range(LEVEL_ROUNDS)]
    share = np.mean(np.array(p) <= 0.05)
    assert 0.02 < share < 0.085  # 4 standard errors of 300 rounds are 0.05
    if name not in ("top_3", "kappa"):  # whole hits: ties make their p-values larger
        assert 0.40 < np.mean(np.array(p) <= 0.5) < 0.60


def calibrated(n, seed, sharpen=1.0, shuffles=FEW):
    """Labels drawn from the very probabilities (with ``sharpen`` 1) that are then stated."""
    rng = np.random.default_rng(seed)
    odds = rng.standard_normal((n, 4))
    honest = np.exp(odds) / np.exp(odds).sum(axis=1, keepdims=True)
    true = (honest.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)
    said = honest**sharpen
    said /= said.sum(axis=1, keepdims=True)
    return Predictions(true, said, np.zeros(n), None, shuffles)


def test_a_calibrated_decoder_is_called_miscalibrated_in_5_percent():
    found = [metrics.calibration_error(calibrated(150, seed)) for seed in range(LEVEL_ROUNDS)]
    assert 0.02 < np.mean([f.p <= 0.05 for f in found]) < 0.085
    values, chances = [f.value for f in found], [f.chance for f in found]
    assert np.mean(values) == pytest.approx(np.mean(chances), rel=0.05)
    assert np.mean(values) > 0.05  # though it is perfectly calibrated: why a null is needed


def test_a_decoder_that_is_too_sure_is_found_and_its_error_covered():
    truth = metrics.calibration_error(calibrated(400_000, 1, 2.5, 10)).value
    found = [metrics.calibration_error(calibrated(400, seed, 2.5)) for seed in range(100)]
    assert np.mean([f.p <= 0.01 for f in found]) > 0.95
    covered = np.mean([f.interval[0] <= truth <= f.interval[1] for f in found])
    assert covered >= 0.88


def test_the_bins_of_the_calibration_error_hold_equal_numbers():
    edges = metrics.bin_edges(103)
    sizes = np.diff([*edges, 103])
    assert len(sizes) == metrics.BINS
    assert sizes.max() - sizes.min() <= 1
    assert metrics.bin_edges(3).tolist() == [0, 1, 2]


@pytest.mark.parametrize("name", ["balanced_accuracy", "macro_f1", "kappa", "log_loss"])
def test_intervals_cover_the_truth(name):
    metric = getattr(metrics, name)
    truth = metric(some(40_000, 4, 0.8, 99, True, 1)).value
    found = [metric(some(200, 4, 0.8, seed, True, 1)).interval for seed in range(120)]
    assert np.mean([low <= truth <= high for low, high in found]) >= 0.88


def test_bits_are_those_of_wolpaw():
    # the worked figures of the formula: 2 classes at 90 %, 4 classes at 90 %, perfect, chance
    assert wolpaw(0.9, 2) == pytest.approx(0.531, abs=5e-4)
    assert wolpaw(0.9, 4) == pytest.approx(1.372, abs=1e-3)
    assert wolpaw(1.0, 8) == pytest.approx(3.0)
    assert wolpaw(0.25, 4) == pytest.approx(0.0)
    assert wolpaw(0.1, 4) == 0.0  # the formula itself would give bits below chance
    found = measure(some(skill=1.0))
    trial, minute = found["itr_bits_per_trial"], found["itr_bits_per_minute"]
    assert trial.value == pytest.approx(wolpaw(found["accuracy"].value, 5))
    assert minute.value == pytest.approx(trial.value * 60 / 3.8)
    assert 0 < trial.chance < 0.01  # luck alone gives a little


def test_without_a_trial_duration_there_are_no_bits_per_minute():
    figure = metrics.itr_per_minute(replace(some(), trial_s=None))
    assert math.isnan(figure.value)
    assert "not known" in figure.null


def test_equal_input_gives_equal_figures():
    assert measure(some()) == measure(some())


def test_over_subjects_the_interval_is_that_of_people():
    people = [metrics.balanced_accuracy(some(seed=seed)) for seed in range(12)]
    mean = over_subjects(people)
    values = np.array([figure.value for figure in people])
    assert mean.value == pytest.approx(values.mean())
    assert mean.n == 12
    half = 2.200985 * values.std(ddof=1) / math.sqrt(12)  # t of 11 degrees of freedom
    assert mean.interval == pytest.approx((values.mean() - half, values.mean() + half), abs=1e-6)
    assert mean.p < 0.01


@pytest.mark.parametrize("count", [1, 2])
def test_one_person_or_two_say_nothing_about_others(count):
    mean = over_subjects([metrics.kappa(some(seed=seed)) for seed in range(count)])
    assert math.isfinite(mean.value)
    assert math.isnan(mean.p)
    assert math.isnan(mean.interval[0])
    assert f"{count} subject" in mean.null


def test_lower_loss_is_better_over_subjects_and_error_has_no_better_side():
    losses = [metrics.log_loss(some(skill=1.5, seed=seed)) for seed in range(8)]
    assert all(figure.value < figure.chance for figure in losses)
    assert over_subjects(losses).p < 0.01
    errors = [metrics.calibration_error(some(seed=seed)) for seed in range(8)]
    assert math.isnan(over_subjects(errors).p)


@pytest.mark.slow
def test_the_whole_dataset_is_measured_in_seconds():
    rng = np.random.default_rng(0)
    true = np.concatenate([rng.permutation(np.arange(100) % 20) for _ in range(260)])
    p = rng.dirichlet(np.ones(20), len(true))
    began = time.process_time()
    found = measure(Predictions(true, p, np.repeat(np.arange(260), 100), 3.8))
    assert len(found) == len(TASK1)
    assert time.process_time() - began < 20  # 2.3 s on an idle core
    assert found["accuracy"].p > 0.001
