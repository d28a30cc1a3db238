"""Arrangement of the widgets in the window.

session, recording, timers                                 [pause] [stop safely]
banner, only where a person should read something
head, losses   |   traces and their buttons   |   decision, probabilities, bands
lamps, log, status line
"""

from collections.abc import Iterable

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from gui.operator.band_power import BandPower
from gui.operator.banner import Banner
from gui.operator.decision_card import DecisionCard
from gui.operator.keys import KEYS
from gui.operator.keys_page import KeysPage
from gui.operator.panels import Header, Lamps, LossTable, StatusLine
from gui.operator.plots import ProbabilityPlot
from gui.operator.trace_bar import TraceBar
from gui.operator.traces import Traces
from gui.widgets.headmap import HeadMap
from gui.widgets.labels import button
from gui.widgets.palette import Theme
from gui.widgets.scroll_column import ScrollColumn

MARGIN, HANDLE = 8, 3  # px
SHARES = (0.21, 0.57, 0.22)  # of the width: electrodes, traces, decisions
NARROW_SHARES = (0.0, 0.56, 0.44)
LOG_LINES = 3
NARROW = 56  # lines of text that the window is wide


class WindowLayout(QWidget):
    """Widgets of the window in their places; ``acted`` carries the action of a button."""

    acted = Signal(str)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.setObjectName("page")
        self.header, self.banner = Header(), Banner()
        self.losses, self.lamps, self.status = LossTable(), Lamps(), StatusLine()
        self.card, self.bands, self.bar = DecisionCard(), BandPower(theme), TraceBar()
        self.note, self.log = self._make_note(), self._make_log()
        does = "pause or resume decisions (Space)"
        self.pause = button("Pause decisions", does, self.acted, "pause")
        does = "stop the session safely (Esc twice)"
        self.stop = button("Stop safely", does, self.acted, "stop")
        self.stop.setProperty("tone", "red")
        self._waiting = QLabel("waiting for the signal")
        self._waiting.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._waiting.setProperty("role", "dim")
        self._traces: QWidget = self._waiting
        self._head: QWidget = QWidget()
        self._narrow = False
        self.columns = self._make_columns()
        self.keys = KeysPage([(each.label, each.what) for each in KEYS])
        self.keys.setParent(self)
        self.keys.hide()
        self.bar.acted.connect(self.acted)
        self._arrange()

    def put_signal(self, traces: Traces, head: HeadMap) -> None:
        """Replace the trace and head widgets by those of a new stream."""
        for old, new in ((self._traces, traces), (self._head, head)):
            parent = old.parentWidget()
            rows = parent.layout() if parent is not None else None
            assert isinstance(rows, QVBoxLayout)
            rows.insertWidget(rows.indexOf(old), new, 1)
            rows.removeWidget(old)
            old.deleteLater()
        self._traces, self._head = traces, head

    def put_plot(self, plot: ProbabilityPlot) -> None:
        """Insert the probability plot; called once."""
        self._right.rows.insertWidget(1, plot, 1)

    def show_state(self, paused: bool, ended: bool, log: Iterable[tuple[str, str]]) -> None:
        """Update the buttons and the last lines of the log."""
        self.pause.setText("Resume decisions" if paused else "Pause decisions")
        self.pause.setEnabled(not ended)
        self.stop.setEnabled(not ended)
        lines = [text for _, text in log]
        metrics, room = self.log.fontMetrics(), self.log.width() - MARGIN
        fitting = [metrics.elidedText(each, Qt.TextElideMode.ElideRight, room) for each in lines]
        shown = "\n".join([*fitting, *[""] * LOG_LINES][:LOG_LINES])
        if shown != self.log.text():
            self.log.setText(shown)
            self.log.setAccessibleName("last events: " + "; ".join(lines))

    def toggle_keys(self) -> None:
        """Show or hide the page of keys."""
        if self.keys.isVisible():
            self.keys.hide()
            return
        self._place_keys()
        self.keys.show()
        self.keys.raise_()

    def recolour(self, theme: Theme, drawn: Iterable[QWidget | None]) -> None:
        """Apply a theme to widgets that do not read the style sheet."""
        own = (self.bands, self.header, self.lamps, self.banner, self.card, self.losses,
               self.status, self.keys)  # fmt: skip
        for widget in (*own, *drawn):
            take = getattr(widget, "set_theme", None)
            if take is not None:
                take(theme)
        self.log.setFixedHeight(self.log.fontMetrics().lineSpacing() * LOG_LINES + 2)
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Refit the columns and keep the page of keys over the whole window."""
        super().resizeEvent(event)
        self._fit()
        self._place_keys()

    def _fit(self) -> None:
        """Use two columns and hide the log if the text is large for the window."""
        narrow = self.width() < NARROW * self.fontMetrics().height()
        if narrow == self._narrow:
            return
        self._narrow = narrow
        for widget, share in ((self._head, 1), (self.losses, 0)):
            (self._right if narrow else self._left).rows.addWidget(widget, share)
        if narrow:
            self._right.rows.addWidget(self.status)
        else:
            self._rows.addWidget(self.status)
        self._left.setVisible(not narrow)
        self.log.setVisible(not narrow)
        self.share_width(self.width())

    def _place_keys(self) -> None:
        self.keys.setGeometry(self.rect())

    def _make_columns(self) -> QSplitter:
        columns = QSplitter(Qt.Orientation.Horizontal)
        columns.setChildrenCollapsible(False)
        columns.setHandleWidth(HANDLE)
        self._left, self._right = ScrollColumn(0, MARGIN, MARGIN), ScrollColumn(MARGIN, 0, MARGIN)
        centre = QWidget()
        rows = QVBoxLayout(centre)
        rows.setContentsMargins(MARGIN, 0, MARGIN, 0)
        rows.setSpacing(MARGIN)
        rows.addWidget(self.bar)
        rows.addWidget(self._traces, 1)
        for number, column in enumerate((self._left, centre, self._right)):
            columns.addWidget(column)
            columns.setStretchFactor(number, int(number == 1))
        self._left.rows.addWidget(self._head, 1)
        self._left.rows.addWidget(self.losses)
        self._right.rows.addWidget(self.card)
        self._right.rows.addWidget(self.bands)
        return columns

    def share_width(self, width: int) -> None:
        """Restore the default widths of the columns."""
        shares = NARROW_SHARES if self._narrow else SHARES
        self.columns.setSizes([round(share * width) for share in shares])

    def _arrange(self) -> None:
        top = QHBoxLayout()
        top.addWidget(self.header, 1)
        top.addWidget(self.pause)
        top.addWidget(self.stop)
        foot = QHBoxLayout()
        foot.addWidget(self.lamps)
        foot.addWidget(self.log, 1)
        rows = self._rows = QVBoxLayout(self)
        rows.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        rows.setSpacing(MARGIN)
        rows.addLayout(top)
        rows.addWidget(self.banner)
        rows.addWidget(self.columns, 1)
        rows.addWidget(self.note)
        rows.addLayout(foot)
        rows.addWidget(self.status)
        self.banner.clear()

    def _make_note(self) -> QLineEdit:
        note = QLineEdit()
        note.setPlaceholderText(
            "Note: Enter saves it with the time at which N was pressed; Esc discards it"
        )
        note.setAccessibleName("note")
        note.setMaxLength(500)
        note.hide()
        return note

    def _make_log(self) -> QLabel:
        log = QLabel()
        log.setProperty("role", "caption")
        log.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        log.setFrameShape(QFrame.Shape.NoFrame)
        log.setMinimumWidth(40)
        log.setTextFormat(Qt.TextFormat.PlainText)
        return log
