"""Stamps become indices: jitter and back-steps lose nothing, a loss is found to the sample."""

import numpy as np
import pytest

from rtbci.errors import BadInput
from rtbci.signal.timebase import from_stamps
from rtbci.types import Gap


def bursts(seconds: float, rate: float, seed: int = 0, drift: float = 100e-6) -> np.ndarray:
    """Stamps of packets of 12 samples that come late by 4 ms on average, and drift."""
    rng = np.random.default_rng(seed)
    n = int(seconds * rate)
    late = rng.exponential(0.004, n // 12 + 1)[np.arange(n) // 12]
    return 1000 + np.arange(n) / rate * (1 + drift) + late + rng.normal(0, 0.001, n)


@pytest.mark.parametrize("rate", [128, 256, 500, 1000])
@pytest.mark.parametrize("lost_s", [0.1, 0.5, 3.0])
def test_a_loss_amid_jitter_is_found_where_it_was_and_as_long(rate, lost_s):
    for seed in range(3):
        lost = int(lost_s * rate)
        at = int(np.random.default_rng(seed).integers(2 * rate, 50 * rate))
        base = from_stamps(np.delete(bursts(60, rate, seed), slice(at, at + lost)), rate)
        assert len(base.gaps) == 1
        assert abs(base.gaps[0].index - at) <= 1
        assert abs(base.gaps[0].missing - lost) <= 1
        assert base.indices[-1] == pytest.approx(60 * rate - 1, abs=1)


def test_jitter_bursts_and_back_steps_are_no_gaps():
    stamps = bursts(120, 256)
    base = from_stamps(stamps, 256)
    assert base.gaps == ()
    assert base.back_steps == int((np.diff(stamps) <= 0).sum()) > 100
    assert base.rate == pytest.approx(256 / (1 + 100e-6), rel=1e-4)
    assert (np.diff(base.times) >= 0).all()


def test_one_lost_packet_of_a_dry_headset_is_found():
    stamps = np.delete(bursts(60, 256), slice(5004, 5016))
    assert from_stamps(stamps, 256).gaps == (Gap(5004, 12),)


def test_packets_lost_every_second_do_not_pass_for_a_slower_clock():
    lost = np.concatenate([np.arange(row, row + 12) for row in range(516, 15000, 300)])
    base = from_stamps(np.delete(bursts(60, 256), lost), 256)
    assert sum(gap.missing for gap in base.gaps) == pytest.approx(len(lost), rel=0.03)
    assert base.rate == pytest.approx(256, rel=0.004)


def test_a_stall_that_catches_up_loses_nothing():
    stamps = bursts(60, 256)
    stamps[5000:5768] = stamps[5768]  # three seconds delivered at once
    assert from_stamps(stamps, 256).gaps == ()


@pytest.mark.parametrize("jump", [3600.0, -5.0, -3600.0, -1e9])
def test_a_clock_that_was_set_is_a_reset_of_unknown_length(jump):
    stamps = bursts(60, 256)
    stamps[7000:] += jump
    base = from_stamps(stamps, 256)
    assert base.gaps == (Gap(7000, 0, "clock reset"),)
    assert base.rate == pytest.approx(256, rel=1e-3)


def test_another_rate_than_the_nominal_one_is_no_loss():
    base = from_stamps(np.arange(20_000) / 250, 256)
    assert base.gaps == ()
    assert base.rate == pytest.approx(250)


def test_a_stamp_is_placed_on_the_nearest_sample_also_behind_a_gap():
    stamps = np.delete(10 + np.arange(6000) / 100, slice(3000, 3100))
    base = from_stamps(stamps, 100)
    found = base.index_at(np.array([10.0, 10.004, 39.99, 41.0, 60.0, 9.0, 70.5]))
    assert found.tolist() == [0, 0, 2999, 3100, 5000, -100, 6050]


@pytest.mark.parametrize(
    "stamps", [np.zeros(100), np.array([1.0, np.nan, 2.0]), np.arange(100.0)[::-1], np.array([1.0])]
)
def test_stamps_that_do_not_advance_are_refused(stamps):
    with pytest.raises(BadInput, match="time stamps"):
        from_stamps(stamps, 100)


def test_no_real_recording_has_a_false_gap(eeg):
    """Every Muse recording there is, among them those with 1663 back-steps and 58 ms jumps."""
    files = sorted((eeg / "muse").rglob("*.csv"))
    assert len(files) >= 60
    for path in files:
        stamps = np.loadtxt(path, delimiter=",", skiprows=1, usecols=0)
        base = from_stamps(stamps, 256)
        assert base.gaps == (), path.name
        assert 255.9 < base.rate < 256.1, path.name


def test_losses_cut_out_of_real_stamps_are_found_to_the_sample(eeg):
    rng = np.random.default_rng(0)
    worst = sorted((eeg / "muse" / "visual" / "N170").glob("subject1*/*/*.csv"))
    assert worst
    for path in worst:
        stamps = np.loadtxt(path, delimiter=",", skiprows=1, usecols=0)
        for lost in (12, 24, 128, 768):
            at = int(rng.integers(300, len(stamps) - lost - 300))
            (gap,) = from_stamps(np.delete(stamps, slice(at, at + lost)), 256).gaps
            assert (gap.index, abs(gap.missing - lost) <= 1) == (at, True), path.name
