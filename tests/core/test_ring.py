"""The ring: what is read is what was written, in one piece and without a copy."""

import numpy as np
import pytest

from rtbci.signal.ring import Ring


def numbers(start: int, count: int, shape: tuple[int, ...] = (3,)) -> np.ndarray:
    """Rows that say which they are."""
    rows = np.arange(start, start + count, dtype=np.float32)
    return np.broadcast_to(rows.reshape(-1, *(1 for _ in shape)), (count, *shape)).copy()


@pytest.mark.parametrize("sizes", [[1] * 57, [7, 0, 13, 1, 20, 3], [20] * 4, [63], [20, 41, 2]])
def test_any_stretch_that_it_still_holds_can_be_read(sizes):
    ring, written = Ring(20, (3,)), 0
    for size in sizes:
        ring.append(numbers(written, size))
        written += size
        assert ring.rows == written
        assert ring.oldest == max(0, written - 20)
        for start in range(ring.oldest, written + 1):
            for stop in range(start, written + 1):
                expected = numbers(start, stop - start)
                np.testing.assert_array_equal(ring.view(start, stop), expected)


@pytest.mark.parametrize("seed", range(5))
def test_random_writes_read_back_as_the_tail_of_all_that_was_written(seed):
    rng = np.random.default_rng(seed)
    capacity = int(rng.integers(1, 40))
    ring, everything = Ring(capacity, (2, 2)), np.zeros((0, 2, 2), np.float32)
    for size in rng.integers(0, 2 * capacity + 2, 60):
        piece = rng.standard_normal((size, 2, 2)).astype(np.float32)
        ring.append(piece)
        everything = np.concatenate([everything, piece])
        np.testing.assert_array_equal(ring.view(ring.oldest, ring.rows), everything[-capacity:])


def test_reading_never_copies():
    ring = Ring(10, (2,))
    ring.append(numbers(0, 17, (2,)))
    view = ring.view(7, 17)
    assert view.base is not None
    assert view.flags.c_contiguous
    assert np.shares_memory(view, ring.view(8, 9))


def test_what_was_written_may_change_afterwards():
    ring, piece = Ring(4, (1,)), numbers(0, 4, (1,))
    ring.append(piece)
    piece[:] = 99
    np.testing.assert_array_equal(ring.view(0, 4)[:, 0], [0, 1, 2, 3])


def test_rows_without_columns_and_other_types_are_kept_as_they_are():
    ring = Ring(3, (), np.bool_)
    ring.append(np.array([True, False, True, True]))
    assert ring.view(1, 4).tolist() == [False, True, True]
    assert ring.view(1, 4).dtype == np.bool_


@pytest.mark.parametrize(("start", "stop"), [(1, 5), (4, 13), (8, 7), (-1, 3)])
def test_what_is_not_there_cannot_be_read(start, stop):
    ring = Ring(8, (1,))
    ring.append(numbers(0, 12, (1,)))
    with pytest.raises(AssertionError):
        ring.view(start, stop)
