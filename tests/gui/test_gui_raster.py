"""The traces are right: a known signal is drawn and read back from the pixels."""

from dataclasses import replace

import numpy as np
import pytest

from gui.operator.history import History, HistoryGap
from gui.operator.raster import AHEAD, Raster, RasterView, pack, rgb
from gui.widgets.palette import DARK, LIGHT, Theme

RATE = 500.0
WIDTH, HEIGHT = 400, 320
VIEW = RasterView(WIDTH, HEIGHT, seconds=2.0, scale_uv=100.0, first=0, count=4)


def color(name: str) -> int:
    """A colour of the theme as a pixel."""
    return int(pack(rgb(name)))


GROUND = color(DARK.background)


def drawn(
    x: np.ndarray, view: RasterView = VIEW, start: int = 0, highpass: float | None = None,
    theme: Theme = DARK,
) -> Raster:  # fmt: skip
    """Everything at once."""
    history = History(x.shape[1], RATE, 30)
    history.highpass = highpass
    history.push(start, x.astype(np.float32))
    raster = Raster(history, view, theme)
    raster.draw()
    return raster


def rows_of(raster: Raster, column: int, lane: int) -> np.ndarray:
    """Rows of one lane in which a column of the screen carries the full colour of the trace."""
    tone = color(DARK.traces[lane % len(DARK.traces)])
    high = int(raster.view.lane)
    return np.flatnonzero(raster.pixels[lane * high : (lane + 1) * high, column] == tone)


def noise(n: int, channels: int = 4, seed: int = 0) -> np.ndarray:
    """Something like EEG, 20 uV."""
    rng = np.random.default_rng(seed)
    return (20 * rng.standard_normal((n, channels))).astype(np.float32)


def test_a_pulse_stands_where_it_happened_and_as_high_as_it_was():
    x = np.zeros((1500, 4))
    x[600:605, 2] = 40.0  # one column is 2.5 samples: columns 240 and 241
    raster = drawn(x)
    middle, per_uv = VIEW.lane / 2, VIEW.lane / VIEW.scale_uv
    for column, top in ((238, 0.0), (240, 40.0), (241, 40.0), (243, 0.0)):
        rows = rows_of(raster, column, 2)
        faint = 1.0  # px; a line is 1.1 thick and may be shared by two rows
        if len(rows):
            assert rows[0] == pytest.approx(middle - top * per_uv, abs=faint), column
    column = raster.pixels[2 * 80 : 3 * 80, 240]
    seen = np.flatnonzero(column != GROUND)
    assert seen[0] == pytest.approx(middle - 40 * per_uv - 0.5, abs=1)
    assert (raster.pixels[:80, 240] != GROUND).sum() <= 3, "the other lanes stay flat"


@pytest.mark.parametrize("amplitude", [10.0, 25.0, 45.0])
@pytest.mark.parametrize("scale", [50.0, 100.0, 200.0])
def test_the_height_of_a_sine_is_its_amplitude(amplitude: float, scale: float):
    t = np.arange(1000) / RATE
    x = np.repeat(amplitude * np.sin(2 * np.pi * 5 * t)[:, None], 4, axis=1)
    raster = drawn(x, replace(VIEW, scale_uv=scale, count=1, first=0))
    seen = np.flatnonzero((raster.pixels[:, 50:250] != GROUND).mean(axis=1) > 0.02)
    height = seen[-1] - seen[0] + 1 - raster.view.thickness
    clipped = min(2 * amplitude * HEIGHT / scale, HEIGHT)
    assert height == pytest.approx(clipped, abs=2)


def test_up_is_positive():
    x = np.zeros((1000, 4))
    x[:, 1] = 30.0
    raster = drawn(x)
    seen = np.flatnonzero((raster.pixels[80:160, 33:35] != GROUND).any(axis=1))
    assert seen.mean() + 0.5 == pytest.approx(40 - 30 * 0.8, abs=0.6)


def test_the_brightness_of_a_flat_line_is_its_thickness_wherever_it_lies():
    for offset in (0.0, 0.3, 0.62, 1.0):
        x = np.full((1000, 4), offset / 0.8)
        column = drawn(x).pixels[:80, 33].astype(np.int64) & 0xFF
        light, dark = (color(c) & 0xFF for c in (DARK.traces[0], DARK.background))
        assert ((column - dark) / (light - dark)).sum() == pytest.approx(1.1, abs=0.03)


def test_no_spike_is_lost_between_two_columns():
    for at in range(520, 540):
        x = np.zeros((1500, 4))
        x[at, 0] = 45.0
        raster = drawn(x, replace(VIEW, seconds=2.9))
        column = at * WIDTH // 1450
        near = raster.pixels[:80, column - 1 : column + 2]
        top = np.flatnonzero((near != GROUND).any(axis=1))[0]
        assert top == pytest.approx(40 - 45 * 0.8, abs=1), at


def test_few_samples_are_joined_by_straight_lines():
    x = np.zeros((100, 4))
    x[::2] = 40.0
    raster = drawn(x, replace(VIEW, seconds=0.2))  # four columns a sample
    lit = (raster.pixels[:80, 20 : 4 * 90] != GROUND).any(axis=0)
    assert lit.all(), "no hole in the line"


def test_a_marker_is_a_line_at_its_sample():
    raster = drawn(np.zeros((900, 4)))
    for index in (0, 137, 899):
        raster.history.mark(index, "face")
        raster.touch(index)
    raster.draw()
    info = color(DARK.info)
    marked = {column for column in range(WIDTH) if (raster.pixels[:20, column] == info).all()}
    assert marked == {index * WIDTH // 1000 for index in (0, 137, 899)}


def test_a_gap_is_hatched_from_its_first_to_its_last_missing_sample():
    history = History(4, RATE, 30)
    x = noise(900)
    history.push(0, x[:250])
    history.hole(HistoryGap(250, 300, "lost"))
    history.push(550, x[550:])
    raster = Raster(history, VIEW, DARK)
    raster.draw()
    gap = color(DARK.gap)
    hatched = np.flatnonzero((raster.pixels == gap).any(axis=0))
    assert (hatched[0], hatched[-1]) == (250 * WIDTH // 1000, 549 * WIDTH // 1000)
    tones = [color(tone) for tone in DARK.traces]
    assert not np.isin(raster.pixels[:, 102:219], tones).any(), "nothing is drawn within"


def test_a_gap_of_one_sample_is_seen():
    history = History(4, RATE, 30)
    history.push(0, noise(400))
    history.hole(HistoryGap(400, 1, "lost"))
    history.push(401, noise(400))
    raster = Raster(history, VIEW, DARK)
    raster.draw()
    hatched = np.flatnonzero((raster.pixels == color(DARK.gap)).any(axis=0))
    assert list(hatched) == [160]


def test_a_restart_is_a_dashed_line_and_joins_nothing():
    history = History(4, RATE, 30)
    history.highpass = None
    history.push(0, np.full((500, 4), -40, np.float32))
    history.hole(HistoryGap(500, 0, "restart"))
    history.push(500, np.full((300, 4), 40, np.float32))
    raster = Raster(history, VIEW, DARK)
    raster.draw()
    assert (raster.pixels[:, 200] == color(DARK.gap)).mean() == pytest.approx(0.5, abs=0.06)
    for column in (198, 199, 201):
        assert (raster.pixels[36:44, column] == GROUND).all(), "no line from -40 to 40 uV"


def test_the_newest_sample_is_followed_by_a_cursor_and_an_empty_strip():
    raster = drawn(noise(3456))
    head = 3455 * WIDTH // 1000 % WIDTH
    assert (raster.pixels[:, (head + 1) % WIDTH] == color(DARK.dim)).all()
    for ahead in range(2, AHEAD + 1):
        assert (raster.pixels[:, (head + ahead) % WIDTH] == GROUND).all()
    assert (raster.pixels[:, (head + AHEAD + 1) % WIDTH] != GROUND).any(), "the sweep before"


def feed(
    x: np.ndarray, sizes: list[int], view: RasterView, marks: list[tuple[int, int]], start: int = 0
) -> Raster:
    """Push pieces of these sizes, a gap at sample 700, and each marker when the signal is at
    its second number; draw after every piece."""  # fmt: skip
    history = History(x.shape[1], RATE, 30)
    raster = Raster(history, view, DARK)
    at, told = 0, set()
    cuts = [int(c) for c in np.cumsum(sizes)] + [len(x)]
    for stop in sorted({min(cut, len(x)) for cut in (*cuts, 700, 760)}):
        for mark in marks:
            if at >= mark[1] and mark not in told:
                told.add(mark)
                history.mark(start + mark[0], f"m{mark[0]}")
                raster.touch(start + mark[0])
        if at == 700:
            history.hole(HistoryGap(start + 700, 60, "lost"))
            raster.touch(start + 700, 60)
            at = 760
        if stop > at:
            history.push(start + at, x[at:stop])
            raster.draw()
            at = stop
    for mark in set(marks) - told:
        history.mark(start + mark[0], f"m{mark[0]}")
        raster.touch(start + mark[0])
    raster.draw()
    return raster


CUTS = {
    "one by one": [1] * 2600,
    "whole": [],
    "33": [33] * 90,
    "ragged": [7, 1, 93, 400, 2, 1000, 31, 5],
}


@pytest.mark.parametrize("sizes", CUTS.values(), ids=CUTS.keys())
@pytest.mark.parametrize("seconds", [0.5, 2.0, 5.0])
def test_the_picture_does_not_depend_on_how_the_signal_was_cut(sizes: list[int], seconds: float):
    x = noise(2600) + np.float32(3000)
    view = replace(VIEW, seconds=seconds, selected=1)
    once = feed(x, [300], view, [(2300, 0), (2400, 0)], start=-100)
    again = feed(x, sizes, view, [(2300, 2500), (2400, 2000)], start=-100)
    assert (once.pixels == again.pixels).all()
    again.repaint()
    again.draw()
    assert (once.pixels == again.pixels).all(), "drawn anew"


def test_a_late_marker_gives_the_same_picture_as_an_early_one():
    x = noise(1200)
    early = feed(x, [50] * 24, VIEW, [(900, 0)])
    late = feed(x, [50] * 24, VIEW, [(900, 1150)])
    assert (early.pixels == late.pixels).all()
    assert (early.pixels == color(DARK.info)).any()


def test_a_marker_of_the_sweep_before_does_not_come_back():
    raster = feed(noise(2600), [100] * 26, VIEW, [(300, 2550)])
    assert not (raster.pixels == color(DARK.info)).any()


@pytest.mark.parametrize("count", [16, 32, 122])
def test_122_electrodes_each_keep_their_own_lane(count: int):
    x = np.zeros((1000, 122))
    view = RasterView(WIDTH, 976, seconds=2.0, scale_uv=100.0, first=122 - count, count=count)
    loud = 122 - count + count // 2
    x[:, loud] = np.where(np.arange(1000) % 20 < 10, 30, -30)
    raster = drawn(x, view)
    lane = view.lane
    busy = (raster.pixels[:, 100:200] != GROUND).mean(axis=1) > 0.05
    high = busy[int(count // 2 * lane) : int((count // 2 + 1) * lane) + 1].sum()
    assert high == pytest.approx(0.6 * lane, abs=3)
    for other in range(count):
        if abs(other - count // 2) > 1:
            own = busy[round(other * lane) : round((other + 1) * lane)].sum()
            assert 1 <= own <= 3, other


def test_a_railed_electrode_does_not_hide_the_others():
    x = noise(1000, 16)
    x[:, 5] = np.where(np.arange(1000) % 2, 1e6, -1e6)
    raster = drawn(x, RasterView(WIDTH, 640, seconds=2.0, scale_uv=100.0, count=16))
    covered = (raster.pixels[:, 50] == color(DARK.traces[1])).sum()
    assert covered < 640 / 3


def test_the_selected_electrode_is_drawn_on_top_in_its_own_colour():
    raster = drawn(noise(1000), replace(VIEW, selected=3))
    accent = np.flatnonzero((raster.pixels == color(DARK.accent)).any(axis=1))
    assert 200 < accent.min() < accent.max() < HEIGHT


def test_a_drifting_electrode_stays_in_its_lane_and_a_rhythm_keeps_its_height():
    t = np.arange(5000) / RATE
    x = np.repeat((20000 + 10 * t + 30 * np.sin(2 * np.pi * 10 * t))[:, None], 4, axis=1)
    raster = drawn(x, highpass=0.5)
    seen = np.flatnonzero((raster.pixels[:80, 150:350] != GROUND).mean(axis=1) > 0.02)
    assert seen[-1] - seen[0] == pytest.approx(60 * 0.8, abs=3)


def test_samples_that_are_not_numbers_are_left_out():
    x = noise(1000)
    x[400:500, 2] = np.nan
    x[:, 3] = np.inf
    raster = drawn(x)
    assert (raster.pixels[185:215, 165:195] == GROUND).all()
    assert (raster.pixels[:80, 165:195] != GROUND).any(axis=0).all()


def test_a_jump_far_ahead_leaves_an_empty_picture_and_goes_on():
    raster = drawn(noise(1000))
    raster.history.push(10_000_000, noise(300))
    raster.draw()
    lit = np.flatnonzero((raster.pixels != GROUND).any(axis=0))
    assert len(lit) <= 300 * WIDTH // 1000 + 4


def test_only_new_columns_are_drawn():
    raster = drawn(noise(5000))
    before = raster.columns_drawn
    raster.history.push(5000, noise(10))
    stretches = raster.draw()
    assert raster.columns_drawn - before == 4 + AHEAD + 1
    assert sum(b - a for a, b in stretches) == 4 + AHEAD + 1


@pytest.mark.parametrize("at_most", [17, 100, 399])
def test_a_picture_drawn_bit_by_bit_is_the_same_in_the_end(at_most: int):
    x = noise(4000)
    whole, bits = drawn(x[:3600]), drawn(x[:3000])
    whole.history.mark(3100, "late")
    bits.history.mark(3100, "late")
    whole.touch(3100)
    whole.draw()
    bits.repaint()
    for at in range(3000, 3600, 20):
        bits.history.push(at, x[at : at + 20])
        if at == 3400:
            bits.touch(3100)
        before = bits.columns_drawn
        bits.draw(at_most)
        assert bits.columns_drawn - before <= at_most
    while bits.unfinished:
        bits.draw(at_most)
    assert (whole.pixels == bits.pixels).all()


def test_the_light_theme_draws_on_its_own_ground():
    raster = drawn(noise(1000), theme=LIGHT)
    assert (raster.pixels == color(LIGHT.background)).mean() > 0.3
