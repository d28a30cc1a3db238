"""A column that scrolls where it is too low, and is never narrower than what stands in it."""

from PySide6.QtCore import QEvent, QObject, QSize, Qt
from PySide6.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget


class ScrollColumn(QScrollArea):
    """Widgets one below the other, in ``rows``."""

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
        """What stands here has another size now."""
        if event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return super().eventFilter(target, event)

    def minimumSizeHint(self) -> QSize:
        """As wide as its widest widget, with room for the scroll bar where there is one."""
        need = self._page.minimumSizeHint()
        bar = self.verticalScrollBar()
        is_low = need.height() > self.height()
        return QSize(need.width() + (bar.sizeHint().width() if is_low else 0), 60)

    def sizeHint(self) -> QSize:
        """What its widgets would like."""
        return self._page.sizeHint().expandedTo(self.minimumSizeHint())
