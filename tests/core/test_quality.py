"""Electrodes without a brain behind them are named, and brains are not accused."""

from dataclasses import replace

import numpy as np
import pytest

from rtbci.signal.quality import dead_electrodes, mains_hum, spectrum
from rtbci.signal.recording import Recording
from rtbci.types import Array, Gap
from sims.generate import generate

BAND = (0.1, 20.0)
WIDE = (6.0, 55.0)
FLICKER = (30.0, 20.0)


@pytest.fixture(scope="module")
def recording() -> Recording:
    """A minute of a simulated person, four electrodes at 250 Hz."""
    return generate(1, n_trials=56, soa=1.0, channels=4, line=70.0)


def with_line(recording: Recording, hertz: float, rms: float, column: int = 2) -> Recording:
    """The same with a sine of ``rms`` uV on one electrode."""
    t = np.arange(len(recording.signal)) / recording.info.rate
    signal = recording.signal.copy()
    signal[:, column] += (np.sqrt(2) * rms * np.sin(2 * np.pi * hertz * t)).astype(np.float32)
    return replace(recording, signal=signal)


def narrow(n: int, rate: float, centre: float, width: float, rms: float, seed: int = 0) -> Array:
    """Noise around ``centre``, such as a rhythm."""
    rng = np.random.default_rng(seed)
    hertz = np.fft.rfftfreq(n, 1 / rate)
    spectrum = rng.standard_normal((len(hertz), 2)) @ np.array([1, 1j])
    x = np.fft.irfft(spectrum * np.exp(-(((hertz - centre) / width) ** 2) / 2), n)
    return np.asarray(rms * x / x.std())


def dead(recording: Recording, *more) -> dict[str, str]:
    """The electrodes accused."""
    return dead_electrodes(recording, recording.info.channels, *(more or (BAND,)))


def test_a_simulated_person_is_not_accused(recording):
    assert dead(recording) == {}
    assert dead(recording, WIDE, FLICKER) == {}


@pytest.mark.parametrize("trials", [10, 20, 42])
def test_a_short_recording_does_not_make_alpha_a_hum(trials):
    for seed in range(8):
        short = generate(seed, n_trials=trials, soa=0.6, channels=4)
        assert dead(short, (1.0, 20.0)) == {}


@pytest.mark.parametrize("hertz", [9.7, 16.0, 21.4, 33.3])
def test_a_line_inside_the_band_is_named_with_its_frequency(recording, hertz):
    name = recording.info.channels[2]
    humming = with_line(recording, hertz, 30)
    assert dead(humming, WIDE) == {name: f"hums at {round(8 * hertz) / 8:.1f} Hz"}
    assert dead(humming, WIDE, FLICKER) == {name: f"hums at {round(8 * hertz) / 8:.1f} Hz"}


@pytest.mark.parametrize("hertz", [33.3, 50.0, 60.0])
def test_a_line_outside_the_band_does_no_harm(recording, hertz):
    assert dead(with_line(recording, hertz, 100)) == {}


@pytest.mark.parametrize("mains", [50.0, 60.0, 49.8])
def test_mains_hum_is_not_judged_even_inside_the_band(recording, mains):
    assert dead(with_line(recording, mains, 100), (6.0, 70.0)) == {}


@pytest.mark.parametrize("hertz", [20.0, 30.0, 40.0])
def test_an_answer_to_flicker_is_no_defect(recording, hertz):
    answer = with_line(recording, hertz, 20)
    assert dead(answer, WIDE, FLICKER) == {}
    assert len(dead(answer, WIDE)) == 1  # without flicker it would be one


@pytest.mark.parametrize("width", [0.6, 1.0, 2.0])
def test_a_strong_rhythm_is_no_line(recording, width):
    n = len(recording.signal)
    for seed in range(5):
        signal = recording.signal.copy()
        signal += narrow(n, 250, 10.3, width, 25, seed)[:, None].astype(np.float32)
        assert dead(replace(recording, signal=signal)) == {}, seed


@pytest.mark.parametrize("share", [0.55, 1.0])
def test_an_electrode_that_repeats_its_value_is_flat(recording, share):
    signal = recording.signal.copy()
    signal[: int(share * len(signal)), 1] = 3.0
    assert dead(replace(recording, signal=signal)) == {recording.info.channels[1]: "is flat"}
    signal[:, 1] = np.where(np.arange(len(signal)) < 0.3 * len(signal), 3.0, recording.signal[:, 1])
    assert dead(replace(recording, signal=signal)) == {}


def test_an_electrode_without_numbers_is_flat_and_a_few_do_no_harm(recording):
    signal = recording.signal.copy()
    signal[:, 0] = np.nan
    signal[100:110, 1] = np.inf
    assert dead(replace(recording, signal=signal)) == {recording.info.channels[0]: "is flat"}


def test_only_the_electrodes_that_are_asked_for_are_judged(recording):
    humming = with_line(recording, 16, 30)
    names = recording.info.channels
    assert dead_electrodes(humming, (names[0], names[3]), BAND) == {}
    assert list(dead_electrodes(humming, (names[2], names[3]), BAND)) == [names[2]]


@pytest.mark.parametrize("seconds", [0, 0.01, 5])
def test_a_recording_too_short_for_a_spectrum_is_not_accused_of_a_line(recording, seconds):
    short = replace(recording, signal=recording.signal[: int(seconds * 250)], markers=())
    accused = dead(short)
    assert all(why == "is flat" for why in accused.values())
    assert bool(accused) == (seconds < 0.01)


def test_no_piece_of_a_spectrum_spans_a_gap(recording):
    gaps = tuple(Gap(1000 * k, 0) for k in range(1, 16))  # every 4 s
    frequency, power = spectrum(replace(recording, gaps=gaps), 0)
    assert len(frequency) == len(power) == 0
    frequency, power = spectrum(recording, 0)
    assert frequency[1] == 0.125
    assert frequency[-1] == 125
    assert (power >= 0).all()


def test_mains_is_found_where_it_stands_out(recording):
    columns = [0, 1, 2, 3]
    assert mains_hum(recording, columns) is None
    for mains in (50.0, 60.0):
        humming = recording
        for column in columns:
            humming = with_line(humming, mains, 5, column)
        assert mains_hum(humming, columns) == mains
    assert mains_hum(with_line(recording, 50, 5, 0), columns) is None  # one electrode of four
