"""Shuffled labels: the quick refit is the slow one, and chance is where it belongs."""

import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf
from sklearn.linear_model import LogisticRegression

from calibration.fitting import evoked, oscillation, permutation
from calibration.fitting.logistic import refit_logistic
from calibration.fitting.permutation import OuterPart, permutation_test
from rtbci.types import Array

RATE = 128.0


def nothing(_done: int, _of: int) -> None:
    """Progress that nobody looks at."""


def regression() -> LogisticRegression:
    """The head of the tangent-space members."""
    return LogisticRegression(C=1.0, class_weight="balanced", max_iter=2000, tol=1e-8)


def features(k: int, n: int, d: int, gain: float, seed: int = 0) -> tuple[Array, np.ndarray, Array]:
    """Training features, classes, and as many test features."""
    rng = np.random.default_rng([seed, k, n, d])
    y = np.arange(n) % k
    centres = gain * rng.standard_normal((k, d)) / np.sqrt(d)
    scales = np.geomspace(2, 0.05, d)  # tangent vectors: a few strong directions, many weak
    x, new = (centres[y] + rng.standard_normal((n, d)) * scales for _ in range(2))
    return x, y, new


@pytest.mark.parametrize(
    ("k", "n", "d"), [(2, 120, 36), (2, 60, 300), (4, 160, 55), (4, 80, 210), (3, 400, 20)]
)
@pytest.mark.parametrize("gain", [0.0, 2.0])
def test_the_quick_regression_gives_scikit_learns_log_odds(k, n, d, gain):
    x, y, new = features(k, n, d, gain)
    rng = np.random.default_rng(1)
    labels = np.stack([y, rng.permutation(y), rng.permutation(y), rng.permutation(np.sort(y))])
    found = refit_logistic(x, labels, new, k)
    assert found.shape == (4, n, k)
    for each, quick in zip(labels, found, strict=True):
        head = regression().fit(x, each)
        slow = head.decision_function(new)
        slow = np.stack([-slow / 2, slow / 2], axis=1) if k == 2 else slow
        slow = slow - slow.mean(axis=1, keepdims=True)
        quick = quick - quick.mean(axis=1, keepdims=True)
        # 2 % of their spread, and the same class but for ties
        assert np.sqrt(((quick - slow) ** 2).mean()) < 0.02 * slow.std()
        assert (quick.argmax(axis=1) == slow.argmax(axis=1)).mean() > 0.96


def test_unequal_classes_weigh_the_same():
    rng = np.random.default_rng(2)
    y = np.repeat([0, 1], [100, 20])
    x = rng.standard_normal((120, 5)) + y[:, None]
    quick = refit_logistic(x, y[None], x, 2)[0]
    slow = regression().fit(x, y).decision_function(x)
    assert quick[:, 1] - quick[:, 0] == pytest.approx(slow, abs=0.02 * slow.std())


def test_a_shuffle_without_a_class_gives_numbers_all_the_same():
    x, y, new = features(3, 30, 6, 1.0)
    found = refit_logistic(x, np.stack([np.where(y == 2, 0, y)]), new, 3)
    assert np.isfinite(found).all()


def test_the_quick_discriminant_is_the_formula_row_by_row():
    x, y, new = features(3, 150, 12, 1.5)
    rng = np.random.default_rng(5)
    labels = np.stack([y, rng.permutation(y)])
    found = permutation._refit_lda(x, labels, new, 3)
    assert found.shape == (2, 150, 3)
    inverse = np.linalg.inv(ledoit_wolf(x)[0])
    for each, quick in zip(labels, found, strict=True):
        means = np.stack([x[each == c].mean(axis=0) for c in range(3)])
        expected = new @ inverse @ means.T - np.einsum("cd,de,ce->c", means, inverse, means) / 2
        assert quick == pytest.approx(expected, abs=1e-8)


def evoked_parts(
    gain: float, seed: int = 3, k: int = 2
) -> tuple[list[OuterPart], np.ndarray, np.ndarray]:
    """Four outer parts of 120 trials, their classes and blocks."""
    rng = np.random.default_rng(seed)
    y = np.concatenate([rng.permutation(np.arange(30) % k) for _ in range(4)])
    x = rng.standard_normal((120, 2, 3, 90)).cumsum(axis=3)
    x -= x.mean(axis=3, keepdims=True)
    x[y == 1, :, 0] += gain * np.hanning(90)
    blocks = np.repeat(np.arange(4), 30)
    parts = []
    for block in range(4):
        train, test = np.flatnonzero(blocks != block), np.flatnonzero(blocks == block)
        decoder = evoked.fit(x[train], y[train], tuple("abcd"[:k]), RATE)
        parts.append(OuterPart(train, test, x[train], x[test], decoder))
    return parts, y, blocks


@pytest.mark.parametrize("gain", [0.0, 12.0])
def test_the_null_lies_at_chance_whether_there_is_a_response_or_not(gain, monkeypatch):
    monkeypatch.setattr(permutation, "HEADS", 300)
    parts, y, blocks = evoked_parts(gain)
    p, null, how = permutation_test(parts, y, blocks, RATE, nothing)
    assert null.shape == (300,)
    assert how == "300 shuffles within blocks, heads refitted, features unlabelled"
    assert null.mean() == pytest.approx(0.5, abs=0.03)
    assert 0.02 < null.std() < 0.09
    if gain:
        assert p < 0.01
    else:
        assert p > 0.01


@pytest.mark.parametrize("k", [2, 4])
def test_noise_is_rarely_called_above_chance(k, monkeypatch):
    monkeypatch.setattr(permutation, "HEADS", 100)
    p = []
    for seed in range(20):
        parts, y, blocks = evoked_parts(0.0, seed, k)
        p.append(permutation_test(parts, y, blocks, RATE, nothing)[0])
    assert sum(each <= 0.05 for each in p) <= 3  # one is expected
    assert 0.3 < np.mean(p) < 0.7


def test_the_first_row_is_the_truth_and_the_rest_are_shuffled_inside_blocks(monkeypatch):
    monkeypatch.setattr(permutation, "HEADS", 25)
    parts, y, blocks = evoked_parts(0.0)
    seen: list[tuple[int, np.ndarray]] = []
    heads = permutation._heads

    def spy(part, labels, classes, rate, step):
        seen.append((int(blocks[part.test[0]]), labels))
        return heads(part, labels, classes, rate, step)

    monkeypatch.setattr(permutation, "_heads", spy)
    permutation_test(parts, y, blocks, RATE, nothing)
    assert [block for block, _ in seen] == [0, 1, 2, 3]
    for block, labels in seen:
        inside = blocks[blocks != block]
        assert labels.shape == (26, 90)
        assert np.array_equal(labels[0], y[blocks != block])
        assert len(np.unique(labels, axis=0)) == 26
        for other in np.unique(inside):
            counts = np.bincount(y[blocks == other], minlength=2)
            for each in labels[:, inside == other]:
                assert np.bincount(each, minlength=2).tolist() == counts.tolist()


def test_truth_and_shuffles_are_treated_alike(monkeypatch):
    monkeypatch.setattr(permutation, "HEADS", 40)
    parts, y, _ = evoked_parts(0.0)
    given = np.stack([np.random.default_rng(n).permutation(y) for n in range(40)])
    for part in parts:
        everything = permutation._heads(
            part, given[:, part.train], ("a", "b"), RATE, lambda _: None
        )
        alone = permutation._heads(part, given[7:8, part.train], ("a", "b"), RATE, lambda _: None)
        assert (everything[7] == alone[0]).mean() > 0.96


def test_the_features_of_the_test_have_seen_no_label(monkeypatch):
    fitted: list[np.ndarray] = []
    embed = evoked.embed

    def spy(x, y, classes, rate, xdawn):
        fitted.append(y)
        return embed(x, y, classes, rate, xdawn)

    parts, y, blocks = evoked_parts(0.0)
    monkeypatch.setattr(permutation, "HEADS", 10)
    monkeypatch.setattr(evoked, "embed", spy)
    permutation_test(parts, y, blocks, RATE, nothing)
    assert len(fitted) == 4
    assert all(len(np.unique(labels)) == 1 for labels in fitted)


def test_of_oscillations_everything_is_repeated_the_choice_included(monkeypatch):
    monkeypatch.setattr(permutation, "REPEATS", 20)
    rng = np.random.default_rng(4)
    y = np.concatenate([rng.permutation(np.arange(16) % 2) for _ in range(3)])
    x = rng.standard_normal((48, 5, 3, 128))
    blocks = np.repeat(np.arange(3), 16)
    parts = []
    for block in range(3):
        train, test = np.flatnonzero(blocks != block), np.flatnonzero(blocks == block)
        prepared = oscillation.prepare(x[train], ("a", "b"), RATE, (6.0, 40.0), (15.0, 10.0))
        decoder, _ = prepared.fit(y[train])
        parts.append(OuterPart(train, test, x[train], x[test], decoder, prepared))
    fits = 0
    fit = oscillation.Prepared.fit

    def counted(self, labels):
        nonlocal fits
        fits += 1
        return fit(self, labels)

    monkeypatch.setattr(oscillation.Prepared, "fit", counted)
    p, null, how = permutation_test(parts, y, blocks, RATE, nothing)
    assert fits == 3 * 21
    assert how == "20 shuffles within blocks, the whole fit and its choice repeated"
    assert null.mean() == pytest.approx(0.5, abs=0.08)
    assert p >= 1 / 21


def test_the_test_is_the_same_every_time_and_tells_how_far_it_is(monkeypatch):
    monkeypatch.setattr(permutation, "HEADS", 50)
    parts, y, blocks = evoked_parts(0.0)
    steps: list[tuple[int, int]] = []
    one = permutation_test(parts, y, blocks, RATE, lambda *step: steps.append(step))
    again = permutation_test(parts, y, blocks, RATE, nothing)
    assert one[0] == again[0]
    assert np.array_equal(one[1], again[1])
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)
    assert steps[-1][0] == steps[-1][1]
