"""Plot of the class probabilities over the last minute."""

from collections import deque
from collections.abc import Mapping, Sequence
from math import ceil

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, QSizeF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from gui.widgets.curves import curves
from gui.widgets.paint import CLASS_SHAPES, crisp, painting, shape, sized, stamp, write
from gui.widgets.palette import Theme, hairline, mix

Array = NDArray[np.float64]

SPAN = 60.0  # seconds of probabilities shown
SILENCE = 10.0  # seconds without a decision after which lines are not joined
MOST_CLASSES = 6  # lines; with more classes, the most probable of the last decision
MANY = 2000  # decisions kept
# Seconds, half a pixel; of decisions closer than this only the newest is kept.
DENSE = 0.1


class ProbabilityPlot(QWidget):
    """Class probabilities over the last minute, with the decision threshold."""

    def __init__(
        self,
        classes: Sequence[str],
        sure: float | None,
        theme: Theme,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.classes, self.sure, self.theme = tuple(classes), sure, theme
        self._now = 0.0
        self._drawn_at = -1e9
        self._dirty = False  # a decision came that was not drawn yet
        self._points: deque[tuple[float, Mapping[str, float] | None]] = deque(maxlen=MANY)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("Class probabilities over the last minute")

    def add(
        self, seconds: float, probabilities: Mapping[str, float] | None, label: str | None = None
    ) -> None:
        """Add a decision at stream time ``seconds``; None if the window was rejected."""
        point = (seconds, dict(probabilities) if probabilities else None)
        self._now = max(self._now, seconds)
        if len(self._points) > 1 and 0 <= seconds - self._points[-2][0] < DENSE:
            self._points[-1] = point
            return  # it is painted with the next one
        self._points.append(point)
        self._dirty = True
        self.setAccessibleDescription(
            ", ".join(f"{name} {share:.0%}" for name, share in self._last().items())
        )
        if self._now == self._drawn_at:  # time stands still: no ``advance`` will show it
            self.update()

    def advance(self, now_seconds: float) -> None:
        """Move the time axis to the newest sample; repaints once it moves by a pixel."""
        stands = now_seconds == self._now
        self._now = now_seconds
        while self._points and self._points[0][0] < now_seconds - SPAN - SILENCE:
            self._points.popleft()
        moved = abs(now_seconds - self._drawn_at) * max(1, self.width()) / SPAN >= 1
        if moved or (stands and self._dirty):
            self.update()

    def set_theme(self, theme: Theme) -> None:
        """Draw in the colours of ``theme``."""
        self.theme = theme
        self.update()

    def set_classes(self, classes: Sequence[str], sure: float | None) -> None:
        """Set the classes and threshold of another decoder."""
        if (tuple(classes), sure) != (self.classes, self.sure):
            self.classes, self.sure = tuple(classes), sure
            self.update()

    def sizeHint(self) -> QSize:
        """Preferred size."""
        line = self.fontMetrics().height()
        return QSize(18 * line, 13 * line)

    def minimumSizeHint(self) -> QSize:
        """Minimum size: names, and a plot of a few lines."""
        line = self.fontMetrics().height()
        return QSize(11 * line, 9 * line)

    def color(self, name: str) -> str:
        """Colour of a class."""
        return self.theme.classes[self.classes.index(name) % len(self.theme.classes)]

    def sign(self, name: str) -> str:
        """Shape of the points of a class."""
        return CLASS_SHAPES[self.classes.index(name) % len(CLASS_SHAPES)]

    def _last(self) -> Mapping[str, float]:
        """Last decision that was not rejected, most probable class first."""
        last = next((p for _, p in reversed(self._points) if p), {})
        known = {name: last[name] for name in self.classes if name in last}
        return dict(sorted(known.items(), key=lambda item: -item[1]))

    def _shown(self) -> list[str]:
        if len(self.classes) <= MOST_CLASSES:
            return list(self.classes)
        return list(self._last())[:MOST_CLASSES]

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw axis, threshold, lines, and the classes with their last probability."""
        with painting(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            self._drawn_at, self._dirty = self._now, False
            painter.setFont(sized(self.font(), 0.85))
            line = painter.fontMetrics().height()
            names = self._shown()
            high = self._paint_names(painter, names, line)
            left = painter.fontMetrics().horizontalAdvance("100 %") + 6
            plot = QRectF(left, high + line / 2, max(10, self.width() - left - 6), 0)
            plot.setHeight(max(10.0, self.height() - plot.top() - line - 4))
            self._paint_axes(painter, plot, line)
            self._paint_rejected(painter, plot, line)
            self._paint_lines(painter, plot, names, line)
            self._paint_threshold(painter, plot, line)

    def _at(self, plot: QRectF, seconds: float, share: float) -> QPointF:
        x = plot.right() - (self._now - seconds) / SPAN * plot.width()
        return QPointF(x, plot.bottom() - share * plot.height())

    def _paint_names(self, painter: QPainter, names: Sequence[str], line: int) -> float:
        """Draw sign, name and last probability of each class; returns the height of the rows."""
        if not self.classes:
            write(painter, QRectF(0, 0, self.width(), line), "no decoder", self.theme.dim)
            return line
        last, metrics = self._last(), painter.fontMetrics()
        number = metrics.horizontalAdvance("100 %")
        x = y = 0.0
        for name in names:
            room = min(metrics.horizontalAdvance(name) + 2.0, self.width() - number - 1.7 * line)
            cell = room + number + 1.7 * line
            if x and x + cell - 0.7 * line > self.width():
                x, y = 0.0, y + line * 1.25
            spot = QPointF(x + line * 0.45, y + line * 0.55)
            shape(painter, self.sign(name), spot, line * 0.27, self.color(name), 1.6)
            write(painter, QRectF(x + line, y, room, line * 1.1), name, self.theme.text)
            share = f"{last[name]:.0%}".replace("%", " %") if name in last else "-"
            box = QRectF(x + line + room, y, number, line * 1.1)
            write(painter, box, share, self.theme.text, "right")
            x += cell
        return y + line * 1.25

    def _paint_axes(self, painter: QPainter, plot: QRectF, line: int) -> None:
        rule, dim = QColor(hairline(self.theme)), self.theme.dim
        lanes = (0.0, 0.5, 1.0) if plot.height() > 3 * line else (0.0, 1.0)
        for share in lanes:
            at = self._at(plot, self._now, share)
            y = crisp(at.y())
            painter.setPen(QPen(rule, 1))
            painter.drawLine(QPointF(plot.left(), y), QPointF(plot.right(), y))
            box = QRectF(0, at.y() - line / 2, plot.left() - 6, line)
            write(painter, box, f"{share * 100:.0f} %", dim, "right")
        for ago, side in ((60, "left"), (30, "centre"), (0, "right")):
            x = plot.right() - ago / SPAN * plot.width()
            text = "now" if ago == 0 else f"-{ago} s"
            start = {"left": x, "centre": x - 40, "right": x - 80}[side]
            write(painter, QRectF(start, plot.bottom() + 3, 80, line), text, dim, side)
        if self.sure is not None:
            y = crisp(self._at(plot, 0, self.sure).y())
            painter.setPen(QPen(QColor(self.theme.amber), 1, Qt.PenStyle.DashLine))
            painter.drawLine(QPointF(plot.left(), y), QPointF(plot.right(), y))

    def _paint_threshold(self, painter: QPainter, plot: QRectF, line: int) -> None:
        """Label of the dashed threshold line, on its own background above the curves."""
        if self.sure is None or plot.height() < 4 * line:
            return
        text = f"no decision below {self.sure * 100:.0f} %"
        width = painter.fontMetrics().horizontalAdvance(text) + 8
        y = self._at(plot, 0, self.sure).y()
        y = y - line - 3 if self.sure < 0.5 else y + 3
        if width < plot.width() * 0.9:
            ground = QColor(self.theme.background)
            ground.setAlpha(205)
            box = QRectF(plot.left() + 3, y, width, line)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(ground)
            painter.drawRoundedRect(box, 3, 3)
            write(painter, box.adjusted(4, 0, 0, 0), text, self.theme.amber)

    def _paint_rejected(self, painter: QPainter, plot: QRectF, line: int) -> None:
        """Draw a small cross at the bottom for each rejected window."""
        for seconds in [at for at, probabilities in self._points if probabilities is None]:
            spot = self._at(plot, seconds, 0) - QPointF(0, line * 0.3)
            if spot.x() >= plot.left():
                shape(painter, "cross", spot, line * 0.2, self.theme.dim, 1.2)

    def _paint_lines(
        self, painter: QPainter, plot: QRectF, names: Sequence[str], line: int
    ) -> None:
        """Draw sparse decisions as joined points and dense ones as a line."""
        if not names or not self._points:
            return
        x, ys = self._columns(plot, names)
        sparse = len(x) * line * 0.3 < plot.width()
        ratio = self.devicePixelRatioF()
        margin = 4.0  # for lines and signs at 0 and 100 %
        box = plot.adjusted(0, -margin, 0, margin)
        size = ceil(box.width() * ratio), ceil(box.height() * ratio)
        tones = [self.color(name) for name in names]
        faint = [mix(self.theme.background, tone, 0.42) if sparse else tone for tone in tones]
        thick = (1.1 if sparse else 1.5) * ratio
        scaled = [(y + margin) * ratio for y in ys]
        pixels = curves(x * ratio, scaled[::-1], faint[::-1], size, thick)
        image = QImage(pixels.data, *size, 4 * size[0], QImage.Format.Format_ARGB32_Premultiplied)
        painter.drawImage(QRectF(box.topLeft(), QSizeF(*size) / ratio), image)
        if sparse:
            for name, y in reversed(list(zip(names, ys, strict=True))):
                sign = stamp(self.sign(name), line * 0.19, self.color(name), 1.3, ratio)
                half = sign.width() / ratio / 2
                for at_x, at_y in zip(x, y, strict=True):
                    if 0 <= at_x <= plot.width() and at_y == at_y:
                        spot = QPointF(plot.left() + at_x - half, plot.top() + at_y - half)
                        painter.drawImage(spot, sign)

    def _columns(self, plot: QRectF, names: Sequence[str]) -> tuple[Array, list[Array]]:
        """Point positions in the plot, in logical pixels; NaN breaks a line."""
        seconds: list[float] = []
        rows: list[Mapping[str, float]] = []
        for at, shares in self._points:
            if seconds and at - seconds[-1] > SILENCE:
                seconds.append((at + seconds[-1]) / 2)
                rows.append({})
            seconds.append(at)
            rows.append(shares or {})
        order = np.argsort(seconds, kind="stable")
        x = plot.width() * (1 - (self._now - np.array(seconds)[order]) / SPAN)
        shares = np.array([[row.get(name, np.nan) for name in names] for row in rows])[order]
        return x, list((plot.height() * (1 - shares)).T)
