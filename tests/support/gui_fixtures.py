"""One QApplication for all tests of widgets in a process, without a display."""

import os
import sys
from collections.abc import Iterator
from types import TracebackType

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
pytest.importorskip("PySide6", reason="the window needs PySide6: pip install 'rtbci[gui]'")

from PySide6.QtWidgets import QApplication

from gui.widgets.palette import DARK, stylesheet


@pytest.fixture(scope="session")
def app() -> Iterator[QApplication]:
    """The application, in the dark theme."""
    application = QApplication.instance() or QApplication(["tests"])
    assert isinstance(application, QApplication)
    application.setStyleSheet(stylesheet(DARK))
    yield application
    application.setStyleSheet("")


@pytest.fixture(autouse=True)
def loud(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Turn exceptions inside Qt callbacks into test failures.

    A module gets this by importing it beside ``app``.
    """
    errors: list[BaseException] = []

    def keep(_: type[BaseException], error: BaseException, __: TracebackType | None) -> None:
        errors.append(error)

    monkeypatch.setattr(sys, "excepthook", keep)
    yield
    assert not errors, errors
