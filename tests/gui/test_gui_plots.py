"""The head and the two plots: everything in its place, told by shape as well as by colour."""

from collections.abc import Iterator
from math import hypot

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from gui.operator.band_power import BandPower, amount
from gui.operator.plots import SPAN, ProbabilityPlot
from gui.widgets.head_places import place, towards
from gui.widgets.headmap import SIGNS, Electrode, HeadMap
from gui.widgets.palette import DARK, LIGHT, mix, stylesheet
from rtbci.signal.montage import _table
from tests.support.gui_fixtures import app, loud

__all__ = ["app", "loud"]

MUSE = ("TP9", "AF7", "AF8", "TP10", "Right AUX")
CLASSES = ("face", "house", "cat")


@pytest.fixture(autouse=True)
def _plain(app: QApplication) -> Iterator[None]:
    yield
    app.setStyleSheet(stylesheet(DARK))


def image(app: QApplication, widget: QWidget, width: int = 320, height: int = 360) -> QImage:
    """What a person sees."""
    widget.resize(width, height)
    widget.setVisible(True)
    app.processEvents()
    return widget.grab().toImage()


def has(picture: QImage, color: str, x: int, y: int, around: int = 4) -> bool:
    """Whether a colour is found within some pixels of a spot."""
    spots = range(-around, around + 1)
    return any(near(picture, color, x + dx, y + dy) for dx in spots for dy in spots)


def near(picture: QImage, color: str, x: int, y: int) -> bool:
    """Whether a pixel has a colour, but for the edge of a line."""
    wanted, seen = QColor(color), picture.pixelColor(x, y)
    pairs = zip(wanted.getRgb(), seen.getRgb(), strict=True)  # type: ignore[arg-type]
    return sum(abs(a - b) for a, b in pairs) < 90


# the head


def test_the_head_is_seen_from_above_with_the_nose_up():
    cz, fpz, oz, t7, t8 = (place(name) for name in ("Cz", "Fpz", "Oz", "T7", "T8"))
    assert cz is not None and fpz is not None and oz is not None  # noqa: PT018
    assert t7 is not None and t8 is not None  # noqa: PT018
    assert hypot(*cz) < 0.12
    assert fpz[1] > 0.9
    assert oz[1] < -0.8
    assert t7[0] < -0.9
    assert t8[0] > 0.9
    assert place("Right AUX") is None


def test_arrows_go_to_the_neighbour_in_their_direction():
    places = {n: at for n in ("Cz", "C3", "C4", "Fz", "Pz", "Fp1") if (at := place(n)) is not None}
    assert towards(places, "Cz", (-1, 0)) == "C3"
    assert towards(places, "Cz", (1, 0)) == "C4"
    assert towards(places, "Cz", (0, 1)) == "Fz"
    assert towards(places, "Cz", (0, -1)) == "Pz"
    assert towards(places, "C4", (1, 0)) == "C4"


def test_every_state_has_its_own_shape_and_its_colour_is_on_the_head(app: QApplication):
    head = HeadMap(MUSE, DARK)
    states = ("good", "doubtful", "flat", "railed", "unknown")
    head.show_quality([Electrode(n, s, 9.9) for n, s in zip(MUSE, states, strict=True)])
    picture = image(app, head)
    layout = head._layout()
    colors = (DARK.good, DARK.doubtful, DARK.bad, DARK.bad, DARK.dim)
    for name, color in zip(MUSE, colors, strict=True):
        x, y = layout.signs[name]
        assert has(picture, color, int(x), int(y), int(layout.size) + 1), name
    assert len(set(SIGNS.values())) == 5
    assert head.summary() == "1 good, 1 doubtful, 1 flat, 1 railed, 1 not known yet"


def test_an_electrode_without_a_place_stands_below_the_head(app: QApplication):
    head = HeadMap(MUSE, DARK)
    image(app, head)
    layout = head._layout()
    assert layout.signs["Right AUX"][1] > max(layout.signs[name][1] for name in MUSE[:4])


@pytest.mark.parametrize(("width", "height"), [(320, 360), (160, 200), (900, 300), (40, 40)])
@pytest.mark.parametrize("scale", [1, 2])
def test_all_electrodes_stay_inside_and_apart(
    app: QApplication, width: int, height: int, scale: float
):
    app.setStyleSheet(stylesheet(DARK, scale))
    names = [*sorted(_table())[:122], "AUX1", "AUX2"]
    head = HeadMap(names, DARK)
    image(app, head, width, height)
    layout = head._layout()
    for x, y in layout.signs.values():
        if height > 100:
            assert 0 <= x <= width
            assert 0 <= y <= height


def test_a_click_picks_the_electrode_under_it(app: QApplication):
    head = HeadMap(MUSE, DARK)
    picked: list[str] = []
    head.picked.connect(picked.append)
    image(app, head)
    for name in MUSE:
        x, y = head._layout().signs[name]
        QTest.mouseClick(head, Qt.MouseButton.LeftButton, pos=QPoint(int(x), int(y)))
    assert picked == list(MUSE)
    assert head.selected == "Right AUX"
    QTest.mouseClick(head, Qt.MouseButton.LeftButton, pos=QPoint(160, 170))
    assert len(picked) == len(MUSE), "a click beside picks nothing"


def test_the_head_can_be_walked_with_the_keyboard(app: QApplication):
    head = HeadMap(MUSE, DARK)
    picked: list[str] = []
    head.picked.connect(picked.append)
    image(app, head)
    QTest.keyClick(head, Qt.Key.Key_Left)
    assert head.selected is not None
    for key in (Qt.Key.Key_Up, Qt.Key.Key_Left, Qt.Key.Key_Up):
        QTest.keyClick(head, key)
    assert head.selected == "AF7"
    QTest.keyClick(head, Qt.Key.Key_Right)
    QTest.keyClick(head, Qt.Key.Key_Return)
    assert picked == ["AF8"]
    assert "AF8" in head.accessibleDescription()


def test_an_electrode_describes_its_state():
    assert Electrode("Cz", "good", 12.34).sentence() == "Cz: good, 12.3 µV rms"
    assert Electrode("Cz").sentence() == "Cz: not known yet, -"
    assert Electrode("Cz", "doubtful", 80.0, "hums at 50 Hz").sentence().endswith("hums at 50 Hz")


@pytest.mark.usefixtures("app")
def test_quality_of_a_stranger_is_left_out():
    head = HeadMap(MUSE, DARK)
    head.show_quality([Electrode("Cz", "flat", 0.0)])
    assert head.summary() == "5 not known yet"


# probabilities


def test_a_probability_stands_at_its_time_and_height(app: QApplication):
    plot = ProbabilityPlot(CLASSES, 0.7, DARK)
    plot.add(70, {"face": 0.8, "house": 0.15, "cat": 0.05}, "face")
    plot.advance(100)
    picture = image(app, plot, 400, 260)
    line = plot.fontMetrics().height()
    lit = [
        (x, y)
        for x in range(picture.width())
        for y in range(2 * line, picture.height())
        if picture.pixelColor(x, y) == QColor(plot.color("face"))
    ]
    assert lit, "the point of the class"
    x = sum(x for x, _ in lit) / len(lit)
    y = sum(y for _, y in lit) / len(lit)
    threshold = [
        y
        for y in range(picture.height())
        if sum(near(picture, DARK.amber, x, y) for x in range(200, 390)) > 60
    ]
    assert threshold, "the line below which nothing is decided"
    right = picture.width() - 6
    assert x < right - 0.5 * (right - 60) + 12
    assert y < threshold[0], "80 % lies above the line at 70 %"


def test_the_newest_probabilities_are_written_next_to_their_class(app: QApplication):
    plot = ProbabilityPlot(CLASSES, 0.7, DARK)
    plot.add(1, {"face": 0.2, "house": 0.75, "cat": 0.05}, "house")
    assert plot.accessibleDescription() == "house 75%, face 20%, cat 5%"
    plot.add(2, None)
    assert plot.accessibleDescription() == "house 75%, face 20%, cat 5%"
    image(app, plot)


def test_every_class_has_its_own_shape_and_colour():
    plot_of_seven = [f"c{n}" for n in range(7)]
    shapes = {ProbabilityPlot.sign(_bare(plot_of_seven), name) for name in plot_of_seven}
    assert len(shapes) == 7


def _bare(classes: list[str]) -> ProbabilityPlot:
    bare = ProbabilityPlot.__new__(ProbabilityPlot)
    bare.classes = tuple(classes)
    return bare


@pytest.mark.parametrize("classes", [(), ("one",), CLASSES, tuple(f"c{n}" for n in range(40))])
@pytest.mark.parametrize("size", [(300, 190), (90, 60), (20, 10)])
def test_any_number_of_classes_is_drawn_in_any_room(
    app: QApplication, classes: tuple[str, ...], size: tuple[int, int]
):
    plot = ProbabilityPlot(classes, None, LIGHT)
    for n in range(80):
        plot.add(n, {name: 1 / len(classes) for name in classes} if n % 7 else None)
    plot.advance(80)
    image(app, plot, *size)


def test_decisions_older_than_a_minute_are_dropped(app: QApplication):
    plot = ProbabilityPlot(CLASSES, 0.7, DARK)
    for n in range(3000):
        plot.add(n / 2, {"face": 1.0})
        plot.advance(n / 2)
    assert len(plot._points) <= 2 * (SPAN + 12)
    image(app, plot)


# band power


def test_a_bar_is_as_long_as_the_logarithm_of_its_power(app: QApplication):
    bands = BandPower(DARK)
    bands.show_bands({"theta": 1.0, "alpha": 100.0, "beta": None})
    picture = image(app, bands, 400, 120)
    color = mix(DARK.panel, DARK.accent, 0.85)
    rows = [sum(near(picture, color, x, y) for x in range(400)) for y in range(100)]
    theta, alpha = max(rows[:25]), max(rows[25:50])
    assert theta > 40
    assert alpha == pytest.approx(3 * theta, abs=4), "1 and 3 decades above a tenth"
    assert max(rows[52:]) == 0, "nothing where nothing is known"


def test_power_is_written_with_three_digits_or_a_dash():
    assert [amount(p) for p in (None, 0.001, 0.62, 8.44, 123.4)] == [
        *("-", "< 0.01 µV²", "0.62 µV²", "8.4 µV²", "123 µV²"),
    ]


@pytest.mark.usefixtures("app")
def test_the_plots_describe_themselves_to_screen_readers():
    bands = BandPower(DARK)
    bands.show_bands({"alpha": 54.0, "beta": None})
    assert bands.accessibleDescription() == "alpha 54.0 µV², beta -"
    assert all(
        w.accessibleName() for w in (bands, HeadMap(MUSE, DARK), ProbabilityPlot((), None, DARK))
    )
