"""The command ``rtbci stream`` for tests, with its events."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.lsl_source import ROOT, session


class Stream:
    """The running command, and its events so far."""

    def __init__(self, path: Path, *words: str, lsl: str | None = None) -> None:
        self.session = lsl or session()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "rtbci", "stream", str(path), "--lsl-session", self.session,
             "--lsl-scope", "machine", "--json", *words],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        self.events: list[dict] = []

    def until(self, kind: str) -> dict:
        """Read events up to one of ``kind``."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.events.append(json.loads(line))
            if self.events[-1]["event"] == kind:
                return self.events[-1]
        raise AssertionError(f"no {kind} among {self.events}: {self.errors()}")

    def rest(self) -> int:
        """Read to the end; the exit code."""
        assert self.process.stdout is not None
        self.events += [json.loads(line) for line in self.process.stdout]
        return self.process.wait(10)

    def all(self, kind: str) -> list[dict]:
        """Events of ``kind`` so far."""
        return [event for event in self.events if event["event"] == kind]

    def errors(self) -> str:
        """Output on stderr; waits for the end of the process."""
        assert self.process.stderr is not None
        return self.process.stderr.read()

    def order(self, do: str) -> None:
        """Write a control line."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": do}) + "\n")
        self.process.stdin.flush()

    def close(self) -> None:
        """Kill the process and release its files."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()


Start = Callable[..., Stream]


@contextmanager
def streams() -> Iterator[Start]:
    """Starts streams, and ends them."""
    started: list[Stream] = []

    def start(path: Path, *words: str, **more: str) -> Stream:
        started.append(Stream(path, *words, **more))
        return started[-1]

    try:
        yield start
    finally:
        for each in started:
            each.close()
