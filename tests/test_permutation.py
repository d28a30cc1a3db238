"""Shuffled labels: the quick refit is the slow one, and chance is where it belongs."""

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from calibration import evoked, oscillation, permutation
from calibration.permutation import Part, null_distribution, refit_logistic
from rtbci.stats import balanced_accuracy, p_from_null
from rtbci.types import Array

RATE = 128.0


def nothing(_done: int, _of: int) -> None:
    """Progress that nobody looks at."""


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
        head = evoked.logistic().set_params(tol=1e-8).fit(x, each)
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
    slow = evoked.logistic().fit(x, y).decision_function(x)
    assert quick[:, 1] - quick[:, 0] == pytest.approx(slow, abs=0.02 * slow.std())


def test_a_shuffle_without_a_class_gives_numbers_all_the_same():
    x, y, new = features(3, 30, 6, 1.0)
    found = refit_logistic(x, np.stack([np.where(y == 2, 0, y)]), new, 3)
    assert np.isfinite(found).all()


def test_the_quick_discriminant_is_scikit_learns_with_the_covariance_kept():
    x, y, new = features(3, 150, 12, 1.5)
    lda = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=np.full(3, 1 / 3))
    expected = lda.fit(x, y).decision_function(new)
    found = permutation._refit_lda(x, y, y[None], new, 3)[0]
    difference = found - expected  # one number a trial may be common to the classes
    assert difference - difference.mean(axis=1, keepdims=True) == pytest.approx(
        np.zeros_like(difference), abs=1e-8
    )


def evoked_parts(gain: float) -> tuple[list[Part], np.ndarray, np.ndarray]:
    """Four outer parts of 120 trials, their classes and blocks."""
    rng = np.random.default_rng(3)
    y = np.concatenate([rng.permutation(np.arange(30) % 2) for _ in range(4)])
    x = rng.standard_normal((120, 2, 3, 90)).cumsum(axis=3)
    x -= x.mean(axis=3, keepdims=True)
    x[y == 1, :, 0] += gain * np.hanning(90)
    blocks = np.repeat(np.arange(4), 30)
    parts = []
    for block in range(4):
        train, test = np.flatnonzero(blocks != block), np.flatnonzero(blocks == block)
        decoder = evoked.fit(x[train], y[train], ("a", "b"), RATE)
        parts.append(Part(train, test, x[train], x[test], decoder))
    return parts, y, blocks


@pytest.mark.parametrize("gain", [0.0, 12.0])
def test_the_null_lies_at_chance_whether_there_is_a_response_or_not(gain, monkeypatch):
    monkeypatch.setattr(permutation, "HEADS", 300)
    parts, y, blocks = evoked_parts(gain)
    null, how = null_distribution(parts, y, blocks, 2, nothing)
    assert null.shape == (300,)
    assert how == "300 shuffles within blocks, heads refitted, embedding frozen"
    assert null.mean() == pytest.approx(0.5, abs=0.03)
    assert 0.02 < null.std() < 0.09
    logits = np.concatenate([part.decoder.logits(part.x_test) for part in parts])
    observed = float(balanced_accuracy(y, logits.argmax(axis=1), 2))
    if gain:
        assert observed > 0.75
        assert p_from_null(observed, null) < 0.01
    else:
        assert p_from_null(observed, null) > 0.01


def test_labels_are_shuffled_inside_blocks_and_the_heads_see_the_training_ones(monkeypatch):
    monkeypatch.setattr(permutation, "HEADS", 25)
    parts, y, blocks = evoked_parts(0.0)
    seen: list[tuple[int, np.ndarray]] = []
    heads = permutation._heads

    def spy(part: Part, y: np.ndarray, shuffled: np.ndarray, k: int) -> Array:
        seen.append((int(blocks[part.test[0]]), shuffled))
        return heads(part, y, shuffled, k)

    monkeypatch.setattr(permutation, "_heads", spy)
    null_distribution(parts, y, blocks, 2, nothing)
    assert [block for block, _ in seen] == [0, 1, 2, 3]
    for block, shuffled in seen:
        inside = blocks[blocks != block]
        assert shuffled.shape == (25, 90)
        assert len(np.unique(shuffled, axis=0)) == 25
        for other in np.unique(inside):
            counts = np.bincount(y[blocks == other], minlength=2)
            for labels in shuffled[:, inside == other]:
                assert np.bincount(labels, minlength=2).tolist() == counts.tolist()


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
        parts.append(Part(train, test, x[train], x[test], decoder, prepared))
    fits = 0
    fit = oscillation.Prepared.fit

    def counted(self, labels):
        nonlocal fits
        fits += 1
        return fit(self, labels)

    monkeypatch.setattr(oscillation.Prepared, "fit", counted)
    null, how = null_distribution(parts, y, blocks, 2, nothing)
    assert fits == 3 * 20
    assert how == "20 shuffles within blocks, the whole fit and its choice repeated"
    assert null.mean() == pytest.approx(0.5, abs=0.08)


def test_the_null_is_the_same_every_time(monkeypatch):
    monkeypatch.setattr(permutation, "HEADS", 50)
    parts, y, blocks = evoked_parts(0.0)
    one, again = (null_distribution(parts, y, blocks, 2, nothing)[0] for _ in range(2))
    assert np.array_equal(one, again)
