"""Events of a process to its supervisor or a person, and the orders that it gets.

Nothing here ever blocks the live loop: one thread owns stdout, another stdin. A reader that
stopped reading costs memory, never a sample.
"""

import queue
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TextIO

from rtbci.messages import (
    ALARM_LEVELS,
    Alarm,
    Clear,
    Done,
    Event,
    Finish,
    Order,
    Ready,
    Stop,
    line,
    parse_order,
)

GATHER_S = 0.05  # for which a line waits for others
LONGEST_LINE = 65_536  # characters of an order


class Reporter:
    """Events as JSON lines on stdout, or as sentences on stderr. Any thread may call it.

    An alarm is reported once, until it is cleared or its text changes.
    """

    def __init__(self, box: str, as_json: bool) -> None:
        self.box, self._json = box, as_json
        self._alarms: dict[str, tuple[str, str]] = {}
        self._lines: queue.SimpleQueue[tuple[TextIO, str] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="reporter", daemon=True)
        self._thread.start()

    @property
    def alarms(self) -> Mapping[str, tuple[str, str]]:
        """Level and sentence of each active alarm, by code."""
        return self._alarms

    def event(self, event: Event, text: str | None = None) -> None:
        """Report ``event``, to a person as the sentence ``text``.

        The text of ``Ready`` and ``Done`` is for programs too.
        """
        event = replace(event, box=self.box)
        if text is not None and isinstance(event, Ready | Done):
            event = replace(event, text=text)
        self._put(event, text)

    def alarm(self, level: str, code: str, text: str) -> None:
        """Report a fault: ``level`` of ``ALARM_LEVELS``, ``text`` with the next step."""
        assert level in ALARM_LEVELS, level
        if self._alarms.get(code) != (level, text):
            self._alarms[code] = (level, text)
            self.event(Alarm(level, code, text), text)

    def clear(self, code: str, text: str) -> None:
        """Report that the alarm ``code`` is over; does nothing if it is not active."""
        if self._alarms.pop(code, None) is not None:
            self.event(Clear(code, text), text)

    def line(self, text: str) -> None:
        """Write a line of results, on stdout in either form."""
        self._lines.put((sys.stdout, text))

    def close(self, timeout: float = 2.0) -> None:
        """Wait until everything is written, ``timeout`` s at most. Idempotent."""
        self._lines.put(None)
        self._thread.join(timeout)

    def _put(self, event: Event, text: str | None) -> None:
        if self._json:
            self._lines.put((sys.stdout, line(event)))
        elif text is not None:
            self._lines.put((sys.stderr, text))

    def _write(self) -> None:
        is_open = True
        while is_open:
            lines = [self._lines.get()]
            # One switch between threads for many lines, not one for each.
            time.sleep(GATHER_S)
            while not self._lines.empty():
                lines.append(self._lines.get())
            is_open = None not in lines
            for stream in (sys.stdout, sys.stderr):
                text = "".join(f"{each[1]}\n" for each in lines if each and each[0] is stream)
                try:
                    stream.write(text)
                    stream.flush()
                except (OSError, ValueError):
                    # The reader has gone; the work goes on.
                    continue


class ControlInput:
    """Orders from the parent: JSON lines on stdin, read by a thread; the live loop polls.

    Without ``listen`` there is no parent, and no order ever comes.
    """

    def __init__(self, listen: bool) -> None:
        self.has_parent = listen
        self.parent_gone = False
        self.asked_to_end = False  # an order to stop or finish came, polled or not
        self._orders: queue.SimpleQueue[Order] = queue.SimpleQueue()
        if listen:
            threading.Thread(target=self._read, name="control", daemon=True).start()

    def poll(self) -> list[Order]:
        """Orders since the last call."""
        found: list[Order] = []
        while not self._orders.empty():
            found.append(self._orders.get())
        return found

    def _read(self) -> None:
        try:
            # Unbuffered: Python aborts at exit while a thread holds the lock of a buffered stdin.
            stdin = open(sys.stdin.fileno(), "rb", buffering=0, closefd=False)  # noqa: SIM115
            while text := stdin.readline(LONGEST_LINE):
                order = parse_order(text)
                if order is not None:
                    self.asked_to_end |= isinstance(order, Stop | Finish)
                    self._orders.put(order)
        finally:
            self.parent_gone = True
