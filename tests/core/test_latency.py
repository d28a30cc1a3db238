"""The latency gate: quiet where nothing moved, right where it did, and never with hindsight."""

from dataclasses import replace

import numpy as np
import pytest

from calibration.fitting import latency_template
from calibration.fitting.latency_template import FEWEST_TRIALS
from calibration.fitting.training import CalibrationSettings, calibrate
from calibration.fitting.trials import Trials, cut
from rtbci.decoding.bundle import Bundle
from rtbci.decoding.latency_gate import EVERY, LatencyGate, lagged_bins, lags
from rtbci.decoding.pipeline import Pipeline
from rtbci.decoding.scorer import Scorer, decoder_input
from rtbci.signal.recording import Recording
from rtbci.statistics.scores import auc_interval
from rtbci.types import Answer
from sims.generate import generate

LABELS = {"1": "house", "2": "face"}
JUMP = 0.05  # s
RATE = 250.0


def nothing(_stage: str, _done: int, _of: int) -> None:
    """Progress that nobody looks at."""


def made(seed: int, **more) -> Recording:
    """A recording of one person."""
    return generate(seed, **{"n_trials": 80, "soa": 1.2, "channels": 4, **more})


def later(recording: Recording, seconds: float) -> Recording:
    """The same with every response ``seconds`` later after its marker."""
    shift = round(seconds * recording.info.rate)
    return replace(
        recording, markers=tuple(replace(m, index=m.index - shift) for m in recording.markers)
    )


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    """Trained on two stable recordings."""
    return calibrate(
        [made(1), made(2)], CalibrationSettings("sub-01", LABELS), nothing, permute=False
    ).bundle


def windows(recording: Recording, bundle: Bundle) -> Trials:
    """The whole trials of a recording as they are cut live."""
    return cut(recording, bundle.recipe, bundle.labels, bundle.decoder.classes)


def gate(bundle: Bundle) -> LatencyGate:
    """A gate that has seen nothing."""
    assert bundle.template is not None
    return LatencyGate(bundle.recipe, bundle.template)


def followed(bundle: Bundle, trials: Trials) -> list[int]:
    """The lag used for each trial, in samples."""
    judge = Scorer(bundle.recipe, bundle.decoder, bundle.template)
    return [judge(x)[1] for x in trials.x]


def test_the_lags_that_are_tried_lie_evenly_around_nothing(bundle):
    tried = lags(bundle.recipe)
    assert tried[len(tried) // 2] == 0
    assert np.array_equal(tried, -tried[::-1])
    assert (np.diff(tried) == 2).all()  # 8 ms at 250 Hz
    assert abs(tried).max() <= 0.148 * RATE


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_a_stable_recording_is_left_alone(bundle, seed):
    assert set(followed(bundle, windows(made(seed), bundle))) == {0}


@pytest.mark.parametrize("jump", [JUMP, -JUMP])
def test_a_jump_of_50_ms_is_found_after_enough_trials(bundle, jump):
    used = followed(bundle, windows(later(made(14, n_trials=120), jump), bundle))
    assert not any(used[:FEWEST_TRIALS])
    assert 1000 * np.array(used[-40:]) / RATE == pytest.approx(1000 * jump, abs=17)


def test_following_the_jump_improves_the_decoding(bundle):
    recording = later(made(15, n_trials=120), JUMP)
    figures = []
    for each in (bundle, replace(bundle, template=None)):
        decided = [d for d in Pipeline(each).run(recording.items()) if d.label][40:]
        true = np.array([each.decoder.classes.index(d.true or "") for d in decided])
        p = np.array([list(d.probabilities.values()) for d in decided])
        figures.append(auc_interval(true, p)[0])
    with_gate, without = figures
    assert with_gate > without + 0.05
    stable = [d for d in Pipeline(bundle).run(made(15, n_trials=120).items()) if d.label][40:]
    hits = np.mean([d.label == d.true for d in stable])
    assert with_gate > hits - 0.1  # about as good as if nothing had moved


def test_the_shift_is_told_with_the_decision(bundle):
    recording = later(made(16, n_trials=100), JUMP)
    flags = [flag for d in Pipeline(bundle).run(recording.items()) for flag in d.flags]
    told = {flag for flag in flags if flag.startswith("lag ")}
    assert told
    assert all(flag.startswith("lag +") and flag.endswith(" ms") for flag in told)
    stable = [flag for d in Pipeline(bundle).run(made(16).items()) for flag in d.flags]
    assert not any(flag.startswith("lag ") for flag in stable)


def test_noise_never_moves_it(bundle):
    moved = {}
    for seed in range(20):
        recording = made(100 + seed, n_trials=90, soa=0.9, strength="none")
        rng = np.random.default_rng(seed)  # onsets that no response is locked to
        index = np.sort(rng.integers(500, recording.n_samples - 300, 120))
        markers = tuple(replace(recording.markers[0], index=int(i)) for i in index)
        follower = gate(bundle)
        for x in windows(replace(recording, markers=markers), bundle).x:
            follower.before()
            follower.after(x)
            if follower.estimate():
                moved[seed] = follower.estimate()
    assert not moved


def test_a_trial_is_judged_by_those_before_it_only(bundle):
    trials = windows(later(made(17, n_trials=60), JUMP), bundle)
    used = followed(bundle, trials)
    assert any(used)
    at = next(number for number, lag in enumerate(used) if lag)
    assert at % EVERY == 0
    judge = Scorer(bundle.recipe, bundle.decoder, bundle.template)
    for x in trials.x[:at]:
        judge(x)
    _, lag, *_ = judge(np.zeros_like(trials.x[at]))  # whatever this trial holds
    assert lag == used[at]


def test_what_comes_later_does_not_change_what_was_decided(bundle):
    recording = later(made(18, n_trials=80), JUMP)
    part = replace(recording, signal=recording.signal[: 60 * 250],
                   markers=tuple(m for m in recording.markers if m.index < 55 * 250))  # fmt: skip
    whole = Pipeline(bundle).run(recording.items())
    first = Pipeline(bundle).run(part.items())
    assert whole[: len(first)] == first


def test_the_estimate_changes_only_at_every_fifth_event(bundle):
    used = np.array(followed(bundle, windows(later(made(19, n_trials=100), JUMP), bundle)))
    assert all(change % EVERY == 0 for change in np.flatnonzero(np.diff(used)) + 1)


def test_trials_beyond_the_limit_and_cut_margins_leave_no_evidence(bundle):
    trials = windows(made(20), bundle)
    one, other = gate(bundle), gate(bundle)
    for x in trials.x[:30]:
        one.after(x)
        other.after(x)
    margin = trials.x[31].copy()
    margin[..., :3] = np.nan
    other.after(margin)
    assert np.array_equal(one._belief, other._belief)
    assert one._kept == other._kept == 30
    quiet, loud = (Scorer(bundle.recipe, bundle.decoder, bundle.template) for _ in range(2))
    for x in trials.x[:30]:
        quiet(x)
        loud(x)
    kept = loud(trials.x[31] * 100)[2]
    assert not kept
    for judge in (quiet, loud):  # the last lesson waits until its decision is out
        assert judge._gate is not None
        assert judge._gate._kept == (29 if judge is quiet else 30)
        judge.learn()
    assert loud._gate is not None
    assert quiet._gate is not None
    assert loud._gate._kept == quiet._gate._kept == 30


def test_where_the_margin_is_cut_the_window_is_decoded_without_a_shift(bundle):
    trials = windows(later(made(21, n_trials=100), JUMP), bundle)
    judge, lag = Scorer(bundle.recipe, bundle.decoder, bundle.template), 0
    for x in trials.x[:-1]:
        _, lag, *_ = judge(x)
    assert lag > 0
    for missing, expected in ((2, lag), (30, 0)):  # samples; the margin has 37
        short = trials.x[-1].copy()
        short[..., -missing:] = np.nan
        logits, used, *_ = judge(short)
        assert used == expected
        assert np.isfinite(logits).all()


def test_bins_are_means_of_the_limited_window_at_every_lag(bundle):
    recipe = bundle.recipe
    trials = windows(made(22, n_trials=20), bundle)
    x = trials.x[5] * 4
    projection = np.eye(4)
    found = lagged_bins(recipe, x, projection)
    signal = np.clip(x[recipe.check].astype(float), -60, 60)
    begin = recipe.samples(recipe.look[0]) - recipe.first
    for place, lag in enumerate(lags(recipe)):
        for number in range(found.shape[2]):
            start = begin + lag + 8 * number
            expected = signal[:, start : start + 8].mean(axis=1)
            assert found[place, :, number] == pytest.approx(expected, abs=1e-9)


def test_a_jump_inside_a_recording_is_found_and_so_is_the_way_back(bundle):
    recording = made(26, n_trials=180)
    shift = round(JUMP * RATE)
    moved = replace(
        recording,
        markers=tuple(
            replace(m, index=m.index - shift) if 60 <= i < 120 else m
            for i, m in enumerate(recording.markers)
        ),
    )
    used = 1000 * np.array(followed(bundle, windows(moved, bundle))) / RATE
    assert not used[:60].any()
    assert used[100:120] == pytest.approx(1000 * JUMP, abs=17)
    assert not used[-20:].any()


def test_a_lag_that_drifts_is_followed(bundle):
    recording = made(27, n_trials=200)
    drift = np.linspace(0, 0.06, 200)  # s; 15 ms a minute
    moved = replace(
        recording,
        markers=tuple(
            replace(m, index=m.index - round(late * RATE))
            for m, late in zip(recording.markers, drift, strict=True)
        ),
    )
    used = 1000 * np.array(followed(bundle, windows(moved, bundle))) / RATE
    whole = 1000 * drift[: len(used)]
    assert abs(used - whole).max() < 36
    assert used[-1] > 35


def test_a_trial_that_swings_wildly_counts_less_than_others(bundle):
    match = np.cos(np.linspace(0, 9, len(lags(bundle.recipe))))
    moved = []
    for amplitude in (1, 10):
        follower = gate(bundle)
        before = follower._belief
        follower._learn(amplitude * match)
        moved.append(np.log(follower._belief / before)[:-1])
    assert np.ptp(moved[1]) < np.ptp(moved[0])


def taught(bundle: Bundle, ms: float, height: float, width: float) -> list[int]:
    """The lag used for 120 trials that match ``ms`` later, ``height`` of what is expected."""
    follower = gate(bundle)
    assert bundle.template is not None
    away = (1000 * lags(bundle.recipe) / RATE - ms) / width
    match = height * bundle.template.strength * np.exp(-(away**2) / 2)
    used = []
    for _ in range(120):
        used.append(follower.before())
        follower._learn(match)
    return used


def test_a_lag_close_by_is_taken_only_where_the_response_falls_short_without_it(bundle):
    assert set(taught(bundle, 24, 1.5, width=24)) == {0}  # 0.91 of it is there without a shift
    assert set(taught(bundle, 24, 1.0, width=24)) == {0, 6}  # 0.61
    assert set(taught(bundle, 48, 1.5, width=24)) == {0, 12}  # further off it is not asked


@pytest.mark.parametrize("height", [0.2, 0.4])
def test_what_hardly_resembles_the_response_moves_nothing(bundle, height):
    assert set(taught(bundle, 96, height, width=20)) == {0}
    assert taught(bundle, 96, 1.0, width=20)[-1] == 24


@pytest.mark.parametrize("amplitude", [0.0, 1e-6, 1e4])
def test_belief_stays_a_probability_whatever_comes(bundle, amplitude):
    x = windows(made(29, n_trials=20), bundle).x[5]
    follower = gate(bundle)
    for _ in range(200):
        follower.before()
        follower.after(amplitude * x)
    assert np.isfinite(follower._belief).all()
    assert follower._belief.sum() == pytest.approx(1)
    assert (follower._belief > 0).all()


class Mirror:
    """A decoder that keeps what it is shown."""

    def __init__(self, classes: tuple[str, ...]) -> None:
        self.classes, self.seen, self.dimensions = classes, [], 0

    def answer(self, x: np.ndarray) -> Answer:
        return Answer(self.logits(x))

    def logits(self, x: np.ndarray) -> np.ndarray:
        self.seen.append(x.copy())
        return np.zeros(len(self.classes))

    def arrays(self) -> dict[str, np.ndarray]:
        return {}


def test_every_decoder_gets_the_same_shifted_windows(bundle):
    trials = windows(later(made(16, n_trials=100), JUMP), bundle)
    mirror = Mirror(bundle.decoder.classes)
    judge = Scorer(bundle.recipe, mirror, bundle.template)
    used = [judge(x).lag for x in trials.x]
    assert used == followed(bundle, trials)
    assert set(used) > {0}
    for x, lag, seen in zip(trials.x, used, mirror.seen, strict=True):
        assert np.array_equal(seen, decoder_input(bundle.recipe, x, lag), equal_nan=True)


@pytest.mark.parametrize("size", [7, 1000])
def test_shifts_do_not_depend_on_how_the_signal_is_cut(bundle, size):
    recording = later(made(16, n_trials=60), JUMP)
    pipelines = Pipeline(bundle), Pipeline(bundle)
    one = pipelines[0].run(recording.items(size))
    assert one == pipelines[1].run(recording.items())
    assert pipelines[0].shift_ms == pipelines[1].shift_ms == pytest.approx(1000 * JUMP, abs=17)


# Calibration


def test_a_response_that_returns_in_every_part_is_told_from_noise():
    rng = np.random.default_rng(3)
    noise = rng.standard_normal((300, 40))
    assert latency_template.repeats(noise, np.eye(40)) < 0.2
    assert latency_template.repeats(noise + 0.5, np.eye(40)) > 0.9
    assert latency_template.repeats(np.zeros((30, 40)), np.eye(40)) == 0


def test_where_parts_of_the_calibration_do_not_agree_there_is_no_template(bundle):
    trials = windows(made(33, n_trials=60), bundle)
    part = -(-len(trials) // latency_template.PARTS)
    flips = [x * (1 if i // part % 2 else -1) for i, x in enumerate(trials.x)]
    assert latency_template.fit_template(bundle.recipe, flips, [0] * len(flips), np.eye(4)) is None


def test_fewer_than_20_whole_trials_give_no_template(bundle):
    trials = windows(made(23, n_trials=30), bundle)
    projection = np.eye(4)
    few = trials.x[: FEWEST_TRIALS - 1]
    assert latency_template.fit_template(bundle.recipe, few, [0] * len(few), projection) is None
    enough = trials.x[:FEWEST_TRIALS]
    assert (
        latency_template.fit_template(bundle.recipe, enough, [0] * len(enough), projection)
        is not None
    )
    cut_short = [np.where(np.arange(x.shape[-1]) < 3, np.nan, x) for x in enough[:1]] + enough[1:]
    assert latency_template.fit_template(bundle.recipe, cut_short, [0] * 20, projection) is None


def test_a_bundle_without_a_template_decides_without_a_gate(bundle):
    recording = later(made(24), JUMP)
    decisions = Pipeline(replace(bundle, template=None)).run(recording.items())
    assert not any(flag.startswith("lag") for d in decisions for flag in d.flags)
    assert decisions[-1].label is not None


def test_noise_covariance_is_that_of_stationary_noise_and_can_be_inverted():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((400, 2, 14))
    noise = x[..., 2:] + 0.8 * x[..., 1:-1] + 0.3 * x[..., :-2]
    found = latency_template.noise_covariance(noise)
    assert found == pytest.approx(found.T)
    assert np.linalg.eigvalsh(found)[0] > 0
    blocks = found.reshape(2, 12, 2, 12)
    assert np.diagonal(blocks[0, :, 0]) == pytest.approx(np.full(12, 1.73), rel=0.1)
    taper = 11 / 12
    assert np.diagonal(blocks[0, :, 0], 1) == pytest.approx(np.full(11, taper * 1.04), rel=0.1)
    assert abs(blocks[0, :, 1]).max() < 0.1


def test_every_calibration_recording_is_aligned_to_the_last_one():
    stable, late = made(1), later(made(3), JUMP)
    plan = CalibrationSettings("sub-01", LABELS)
    found = calibrate([late, stable, made(2)], plan, nothing, permute=False).latency
    assert [each["file"] for each in found] == [
        f"sim-01 (simulated, seed {seed})" for seed in (3, 1, 2)
    ]
    first, second, last = (float(str(each["lag_ms"])) for each in found)
    assert first == pytest.approx(1000 * JUMP, abs=17)
    assert (second, last) == (0, 0)


def test_alignment_helps_a_decoder_whose_recordings_disagree(bundle):
    plan = CalibrationSettings("sub-01", LABELS)
    mixed = calibrate([later(made(1), 2 * JUMP), made(2)], plan, nothing, permute=False).bundle
    test = made(25, n_trials=120)
    trials = windows(test, bundle)
    for each, least in ((bundle, 0.9), (mixed, 0.85)):
        judge = Scorer(each.recipe, each.decoder, each.template)
        logits = np.array([judge(x)[0] for x in trials.x])
        assert auc_interval(trials.y, logits)[0] > least
