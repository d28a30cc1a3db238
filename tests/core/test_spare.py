"""Electrodes that are missing or bad are estimated from the others, and the decision says so."""

import numpy as np
import pytest

from calibration.fitting.interpolation_weights import fit_interpolation
from rtbci.decoding.interpolation import Interpolation
from rtbci.signal.recipe import EVOKED_BANDS, EVOKED_WINDOW, make_recipe

NAMES = tuple(f"E{i}" for i in range(16))


@pytest.fixture(scope="module")
def recipe():
    return make_recipe(
        250.0, NAMES, bands=EVOKED_BANDS, window=EVOKED_WINDOW, gate=True, reject=100.0
    )


@pytest.fixture(scope="module")
def trials(recipe):
    """Sixteen electrodes that see five sources, and a little noise of their own."""
    rng = np.random.default_rng(3)
    mixing = rng.standard_normal((16, 5))
    n = recipe.last - recipe.first
    sources = rng.standard_normal((60, 3, 5, n)).cumsum(axis=3)
    x = mixing @ sources + 0.1 * rng.standard_normal((60, 3, 16, n))
    return list((10 * x / x.std()).astype(np.float32))


def test_an_electrode_is_estimated_from_the_others(recipe, trials):
    spare = fit_interpolation(recipe, trials[:50], [None] * 50)
    assert spare is not None
    gone = np.isin(np.arange(16), [2, 9, 11])
    worst = []
    for x in trials[50:]:
        broken = x.copy()
        broken[:, gone] = 0
        filled = spare.fill(broken, gone)
        np.testing.assert_array_equal(filled[:, ~gone], x[:, ~gone])
        worst.append(np.abs(filled[:, gone] - x[:, gone]).mean() / np.abs(x[:, gone]).mean())
    assert max(worst) < 0.15


def test_what_was_missing_in_some_trials_is_learnt_from_the_rest(recipe, trials):
    gone = np.isin(np.arange(16), [4])
    broken = [x.copy() for x in trials]
    for x in broken[:40]:
        x[:, gone] = 0
    missing = [gone] * 40 + [None] * 20
    spare = fit_interpolation(recipe, broken, missing)
    assert spare is not None
    filled = spare.fill(broken[0], gone)
    assert np.corrcoef(filled[0, 4], trials[0][0, 4])[0, 1] > 0.95


def test_a_small_montage_spares_nothing(trials):
    small = make_recipe(
        250.0, NAMES[:8], bands=EVOKED_BANDS, window=EVOKED_WINDOW, gate=True, reject=100.0
    )
    assert fit_interpolation(small, [x[:, :8] for x in trials], [None] * len(trials)) is None


def test_an_electrode_that_swings_wildly_is_named_and_a_moving_head_is_not():
    spare = Interpolation(np.eye(16)[None], np.full(16, 30.0))
    swing = np.full(16, 40.0)
    swing[5] = 900
    assert spare.wild(swing).tolist() == [i == 5 for i in range(16)]
    assert not spare.wild(np.full(16, 900.0)).any()
