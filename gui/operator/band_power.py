"""Power of the classical EEG bands as bars on a logarithmic scale."""

from collections.abc import Mapping
from math import log10

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from gui.widgets.paint import crisp, painting, sized, write
from gui.widgets.palette import Theme, hairline, mix

BANDS = ("delta", "theta", "alpha", "beta", "gamma")  # where nothing is known yet
DECADES = (-1, 3)  # powers of ten of uV2 that the bars span


class BandPower(QWidget):
    """Power of the classical bands as bars, uV2 on a logarithmic scale."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.theme = theme
        self._bands: dict[str, float | None] = {}
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.setAccessibleName("Band power")

    def show_bands(self, bands: Mapping[str, float | None]) -> None:
        """Show the power of each band in uV2; None if unknown."""
        if dict(bands) != self._bands:
            self._bands = dict(bands)
            self.setAccessibleDescription(
                ", ".join(f"{name} {amount(power)}" for name, power in bands.items())
            )
            self.updateGeometry()
            self.update()

    def set_theme(self, theme: Theme) -> None:
        """Draw in the colours of ``theme``."""
        self.theme = theme
        self.update()

    def sizeHint(self) -> QSize:
        """Preferred size: one line per band."""
        line = self.fontMetrics().height()
        return QSize(18 * line, round((len(self._bands) or 5) * line * 1.4 + line * 1.2))

    def minimumSizeHint(self) -> QSize:
        """Minimum size: one tight line per band."""
        line = self.fontMetrics().height()
        return QSize(11 * line, round((len(self._bands) or 5) * line * 1.05 + line * 1.1))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw one bar per band and grid lines at the decades."""
        with painting(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setFont(sized(self.font(), 0.9))
            metrics = painter.fontMetrics()
            line = metrics.height()
            bands = self._bands or dict.fromkeys(BANDS)
            left = max(metrics.horizontalAdvance(name) for name in bands) + 10
            numbers = (*bands.values(), 888.8)  # a power that comes and goes moves nothing
            right = max(metrics.horizontalAdvance(amount(power)) for power in numbers) + 8
            step = min(line * 1.6, (self.height() - line * 1.1) / len(bands))
            room = QRectF(left, 0, max(10.0, self.width() - left - right), step * len(bands))
            self._paint_scale(painter, room, line)
            painter.setFont(sized(self.font(), 0.9))
            for at, (name, power) in enumerate(bands.items()):
                y = at * step
                write(painter, QRectF(0, y, left - 8, step), name, self.theme.text)
                color = self.theme.dim if power is None else self.theme.text
                box = QRectF(room.right(), y, right, step)
                write(painter, box, amount(power), color, "right")
                if power is not None and power > 0:
                    thick = min(step * 0.46, line * 0.62)
                    long = room.width() * min(1.0, max(0.01, height_of(power)))
                    painter.setPen(Qt.PenStyle.NoPen)
                    painter.setBrush(QColor(mix(self.theme.panel, self.theme.accent, 0.85)))
                    bar = QRectF(left, y + (step - thick) / 2, long, thick)
                    painter.drawRoundedRect(bar, 2, 2)

    def _paint_scale(self, painter: QPainter, room: QRectF, line: int) -> None:
        """Decades as hairlines, with their numbers below."""
        low, high = DECADES
        painter.setFont(sized(self.font(), 0.78))
        widest = painter.fontMetrics().horizontalAdvance("10000")
        every = 1 if room.width() / (high - low) > widest else 2
        for decade in range(low, high + 1):
            x = crisp(room.left() + room.width() * height_of(10.0**decade))
            painter.setPen(QPen(QColor(hairline(self.theme)), 1))
            painter.drawLine(QPointF(x, 0), QPointF(x, room.height()))
            if (decade - low) % every == 0:
                box = QRectF(x - 30, room.height() + 1, 60, line)
                write(painter, box, f"{10.0**decade:g}", self.theme.dim, "centre")


def height_of(power: float) -> float:
    """Share of the decades that lie below a power, 0 to 1 between their ends."""
    low, high = DECADES
    return (log10(power) - low) / (high - low)


def amount(power: float | None) -> str:
    """Power as it is written: three digits and the unit, or a dash."""
    if power is None:
        return "-"
    if 0 < power < 0.005:
        return "< 0.01 µV²"
    places = 0 if power >= 100 else 1 if power >= 1 else 2
    return f"{power:.{places}f} µV²"
