"""Epochs as one signal: what filters see of it, and what a decoder could learn from it."""

from dataclasses import replace

import numpy as np
import pytest

from calibration.fitting.training import CalibrationSettings, calibrate, plan_recipe
from rtbci.decoding.pipeline import Pipeline
from rtbci.decoding.scorer import within
from rtbci.errors import BadInput
from rtbci.signal.epoch_gaps import PAUSE, REST, bridge, held, run_starts
from rtbci.signal.preprocess import Preprocess, design
from rtbci.signal.recipe import EVOKED_BANDS, make_recipe
from rtbci.signal.recording import Recording
from rtbci.types import Gap, Marker, Provenance, StreamInfo
from sims.generate import generate

RATE, ROWS = 250, 125
FILTERS = tuple(design(low, high, RATE) for low, high in (*EVOKED_BANDS, (1.0, 30.0)))
CLASSES = ("cat", "dog", "horse", "train")


def epochs(x, labels=None, runs=(), rate=RATE) -> Recording:
    """``x`` (epochs, times, channels) as a reader gives it."""
    n, rows, n_channels = x.shape
    names = tuple(f"E{i}" for i in range(n_channels))
    labels = labels if labels is not None else ["a", "b"] * n
    return Recording(
        signal=np.ascontiguousarray(x.reshape(-1, n_channels), np.float32),
        info=StreamInfo("epochs", float(rate), names, ("EEG",) * n_channels),
        markers=tuple(Marker(i * rows, labels[i], {"trial": i + 1}) for i in range(n)),
        provenance=Provenance(("/data/sub-02_ses-01.npy",), str(abs(x).sum()), "npy epochs"),
        gaps=tuple(Gap(i * rows, 0, "between epochs") for i in range(1, n)),
        epoch_rows=rows,
        runs=runs,
    )


def cut(recording: Recording, rows=ROWS) -> Recording:
    """The first half second behind every marker, and nothing else."""
    x = np.stack([recording.signal[m.index : m.index + rows] for m in recording.markers])
    return epochs(x, [marker.label for marker in recording.markers])


def filtered(x):
    """``x`` (times, channels) in the three streams: (times, streams, channels)."""
    return Preprocess(FILTERS, x.shape[1]).push(np.ascontiguousarray(x, np.float32))


def windows(x, onsets):
    """0.1 to 0.5 s behind each onset of the filtered ``x``: (onsets, times, streams, channels)."""
    y = filtered(x)
    return np.stack([y[at + 25 : at + ROWS] for at in onsets])


def brown(seed, n=8, size=ROWS, channels=3):
    """Slow random signals, as EEG is, with an offset of each electrode: (n, size, channels)."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(0, 2, (n, size, channels)).cumsum(axis=1)
    return (steps + rng.normal(0, 20, (n, 1, channels)) + rng.normal(0, 300, channels)).astype("f4")


def test_epochs_stay_as_they_are_and_markers_move_with_them():
    x = brown(1)
    recording = epochs(x, runs=(5, 3))
    signal = bridge(recording)
    pause, rest = round(PAUSE * RATE), round(REST * RATE)
    assert signal.bridged is not None
    gaps = np.diff([-ROWS, *signal.bridged]) - ROWS
    assert gaps.tolist() == [rest, *[pause] * 4, rest, pause, pause]
    assert [marker.index for marker in signal.markers] == list(signal.bridged)
    assert [m.fields for m in signal.markers] == [m.fields for m in recording.markers]
    for at, epoch in zip(signal.bridged, x, strict=True):
        assert np.array_equal(signal.signal[at : at + ROWS], epoch)
    assert signal.gaps == ()
    assert np.array_equal(signal.measured, recording.signal)
    assert run_starts(signal) == (signal.bridged[0], signal.bridged[5])
    assert run_starts(recording) == (0, 5 * ROWS)
    assert "no brain there" in signal.provenance.notes[-1]


def test_the_same_epochs_give_the_same_bits_and_are_bridged_once():
    one, other = bridge(epochs(brown(2))), bridge(epochs(brown(2)))
    assert np.array_equal(one.signal, other.signal)
    assert bridge(one) is one
    continuous = generate(1, n_trials=10, channels=2)
    assert bridge(continuous) is continuous


def test_a_level_is_carried_over_and_an_offset_changes_nothing_else():
    level = np.full((4, ROWS, 2), (40.0, -3.0), np.float32)
    assert np.allclose(bridge(epochs(level)).signal, (40, -3), atol=1e-4)
    x = brown(3)
    moved = bridge(epochs(x + 500)).signal - 500
    assert np.allclose(moved, bridge(epochs(x)).signal, atol=1e-3)


def test_there_is_no_step_at_a_seam():
    x = brown(4, n=60)
    signal = bridge(epochs(x))
    assert signal.bridged is not None
    seams = [at + side for at in signal.bridged[1:] for side in (0, -round(PAUSE * RATE))]
    steps = abs(np.diff(signal.signal, axis=0))
    inside = abs(np.diff(x, axis=1))
    assert np.mean(steps[np.array(seams) - 1]) < 1.1 * inside.mean()
    ends = abs(x[1:, 0] - x[:-1, -1])  # what laying them end to end would give
    assert ends.mean() > 8 * inside.mean()


def test_a_bridge_knows_of_the_next_epoch_only_what_comes_before_the_cortex_sees_it():
    x, other = brown(5), brown(5)
    head = round(0.05 * RATE)
    other[4, head:] += brown(6)[4, head:]
    one, two = bridge(epochs(x)), bridge(epochs(other))
    assert one.bridged is not None
    onset = one.bridged[4]
    assert np.array_equal(one.signal[: onset + head], two.signal[: onset + head])
    later = one.bridged[5]  # and nothing reaches beyond the epoch that follows
    assert np.array_equal(one.signal[later:], two.signal[later:])


def test_what_is_no_number_poisons_no_bridge():
    x = brown(7)
    x[2, -3:, 0] = np.nan
    x[3, :, 1] = np.inf
    signal = bridge(epochs(x))
    assert signal.bridged is not None
    between = np.ones(len(signal.signal), bool)
    for at in signal.bridged:
        between[at : at + ROWS] = False
    assert np.isfinite(signal.signal[between]).all()
    assert np.array_equal(np.isnan(signal.measured), np.isnan(x.reshape(-1, 3)))


def test_filtered_epochs_are_those_of_the_signal_that_they_were_cut_from():
    whole = generate(8, n_trials=80, soa=3.8, channels=8, strength="none")
    onsets = [marker.index for marker in whole.markers]
    truth = windows(whole.signal, onsets)
    recording = cut(whole)
    signal = bridge(recording)
    assert signal.bridged is not None
    through = windows(signal.signal, signal.bridged)
    end_to_end = windows(recording.signal, range(0, len(recording.signal), ROWS))
    for stream, least, more in ((0, 0.75, -0.02), (1, 0.87, 0.05), (2, 0.93, 0.03)):
        found = [
            np.corrcoef(each[:, :, stream].ravel(), truth[:, :, stream].ravel())[0, 1]
            for each in (through, end_to_end)
        ]
        assert found[0] > least
        assert found[0] > found[1] + more


def test_a_trial_leaves_no_more_in_the_next_one_than_in_a_continuous_signal():
    t = np.arange(200) / RATE
    response = np.stack([np.exp(-(((t - at) / 0.05) ** 2)) for at in (0.2, 0.3, 0.4)], 1)
    response -= 0.3 * np.stack([np.exp(-(((t - 0.5) / 0.1) ** 2))] * 3, 1)
    x = np.zeros((6, ROWS, 3), np.float32)
    x[3] = response[:ROWS]
    signal = bridge(epochs(x))
    assert signal.bridged is not None
    long = np.zeros_like(signal.signal)
    long[signal.bridged[3] :][: len(response)] = response
    for stream in (0, 1):
        left = []
        for each in (signal.signal, long):
            found = windows(each, signal.bridged)[:, :, stream].astype(float)
            power = np.sqrt((found**2).sum(axis=(1, 2)))
            assert power[2] < 0.01 * power[3]  # nothing comes before its picture
            left.append(power[4:] / power[3])
        assert (left[0] < left[1] + 0.03).all()


def accuracies(*recordings: Recording, labels) -> list[float]:
    """Of decoders on blocks of time that they have not seen."""
    plan = CalibrationSettings("sub-01", {name: name for name in labels}, window=(0.1, 0.5))
    found = []
    for each in recordings:
        y, p = calibrate([each], plan, lambda *_: None, permute=False).held_out
        found.append(float((p.argmax(axis=1) == y).mean()))
    return found


def test_cutting_a_signal_into_epochs_costs_no_decoding():
    whole = generate(21, n_trials=120, soa=3.8, channels=6, classes=CLASSES)
    continuous, bridged = accuracies(whole, cut(whole), labels=CLASSES)
    assert continuous > 0.45
    assert bridged > continuous - 0.1  # two standard errors of 120 trials


def test_there_is_nothing_to_learn_in_the_bridges_of_noise():
    made = [generate(seed, n_trials=60, soa=2.0, channels=2, strength="none") for seed in range(8)]
    found = accuracies(*map(cut, made), labels=("1", "2"))
    assert abs(np.mean(found) - 0.5) < 0.06  # 480 trials; the soak holds p against the diagonal


def test_nobody_looks_beyond_what_an_epoch_holds():
    recording = epochs(brown(9, n=20))
    recipe = plan_recipe([recording], CalibrationSettings("sub-01", {"a": "a", "b": "b"}))
    assert (recipe.window, recipe.look, recipe.lag) == ((0.1, 0.5), (0.0, 0.5), 0)
    assert (recipe.streams, recipe.check) == (2, 2)
    assert (recipe.first, recipe.last) == (0, ROWS)
    assert (
        plan_recipe([bridge(recording)], CalibrationSettings("sub-01", {"a": "a", "b": "b"})).last
        == ROWS
    )
    early = tuple(replace(each, index=each.index + 50) for each in recording.markers)
    recording = replace(recording, markers=early)  # epochs from 0.2 s before their marker on
    assert held(recording) == held(bridge(recording)) == (-50, 75)
    recipe = plan_recipe([recording], CalibrationSettings("sub-01", {"a": "a", "b": "b"}))
    assert (recipe.window, recipe.look) == ((0.1, 0.3), (0.0, 0.3))


@pytest.mark.parametrize(
    ("window", "said"),
    [
        ((0.1, 0.6), "window 0.1 to 0.6 s reaches outside the epochs, which hold 0 to 0.5 s"),
        ((-0.1, 0.4), "window -0.1 to 0.4 s reaches outside the epochs"),
    ],
)
def test_a_window_outside_the_epochs_is_refused(window, said):
    plan = CalibrationSettings("sub-01", {"a": "a", "b": "b"}, window=window)
    with pytest.raises(BadInput, match=said):
        plan_recipe([epochs(brown(10, n=20))], plan)


def test_epochs_that_end_before_a_response_are_refused():
    plan = CalibrationSettings("sub-01", {"a": "a", "b": "b"})
    with pytest.raises(BadInput, match=r"hold 0 to 0\.12 s around their marker; a decoder needs"):
        plan_recipe([epochs(brown(11, n=20, size=30))], plan)


def test_decisions_do_not_depend_on_how_the_bridge_is_cut():
    whole = generate(12, n_trials=50, soa=2.0, channels=4)
    signal = bridge(cut(whole))
    plan = CalibrationSettings("sub-01", {"1": "a", "2": "b"})
    bundle = calibrate([signal], plan, lambda *_: None, permute=False).bundle
    found = [Pipeline(bundle, signal.info).run(signal.items(size)) for size in (1000, 7)]
    assert found[0] == found[1]
    assert len(found[0]) == 50
    assert all(decision.rejected is None for decision in found[0])
    assert not any("settling" in decision.flags for decision in found[0])


@pytest.mark.parametrize(("electrodes", "tolerated"), [(8, 0), (9, 0), (16, 1), (122, 12)])
def test_one_electrode_in_ten_of_a_large_cap_may_swing_beyond_the_limit(electrodes, tolerated):
    recipe = make_recipe(
        250.0, tuple(f"E{i}" for i in range(electrodes)), bands=EVOKED_BANDS, window=(0.1, 0.5),
        gate=True, reject=100.0, held=(0.0, 0.5),
    )  # fmt: skip
    x = np.random.default_rng(0).normal(0, 5, (3, electrodes, recipe.last)).astype("f4")
    for wild in range(tolerated + 2):
        x[recipe.check, :wild, 40] = 300
        peak = float(np.ptp(x[recipe.check], axis=1).max())
        assert within(recipe, x, 100.0) == (wild <= tolerated)
        assert within(recipe, x, 100.0, peak=peak) == (wild <= tolerated)
        assert within(recipe, x, None)
