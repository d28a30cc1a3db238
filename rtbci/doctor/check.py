"""Checks before a session: each is isolated, so that none can hang or crash the others.

A check is a function that gives one or more ``Check`` values. Whatever may hang or abort (a
library, a disk, a driver) runs in a child process with a time limit: ``ask`` calls a function of
a module there and reads the JSON object it returns.
"""

import contextlib
import json
import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from rtbci.errors import Missing, RtbciError

LEVELS = ("ok", "warn", "fail")
TEXT_CHARS = 300  # of a sentence about what went wrong
MARK = "rtbci-answer:"  # libraries print things of their own

MARGIN_S = 0.5  # for a check to say that its child did not answer
REPORT = "this check could not be made; look at it by hand before a participant comes"
AGAIN = "close other programs and run this again; if it stays so, restart the computer"

Answer = dict[str, object]

_limit = threading.local()  # .until: when the check of this thread must have ended, monotonic s
_children: set[subprocess.Popen[str]] = set()  # that somebody waits for


class NoAnswer(Exception):
    """A child process hung, crashed or could not do what it was asked; the text says which."""


class TooSlow(NoAnswer):
    """No answer in time: it hangs, or the machine is busy."""


class NotThere(NoAnswer):
    """What was to be checked is not installed or not connected."""


@dataclass(frozen=True)
class Check:
    """What one check found; ``next_step`` is a sentence, "" where there is nothing to do."""

    name: str
    level: str  # one of LEVELS
    found: str
    next_step: str = ""

    def __post_init__(self) -> None:
        assert self.level in LEVELS, self.level


@dataclass(frozen=True)
class SessionPlace:
    """Where a session would run: what the checks look at."""

    folder: Path  # recordings go there
    session: str | None = None  # of LSL; None: LSL's own
    scope: str | None = None


@dataclass(frozen=True)
class Task:
    """A named check; ``alone`` where others at the same time would spoil its timing."""

    name: str
    run: Callable[[SessionPlace], Sequence[Check]]
    timeout: float = 10.0  # s
    alone: bool = False


def ask(module: str, function: str, *args: str, timeout: float) -> Answer:
    """The answer of ``function(*args)`` of ``module``, called in a process of its own.

    Raises ``NoAnswer`` with the reason where there is none within ``timeout`` s.
    """
    timeout = min(timeout, getattr(_limit, "until", math.inf) - time.monotonic())
    if timeout <= 0:
        raise TooSlow("was not asked: no time was left")
    child = subprocess.Popen(
        [sys.executable, "-m", "rtbci.doctor.check", module, function, *args],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    )
    _children.add(child)
    try:
        out, err = child.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        child.kill()
        # no second wait without an end: a process that waits for a dead disk cannot be killed
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.communicate(timeout=0.5)
        raise TooSlow(f"did not answer within {timeout:.2g} s") from None
    finally:
        _children.discard(child)
    for line in reversed(out.splitlines()):
        if line.startswith(MARK):
            answer = json.loads(line.removeprefix(MARK))
            if "error" in answer:
                kind = NotThere if answer.get("missing") else NoAnswer
                raise kind(str(answer["error"]))
            return answer
    if child.returncode < 0:
        raise NoAnswer(f"ended by signal {-child.returncode}")
    last = (err.strip().splitlines() or ["without a word"])[-1]
    raise NoAnswer(f"ended with code {child.returncode}: {last[:TEXT_CHARS]}")


def run_all(tasks: Sequence[Task], place: SessionPlace, within: float = 15.0) -> Iterator[Check]:
    """The checks of all tasks in their order, each as soon as it and those before it are done.

    Tasks that want to be alone run first, one by one; the others side by side. What has not ended
    ``within`` that many seconds is reported as hanging.
    """
    deadline = time.monotonic() + within
    results: dict[str, Sequence[Check]] = {}
    alone = [task for task in tasks if task.alone]
    others = [task for task in tasks if not task.alone]
    started: dict[str, tuple[threading.Thread, float]] = {}

    def start(task: Task) -> None:
        until = min(time.monotonic() + task.timeout, deadline)

        def work() -> None:
            _limit.until = until - MARGIN_S
            results[task.name] = _attempt(task, place)

        # daemon: a check that never returns must not keep the program
        thread = threading.Thread(target=work, name=task.name, daemon=True)
        started[task.name] = thread, until
        thread.start()

    def wait(task: Task) -> None:
        thread, until = started[task.name]
        thread.join(max(0.0, until - time.monotonic()))

    try:
        for task in alone:
            start(task)
            wait(task)
        for task in others:
            start(task)
        for task in tasks:
            wait(task)
            hung = [Check(task.name, "fail", "did not end in time", AGAIN)]
            yield from results.get(task.name, hung)
    finally:
        for child in tuple(_children):  # nobody waits for these any more
            child.kill()


def _attempt(task: Task, place: SessionPlace) -> Sequence[Check]:
    try:
        return task.run(place)
    except TooSlow as error:
        return [Check(task.name, "fail", str(error), AGAIN)]
    except NotThere as error:
        return [Check(task.name, "warn", f"not checked: {error}")]
    except NoAnswer as error:
        return [Check(task.name, "fail", str(error), REPORT)]
    except Exception as error:  # noqa: BLE001 one broken check must not hide the others
        said = " ".join(f"{type(error).__name__}: {error}".split())[:TEXT_CHARS]
        return [Check(task.name, "fail", f"the check itself broke ({said})", REPORT)]


def exit_code(checks: Sequence[Check]) -> int:
    """0 where all is well, 1 with warnings, 2 with failures."""
    return max((LEVELS.index(check.level) for check in checks), default=0)


def _serve(module: str, function: str, *args: str) -> None:
    """The child's side of ``ask``: exactly one marked line on stdout."""
    try:
        answer = getattr(import_module(module), function)(*args)
    except RtbciError as error:
        answer = {"error": str(error), "missing": isinstance(error, Missing)}
    except Exception as error:  # noqa: BLE001 the parent makes a sentence of it
        answer = {"error": " ".join(f"{type(error).__name__}: {error}".split())[:TEXT_CHARS]}
    print(MARK + json.dumps(answer), flush=True)
    os._exit(0)  # a library's tidying at exit may hang or abort; nothing here needs it


if __name__ == "__main__":
    _serve(*sys.argv[1:])
