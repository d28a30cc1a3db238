"""Units of a long check, stored when finished so that they are not repeated."""

import json
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROCESSES = 2
SENTENCE = 500  # characters of what went wrong that are kept


@dataclass(frozen=True)
class Result:
    """Result of a check; ``ok`` is None if there was no time to finish.

    ``absent`` where it needs what this computer does not have.
    """

    figure: str
    bound: str
    ok: bool | None
    absent: bool = False

    @property
    def word(self) -> str:
        """Verdict as a word."""
        if self.absent:
            return "skipped"
        return {True: "ok", False: "FAILED", None: "not finished"}[self.ok]


class Units:
    """Results of finished units, by name, in a file of JSON lines; a cut line is ignored."""

    def __init__(self, path: Path, deadline: float = float("inf")) -> None:
        self.done: dict[str, Any] = {}
        self._path, self._deadline = path, deadline
        text = path.read_bytes() if path.exists() else b""
        for line in text.splitlines():
            try:
                name, value = json.loads(line)
            except ValueError:
                continue
            self.done[name] = value
        self._cut = bool(text) and not text.endswith(b"\n")

    def add(self, name: str, value: object) -> None:
        """Store the result of a unit; it is on disk on return."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        (self._path.parent / ".gitignore").write_text("*\n", encoding="utf-8")
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(("\n" if self._cut else "") + json.dumps([name, value]) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self._cut = False
        self.done[name] = value

    @property
    def late(self) -> bool:
        """Whether the time is used up."""
        return time.monotonic() >= self._deadline

    def has_time(self, seconds: float) -> bool:
        """Whether a unit of this length may start."""
        return time.monotonic() + seconds < self._deadline

    def in_turn(
        self, check: str, work: Callable[[int], object], numbers: Sequence[int], seconds: float
    ) -> list[Any] | None:
        """What ``work`` gave for each number, one at a time with nothing beside it.

        None where the time is used up before all are done; a unit takes ``seconds``. One that
        raises gives ``{"wrong": sentence}``.
        """
        for number in numbers:
            if (name := f"{check}/{number}") in self.done:
                continue
            if not self.has_time(seconds):
                return None
            tell(f"{check}: {number + 1} of {len(numbers)}")
            try:
                found = work(number)
            except Exception as error:  # noqa: BLE001 the other units are worth their time
                found = {"wrong": f"{type(error).__name__}: {str(error)[:SENTENCE]}"}
            self.add(name, found)
        return [self.done[f"{check}/{number}"] for number in numbers]

    def in_processes(
        self,
        check: str,
        work: Callable[[Any], object],
        seeds: Sequence[Any],
        at_once: int = PROCESSES,
    ) -> bool:
        """``work`` of the seeds that are not done, ``at_once`` together; whether all are done."""
        todo = [seed for seed in seeds if f"{check}/{seed}" not in self.done]
        spawn = multiprocessing.get_context("spawn")  # fork after threads of BLAS is undefined
        with ProcessPoolExecutor(at_once, spawn, end_with_parent) as pool:
            running: dict[Future[object], Any] = {}
            while running or (todo and not self.late):
                while todo and len(running) < at_once and not self.late:
                    seed = todo.pop(0)
                    running[pool.submit(work, seed)] = seed
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    self.add(f"{check}/{running.pop(future)}", future.result())
                    tell(f"{check}: {len(todo) + len(running)} to go")
        return not todo


def end_with_parent() -> None:
    """In a worker: a soak that is killed must not leave its workers waiting for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def tell(text: str) -> None:
    """Print progress."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
