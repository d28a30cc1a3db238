"""The contract of every transform: cuts do not show, the future does not reach the past."""

from collections.abc import Callable

import numpy as np
import pytest

from rtbci.signal.preprocess import Cascade, Hold, Preprocess, design
from rtbci.types import Samples

RATE, CHANNELS, TIMES = 250.0, 19, 2500
FILTERS = tuple(design(low, high, RATE, 50.0) for low, high in ((0.1, 20.0), (1.0, 30.0)))
CUTS = {
    "whole": [TIMES],
    "ones": [1] * TIMES,
    "ragged": [0, 7, 0, 93, 400, 1, 0, 32, 967, 31, 33, 936, 0],
    "sevens": [7] * (TIMES // 7) + [TIMES % 7],
    "thousands": [1000, 1000, 500],
}
TRANSFORMS: dict[str, Callable[[], Hold | Cascade | Preprocess]] = {
    "hold": lambda: Hold(CHANNELS),
    "cascade": lambda: Cascade(FILTERS[0], CHANNELS),
    "preprocess as recorded": lambda: Preprocess(FILTERS, CHANNELS),
    "preprocess, average reference": lambda: Preprocess(FILTERS, CHANNELS, "average"),
    "preprocess, two references": lambda: Preprocess(FILTERS, CHANNELS, [3, 17]),
    "preprocess, many references": lambda: Preprocess(FILTERS, CHANNELS, list(range(2, 15))),
}


@pytest.fixture(params=TRANSFORMS)
def make(request: pytest.FixtureRequest) -> Callable[[], Hold | Cascade | Preprocess]:
    """Makes one transform in its fresh state."""
    return TRANSFORMS[request.param]


def signal(seed: int, make: Callable[[], object]) -> Samples:
    """EEG-like noise on an offset; with holes where the transform can take them."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 20, (TIMES, CHANNELS)) + rng.normal(0, 200, CHANNELS)
    x = x.astype(np.float32)
    if not isinstance(make(), Cascade):  # which sees what Hold has let through
        x[rng.random(x.shape) < 0.01] = np.nan
        x[400:460, 2] = np.inf
        x[:5, 3] = np.nan
    return x


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("seed", [0, 1])
def test_the_result_does_not_depend_on_the_cut(make, cut, seed):
    x = signal(seed, make)
    whole, cutting = make(), make()
    pieces = [cutting.push(piece) for piece in np.split(x, np.cumsum(CUTS[cut])[:-1])]
    assert sum(CUTS[cut]) == TIMES
    np.testing.assert_array_equal(np.concatenate(pieces), whole.push(x))


@pytest.mark.parametrize("order", ["C", "F"])
def test_the_result_does_not_depend_on_how_a_chunk_lies_in_memory(make, order):
    x = signal(2, make)
    pieces = [make_order(x[at : at + 1], order) for at in range(200)]
    one, other = make(), make()
    found = np.concatenate([one.push(piece) for piece in pieces])
    np.testing.assert_array_equal(found, other.push(np.asarray(x[:200], order=order)))


def make_order(x: Samples, order: str) -> Samples:
    """``x`` with rows apart (C) or columns apart (F) in memory."""
    return np.repeat(x, 2, axis=1)[:, ::2] if order == "F" else x.copy()


@pytest.mark.parametrize("at", [1, 31, 32, 33, 1000])
def test_the_future_does_not_change_the_past(make, at):
    x = signal(3, make)
    other = x.copy()
    other[at:] = np.random.default_rng(4).normal(0, 1e4, other[at:].shape)
    np.testing.assert_array_equal(make().push(x)[:at], make().push(other)[:at])


def test_the_input_is_not_changed(make):
    x = signal(5, make)
    before = x.copy()
    transform = make()
    for piece in np.split(x, 10):
        transform.push(piece)
    np.testing.assert_array_equal(x, before)


def test_what_came_out_stays_as_it_was(make):
    x = signal(6, make)
    transform = make()
    first = transform.push(x[:100])
    before = first.copy()
    transform.push(x[100:])
    transform.reset()
    np.testing.assert_array_equal(first, before)


def test_changing_a_chunk_afterwards_does_not_reach_the_state(make):
    x = signal(7, make)
    piece = x[:100].copy()
    one, other = make(), make()
    one.push(piece)
    other.push(x[:100])
    piece[:] = 1e6
    np.testing.assert_array_equal(one.push(x[100:]), other.push(x[100:]))


def test_zero_samples_in_give_zero_samples_out(make):
    x = signal(8, make)
    transform, plain = make(), make()
    empty = x[:0]
    shapes = {transform.push(empty).shape}
    out = [transform.push(piece) for piece in (x[:50], empty, x[50:])]
    shapes.add(out[1].shape)
    assert shapes == {(0, *out[0].shape[1:])}
    np.testing.assert_array_equal(np.concatenate(out), plain.push(x))


@pytest.mark.parametrize("before", [1, 32, 777])
def test_a_reset_is_a_fresh_start(make, before):
    x = signal(9, make)
    used = make()
    used.push(x[-before:])
    used.reset()
    np.testing.assert_array_equal(used.push(x), make().push(x))


def test_every_sample_in_gives_one_row_out_without_holes(make):
    x = signal(10, make)
    y = make().push(x)
    assert len(y) == len(x)
    assert np.isfinite(y).all()
