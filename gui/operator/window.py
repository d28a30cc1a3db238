"""The operator's window: combines the widgets and updates them from the session's state.

Nothing here waits: threads fill queues (``gui.operator.session_feed``), one timer empties them.
Values are current, or unknown ("-").
"""

from dataclasses import asdict
from time import monotonic

from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import QApplication, QMainWindow

from gui.operator.actions import Actions
from gui.operator.frame_timing import BEAT_S, FrameTiming
from gui.operator.layout import HANDLE, WindowLayout
from gui.operator.plots import ProbabilityPlot
from gui.operator.session_feed import FileSize, Link, News, OrderResult, SessionFeed, age_of
from gui.operator.session_state import ActiveAlarm, SessionState
from gui.operator.signal_feed import (
    DrawnMarker,
    DrawnSamples,
    Item,
    Moment,
    QualityUpdate,
    SignalOpened,
    SignalTrouble,
)
from gui.operator.traces import Traces
from gui.operator.view_settings import ViewSettings
from gui.widgets.headmap import Electrode, HeadMap
from gui.widgets.palette import Theme
from gui.widgets.remembered import Choices, Remembered
from rtbci.messages import MarkerSet, NoteWritten, Order, SessionReport
from rtbci.terminal import say
from rtbci.types import Gap, StreamInfo

FRAME_MS = 32
SLOW_TICKS = 6  # frames between updates of texts and lamps
# High-pass of the display: amplifiers have offsets of millivolts.
DRIFT_HZ = 0.5
OPERATOR = "\u270e "  # prefix of an operator's marker


class OperatorWindow(QMainWindow):
    """Window of one session; ``send`` passes requests to the session."""

    def __init__(self, feed: SessionFeed, remembered: Remembered, choices: Choices) -> None:
        super().__init__()
        self.feed, self._remembered = feed, remembered
        self.state = SessionState(feed.about)
        self.state.begin(age_of(feed.entry))
        self.frame_timing = FrameTiming()
        self.setWindowTitle(f"rtbci {feed.entry.id}")
        self.setAccessibleName(f"rtbci session {feed.entry.id}")
        self.view_settings = ViewSettings(choices, remembered, self._recolour, self._show_frozen)
        self.parts = WindowLayout(self.view_settings.theme)
        self.note = self.parts.note
        self.key_actions = Actions(
            self, self.note, self.state, self.send, self.now, self.hide_keys,
            {
                "understood": self.understand, "keys": self.parts.toggle_keys,
                "fullscreen": self._toggle_fullscreen, **self.view_settings.actions,
            },
        )  # fmt: skip
        self.traces: Traces | None = None
        self.head: HeadMap | None = None
        self.plot = ProbabilityPlot(feed.about.classes, feed.about.sure, self.view_settings.theme)
        self.parts.put_plot(self.plot)
        self.setCentralWidget(self.parts)
        self._info: StreamInfo | None = None
        self._head = 0  # sample index after the newest one shown
        self._shown_alarm: ActiveAlarm | str | None = None
        self._rung: set[tuple[str, str]] = set()
        self._ticks, self._said_first = 0, False
        self._join()
        self.view_settings.apply()

    def _join(self) -> None:
        """Connect buttons and timers."""
        parts = self.parts
        parts.acted.connect(self.key_actions.act)
        parts.note.returnPressed.connect(lambda: self.key_actions.end_note(self.note.text()))
        parts.banner.acted.connect(self.understand)
        application = QApplication.instance()
        assert application is not None
        application.installEventFilter(self.key_actions)
        self._timer, self._beat = QTimer(self), QTimer(self)
        for timer, ms, call in (
            (self._timer, FRAME_MS, self.tick),
            (self._beat, round(1000 * BEAT_S), self.frame_timing.beat),
        ):
            timer.setTimerType(Qt.TimerType.PreciseTimer)
            timer.timeout.connect(call)
            timer.start(ms)

    def send(self, order: Order) -> None:
        """Send an order to the session; a refusal arrives as an ``OrderResult``."""
        self.feed.ask(order)

    def now(self) -> Moment:
        """Time stamp and sample index for an operator's marker."""
        return self.feed.signal.now()

    def understand(self) -> None:
        """Handle the banner's button."""
        alarm = self.state.banner()
        if self.key_actions.stop_twice.waits(monotonic()):
            self.key_actions.stop()
        elif isinstance(self._shown_alarm, ActiveAlarm) and alarm is not None:
            self.state.understood(alarm)
        elif self._shown_alarm == "ended":
            self.close()
        elif self._shown_alarm == "paused":
            self.key_actions.pause()
        self._slow()

    def _recolour(self, theme: Theme) -> None:
        self.parts.recolour(theme, (self.traces, self.head, self.plot))

    def _show_frozen(self, frozen: bool) -> None:
        self.parts.bar.show_frozen(frozen)

    def _toggle_fullscreen(self) -> None:
        self.setWindowState(self.windowState() ^ Qt.WindowState.WindowFullScreen)

    def hide_keys(self) -> bool:
        """Hide the page of keys; True if it was open."""
        was = self.parts.keys.isVisible()
        self.parts.keys.hide()
        return was

    def tick(self) -> None:
        """Update one frame."""
        for news in self.feed.news():
            self._hear(news)
        for item in self.feed.signal.items():
            self._take(item)
        if self.traces is not None:
            self.traces.advance()
        decisions = self.state.take()
        if decisions and not self._said_first:
            self._said_first = True
            say(f"first decision on screen {age_of(self.feed.entry):.1f} s after the start")
        for decided in decisions:
            odds = None if decided.rejected else decided.probabilities
            self.plot.add(decided.onset, odds, decided.label)
        self._ticks += 1
        if self._ticks % SLOW_TICKS == 0:
            self._slow()

    def _hear(self, news: News) -> None:
        state = self.state
        if isinstance(news, SessionReport):
            state.about = self.feed.about
            state.answer(news)
            state.clear_alarm("link")
        elif isinstance(news, FileSize):
            state.file(news.size)
        elif isinstance(news, Link):
            self._link(news.state)
        elif isinstance(news, OrderResult):
            if news.error is not None:
                state.raise_alarm("amber", f"asked {news.order.kind}", news.error)
        else:
            state.hear(news)
            if isinstance(news, MarkerSet | NoteWritten):
                state.say(f"{news.kind} {news.text}")
                if self.traces is not None and isinstance(news.index, int):
                    self.traces.marker(news.index, OPERATOR + news.text)

    def _link(self, link: str) -> None:
        state, entry = self.state, self.feed.entry
        state.link = link
        if link == "looking":
            goes_on = "Its recorder goes on. " if entry.recorder_alive else ""
            state.raise_alarm(
                "red", "link", f"The session does not answer. {goes_on}In a terminal: "
                f"rtbci live --attach {entry.id}",
            )  # fmt: skip
        else:
            state.clear_alarm("link")

    def _take(self, item: Item) -> None:
        if isinstance(item, DrawnSamples):
            self._head = item.index + len(item.x)
            if self.traces is not None:
                self.traces.push(item.index, item.x)
        elif isinstance(item, SignalOpened):
            self._open(item)
        elif isinstance(item, SignalTrouble):
            if item.text:
                self.state.raise_alarm("amber", "signal", item.text)
            else:
                self.state.clear_alarm("signal")
        elif isinstance(item, QualityUpdate):
            if self.head is not None:
                electrodes = [Electrode(**asdict(each)) for each in item.electrodes]
                self.head.show_quality(electrodes)
            self.parts.bands.show_bands(item.bands)
        elif self.traces is not None:
            if isinstance(item, Gap):
                self.traces.gap(item.index, item.missing, item.reason)
            elif isinstance(item, DrawnMarker):
                self.traces.marker(item.index, item.label)

    def _open(self, opened: SignalOpened) -> None:
        """Show a new stream; the same electrodes keep their view."""
        info = opened.info
        names = tuple(info.channels[column] for column in opened.columns)
        self.state.rate = info.rate
        self._info, self._head = info, 0
        if self.traces is not None and (self.traces.channels, self.traces.rate) == (
            names, info.rate,
        ):  # fmt: skip
            self.traces.clear()
            return
        self.traces = Traces(names, info.rate, self.view_settings.theme)
        self.traces.set_highpass(DRIFT_HZ)
        self.view_settings.begin(self.traces)
        self.traces.installEventFilter(self)
        self.head = HeadMap(names, self.view_settings.theme)
        self.traces.picked.connect(self.head.select)
        self.traces.picked.connect(self.traces.select)
        self.head.picked.connect(self.traces.select)
        self.parts.put_signal(self.traces, self.head)

    def eventFilter(self, target: QObject, event: QEvent) -> bool:
        """Count the frames of the traces."""
        if target is self.traces and event.type() == QEvent.Type.Paint:
            self.frame_timing.painted()
        return False

    def _slow(self) -> None:
        """Update texts, lamps and numbers."""
        state, parts, signal = self.state, self.parts, self.feed.signal
        counts = signal.counts()
        if counts is not None:
            state.count(*counts)
        about = state.about
        parts.header.set_values(
            self.feed.entry.id, state.recording(), state.file_mb(), state.growing(),
            state.session_s(), state.stream_s(), about.part, about.speed,
        )  # fmt: skip
        card = state.card()
        parts.card.set_values(card.label, card.confidence, card.note, card.flags)
        parts.losses.set_values(state.loss_rows())
        lamps = {**state.lamps(), "window": ("works", "works")}
        parts.lamps.set_values(lamps)
        decimation = self.traces.decimation if self.traces is not None else 1
        display = f"{decimation}x min/max" if decimation > 1 else "every sample"
        parts.status.set_values(
            signal.age(),
            state.latencies(),
            self.frame_timing.fps(),
            self.frame_timing.stall_ms(),
            display,
        )
        if self._info is not None:
            self.plot.advance(self._head / self._info.rate)
        parts.show_state(state.paused, state.link == "ended", list(state.log)[-3:])
        self._show_banner()

    def _show_banner(self) -> None:
        """Show the most urgent message."""
        state, banner, actions = self.state, self.parts.banner, self.key_actions
        alarm = state.banner()
        if actions.stop_twice.waits(monotonic()):
            shown: ActiveAlarm | str | None = "stop"
            what = ("amber", "Press Esc again to stop the session safely.", "Stop safely")
        elif actions.marker_waits():
            shown, what = "marker", ("info", "Marker: press 1 to 9. Esc leaves it.", None)
        elif alarm is not None and state.link != "ended":
            shown, what = alarm, (alarm.level, alarm.text, "Understood")
        elif state.link == "ended":
            shown, what = "ended", ("info", f"The session is over. {self._saved()}", "Close")
        elif state.paused:
            text = "Decisions are paused; recording goes on."
            shown, what = "paused", ("amber", text, "Resume")
        else:
            shown, what = None, None
        if shown == self._shown_alarm:
            return
        self._shown_alarm = shown
        if what is None:
            banner.clear()
            return
        banner.show_alarm(*what)
        if isinstance(shown, ActiveAlarm) and shown.level == "red":
            key = shown.box, shown.code
            if key not in self._rung:
                QApplication.beep()
            self._rung.add(key)

    def _saved(self) -> str:
        size = self.state.file_mb()
        if size is None:
            return "Nothing was recorded."
        return f"{size:.1f} MB are saved in {self.feed.folder.name}."

    # coming and going

    def open(self, size: tuple[int, int] | None) -> None:
        """Show the window with its last geometry, or with ``size``."""
        geometry = self._remembered.layout("window")
        if size is not None or geometry is None or not self.restoreGeometry(geometry):
            self.resize(*(size or (1440, 900)))
        split = self._remembered.layout("columns")
        self.parts.share_width(self.width())
        if split is not None and size is None:
            self.parts.columns.restoreState(split)
            self.parts.columns.setHandleWidth(HANDLE)
        self.show()
        self.setFocus(Qt.FocusReason.OtherFocusReason)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Store the layout and close the window; the session continues."""
        self._remembered.keep_layout("window", self.saveGeometry())
        self._remembered.keep_layout("columns", self.parts.columns.saveState())
        self._timer.stop()
        self._beat.stop()
        application = QApplication.instance()
        if application is not None:
            application.removeEventFilter(self.key_actions)
        self.feed.close()
        super().closeEvent(event)
