"""Windows: in onset order, none dropped, each what an offline pass over the signal would cut."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy.signal import sosfilt

from calibration.fitting.trials import own
from rtbci.signal.recipe import Recipe, make_recipe
from rtbci.signal.windows import DUPLICATE, FLAT, MARKER_WAIT, Windows
from rtbci.types import Array, Chunk, Gap, Marker, Samples, Window

RATE = 250.0
NAMES = ("C3", "Cz", "C4", "Pz")
SETTLE = 2.0  # s; what these tests pretend, so that a minute of signal suffices
Item = Chunk | Marker | Gap


def recipe(gate: bool = True, reference: str | tuple[str, ...] | None = None) -> Recipe:
    """Two fast bands, so that nothing takes long; ``gate`` adds the check stream and margins."""
    made = make_recipe(
        RATE,
        NAMES,
        bands=((1.0, 20.0), (4.0, 30.0)),
        window=(0.1, 0.8),
        gate=gate,
        reject=None,
        reference=reference,
    )
    return replace(made, settle=SETTLE)


def noise(seconds: float, seed: int = 0) -> Samples:
    """(times, channels) noise on offsets."""
    rng = np.random.default_rng(seed)
    n = round(seconds * RATE)
    return (rng.normal(0, 20, (n, 4)) + rng.normal(0, 100, 4)).astype(np.float32)


def chunks(x: Samples, sizes: Sequence[int] | int = 25, start: int = 0) -> list[Chunk]:
    """``x`` cut into chunks from sample index ``start`` on."""
    if isinstance(sizes, int):
        sizes = [sizes] * -(-len(x) // sizes)
    edges = np.cumsum([0, *sizes])
    return [Chunk(start + a, x[a:b]) for a, b in pairwise(edges) if a < len(x)]


def run(items: Iterable[Item], every: float | None = None, **more) -> list[Window]:
    """All windows of a stream that holds exactly the recipe's channels."""
    windows = Windows(more.pop("recipe", recipe()), list(range(4)), every=every, **more)
    return [own(out) for item in items for out in windows.push(item)] + windows.finish()


def offline(made: Recipe, x: Samples) -> Array:
    """(streams, channels, times) of one pass of scipy over the whole signal."""
    wide = x.astype(np.float64)
    if isinstance(made.reference, tuple):
        columns = [made.channels.index(name) for name in made.reference]
        wide = wide - wide[:, columns].mean(axis=1, keepdims=True)
    elif made.reference == "average":
        wide = wide - wide.mean(axis=1, keepdims=True)
    streams = [
        sosfilt(each.sos, wide, axis=0, zi=each.start[:, :, None] * wide[0])[0].T
        for each in made.filters
    ]
    return np.stack(streams)


def same(one: list[Window], other: list[Window]) -> bool:
    """Whether two lists of windows agree to the last bit."""
    return len(one) == len(other) and all(
        (a.index, a.marker, a.flags, a.rejected) == (b.index, b.marker, b.flags, b.rejected)
        and (a.x is None) == (b.x is None)
        and (a.x is None or b.x is None or np.array_equal(a.x, b.x, equal_nan=True))
        for a, b in zip(one, other, strict=True)
    )


def weave(x: Samples, markers: Sequence[Marker], rng: np.random.Generator) -> list[Item]:
    """Chunks of any size; each marker up to 2 s before or after the data that it refers to."""
    sizes = rng.integers(0, 60, 4 * len(x) // 30)
    pieces = chunks(x, [*sizes[np.cumsum(sizes) < len(x)].tolist(), len(x)])
    wait = round(MARKER_WAIT * RATE)
    due = [(marker.index + int(rng.integers(-wait, wait)), marker) for marker in markers]
    items: list[tuple[int, int, Item]] = [
        *((piece.index + len(piece.x), 0, piece) for piece in pieces),
        *((at, 1, marker) for at, marker in due),
    ]
    return [item for _, _, item in sorted(items, key=lambda each: each[:2])]


@pytest.mark.parametrize("reference", [None, "average", ("C3", "Pz")], ids=str)
@pytest.mark.parametrize("gate", [True, False])
def test_a_window_holds_what_an_offline_pass_would_give(gate, reference):
    made, x = recipe(gate, reference), noise(20)
    y = offline(made, x)
    found = run([Marker(index, "a") for index in (1000, 2222, 3000)] + chunks(x), recipe=made)
    assert [window.index for window in found] == [1000, 2222, 3000]
    for window in found:
        expected = y[..., window.index + made.first : window.index + made.last]
        assert window.flags == ()
        assert window.rejected is None
        assert window.x is not None
        assert window.x.dtype == np.float32
        np.testing.assert_allclose(window.x, expected, rtol=1e-6, atol=5e-5)  # float32 reference


@pytest.mark.parametrize("seed", range(8))
def test_neither_the_cut_nor_the_order_of_arrival_changes_a_window(seed):
    rng = np.random.default_rng(seed)
    x = noise(30, seed)
    x[rng.integers(0, len(x), 40), rng.integers(0, 4, 40)] = np.nan
    onsets = rng.choice(np.arange(600, len(x) - 1000), 25, replace=False)
    markers = [Marker(int(index), f"{place}") for place, index in enumerate(onsets)]
    expected = run([*markers, *chunks(x, 100)])
    assert [window.index for window in expected] == sorted(map(int, onsets))
    for _ in range(3):
        assert same(run(weave(x, markers, rng)), expected)


@pytest.mark.parametrize("size", [1, 7, 1000, 100_000])
@pytest.mark.parametrize("every", [0.1, 0.25, 0.7])
def test_neither_the_cut_changes_a_sliding_window(size, every):
    x = noise(12)
    items = [*chunks(x[:1500]), Gap(1500, 333), *chunks(x[1500:], start=1833)]
    cut = [*chunks(x[:1500], size), Gap(1500, 333), *chunks(x[1500:], size, start=1833)]
    assert same(run(cut, every=every), run(items, every=every))


def test_sliding_windows_lie_on_one_grid_before_and_after_a_gap():
    x = noise(30)
    found = run([*chunks(x[:3000]), Gap(3000, 777), *chunks(x[3000:], start=3777)], every=0.3)
    made, step = recipe(), 75
    indices = [window.index for window in found]
    ahead, back = made.samples(0.8), made.samples(0.1)
    before = range(0, 3000 - ahead + 1, step)
    first = -(-(3777 + made.samples(SETTLE) - back) // step) * step
    assert indices == [*before, *range(first, 777 + len(x) - ahead + 1, step)]
    assert all(window.rejected is None and window.marker is None for window in found)
    y = offline(made, x[:3000])
    shown = found[10]
    assert shown.x is not None
    middle = slice(back - made.unlocked_first, ahead - made.unlocked_first)
    at = shown.index
    np.testing.assert_allclose(
        shown.x[..., middle], y[..., at + back : at + ahead], rtol=1e-6, atol=1e-5
    )


@pytest.mark.parametrize("seed", range(6))
def test_every_event_comes_out_once_whatever_happens_to_the_stream(seed):
    rng = np.random.default_rng(100 + seed)
    x, items, index, row = noise(60, seed), list[Item](), 0, 0
    while row < len(x):
        take = int(rng.integers(1, 2500))
        piece = x[row : row + take]
        items += chunks(piece, int(rng.integers(1, 400)), start=index)
        index, row = index + len(piece), row + take
        missing = int(rng.integers(0, 500))
        items.append(Gap(index, missing))
        index += missing
    markers = [Marker(int(at), f"{n}") for n, at in enumerate(rng.integers(-300, index + 600, 80))]
    places = rng.integers(0, len(items) + 1, len(markers))
    for place, marker in sorted(zip(places, markers, strict=True), key=lambda p: -p[0]):
        items.insert(int(place), marker)
    found = run(items)
    assert sorted(w.marker.label for w in found if w.marker) == sorted(m.label for m in markers)
    assert all((window.x is None) == (window.rejected is not None) for window in found)
    late = [place for place, window in enumerate(found) if "late marker" in window.flags]
    in_time = [window.index for place, window in enumerate(found) if place not in late]
    assert in_time == sorted(in_time)


def why(items: Iterable[Item], **more) -> list[tuple[int, str | None]]:
    """Index and reason of every window."""
    return [(window.index, window.rejected) for window in run(items, **more)]


def test_no_window_spans_a_gap_and_none_is_given_until_the_filters_have_settled():
    x, lost = noise(20), 100
    events = [600, 999 - 200, 999 - 199, 999, 1050, 1100, 1100 + 474, 1100 + 475, 2500]
    items = [*(Marker(at, str(at)) for at in events), *chunks(x[:1000]), Gap(1000, lost)]
    items += chunks(x[1000:], start=1000 + lost)
    assert why(items) == [
        (600, None),
        (799, None),  # its last sample is 998
        (800, None),  # 999
        (999, "gap"),
        (1050, "gap"),
        (1100, "settling"),
        (1574, "settling"),  # its first sample is 1599, settled is 1100 + 500
        (1575, None),
        (2500, None),
    ]


def test_an_event_whose_window_ends_behind_the_gap_is_lost_to_it():
    x = noise(10)
    items = [Marker(801, "a"), *chunks(x[:1000]), Gap(1000, 3), *chunks(x[1000:], start=1003)]
    assert why(items) == [(801, "gap")]


def test_a_restart_that_loses_nothing_is_still_a_gap():
    x = noise(10)
    items = [Marker(900, "a"), Marker(1100, "b"), *chunks(x[:1000]), Gap(1000, 0, "restarted")]
    assert why([*items, *chunks(x[1000:], start=1000)]) == [(900, "gap"), (1100, "settling")]


def test_samples_that_jump_are_a_gap_even_if_nobody_says_so():
    x = noise(10)
    items = [Marker(900, "a"), Marker(1100, "b"), *chunks(x[:1000])]
    assert why([*items, *chunks(x[1000:], start=1050)]) == [(900, "gap"), (1100, "settling")]


def test_the_start_of_a_recording_is_decoded_and_says_that_it_settles():
    found = run([Marker(5, "a"), Marker(475, "b"), *chunks(noise(10))])
    assert [window.flags for window in found] == [("settling",), ()]
    assert found[0].x is not None
    assert np.isnan(found[0].x[..., 0]).all()  # the margin lies before the first sample
    assert np.isfinite(found[0].x[..., -1]).all()


def test_a_window_that_the_stream_does_not_reach_is_rejected_at_the_end():
    items = [Marker(-80, "a"), Marker(1050, "b"), Marker(1051, "c"), *chunks(noise(5))]
    assert why(items) == [(-80, "before the first sample"), (1050, None), (1051, "incomplete")]


@pytest.mark.parametrize("every", [None, 0.5])
def test_a_stream_without_samples_gives_an_answer_for_every_event(every):
    assert [index for index, _ in why([Marker(3, "a"), Marker(1, "b")], every=every)] == [1, 3]


def test_a_marker_that_comes_too_late_is_decided_out_of_order_and_says_so():
    pieces = chunks(noise(20))
    items = [*pieces[:100], Marker(2200, "a"), *pieces[100:115], Marker(2190, "b"), *pieces[115:]]
    found = run(items)
    assert [(w.index, w.flags, w.rejected) for w in found] == [
        (2200, (), None),
        (2190, ("late marker",), None),
    ]


def test_a_marker_whose_signal_is_gone_is_not_dropped():
    assert why([*chunks(noise(40)), Marker(300, "a")]) == [(300, "late marker")]


def test_the_same_label_at_once_is_one_event():
    near, far = int(DUPLICATE * RATE) - 1, int(DUPLICATE * RATE)
    windows = Windows(recipe(), [0, 1, 2, 3])
    markers = [Marker(900, "a"), Marker(900 + near, "a"), Marker(900 + far, "a")]
    markers += [Marker(901, "b"), Marker(2000, "a"), Marker(2000, "a")]
    found = [
        out for item in [*markers, *chunks(noise(20))] for out in windows.push(item)
    ] + windows.finish()
    assert [(w.index, w.marker.label) for w in found if w.marker] == [
        (900, "a"), (901, "b"), (900 + far, "a"), (2000, "a"),
    ]  # fmt: skip
    assert windows.duplicates == 2


def test_labels_that_are_not_asked_for_give_no_window():
    items = [Marker(900, "a"), Marker(950, "rest"), *chunks(noise(10))]
    assert why(items, labels=frozenset("a")) == [(900, None)]


def test_a_trial_marked_invalid_is_not_decoded():
    items = [Marker(900, "a", {"valid": False}), Marker(950, "a", {"valid": True})]
    assert why([*items, *chunks(noise(10))]) == [(900, "marked invalid"), (950, None)]


@pytest.mark.parametrize("what", [7.0, np.nan, np.inf])
@pytest.mark.parametrize("size", [1, 25, 5000])
def test_an_electrode_that_stands_still_is_named(what, size):
    x = noise(10)
    first = 1000
    x[first : first + 2 + int(FLAT * RATE), 2] = what
    onsets = [700, 900, 1000, 1100]
    found = why([*(Marker(at, "a") for at in onsets), *chunks(x, size)])
    flat = "no reliable signal: C4 flat"
    # a value may stand still and go on; after a hole the filters start anew
    behind = None if what == 7.0 else "settling"
    assert found == [(700, None), (900, flat), (1000, flat), (1100, behind)]


@pytest.mark.parametrize("size", [1, 25, 5000])
def test_a_hole_at_the_start_leaves_no_step_behind(size):
    x = noise(10) + 4000
    holed = x.copy()
    holed[:300, 1] = np.nan
    late = [Marker(at, "a") for at in (100, 1000, 2000)]
    found = run([*late, *chunks(holed, size)])
    assert [w.rejected for w in found] == ["before the first sample", None, None]
    wanted = run([Marker(700, "a"), Marker(1700, "a"), *chunks(x[300:], size)])
    for a, b in zip(found[1:], wanted, strict=True):
        np.testing.assert_array_equal(a.x, b.x)


def test_samples_that_were_held_are_flagged_in_the_windows_that_hold_them():
    x = noise(10)
    x[1000, 1] = np.nan
    onsets = (700, 800, 801, 975, 976)  # a window holds samples 25 to 199 behind its onset
    found = run([*(Marker(at, f"{at}") for at in onsets), *chunks(x)])
    held = ("held samples",)
    assert [window.flags for window in found] == [(), (), held, held, ()]
    assert all(window.x is not None and np.isfinite(window.x).all() for window in found)


def test_columns_pick_the_electrodes_in_the_order_of_the_recipe():
    x, order = noise(10), [6, 0, 3, 1]
    wide = np.full((len(x), 8), np.nan, np.float32)
    wide[:, order] = x
    windows = Windows(recipe(), order)
    items = [Marker(1000, "a"), *chunks(wide)]
    found = [own(out) for item in items for out in windows.push(item)] + windows.finish()
    assert same(found, run([Marker(1000, "a"), *chunks(x)]))


def test_windows_of_one_long_chunk_do_not_overwrite_each_other():
    markers = [Marker(at, "a") for at in range(700, 15_000, 500)]
    windows, x = Windows(recipe(), [0, 1, 2, 3]), noise(60)
    for marker in markers:
        windows.push(marker)
    found = windows.push(Chunk(0, x)) + windows.finish()
    assert same(found, run([*markers, *chunks(x)]))


def test_samples_that_come_twice_are_a_defect_of_the_source():
    windows = Windows(recipe(), [0, 1, 2, 3])
    windows.push(Chunk(0, noise(1)))
    with pytest.raises(AssertionError, match="twice"):
        windows.push(Chunk(100, noise(1)))
