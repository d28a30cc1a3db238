"""``rtbci record`` as a child process, for tests: what it says, and how it is spoken to."""

import contextlib
import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from tests.lsl_source import ROOT

Event = dict[str, Any]


class Recorder:
    """One recorder of LSL session ``session``; ``words`` are further options.

    ``before`` is Python that its process runs first, ``prefix`` words before the interpreter.
    """

    def __init__(
        self,
        session: str,
        out: Path,
        *words: object,
        before: str = "",
        prefix: tuple[str, ...] = (),
    ) -> None:
        options = ["record", "--out", out, "--lsl-session", session, "--lsl-scope", "machine",
                   "--control", "stdin"]  # fmt: skip
        code = f"{before}\nimport sys\nfrom rtbci.cli import main\nsys.exit(main(sys.argv[1:]))"
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-c", code, *map(str, options), "--json", *map(str, words)],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        self.events = list[Event]()
        self.stderr = ""
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def wait(self, condition: Callable[[Event], object], seconds: float = 15.0) -> Event:
        """The first event for which ``condition`` holds, from the beginning on."""
        end, at = time.monotonic() + seconds, 0
        while True:
            for event in self.events[at:]:
                if condition(event):
                    return event
            at = len(self.events)
            line = None
            if (left := end - time.monotonic()) > 0:
                with contextlib.suppress(queue.Empty):
                    line = self._lines.get(timeout=left)
            assert line is not None, f"never came; there was {self.events[-8:]} {self.stderr}"
            self.events.append(json.loads(line))

    def has(self, samples: int, name: str = "eeg") -> Event:
        """Wait until so many samples of ``name`` came."""
        return self.wait(lambda e: e.get("samples", {}).get(name, 0) >= samples)

    def alarm(self, code: str, level: str | None = None) -> Event:
        """Wait for an alarm whose code begins so."""
        return self.wait(
            lambda e: (
                e["event"] == "alarm" and e["code"].startswith(code) and level in (None, e["level"])
            )
        )

    def say(self, do: str) -> None:
        """An order."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": do}) + "\n")
        self.process.stdin.flush()

    def end(self, seconds: float = 10.0) -> int:
        """Wait for its end; the exit code. All it said is in ``events`` then."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        while (line := self._lines.get(timeout=5)) is not None:
            self.events.append(json.loads(line))
        assert self.process.stderr is not None
        self.stderr = self.process.stderr.read()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        if self.process.stdout is not None and not self.process.stdout.closed:
            self.end()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)
