"""Banner with the most urgent alarm, in one sentence, and a button to act on it."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QSizePolicy, QWidget

from gui.widgets.labels import Sign, label, put
from gui.widgets.palette import DARK, Theme, ink_on, mix

LEVELS = {"info": "circle", "amber": "triangle", "red": "cross"}


class Banner(QFrame):
    """The most urgent alarm in one sentence, with a button to act on it; never a dialog."""

    acted = Signal()

    def __init__(self, theme: Theme = DARK, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.theme, self.level = theme, ""
        self._sign = Sign("circle", theme.info)
        self._text = label("value")
        self._text.setWordWrap(True)
        self._text.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.action = QPushButton()
        self.action.clicked.connect(self.acted)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 6, 8, 6)
        row.setSpacing(10)
        row.addWidget(self._sign)
        row.addWidget(self._text, 1)
        row.addWidget(self.action)
        self.setObjectName("banner")
        self.setVisible(False)

    @property
    def text(self) -> str:
        """Sentence on screen, or "" if there is no alarm."""
        return self._text.text() if self.level else ""

    def show_alarm(self, level: str, text: str, action_text: str | None = None) -> None:
        """Show an alarm of ``level`` info, amber or red, with a button named ``action_text``."""
        if (level, text, action_text or "") != (self.level, self.text, self.action.text()):
            self.level = level
            put(self._text, text)
            self.action.setText(action_text or "")
            self.action.setVisible(bool(action_text))
            self.action.setAccessibleName(action_text or "")
            self.setAccessibleName(f"Alarm, {level}: {text}")
            self._colour()
        if self.isHidden():
            self.setVisible(True)

    def clear(self) -> None:
        """Hide the banner."""
        self.level = ""
        self.setVisible(False)

    def set_theme(self, theme: Theme) -> None:
        """Draw in the colours of ``theme``."""
        self.theme = theme
        self._colour()

    def _colour(self) -> None:
        """Info is an outline, amber a tint, red is filled: seen from across the room."""
        theme = self.theme
        color = {"amber": theme.amber, "red": theme.red}.get(self.level, theme.info)
        filled = self.level == "red"
        ground = color if filled else mix(theme.panel, color, 0.16 if self.level == "amber" else 0)
        ink = ink_on(color) if filled else theme.text
        self._sign.set(LEVELS.get(self.level, "circle"), ink if filled else color)
        self.setStyleSheet(
            f"QFrame#banner {{ background: {ground}; border: 1px solid {color};"
            f" border-left: 5px solid {color}; border-radius: 5px; }}"
            f"QFrame#banner QLabel {{ color: {ink}; }}"
            f"QFrame#banner QPushButton {{ color: {ink}; background: transparent;"
            f" border-color: {ink if filled else theme.line}; }}"
        )
