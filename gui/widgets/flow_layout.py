"""Layout that wraps widgets into rows like words in a paragraph."""

from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtWidgets import QLayout, QLayoutItem, QWidget


class FlowLayout(QLayout):
    """Rows of widgets; ``space`` and ``line`` are pixels between widgets and between rows."""

    def __init__(self, parent: QWidget | None = None, space: int = 18, line: int = 4) -> None:
        super().__init__(parent)
        self._items: list[QLayoutItem] = []
        self._space, self._line = space, line
        self.setContentsMargins(0, 0, 0, 0)

    def addItem(self, item: QLayoutItem) -> None:
        """Add an item; called by Qt."""
        self._items.append(item)

    def count(self) -> int:
        """Number of items."""
        return len(self._items)

    def itemAt(self, index: int) -> QLayoutItem | None:  # type: ignore[override]
        """The widget at ``index``, or None."""
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int) -> QLayoutItem | None:  # type: ignore[override]
        """Remove the widget at ``index``."""
        return self._items.pop(index) if 0 <= index < len(self._items) else None

    def expandingDirections(self) -> Qt.Orientation:
        """No expanding direction."""
        return Qt.Orientation(0)

    def hasHeightForWidth(self) -> bool:
        """True: the height depends on the width."""
        return True

    def heightForWidth(self, width: int) -> int:
        """Height of all rows at this width."""
        return self._place(QRect(0, 0, width, 0), move=False)

    def setGeometry(self, rect: QRect) -> None:
        """Place all widgets within ``rect``."""
        super().setGeometry(rect)
        self._place(rect, move=True)

    def sizeHint(self) -> QSize:
        """Size of all widgets in one row."""
        hints = [item.sizeHint() for item in self._items if not item.isEmpty()]
        width = sum(hint.width() for hint in hints) + self._space * max(0, len(hints) - 1)
        return self._with_margins(QSize(width, max((hint.height() for hint in hints), default=0)))

    def minimumSize(self) -> QSize:
        """Size with one widget per row."""
        sizes = [item.minimumSize() for item in self._items if not item.isEmpty()]
        width = max((size.width() for size in sizes), default=0)
        return self._with_margins(QSize(width, max((s.height() for s in sizes), default=0)))

    def _with_margins(self, size: QSize) -> QSize:
        margins = self.contentsMargins()
        return size + QSize(margins.left() + margins.right(), margins.top() + margins.bottom())

    def _place(self, rect: QRect, move: bool) -> int:
        inner = rect.marginsRemoved(self.contentsMargins())
        x, y, high = inner.left(), inner.top(), 0
        row: list[tuple[QLayoutItem, int, QSize]] = []

        def close() -> None:
            for item, left, size in row if move else ():
                size.setHeight(min(size.height(), high))
                at = QPoint(left, y + (high - size.height()) // 2)
                item.setGeometry(QRect(at, size))

        for item in self._items:
            if item.isEmpty():
                continue
            size = item.sizeHint()
            size.setWidth(min(size.width(), max(inner.width(), item.minimumSize().width())))
            if row and x + size.width() > inner.right() + 1:
                close()
                x, y, high, row = inner.left(), y + high + self._line, 0, []
            row.append((item, x, size))
            x, high = x + size.width() + self._space, max(high, size.height())
        close()
        margins = self.contentsMargins()
        return y + high - rect.top() + margins.bottom()
