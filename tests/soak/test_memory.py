"""The slope of memory is told from noise and steps, and a minute of a session leaks no samples."""

import time

import numpy as np
import pytest

from tests.soak.long_run import RATE
from tests.soak.memory import SECONDS, check, run, slope
from tests.soak.units import Units

SHORT_S, SHORT_WARM_S = 30.0, 15.0
MOST_BLOCKS = RATE / 2  # a second: an object that stays for each sample, or each second one


def test_a_slope_is_found_beside_noise_spikes_and_a_warm_up():
    t = np.arange(0, SECONDS, 0.5)
    noise = np.random.default_rng(0).normal(0, 1e5, len(t))
    start = 5e7 * (1 - np.exp(-t / 30))
    spikes = np.where(np.arange(len(t)) % 40 == 7, 3e7, 0.0)
    for rate in (0.0, 2000.0):  # bytes a second
        found = slope(t.tolist(), (1e8 + rate * t + noise + start + spikes).tolist(), 180.0)
        assert found == pytest.approx(rate, abs=300)


def test_a_single_step_is_no_slope():
    t = np.arange(0, SECONDS, 0.5)
    assert slope(t.tolist(), np.where(t < 850, 1e8, 1.02e8).tolist(), 180.0) == 0.0


FLAT = {"mb_an_hour": 4.9, "blocks_a_second": 1.0, "mb": 50.0}


@pytest.mark.parametrize(("last", "ok"), [(FLAT, True), ({**FLAT, "mb_an_hour": 5.1}, False)])
def test_the_check_passes_only_when_every_process_stands_still(tmp_path, last, ok):
    units = Units(tmp_path / "a.jsonl", deadline=time.monotonic())
    assert check(units).ok is None
    units.done = {"memory/0": {"record": FLAT, "decode": last}}
    assert check(units).ok is ok


@pytest.mark.lsl
@pytest.mark.slow
def test_no_process_of_a_session_keeps_an_object_for_each_sample(tmp_path):
    held = run(tmp_path, SHORT_S)
    growth = {
        name: slope(each.block_times, each.blocks, SHORT_WARM_S) for name, each in held.items()
    }
    print(growth)
    assert set(held) == {"live", "stream", "record", "decode"}
    assert all(len(each.blocks) > SHORT_S for each in held.values())
    assert max(growth.values()) < MOST_BLOCKS
