"""Ranges over stretches of a ring: the same as looking at every sample."""

import numpy as np
import pytest

from rtbci.signal.ring import Ring
from rtbci.signal.rolling_range import RollingRange


@pytest.mark.parametrize("size", [1, 7, 16, 20, 90])
def test_a_range_is_that_of_all_samples(size):
    rng = np.random.default_rng(size)
    x = rng.normal(size=(700, 2, 3)).astype(np.float32)
    ring = Ring(100, (2, 3))
    extremes = RollingRange(ring, 1, 3)
    for at in range(0, len(x), size):
        ring.append(x[at : at + size])
        extremes.follow()
        for start, stop in rng.integers(ring.oldest, ring.rows + 1, (5, 2)):
            found = extremes.range(start, stop)
            if start >= stop:
                assert np.isnan(found)
            else:
                exact = np.ptp(x[start:stop, 1], axis=0).max()
                assert found == exact
                for enough in (exact * 0.999, exact, exact * 1.2):
                    found = extremes.range(start, stop, enough)
                    assert exact <= found <= enough if exact <= enough else found == exact


def test_rows_that_were_skipped_over_are_not_asked_for():
    x = np.arange(1000, dtype=np.float32).reshape(1000, 1, 1)
    ring = Ring(100, (1, 1))
    extremes = RollingRange(ring, 0, 1)
    ring.append(x)  # the first 900 are never in the ring
    extremes.follow()
    assert extremes.range(905, 1000) == 94
    assert 94 <= extremes.range(905, 1000, 110) <= 110
