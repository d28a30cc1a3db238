"""What a box (stream, record, decode) tells its supervisor or a person, and what it hears.

Nothing here ever blocks the live loop: one thread owns stdout, another stdin. A reader that
stopped reading costs memory, never a sample.
"""

import json
import queue
import sys
import threading
import time
from collections.abc import Mapping
from typing import TextIO

from rtbci import messages

LEVELS = ("info", "amber", "red")
GATHER_S = 0.05  # a line waits so long for others
LONGEST_LINE = 65_536  # characters of a control line


class Reporter:
    """Events as JSON lines on stdout, or as sentences on stderr. Any thread may call it.

    An alarm is told once, until it is cleared or says something else.
    """

    def __init__(self, box: str, as_json: bool) -> None:
        self.box, self._json = box, as_json
        self._alarms: dict[str, tuple[str, str]] = {}
        self._lines: queue.SimpleQueue[tuple[TextIO, str] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="reporter", daemon=True)
        self._thread.start()

    @property
    def alarms(self) -> Mapping[str, tuple[str, str]]:
        """Level and sentence of what is wrong now, by code."""
        return self._alarms

    def ready(self, text: str, **fields: object) -> None:
        """It works now."""
        self._tell(messages.event("ready", self.box, text=text, **fields), text)

    def status(self, **fields: object) -> None:
        """Counters, about once a second; a person is not told."""
        self._tell(messages.event("status", self.box, **fields), None)

    def alarm(self, level: str, code: str, text: str) -> None:
        """Something is wrong: ``level`` one of ``LEVELS``, ``text`` with the next step."""
        assert level in LEVELS, level
        if self._alarms.get(code) != (level, text):
            self._alarms[code] = (level, text)
            self._tell(messages.event("alarm", self.box, level=level, code=code, text=text), text)

    def clear(self, code: str, text: str) -> None:
        """What ``alarm`` said is over; silent where there was no such alarm."""
        if self._alarms.pop(code, None) is not None:
            self._tell(messages.event("clear", self.box, code=code, text=text), text)

    def event(self, kind: str, text: str | None = None, **fields: object) -> None:
        """Anything else, e.g. the end of a replay."""
        self._tell(messages.event(kind, self.box, **fields), text)

    def line(self, text: str) -> None:
        """A line of results, on stdout in either form."""
        self._lines.put((sys.stdout, text))

    def done(self, text: str, **fields: object) -> None:
        """The last line."""
        self._tell(messages.event("done", self.box, text=text, **fields), text)

    def close(self, timeout: float = 2.0) -> None:
        """Wait until everything is written, ``timeout`` s at most. Twice is fine."""
        self._lines.put(None)
        self._thread.join(timeout)

    def _tell(self, values: Mapping[str, object], text: str | None) -> None:
        if self._json:
            self._lines.put((sys.stdout, messages.line(values)))
        elif text is not None:
            self._lines.put((sys.stderr, text))

    def _write(self) -> None:
        is_open = True
        while is_open:
            lines = [self._lines.get()]
            time.sleep(GATHER_S)  # many lines cost one switch between threads, not one each
            while not self._lines.empty():
                lines.append(self._lines.get())
            is_open = None not in lines
            for stream in (sys.stdout, sys.stderr):
                text = "".join(f"{each[1]}\n" for each in lines if each and each[0] is stream)
                try:
                    stream.write(text)
                    stream.flush()
                except (OSError, ValueError):  # nobody reads any more: the work goes on
                    continue


class ControlInput:
    """Orders from the parent: JSON lines on stdin, read by a thread; the live loop polls.

    Without ``listen`` there is no parent and nothing is ever heard.
    """

    def __init__(self, listen: bool) -> None:
        self.has_parent = listen
        self.parent_gone = False
        self.asked_to_end = False  # "stop" or "finish" came, polled or not
        self._orders: queue.SimpleQueue[dict[str, object]] = queue.SimpleQueue()
        if listen:
            threading.Thread(target=self._read, name="control", daemon=True).start()

    def poll(self) -> list[dict[str, object]]:
        """Orders since the last call: objects with the key ``do``."""
        found: list[dict[str, object]] = []
        while not self._orders.empty():
            found.append(self._orders.get())
        return found

    def _read(self) -> None:
        try:
            # unbuffered: Python aborts at exit while a thread holds the lock of a buffered stdin
            stdin = open(sys.stdin.fileno(), "rb", buffering=0, closefd=False)  # noqa: SIM115
            while line := stdin.readline(LONGEST_LINE):
                try:
                    order = json.loads(line)
                except ValueError:  # a torn or foreign line is no order
                    continue
                if isinstance(order, dict) and "do" in order:
                    self.asked_to_end |= order["do"] in ("stop", "finish")
                    self._orders.put(order)
        finally:
            self.parent_gone = True
