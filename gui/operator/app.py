"""Entry point of the operator's window: one process, one session."""

import signal
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QTimer
from PySide6.QtWidgets import QApplication

from gui.operator.frame_timing import write_figures
from gui.operator.session_feed import SessionFeed
from gui.operator.window import OperatorWindow
from gui.widgets.remembered import Remembered
from rtbci.errors import BadInput
from rtbci.session.control import SessionEntry
from rtbci.terminal import say

FIGURES_S = 10.0  # between two lines of figures
WARM_S = 3.0  # the first seconds, in which the window is built, do not count


@dataclass(frozen=True)
class WindowOptions:
    """Appearance of the window; None keeps the last setting."""

    theme: str | None = None
    scale: float | None = None
    size: tuple[int, int] | None = None
    screenshot: Path | None = None
    after: float = 10.0  # s, until the picture is taken
    figures: Path | None = None  # where frames, stalls, CPU and memory are written


def show(entry: SessionEntry, options: WindowOptions) -> int:
    """Run the window until it is closed; returns the exit code."""
    QCoreApplication.setApplicationName("rtbci")
    application = QApplication.instance() or QApplication(sys.argv[:1])
    remembered = Remembered()
    choices = remembered.choices()
    if options.theme is not None:
        choices = replace(choices, theme=options.theme)
    if options.scale is not None:
        choices = replace(choices, scale=options.scale)
    feed = SessionFeed(entry)
    window = OperatorWindow(feed, remembered, choices)
    for number in (signal.SIGINT, signal.SIGTERM):  # its timers let Python see them
        signal.signal(number, lambda *_: window.close())
    failed: list[str] = []
    taken: list[Path] = []
    if options.screenshot is not None:
        path = options.screenshot

        def take() -> None:
            if window.grab().save(str(path)):
                taken.append(path)
            else:
                failed.append(f"cannot write {path}; choose another place for the picture")
            window.close()

        QTimer.singleShot(round(1000 * options.after), take)
    if options.figures is not None:
        measure(window, options.figures)
    feed.start()
    window.open(options.size)
    application.exec()
    feed.close()
    if failed:
        raise BadInput(failed[0])
    if taken:
        say(f"picture: {taken[0]}")
    return 0


def measure(window: OperatorWindow, path: Path) -> None:
    """Write timing figures at regular intervals once the traces are shown."""
    timer = QTimer(window)
    timer.setInterval(round(1000 * FIGURES_S))
    timer.timeout.connect(lambda: write_figures(path, window.frame_timing.figures()))

    def begin() -> None:
        window.frame_timing.begin()
        timer.start()

    def wait() -> None:
        shown = window.traces is not None
        QTimer.singleShot(round(1000 * WARM_S), begin if shown else wait)

    wait()
