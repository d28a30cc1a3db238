"""Sweeping traces of all electrodes with names, markers, gaps and time.

One 30 Hz timer pushes what came and calls ``advance``; only the pixel columns that changed are
drawn and repainted. Everything here belongs to the thread of the window.
"""

from collections.abc import Sequence
from math import ceil
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QImage, QMouseEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from gui.operator.history import History, HistoryGap
from gui.operator.raster import Raster, RasterView, grid_step
from gui.operator.trace_words import Stamped, TraceText, clock, paint, pill, place, small
from gui.widgets.paint import painting, write
from gui.widgets.palette import Theme

SECONDS = (1, 2, 5, 10, 20, 30)  # of one sweep
SCALES = (10, 20, 50, 100, 200, 500, 1000, 2000)  # uV from lane to lane
GROUPS = (16, 32, None)  # lanes; None for all
MOST_LANES = 32  # lanes shown at first
ROOMY = 24.0  # px, lane height from which traces need not overlap
AT_MOST = 60_000  # lanes times columns drawn per frame: 30 ms
# Lanes that a typical channel fills after autoscale: narrow lanes, roomy lanes.
FILLED = (1.5, 0.6)


class Traces(QWidget):
    """Traces of ``channels`` at ``rate`` Hz, in microvolts."""

    picked = Signal(str)  # name of the electrode whose lane was clicked

    def __init__(
        self, channels: Sequence[str], rate: float, theme: Theme, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.channels, self.rate, self.theme = tuple(channels), rate, theme
        self.last_paint_ms = 0.0
        self._live = History(len(self.channels), rate, SECONDS[-1])
        count = min(MOST_LANES, len(self.channels))
        self._raster = Raster(self._live, RasterView(1, 1, count=count), theme)
        self._lanes = count  # of a whole group; the last one may be shorter
        self._frozen = False
        self._strip: tuple[Stamped, ...] = ()  # what is written above and below, as last drawn
        self._placed: tuple[object, QRect] = (None, QRect())
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._say()

    # what is shown

    @property
    def seconds(self) -> float:
        """Length of one sweep."""
        return self._raster.view.seconds

    @property
    def scale_uv(self) -> float:
        """Microvolts from one lane to the next."""
        return self._raster.view.scale_uv

    @property
    def group(self) -> tuple[int, int]:
        """The first channel shown and how many."""
        return self._raster.view.first, self._raster.view.count

    @property
    def selected(self) -> str | None:
        """Name of the channel drawn on top."""
        channel = self._raster.view.selected
        return None if channel is None else self.channels[channel]

    @property
    def decimation(self) -> int:
        """Samples per pixel column, drawn as their minimum to maximum."""
        return max(1, ceil(self._raster.sweep / self._raster.view.width))

    @property
    def columns_drawn(self) -> int:
        """Columns of pixels drawn since the start."""
        return self._raster.columns_drawn

    @property
    def paused(self) -> bool:
        """Whether the traces are frozen."""
        return self._frozen

    def set_seconds(self, seconds: float) -> None:
        """Set the length of one sweep: one of ``SECONDS``."""
        self._look(seconds=float(min(SECONDS, key=lambda known: abs(known - seconds))))

    def set_scale(self, uv: float) -> None:
        """Set the microvolts from one lane to the next."""
        if uv > 0:
            self._look(scale_uv=float(uv))

    def autoscale(self) -> None:
        """Set the smallest of ``SCALES`` in which a typical channel fits its lane."""
        first, count = self.group
        history = self._raster.history
        start = max(history.oldest, history.end - self._raster.sweep)
        x = history.read(start, history.end, slice(first, first + count))
        x = x[:: max(1, len(x) // 2000)]
        x = x[:, np.isfinite(x).any(axis=0)]
        if x.size:
            low, high = np.nanpercentile(x, (1, 99), axis=0)
            swing = float(np.median(high - low))
            filled = FILLED[self._plot().height() / count >= ROOMY]
            fits = [scale for scale in SCALES if scale * filled >= swing]
            self.set_scale(fits[0] if fits else SCALES[-1])

    def set_group(self, first: int, count: int | None) -> None:
        """Show ``count`` channels starting at ``first``; None for all."""
        all_of_them = len(self.channels)
        count = all_of_them if count is None else max(1, min(count, all_of_them))
        self._lanes = count
        first = max(0, min(first, all_of_them - 1)) // count * count
        self._look(first=first, count=min(count, all_of_them - first))

    def select(self, channel: str | None) -> None:
        """Draw a channel on top of the others and show its group."""
        if channel is None or channel not in self.channels:
            self._look(selected=None)
            return
        at = self.channels.index(channel)
        first, count = self.group
        self._look(selected=at)
        if not first <= at < first + count:
            self.set_group(at, self._lanes)

    def set_highpass(self, hz: float | None) -> None:
        """Remove drift below ``hz`` from the display only; None shows the raw signal."""
        for history in (self._live, self._raster.history):
            history.highpass = hz
        self._look()

    def set_theme(self, theme: Theme) -> None:
        """Draw in the colours of ``theme``."""
        self.theme = self._raster.theme = theme
        self._look()

    def set_paused(self, paused: bool) -> None:
        """Freeze the display only; signal received meanwhile is drawn afterwards."""
        if paused != self._frozen:
            self._frozen = paused
            # a copy, so that a frozen picture can still be zoomed after half a minute
            self._raster.history = self._live.copy() if paused else self._live
            self._look()

    def clear(self) -> None:
        """Discard the signal before another one starts."""
        highpass = self._live.highpass
        self._live = History(len(self.channels), self.rate, SECONDS[-1])
        self._live.highpass = highpass
        if not self._frozen:
            self._raster.history = self._live
            self._look()

    # what comes in

    def push(self, index: int, x: NDArray[np.float32]) -> None:
        """Samples ``x`` (times, channels) in microvolts; ``x[0]`` has absolute index ``index``."""
        self._live.push(index, x)

    def gap(self, index: int, missing: int, reason: str) -> None:
        """Record ``missing`` lost samples from ``index`` on; 0 for a restarted stream."""
        self._live.hole(HistoryGap(index, missing, reason))
        if not self._frozen:
            self._raster.touch(index, missing)

    def marker(self, index: int, label: str) -> None:
        """Record a marker at sample ``index``, before or after the sample itself."""
        self._live.mark(index, label)
        if not self._frozen:
            self._raster.touch(index)

    def advance(self) -> None:
        """Draw new samples; called by the window's timer."""
        if not self.isVisible() or (self._frozen and not self._raster.unfinished):
            return
        began = perf_counter()
        plot, ratio = self._plot(), self.devicePixelRatioF()
        for start, stop in self._raster.draw(self._at_most()):
            left, right = int(start / ratio), ceil(stop / ratio)
            self.update(QRect(plot.left() + left, plot.top(), right - left, plot.height()))
        strip = self._marks_on_screen(), self._times_on_screen()
        if strip != self._strip:
            self._strip = strip
            self.update(0, 0, self.width(), plot.top())
            below = plot.bottom() + 1
            self.update(0, below, self.width(), self.height() - below)
        self.last_paint_ms = (perf_counter() - began) * 1000

    # geometry

    def sizeHint(self) -> QSize:
        """Preferred size."""
        return QSize(900, 560)

    def minimumSizeHint(self) -> QSize:
        """Minimum size: names, texts and a few lanes."""
        line = self.fontMetrics().height()
        return QSize(14 * line, 9 * line)

    def _plot(self) -> QRect:
        """Rectangle of the raster in widget coordinates."""
        key = self.width(), self.height(), self.font()
        if key != self._placed[0]:
            self._placed = key, place(self.width(), self.height(), self.font(), self.channels)
        return self._placed[1]

    def _at_most(self) -> int:
        """Columns to draw per frame, so that a new scale does not block the window."""
        return max(1, AT_MOST // self.group[1])

    def _look(self, **changes: object) -> None:
        plot, ratio = self._plot(), self.devicePixelRatioF()
        width, height = ceil(plot.width() * ratio), ceil(plot.height() * ratio)
        count = changes.get("count", self._raster.view.count)
        assert isinstance(count, int)
        thickness = (1.5 if plot.height() / count > ROOMY else 1.1) * ratio
        self._raster.look(width=width, height=height, thickness=thickness, **changes)
        self._raster.draw(self._at_most())
        self._strip = ()
        self._say()
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Match the raster to the size of the plot."""
        self._look()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Select the lane that was clicked."""
        plot = self._plot()
        lane = int((event.position().y() - plot.top()) * self.group[1] / plot.height())
        if event.button() == Qt.MouseButton.LeftButton and 0 <= lane < self.group[1]:
            self.picked.emit(self.channels[self.group[0] + lane])

    # words

    def _parts(self) -> list[str]:
        """Summary of the picture, most important part first."""
        first, count = self.group
        total = len(self.channels)
        which = f"all {total}" if count == total else f"{first + 1} to {first + count} of {total}"
        parts = [which, f"{self.seconds:g} s", f"{self.scale_uv:g} µV per lane"]
        if self._live.highpass is not None:
            parts.append(f"drift below {self._live.highpass:g} Hz not drawn")
        return parts

    def summary(self) -> str:
        """Description of the picture in words."""
        return "electrodes " + " · ".join(self._parts())

    def _say(self) -> None:
        self.setAccessibleName("EEG traces")
        self.setAccessibleDescription(self.summary())

    def _marks_on_screen(self) -> Stamped:
        """Column on screen and label of each marker that is seen now."""
        raster = self._raster
        seen = [(raster.column(index), label) for index, label in raster.history.marks]
        width = raster.view.width
        return tuple(sorted((c % width, label) for c, label in seen if raster.visible(c)))

    def _times_on_screen(self) -> Stamped:
        """Column on screen and stream time of each line of the grid."""
        raster = self._raster
        if not raster.history.started:
            return ()
        step = grid_step(self.seconds)
        first = int((raster.history.end - raster.sweep) / self.rate / step) - 1
        lines = range(first, int((raster.history.end - 1) / self.rate / step) + 1)
        columns = [(raster.column(round(n * step * self.rate)), n * step) for n in lines]
        width = raster.view.width
        return tuple((c % width, clock(at)) for c, at in columns if raster.visible(c) and at >= 0)

    # painting

    def paintEvent(self, event: QPaintEvent) -> None:
        """Copy the changed pixels; words only where their ground was asked for."""
        began = perf_counter()
        with painting(self) as painter:
            plot, region, ratio = self._plot(), event.region(), self.devicePixelRatioF()
            pixels = self._raster.pixels
            height, width = pixels.shape
            image = QImage(pixels.data, width, height, 4 * width, QImage.Format.Format_RGB32)
            for rect in list(region.intersected(plot)):  # type: ignore[call-overload]
                source = QRectF(rect.translated(-plot.topLeft()))
                source = QRectF(source.topLeft() * ratio, source.size() * ratio)
                painter.drawImage(QRectF(rect), image, source)
            if not self._raster.history.started:
                write(painter, QRectF(plot), "waiting for the signal", self.theme.dim, "centre")
            elif self._frozen:
                pill(painter, plot, "picture frozen, the session goes on", self.theme)
            outside = region.subtracted(plot)
            if not outside.isEmpty():
                painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
                painter.setClipRegion(outside)
                painter.fillRect(self.rect(), QColor(self.theme.background))
                painter.setFont(small(self.font()))
                paint(painter, plot, self.width(), ratio, self._words(), self.theme)
                if self.hasFocus():
                    painter.setPen(QColor(self.theme.accent))
                    painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
        self.last_paint_ms += (perf_counter() - began) * 1000

    def _words(self) -> TraceText:
        first, count = self.group
        return TraceText(
            names=self.channels[first : first + count],
            chosen=self.selected,
            summary=(f"electrodes {self._parts()[0]}", *self._parts()[1:]),
            decimation=self.decimation,
            scale_uv=self.scale_uv,
            marks=self._marks_on_screen(),
            times=self._times_on_screen(),
        )
