"""The widget of the traces: what it shows is where it should be, and it stays cheap."""

import gc
import sys
from time import process_time

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from gui.operator.trace_words import clock
from gui.operator.traces import SCALES, SECONDS, Traces
from gui.widgets.palette import DARK, LIGHT, Theme, stylesheet
from tests.support.gui_fixtures import app, loud

__all__ = ["app", "loud"]

RATE = 500.0
NAMES = tuple(f"E{n}" for n in range(122))


def shown(
    app: QApplication, channels: int = 4, size: tuple[int, int] = (700, 420), theme: Theme = DARK
) -> Traces:
    """A widget that is on screen."""
    traces = Traces(NAMES[:channels], RATE, theme)
    traces.resize(*size)
    traces.setVisible(True)
    app.processEvents()
    return traces


def noise(n: int, channels: int = 4) -> np.ndarray:
    """20 uV of noise on top of an offset."""
    rng = np.random.default_rng(1)
    return (20 * rng.standard_normal((n, channels)) + 4000).astype(np.float32)


def grab(traces: Traces) -> QImage:
    """What a person sees."""
    traces.clearFocus()
    traces.advance()
    while traces._raster.unfinished:
        traces.advance()
    return traces.grab().toImage()


def plot(traces: Traces) -> tuple[int, int, int, int]:
    """Left, top, width and height of the picture."""
    rect = traces._plot()
    return rect.left(), rect.top(), rect.width(), rect.height()


def test_a_known_signal_is_seen_on_screen_where_it_belongs(app: QApplication):
    traces = shown(app)
    traces.set_highpass(None)
    traces.set_seconds(2)
    traces.set_scale(100)
    x = np.zeros((900, 4), np.float32)
    x[500:600, 2] = 40
    traces.push(0, x)
    traces.marker(300, "face")
    traces.gap(900, 50, "lost")
    image = grab(traces)
    left, top, width, height = plot(traces)
    lane = height / 4

    def column(sample: int) -> int:
        return left + sample * width // 1000

    ground = QColor(DARK.background)

    def lit(x: int, y: float) -> bool:
        return image.pixelColor(x, int(y)) != ground

    middle = top + 2.5 * lane
    for sample in (510, 550, 590):
        assert lit(column(sample), middle - 0.4 * lane), "40 uV above the middle"
        assert not lit(column(sample), middle), "and nothing in the middle"
    assert lit(column(700), middle)
    assert not lit(column(700), middle - 0.4 * lane)
    assert image.pixelColor(column(300), top + 3) == QColor(DARK.info), "the marker"
    hatched = [image.pixelColor(column(925), y) for y in range(top, top + height)]
    assert QColor(DARK.gap) in hatched
    above = {image.pixelColor(column(300) + dx, top - 8).rgb() for dx in range(4, 30)}
    assert len(above) > 2, "its label"


def test_any_cut_into_pushes_gives_the_same_picture(app: QApplication):
    x = noise(2600)
    pictures = []
    for sizes in ([2600], [1] * 300 + [33] * 70, [700, 3, 999, 1000]):
        traces = shown(app)
        traces.set_seconds(2)
        at = 0
        for size in sizes:
            traces.push(at, x[at : at + size])
            at += size
            if at > 1300:
                traces.marker(1200, "cat")
            traces.advance()
            if len(sizes) < 9:
                app.processEvents()
        pictures.append(grab(traces))
        assert pictures[-1] == pictures[0]


def test_a_partial_repaint_equals_a_full_one(app: QApplication):
    traces = shown(app)
    traces.set_seconds(1)
    x = noise(1800)
    backing = QImage(traces.size(), QImage.Format.Format_RGB32)
    for at in range(0, 1800, 16):
        traces.push(at, x[at : at + 16])
        if at % 320 == 0:
            traces.marker(at + 5, f"m{at}")
        traces.advance()
        app.processEvents()
    screen = traces.screen().grabWindow(traces.winId()).toImage()
    backing = traces.grab().toImage()
    if screen.isNull() or screen.size() != backing.size():
        pytest.skip("this platform does not tell what is on its screen")
    same = screen.convertToFormat(QImage.Format.Format_RGB32)
    assert same == backing.convertToFormat(QImage.Format.Format_RGB32)


@pytest.mark.parametrize("count", [16, 32, None])
def test_122_electrodes_are_shown_in_groups(app: QApplication, count: int | None):
    traces = shown(app, 122, (800, 700))
    traces.push(0, noise(2000, 122))
    traces.set_group(0, count)
    assert traces.group == (0, count or 122)
    if count is not None:
        traces.set_group(count, count)
        assert traces.group == (count, count)
        assert f"{count + 1} to {2 * count} of 122" in traces.summary()
        traces.set_group(121, count)
        assert traces.group == (121 // count * count, 122 % count)
    image = grab(traces)
    left, top, _, height = plot(traces)
    lit = [
        image.pixelColor(left + 100, y) != QColor(DARK.background) for y in range(top, top + height)
    ]
    assert sum(lit) > 10


def test_picking_a_trace_by_mouse_and_turning_to_it(app: QApplication):
    traces = shown(app, 122, (800, 700))
    picked: list[str] = []
    traces.picked.connect(picked.append)
    traces.set_group(32, 16)
    left, top, _, height = plot(traces)
    QTest.mouseClick(
        traces, Qt.MouseButton.LeftButton, pos=QPoint(left + 50, top + height // 16 // 2)
    )
    assert picked == ["E32"]
    traces.select("E100")
    assert (traces.selected, traces.group) == ("E100", (96, 16))
    traces.select("E121")
    assert traces.group == (112, 10)
    traces.select("E3")
    assert traces.group == (0, 16)
    traces.select("nobody")
    assert traces.selected is None


def test_time_base_and_scale_take_the_offered_values(app: QApplication):
    traces = shown(app)
    for seconds in SECONDS:
        traces.set_seconds(seconds)
        assert traces.seconds == seconds
    for scale in SCALES:
        traces.set_scale(scale)
        assert traces.scale_uv == scale
    traces.set_scale(0)
    assert traces.scale_uv == SCALES[-1], "nothing else makes sense"


@pytest.mark.parametrize(("size", "scale"), [(5, 50), (20, 200), (100, 1000), (5000, 2000)])
def test_autoscale_fits_a_typical_channel(app: QApplication, size: float, scale: float):
    traces = shown(app)
    rng = np.random.default_rng(0)
    x = (size * rng.standard_normal((3000, 4))).astype(np.float32)
    x[:, 3] *= 1000  # one bad electrode does not decide
    traces.push(0, x)
    traces.autoscale()
    assert traces.scale_uv == scale


def test_autoscale_without_a_signal_changes_nothing(app: QApplication):
    traces = shown(app)
    before = traces.scale_uv
    traces.autoscale()
    assert traces.scale_uv == before


def test_it_tells_when_several_samples_share_a_column(app: QApplication):
    traces = shown(app)
    traces.set_seconds(30)
    _, _, width, _ = plot(traces)
    assert traces.decimation == -(-30 * 500 // width)
    traces.set_seconds(1)
    assert traces.decimation == 1


def test_a_frozen_picture_stands_still_while_the_signal_goes_on(app: QApplication):
    traces = shown(app)
    x = noise(9000)
    traces.push(0, x[:3000])
    traces.set_paused(True)
    before = grab(traces)
    traces.push(3000, x[3000:6000])
    traces.marker(4000, "late")
    traces.gap(6000, 20, "lost")
    assert grab(traces) == before
    traces.set_paused(False)
    after = grab(traces)
    assert after != before
    fresh = shown(app)
    fresh.push(0, x[:6000])
    fresh.marker(4000, "late")
    fresh.gap(6000, 20, "lost")
    assert grab(fresh) == after


def test_another_signal_starts_with_an_empty_picture(app: QApplication):
    traces = shown(app)
    traces.push(5000, noise(500))
    traces.clear()
    traces.push(0, noise(100))
    image = grab(traces)
    fresh = shown(app)
    fresh.push(0, noise(100))
    assert grab(fresh) == image


def test_another_size_or_theme_draws_the_same_signal_again(app: QApplication):
    traces = shown(app)
    traces.push(0, noise(3000))
    traces.resize(500, 300)
    traces.set_theme(LIGHT)
    app.processEvents()
    fresh = shown(app, size=(500, 300), theme=LIGHT)
    fresh.push(0, noise(3000))
    assert grab(fresh) == grab(traces)


def test_a_widget_without_signal_or_space_draws_without_error(app: QApplication):
    traces = shown(app, 122, (60, 40))
    traces.push(0, noise(100, 122))
    traces.marker(50, "x")
    grab(traces)


def test_large_text_still_leaves_room_for_the_traces(app: QApplication):
    app.setStyleSheet(stylesheet(DARK, 2))
    traces = shown(app, 122, (600, 360))
    traces.push(0, noise(600, 122))
    _, _, width, height = plot(traces)
    assert width > 350
    assert height > 180
    grab(traces)
    app.setStyleSheet(stylesheet(DARK))


def test_times_are_formatted_for_reading():
    assert [clock(s) for s in (0, 9, 61, 3725, 1.2, 59.8)] == [
        *("0:00", "0:09", "1:01", "1:02:05", "0:01.2", "0:59.8"),
    ]


def test_a_frame_of_122_electrodes_costs_a_fraction_of_its_time(app: QApplication):
    traces = Traces(NAMES, 1000.0, DARK)
    traces.resize(1400, 900)
    traces.set_group(0, None)
    traces.setVisible(True)
    x = noise(33, 122)
    at = 0
    for _ in range(30):
        traces.push(at, x)
        at += 33
        traces.advance()
        app.processEvents()
    began = process_time()
    for _ in range(60):
        traces.push(at, x)
        at += 33
        traces.advance()
        app.processEvents()
    ms = (process_time() - began) / 60 * 1000
    assert ms <= 12, f"{ms:.1f} ms of CPU a frame; 8 is the aim, 33 is all there is"


def test_drawing_loses_no_references(app: QApplication):
    """PySide6 6.12 on Python 3.11 lost one reference to None per call, until Python aborted."""
    traces = shown(app, size=(300, 200))
    x = noise(1)
    gc.collect()
    before = sys.getrefcount(None)
    for at in range(5000):
        traces.update()
        traces.push(at, x)
        traces.advance()
        if at % 50 == 0:
            app.processEvents()
    assert sys.getrefcount(None) - before >= -5


@pytest.mark.usefixtures("app")
def test_plotting_loses_no_references():
    pyqtgraph = pytest.importorskip("pyqtgraph")
    curve = pyqtgraph.PlotDataItem()
    gc.collect()
    before = sys.getrefcount(None)
    for n in range(5000):
        curve.setData([0, 1, n])
    assert sys.getrefcount(None) - before >= -5
