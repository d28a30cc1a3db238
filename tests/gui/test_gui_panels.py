"""What stands around the traces: dashes for what is unknown, words for every state, no cut text."""

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QSize, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QPushButton, QVBoxLayout, QWidget

from gui.operator.banner import Banner
from gui.operator.decision_card import DecisionCard
from gui.operator.keys_page import KeysPage
from gui.operator.panels import Header, Lamps, LossTable, StatusLine
from gui.widgets.labels import age, grouped, hours
from gui.widgets.palette import DARK, LIGHT, Theme, stylesheet
from tests.support.gui_fixtures import app, loud

__all__ = ["app", "loud"]

LOSSES = [("session", 12, 761_000), ("stream", 0, 758_000), ("10 s", None, None)]
LAMPS = {
    "record": ("works", "74 MB"),
    "decode": ("late", "2.1 s behind"),
    "render": ("off", ""),
    "stream": ("gone", "restarting"),
}


def texts(widget: QWidget) -> list[str]:
    """Everything that is written in a widget."""
    return [each.text() for each in widget.findChildren(QLabel) if each.text()]


def cut(page: QWidget) -> list[str]:
    """Texts that do not fit their label."""
    short = []
    for each in page.findChildren(QLabel):
        if not each.isVisibleTo(page) or not each.text():
            continue
        needs = each.sizeHint()
        if each.wordWrap():
            needs = QSize(0, each.heightForWidth(each.width()))
        if each.width() < needs.width() or each.height() < needs.height():
            short.append(f"{each.text()!r} has {each.size()}, needs {needs}")
    return short


def filled(theme: Theme) -> list[QWidget]:
    """Every panel with something in it."""
    header, card, losses = Header(theme), DecisionCard(theme), LossTable(theme)
    lamps, banner, status = Lamps(theme), Banner(theme), StatusLine(theme)
    header.set_values(
        "sub-02_ses-01", "REC", 1074.2, True, 7361, 7358, "block 3 of 8, trial 11 of 20", 1
    )
    card.set_values("scissors", 0.82, "not above chance", ("loud", "settling 1.2 s"))
    losses.set_values(LOSSES)
    lamps.set_values(LAMPS)
    text = "No data from 'BrainAmp' for 0.6 s. Recording goes on. Check the amplifier cable."
    banner.show_alarm("red", text, "Understood")
    status.set_values(0.021, {"decode": (38, 61), "bus": (2.1, None)}, 30.2, 18, "14x min/max")
    return [header, card, losses, lamps, banner, status]


def laid_out(app: QApplication, width: int, scale: float, theme: Theme = DARK) -> QWidget:
    """All panels below each other in a page."""
    app.setStyleSheet(stylesheet(theme, scale))
    page = QWidget()
    rows = QVBoxLayout(page)
    for panel in filled(theme):
        rows.addWidget(panel)
    page.resize(width, rows.heightForWidth(width))
    page.setVisible(True)
    app.processEvents()
    page.resize(width, rows.heightForWidth(width))
    app.processEvents()
    return page


@pytest.fixture(autouse=True)
def _plain(app: QApplication) -> Iterator[None]:
    yield
    app.setStyleSheet(stylesheet(DARK))


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=["dark", "light"])
@pytest.mark.parametrize(("width", "scale"), [(1280, 1), (1280, 2), (420, 1), (640, 2)])
def test_no_text_is_cut(app: QApplication, width: int, scale: float, theme: Theme):
    page = laid_out(app, width, scale, theme)
    assert page.width() == width
    assert not cut(page)


@pytest.mark.usefixtures("app")
def test_unknown_values_are_a_dash_and_never_a_zero():
    header, card, losses, status = Header(), DecisionCard(), LossTable(), StatusLine()
    header.set_values()
    card.set_values()
    for panel in (header, card, losses, status):
        joined = " ".join(texts(panel))
        assert "-" in joined.split(), panel
        assert not {"0", "0.0", "0 ms", "0.000 %", "00:00:00"} & set(texts(panel)), panel


@pytest.mark.usefixtures("app")
def test_the_header_tells_session_recording_and_both_times():
    header = Header()
    header.set_values("sub-02", "REC", 74.23, True, 761, 758, "trial 11", 2)
    words = texts(header)
    for expected in ("sub-02", "REC", "74.2 MB, growing", "00:12:41", "00:12:38", "trial 11", "2×"):
        assert expected in words
    header.set_values("sub-02", "lost", 74.23, False, 761, None, "", None)
    assert "74.2 MB, not growing" in texts(header)
    assert header._sign.kind == "cross"


@pytest.mark.usefixtures("app")
def test_the_recording_state_has_a_shape_and_a_word():
    header = Header()
    kinds = set()
    for state in ("REC", "no recording", "lost"):
        header.set_values("s", state)
        assert state in texts(header)
        kinds.add(header._sign.kind)
    assert len(kinds) == 3


@pytest.mark.usefixtures("app")
def test_the_card_shows_the_decision_or_why_there_is_none():
    card = DecisionCard()
    card.set_values("face", 0.824, "", ("loud",))
    assert {"face", "82 %", "loud"} <= set(texts(card))
    card.set_values(None, 0.41, "no decision")
    assert {"no decision", "41 %"} <= set(texts(card))
    card.set_values("face", 0.6, "not above chance")
    assert {"face", "▲ not above chance"} <= set(texts(card))
    card.set_values(None, None, "settling 1.2 s")
    assert {"settling 1.2 s", "-"} <= set(texts(card))


@pytest.mark.usefixtures("app")
def test_losses_are_counted_with_their_share_and_a_sign():
    losses = LossTable()
    losses.set_values(LOSSES)
    words = texts(losses)
    assert {"▲ 12", "761\u202f000", "0.002 %"} <= set(words)
    row = [each.text() for each in losses._rows[2]]
    assert row == ["10 s", "-", "-", "-"]
    assert "0.000 %" in words
    losses.set_values(LOSSES[:1])
    assert [e.isVisibleTo(losses) for e in losses.findChildren(QLabel) if e.text() == "stream"] == [
        False
    ]


@pytest.mark.usefixtures("app")
def test_every_state_of_a_process_has_its_own_shape_and_word():
    lamps = Lamps()
    lamps.set_values(LAMPS)
    assert len({lamp.sign.kind for lamp in lamps._lamps.values()}) == 4
    assert {"works, 74 MB", "late, 2.1 s behind", "off", "gone, restarting"} <= set(texts(lamps))
    lamps.set_values({"record": ("works", "works")})
    assert list(lamps._lamps) == ["record"]
    assert "works" in texts(lamps)


@pytest.mark.usefixtures("app")
def test_a_banner_comes_with_one_action_and_goes():
    banner = Banner()
    acted: list[bool] = []
    banner.acted.connect(lambda: acted.append(True))
    assert banner.isHidden()
    for level in ("info", "amber", "red"):
        banner.show_alarm(level, "No data.", "Understood")
        assert (banner.level, banner.text, banner.isHidden()) == (level, "No data.", False)
    button = banner.findChildren(QPushButton)[0]
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    QTest.keyClick(button, Qt.Key.Key_Space)
    assert acted == [True, True]
    banner.show_alarm("amber", "Only so that you know.", None)
    assert button.isHidden()
    banner.clear()
    assert (banner.isHidden(), banner.text) == (True, "")


def test_the_button_of_a_banner_is_large_enough(app: QApplication):
    banner = Banner()
    banner.show_alarm("red", "No data.", "Understood")
    app.processEvents()
    assert banner.action.sizeHint().height() >= 24


@pytest.mark.usefixtures("app")
def test_the_status_line_tells_ages_and_latencies():
    status = StatusLine()
    status.set_values(0.021, {"decode": (38.2, 61), "bus": (2, None)}, 30.2, 18.4, "14x min/max")
    assert {"21 ms", "38/61 ms", "2.0/- ms", "30/s", "18 ms", "14x min/max"} <= set(texts(status))
    status.set_values(2.26)
    assert "2.3 s" in texts(status)


@pytest.mark.usefixtures("app")
def test_saying_the_same_again_changes_nothing():
    header, seen = Header(), []
    values = ("s", "REC", 1.0, True, 5.0, 5.0, "x", 1.0)
    header.set_values(*values)
    for each in header.findChildren(QLabel):
        each.setText(each.text() + "!")
        seen.append(each)
    assert all(each.text().endswith("!") for each in seen)
    header.set_values(*values)
    assert "REC" in texts(header), "what differs is set"


@pytest.mark.usefixtures("app")
def test_every_panel_has_a_name_for_screen_readers():
    for panel in filled(DARK):
        assert panel.accessibleName(), type(panel)
    card = DecisionCard()
    card.set_values("face", 0.82, "not above chance", ("loud",))
    assert card.accessibleDescription() == "face, 82 %, not above chance, loud"


def test_another_theme_changes_every_panel(app: QApplication):
    for panel in filled(DARK):
        panel.setVisible(True)
        panel.resize(panel.sizeHint())
        dark = panel.grab().toImage()
        take = getattr(panel, "set_theme")  # noqa: B009
        take(LIGHT)
        app.setStyleSheet(stylesheet(LIGHT))
        app.processEvents()
        assert panel.grab().toImage() != dark, type(panel)
        app.setStyleSheet(stylesheet(DARK))


@pytest.mark.parametrize("scale", [1, 2])
def test_the_keys_page_holds_every_key_and_is_not_a_dialog(app: QApplication, scale: float):
    app.setStyleSheet(stylesheet(DARK, scale))
    entries = [(f"Ctrl {n}", f"does the thing with number {n}") for n in range(24)]
    page = KeysPage(entries)
    page.resize(1280, 720)
    page.setVisible(True)
    app.processEvents()
    assert {text for pair in entries for text in pair} <= set(texts(page))
    assert not page.isModal()
    assert not cut(page)
    assert "Ctrl 3: does the thing" in page.accessibleDescription()


def test_numbers_are_formatted_for_reading():
    assert [hours(s) for s in (None, 0, 59.9, 3661)] == ["-", "00:00:00", "00:00:59", "01:01:01"]
    assert [grouped(n) for n in (None, 0, 999, 1_234_567)] == [
        *("-", "0", "999", "1\u202f234\u202f567"),
    ]
    assert [age(s) for s in (0.0214, 1.26)] == ["21 ms", "1.3 s"]
