"""Label-free alignment: nothing before evidence, undoes gains and mixes, never looks ahead."""

from dataclasses import replace

import numpy as np
import pytest

from calibration.fitting.training import CalibrationSettings, calibrate
from calibration.fitting.trials import Trials, cut
from rtbci.decoding import recentering
from rtbci.decoding.bundle import Bundle
from rtbci.decoding.recentering import Recentering, between, covariances, reference
from rtbci.decoding.scorer import Scorer, decoder_input
from rtbci.signal.recording import Recording
from rtbci.statistics.scores import auc_interval
from rtbci.types import Array
from sims.generate import generate

LABELS = {"1": "house", "2": "face"}
CHANNELS = 8


def made(seed: int, n_trials: int = 100) -> Recording:
    """A recording of one person."""
    return generate(seed, n_trials=n_trials, soa=1.1, channels=CHANNELS)


def remixed(recording: Recording, mix: Array) -> Recording:
    """The same head under other electrodes: every sample through ``mix``."""
    return replace(recording, signal=(recording.signal @ mix.T).astype(np.float32))


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    """Trained on two recordings of one session; its gate is not asked here."""
    found = calibrate(
        [made(1), made(2)], CalibrationSettings("sub-01", LABELS), lambda *_: None, permute=False
    )
    return replace(found.bundle, template=None)


@pytest.fixture(scope="module")
def then(bundle) -> Array:
    """The calibration's covariances."""
    return reference(inputs(windows(made(1), bundle), bundle))


def windows(recording: Recording, bundle: Bundle) -> Trials:
    """The whole trials of a recording as they are cut live."""
    return cut(recording, bundle.recipe, bundle.labels, bundle.decoder.classes)


def inputs(trials: Trials, bundle: Bundle) -> Array:
    """What the decoder sees of them."""
    return np.stack([decoder_input(bundle.recipe, x, 0) for x in trials.x])


def auc(recording: Recording, bundle: Bundle, then: Array | None) -> float:
    """Of all trials, decoded one after the other."""
    trials = windows(recording, bundle)
    judge = Scorer(bundle.recipe, bundle.decoder, None, then=then)
    logits = np.array([judge(x).logits for x in trials.x])
    return auc_interval(trials.y, logits)[0]


def some(seed: int, n: int = 5, streams: int = 2) -> Array:
    """Covariances (streams, n, n)."""
    a = np.random.default_rng(seed).standard_normal((streams, n, 3 * n))
    return a @ np.swapaxes(a, -1, -2) / n


def test_the_map_turns_one_covariance_into_the_other_and_is_symmetric():
    now, target = some(1), some(2)
    maps = between(now, target)
    assert maps == pytest.approx(np.swapaxes(maps, -1, -2))
    assert maps @ now @ maps == pytest.approx(target)
    assert (np.linalg.eigvalsh(maps) > 0).all()


def test_between_equal_covariances_lies_nothing():
    assert between(some(3), some(3)) == pytest.approx(np.stack([np.eye(5)] * 2))


def test_where_only_gains_changed_the_map_undoes_just_that():
    gains = np.diag([0.5, 2, 1, 3, 0.8])
    target = some(4)
    expected = np.stack([np.linalg.inv(gains)] * 2)
    assert between(gains @ target @ gains, target) == pytest.approx(expected)


def test_an_electrode_without_a_signal_gives_numbers():
    now = some(5)
    now[:, 2] = now[:, :, 2] = 0
    assert np.isfinite(between(now, some(6))).all()
    assert np.isfinite(between(some(6), now)).all()
    assert np.isfinite(between(np.zeros((2, 5, 5)), now)).all()


def test_a_share_of_the_way_is_a_power_of_the_map():
    whole, half = between(some(1), some(2)), between(some(1), some(2), 0.5)
    assert half @ half == pytest.approx(whole)
    assert between(some(1), some(2), 0.0) == pytest.approx(np.stack([np.eye(5)] * 2))


def test_before_evidence_it_is_the_identity(bundle, then):
    follower = Recentering(then)
    x = inputs(windows(made(3, 20), bundle), bundle)
    for trial in x[: recentering.EVERY - 1]:
        assert follower.apply(trial) is trial
        follower.after(trial)
    follower.after(x[4])  # and then it begins with a small step
    assert follower.apply(x[5]) == pytest.approx(x[5], abs=0.3 * abs(x[5]).max())


def test_what_is_not_all_there_teaches_nothing(then):
    follower = Recentering(then)
    for _ in range(20):
        follower.after(np.full((2, CHANNELS, 50), np.nan))
    assert follower.apply(then) is then


def test_a_session_with_other_gains_and_another_mix_is_brought_back(bundle, then):
    figures = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        gains = np.diag(np.exp(rng.normal(0, 0.5, CHANNELS)))
        mix = (np.eye(CHANNELS) + 0.3 * rng.standard_normal((CHANNELS, CHANNELS))) @ gains
        test = made(20 + seed, 150)
        moved = remixed(test, mix)
        figures.append(
            (auc(test, bundle, None), auc(moved, bundle, None), auc(moved, bundle, then))
        )
    stable, without, found = np.mean(figures, axis=0)
    print(f"AUC {stable:.3f}, remixed {without:.3f}, aligned {found:.3f}")
    assert without < stable - 0.03
    assert found - without > (stable - without) / 3


def test_a_stable_session_loses_no_more_than_noise(bundle, then):
    test = made(9, 240)
    assert auc(test, bundle, then) > auc(test, bundle, None) - 0.02


def test_a_trial_changes_nothing_before_its_decision_is_out(bundle, then):
    trials = windows(made(10, 60), bundle)
    judge = Scorer(bundle.recipe, bundle.decoder, None, then=then)
    whole = [judge(x).logits for x in trials.x]
    judge = Scorer(bundle.recipe, bundle.decoder, None, then=then)
    first = [judge(x).logits for x in trials.x[:40]]
    again = judge(trials.x[41]).logits  # another trial in the place of the fortieth
    assert np.array_equal(whole[:40], first)
    assert not np.array_equal(again, whole[40])
    plain = Scorer(bundle.recipe, bundle.decoder, None)
    assert np.array_equal(whole[0], plain(trials.x[0]).logits)


def test_sliding_windows_are_aligned_and_teach_nothing(bundle, then):
    recipe, trials = bundle.recipe, windows(made(11, 40), bundle)
    one, other = (Scorer(recipe, bundle.decoder, None, then=then) for _ in range(2))
    before = recipe.unlocked_first - recipe.first
    width = recipe.samples(recipe.window[1]) - recipe.unlocked_first
    pieces = [x[..., before : before + width] for x in trials.x]
    for x, piece in zip(trials.x, pieces, strict=True):
        other(piece, locked=False)
        assert np.array_equal(one(x).logits, other(x).logits)
    unaligned = Scorer(recipe, bundle.decoder, None)(pieces[-1], locked=False).logits
    assert not np.allclose(other(pieces[-1], locked=False).logits, unaligned)


def test_trials_beyond_the_limit_teach_nothing(bundle, then):
    trials = windows(made(12, 40), bundle)
    one, other = (Scorer(bundle.recipe, bundle.decoder, None, then=then) for _ in range(2))
    for x in trials.x[:30]:
        one(x)
        other(x)
        assert not other(1000 * x).kept
    assert np.array_equal(one(trials.x[31]).logits, other(trials.x[31]).logits)


def test_the_reference_is_the_mean_of_limited_covariances():
    x = np.random.default_rng(13).normal(0, 20, (6, 2, 3, 40))
    limited = np.clip(x, -recentering.CLIP, recentering.CLIP)
    expected = [[np.cov(limited[i, s], bias=True) for s in range(2)] for i in range(6)]
    assert reference(x) == pytest.approx(np.mean(expected, axis=0))
    assert covariances(x[0]) == pytest.approx(np.array(expected[0]))
