"""Starts the processes of a session, watches them, restarts those that may, stops them safely.

Every process prints JSON lines (``rtbci.process``) and obeys JSON lines on its stdin. The end of
its stdin means that the supervisor is gone. The states of ``ProcessState``:

    start()          its needs are ready               event Ready          silent for QUIET s
      --> WAITING ------------------------> STARTING --------------> READY <------------> QUIET
                                             ^    |                    |    any line        |
                                             |    +--------------------+--------------------+
                            after a pause    |                         |
                                             |         +---------------+---------------+
                                             |         | ends by itself, or is killed  | finish(),
                                             |         v                               v stop_all()
                                         RESTARTING <--+--> FAILED                  ENDING
                                        (if it may)    |   (an error code)             |
                                                       +--> ENDED <--------------------+
                                                           (code 0)
    adopt()                                 is gone
      --> ADOPTED (of a killed supervisor) --------> STARTING

The supervisor does not know the purpose of a session: events go to ``on_event``, in the thread
that calls ``pump``, the only one that may call a supervisor.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rtbci.messages import Alarm, Clear, Done, Ended, Event, Finish, Order, Ready, Started
from rtbci.session.supervised import (
    OVER,
    RUNNING,
    AdoptedProcess,
    Lines,
    ProcessSpec,
    ProcessState,
    SupervisedProcess,
    last_line,
    launch,
)

OnEvent = Callable[[str, Event], None]

TICK = 0.05  # s between two checks of the processes
QUIET = 2.0  # s without a line from a ready process before an alarm (they report every second)
SWIFT = 5  # restarts within RECENT without a pause; after that the pause doubles
RECENT = 60.0  # s
LONGEST_PAUSE = 30.0  # s between two starts
DRAINED = 1.0  # s that the last lines of an ended process may take
EXPLAINED_EXITS = (2, 3, 4)  # exit codes of errors that a restart cannot mend


@dataclass(frozen=True)
class Failure:
    """Reason why a session cannot go on."""

    process: str
    code: int
    sentence: str


class Supervisor:
    """Starts, watches and ends the processes of one session.

    ``on_event(name, event)`` gets every event of every process and, under the same name, those of
    the supervisor itself: ``Started``, ``Ended``, ``Alarm`` and ``Clear``. ``meanwhile`` is called
    whenever the processes are checked. As a context it leaves no process.
    """

    def __init__(
        self, on_event: OnEvent, logs: Path, meanwhile: Callable[[], None] | None = None
    ) -> None:
        self.failure: Failure | None = None
        self._on_event, self._logs, self._meanwhile = on_event, logs, meanwhile
        self._lines: Lines = queue.SimpleQueue()
        self._processes: dict[str, SupervisedProcess] = {}
        self._adopted: dict[str, tuple[ProcessSpec, AdoptedProcess]] = {}
        self._waiting: list[ProcessSpec] = []  # for what they need
        self._due: dict[str, tuple[float, ProcessSpec]] = {}  # restarts: when, and which
        self._starts: dict[str, list[float]] = {}
        self._standing: dict[str, list[Order]] = {}  # orders that a restarted process gets again
        self._was_ready: set[str] = set()

    def __enter__(self) -> "Supervisor":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_all()

    def start(self, *specs: ProcessSpec, again: bool = False) -> None:
        """Start processes, each when those it needs are ready; ``again`` as on a restart."""
        for spec in specs:
            self._standing.pop(spec.name, None)
            if all(self.works(name) for name in spec.needs):
                self._launch(spec, again)
            else:
                self._waiting.append(spec)

    def adopt(self, spec: ProcessSpec, process: AdoptedProcess) -> None:
        """Take on a process of a killed supervisor; when it ends, ``spec`` is started."""
        self._adopted[spec.name] = spec, process

    def state(self, name: str) -> ProcessState | None:
        """State of a process, or None if it was never named."""
        if name in self._adopted:
            return ProcessState.ADOPTED
        if name in self._due:
            return ProcessState.RESTARTING
        if any(spec.name == name for spec in self._waiting):
            return ProcessState.WAITING
        process = self._processes.get(name)
        return process.state if process else None

    def pid(self, name: str) -> int | None:
        """Process id, or None if it does not run."""
        process = self._processes.get(name)
        return process.popen.pid if process and process.state in RUNNING else None

    def works(self, name: str) -> bool:
        """Whether the process has reported that it is ready, and still runs."""
        process = self._processes.get(name)
        return process is not None and process.ready and process.state in RUNNING

    def gone(self, name: str) -> bool:
        """Whether the process neither runs nor is about to be started."""
        return self.state(name) in OVER

    def names(self) -> list[str]:
        """Running processes in the order of their start, without adopted ones."""
        return [name for name, each in self._processes.items() if each.state in RUNNING]

    def is_idle(self) -> bool:
        """Whether no process runs or is about to be started."""
        return not (self.names() or self._due or self._waiting or self._adopted)

    def tell(self, name: str, order: Order, *, standing: bool = False) -> None:
        """Send an order to a process; a ``standing`` one is repeated after every restart."""
        if standing:
            self._standing.setdefault(name, []).append(order)
        if name in self._processes:
            self._processes[name].write(order)

    def pump(self, seconds: float) -> None:
        """Pass on events and check the processes, for ``seconds`` or until an event."""
        wait = seconds
        while True:
            with suppress(queue.Empty):
                process, event = self._lines.get(timeout=min(max(wait, 0.0), TICK))
                wait = 0.0
                self._take(process, event)
                continue
            self._watch()
            if self._meanwhile is not None:
                self._meanwhile()
            wait -= TICK
            if wait <= 0:
                return

    def finish(
        self,
        name: str,
        seconds: float,
        order: Finish | None = None,
        hold: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Ask a process to end and wait until it has done its work; SIGTERM after ``seconds``, or
        when ``hold`` no longer returns True.

        Returns whether it did. It may need a second more to exit: see ``wait``. A process that
        waits for its start or restart is not started; an adopted one gets SIGTERM at once.
        """
        self._waiting = [spec for spec in self._waiting if spec.name != name]
        self._due.pop(name, None)
        if name in self._adopted:
            return self._end_adopted(*self._adopted.pop(name))
        process = self._processes.get(name)
        if process is None or process.ended:
            return True
        process.asked = True
        process.write(order or Finish())
        until = time.monotonic() + seconds
        while not (process.done or process.ended) and (time.monotonic() < until or hold()):
            self.pump(TICK)
        if not (process.done or process.ended):
            process.terminate()
        return process.done or process.popen.returncode == 0

    def terminate(self, name: str) -> None:
        """SIGTERM to a process, if it runs."""
        if name in self._processes:
            self._processes[name].terminate()

    def wait(self, names: Iterable[str] | None = None) -> None:
        """Wait until processes that were asked to end have exited; SIGKILL after their timeout."""
        left = [self._processes[name] for name in names or self.names() if name in self._processes]
        began = time.monotonic()
        while left := [each for each in left if each.asked and not each.ended]:
            for each in left:
                if time.monotonic() - began > each.spec.kill_timeout:
                    each.kill()
            self.pump(TICK)

    def stop_all(self) -> None:
        """End everything that was started here, all at the same time; adopted processes go on."""
        self._waiting.clear()
        self._due.clear()
        self._adopted.clear()
        for name in self.names():
            process = self._processes[name]
            process.asked = True
            process.terminate()
            process.close_stdin()
        self.wait()

    def _launch(self, spec: ProcessSpec, again: bool = False) -> None:
        process = launch(spec, self._logs, again)
        self._processes.pop(spec.name, None)  # to the end of the order
        self._processes[spec.name] = process
        self._starts.setdefault(spec.name, []).append(time.monotonic())
        threading.Thread(
            target=process.read, args=(self._lines,), name=f"read {spec.name}", daemon=True
        ).start()
        self._report(Started(process.popen.pid, again, box=spec.name))
        for order in self._standing.get(spec.name, ()):
            process.write(order)

    def _end_adopted(self, spec: ProcessSpec, process: AdoptedProcess) -> bool:
        process.terminate()
        until = time.monotonic() + spec.kill_timeout
        while process.is_running and time.monotonic() < until:
            self.pump(TICK)
        return not process.is_running

    def _take(self, process: SupervisedProcess, event: Event | None) -> None:
        if event is None:
            process.drained = True
            return
        name = process.spec.name
        process.heard = time.monotonic()
        if process.quiet:
            process.quiet = False
            self._report(Clear("quiet", f"{name} works again", box=name))
        process.done |= isinstance(event, Done)
        if isinstance(event, Ready) and not process.ready:
            process.ready = True
            if name in self._was_ready:
                self._report(Clear("gone", f"{name} is back", box=name))
            self._was_ready.add(name)
        self._on_event(name, event)
        if process.ready and self._waiting:
            waiting, self._waiting = self._waiting, []
            self.start(*waiting)

    def _watch(self) -> None:
        now = time.monotonic()
        for process in list(self._processes.values()):
            if process.ended:
                continue
            code = process.popen.poll()
            if code is None:
                self._watch_silence(process, now)
                continue
            process.exited = process.exited or now
            if process.drained or now - process.exited > DRAINED:
                process.ended = True
                process.close_stdin()
                self._ended(process, code)
        for name, (when, spec) in list(self._due.items()):
            if now >= when:
                del self._due[name]
                self._launch(spec, again=True)
        for name, (spec, adopted) in list(self._adopted.items()):
            if not adopted.is_running:
                del self._adopted[name]
                self._launch(spec, again=True)

    def _watch_silence(self, process: SupervisedProcess, now: float) -> None:
        silence, name = now - process.heard, process.spec.name
        if not process.ready or process.asked or silence < QUIET:
            return
        if not process.quiet:
            process.quiet = True
            text = f"{name} has said nothing for {QUIET:g} s; is the computer overloaded?"
            self._report(Alarm("amber", "quiet", text, box=name))
        if process.spec.hang is not None and silence > process.spec.hang:
            process.kill()

    def _ended(self, process: SupervisedProcess, code: int) -> None:
        spec, name = process.spec, process.spec.name
        self._report(Ended(code, box=name))
        if process.asked or (code == 0 and not spec.restart):
            return
        how = f"was killed (signal {-code})" if code < 0 else f"ended with exit code {code}"
        said = last_line(process.log).removeprefix(f"rtbci {name}: ")
        explained = code in EXPLAINED_EXITS
        if spec.essential or (explained and name not in self._was_ready):
            process.failed = True
            sentence = said if code > 0 and said else f"{name} {how}; see {process.log}"
            self.failure = self.failure or Failure(name, code if explained else 1, sentence)
        elif explained or not spec.restart:
            process.failed = True
            self._report(Alarm("red", "gone", f"{name} {how}: {said}", box=name))
        else:
            pause = self._pause(name)
            when = f"again in {pause:g} s" if pause else "again now"
            text = f"{name} {how}; it is started {when} (see {process.log})"
            self._report(Alarm("red", "gone", text, box=name))
            self._due[name] = (time.monotonic() + pause, spec)

    def _pause(self, name: str) -> float:
        since = time.monotonic() - RECENT
        recent = self._starts[name] = [each for each in self._starts[name] if each > since]
        return 0.0 if len(recent) <= SWIFT else min(2.0 ** (len(recent) - SWIFT), LONGEST_PAUSE)

    def _report(self, event: Event) -> None:
        self._on_event(event.box, event)
