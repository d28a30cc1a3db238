"""The last half minute of the signal: given back as it came, freed of drift the same way always."""

import numpy as np
import pytest

from gui.operator.history import BLOCK, History, HistoryGap

RATE = 500.0


def noise(n: int, channels: int = 4, seed: int = 0) -> np.ndarray:
    """Something like EEG, 20 uV."""
    rng = np.random.default_rng(seed)
    return (20 * rng.standard_normal((n, channels))).astype(np.float32)


@pytest.mark.parametrize("sizes", [[3000], [1] * 3000, [7, 0, 93, 1400]], ids=str)
def test_it_does_not_depend_on_how_the_signal_was_cut(sizes: list[int]):
    x = noise(3000) + np.float32(500)
    whole, pieces = History(4, RATE, 3), History(4, RATE, 3)
    whole.push(-40, x)
    at = 0
    for size in [*sizes, 3000]:
        pieces.push(at - 40, x[at : at + size])
        at = min(3000, at + size)
    start, stop = whole.oldest, whole.end
    assert (whole.end, whole.oldest) == (pieces.end, pieces.oldest)
    assert np.array_equal(whole.read(start, stop), pieces.read(start, stop))


def test_history_returns_the_pushed_samples():
    history = History(2, RATE, 2)
    history.highpass = None
    x = noise(5000, 2)
    history.push(0, x)
    kept = history.read(history.oldest, 5000)
    assert len(kept) >= 2 * RATE
    assert np.array_equal(kept, x[-len(kept) :])
    assert np.isnan(history.read(history.oldest - 5, history.oldest)).all()
    assert np.isnan(history.read(5000, 5003)).all()


def test_it_follows_drift_like_a_one_pole_highpass():
    history = History(1, RATE, 30)
    x = noise(4000, 1) + np.linspace(0, 5000, 4000, dtype=np.float32)[:, None]
    history.push(0, x)
    keep, state, expected = np.exp(-2 * np.pi * 0.5 / RATE), float(x[0, 0]), []
    for value in x[:, 0].astype(float):
        state = keep * state + (1 - keep) * value
        expected.append(value - state)
    assert np.allclose(history.read(0, 4000)[:, 0], expected, atol=1e-6)


def test_it_starts_its_filter_again_after_a_hole():
    history = History(1, RATE, 30)
    history.push(0, np.zeros((320, 1), np.float32))
    history.push(320 + 4 * BLOCK, np.full((100, 1), 9000, np.float32))
    after = history.read(320 + 4 * BLOCK, 320 + 4 * BLOCK + 100)
    assert np.abs(after).max() < 1e-6
    assert np.isnan(history.read(320, 320 + 4 * BLOCK)).all()


def test_repeated_samples_are_ignored():
    history = History(1, RATE, 30)
    history.highpass = None
    history.push(0, np.ones((100, 1), np.float32))
    history.push(50, np.full((100, 1), 2, np.float32))
    assert list(history.read(0, 150)[:, 0]) == [1.0] * 100 + [2.0] * 50


def test_a_copy_stands_still():
    history = History(1, RATE, 30)
    history.push(0, noise(100, 1))
    still = history.copy()
    before = still.read(0, 100).copy()
    history.push(100, noise(20000, 1))
    history.mark(150, "late")
    assert still.end == 100
    assert np.array_equal(before, still.read(0, 100))
    assert still.marks == []


def test_gaps_and_markers_are_forgotten_with_their_samples():
    history = History(1, RATE, 2)
    for at in range(0, 50_000, 100):
        history.push(at, noise(90, 1))
        history.hole(HistoryGap(at + 90, 10, "lost"))
        history.mark(at, "m")
        history.mark(at, "m")
    assert len(history.holes) < 20
    assert len(history.marks) < 20
    assert history.end == 50_000
    assert np.isnan(history.read(49_990, 50_000)).all()
