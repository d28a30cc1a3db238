"""Head map seen from above: the shape of each electrode's sign shows its signal quality."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, hypot

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFontMetrics,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from gui.widgets.head_places import closest, nearest, place, towards
from gui.widgets.paint import painting, shape, sized, write
from gui.widgets.palette import Theme, hairline

SIGNS = {
    "good": "circle",
    "doubtful": "ring",
    "flat": "cross",
    "railed": "square",
    "unknown": "dash",
}
WORDS = {"flat": "flat", "unknown": "not known yet"}
REACH = 1.12  # head radii always in view, including the nose
BIGGEST = 0.42  # radius of a sign in lines of text; shrinks until neighbours do not touch
SMALLEST = 2.8  # px
GRASP = 14  # px around a sign within which a click selects it
HINT = "click an electrode to show its trace"


@dataclass(frozen=True)
class Electrode:
    """Quality of one electrode."""

    name: str
    state: str = "unknown"  # "good", "doubtful", "flat", "railed", "unknown"
    value: float | None = None  # uV rms
    hint: str = ""  # why, in a few words

    def sentence(self) -> str:
        """Name, state, value and reason in one sentence."""
        value = "-" if self.value is None else f"{self.value:.1f} µV rms"
        words = f"{self.name}: {WORDS.get(self.state, self.state)}, {value}"
        return f"{words}, {self.hint}" if self.hint else words


class HeadMap(QWidget):
    """Quality map of the electrodes ``names``; arrow keys move, Enter or a click selects."""

    picked = Signal(str)

    def __init__(self, names: Sequence[str], theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.theme = theme
        self._places = {name: at for name in names if (at := place(name)) is not None}
        self._unplaced = [name for name in names if name not in self._places]
        self._electrodes = {name: Electrode(name) for name in names}
        self.selected: str | None = None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self._drawn: tuple[object, HeadGeometry] | None = None
        self._say()

    def show_quality(self, electrodes: Sequence[Electrode]) -> None:
        """Update electrodes; those not in the map are ignored."""
        new = {e.name: e for e in electrodes if e.name in self._electrodes}
        if any(self._electrodes[name] != e for name, e in new.items()):
            self._electrodes |= new
            self._say()
            self.update()

    def select(self, name: str | None) -> None:
        """Mark an electrode without emitting ``picked``."""
        if name != self.selected and (name is None or name in self._electrodes):
            self.selected = name
            self._say()
            self.update()

    def set_theme(self, theme: Theme) -> None:
        """Draw in the colours of ``theme``."""
        self.theme = theme
        self.update()

    def counts(self) -> Mapping[str, int]:
        """Number of electrodes in each state."""
        states = [e.state for e in self._electrodes.values()]
        return {state: states.count(state) for state in SIGNS if state in states}

    def summary(self) -> str:
        """Counts of all states in one line."""
        return ", ".join(f"{n} {WORDS.get(state, state)}" for state, n in self.counts().items())

    def sizeHint(self) -> QSize:
        """Preferred size."""
        return QSize(round(18 * self._line()), round(22 * self._line()))

    def minimumSizeHint(self) -> QSize:
        """Minimum size at which signs remain distinguishable."""
        return QSize(round(10 * self._line()), round(13 * self._line()))

    def _say(self) -> None:
        self.setAccessibleName("Electrode quality")
        chosen = self._electrodes.get(self.selected or "")
        self.setAccessibleDescription(
            self.summary() + (f"; selected {chosen.sentence()}" if chosen else "")
        )

    # geometry

    def _line(self) -> float:
        return float(self.fontMetrics().height())

    def _layout(self) -> "HeadGeometry":
        """Geometry at the present size."""
        key = self.width(), self.height(), self.font(), tuple(self.counts().items())
        if self._drawn is None or self._drawn[0] != key:
            self._drawn = key, self._place_all()
        return self._drawn[1]

    def _place_all(self) -> "HeadGeometry":
        line = self._line()
        legend = self._legend(line)
        step = self._step(line)
        across = max(1, int((self.width() - 8) // step))
        rows = ceil(len(self._unplaced) / across)
        below = (len(legend) + 1) * line * 1.15 + rows * line * 1.5
        high = self.height() - below - 4
        reach = max([REACH, *(hypot(*at) + 0.06 for at in self._places.values())])
        radius = max(10.0, min(self.width() / 2 - 6, high / 2 - 2) / reach)
        x, y = self.width() / 2, 2 + high / 2
        signs = {n: (x + a * radius, y - b * radius) for n, (a, b) in self._places.items()}
        near = closest(list(signs.values()))
        size = max(SMALLEST, min(near * 0.34, BIGGEST * line))
        for at, name in enumerate(self._unplaced):
            left, top = at % across * step, high + 4 + at // across * line * 1.5
            signs[name] = left + 4 + size, top + line * 0.75
        return HeadGeometry(signs, size, near, radius, (x, y), legend)

    def _step(self, line: float) -> float:
        """Column width for electrodes without a position."""
        metrics = QFontMetrics(sized(self.font(), 0.78))
        widest = max((metrics.horizontalAdvance(name) for name in self._unplaced), default=0)
        return widest + 2 * BIGGEST * line + 14

    def _legend(self, line: float) -> list[list[tuple[str, str, float]]]:
        """State, text and width of each legend entry, wrapped into rows."""
        metrics = QFontMetrics(sized(self.font(), 0.9))
        rows: list[list[tuple[str, str, float]]] = [[]]
        used = 0.0
        for state, count in self.counts().items():
            text = f"{count} {WORDS.get(state, state)}"
            width = metrics.horizontalAdvance(text) + line * 1.6
            if rows[-1] and used + width > self.width():
                rows.append([])
                used = 0.0
            rows[-1].append((state, text, width))
            used += width
        return rows

    def _nearest(self, at: QPointF) -> str | None:
        layout = self._layout()
        name, far = nearest(layout.signs, (at.x(), at.y()))
        return name if far <= GRASP + layout.size else None

    # hands

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Select the electrode that was clicked."""
        name = self._nearest(event.position())
        if name is not None and event.button() == Qt.MouseButton.LeftButton:
            self.select(name)
            self.picked.emit(name)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move to the neighbour with arrow keys; select with Enter."""
        ways = {
            Qt.Key.Key_Left: (-1, 0),
            Qt.Key.Key_Right: (1, 0),
            Qt.Key.Key_Up: (0, -1),
            Qt.Key.Key_Down: (0, 1),
        }
        key = Qt.Key(event.key())
        if key in ways:
            layout = self._layout()
            start, _ = nearest(layout.signs, layout.middle)
            here = self.selected or start
            if here is not None:
                at = towards(layout.signs, here, ways[key]) if self.selected else here
                self.select(at)
                QToolTip.hideText()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.selected is not None:
            self.picked.emit(self.selected)
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        """Show the state of the electrode under the pointer as a tool tip."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            name = self._nearest(QPointF(event.pos()))
            QToolTip.showText(event.globalPos(), self._electrodes[name].sentence() if name else "")
            return True
        return super().event(event)

    # painting

    def _color(self, state: str) -> str:
        theme = self.theme
        return {
            "good": theme.good,
            "doubtful": theme.doubtful,
            "flat": theme.bad,
            "railed": theme.bad,
        }.get(state, theme.dim)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw head, electrodes and legend."""
        with painting(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            layout = self._layout()
            self._paint_head(painter, layout)
            painter.setFont(sized(self.font(), 0.78))
            metrics = painter.fontMetrics()
            high, step = metrics.height(), self._step(self._line())
            widest = max((metrics.horizontalAdvance(f"{n} 00") for n in self._places), default=0)
            roomy = layout.near > max(widest, high + 2.6 * layout.size)
            for name, (x, y) in layout.signs.items():
                electrode = self._electrodes[name]
                color, at = self._color(electrode.state), QPointF(x, y)
                pen = max(1.3, layout.size / 3.2)
                shape(painter, SIGNS.get(electrode.state, "dash"), at, layout.size, color, pen)
                if name in self._unplaced:
                    box = QRectF(x + layout.size + 3, y - high / 2, step, high)
                    write(painter, box, name, self.theme.dim)
                elif roomy:
                    text = name if electrode.value is None else f"{name} {electrode.value:.0f}"
                    wide = metrics.horizontalAdvance(text) + 4.0
                    left = max(0.0, min(x - wide / 2, self.width() - wide))  # whole at the edge too
                    box = QRectF(left, y + layout.size + 1, wide, high)
                    write(painter, box, text, self.theme.dim, "centre")
                if name == self.selected:
                    painter.setPen(QPen(QColor(self.theme.accent), 2))
                    painter.setBrush(Qt.BrushStyle.NoBrush)
                    painter.drawEllipse(at, layout.size + 4, layout.size + 4)
            self._paint_legend(painter, layout)
            if self.hasFocus():
                painter.setPen(QPen(QColor(self.theme.accent), 1))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)

    def _paint_head(self, painter: QPainter, layout: "HeadGeometry") -> None:
        radius, (x, y) = layout.radius, layout.middle
        painter.setPen(QPen(QColor(hairline(self.theme)), 1.5))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawEllipse(QPointF(x, y), radius, radius)
        nose, top = radius * 0.1, y - radius
        tip = [(-nose, nose * 0.06), (0.0, -nose), (nose, nose * 0.06)]
        painter.drawPolyline([QPointF(x + dx, top + dy) for dx, dy in tip])
        for side in (-1, 1):
            box = QRectF(x + side * radius - nose * 0.45, y - nose * 1.6, nose * 0.9, nose * 3.2)
            painter.drawArc(box, (90 if side < 0 else -90) * 16, 180 * 16)

    def _paint_legend(self, painter: QPainter, layout: "HeadGeometry") -> None:
        """Draw the counts of each state and the selected electrode."""
        line = self._line()
        painter.setFont(sized(self.font(), 0.9))
        y = self.height() - (len(layout.legend) + 0.5) * line * 1.15
        for row in layout.legend:
            x = max(0.0, (self.width() - sum(width for *_, width in row)) / 2)
            for state, text, width in row:
                at = QPointF(x + line * 0.5, y)
                shape(painter, SIGNS[state], at, line * 0.28, self._color(state), 1.6)
                box = QRectF(x + line, y - line / 2, width - line, line)
                write(painter, box, text, self.theme.dim if state == "unknown" else self.theme.text)
                x += width
            y += line * 1.15
        chosen = self._electrodes.get(self.selected or "")
        text = chosen.sentence() if chosen else HINT
        color = self.theme.text if chosen else self.theme.dim
        box = QRectF(4, y - line / 2, self.width() - 8, line)
        write(painter, box, text, color, "centre")


@dataclass(frozen=True)
class HeadGeometry:
    """Positions and sizes of everything drawn."""

    signs: dict[str, tuple[float, float]]  # px
    size: float  # px, radius of a sign
    near: float  # px between the two that are closest
    radius: float  # of the head
    middle: tuple[float, float]
    legend: list[list[tuple[str, str, float]]]
