"""The oscillation decoder: equal to pyriemann and scikit-learn, blind on noise, sure on rhythms."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import mne
import numpy as np
import pytest
from numpy.typing import NDArray
from pyriemann.estimation import Covariances
from pyriemann.tangentspace import TangentSpace
from scipy.linalg import subspace_angles
from scipy.signal import butter, sosfilt, sosfilt_zi
from sklearn.cross_decomposition import CCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from calibration.fitting import oscillation
from calibration.fitting.oscillation import (
    HALF_WIDTH,
    RIDGE,
    choose,
    filter_bank,
    fit,
    harmonics,
    prepare,
    references,
)
from rtbci.decoding.decoders.oscillation import OscillationDecoder, correlations
from rtbci.errors import BadInput
from rtbci.types import Array

Labels = NDArray[np.integer]

RATE = 128.0  # Hz of the simulated trials
BAND = (6.0, 40.0)
FLICKER = (12.0, 15.0)
TWO, THREE = ("a", "b"), ("a", "b", "c")


def bank(signal: Array, bands: list[tuple[float, float]], rate: float = RATE) -> Array:
    """Causal streams (streams, times, channels) of ``signal`` (times, channels)."""
    streams = []
    for low, high in bands:
        sos = butter(4, (low, high), "bandpass", fs=rate, output="sos")
        streams.append(sosfilt(sos, signal, axis=0, zi=sosfilt_zi(sos)[:, :, None] * signal[0])[0])
    return np.stack(streams)


def trials(
    signal: Array, onsets: list[int], bands: list[tuple[float, float]], start: int, stop: int
) -> Array:
    """Windows (trials, streams, channels, times), ``start`` to ``stop`` samples after onsets."""
    streams = bank(signal, bands)
    return np.stack([streams[:, o + start : o + stop].transpose(0, 2, 1) for o in onsets])


def simulate(
    response: Callable[[int, Array, np.random.Generator], Array],
    count: int,
    bands: list[tuple[float, float]],
    channels: int = 4,
    classes: int = 2,
    seed: int = 0,
) -> tuple[Array, Labels]:
    """Trials of pink-like noise plus ``response(class, t, rng)`` (times, channels) every 3 s."""
    rng = np.random.default_rng(seed)
    length = int(3 * RATE)
    noise = rng.standard_normal((length * (count + 1), channels)) @ rng.standard_normal(
        (channels, channels)
    )
    signal = 0.5 * np.cumsum(noise, 0) * 0.02 + noise
    y = np.concatenate([rng.permutation(classes) for _ in range(count)])[:count]
    t = np.arange(length) / RATE
    for trial, label in enumerate(y):
        first = length * (trial + 1) - int(2.5 * RATE)
        signal[first : first + length] += response(int(label), t, rng)
    onsets = [length * (trial + 1) - int(2.5 * RATE) for trial in range(count)]
    return trials(signal, onsets, bands, int(0.3 * RATE), int(2.3 * RATE)), y


def nothing(_label: int, t: Array, _rng: np.random.Generator) -> Array:
    return np.zeros((len(t), 1))


def flicker(frequencies: tuple[float, ...], gain: float, channels: int = 4):
    """A response at the frequency of the class, its phase different in every trial."""

    def response(label: int, t: Array, rng: np.random.Generator) -> Array:
        wave = np.sin(2 * np.pi * frequencies[label] * t + rng.uniform(0, 2 * np.pi))
        return gain * np.outer(wave, np.linspace(0.2, 1, channels))

    return response


def rhythm(gain: float, channels: int = 4, low: float = 9.0, high: float = 12.0):
    """A rhythm of random amplitude that is strong at another electrode for each class."""
    sos = butter(2, (low, high), "bandpass", fs=RATE, output="sos")

    def response(label: int, t: Array, rng: np.random.Generator) -> Array:
        wave = np.asarray(sosfilt(sos, rng.standard_normal((len(t), channels)), axis=0))
        return gain * wave * (np.arange(channels) == label)

    return response


def score(decoder: OscillationDecoder, x: Array) -> Array:
    return np.array([decoder.logits(trial) for trial in x])


def auc(decoder: OscillationDecoder, x: Array, y: Labels) -> float:
    logits = score(decoder, x)
    return float(roc_auc_score(y, logits[:, 1] - logits[:, 0]))


def test_the_bank_follows_the_band_and_the_frequencies():
    bands = filter_bank((8, 30))
    assert bands[0] == (8, 30)
    assert len(bands) == 4
    assert bands[1][0] == pytest.approx(8)
    assert bands[-1][1] == pytest.approx(30)
    assert all(a[1] == b[0] for a, b in pairwise(bands[1:]))
    assert filter_bank((8, 12)) == [(8, 12)]
    assert min(high - low for low, high in filter_bank((1, 40))) >= 2
    assert filter_bank((6, 55), (30, 20)) == [(6, 55), (29, 31), (19, 21)]
    assert filter_bank((6, 55), (10.0, 12.0))[3:] == [(19, 21), (23, 25)]
    assert len(filter_bank((6, 80), tuple(range(8, 20)))) == 13
    assert HALF_WIDTH == 1


def test_all_frequencies_get_the_same_number_of_harmonics_inside_the_band():
    assert harmonics((6, 55), (30, 20)) == 1
    assert harmonics((6, 55), (10, 12)) == 3
    assert harmonics((6, 40), (20, 15)) == 1
    assert harmonics((6, 41), (20, 15)) == 2


def test_a_frequency_outside_the_band_is_refused():
    with pytest.raises(BadInput, match="frequency 60 Hz lies outside the band 6-55 Hz"):
        filter_bank((6, 55), (30, 60))


def test_a_class_without_trials_is_refused():
    x, y = simulate(nothing, 12, filter_bank(BAND))
    with pytest.raises(BadInput, match="no training trial of class 'c'"):
        fit(x, y, THREE, RATE, BAND)


def test_correlations_equal_those_of_scikit_learn_and_of_principal_angles():
    rng = np.random.default_rng(1)
    waves = references((12.0, 15.0), 2, 256, RATE)
    x = rng.standard_normal((5, 256)) + 5 * np.sin(np.arange(256) / 3)
    found = correlations(x, waves)
    centred = (x - x.mean(1, keepdims=True)).T
    for value, wave in zip(found, waves, strict=True):
        assert np.allclose(wave.T @ wave, np.eye(4), atol=1e-12)
        assert value == pytest.approx(np.cos(subspace_angles(centred, wave)).max(), abs=1e-9)
        model = CCA(n_components=1, max_iter=50_000, tol=1e-14).fit(x.T, wave)
        u, v = model.transform(x.T, wave)
        assert value == pytest.approx(np.corrcoef(u[:, 0], v[:, 0])[0, 1], abs=1e-9)


@pytest.mark.parametrize(
    ("classes", "frequencies", "channels"),
    [(TWO, (), 4), (THREE, (), 20), (TWO, FLICKER, 4), (THREE, (12.0, 15.0, 10.0), 4)],
    ids=["two", "three, wide", "two flickers", "three flickers"],
)
def test_the_forward_pass_equals_pyriemann_and_scikit_learn(
    classes, frequencies, channels, monkeypatch
):
    models: list[LogisticRegression] = []

    class Kept(LogisticRegression):
        def fit(self, X, y, sample_weight=None):
            models.append(self)
            return super().fit(X, y, sample_weight)

    monkeypatch.setattr(oscillation, "LogisticRegression", Kept)
    # both members take part with equal weight, so that both are compared
    monkeypatch.setattr(oscillation, "choose", lambda *_: (0.5, "average"))
    monkeypatch.setattr(oscillation, "temper", lambda *_: 1.0)
    bands = filter_bank(BAND, frequencies)
    x, y = simulate(rhythm(3.0, channels), 36, bands, channels, len(classes))
    train, test = x[:24], x[24:]
    prepared = prepare(train, classes, RATE, BAND, frequencies)
    decoder, _ = prepared.fit(y[:24])

    def tangent(stream: int) -> tuple[Array, Array]:
        """Tangent vectors of train and test by pyriemann, averaged over pieces."""
        spatial = np.eye(channels) - (1 / channels if channels >= 16 else 0)
        z = spatial @ (train[:, stream] - train[:, stream].mean(-1, keepdims=True))
        spatial = spatial / np.sqrt((z**2).mean((0, 2)))[:, None]

        def covariances(trials: Array) -> Array:
            pieces = np.stack(np.split(trials, decoder.pieces, axis=-1), 1)
            flat = spatial @ pieces.reshape(-1, channels, pieces.shape[-1])
            return Covariances("cov").transform(flat) + RIDGE * np.eye(channels)

        space = TangentSpace().set_params(metric={"mean": "euclid", "map": "riemann"})
        space.fit(covariances(train[:, stream]))
        a, b = (space.transform(covariances(t[:, stream])) for t in (train, test))
        return tuple(v.reshape(-1, decoder.pieces, v.shape[-1]).mean(1) for v in (a, b))

    def predicted(features: oscillation.Features, raw: Array, model: LogisticRegression) -> Array:
        """Logits by scikit-learn, in the space that the training trials span."""
        s, vt = np.linalg.svd(features.z, full_matrices=False)[1:]
        z = (raw - features.mean) / features.scale @ vt[s > 1e-9 * s[0]].T
        found = model.decision_function(z)
        return np.outer(found, [-0.5, 0.5]) if found.ndim == 1 else found

    used = range(1, len(bands)) if frequencies else range(len(bands))
    pairs = [tangent(stream) for stream in used]
    features = prepared.regions[0][0]
    raw = np.hstack([pair[0] for pair in pairs])
    assert np.allclose((raw - features.mean) / features.scale, features.z, atol=1e-9)
    expected = predicted(features, np.hstack([pair[1] for pair in pairs]), models[3])
    if frequencies:
        assert prepared.flicker is not None
        waves = references(frequencies, harmonics(BAND, frequencies), test.shape[-1], RATE)
        rho = np.array(
            [
                [np.cos(subspace_angles((t[0] - t[0].mean(1, keepdims=True)).T, w)).max()
                 for w in waves]
                for t in test
            ]
        )  # fmt: skip
        expected = (expected + predicted(prepared.flicker, rho, models[7])) / 2
    assert score(decoder, test) == pytest.approx(expected, abs=1e-9)


def test_the_short_way_to_the_head_gives_the_same_decoder_as_scikit_learn_on_all_features():
    x, y = simulate(rhythm(3.0), 40, filter_bank(BAND))
    features = prepare(x, TWO, RATE, BAND).regions[0][0]
    model = LogisticRegression(class_weight="balanced", tol=1e-10, max_iter=10_000)
    plain = model.fit(features.z, y).decision_function(features.z)
    head = oscillation.head(features, y, 2)
    raw = features.z * features.scale + features.mean
    logits = raw @ head.weights.T + head.bias
    assert logits[:, 1] - logits[:, 0] == pytest.approx(plain, abs=1e-3)


@pytest.mark.parametrize("frequencies", [(), FLICKER], ids=["rhythm", "flicker"])
def test_arrays_hold_the_whole_decoder(frequencies, tmp_path):
    from safetensors.numpy import load_file, save_file

    x, y = simulate(rhythm(3.0), 24, filter_bank(BAND, frequencies))
    decoder, _ = fit(x, y, TWO, RATE, BAND, frequencies)
    save_file(decoder.arrays(), tmp_path / "weights.safetensors")
    again = OscillationDecoder.from_arrays(load_file(tmp_path / "weights.safetensors"), TWO)
    assert np.array_equal(score(again, x), score(decoder, x))
    assert again.classes == TWO


def test_the_window_is_not_modified_and_another_length_is_a_mistake():
    x, y = simulate(rhythm(3.0), 24, filter_bank(BAND))
    decoder, _ = fit(x, y, TWO, RATE, BAND)
    window = x[0].copy()
    decoder.logits(window)
    assert np.array_equal(window, x[0])
    with pytest.raises(AssertionError, match="window of 255 samples, fitted 256"):
        decoder.logits(window[..., :-1])


@pytest.mark.parametrize("frequencies", [(), FLICKER], ids=["rhythm", "flicker"])
def test_noise_is_at_chance_on_new_trials(frequencies):
    found = []
    for seed in range(6):
        x, y = simulate(nothing, 120, filter_bank(BAND, frequencies), seed=seed)
        decoder, _ = fit(x[:60], y[:60], TWO, RATE, BAND, frequencies)
        found.append(auc(decoder, x[60:], y[60:]))
    # 360 test trials in all: the standard error of the mean is 0.03
    assert abs(np.mean(found) - 0.5) < 0.1


def test_flicker_in_noise_is_found_with_random_phase():
    x, y = simulate(flicker(FLICKER, 1.5), 80, filter_bank(BAND, FLICKER))
    decoder, _ = fit(x[:32], y[:32], TWO, RATE, BAND, FLICKER)
    assert auc(decoder, x[32:], y[32:]) > 0.9


def test_three_flickers_are_distinguished():
    frequencies = (10.0, 12.0, 15.0)
    x, y = simulate(flicker(frequencies, 2.0), 90, filter_bank(BAND, frequencies), classes=3)
    decoder, _ = fit(x[:45], y[:45], THREE, RATE, BAND, frequencies)
    logits = score(decoder, x[45:])
    assert logits.shape == (45, 3)
    assert np.mean(logits.argmax(1) == y[45:]) > 0.85


def test_a_change_of_band_power_is_found():
    x, y = simulate(rhythm(6.0), 80, filter_bank(BAND))
    decoder, reason = fit(x[:32], y[:32], TWO, RATE, BAND)
    assert auc(decoder, x[32:], y[32:]) > 0.9
    assert reason == "covariances: no frequencies were given"


def test_three_locations_of_a_rhythm_are_distinguished():
    x, y = simulate(rhythm(6.0), 90, filter_bank(BAND), classes=3)
    decoder, _ = fit(x[:45], y[:45], THREE, RATE, BAND)
    assert np.mean(score(decoder, x[45:]).argmax(1) == y[45:]) > 0.8


def test_few_trials_of_many_electrodes_use_the_region_where_the_rhythm_is_expected():
    central = tuple(f"{row}{column}" for row in ("FC", "C", "CP") for column in "12345")
    names = (*central, *(f"X{number}" for number in range(17)))
    x, y = simulate(rhythm(8.0, 32), 70, filter_bank(BAND), channels=32)
    prepared = prepare(x[:30], TWO, RATE, BAND, names=names)
    assert [len(views[0].columns) for _, views in prepared.regions] == [32, 15]
    with_names, _ = prepared.fit(y[:30])
    without, _ = fit(x[:30], y[:30], TWO, RATE, BAND)
    assert auc(with_names, x[30:], y[30:]) > max(0.8, auc(without, x[30:], y[30:]) - 0.02)


def test_flat_repeated_and_huge_channels_do_no_harm():
    x, y = simulate(flicker(FLICKER, 1.5), 80, filter_bank(BAND, FLICKER))
    flat, huge = np.zeros_like(x[:, :, :1]), 1e3 * np.cumsum(x[:, :, :1], -1)
    damaged = np.concatenate([x, x[:, :, :1], flat, huge], 2)
    decoder, _ = fit(damaged[:32], y[:32], TWO, RATE, BAND, FLICKER)
    assert np.isfinite(score(decoder, damaged)).all()
    assert auc(decoder, damaged[32:], y[32:]) > 0.85
    assert np.isfinite(decoder.logits(np.zeros_like(damaged[0]))).all()


def test_an_electrode_that_was_flat_in_training_is_not_heard_when_it_wakes_up():
    x, y = simulate(rhythm(6.0), 40, filter_bank(BAND))
    x[:, :, 3] = 0
    decoder, _ = fit(x, y, TWO, RATE, BAND)
    before = score(decoder, x)
    x[:, :, 3] = 1e3 * x[:, :, 0]
    assert score(decoder, x) == pytest.approx(before, abs=1e-9)


def test_a_class_of_two_trials_and_a_rank_of_zero_still_give_a_decoder():
    x, y = simulate(flicker(FLICKER, 1.5), 12, filter_bank(BAND, FLICKER))
    y = (np.arange(12) < 2).astype(int)
    decoder, reason = fit(x, y, TWO, RATE, BAND, FLICKER)
    assert np.isfinite(score(decoder, x)).all()
    assert reason == "average of covariances and CCA: too few trials to compare them"
    decoder, _ = fit(np.zeros_like(x), y, TWO, RATE, BAND, FLICKER)
    assert np.isfinite(score(decoder, x)).all()


def test_a_decoder_is_the_same_every_time():
    x, y = simulate(rhythm(3.0), 24, filter_bank(BAND))
    first, second = (fit(x, y, TWO, RATE, BAND)[0] for _ in range(2))
    assert np.array_equal(score(first, x), score(second, x))


def test_the_choice_is_named_and_a_close_call_is_an_average():
    y = np.tile([0, 1], 20)
    jitter = 0.1 * np.random.default_rng(0).standard_normal(40)
    low, high = np.full(40, 0.3), 0.7 + jitter
    assert choose(low, high, y)[0] == 1
    assert choose(high, low, y)[0] == 0
    assert choose(high, low, y)[1].startswith("CCA alone: inner log-loss 0.30 against 0.")
    share, reason = choose(0.5 + jitter, np.full(40, 0.5), y)
    assert share == 0.5
    assert "do not differ clearly" in reason


def test_a_member_that_knows_nothing_is_left_out():
    x, y = simulate(rhythm(12.0, low=7.0, high=11.0), 60, filter_bank(BAND, (9.0, 25.0)))
    decoder, reason = fit(x, y, TWO, RATE, BAND, (9.0, 25.0))
    assert reason.startswith("covariances alone: inner log-loss 0.")
    assert decoder.references is None
    assert len(decoder.views) == 2


def test_flicker_of_a_real_headset_is_decoded(eeg: Path):
    bands = filter_bank((6, 55), (30, 20))
    parts: list[tuple[Array, Labels]] = []
    for path in sorted((eeg / "muse/visual/SSVEP/subject1/session1").glob("*.csv")):
        rows = np.loadtxt(path, delimiter=",", skiprows=1)
        streams, marker = bank(rows[:, 1:5], bands, 256.0), rows[:, 6].astype(int)
        onsets = np.flatnonzero(marker)
        onsets = onsets[onsets + 768 <= len(rows)]
        x = np.stack([streams[:, o + 38 : o + 768].transpose(0, 2, 1) for o in onsets])
        parts.append((x, marker[onsets] - 1))
    x, y = parts[0]
    decoder, _ = fit(x, y, ("1", "2"), 256.0, (6, 55), (30, 20))
    x, y = (np.concatenate(both) for both in zip(*parts[1:], strict=True))
    assert len(y) == 64
    assert auc(decoder, x, y) >= 0.90


@pytest.mark.parametrize(
    ("train", "test", "least"), [((3, 4), (7, 8), 0.85), ((5, 6), (9, 10), 0.97)]
)
def test_movements_are_decoded_with_a_whole_cap(eeg: Path, train, test, least):
    band = (8.0, 30.0)
    names: tuple[str, ...] = ()
    parts = {}
    for run in (*train, *test):
        path = eeg / f"eegmmi/S001/S001R{run:02d}.edf"
        raw = mne.io.read_raw_edf(path, preload=True, verbose="error")
        names = tuple(raw.ch_names)
        streams = bank(np.asarray(raw.get_data()).T * 1e6, filter_bank(band), 160.0)
        said = zip(raw.annotations.onset, raw.annotations.description, strict=True)
        cues = [(round(at * 160), int(what[1]) - 1) for at, what in said if what != "T0"]
        x = np.stack([streams[:, o + 80 : o + 560].transpose(0, 2, 1) for o, _ in cues])
        parts[run] = x, np.array([label for _, label in cues])
    (x, y), (new, truth) = (
        tuple(np.concatenate(both) for both in zip(*(parts[run] for run in runs), strict=True))
        for runs in (train, test)
    )
    decoder, _ = fit(x, y, ("T1", "T2"), 160.0, band, names=names)
    assert len(truth) == 30
    assert auc(decoder, new, truth) >= least
