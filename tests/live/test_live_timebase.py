"""Rows become indices as they come: the same as afterwards, however they are cut into pushes."""

import itertools
import time

import numpy as np
import pytest

from rtbci.signal.live_timebase import RESTARTED, LiveTimeBase
from rtbci.signal.sample_index import IndexedRows
from rtbci.signal.timebase import CLOCK_RESET, from_stamps
from rtbci.types import Gap

T0 = 5000.0
NOWHERE = -(10**9)
CUTS = (1, 12, 20, 256)


class Fed:
    """A time base after ``stamps`` came in pushes of ``cut`` rows (or at these edges)."""

    def __init__(self, stamps, cut: int | list[int] = 20, rate=256.0, t0=None, flush=True):
        self.base = LiveTimeBase(rate, t0)
        self.gaps = []
        self.indices = np.full(len(stamps), NOWHERE)
        self.held = 0  # most rows that were waiting after a push
        edges = [*range(0, len(stamps), cut), len(stamps)] if isinstance(cut, int) else cut
        settled = 0
        for start, stop in itertools.pairwise(edges):
            settled = max(settled, self.take(self.base.push(stamps[start:stop])))
            self.held = max(self.held, stop - settled)
        if flush:
            self.take(self.base.flush())

    def take(self, items):
        stop = 0
        for item in items:
            if isinstance(item, IndexedRows):
                stop = item.stop
                assert (self.indices[item.first : stop] == NOWHERE).all()
                self.indices[item.first : stop] = item.index + np.arange(stop - item.first)
            else:
                self.gaps.append(item)
        return stop


def fed_any_way(stamps, rate=256.0, t0=None, cuts=(20, 1)):
    """Feeds these cuts and a random one, asserts that all agree, and returns the first."""
    inner = np.random.default_rng(1).choice(np.arange(1, len(stamps)), 100, replace=False)
    edges: list[int] = [0, *sorted(inner.tolist()), len(stamps)]
    first, *others = [Fed(stamps, cut, rate, t0) for cut in (*cuts, edges)]
    for other in others:
        assert other.gaps == first.gaps
        assert np.array_equal(other.indices, first.indices)
        assert other.base.head == first.base.head
        assert other.base.stamp_at(len(stamps)) == first.base.stamp_at(len(stamps))
        assert other.base.effective_rate == first.base.effective_rate
        assert other.base.back_steps == first.base.back_steps
    return first


def packets(seconds=40, rate=256, seed=0, drift=0.0):
    """Stamps of packets of 12 rows that come late by 4 ms on average."""
    rng = np.random.default_rng(seed)
    rows = np.arange(int(seconds * rate))
    late = rng.exponential(0.004, len(rows) // 12 + 1)[rows // 12]
    return T0 + rows / rate * (1 + drift) + late + rng.normal(0, 0.001, len(rows))


def regular(seconds=40, rate=256):
    return T0 + np.arange(int(seconds * rate)) / rate


# Stamps on the grid of a published t0.


def test_rows_of_our_streams_have_the_index_their_stamp_says():
    stamps = T0 + np.arange(-2000, 20_000) / 1000
    fed = fed_any_way(stamps, 1000, T0)
    assert fed.gaps == []
    assert np.array_equal(fed.indices, np.arange(-2000, 20_000))
    assert fed.held == 0
    assert fed.base.index_at(T0 + 25.0004) == 25_000  # ahead of the newest row
    assert fed.base.stamp_at(123) == pytest.approx(T0 + 0.123, abs=1e-9)


def test_a_late_reader_starts_where_the_stream_is_and_has_no_gap():
    fed = fed_any_way(T0 + np.arange(7000, 9000) / 1000, 1000, T0)
    assert (fed.gaps, fed.indices[0], fed.base.missing) == ([], 7000, 0)


def test_samples_that_were_never_sent_are_a_gap_at_once():
    rows = np.delete(np.arange(9000), slice(4000, 7000))
    fed = fed_any_way(T0 + rows / 1000, 1000, T0)
    assert fed.gaps == [Gap(4000, 3000)]
    assert np.array_equal(fed.indices, rows)
    assert (fed.base.missing, fed.held) == (3000, 0)
    assert fed.base.index_at(T0 + 5.5) == 5500  # within the gap


def test_rows_that_come_again_are_dropped_and_counted():
    rows = np.concatenate([np.arange(5000), np.arange(4900, 9000)])
    fed = fed_any_way(T0 + rows / 1000, 1000, T0)
    assert (fed.gaps, fed.base.repeated, fed.base.back_steps) == ([], 100, 1)
    kept = fed.indices[fed.indices != NOWHERE]
    assert np.array_equal(kept, np.arange(9000))


@pytest.mark.parametrize("jump", [3600.0, -5.0, -3600.0])
@pytest.mark.parametrize("t0", [T0, None])
def test_a_clock_that_was_set_is_a_reset_and_the_count_goes_on(t0, jump):
    stamps = regular()
    stamps[7000:] += jump
    fed = fed_any_way(stamps, 256, t0)
    assert fed.gaps == [Gap(7000, 0, CLOCK_RESET)]
    assert np.array_equal(fed.indices, np.arange(len(stamps)))
    assert fed.base.missing == 0
    assert fed.base.index_at(float(stamps[9000])) == 9000
    assert fed.base.index_at(float(stamps[3000])) == 3000  # a marker of before
    assert fed.base.stamp_at(3000) == pytest.approx(stamps[3000], abs=1e-6)


def test_rows_without_a_stamp_on_the_grid_follow_the_row_before():
    stamps = regular()
    stamps[[50, 51, 700]] = np.nan, np.inf, 1e308
    fed = fed_any_way(stamps, 256, T0)
    assert fed.gaps == []
    assert np.array_equal(fed.indices, np.arange(len(stamps)))


# Stamps that nobody vouches for.


def test_every_real_recording_gets_the_indices_it_gets_afterwards(eeg):
    files = sorted((eeg / "muse").rglob("*.csv"))
    assert len(files) >= 60
    unlike = []
    for number, path in enumerate(files):
        stamps = np.loadtxt(path, delimiter=",", skiprows=1, usecols=0)
        after = from_stamps(stamps, 256)
        every = number % 6 == 0 or after.back_steps > 1000
        fed = fed_any_way(stamps, cuts=CUTS) if every else Fed(stamps, CUTS[1 + number % 3])
        if not np.array_equal(fed.indices, after.indices) or fed.gaps != list(after.gaps):
            unlike.append(path.name)
        assert fed.base.back_steps == after.back_steps
        assert fed.base.effective_rate == pytest.approx(after.rate, rel=5e-4)
        assert fed.held <= 64, "a quarter of a second, for a late packet"
    assert unlike == []


@pytest.mark.parametrize("pattern", ["left-right/subject2", "N170/subject1*", "P300/subject2"])
def test_markers_find_their_row_in_real_recordings_at_once(eeg, pattern):
    for path in sorted((eeg / "muse" / "visual").glob(f"{pattern}/*/*.csv"))[:4]:
        stamps = np.loadtxt(path, delimiter=",", skiprows=1, usecols=0)
        times = from_stamps(stamps, 256).times
        base = LiveTimeBase(256)
        off = []
        for row in range(0, len(stamps) - 12, 12):
            base.push(stamps[row : row + 12])
            found = base.index_at(times[row + 11])
            assert found is not None
            off.append(found - row - 11)
        assert max(map(abs, off[: 2 * 256 // 12])) <= 3, path.name
        assert max(map(abs, off[2 * 256 // 12 :])) <= 1, path.name


def test_losses_cut_out_of_real_stamps_are_found_where_they_were(eeg):
    rng = np.random.default_rng(0)
    paths = sorted((eeg / "muse" / "visual" / "N170").glob("subject1*/*/*.csv"))
    paths += sorted((eeg / "muse" / "visual" / "left-right").glob("subject2/*/*.csv"))
    assert paths
    for path in paths:
        stamps = np.loadtxt(path, delimiter=",", skiprows=1, usecols=0)
        for lost in (12, 24, 128, 768):
            at = int(rng.integers(300, len(stamps) - lost - 300))
            (gap,) = Fed(np.delete(stamps, slice(at, at + lost))).gaps
            assert (abs(gap.index - at) <= 1, abs(gap.missing - lost) <= 1) == (True, True), path


@pytest.mark.parametrize("rate", [256, 500, 1000])
@pytest.mark.parametrize("lost_s", [0.1, 0.5, 3.0])
def test_a_loss_amid_jitter_is_found_where_it_was(rate, lost_s):
    for seed in range(3):
        lost = int(lost_s * rate)
        at = int(np.random.default_rng(seed).integers(2 * rate, 25 * rate))
        stamps = np.delete(packets(30, rate, seed, 100e-6), slice(at, at + lost))
        fed = fed_any_way(stamps, rate) if seed == 0 else Fed(stamps, 20, rate)
        (gap,) = fed.gaps
        assert abs(gap.index - at) <= 1
        assert abs(gap.missing - lost) <= max(1, 0.002 * rate)  # 2 ms where packets come late
        assert fed.held <= 0.5 * rate


def test_chunks_dropped_at_random_are_found_to_the_sample():
    for seed, jitter in enumerate([0.0, 0.0, 0.001, 0.001]):
        rng = np.random.default_rng(seed)
        rows = np.arange(20_000)
        dropped = rng.choice(np.arange(30, 990), 20, replace=False)
        rows = rows[~np.isin(rows // 20, dropped)]
        fed = fed_any_way(T0 + rows / 1000 + rng.normal(0, jitter, len(rows)), 1000)
        assert fed.base.missing == 400
        assert np.mean(fed.indices == rows) > 0.999  # jitter may shift an edge by a row
        assert fed.indices[-1] == rows[-1]


def test_a_stall_that_catches_up_loses_nothing_and_waits_for_nothing_else():
    for stamps in (regular(), packets()):
        stall = stamps.copy()
        stall[5000:5768] = stamps[5768]  # three seconds delivered at once
        assert fed_any_way(stall).gaps == []
        slow = np.maximum(stamps, stamps[5000] + 3 + np.arange(-5000, len(stamps) - 5000) / 512)
        slow[:5000] = stamps[:5000]  # caught up at twice the pace, over six seconds
        fed = fed_any_way(slow)
        assert fed.gaps == []
        assert fed.held <= 128


def test_a_loss_within_a_stall_is_told_from_the_stall():
    stamps = packets()
    stamps[5000:5512] = stamps[5768]
    fed = fed_any_way(np.delete(stamps, slice(5512, 5768)))
    (gap,) = fed.gaps
    assert abs(gap.index - 5512) <= 12
    assert abs(gap.missing - 256) <= 1


def test_rows_that_were_late_at_the_start_are_no_clock_reset():
    for burst in (256, 768):
        stamps = packets()
        stamps[:burst] = stamps[burst]
        fed = fed_any_way(stamps)
        assert fed.gaps == []
        assert fed.base.index_at(T0 + 20) == pytest.approx(20 * 256, abs=1)


@pytest.mark.parametrize("packet_s", [0.05, 0.1, 0.25])
def test_one_stamp_for_a_whole_packet_is_no_gap(packet_s):
    rows = np.arange(30_000)
    packet = int(packet_s * 1000)
    assert fed_any_way(T0 + (rows // packet + 1) * packet / 1000, 1000).gaps == []


@pytest.mark.parametrize("sigma", [0.001, 0.005, 0.02])
def test_scatter_of_every_row_is_no_gap(sigma):
    fed = fed_any_way(regular() + np.random.default_rng(0).normal(0, sigma, 40 * 256))
    assert fed.gaps == []
    assert fed.held <= 20


@pytest.mark.parametrize("jitter", [0.0, 0.001, 0.005])
def test_an_hour_of_drift_moves_no_marker_by_two_milliseconds(jitter):
    rate = 250
    true = T0 + np.arange(3600 * rate) / rate * (1 + 100e-6)
    stamps = true + np.random.default_rng(0).normal(0, jitter, len(true))
    base = LiveTimeBase(rate)
    worst = 0.0
    for row in range(0, len(true), 50):
        items = base.push(stamps[row : row + 50])
        assert all(isinstance(item, IndexedRows) for item in items)
        if row > 2 * rate:
            worst = max(worst, abs(base.stamp_at(row + 49) - true[row + 49]))
    assert worst < 0.002
    assert base.head == len(true)
    assert base.effective_rate == pytest.approx(rate / (1 + 100e-6), rel=2e-5)


@pytest.mark.parametrize("off", [0.005, -0.005, 0.01, -0.01])
def test_another_rate_than_the_nominal_one_is_no_loss(off):
    for stamps in (regular(), packets()):
        fed = fed_any_way(T0 + (stamps - T0) * (1 + off))
        assert fed.gaps == []
        assert fed.base.effective_rate == pytest.approx(256 / (1 + off), rel=1e-3)


def test_rows_without_a_stamp_are_counted():
    stamps = packets()
    stamps[:30] = np.nan
    stamps[3000:3300] = np.nan
    stamps[np.random.default_rng(0).choice(len(stamps), 500)] = np.nan
    stamps[[4000, 5000, 6000]] = np.inf, 1e308, -1e308
    fed = fed_any_way(stamps)
    assert fed.gaps == []
    assert np.array_equal(fed.indices, np.arange(len(stamps)))
    silent = Fed(np.full(1000, np.nan))
    assert (silent.base.head, silent.base.index_at(T0)) == (1000, None)


def test_one_wild_stamp_is_no_gap():
    for wild in (3600.0, -3600.0, 2.0, -2.0):
        stamps = packets()
        stamps[7000] += wild
        assert fed_any_way(stamps).gaps == []


def test_a_sender_whose_stamps_stand_still_is_counted():
    stamps = regular()
    stamps[7000:] = stamps[7000]
    fed = fed_any_way(stamps)
    assert fed.gaps == []
    assert fed.base.head == len(stamps)


def test_what_is_held_when_nothing_comes_any_more_is_given_out():
    stamps = np.delete(regular(), slice(5000, 5768))[:5040]
    fed = Fed(stamps, flush=False)
    assert (fed.gaps, fed.base.head) == ([], 5000)
    assert fed.take(fed.base.flush()) == 5040
    assert fed.gaps == [Gap(5000, 768)]
    assert fed.base.flush() == []
    more = fed.base.push(T0 + np.arange(5808, 5900) / 256)
    assert more == [IndexedRows(5808, 5040, 5132)]


def test_a_stream_that_comes_back_otherwise_is_counted_on():
    fed = Fed(packets(10), flush=False)
    items = fed.base.reset(250, 9000.0)
    assert items[-1] == Gap(2560, 0, RESTARTED)
    assert fed.base.push(9000.0 + np.arange(100, 200) / 250) == [IndexedRows(2560, 2560, 2660)]
    assert fed.base.index_at(9000.0 + 150 / 250) == 2610
    assert fed.base.index_at(T0 + 5) == pytest.approx(5 * 256, abs=2)
    assert fed.base.reset(500)[-1] == Gap(2660, 0, RESTARTED)
    assert fed.base.push(100 + np.arange(50) / 500) == [IndexedRows(2660, 2660, 2710)]


def test_a_reset_before_the_first_row_changes_only_the_description():
    base = LiveTimeBase(256)
    assert base.reset(1000, T0) == []
    assert base.push(T0 + np.arange(70, 90) / 1000) == [IndexedRows(70, 0, 20)]


def test_nothing_is_known_before_the_first_row():
    for base in (LiveTimeBase(250), LiveTimeBase(250, T0)):
        assert (base.index_at(T0), base.head, base.effective_rate) == (None, None, None)
        assert np.isnan(base.stamp_at(0))
        assert base.push(np.empty(0)) == []


@pytest.mark.parametrize("t0", [None, T0])
def test_stamps_without_sense_lose_no_row_and_end(t0):
    for seed in range(8):
        rng = np.random.default_rng(seed)
        stamps = packets(6, 256, seed)
        for _ in range(20):
            at, n = rng.integers(0, len(stamps)), rng.integers(1, 300)
            width = 10.0 ** rng.integers(-3, 13)
            stamps[at : at + n] += rng.choice([0, 1]) * width * rng.normal(size=1)
            stamps[at : at + n] += width * 0.1 * rng.normal(size=len(stamps[at : at + n]))
        fed = fed_any_way(stamps, 256, t0)
        given = fed.indices[fed.indices != NOWHERE]
        assert len(given) + fed.base.repeated == len(stamps)
        assert (np.diff(given) > 0).all()


@pytest.mark.parametrize(("t0", "limit_us"), [(T0, 10), (None, 30)])
def test_a_chunk_costs_microseconds(t0, limit_us):
    stamps = regular(40, 1000)
    best = np.inf
    for _ in range(5):  # the best of five, in time of this thread: others may use this machine
        base = LiveTimeBase(1000, t0)
        start = time.thread_time()
        for row in range(0, len(stamps), 20):
            base.push(stamps[row : row + 20])
        best = min(best, (time.thread_time() - start) / (len(stamps) / 20))
    assert best * 1e6 < 2 * limit_us  # half of it on an idle machine
