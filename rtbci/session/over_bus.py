"""A session while it runs: its processes, what they decide, and how people talk to it.

The session itself holds no connection to the bus: everything comes over the stdout of its
processes.
"""

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import FrameType
from typing import Protocol

import psutil

from rtbci import messages
from rtbci.decoding.offline import RunCounts, count
from rtbci.session import control
from rtbci.session.control import Request, Server, SessionEntry
from rtbci.session.folder import RECORDING, SessionFolder
from rtbci.session.processes import Bus
from rtbci.session.supervised import AdoptedProcess, Event, ProcessSpec
from rtbci.session.supervisor import TICK, Supervisor
from rtbci.signal.liveness import is_repeated_silence
from rtbci.statistics.delays import KEYS, Delays

FINISH_S = {"decode": 8.0, "record": 3.0, "stream": 1.0}  # s for what is still on its way, in order
FINISH_SOON_S = {"decode": 1.2, "record": 1.4, "stream": 0.2}  # s, where a person wants to stop now
NEWS = ("ready", "start", "status", "end")  # what somebody who comes late has to know
LONGEST_NOTE = 2000  # characters
SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")  # by name: not every system has the last


class SessionView(Protocol):
    """Where a session is shown; ``rtbci.session.view`` has the lines of a terminal."""

    def decision(self, values: Event) -> None:
        """A decision as ``messages.decision_json`` gives it."""
        ...

    def trouble(self, event: Event) -> None:
        """An alarm, or the end of one."""
        ...

    def progress(self, seconds: float, total: float | None) -> None:
        """How much of the signal was decoded."""
        ...


@dataclass
class DecisionCollector:
    """Counts what the decoder says; the pure rules of a replay apply here as in process."""

    tally: RunCounts
    delays: Delays = field(default_factory=Delays)
    after: int | None = None  # onsets before it do not count
    dead: str | None = None  # why nothing of this recording may be decided
    more: dict[str, object] = field(default_factory=dict)  # for every decision, e.g. its file

    def begin(self, after: int | None, dead: Mapping[str, str], **more: object) -> None:
        """A new recording."""
        reasons = ", ".join(f"{name} {why}" for name, why in dead.items())
        self.dead = f"no reliable signal: {reasons}" if reasons else None
        self.after, self.more = after, more

    def take(self, event: Event) -> dict[str, object] | None:
        """Count a decision; returns it as it is shown, None where it does not count."""
        try:
            decision = messages.read_decision(event)
        except ValueError:
            return None
        if self.dead is not None and decision.rejected is None:  # it was decided before it knew
            decision = replace(decision, label=None, probabilities={}, rejected=self.dead)
        if not count(decision, self.tally, self.after):
            return None
        took = event.get("latency_ms")
        if isinstance(took, dict) and all(isinstance(took.get(s), int | float) for s in KEYS):
            self.delays.add(*(float(took[stage]) for stage in KEYS))
        bus = {name: event[name] for name in ("stamp", "latency_ms") if name in event}
        return messages.decision_json(decision, **bus, **self.more)


class Session:
    """Processes, folder, control socket and view of one running session; a context.

    ``stopped`` says who asked for the end: a signal's number, 0 for ``rtbci stop``.
    """

    def __init__(
        self, folder: SessionFolder, bus: Bus, view: SessionView, collector: DecisionCollector
    ) -> None:
        self.folder, self.bus, self.view, self.collector = folder, bus, view, collector
        self.stopped: int | None = None
        self.paused = False  # by a person; a decoder that is started anew is told again
        self.ending = False  # silence is expected: alarms are kept, not shown
        self.said: dict[tuple[str, str], Event] = {}  # the latest of each kind from each process
        self.alarms: dict[tuple[str, str], Event] = {}
        self._shown: set[tuple[str, str]] = set()  # alarms that somebody read
        self.supervisor = Supervisor(self._on_event, folder.logs, self._answer)
        me = psutil.Process()
        self.server = Server()
        self.entry = SessionEntry(
            id=folder.path.name, lsl_session=bus.session, pid=me.pid, created=me.create_time(),
            folder=str(folder.path.resolve()), address=self.server.address,
            key_file=str(self.server.key_file),
        )  # fmt: skip
        control.register(self.entry)
        self._answers: dict[str, Callable[[Event], Mapping[str, object]]] = {
            "status": lambda _: self.status(),
            "stop": self._stop,
            "pause": lambda _: self._pause(True),
            "resume": lambda _: self._pause(False),
            "marker": lambda order: self._note("marker", order),
            "note": lambda order: self._note("note", order),
        }

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        self.supervisor.stop_all()
        self.folder.events.add("closed", recordings=self.recordings())
        self.server.close()
        control.unregister(self.entry)

    def start(self, *specs: ProcessSpec, again: bool = False) -> None:
        """Start processes; ``again`` as after a crash."""
        self.supervisor.start(*specs, again=again)

    def until(self, condition: Callable[[], bool], seconds: float = float("inf")) -> bool:
        """Keep the session going until ``condition``; False if it was stopped, broke or is late."""
        end = time.monotonic() + seconds
        while not condition():
            if self.stopped is not None or self.supervisor.failure or time.monotonic() > end:
                return False
            self.supervisor.pump(TICK)
        return True

    def close_down(self, index: int | None = None) -> None:
        """End everything, first who reads, last who writes: nothing on its way is lost.

        ``index`` is how many samples the decoder should have seen; without it the end is now.
        """
        self.ending = True
        hurry = self.stopped is not None or index is None
        last = {"index": index} if index is not None and not hurry else {}
        for name, seconds in (FINISH_SOON_S if hurry else FINISH_S).items():
            self.supervisor.finish(name, seconds, "finish", **(last if name == "decode" else {}))
        self.supervisor.wait()

    def heard(self, process: str, kind: str) -> Event:
        """The latest event of a kind from a process; empty if there was none."""
        return self.said.get((process, kind), {})

    def counter(self, process: str, name: str) -> int | None:
        """A counter of a process as it said last."""
        for kind in ("done", "status"):
            value = self.heard(process, kind).get(name)
            if isinstance(value, int):
                return value
        return None

    def recordings(self) -> list[str]:
        """The recording's files, in order."""
        return sorted(str(path) for path in self.folder.path.glob(f"{RECORDING[:-4]}*.xdf"))

    def status(self) -> dict[str, object]:
        """What runs, for whoever asks over the control socket."""
        supervisor = self.supervisor
        processes = {
            name: {"pid": supervisor.pid(name), "works": supervisor.works(name)}
            for name in supervisor.names()
        }
        return {
            "event": "session", "id": self.entry.id, "folder": self.entry.folder,
            "boxes": processes,
            "decisions": len(self.collector.tally.decisions),
            "alarms": list(self.alarms.values()), "recordings": self.recordings(),
            "paused": self.paused,
            "said": [each for (_, kind), each in self.said.items() if kind in NEWS],
        }  # fmt: skip

    def _on_event(self, process: str, event: Event) -> None:
        kind = str(event.get("event"))
        self.said[process, kind] = event
        if kind == "decision":
            shown = self.collector.take(event)
            if shown is not None:
                self.view.decision(shown)
                self.server.tell(shown)
            return
        if kind in ("alarm", "clear"):
            self._trouble(process, event)
        if kind != "status":
            self.folder.events.add(kind, **{k: v for k, v in event.items() if k != "event"})
        if kind == "started" and process == "record":
            self._register_recorder(event.get("pid"))
        if kind == "ready" and process == "decode" and self.paused:
            self.supervisor.tell("decode", "pause")
        self.server.tell(event)

    def _trouble(self, process: str, event: Event) -> None:
        code = (process, str(event.get("code")))
        if event.get("event") == "alarm":
            self.alarms[code] = event
        else:
            self.alarms.pop(code, None)
            if code not in self._shown:
                return
        decoded = self.said.get(("decode", "ready"), {}).get("stream")
        if is_repeated_silence(*code, decoded):
            return
        if not self.ending:
            self._shown.add(code)
            self.view.trouble(event)

    def adopt(self, spec: ProcessSpec, recorder: AdoptedProcess) -> None:
        """Look after the recorder that a killed supervisor left."""
        self.supervisor.adopt(spec, recorder)
        self._register_recorder(recorder.pid)

    def _register_recorder(self, pid: object) -> None:
        """Tell ``rtbci stop`` which process records."""
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid if isinstance(pid, int) else -1)
            self.entry = replace(
                self.entry, recorder_pid=process.pid, recorder_created=process.create_time()
            )
            control.register(self.entry)

    def _answer(self) -> None:
        for request in self.server.poll():
            request.reply(self._handle(request))

    def _handle(self, request: Request) -> Mapping[str, object]:
        do = request.values.get("do")
        if not isinstance(do, str) or do not in self._answers:
            return {"error": f"cannot {str(do)[:40]!r}; I can {', '.join(self._answers)}"}
        return self._answers[do](request.values)

    def _stop(self, _order: Event) -> Mapping[str, object]:
        self.stopped = 0 if self.stopped is None else self.stopped
        return self.status()

    def _pause(self, paused: bool) -> Mapping[str, object]:
        do = "pause" if paused else "resume"
        self.paused = paused
        self.supervisor.tell("decode", do)
        return self._keep(do)

    def _note(self, kind: str, order: Event) -> Mapping[str, object]:
        """A person's marker or note, of LSL second ``stamp`` and sample ``index``."""
        text = str(order.get("text", ""))[:LONGEST_NOTE]
        when = {key: order[key] for key in ("stamp", "index") if key in order}
        when = {key: value for key, value in when.items() if isinstance(value, int | float)}
        return self._keep(kind, text=text, **when)

    def _keep(self, kind: str, **fields: object) -> Mapping[str, object]:
        self.folder.events.add(kind, **fields)
        self.server.tell({"event": kind, **fields})
        return {"event": kind, **fields}


@contextlib.contextmanager
def signals(session: Session) -> Iterator[None]:
    """Ctrl-C and SIGTERM become a wish of the session; asked twice is asked once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def wish(number: int, _frame: FrameType | None) -> None:
        session.stopped = session.stopped if session.stopped is not None else number

    numbers = [getattr(signal, name) for name in SIGNALS]
    before = [(number, signal.signal(number, wish)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)
