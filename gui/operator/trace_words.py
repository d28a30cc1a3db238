"""Text around the traces: lane names, summary, markers, time and scale."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPen

from gui.widgets.paint import sized, write
from gui.widgets.palette import Theme, mix

SMALL = 0.85  # of the font
NARROW = 14.0  # px, height of a lane below which the bar spans ten
WIDEST = 6  # the names take no more than such a part of the width

Stamped = tuple[tuple[int, str], ...]  # column on screen, text


@dataclass(frozen=True)
class TraceText:
    """All texts of one frame."""

    names: tuple[str, ...]  # of the lanes, from the top
    chosen: str | None  # the one drawn on top
    summary: tuple[str, ...]  # what the picture shows, most important first
    decimation: int
    scale_uv: float
    marks: Stamped
    times: Stamped


def small(font: QFont) -> QFont:
    """Font of the text around the traces."""
    return sized(font, SMALL)


def place(width: int, height: int, font: QFont, channels: Sequence[str]) -> QRect:
    """Rectangle of the raster in a widget of this size."""
    metrics = QFontMetrics(small(font))
    line = metrics.height()
    widest = max((metrics.horizontalAdvance(name) for name in channels), default=0)
    left = min(widest, width // WIDEST) + line
    top, right, below = 2 * line + 10, line + 16, line + 6
    return QRect(left, top, max(1, width - left - right), max(1, height - top - below))


def paint(
    painter: QPainter, plot: QRect, width: int, ratio: float, words: TraceText, theme: Theme
) -> None:
    """Draw all text around ``plot``; ``ratio`` device pixels per logical pixel."""
    _names(painter, plot, words, theme)
    _top(painter, plot, words, theme)
    _marks(painter, plot, ratio, words.marks, theme)
    _times(painter, plot, width, ratio, words.times, theme)
    _scale(painter, plot, words, theme)


def _names(painter: QPainter, plot: QRect, words: TraceText, theme: Theme) -> None:
    """Draw lane names, skipping some if space is short, but never the selected one."""
    lane = plot.height() / len(words.names)
    line = painter.fontMetrics().height()
    every = max(1, ceil(line * 0.82 / lane))
    room = plot.left() - line * 0.5
    chosen = words.names.index(words.chosen) if words.chosen in words.names else None
    for at, name in enumerate(words.names):
        hidden = chosen is not None and at != chosen and abs(at - chosen) * lane < line * 0.82
        if at == chosen or (at % every == 0 and not hidden):
            y = plot.top() + (at + 0.5) * lane
            color = theme.accent if at == chosen else theme.dim
            write(painter, QRectF(0, y - line / 2, room, line), name, color, "right")


def _top(painter: QPainter, plot: QRect, words: TraceText, theme: Theme) -> None:
    metrics = painter.fontMetrics()
    line = metrics.height()
    box = QRectF(plot.left(), 3, plot.width(), line)
    if words.decimation > 1:
        text = f"display {words.decimation}× min/max"
        write(painter, box, text, theme.dim, "right")
        box.setWidth(max(0.0, box.width() - metrics.horizontalAdvance(text) - line))
    parts = list(words.summary)
    if metrics.horizontalAdvance(parts[0]) > box.width():
        parts[0] = parts[0].removeprefix("electrodes ")
    while len(parts) > 1 and metrics.horizontalAdvance(" · ".join(parts)) > box.width():
        parts.pop()
    write(painter, box, " · ".join(parts), theme.dim)


def _marks(painter: QPainter, plot: QRect, ratio: float, marks: Stamped, theme: Theme) -> None:
    """Draw marker labels next to their ticks, cut at the next tick."""
    line = painter.fontMetrics().height()
    y = plot.top() - line - 4
    ends = [*(column / ratio for column, _ in marks[1:]), float(plot.width())]
    for (column, label), end in zip(marks, ends, strict=False):
        x = plot.left() + column / ratio
        painter.fillRect(QRectF(x, y + 1, 1 / ratio, line + 3), QColor(theme.info))
        room = plot.left() + end - x - 6
        if room > line * 0.6:
            write(painter, QRectF(x + 4, y, room, line), label, theme.text)


def _times(
    painter: QPainter, plot: QRect, width: int, ratio: float, times: Stamped, theme: Theme
) -> None:
    """Draw stream times under the grid lines, skipping overlaps."""
    metrics = painter.fontMetrics()
    free = 0.0
    for column, text in sorted(times):
        wide = metrics.horizontalAdvance(text)
        x = plot.left() + column / ratio - wide / 2
        x = max(0.0, min(x, width - wide - 1.0))
        if x >= free:
            box = QRectF(x, plot.bottom() + 4, wide + 1, metrics.height())
            write(painter, box, text, theme.dim)
            free = x + wide + metrics.height() * 0.4


def _scale(painter: QPainter, plot: QRect, words: TraceText, theme: Theme) -> None:
    """Draw a scale bar as high as one lane, or ten if lanes are narrow."""
    line = painter.fontMetrics().height()
    lane = plot.height() / len(words.names)
    lanes = 1 if lane >= NARROW else min(10, len(words.names))
    high, x, low = lane * lanes, plot.right() + 7.0, plot.bottom() + 1.0
    painter.setPen(QPen(QColor(theme.dim), 1.5))
    for a, b in (((0, 0), (0, high)), ((-2.5, 0), (2.5, 0)), ((-2.5, high), (2.5, high))):
        painter.drawLine(QPointF(x + a[0], low - a[1]), QPointF(x + b[0], low - b[1]))
    painter.save()
    painter.translate(x + 5, low)
    painter.rotate(-90)
    box = QRectF(0, 0, max(high, line * 6), line)
    write(painter, box, f"{words.scale_uv * lanes:g} µV", theme.dim)
    painter.restore()


def pill(painter: QPainter, plot: QRect, text: str, theme: Theme) -> None:
    """Draw a remark with a pause sign over the traces."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    metrics = painter.fontMetrics()
    width, height = metrics.horizontalAdvance(text) + 46, metrics.height() + 10
    width = min(width, plot.width() - 16)
    box = QRectF(plot.right() - width - 8, plot.top() + 8, width, height)
    painter.setPen(QPen(QColor(theme.amber), 1))
    painter.setBrush(QColor(mix(theme.background, theme.amber, 0.14)))
    painter.drawRoundedRect(box, height / 2, height / 2)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(theme.amber))
    for bar in (14, 20):
        painter.drawRect(QRectF(box.left() + bar, box.top() + height * 0.3, 3, height * 0.4))
    write(painter, box.adjusted(32, 0, -8, 0), text, theme.text)


def clock(seconds: float) -> str:
    """Stream time as ``m:ss`` or ``h:mm:ss``, with tenths for fractions of a second."""
    whole = int(seconds + 1e-6)
    tenth = round((seconds - whole) * 10)
    text = f"{whole // 60}:{whole % 60:02d}"
    if whole >= 3600:
        text = f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
    return f"{text}.{tenth}" if tenth > 0 else text
