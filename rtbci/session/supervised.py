"""One process of a session: its specification, its state, and the pipes to it."""

import os
import queue
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from rtbci.messages import Event, Order, line, parse
from rtbci.session.folder import runs

Lines = queue.SimpleQueue[tuple["SupervisedProcess", Event | None]]

LONGEST_LINE = 2**20  # bytes of one event


class ProcessState(Enum):
    """State of a process from its start to its end, as drawn in ``rtbci.session.supervisor``."""

    WAITING = "waiting"  # for processes that it needs
    STARTING = "starting"
    READY = "ready"
    QUIET = "quiet"  # ready, and no line for QUIET seconds
    ENDING = "ending"  # it was asked to
    RESTARTING = "restarting"
    ENDED = "ended"
    FAILED = "failed"  # it ended unasked and is not restarted
    ADOPTED = "adopted"  # started by a supervisor that was killed; it hears signals only


RUNNING = {ProcessState.STARTING, ProcessState.READY, ProcessState.QUIET, ProcessState.ENDING}
OVER = {None, ProcessState.ENDED, ProcessState.FAILED}


@dataclass(frozen=True)
class ProcessSpec:
    """Specification of a process: its name, its command, and what happens when it ends."""

    name: str
    command: tuple[str, ...]  # words after ``python -m rtbci``
    needs: tuple[str, ...] = ()  # processes that must be ready before its start
    restart: bool = False  # when it ends unasked; at once, then with growing pauses
    again: tuple[str, ...] = ()  # added to the command on a restart
    essential: bool = False  # when it fails, the session ends
    hang: float | None = None  # s of silence after which it is killed; None: never
    kill_timeout: float = 3.0  # s between SIGTERM and SIGKILL
    program: tuple[str, ...] = ("-m", "rtbci")


@dataclass(frozen=True)
class AdoptedProcess:
    """Process that another supervisor started, identified by its id and start time."""

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
    """Process that was started, with its pipes and flags."""

    spec: ProcessSpec
    popen: subprocess.Popen[bytes]
    log: Path
    ready: bool = False
    asked: bool = False  # to end
    done: bool = False  # it has reported its end; only its exit is left
    quiet: bool = False  # an alarm about it is active
    drained: bool = False  # stdout has ended
    heard: float = field(default_factory=time.monotonic)
    exited: float | None = None  # when its exit was noticed
    ended: bool = False  # exited, and its last line was read
    failed: bool = False

    @property
    def state(self) -> ProcessState:
        """State that the flags above mean."""
        if self.ended:
            return ProcessState.FAILED if self.failed else ProcessState.ENDED
        if self.asked:
            return ProcessState.ENDING
        if not self.ready:
            return ProcessState.STARTING
        return ProcessState.QUIET if self.quiet else ProcessState.READY

    def read(self, lines: "Lines") -> None:
        """Put every event on its stdout into ``lines``, then None; runs in its own thread."""
        stdout = self.popen.stdout
        assert stdout is not None
        with suppress(OSError, ValueError):
            while text := stdout.readline(LONGEST_LINE):
                event = parse(text)
                if isinstance(event, Event):
                    lines.put((self, event))
            stdout.close()
        lines.put((self, None))

    def write(self, order: Order) -> None:
        """Send an order. Hardly ever blocks: orders are short, and a pipe holds hundreds."""
        assert self.popen.stdin is not None
        with suppress(OSError, ValueError):  # it is gone, or is asked to go
            self.popen.stdin.write(line(order).encode() + b"\n")
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
        """SIGKILL to its process group: it and the processes that it started."""
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
    """Last line of a log that is not empty, or ""."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 4096))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
