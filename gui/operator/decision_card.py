"""Card with the last decision in large type: class, confidence and flags."""

from collections.abc import Sequence

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from gui.widgets.labels import DASH, grade, label, put, tone
from gui.widgets.paint import painting
from gui.widgets.palette import DARK, Theme, mix

SHORT = 12  # letters that fit in the largest type


class Meter(QWidget):
    """Horizontal bar from 0 to 1."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.theme, self.share = theme, None
        self.share: float | None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        """Preferred size: half a line high."""
        return QSize(120, max(8, self.fontMetrics().height() // 2))

    def set(self, share: float | None, theme: Theme) -> None:
        """Set the length of the bar and its theme."""
        if (share, theme) != (self.share, self.theme):
            self.share, self.theme = share, theme
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the bar and its background."""
        with painting(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            box = QRectF(0, 1, self.width(), self.height() - 2)
            round_ = box.height() / 2
            painter.setBrush(QColor(mix(self.theme.panel, self.theme.text, 0.12)))
            painter.drawRoundedRect(box, round_, round_)
            if self.share is not None:
                box.setWidth(max(box.height(), box.width() * min(1.0, max(0.0, self.share))))
                painter.setBrush(QColor(self.theme.accent))
                painter.drawRoundedRect(box, round_, round_)


class DecisionCard(QWidget):
    """The last decision, its confidence, and the flags raised against it."""

    def __init__(self, theme: Theme = DARK, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.theme = theme
        self._label, self._share = label("huge", DASH), label("large", DASH, "right")
        self._meter = Meter(theme)
        self._note, self._flags = label("value"), label("caption")
        self._label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        for text in (self._note, self._flags):
            text.setWordWrap(True)
        top = QHBoxLayout()
        top.addWidget(self._label, 1)
        top.addWidget(self._share, 0, Qt.AlignmentFlag.AlignBottom)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(top)
        column.addWidget(self._meter)
        self._below = QVBoxLayout()  # room for both, so that nothing below jumps
        self._below.setSpacing(0)
        self._below.addWidget(self._note)
        self._below.addWidget(self._flags)
        self._below.addStretch(1)
        column.addLayout(self._below)
        self._note.setVisible(False)
        self.setAccessibleName("Last decision")

    def set_values(
        self,
        label: str | None = None,
        confidence: float | None = None,
        note: str = "",
        flags: Sequence[str] = (),
    ) -> None:
        """Show ``label`` with its ``confidence`` (0 to 1), or a ``note`` explaining its absence."""
        unsure = label is None or bool(note)
        put(self._label, label if label is not None else note or "no decision")
        self._label.setToolTip(self._label.text())
        grade(self._label, "huge" if len(self._label.text()) <= SHORT else "large")
        self._share.setVisible(label is not None or confidence is not None or not note)
        tone(self._label, "dim" if unsure else "")
        put(self._share, DASH if confidence is None else f"{confidence * 100:.0f} %")
        tone(self._share, "dim" if unsure else "")
        self._meter.set(confidence, self.theme)
        below = note if label is not None else ""
        put(self._note, f"▲ {below}" if below else "")
        self._note.setVisible(bool(below))
        tone(self._note, "amber")
        put(self._flags, ", ".join(flags))
        parts = (self._label.text(), self._share.text(), below, self._flags.text())
        self.setAccessibleDescription(", ".join(part for part in parts if part))

    def set_theme(self, theme: Theme) -> None:
        """Draw in the colours of ``theme``."""
        self.theme = theme
        self._meter.set(self._meter.share, theme)
