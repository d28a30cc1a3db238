"""Events, status and requests of one session, exchanged by background threads.

    feed = SessionFeed(entry)
    feed.start()
    feed.news()      # what came since the last call; never waits
    feed.ask("pause")

Two threads: one follows the session's control socket and looks for it again when it is gone, one
carries requests. The signal is read by ``gui.operator.signal_feed``. Each hands over through a
queue that only the window's timer empties.
"""

import queue
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gui.operator.about import About, read_about
from gui.operator.signal_feed import SignalFeed
from rtbci.errors import RtbciError
from rtbci.session import control
from rtbci.session.control import SessionEntry
from rtbci.session.folder import last_event

AGAIN_S = 0.3  # between two looks for a session that is gone
FILE_S = 1.0  # between two looks at the recording's size
MOST_NEWS = 20_000  # lines that wait for a window that is stopped; then the oldest are lost

Event = Mapping[str, object]


@dataclass(frozen=True)
class Link:
    """State of the connection: "works", "looking" (no answer) or "ended"."""

    state: str


@dataclass(frozen=True)
class Status:
    """The session's answer to ``status``."""

    values: Event


@dataclass(frozen=True)
class Answer:
    """Result of a request; ``error`` is a sentence if it was refused."""

    do: str
    error: str | None


@dataclass(frozen=True)
class FileSize:
    """Size of the recording on disk, bytes."""

    size: int | None


News = Event | Link | Status | Answer | FileSize


class SessionFeed:
    """Connection to one session; ``news`` and ``ask`` never block the window's thread."""

    def __init__(self, entry: SessionEntry) -> None:
        self.entry = entry
        self.folder = Path(entry.folder)
        self.about: About = read_about(self.folder)
        self.signal = SignalFeed(self.about)
        self._news: deque[News] = deque(maxlen=MOST_NEWS)
        self._orders: queue.SimpleQueue[tuple[str, Mapping[str, object]] | None] = (
            queue.SimpleQueue()
        )
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

    def ask(self, do: str, **fields: object) -> None:
        """Send a request; its result arrives as an ``Answer``."""
        self._orders.put((do, fields))

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
            self._tell_status()
            heard = False
            for event in control.follow(self.entry):
                if self._stop.is_set():
                    return
                if not heard:  # what was said between the answer and the first line
                    heard = True
                    self._tell_status()
                self.signal.hear(event)
                self._news.append(event)
        except RtbciError:
            pass  # it is ending, or too busy: reported below, and retried
        self._news.append(Link("ended" if is_over(self.folder) else "looking"))

    def _tell_status(self) -> None:
        values = control.ask(self.entry, "status")
        if not self.about.kind:  # the window was faster than the session's own folder
            self.about = self.signal.about = read_about(self.folder)
        self.signal.hear_status(values)
        self._news.append(Status(values))

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
            do, fields = order
            error = None
            try:
                control.ask(self.entry, do, **fields)
            except RtbciError as refused:
                error = str(refused)
            self._news.append(Answer(do, error))

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
    return last_event(folder).get("event") == "closed"


def age_of(entry: SessionEntry) -> float:
    """Seconds since the session was created."""
    return max(0.0, time.time() - entry.created)
