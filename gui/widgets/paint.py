"""Drawing helpers: scaled fonts, text in a box, and the shapes that show states."""

from collections.abc import Iterator
from contextlib import contextmanager

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontMetrics,
    QImage,
    QPaintDevice,
    QPainter,
    QPen,
    QPolygonF,
)

SIDES = {
    "left": Qt.AlignmentFlag.AlignLeft,
    "right": Qt.AlignmentFlag.AlignRight,
    "centre": Qt.AlignmentFlag.AlignHCenter,
}
CLASS_SHAPES = ("circle", "square", "triangle", "diamond", "cross", "ring", "down")


@contextmanager
def painting(device: QPaintDevice) -> Iterator[QPainter]:
    """Painter that is always ended: Qt crashes if an exception leaves one open."""
    painter = QPainter(device)
    try:
        yield painter
    finally:
        painter.end()


def sized(font: QFont, times: float, bold: bool = False) -> QFont:
    """Copy of ``font`` in another size, at least 9 px."""
    other = QFont(font)
    size = font.pixelSize() if font.pixelSize() > 0 else QFontMetrics(font).height() * 0.84
    other.setPixelSize(max(9, round(size * times)))
    if bold:
        other.setWeight(QFont.Weight.DemiBold)
    return other


def write(painter: QPainter, box: QRectF, text: str, color: str, side: str = "left") -> None:
    """Draw one line of text in ``box``, elided if it is too long."""
    text = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, int(box.width()) + 1)
    painter.setPen(QColor(color))
    painter.drawText(box, SIDES[side] | Qt.AlignmentFlag.AlignVCenter, text)


def shape(painter: QPainter, kind: str, at: QPointF, r: float, color: str, width: float) -> None:
    """Draw a shape of radius ``r`` with outline ``width``; needs antialiasing."""
    ink, x, y = QColor(color), at.x(), at.y()
    outline = QPen(ink, width)
    outline.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
    painter.setPen(outline)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    inner = r - width / 2
    if kind == "ring":
        painter.drawEllipse(at, inner, inner)
        return
    if kind == "cross":
        d = r * 0.78
        painter.setPen(QPen(ink, width * 1.25))
        painter.drawLine(QPointF(x - d, y - d), QPointF(x + d, y + d))
        painter.drawLine(QPointF(x - d, y + d), QPointF(x + d, y - d))
        return
    if kind == "dash":
        painter.drawLine(QPointF(x - r * 0.8, y), QPointF(x + r * 0.8, y))
        return
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(ink)
    if kind == "circle":
        painter.drawEllipse(at, r, r)
    elif kind == "square":
        painter.drawRect(QRectF(x - r * 0.86, y - r * 0.86, r * 1.72, r * 1.72))
    elif kind == "half":
        painter.drawPie(QRectF(x - r, y - r, 2 * r, 2 * r), 90 * 16, 180 * 16)
        painter.setPen(outline)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawEllipse(at, inner, inner)
    else:
        corners = {
            "triangle": ((0, -1.1), (1.05, 0.8), (-1.05, 0.8)),
            "down": ((0, 1.1), (1.05, -0.8), (-1.05, -0.8)),
            "diamond": ((0, -1.15), (1.15, 0), (0, 1.15), (-1.15, 0)),
        }[kind]
        painter.drawPolygon(QPolygonF([QPointF(x + r * dx, y + r * dy) for dx, dy in corners]))


def crisp(at: float) -> float:
    """Nearest pixel centre, at which a thin line stays sharp."""
    return round(at - 0.5) + 0.5


def stamp(kind: str, r: float, color: str, width: float, ratio: float) -> QImage:
    """Image of a shape, for repeated drawing."""
    side = round((2.6 * r + 2) * ratio)
    image = QImage(side, side, QImage.Format.Format_ARGB32_Premultiplied)
    image.setDevicePixelRatio(ratio)
    image.fill(Qt.GlobalColor.transparent)
    with painting(image) as painter:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle = side / ratio / 2
        shape(painter, kind, QPointF(middle, middle), r, color, width)
    return image
