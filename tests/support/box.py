"""One command as a child process for tests, with its events and orders."""

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Self

from tests.support.lsl_source import ROOT

Event = dict[str, Any]


class Box:
    """``rtbci WORDS``, or the Python ``code``; as a context it leaves no process behind.

    Every event gets ``at``, the monotonic second at which it came.
    """

    def __init__(self, *words: object, code: str = "", **environment: str) -> None:
        program = ["-c", code] if code else ["-m", "rtbci"]
        self.process = subprocess.Popen(
            [sys.executable, *program, *map(str, words)], cwd=ROOT, text=True,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self.events: list[Event] = []
        self.stderr = ""
        self._lines: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=each, daemon=True) for each in (self._read, self._errors)
        ]
        for thread in self._threads:
            thread.start()

    def wait(self, wanted: Callable[[Event], object], seconds: float = 20, since: int = 0) -> Event:
        """First event from number ``since`` on that satisfies ``wanted``."""
        end, at = time.monotonic() + seconds, since
        while True:
            for event in self.events[at:]:
                if wanted(event):
                    return event
            at = len(self.events)
            line = None
            if (left := end - time.monotonic()) > 0:
                with contextlib.suppress(queue.Empty):
                    line = self._lines.get(timeout=left)
            assert line is not None, f"never came; there was {self.events[-8:]} {self.stderr}"
            self.events.append(line)

    def until(self, kind: str, seconds: float = 20, since: int = 0) -> Event:
        """First event of ``kind``."""
        return self.wait(lambda event: event.get("event") == kind, seconds, since)

    def alarm(self, code: str, level: str | None = None, since: int = 0) -> Event:
        """First alarm ``code``, of ``level`` if given."""
        return self.wait(
            lambda e: (e.get("event"), e.get("code")) == ("alarm", code)
            and level in (None, e["level"]),
            since=since,
        )  # fmt: skip

    def all(self, kind: str) -> list[Event]:
        """Events of ``kind`` so far."""
        return [event for event in self.events if event.get("event") == kind]

    def codes(self) -> list[tuple[str, str]]:
        """Level and code of all alarms."""
        return [(event["level"], event["code"]) for event in self.all("alarm")]

    def say(self, do: str, **fields: object) -> None:
        """Send an order."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps({"do": do, **fields}) + "\n")
            self.process.stdin.flush()

    def end(self, seconds: float = 20) -> int:
        """Wait for the process to end; returns the exit code after all output is read."""
        code = self.process.wait(seconds)
        for thread in self._threads:
            thread.join(5)
        while (line := self._lines.get(timeout=5)) is not None:
            self.events.append(line)
        return code

    def close(self) -> None:
        """Kill the process and release its files."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        for thread in self._threads:
            thread.join(5)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):
                pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            said = json.loads(line) if line.startswith("{") else {"event": "text", "text": line}
            self._lines.put({**said, "at": time.monotonic()})
        self._lines.put(None)

    def _errors(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.stderr += line
