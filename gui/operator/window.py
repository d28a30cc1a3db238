"""The operator's window: puts the widgets together and shows what is known, thirty times a second.

Nothing here waits: threads fill queues (``gui.operator.session_feed``), one timer empties them.
What a second ago was true is shown as it is now, or as unknown ("-").
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
from gui.operator.session_feed import Answer, FileSize, Link, News, SessionFeed, Status, age_of
from gui.operator.session_state import Alarm, SessionState
from gui.operator.signal_feed import (
    DrawnMarker,
    DrawnSamples,
    Item,
    QualityUpdate,
    SignalOpened,
    SignalTrouble,
)
from gui.operator.traces import Traces
from gui.operator.view_settings import ViewSettings
from gui.widgets.headmap import Electrode, HeadMap
from gui.widgets.remembered import Choices, Remembered
from rtbci.terminal import say
from rtbci.types import Gap, StreamInfo

FRAME_MS = 32
SLOW_TICKS = 6  # words and lamps change so many pictures apart
DRIFT_HZ = 0.5  # slower than that is not drawn: amplifiers have offsets of millivolts
OPERATOR = "\u270e "  # before a person's marker


class OperatorWindow(QMainWindow):
    """One session on the screen. ``send`` is how anything here asks something of it."""

    def __init__(self, feed: SessionFeed, remembered: Remembered, choices: Choices) -> None:
        super().__init__()
        self.feed, self._remembered = feed, remembered
        self.known = SessionState(feed.about)
        self.known.begin(age_of(feed.entry))
        self.heart = FrameTiming()
        self.setWindowTitle(f"rtbci {feed.entry.id}")
        self.setAccessibleName(f"rtbci session {feed.entry.id}")
        self.looks = ViewSettings(self, choices, remembered)
        self.parts = WindowLayout(self.looks.theme)
        self.note = self.parts.note
        self.hands = Actions(self)
        self.traces: Traces | None = None
        self.head: HeadMap | None = None
        self.plot = ProbabilityPlot(feed.about.classes, feed.about.sure, self.looks.theme)
        self.parts.put_plot(self.plot)
        self.setCentralWidget(self.parts)
        self._info: StreamInfo | None = None
        self._head = 0  # sample index behind the newest one shown
        self._shown_alarm: Alarm | str | None = None
        self._rung: set[tuple[str, str]] = set()
        self._ticks, self._said_first = 0, False
        self._join()
        self.looks.dress()

    def _join(self) -> None:
        """Connect buttons and timers."""
        parts = self.parts
        parts.acted.connect(self.hands.act)
        parts.note.returnPressed.connect(lambda: self.hands.end_note(self.note.text()))
        parts.banner.acted.connect(self.understand)
        application = QApplication.instance()
        assert application is not None
        application.installEventFilter(self.hands)
        self._timer, self._beat = QTimer(self), QTimer(self)
        for timer, ms, call in (
            (self._timer, FRAME_MS, self.tick), (self._beat, round(1000 * BEAT_S), self.heart.beat),
        ):  # fmt: skip
            timer.setTimerType(Qt.TimerType.PreciseTimer)
            timer.timeout.connect(call)
            timer.start(ms)

    def send(self, do: str, **fields: object) -> None:
        """Ask the session; a refusal comes as an ``Answer``."""
        self.feed.ask(do, **fields)

    def now(self) -> dict[str, float | int]:
        """Where in time a person's marker belongs."""
        return self.feed.signal.now()

    def stop_session(self) -> None:
        """Ask the session to end; it closes its recording."""
        self.known.say("stopping safely: the recording is being closed", "amber")
        self.send("stop")

    def understand(self) -> None:
        """What the banner's button does."""
        alarm = self.known.banner()
        if self.hands.stop_twice.waits(monotonic()):
            self.hands.stop()
        elif isinstance(self._shown_alarm, Alarm) and alarm is not None:
            self.known.understood(alarm)
        elif self._shown_alarm == "ended":
            self.close()
        elif self._shown_alarm == "paused":
            self.hands.pause()
        self._slow()

    def hide_keys(self) -> bool:
        """True if the page of keys was open."""
        was = self.parts.keys.isVisible()
        self.parts.keys.hide()
        return was

    def tick(self) -> None:
        """One picture."""
        for news in self.feed.news():
            self._hear(news)
        for item in self.feed.signal.items():
            self._take(item)
        if self.traces is not None:
            self.traces.advance()
        decisions = self.known.take()
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
        known = self.known
        if isinstance(news, Status):
            known.about = self.feed.about
            known.answer(news.values)
            known.clear_alarm("link")
        elif isinstance(news, FileSize):
            known.file(news.size)
        elif isinstance(news, Link):
            self._link(news.state)
        elif isinstance(news, Answer):
            if news.error is not None:
                known.raise_alarm("amber", f"asked {news.do}", news.error)
        else:
            known.hear(news)
            kind = news.get("event")
            if kind in ("marker", "note"):
                text = str(news.get("text"))
                known.say(f"{kind} {text}")
                index = news.get("index")
                if self.traces is not None and isinstance(index, int):
                    self.traces.marker(index, OPERATOR + text)

    def _link(self, state: str) -> None:
        known, entry = self.known, self.feed.entry
        known.link = state
        if state == "looking":
            goes_on = "Its recorder goes on. " if entry.recorder_alive else ""
            known.raise_alarm(
                "red", "link", f"The session does not answer. {goes_on}In a terminal: "
                f"rtbci live --attach {entry.id}",
            )  # fmt: skip
        else:
            known.clear_alarm("link")

    def _take(self, item: Item) -> None:
        if isinstance(item, DrawnSamples):
            self._head = item.index + len(item.x)
            if self.traces is not None:
                self.traces.push(item.index, item.x)
        elif isinstance(item, SignalOpened):
            self._open(item)
        elif isinstance(item, SignalTrouble):
            if item.text:
                self.known.raise_alarm("amber", "signal", item.text)
            else:
                self.known.clear_alarm("signal")
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
        """A stream begins; the same electrodes keep their picture's settings."""
        info = opened.info
        names = tuple(info.channels[column] for column in opened.columns)
        self.known.rate = info.rate
        self._info, self._head = info, 0
        if self.traces is not None and (self.traces.channels, self.traces.rate) == (
            names, info.rate,
        ):  # fmt: skip
            self.traces.clear()
            return
        self.traces = Traces(names, info.rate, self.looks.theme)
        self.traces.set_highpass(DRIFT_HZ)
        self.looks.begin(self.traces)
        self.traces.installEventFilter(self)
        self.head = HeadMap(names, self.looks.theme)
        self.traces.picked.connect(self.head.select)
        self.traces.picked.connect(self.traces.select)
        self.head.picked.connect(self.traces.select)
        self.parts.put_signal(self.traces, self.head)

    def eventFilter(self, target: QObject, event: QEvent) -> bool:
        """Count the pictures of the traces."""
        if target is self.traces and event.type() == QEvent.Type.Paint:
            self.heart.painted()
        return False

    def _slow(self) -> None:
        """What a person reads: words, lamps, numbers."""
        known, parts, signal = self.known, self.parts, self.feed.signal
        counts = signal.counts()
        if counts is not None:
            known.count(*counts)
        about = known.about
        parts.header.set_values(
            self.feed.entry.id, known.recording(), known.file_mb(), known.growing(),
            known.session_s(), known.stream_s(), about.part, about.speed,
        )  # fmt: skip
        card = known.card()
        parts.card.set_values(card.label, card.confidence, card.note, card.flags)
        parts.losses.set_values(known.loss_rows())
        lamps = {**known.lamps(), "window": ("works", "works")}
        parts.lamps.set_values(lamps)
        decimation = self.traces.decimation if self.traces is not None else 1
        display = f"{decimation}x min/max" if decimation > 1 else "every sample"
        parts.status.set_values(
            signal.age(), known.latencies(), self.heart.fps(), self.heart.stall_ms(), display
        )
        if self._info is not None:
            self.plot.advance(self._head / self._info.rate)
        parts.show_state(known.paused, known.link == "ended", list(known.log)[-3:])
        self._show_banner()

    def _show_banner(self) -> None:
        """The one thing a person should read now."""
        known, banner, hands = self.known, self.parts.banner, self.hands
        alarm = known.banner()
        if hands.stop_twice.waits(monotonic()):
            shown: Alarm | str | None = "stop"
            what = ("amber", "Press Esc again to stop the session safely.", "Stop safely")
        elif hands.marker_waits():
            shown, what = "marker", ("info", "Marker: press 1 to 9. Esc leaves it.", None)
        elif alarm is not None and known.link != "ended":
            shown, what = alarm, (alarm.level, alarm.text, "Understood")
        elif known.link == "ended":
            shown, what = "ended", ("info", f"The session is over. {self._saved()}", "Close")
        elif known.paused:
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
        if isinstance(shown, Alarm) and shown.level == "red":
            key = shown.box, shown.code
            if key not in self._rung:
                QApplication.beep()
            self._rung.add(key)

    def _saved(self) -> str:
        size = self.known.file_mb()
        if size is None:
            return "Nothing was recorded."
        return f"{size:.1f} MB are saved in {self.feed.folder.name}."

    # coming and going

    def open(self, size: tuple[int, int] | None) -> None:
        """Show it as it was last time, or with ``size``."""
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
        """The session is not told: it goes on."""
        self._remembered.keep_layout("window", self.saveGeometry())
        self._remembered.keep_layout("columns", self.parts.columns.saveState())
        self._timer.stop()
        self._beat.stop()
        application = QApplication.instance()
        if application is not None:
            application.removeEventFilter(self.hands)
        self.feed.close()
        super().closeEvent(event)
