"""The simulated recording is what it claims: reproducible, balanced, informative or not at all."""

import time

import numpy as np
import pytest

from rtbci.signal.recording import Recording
from rtbci.types import Array
from sims.generate import POSITIONS, STRENGTHS, balanced_order, generate


def shares(recording: Recording, low: float, high: float) -> Array:
    """(channels,) power between two frequencies, uV^2."""
    x = recording.signal - recording.signal.mean(axis=0)
    power = np.abs(np.fft.rfft(x, axis=0)) ** 2 * 2 / len(x) ** 2
    hertz = np.fft.rfftfreq(len(x), 1 / recording.info.rate)
    return np.asarray(power[(hertz >= low) & (hertz < high)].sum(axis=0))


def epochs(recording: Recording) -> tuple[Array, np.ndarray]:
    """(trials, times, channels) of 0.8 s after each onset, and the labels."""
    first = [marker.index for marker in recording.markers]
    x = np.stack([recording.signal[i : i + round(0.8 * recording.info.rate)] for i in first])
    return x.astype(float), np.array([marker.label for marker in recording.markers])


def test_the_same_seed_gives_the_same_bits_and_another_seed_others():
    one, again, other = generate(1, n_trials=8), generate(1, n_trials=8), generate(2, n_trials=8)
    assert np.array_equal(one.signal, again.signal)
    assert one.markers == again.markers
    assert one.provenance == again.provenance
    assert not np.array_equal(one.signal, other.signal)
    assert one.provenance.sha256 != other.provenance.sha256


def test_without_strength_the_signal_does_not_know_the_classes():
    classes = ("1", "2", "3", "4")
    one = generate(3, n_trials=40, classes=classes, strength="none")
    other = generate(3, n_trials=40, classes=tuple(reversed(classes)), strength="none")
    assert [m.label for m in one.markers] != [m.label for m in other.markers]
    assert np.array_equal(one.signal, other.signal)  # drawn without a look at them


def test_clear_classes_differ_and_weak_ones_less():
    difference = {}
    for strength in STRENGTHS:
        x, y = epochs(generate(4, n_trials=400, soa=1.0, strength=strength))
        difference[strength] = np.abs(x[y == "1"].mean(axis=0) - x[y == "2"].mean(axis=0)).max()
    assert difference["clear"] > 6 > difference["weak"] > difference["none"]


def test_classes_are_distinguished_by_their_pattern_in_two_minutes():
    x, y = epochs(generate(5, n_trials=80))
    x = x[:, 25:150:5]  # 50 Hz, 0.1 to 0.6 s
    x = (x - x.mean(axis=1, keepdims=True)).reshape(len(x), -1)
    train, test = slice(0, 50), slice(50, 80)
    target = np.where(y == "1", 1.0, -1.0)
    centre = x[train].mean(axis=0)
    z = x - centre
    ridge = np.linalg.solve(z[train] @ z[train].T + 3e4 * np.eye(50), target[train])
    hits = np.sign(z[test] @ (z[train].T @ ridge)) == target[test]
    assert hits.mean() > 0.75


@pytest.mark.parametrize(("n_trials", "n_classes"), [(320, 4), (61, 2), (7, 20), (1, 2)])
def test_classes_are_balanced_in_every_block(n_trials, n_classes):
    order = balanced_order(n_trials, n_classes, np.random.default_rng(0))
    assert len(order) == n_trials
    for start in range(0, n_trials, 4 * n_classes):
        counts = np.bincount(order[start : start + 4 * n_classes], minlength=n_classes)
        assert np.ptp(counts) <= 1
    if n_trials > 60:
        assert (np.diff(order) == 0).any()  # no fixed alternation
        assert len({tuple(order[i : i + 8]) for i in range(0, 56, 8)}) > 1


def test_onsets_are_jittered_and_inside_the_recording():
    recording = generate(6, n_trials=100, soa=1.0, jitter=0.2)
    onsets = np.array([marker.index for marker in recording.markers])
    steps = np.diff(onsets) / recording.info.rate
    assert 0.58 < steps.min() < 0.8
    assert 1.2 < steps.max() < 1.42
    assert onsets[0] > 3 * recording.info.rate
    assert onsets[-1] + 2 * recording.info.rate < len(recording.signal)


def test_the_background_looks_like_eeg():
    recording = generate(7, n_trials=160, channels=16)
    assert recording.signal.dtype == np.float32
    assert recording.signal.flags.c_contiguous
    rms = recording.signal.std(axis=0)
    assert (rms > 5).all()
    assert (rms < 25).all()
    names = recording.info.channels
    slow, fast = shares(recording, 2, 4) / 2, shares(recording, 20, 40) / 20  # uV^2/Hz
    assert (slow > 5 * fast).all()  # 1/f
    alpha = shares(recording, 8.5, 11.5)
    assert alpha[names.index("Oz")] > 3 * alpha[names.index("Fz")]
    correlation: Array = np.asarray(np.corrcoef(recording.signal.T))
    near = correlation[names.index("PO7"), names.index("P7")]
    far = correlation[names.index("Oz"), names.index("Fp1")]
    assert near > 0.7 > 0.4 > far
    blinks = np.abs(recording.signal).max(axis=0)
    assert blinks[names.index("Fp1")] > 80 > blinks[names.index("Pz")]


def test_the_mains_hum_at_the_chosen_frequency():
    quiet = generate(8, n_trials=20, line=60.0)
    loud = generate(8, n_trials=20, line=50.0)
    assert (shares(loud, 49.9, 50.1) > 2 * shares(quiet, 49.9, 50.1)).all()
    generate(8, n_trials=4, rate=100.0)  # the mains lie above half the rate: no hum


def test_electrodes_are_chosen_by_number_or_by_name():
    assert generate(9, n_trials=2, channels=4).info.channels == tuple(POSITIONS)[:4]
    assert generate(9, n_trials=2, channels=("C3", "C4")).info.channels == ("C3", "C4")
    assert generate(9, n_trials=2, person=12).info.name == "sim-12"


def test_eight_minutes_take_less_than_half_a_second():
    classes, took = ("1", "2", "3", "4"), list[float]()
    for seed in range(3):  # in time of this thread: others may use this machine
        began = time.thread_time()
        recording = generate(seed, n_trials=320, classes=classes, channels=16, strength="none")
        took.append(time.thread_time() - began)
        assert recording.duration > 480
    assert min(took) < 0.5
