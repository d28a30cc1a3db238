"""A display of its own for tests of the window: Xvfb, and openbox so that windows get the focus."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from rtbci.session import screen

NEEDED = ("Xvfb", "openbox", "xdotool")
START_S = 15.0
QUIET: Any = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


@contextmanager
def display(size: str = "1920x1200") -> Iterator[str]:
    """Its name, e.g. ``:93``. The test is skipped where something for it is not installed."""
    absent = [name for name in NEEDED if shutil.which(name) is None]
    if absent:
        pytest.skip(f"{', '.join(absent)} not installed (apt install xvfb openbox xdotool)")
    reason = screen.unusable({})
    if reason is not None:
        pytest.skip(reason)
    read, write = os.pipe()
    words = ["Xvfb", "-displayfd", str(write), "-screen", "0", f"{size}x24", "-nolisten", "tcp"]
    server = subprocess.Popen(words, pass_fds=[write], **QUIET)
    os.close(write)
    manager = None
    try:
        with os.fdopen(read) as told:
            name = f":{told.readline().strip()}"  # it chooses one that is free
        manager = subprocess.Popen(["openbox"], env={**os.environ, "DISPLAY": name}, **QUIET)
        yield name
    finally:
        for process in (manager, server):
            if process is not None:
                process.terminate()
                with suppress(subprocess.TimeoutExpired):
                    process.wait(5)


def xdotool(name: str, *words: object) -> str:
    """What ``xdotool`` says on that display; "" where it found nothing."""
    done = subprocess.run(
        ["xdotool", *map(str, words)], env={**os.environ, "DISPLAY": name},
        capture_output=True, text=True, check=False, timeout=20,
    )  # fmt: skip
    return done.stdout.strip()


def window_of(name: str, title: str, seconds: float = START_S) -> str:
    """The id of the visible window with this title, once it has the focus."""
    end = time.monotonic() + seconds
    while True:
        found = xdotool(name, "search", "--onlyvisible", "--name", title).split()
        if found:
            xdotool(name, "windowfocus", "--sync", found[-1])
            return found[-1]
        assert time.monotonic() < end, f"no window {title!r} within {seconds:g} s"
        time.sleep(0.05)
