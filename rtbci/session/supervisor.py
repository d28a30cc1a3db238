"""Starts the boxes of a session, watches them, restarts those that may restart, stops them safely.

A session is a tuple of ``ProcessSpec`` values; ``Supervisor`` keeps any of them running. Every box
is a process of its own that prints JSON lines (``rtbci.process``) and obeys JSON lines on its
stdin. The end of its stdin tells it that the supervisor is gone, however it went.

Nothing here knows what a session is for: events go to ``hear``, in the thread that calls
``pump``, and that is the only thread that may call the crew.
"""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from rtbci import messages

Event = Mapping[str, object]
Hear = Callable[[str, Event], None]

TICK = 0.05  # s between two looks at the processes
QUIET = 2.0  # s without a line from a working box: worth an alarm (they report every second)
SWIFT = 5  # restarts within RECENT that come at once; after that the pause doubles
RECENT = 60.0  # s
LONGEST_PAUSE = 30.0  # s between two starts
DRAINED = 1.0  # s that the last lines of an ended box may take
SORRY = (2, 3, 4)  # exit codes of a box that said what is wrong: it would say it again
LONGEST_LINE = 2**20  # bytes of one event


@dataclass(frozen=True)
class ProcessSpec:
    """One box: what it is called, how it is started, and what happens when it ends."""

    name: str
    command: tuple[str, ...]  # behind ``python -m rtbci``
    needs: tuple[str, ...] = ()  # boxes that must work before it starts
    restart: bool = False  # when it ends unasked; at once, then with growing pauses
    again: tuple[str, ...] = ()  # added to the command on a restart
    essential: bool = False  # when it fails, the session ends
    hang: float | None = None  # s of silence after which it is killed; None: never
    mercy: float = 3.0  # s between SIGTERM and SIGKILL
    program: tuple[str, ...] = ("-m", "rtbci")


@dataclass
class SupervisedProcess:
    """A child at work: its process, and what is known of it."""

    child: ProcessSpec
    process: subprocess.Popen[bytes]
    log: Path
    ready: bool = False
    asked: bool = False  # to end
    done: bool = False  # it said so: what is left is leaving
    quiet: bool = False  # an alarm says so
    drained: bool = False  # stdout has ended
    heard: float = field(default_factory=time.monotonic)
    exited: float | None = None  # when its process was found ended
    ended: bool = False  # and its last line read


@dataclass(frozen=True)
class Failure:
    """Why a session cannot go on."""

    box: str
    code: int
    sentence: str


class Supervisor:
    """The boxes of one session.

    ``hear(name, event)`` gets every line of every box and, under the same name, what the crew
    itself sees: ``started`` (pid), ``ended`` (code), ``alarm`` and ``clear``. ``meanwhile`` is
    called at every look at the processes. As a context it leaves nobody behind.
    """

    def __init__(self, hear: Hear, logs: Path, meanwhile: Callable[[], None] | None = None) -> None:
        self.failure: Failure | None = None
        self._hear, self._logs, self._meanwhile = hear, logs, meanwhile
        self._lines: queue.SimpleQueue[tuple[SupervisedProcess, Event | None]] = queue.SimpleQueue()
        self._boxes: dict[str, SupervisedProcess] = {}
        self._waiting: list[ProcessSpec] = []  # for what they need
        self._due: dict[str, tuple[float, ProcessSpec]] = {}  # restarts: when, and whom
        self._starts: dict[str, list[float]] = {}
        self._standing: dict[str, list[Event]] = {}  # orders that a restarted box gets again
        self._was_ready: set[str] = set()

    def __enter__(self) -> "Supervisor":
        return self

    def __exit__(self, *_: object) -> None:
        self.dismiss()

    def start(self, *children: ProcessSpec, again: bool = False) -> None:
        """Start each child, or keep it until what it needs works; ``again`` as after a crash."""
        for child in children:
            self._standing.pop(child.name, None)
            if all(name in self._boxes and self._boxes[name].ready for name in child.needs):
                self._launch(child, again)
            else:
                self._waiting.append(child)

    def pid(self, name: str) -> int | None:
        """Process id of a running box."""
        box = self._boxes.get(name)
        return box.process.pid if box and not box.ended else None

    def works(self, name: str) -> bool:
        """Whether the box said that it is ready, and still runs."""
        box = self._boxes.get(name)
        return box is not None and box.ready and not box.ended

    def gone(self, name: str) -> bool:
        """Whether the box neither runs nor is about to be started."""
        waiting = name in self._due or any(child.name == name for child in self._waiting)
        return self.pid(name) is None and not waiting

    def names(self) -> list[str]:
        """Boxes that run, in the order of their start."""
        return [name for name, box in self._boxes.items() if not box.ended]

    def tell(self, name: str, do: str, *, standing: bool = False, **fields: object) -> None:
        """An order for a box; a ``standing`` one is told again after every restart."""
        order = messages.order(do, **fields)
        if standing:
            self._standing.setdefault(name, []).append(order)
        if name in self._boxes:
            _write(self._boxes[name], order)

    def pump(self, seconds: float) -> None:
        """Hand on what the boxes say, look after them; returns after ``seconds`` or an event."""
        wait = seconds
        while True:
            with suppress(queue.Empty):
                box, event = self._lines.get(timeout=min(max(wait, 0.0), TICK))
                wait = 0.0
                self._take(box, event)
                continue
            self._watch()
            if self._meanwhile is not None:
                self._meanwhile()
            wait -= TICK
            if wait <= 0:
                return

    def finish(self, name: str, seconds: float, do: str = "finish", **fields: object) -> bool:
        """Ask a box to end and wait until it has done its work, or SIGTERM after ``seconds``.

        True if it did. Its process may need a second more to leave: see ``gather``. A box that
        waits for its start or restart is not started any more.
        """
        self._waiting = [child for child in self._waiting if child.name != name]
        self._due.pop(name, None)
        box = self._boxes.get(name)
        if box is None or box.ended:
            return True
        box.asked = True
        _write(box, messages.order(do, **fields))
        until = time.monotonic() + seconds
        while not (box.done or box.ended) and time.monotonic() < until:
            self.pump(TICK)
        if not (box.done or box.ended):
            _signal(box, signal.SIGTERM)
        return box.done or box.process.returncode == 0

    def gather(self, names: Iterable[str] | None = None) -> None:
        """Wait until boxes that were asked to end have left; SIGKILL after their mercy."""
        left = [self._boxes[name] for name in names or self.names() if name in self._boxes]
        began = time.monotonic()
        while left := [box for box in left if box.asked and not box.ended]:
            for box in left:
                if time.monotonic() - began > box.child.mercy:
                    _kill(box)
            self.pump(TICK)

    def dismiss(self) -> None:
        """End everything that still runs, all at the same time."""
        self._waiting.clear()
        self._due.clear()
        for name in self.names():
            box = self._boxes[name]
            box.asked = True
            _signal(box, signal.SIGTERM)
            _hang_up(box)
        self.gather()

    def _launch(self, child: ProcessSpec, again: bool = False) -> None:
        words = [sys.executable, *child.program, *child.command, *(child.again if again else ())]
        log = self._logs / f"{child.name}.log"
        with open(log, "ab", opener=_private) as stderr:
            process = subprocess.Popen(
                words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr,
                start_new_session=True,  # ctrl-c in the terminal is for the supervisor alone
            )  # fmt: skip
        box = SupervisedProcess(child, process, log)
        self._boxes.pop(child.name, None)  # to the end of the order
        self._boxes[child.name] = box
        self._starts.setdefault(child.name, []).append(time.monotonic())
        threading.Thread(
            target=_read, args=(box, self._lines), name=f"read {child.name}", daemon=True
        ).start()
        self._say(box, "started", pid=process.pid, again=again)
        for order in self._standing.get(child.name, ()):
            _write(box, order)

    def _take(self, box: SupervisedProcess, event: Event | None) -> None:
        if event is None:
            box.drained = True
            return
        box.heard = time.monotonic()
        if box.quiet:
            box.quiet = False
            self._say(box, "clear", code="quiet", text=f"{box.child.name} works again")
        box.done |= event.get("event") == "done"
        if event.get("event") == "ready" and not box.ready:
            box.ready = True
            if box.child.name in self._was_ready:
                self._say(box, "clear", code="gone", text=f"{box.child.name} is back")
            self._was_ready.add(box.child.name)
        self._hear(box.child.name, event)
        if box.ready and self._waiting:
            waiting, self._waiting = self._waiting, []
            self.start(*waiting)

    def _watch(self) -> None:
        now = time.monotonic()
        for box in list(self._boxes.values()):
            if box.ended:
                continue
            code = box.process.poll()
            if code is None:
                self._listen(box, now)
                continue
            box.exited = box.exited or now
            if box.drained or now - box.exited > DRAINED:
                box.ended = True
                _hang_up(box)
                self._ended(box, code)
        for name, (when, child) in list(self._due.items()):
            if now >= when:
                del self._due[name]
                self._launch(child, again=True)

    def _listen(self, box: SupervisedProcess, now: float) -> None:
        silence, name = now - box.heard, box.child.name
        if not box.ready or box.asked or silence < QUIET:
            return
        if not box.quiet:
            box.quiet = True
            text = f"{name} has said nothing for {QUIET:g} s; is the computer overloaded?"
            self._say(box, "alarm", level="amber", code="quiet", text=text)
        if box.child.hang is not None and silence > box.child.hang:
            _kill(box)

    def _ended(self, box: SupervisedProcess, code: int) -> None:
        child, name = box.child, box.child.name
        self._say(box, "ended", code=code)
        if box.asked:
            return
        how = f"was killed (signal {-code})" if code < 0 else f"ended with exit code {code}"
        said = last_line(box.log).removeprefix(f"rtbci {name}: ")
        refused = code in SORRY
        if code == 0 and not child.restart:
            return
        if child.essential or (refused and name not in self._was_ready):
            sentence = said if code > 0 and said else f"{name} {how}; see {box.log}"
            self.failure = self.failure or Failure(name, code if refused else 1, sentence)
        elif refused or not child.restart:
            self._say(box, "alarm", level="red", code="gone", text=f"{name} {how}: {said}")
        else:
            pause = self._pause(name)
            when = f"again in {pause:g} s" if pause else "again now"
            text = f"{name} {how}; it is started {when} (see {box.log})"
            self._say(box, "alarm", level="red", code="gone", text=text)
            self._due[name] = (time.monotonic() + pause, child)

    def _pause(self, name: str) -> float:
        since = time.monotonic() - RECENT
        recent = self._starts[name] = [each for each in self._starts[name] if each > since]
        return 0.0 if len(recent) <= SWIFT else min(2.0 ** (len(recent) - SWIFT), LONGEST_PAUSE)

    def _say(self, box: SupervisedProcess, kind: str, **fields: object) -> None:
        self._hear(box.child.name, messages.event(kind, box.child.name, **fields))


def run(
    children: Iterable[ProcessSpec], hear: Hear, logs: Path, until: Callable[[Supervisor], bool]
) -> Failure | None:
    """Keep ``children`` running until ``until(crew)`` or one of them makes it senseless.

    Whatever still runs then is ended. Returns why it could not go on, or None.
    """
    with Supervisor(hear, logs) as crew:
        crew.start(*children)
        while crew.failure is None and not until(crew):
            crew.pump(TICK)
        return crew.failure


def last_line(path: Path) -> str:
    """The last line of a log that says something; "" where there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 4096))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _read(
    box: SupervisedProcess, lines: "queue.SimpleQueue[tuple[SupervisedProcess, Event | None]]"
) -> None:
    assert box.process.stdout is not None
    with suppress(OSError, ValueError):
        while line := box.process.stdout.readline(LONGEST_LINE):
            with suppress(ValueError):  # what is no JSON object is no event
                event = json.loads(line)
                if isinstance(event, dict):
                    lines.put((box, event))
        box.process.stdout.close()
    lines.put((box, None))


def _write(box: SupervisedProcess, order: Event) -> None:
    """Never blocks for long: orders are short, and a pipe holds hundreds of them."""
    assert box.process.stdin is not None
    with suppress(OSError, ValueError):  # it is gone, or is asked to go
        box.process.stdin.write(messages.line(order).encode() + b"\n")
        box.process.stdin.flush()


def _hang_up(box: SupervisedProcess) -> None:
    assert box.process.stdin is not None
    with suppress(OSError):
        box.process.stdin.close()


def _signal(box: SupervisedProcess, number: int) -> None:
    if box.process.poll() is None:
        with suppress(OSError):
            box.process.send_signal(number)


def _kill(box: SupervisedProcess) -> None:
    """The box and what it started itself: it leads a process group of its own."""
    with suppress(OSError):
        os.killpg(box.process.pid, signal.SIGKILL)
