"""Isolated checks before a session: none can hang or crash the others.

A check is a function that returns one or more ``Check`` values. Anything that may hang or abort (a
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
# Longest text of an error that is quoted, characters.
TEXT_CHARS = 300
# Prefix of the child's answer, which distinguishes it from what libraries print.
MARK = "rtbci-answer:"
# Time reserved for a check to report that its child did not answer, s.
MARGIN_S = 0.5
REPORT = "this check could not be made; look at it by hand before a participant comes"
AGAIN = "close other programs and run this again; if it stays so, restart the computer"

Answer = dict[str, object]

# .until: deadline of the check that runs in this thread, monotonic s
_limit = threading.local()
# Children that a check is waiting for.
_children: set[subprocess.Popen[str]] = set()


class NoAnswer(Exception):
    """A child process hung, crashed or failed; the message explains which."""


class TooSlow(NoAnswer):
    """No answer within the time limit: the child hangs, or the computer is busy."""


class NotThere(NoAnswer):
    """The object of the check is not installed or not connected."""


@dataclass(frozen=True)
class Check:
    """Result of one check; ``next_step`` is a sentence, or "" if there is nothing to do."""

    name: str
    level: str  # one of LEVELS
    found: str
    next_step: str = ""

    def __post_init__(self) -> None:
        assert self.level in LEVELS, self.level


@dataclass(frozen=True)
class SessionPlace:
    """Folder and LSL session of the planned session, which the checks examine."""

    folder: Path  # of the recordings
    session: str | None = None  # LSL session; None: LSL's default
    scope: str | None = None


@dataclass(frozen=True)
class Task:
    """A named check; ``alone`` if checks at the same time would distort its timing."""

    name: str
    run: Callable[[SessionPlace], Sequence[Check]]
    timeout: float = 10.0  # s
    alone: bool = False


def ask(module: str, function: str, *args: str, timeout: float) -> Answer:
    """Answer of ``function(*args)`` of ``module``, called in a separate process.

    Raises ``NoAnswer`` with the reason if there is no answer within ``timeout`` s.
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
        # The second wait has a limit too: a process that waits for a dead disk cannot be killed.
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
    """Results of all tasks in order, each as soon as it and those before it are done.

    Tasks with ``alone`` run first, one by one, the others in parallel. A task that has not ended
    after ``within`` seconds in total is reported as hanging.
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

        # A daemon thread, because a check that never returns must not keep the program alive.
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
        for child in tuple(_children):  # their results are no longer needed
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
        text = " ".join(f"{type(error).__name__}: {error}".split())[:TEXT_CHARS]
        return [Check(task.name, "fail", f"the check itself failed ({text})", REPORT)]


def exit_code(checks: Sequence[Check]) -> int:
    """Exit code: 0 if all checks are ok, 1 with warnings, 2 with failures."""
    return max((LEVELS.index(check.level) for check in checks), default=0)


def _serve(module: str, function: str, *args: str) -> None:
    """Child's side of ``ask``: print exactly one marked line on stdout."""
    try:
        answer = getattr(import_module(module), function)(*args)
    except RtbciError as error:
        answer = {"error": str(error), "missing": isinstance(error, Missing)}
    except Exception as error:  # noqa: BLE001 the parent reports it
        answer = {"error": " ".join(f"{type(error).__name__}: {error}".split())[:TEXT_CHARS]}
    print(MARK + json.dumps(answer), flush=True)
    os._exit(0)  # a library's exit handlers may hang or abort, and nothing here needs them


if __name__ == "__main__":
    _serve(*sys.argv[1:])
