"""Labels, buttons, signs and cells of the windows, and number formats.

Unknown values are a dash, never a zero. Texts are set only when they change: setting the same text
thirty times a second costs a layout each time.
"""

from PySide6.QtCore import QPointF, QSize, Qt, SignalInstance
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from gui.widgets.paint import painting, shape

DASH = "-"


def label(role: str = "", text: str = "", side: str = "left") -> QLabel:
    """Label with one of the roles of the style sheet."""
    new = QLabel(text)
    new.setTextFormat(Qt.TextFormat.PlainText)
    if role:
        new.setProperty("role", role)
    if side == "right":
        new.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    return new


def button(text: str, what: str, acted: SignalInstance, action: str) -> QPushButton:
    """Button that emits ``acted`` with ``action``; ``what`` is its tool tip."""
    new = QPushButton(text)
    new.setAccessibleName(what)
    new.setToolTip(what)
    new.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    new.clicked.connect(lambda: acted.emit(action))
    return new


def put(where: QLabel, text: str) -> None:
    """Set the text if it differs."""
    if where.text() != text:
        where.setText(text)


def grade(where: QLabel, role: str) -> None:
    """Set the style sheet role of a label."""
    if where.property("role") != role:
        where.setProperty("role", role)
        where.style().unpolish(where)
        where.style().polish(where)


def tone(where: QLabel, name: str) -> None:
    """Set the colour of a label by the style sheet: "", "dim", "good", "amber" or "red"."""
    if (where.property("tone") or "") != name:
        where.setProperty("tone", name)
        where.style().unpolish(where)
        where.style().polish(where)


def hours(seconds: float | None) -> str:
    """Seconds as ``hh:mm:ss``."""
    if seconds is None:
        return DASH
    whole = max(0, int(seconds))
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def grouped(count: int | None) -> str:
    """Count with narrow spaces between thousands."""
    return DASH if count is None else f"{count:,}".replace(",", "\u202f")


class Sign(QWidget):
    """One coloured shape, as large as a letter."""

    def __init__(self, kind: str, color: str) -> None:
        super().__init__()
        self.kind, self.color = kind, color
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def set(self, kind: str, color: str) -> None:
        """Set shape and colour."""
        if (kind, color) != (self.kind, self.color):
            self.kind, self.color = kind, color
            self.update()

    def sizeHint(self) -> QSize:
        """Preferred size: a square as high as a line of text."""
        side = self.fontMetrics().height()
        return QSize(side, side)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the shape."""
        with painting(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            side = min(self.width(), self.height())
            middle = QPointF(self.width() / 2, self.height() / 2)
            shape(painter, self.kind, middle, side * 0.32, self.color, max(1.6, side / 9))


class Cell(QWidget):
    """Caption above a value."""

    def __init__(self, caption: str, role: str = "value") -> None:
        super().__init__()
        self.caption, self.value = label("caption", caption), label(role, DASH)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.caption)
        column.addWidget(self.value)

    def put(self, text: str) -> None:
        """Set the value."""
        put(self.value, text)
        self.setAccessibleName(f"{self.caption.text()}: {text}")


def digits(value: float | None) -> str:
    """Whole number, or a dash."""
    return DASH if value is None else f"{value:.0f}"


def milliseconds(value: float | None) -> str:
    """Milliseconds with one decimal below ten, or a dash."""
    return DASH if value is None else f"{value:.{1 if value < 10 else 0}f}"


def age(seconds: float) -> str:
    """Age in milliseconds below one second, otherwise in seconds."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
