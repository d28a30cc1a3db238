"""The causal filters: scipy is the judge, the settling time is what a step says it is.

scipy in double precision is itself up to 100 times further from the exact result than ours, by an
amount that depends on the processor. So it judges in long double, and the bound is what rounding
can do at worst to the products of ours, whatever the order in which a processor adds them up.
"""

from fractions import Fraction

import numpy as np
import pytest
from scipy.signal import sosfilt

from rtbci.signal.preprocess import (
    BLOCK,
    STEP_LEFT,
    Cascade,
    Filter,
    Hold,
    Preprocess,
    block_matrix,
    design,
    settling,
    steady_state,
)
from rtbci.types import Array, Samples

UNIT = 2.0**-53  # half the distance of 1 to the next number
UNIT_32 = 2.0**-24
CHAINS = {  # low, high, rate, mains notch; Hz
    "evoked at 250": (0.1, 20.0, 250.0, None),
    "evoked with notch": (0.3, 20.0, 256.0, 50.0),
    "evoked at 1000": (0.1, 20.0, 1000.0, 60.0),
    "check": (1.0, 30.0, 500.0, None),
    "rhythms": (8.0, 30.0, 128.0, None),
    "narrow": (11.0, 13.0, 250.0, 50.0),
    "wide": (0.5, 110.0, 250.0, 50.0),
    "old headset": (1.0, 40.0, 100.0, None),
}


def eeg(rate: float, seconds: float, channels: int, seed: int) -> Array:
    """Slow drift, rhythms, noise and mains on offsets of up to some hundred microvolts."""
    rng = np.random.default_rng(seed)
    times = np.arange(round(rate * seconds))[:, None] / rate
    drift = np.cumsum(rng.normal(0, 30 / rate**0.5, (len(times), channels)), axis=0)
    waves = 10 * np.sin(2 * np.pi * (10 * times + rng.random(channels)))
    mains = 20 * np.sin(2 * np.pi * 50 * times)
    noise = rng.normal(0, 8, (len(times), channels))
    return drift + waves + mains + noise + rng.normal(0, 100, channels)


def reference(chain: Filter, x: Array) -> Array:
    """The same by scipy, started at the steady state of the first sample."""
    start = chain.start[:, :, None] * x[0]
    return sosfilt(chain.sos, x, axis=0, zi=start)[0]


def exact(chain: Filter, x: Array) -> np.ndarray:
    """``reference`` in long double: a thousand times closer to the truth than any bound here."""
    sos, start, wide = (each.astype(np.longdouble) for each in (chain.sos, chain.start, x))
    return sosfilt(sos, wide, axis=0, zi=start[:, :, None] * wide[0])[0]


def rounding(chain: Filter, x: Array) -> Array:
    """How far ``Cascade`` may be from the exact result, for each channel of ``x``.

    A sum of n products is off by at most n + 1 units of the sum of their magnitudes, in whatever
    order it is made; two more units are for the matrix and the input, both rounded once. What a
    block adds to the states goes on through all later blocks.
    """
    matrix = block_matrix(chain.sos)
    state = np.zeros((len(matrix) - BLOCK, x.shape[1]))
    largest = np.zeros((len(matrix), x.shape[1]))
    padded = np.concatenate([x - x[0], np.zeros((-len(x) % BLOCK, x.shape[1]))])
    blocks = padded.reshape(-1, BLOCK, x.shape[1])
    for block in blocks:
        column = np.concatenate([block, state])
        largest, state = np.maximum(largest, np.abs(column)), matrix[BLOCK:] @ column
    fresh = (len(matrix) + 3) * UNIT * (np.abs(matrix) @ largest)  # in every block
    off, onward = fresh[:BLOCK], matrix[:BLOCK, BLOCK:]
    for _ in blocks:
        off, onward = off + np.abs(onward) @ fresh[BLOCK:], onward @ matrix[BLOCK:, BLOCK:]
    return off.max(axis=0)


@pytest.mark.parametrize("size", [1, 20, 1000, None])
@pytest.mark.parametrize("name", CHAINS)
def test_filters_agree_with_scipy_however_the_signal_is_cut(name, size):
    low, high, rate, line = CHAINS[name]
    chain = design(low, high, rate, line)
    x = eeg(rate, 20 if size == 1 else 60, 6, seed=len(name))
    cascade = Cascade(chain, x.shape[1])
    size = size or len(x)
    y = np.concatenate([cascade.push(x[row : row + size]) for row in range(0, len(x), size)])
    assert (np.abs(y - exact(chain, x)).max(axis=0) <= rounding(chain, x)).all()
    assert rounding(chain, x).max() < 1e-9  # uV; it grows with the number of blocks, no further


def test_the_slowest_filter_is_closer_to_the_exact_result_than_scipy():
    chain = design(0.1, 20.0, 1000.0, 50.0)
    x = eeg(1000.0, 15, 3, seed=14)
    plain, wide = np.empty(x.shape, np.longdouble), x.astype(np.longdouble)
    state = chain.start.astype(np.longdouble)[:, :, None] * wide[0]
    for time, row in enumerate(wide):
        for z, (b0, b1, b2, _, a1, a2) in zip(state, chain.sos, strict=True):
            out = b0 * row + z[0]
            z[0] = b1 * row - a1 * out + z[1]
            z[1] = b2 * row - a2 * out
            row = out
        plain[time] = row
    ours = np.abs(Cascade(chain, 3).push(x) - plain).max(axis=0)
    assert (ours <= rounding(chain, x)).all()
    assert ours.max() < np.abs(reference(chain, x) - plain).max()
    assert (np.abs(exact(chain, x) - plain).max(axis=0) < rounding(chain, x) / 100).all()


@pytest.mark.parametrize("name", CHAINS)
def test_filters_agree_with_scipy_where_samples_are_held(name):
    low, high, rate, line = CHAINS[name]
    chain = design(low, high, rate, line)
    rng = np.random.default_rng(7)
    x = eeg(rate, 30, 4, seed=3).astype(np.float32)
    x[1:][rng.random((len(x) - 1, 4)) < 0.05] = np.nan
    x[200:260, 1] = -np.inf
    held = x.copy()
    for row in range(1, len(x)):  # the plainest way to say it
        held[row] = np.where(np.isfinite(x[row]), x[row], held[row - 1])
    found = np.concatenate([piece[:, 0] for piece in _pushed(Preprocess((chain,), 4), x)])
    held = held.astype(np.float64)
    # Preprocess gives float32: one more rounding is all that may differ
    close(found, exact(chain, held), rounding(chain, held))


def close(found: Samples, expected: np.ndarray, off: Array) -> None:
    """``found`` is ``expected`` but for ``off`` of each channel and the rounding to float32."""
    may = UNIT_32 * np.abs(expected) + (1 + UNIT_32) * off
    assert (np.abs(found - expected) <= may).all()


def _pushed(transform: Preprocess, x: np.ndarray) -> list[np.ndarray]:
    cuts = np.random.default_rng(1).integers(0, len(x), 80)
    return [transform.push(piece) for piece in np.split(x, np.sort(cuts))]


@pytest.mark.parametrize("kind", ["average", "columns"])
def test_a_reference_is_taken_away_before_the_filter(kind):
    chain = design(1.0, 30.0, 250.0)
    x = eeg(250.0, 20, 5, seed=1).astype(np.float32)
    exact = x.astype(np.float64)
    mean = exact if kind == "average" else exact[:, [1, 3]]
    expected = reference(chain, exact - mean.mean(axis=1, keepdims=True))
    transform = Preprocess((chain,), 5, "average" if kind == "average" else [1, 3])
    np.testing.assert_allclose(transform.push(x)[:, 0], expected, atol=2e-4)  # float32 in


def test_streams_come_out_in_the_order_of_their_filters():
    chains = [design(low, 30.0, 250.0) for low in (0.1, 1.0, 8.0)]
    x = eeg(250.0, 10, 3, seed=2).astype(np.float32)
    y = Preprocess(chains, 3).push(x)
    assert y.shape == (len(x), 3, 3)
    assert y.dtype == np.float32
    wide = x.astype(np.float64)
    for stream, chain in enumerate(chains):
        close(y[:, stream], exact(chain, wide), rounding(chain, wide))


def test_a_constant_comes_out_as_nothing_from_the_first_sample_on():
    x = np.full((3 * BLOCK + 5, 2), 300.0)
    assert np.abs(Cascade(design(0.1, 20.0, 250.0), 2).push(x)).max() < 1e-6


@pytest.mark.parametrize("name", CHAINS)
def test_the_steady_state_is_that_of_scipy(name):
    chain = design(*CHAINS[name])
    level, worst = Fraction(1), 1.0
    found = steady_state(chain.sos)
    for ours, theirs, section in zip(found, chain.start, chain.sos.tolist(), strict=True):
        b0, b1, b2, _, a1, a2 = map(Fraction, section)
        out = level * (b0 + b1 + b2) / (1 + a1 + a2)  # without any rounding
        z1 = b2 * level - a2 * out
        z0, level = b1 * level - a1 * out + z1, out
        # a dozen roundings; scipy solves an equation for each section, which multiplies them
        few = 12 * max(1.0, abs(float(z0)), abs(float(z1)))
        matrix = np.eye(2) - np.array([[-section[4], 1], [-section[5], 0]])
        worst = max(worst, float(np.linalg.cond(matrix)))
        for mine, other, true in zip(ours, theirs, (z0, z1), strict=True):
            assert abs(true - fraction(mine)) <= few * Fraction(float(np.finfo(mine).eps))
            assert abs(true - Fraction(float(other))) <= few * worst * 2 * UNIT


def fraction(x: np.longdouble) -> Fraction:
    """``x`` without rounding."""
    high = float(x)
    return Fraction(high) + Fraction(float(x - np.longdouble(high)))


def test_the_band_passes_and_the_rest_does_not():
    rate, times = 250.0, np.arange(5000)[:, None] / 250.0
    cascade = Cascade(design(8.0, 30.0, rate, 50.0), 4)
    y = cascade.push(np.sin(2 * np.pi * np.array([1.0, 15.0, 50.0, 90.0]) * times))
    swing = np.abs(y[-1000:]).max(axis=0)
    assert swing[1] == pytest.approx(1, abs=0.02)
    assert (swing[[0, 2, 3]] < 0.02).all()


@pytest.mark.parametrize(
    ("low", "high", "rate"),
    [(0, 20, 250), (-1, 20, 250), (20, 20, 250), (30, 20, 250), (1, 125, 250), (1, 300, 250),
     (float("nan"), 20, 250), (1, float("nan"), 250), (1, float("inf"), 250)],
)  # fmt: skip
def test_a_band_that_does_not_fit_is_refused_with_its_figures(low, high, rate):
    with pytest.raises(ValueError, match=r"band \S+-\S+ Hz does not fit between 0 and 125 Hz"):
        design(low, high, rate)


@pytest.mark.parametrize("line", [125.0, 200.0, 0.0, -50.0, float("nan")])
def test_a_notch_that_does_not_fit_is_refused(line):
    with pytest.raises(ValueError, match=r"a notch at \S+ Hz does not fit between 0 and 125 Hz"):
        design(1.0, 30.0, 250.0, line)


@pytest.mark.parametrize(
    ("low", "rate", "least", "most"),
    [(0.1, 250.0, 5, 12), (0.1, 1000.0, 5, 12), (0.3, 250.0, 1.5, 4), (1.0, 250.0, 0.5, 1.3)],
)
def test_settling_takes_as_long_as_the_low_edge_asks_for(low, rate, least, most):
    assert least < settling([design(low, 20.0, rate)], rate) < most


def test_settling_is_where_a_step_leaves_less_than_a_tenth():
    rate, chains = 250.0, [design(low, 20.0, 250.0) for low in (0.3, 1.0)]
    settled = round(settling(chains, rate) * rate)
    step = np.ones((60 * 250, 1))
    step[0] = 0
    left = np.max([np.abs(reference(chain, step)[:, 0]) for chain in chains], axis=0)
    assert (left[settled:] < STEP_LEFT).all()
    assert left[settled - 1] >= STEP_LEFT


def test_held_samples_repeat_the_last_number_of_their_own_channel():
    nan, inf = np.nan, np.inf
    hold = Hold(3)
    first = hold.push(np.array([[nan, 1, 2], [3, nan, inf]], np.float32))
    second = hold.push(np.array([[nan, 4, nan], [-inf, nan, 5]], np.float32))
    np.testing.assert_array_equal(first, [[0, 1, 2], [3, 1, 2]])
    np.testing.assert_array_equal(second, [[3, 4, 2], [3, 4, 5]])


def test_a_whole_signal_passes_through_hold_without_a_copy():
    x = np.ones((10, 2), np.float32)
    assert Hold(2).push(x) is x
