"""The colours of the window: readable by contrast, and apart for people who see fewer colours."""

from itertools import combinations

import numpy as np
import pytest

from gui.widgets.palette import (
    DARK,
    LIGHT,
    TARGET,
    THEMES,
    Theme,
    channels,
    contrast,
    ink_on,
    mix,
    stylesheet,
)

TEXT, MARKS = 4.5, 3.0  # WCAG 2.1, 1.4.3 and 1.4.11, level AA
BLIND = {  # linear RGB seen by people without one kind of cone (Machado 2009, severity 1)
    "protan": ((0.152, 1.053, -0.205), (0.115, 0.786, 0.099), (-0.004, -0.048, 1.052)),
    "deutan": ((0.367, 0.861, -0.228), (0.280, 0.673, 0.047), (-0.012, 0.043, 0.969)),
}
both = pytest.mark.parametrize("theme", [DARK, LIGHT], ids=["dark", "light"])


def lab(color: str, seen_by: str | None = None) -> np.ndarray:
    """CIE Lab of a colour, as seen by somebody."""
    srgb = np.array(channels(color)) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    if seen_by:
        linear = np.clip(np.array(BLIND[seen_by]) @ linear, 0, 1)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = np.array(to_xyz) @ linear / [0.9505, 1, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def test_contrast_is_that_of_the_standard():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert contrast("#d55e00", "#d55e00") == 1


@both
@pytest.mark.parametrize(
    "name", ["text", "dim", "accent", "good", "doubtful", "bad", "info", "amber", "red"]
)
def test_everything_that_colours_words_reads_on_both_grounds(theme: Theme, name: str):
    for ground in (theme.background, theme.panel):
        assert contrast(getattr(theme, name), ground) >= TEXT, (name, ground)


@both
def test_every_mark_stands_out_of_both_grounds(theme: Theme):
    for color in (theme.line, theme.gap, *theme.traces, *theme.classes):
        for ground in (theme.background, theme.panel):
            assert contrast(color, ground) >= MARKS, (color, ground)


@both
def test_writing_on_an_alarm_can_be_read(theme: Theme):
    for color in (theme.info, theme.amber, theme.red, theme.accent):
        assert contrast(ink_on(color), color) >= TEXT


@both
@pytest.mark.parametrize("eyes", [None, "protan", "deutan"])
def test_classes_and_states_stay_apart_for_colour_blind_eyes(theme: Theme, eyes: str | None):
    states = (theme.good, theme.doubtful, theme.bad)
    for a, b in [*combinations(theme.classes[:4], 2), *combinations(states, 2)]:
        far = float(np.linalg.norm(lab(a, eyes) - lab(b, eyes)))
        assert far >= 12, (eyes, a, b, far)


def test_a_mixture_lies_between_its_parts():
    assert mix("#000000", "#ffffff", 0.5) == "#808080"
    assert mix("#102030", "#ffffff", 0) == "#102030"


def test_controls_are_24_pixels_high_and_grow_with_the_font():
    assert TARGET >= 24
    assert f"min-height: {TARGET - 8}px" in stylesheet(DARK)
    assert f"min-height: {2 * (TARGET - 8)}px" in stylesheet(DARK, 2)
    assert THEMES == {"dark": DARK, "light": LIGHT}
