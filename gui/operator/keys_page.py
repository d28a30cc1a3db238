"""Page that lists all keys; it covers the window while the session continues."""

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from gui.widgets.palette import DARK, Theme

COLUMNS = 2
WIDEST = 60  # lines of text, width of the page


class KeysPage(QFrame):
    """List of keys and their actions; shown and hidden by the window."""

    def __init__(
        self,
        entries: Sequence[tuple[str, str]],
        theme: Theme = DARK,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.entries, self.theme = tuple(entries), theme
        self.setProperty("card", "true")
        self.setAccessibleName("Keys")
        self.setAccessibleDescription("; ".join(f"{key}: {what}" for key, what in entries))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        title, how = QLabel("Keys"), QLabel("? or Esc closes this page; the session continues")
        title.setProperty("role", "large")
        how.setProperty("role", "dim")
        self._page = QWidget()
        grid = QGridLayout()
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(7)
        rows = -(-len(self.entries) // COLUMNS)
        for at, (key, what) in enumerate(self.entries):
            column, row = divmod(at, rows)
            cap, words = QLabel(key), QLabel(what)
            cap.setProperty("role", "key")
            cap.setAlignment(Qt.AlignmentFlag.AlignCenter)
            cap.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
            words.setWordWrap(True)
            grid.addWidget(cap, row, 3 * column, Qt.AlignmentFlag.AlignRight)
            grid.addWidget(words, row, 3 * column + 1)
        for column in range(COLUMNS):
            grid.setColumnStretch(3 * column + 1, 1)
            if column:
                grid.setColumnMinimumWidth(3 * column - 1, 18)
        inside = QVBoxLayout(self._page)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.addWidget(title)
        inside.addWidget(how)
        inside.addSpacing(10)
        inside.addLayout(grid)
        inside.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setAlignment(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop)
        scroll.setWidget(self._page)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(22, 18, 22, 18)
        whole.addWidget(scroll)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Limit the width of the page so that both columns stay readable."""
        super().resizeEvent(event)
        self._page.setMaximumWidth(WIDEST * self.fontMetrics().height())

    def set_theme(self, theme: Theme) -> None:
        """Keep the theme; the style sheet sets all colours."""
        self.theme = theme
