"""Events, status and requests of one session, exchanged by background threads.

    feed = SessionFeed(entry)
    feed.start()
    feed.news()      # items since the last call; never waits
    feed.ask(Pause())

Two threads: one follows the control socket of the session and looks for it again when it is gone,
the other sends orders. The signal is read by ``gui.operator.signal_feed``. Each hands over through
a queue that only the timer of the window empties.
"""

import queue
import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from gui.operator.about import About, read_about
from gui.operator.signal_feed import SignalFeed
from rtbci.errors import Missing, RtbciError
from rtbci.messages import AskReport, Closed, Event, Order, SessionReport
from rtbci.session import control
from rtbci.session.control import SessionEntry
from rtbci.session.folder import last_event

AGAIN_S = 0.3  # between two looks for a session that is gone
FILE_S = 1.0  # between two looks at the recording's size
MOST_NEWS = 20_000  # lines that wait for a window that is stopped; then the oldest are lost


@dataclass(frozen=True)
class Link:
    """State of the connection: "works", "looking" (no answer) or "ended"."""

    state: str


@dataclass(frozen=True)
class OrderResult:
    """Result of an order to the session; ``error`` is a sentence if it was refused."""

    order: Order
    error: str | None


@dataclass(frozen=True)
class FileSize:
    """Size of the recording on disk, bytes."""

    size: int | None


News = Event | Link | OrderResult | FileSize


class SessionFeed:
    """Connection to one session; ``news`` and ``ask`` never block the window's thread."""

    def __init__(self, entry: SessionEntry) -> None:
        self.entry = entry
        self.folder = Path(entry.folder)
        self.about: About = read_about(self.folder)
        self.signal = SignalFeed(self.about)
        self._news: deque[News] = deque(maxlen=MOST_NEWS)
        self._orders: queue.SimpleQueue[Order | None] = queue.SimpleQueue()
        self._stop = threading.Event()

    def start(self) -> None:
        """Start the background threads."""
        for run in (self._follow, self._carry, self._look_at_file):
            threading.Thread(target=run, name=run.__name__, daemon=True).start()
        self.signal.start()

    def close(self) -> None:
        """Stop listening; the session continues."""
        self._stop.set()
        self._orders.put(None)
        self.signal.close()

    def news(self) -> list[News]:
        """Items received since the last call."""
        found: list[News] = []
        while self._news:
            found.append(self._news.popleft())
        return found

    def ask(self, order: Order) -> None:
        """Send an order; its result arrives as an ``OrderResult``."""
        self._orders.put(order)

    def _follow(self) -> None:
        while not self._stop.is_set():
            if self.entry.alive and control.is_listed(self.entry):
                self._listen()
            else:
                self._look_again()
            self._stop.wait(AGAIN_S)

    def _listen(self) -> None:
        """Receive events until the session closes the connection."""
        try:
            self._ask_report()
            heard = False
            for event in control.follow(self.entry):
                if self._stop.is_set():
                    return
                if not heard:
                    # Events between the report and the first line.
                    heard = True
                    self._ask_report()
                self.signal.hear(event)
                self._news.append(event)
        except RtbciError:
            pass  # it is ending, or too busy: reported below, and retried
        self._news.append(Link("ended" if is_over(self.folder) else "looking"))

    def _ask_report(self) -> None:
        report = control.ask(self.entry, AskReport())
        if not isinstance(report, SessionReport):
            raise Missing(f"session {self.entry.id} gave no report of itself")
        if not self.about.kind:  # the window was faster than the session's own folder
            self.about = self.signal.about = read_about(self.folder)
        self.signal.hear_report(report)
        self._news.append(report)

    def _look_again(self) -> None:
        """Look for a process that has taken over the session."""
        for entry in control.running():
            if entry.folder == self.entry.folder and entry.alive:
                self.entry = entry
                return
        over = is_over(self.folder) and not self.entry.recorder_alive
        self._news.append(Link("ended" if over else "looking"))

    def _carry(self) -> None:
        while (order := self._orders.get()) is not None:
            error = None
            try:
                control.ask(self.entry, order)
            except RtbciError as refused:
                error = str(refused)
            self._news.append(OrderResult(order, error))

    def _look_at_file(self) -> None:
        while not self._stop.is_set():
            sizes = []
            for path in self.folder.glob("recording*.xdf"):
                try:
                    sizes.append(path.stat().st_size)
                except OSError:
                    continue
            self._news.append(FileSize(sum(sizes) if sizes else None))
            self._stop.wait(FILE_S)


def is_over(folder: Path) -> bool:
    """Whether the session in ``folder`` was closed properly."""
    return isinstance(last_event(folder), Closed)


def age_of(entry: SessionEntry) -> float:
    """Seconds since the session was created."""
    return max(0.0, time.time() - entry.created)
