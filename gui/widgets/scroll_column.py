"""Column that scrolls vertically and is at least as wide as its content."""

from PySide6.QtCore import QEvent, QObject, QSize, Qt
from PySide6.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget


class ScrollColumn(QScrollArea):
    """Vertical stack of widgets, added to ``rows``."""

    def __init__(self, left: int, right: int, space: int) -> None:
        super().__init__()
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        page = self._page = QWidget()
        self.rows = QVBoxLayout(page)
        self.rows.setContentsMargins(left, 0, right, 0)
        self.rows.setSpacing(space)
        page.installEventFilter(self)
        self.setWidget(page)

    def eventFilter(self, target: QObject, event: QEvent) -> bool:
        """Update the geometry if the content was resized."""
        if event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return super().eventFilter(target, event)

    def minimumSizeHint(self) -> QSize:
        """Width of the widest widget plus the scroll bar if shown."""
        need = self._page.minimumSizeHint()
        bar = self.verticalScrollBar()
        is_low = need.height() > self.height()
        return QSize(need.width() + (bar.sizeHint().width() if is_low else 0), 60)

    def sizeHint(self) -> QSize:
        """Preferred size of the content."""
        return self._page.sizeHint().expandedTo(self.minimumSizeHint())
