"""One process of a session: its specification, its state, and the pipes to it."""

import json
import os
import queue
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from rtbci import messages
from rtbci.session.folder import runs

Event = Mapping[str, object]
Lines = queue.SimpleQueue[tuple["SupervisedProcess", Event | None]]

LONGEST_LINE = 2**20  # bytes of one event


class ProcessState(Enum):
    """Where a process is between its start and its end; ``rtbci.session.supervisor`` draws it."""

    WAITING = "waiting"  # for processes that it needs
    STARTING = "starting"
    READY = "ready"
    QUIET = "quiet"  # it was ready and has said nothing for QUIET seconds
    ENDING = "ending"  # it was asked to
    RESTARTING = "restarting"
    ENDED = "ended"
    FAILED = "failed"  # it ended unasked and is not restarted
    ADOPTED = "adopted"  # started by a supervisor that was killed; it hears signals only


RUNNING = {ProcessState.STARTING, ProcessState.READY, ProcessState.QUIET, ProcessState.ENDING}
OVER = {None, ProcessState.ENDED, ProcessState.FAILED}


@dataclass(frozen=True)
class ProcessSpec:
    """One process: its name, how it is started, and what happens when it ends."""

    name: str
    command: tuple[str, ...]  # words after ``python -m rtbci``
    needs: tuple[str, ...] = ()  # processes that must be ready before it starts
    restart: bool = False  # when it ends unasked; at once, then with growing pauses
    again: tuple[str, ...] = ()  # added to the command on a restart
    essential: bool = False  # when it fails, the session ends
    hang: float | None = None  # s of silence after which it is killed; None: never
    kill_timeout: float = 3.0  # s between SIGTERM and SIGKILL
    program: tuple[str, ...] = ("-m", "rtbci")


@dataclass(frozen=True)
class AdoptedProcess:
    """A process that another supervisor started, by its id and when it began."""

    pid: int
    created: float  # s since 1970

    @property
    def is_running(self) -> bool:
        """Whether this very process still runs."""
        return runs(self.pid, self.created)

    def terminate(self) -> None:
        """SIGTERM, if it still runs."""
        if self.is_running:
            with suppress(OSError):
                os.kill(self.pid, signal.SIGTERM)


@dataclass
class SupervisedProcess:
    """A process that was started, and what is known of it."""

    spec: ProcessSpec
    popen: subprocess.Popen[bytes]
    log: Path
    ready: bool = False
    asked: bool = False  # to end
    done: bool = False  # it said so: what is left is leaving
    quiet: bool = False  # an alarm says so
    drained: bool = False  # stdout has ended
    heard: float = field(default_factory=time.monotonic)
    exited: float | None = None  # when its process was found ended
    ended: bool = False  # and its last line read
    failed: bool = False

    @property
    def state(self) -> ProcessState:
        """The one reading of the flags above."""
        if self.ended:
            return ProcessState.FAILED if self.failed else ProcessState.ENDED
        if self.asked:
            return ProcessState.ENDING
        if not self.ready:
            return ProcessState.STARTING
        return ProcessState.QUIET if self.quiet else ProcessState.READY

    def read(self, lines: "Lines") -> None:
        """Put every event of its stdout into ``lines``, then None; for a thread of its own."""
        stdout = self.popen.stdout
        assert stdout is not None
        with suppress(OSError, ValueError):
            while line := stdout.readline(LONGEST_LINE):
                with suppress(ValueError):  # what is no JSON object is no event
                    event = json.loads(line)
                    if isinstance(event, dict):
                        lines.put((self, event))
            stdout.close()
        lines.put((self, None))

    def write(self, order: Event) -> None:
        """Send an order. Never blocks for long: orders are short, a pipe holds hundreds of them."""
        assert self.popen.stdin is not None
        with suppress(OSError, ValueError):  # it is gone, or is asked to go
            self.popen.stdin.write(messages.line(order).encode() + b"\n")
            self.popen.stdin.flush()

    def close_stdin(self) -> None:
        """Close its stdin: it ends as if the supervisor were gone."""
        assert self.popen.stdin is not None
        with suppress(OSError):
            self.popen.stdin.close()

    def terminate(self) -> None:
        """SIGTERM, if it still runs."""
        if self.popen.poll() is None:
            with suppress(OSError):
                self.popen.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL to it and what it started itself: it leads a process group of its own."""
        with suppress(OSError):
            os.killpg(self.popen.pid, signal.SIGKILL)


def launch(spec: ProcessSpec, logs: Path, again: bool) -> SupervisedProcess:
    """Start a process whose stderr goes to a log of its own; ``again`` as on a restart."""
    words = [sys.executable, *spec.program, *spec.command, *(spec.again if again else ())]
    log = logs / f"{spec.name}.log"
    with open(log, "ab", opener=_private) as stderr:
        popen = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr,
            start_new_session=True,  # ctrl-c in the terminal is for the supervisor alone
        )  # fmt: skip
    return SupervisedProcess(spec, popen, log)


def last_line(path: Path) -> str:
    """The last line of a log that is not empty; "" if there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 4096))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
