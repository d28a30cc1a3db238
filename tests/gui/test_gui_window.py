"""The window without a display: every key and button does what the keys page says."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QSettings, Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QLineEdit, QWidget

from gui.operator.about import About
from gui.operator.keys import KEYS
from gui.operator.session_feed import FileSize, Link, OrderResult
from gui.operator.signal_feed import (
    DrawnMarker,
    DrawnSamples,
    Moment,
    SignalOpened,
    SignalTrouble,
)
from gui.operator.window import OperatorWindow
from gui.widgets.remembered import Choices, Remembered
from rtbci.messages import (
    Alarm,
    DecisionMade,
    MarkerSet,
    Order,
    Pause,
    Paused,
    ProcessReport,
    ReplayStarted,
    SessionReport,
    SetMarker,
    Stop,
    WriteNote,
)
from rtbci.statistics.verdict import Verdict
from rtbci.types import Decision, Gap, StreamInfo
from tests.support.gui_fixtures import app

__all__ = ["app"]
NAMES = tuple(f"E{n + 1}" for n in range(40))
WORKS = SessionReport(
    id="sub-07_run",
    folder="/sessions/sub-07_run",
    boxes={name: ProcessReport(7, True) for name in ("record", "decode", "stream")},
    decisions=0,
    alarms=(),
    recordings=(),
    paused=False,
    said=(ReplayStarted(12.5, 0.0, box="stream"),),
)
Open = Callable[..., tuple[OperatorWindow, "FakeFeed"]]


class FakeFeed:
    """What the window hears is put into lists; what it asks is found in another."""

    def __init__(self, about: About, folder: Path) -> None:
        self.about, self.folder = about, folder
        self.entry = SimpleNamespace(id="sub-07_run", created=0.0, recorder_alive=True)
        self.heard: list[Any] = [WORKS, FileSize(1_000_000)]
        self.came: list[Any] = []
        self.asked: list[Order] = []
        self.signal = SimpleNamespace(
            items=lambda: self._take(self.came), age=lambda: 0.02, counts=lambda: None,
            now=lambda: Moment(12.5, 300),
        )  # fmt: skip
        self.is_closed = False

    def news(self) -> list[Any]:
        return self._take(self.heard)

    def ask(self, order: Order) -> None:
        self.asked.append(order)

    def close(self) -> None:
        self.is_closed = True

    @staticmethod
    def _take(items: list[Any]) -> list[Any]:
        taken = items[:]
        items.clear()
        return taken


@pytest.fixture
def show(app: QApplication, tmp_path: Path) -> Iterator[Open]:
    """Open a window on a session that is made up."""
    windows: list[OperatorWindow] = []

    def show(**about: Any) -> tuple[OperatorWindow, FakeFeed]:
        known = About(kind="replay", part="REPLAY of run3.xdf", speed=1.0, recorded=True,
                      classes=("face", "house"), sure=0.7,
                      verdict=Verdict("GO", "", True))  # fmt: skip
        feed = FakeFeed(About(**{**known.__dict__, **about}), tmp_path)
        stored = Remembered(QSettings(str(tmp_path / "w.ini"), QSettings.Format.IniFormat))
        window = OperatorWindow(feed, stored, stored.choices())  # type: ignore[arg-type]
        windows.append(window)
        info = StreamInfo("cap", 250.0, NAMES, ("EEG",) * 40)
        feed.came.append(SignalOpened(info, tuple(range(40)), "here"))
        x = np.random.default_rng(0).normal(0, 10, (500, 40)).astype(np.float32)
        feed.came += [DrawnSamples(0, x), DrawnMarker(250, "1")]
        window.open((1280, 720))
        turn(window)
        return window, feed

    yield show
    for window in windows:
        window.close()
        window.deleteLater()
    app.processEvents()


def turn(window: OperatorWindow) -> None:
    """Enough pictures that words have changed."""
    for _ in range(8):
        window.tick()
    QApplication.processEvents()


def press(window: OperatorWindow, *keys: str) -> None:
    """As a person does, wherever the focus is."""
    for key in keys:
        target = QApplication.focusWidget() or window
        if len(key) == 1 and not key.isspace():
            QTest.keyClicks(target, key)
        else:
            QTest.keySequence(target, QKeySequence(key))
    turn(window)


def test_space_pauses_and_resumes(show: Open):
    window, feed = show()
    press(window, "Space")
    feed.heard.append(Paused())
    turn(window)
    assert window.parts.banner.text == "Decisions are paused; recording goes on."
    assert window.parts.pause.text() == "Resume decisions"
    press(window, "Space")
    assert [order.kind for order in feed.asked] == ["pause", "resume"]


def test_escape_stops_only_twice_within_two_seconds(show: Open):
    window, feed = show()
    press(window, "Esc")
    assert feed.asked == []
    assert "Press Esc again" in window.parts.banner.text
    press(window, "Esc")
    assert feed.asked == [Stop()]


def test_the_button_of_the_first_escape_is_the_second(show: Open):
    window, feed = show()
    press(window, "Esc")
    QTest.mouseClick(window.parts.banner.action, Qt.MouseButton.LeftButton)
    assert feed.asked == [Stop()]


@pytest.mark.parametrize("digit", "123456789")
def test_a_marker_is_m_and_a_digit(show: Open, digit: str):
    window, feed = show()
    press(window, digit)
    assert feed.asked == []
    press(window, "m")
    assert window.parts.banner.text.startswith("Marker: press 1 to 9")
    press(window, digit)
    assert feed.asked == [SetMarker(digit, stamp=12.5, index=300)]
    assert window.parts.banner.text == ""


def test_escape_leaves_a_marker_and_stops_nothing(show: Open):
    window, feed = show()
    press(window, "m", "Esc", "4", "Esc")
    assert feed.asked == []


def test_a_note_has_the_time_at_which_n_was_pressed_and_keeps_its_letters(show: Open):
    window, feed = show()
    press(window, "n")
    feed.signal.now = lambda: {"stamp": 99.0}
    assert isinstance(QApplication.focusWidget(), QLineEdit)
    press(window, *"moved, m1 t?", "Return")
    assert feed.asked == [WriteNote("moved, m1 t?", stamp=12.5, index=300)]
    assert not window.note.isVisible()
    press(window, "n", *"no", "Esc")
    assert len(feed.asked) == 1
    assert not window.note.isVisible()
    assert window.view_settings.choices.theme == "dark"


def test_keys_change_the_picture_and_the_next_window_looks_the_same(show: Open):
    window, _ = show()
    assert window.traces is not None
    before = window.view_settings.choices
    assert before == Choices()
    press(window, "-", "-", "+", "]", "g", "t", "Ctrl++")
    assert (window.traces.scale_uv, window.traces.seconds) == (200, 20)
    assert window.traces.group == (0, 32)
    assert window.traces.theme.name == "light"
    press(window, "[", "[", "PgDown")
    assert window.traces.seconds == 5
    assert window.traces.group == (32, 8)
    press(window, "PgUp", "g", "Ctrl+-")
    assert window.traces.group == (0, 40)
    press(window, "a")
    assert window.traces.scale_uv < 200
    again, _ = show()
    assert again.view_settings.choices == window.view_settings.choices != before
    assert again.traces is not None
    assert (again.traces.seconds, again.traces.theme.name) == (5, "light")


def test_f_freezes_the_picture_only(show: Open):
    window, feed = show()
    press(window, "f")
    assert window.traces is not None
    assert window.traces.paused
    assert window.parts.bar.buttons["freeze"].isChecked()
    assert feed.asked == []
    press(window, "f")
    assert not window.traces.paused


def test_the_keys_page_lists_every_key_and_escape_only_closes_it(show: Open):
    window, feed = show()
    press(window, "?")
    page = window.parts.keys
    assert page.isVisible()
    assert [key for key, _ in page.entries] == [each.label for each in KEYS]
    press(window, "Esc")
    assert not page.isVisible()
    press(window, "F1", "?")
    assert not page.isVisible()
    press(window, "Esc")
    assert feed.asked == []


def test_f11_is_full_screen_and_back(show: Open):
    window, _ = show()
    press(window, "F11")
    assert window.isFullScreen()
    press(window, "F11")
    assert not window.isFullScreen()


def test_ctrl_q_closes_the_window_and_asks_nothing_of_the_session(show: Open):
    window, feed = show()
    press(window, "Ctrl+Q")
    assert not window.isVisible()
    assert feed.is_closed
    assert feed.asked == []


def test_an_alarm_is_one_sentence_with_one_action(show: Open):
    window, feed = show()
    for level, code in (("amber", "rate"), ("red", "stall")):
        feed.heard.append(Alarm(level, code, f"{code} is wrong", box="decode"))
    turn(window)
    assert (window.parts.banner.level, window.parts.banner.text) == ("red", "stall is wrong")
    press(window, "Return")
    assert (window.parts.banner.level, window.parts.banner.text) == ("amber", "rate is wrong")
    press(window, "Return")
    assert window.parts.banner.text == ""
    assert "stall is wrong" in window.parts.log.text()


def test_a_session_that_does_not_answer_is_red_until_it_does(show: Open):
    window, feed = show()
    feed.heard.append(Link("looking"))
    turn(window)
    assert window.parts.banner.level == "red"
    assert "rtbci live --attach sub-07_run" in window.parts.banner.text
    feed.heard.append(WORKS)
    turn(window)
    assert window.parts.banner.text == ""


def test_the_end_of_a_session_is_shown_and_escape_closes(show: Open):
    window, feed = show()
    feed.heard.append(Link("ended"))
    turn(window)
    assert window.parts.banner.text.startswith("The session is over. 1.0 MB are saved in")
    assert not window.parts.stop.isEnabled()
    press(window, "Esc")
    assert not window.isVisible()


def test_a_refusal_and_a_missing_signal_are_reported(show: Open):
    window, feed = show()
    feed.heard.append(OrderResult(SetMarker("1"), "session x: too busy"))
    turn(window)
    assert window.parts.banner.text == "session x: too busy"
    press(window, "Return")
    feed.came.append(SignalTrouble("this window shows no signal: none is there"))
    turn(window)
    assert window.parts.banner.text == "this window shows no signal: none is there"
    feed.came.append(SignalTrouble(""))
    turn(window)
    assert window.parts.banner.text == ""


def test_a_gap_and_a_marker_of_a_person_reach_the_picture(show: Open):
    window, feed = show()
    feed.came += [Gap(500, 50), DrawnSamples(550, np.zeros((250, 40), np.float32))]
    feed.heard.append(MarkerSet("3", stamp=1.0, index=700))
    turn(window)
    assert window.traces is not None
    marks = [label for _, label in window.traces._live.marks]
    assert marks == ["1", "\u270e 3"]
    assert [(hole.index, hole.missing) for hole in window.traces._live.holes] == [(500, 50)]


def test_the_window_shows_that_a_decoder_is_not_above_chance(show: Open):
    window, feed = show(verdict=Verdict("NO-GO", "", False))
    odds = {"face": 0.99, "house": 0.01}
    feed.heard.append(DecisionMade(Decision(250, 1.0, None, "face", odds)))
    turn(window)
    assert window.parts.card.accessibleDescription().startswith("not above chance")


def test_every_control_has_a_name_a_focus_and_room_for_a_finger(show: Open):
    window, _ = show()
    controls = window.findChildren(QAbstractButton) + window.findChildren(QLineEdit)
    assert len(controls) > 10
    for each in controls:
        assert each.accessibleName() or not each.isVisible(), each
        assert each.focusPolicy() & Qt.FocusPolicy.TabFocus, each
        assert not each.isVisible() or min(each.width(), each.height()) >= 24, each


def test_tab_goes_round_all_buttons_and_enter_presses_them(show: Open):
    window, feed = show()
    window.parts.pause.setFocus()
    press(window, "Return")
    assert feed.asked == [Pause()]
    seen: list[QWidget | None] = []
    for _ in range(40):
        QTest.keyClick(QApplication.focusWidget() or window, Qt.Key.Key_Tab)
        seen.append(QApplication.focusWidget())
    assert {window.parts.stop, *window.parts.bar.buttons.values(), window.head} <= set(seen)


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_no_word_is_cut_at_1280_by_720(show: Open, scale: float):
    window, feed = show()
    window.view_settings._choose(scale=scale)
    window.view_settings.apply()
    text = ("no samples from cap for 1.6 s; nothing is decoded until it is back "
            "(is the amplifier on, is its program running?)")  # fmt: skip
    feed.heard.append(Alarm("red", "stall", text, box="decode"))
    for _ in range(4):  # words change, then sizes, then rows
        turn(window)
    assert (window.width(), window.height()) == (1280, 720)
    cut = []
    for each in [*window.findChildren(QLabel), *window.findChildren(QAbstractButton)]:
        if each.isVisible() and each.text() and each is not window.parts.log:
            need = each.minimumSizeHint()
            wraps = isinstance(each, QLabel) and each.wordWrap()
            if (need.width() > each.width() + 1 and not wraps) or each.height() + 1 < (
                each.fontMetrics().height()
            ):
                cut.append((each.text(), need.width(), each.width(), each.height()))
    assert not cut


def test_a_damaged_memory_is_no_memory(tmp_path: Path):
    path = tmp_path / "w.ini"
    path.write_text("[General]\ntheme=pink\nscale=soon\nseconds=-4\nscale_uv=nan\ngroup=7\n")
    assert Remembered(QSettings(str(path), QSettings.Format.IniFormat)).choices() == Choices()


def test_figures_tell_pictures_stalls_and_memory(tmp_path: Path):
    from gui.operator.frame_timing import FrameTiming, write_figures

    now = [0.0]
    heart = FrameTiming(lambda: now[0])
    for number in range(500):
        now[0] += 0.02 if number != 250 else 0.12
        heart.beat()
        if number % 2:
            heart.painted()
    write_figures(tmp_path / "f.jsonl", heart.figures())
    found = json.loads((tmp_path / "f.jsonl").read_text())
    assert found["fps"] == pytest.approx(250 / now[0])
    assert found["stall_max_ms"] == pytest.approx(100)
    assert found["stall_p99_ms"] < 1
    assert found["rss_mb"] > 10
