"""Processes of a live session for tests."""

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from tests.support import box

IDLE_S = 6.0  # of silence, after which a recorder ends that was left alone, or saw no stream yet


class Box(box.Box):
    """``rtbci WORDS`` without a display; as a context it leaves no process behind.

    ``runtime`` is its run-time folder, ``began`` the monotonic second of its start.
    """

    def __init__(self, *words: object, runtime: Path | None = None, code: str = "") -> None:
        environment = {"DISPLAY": "", "WAYLAND_DISPLAY": "", "RTBCI_RECORDER_IDLE": str(IDLE_S)}
        if runtime is not None:
            environment["XDG_RUNTIME_DIR"] = str(runtime)
        self.began = time.monotonic()
        super().__init__(*words, code=code, **environment)

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(5)
        self.close()


def until(condition: Callable[[], Any], seconds: float = 15.0) -> Any:
    """Poll until the value is true; returns it."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "too late"
        time.sleep(0.01)
    return found


def only(folder: Path) -> Path:
    """The only session in ``folder``."""
    (path,) = folder.iterdir()
    return path


def pids(session: Path, *boxes: str) -> list[int]:
    """Process ids of boxes of a session, oldest first."""
    path, found = session / "events.jsonl", []
    for line in path.read_bytes().splitlines() if path.exists() else ():
        with suppress(ValueError):  # the last line may be half written
            event = json.loads(line)
            if event["event"] == "started" and event.get("box") in boxes:
                found.append(event["pid"])
    return found


def runs(pid: int) -> bool:
    """Whether a process runs; zombies do not count."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def new_seed() -> int:
    """Seed for random moments; callers print it."""
    return random.SystemRandom().randrange(10**6)


@contextmanager
def busy(number: int) -> Iterator[None]:
    """Keep ``number`` processes busy in the meantime."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(number)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()
