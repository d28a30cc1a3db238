"""A session over the bus: which boxes it has, what they decide, and how it ends.

``rtbci replay`` and ``rtbci live`` are the same session with and without a ``stream`` box. The
supervisor itself holds no connection to the bus: everything comes over the boxes' stdout.
"""

import argparse
import contextlib
import hashlib
import platform
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Protocol

import psutil

from rtbci import __version__, messages
from rtbci.decoding.bundle import Bundle
from rtbci.decoding.offline import RunCounts, count
from rtbci.errors import RtbciError
from rtbci.session import control
from rtbci.session.control import Request, Server, SessionEntry
from rtbci.session.folder import RECORDING, SessionFolder
from rtbci.session.processes import Bus
from rtbci.session.supervisor import TICK, Event, Failure, ProcessSpec, Supervisor
from rtbci.signal.liveness import is_repeated_silence
from rtbci.statistics.delays import KEYS, Delays

ENDS = {"decode": 8.0, "record": 3.0, "stream": 1.0}  # s for what is still on its way, in order
HURRY = {"decode": 1.2, "record": 1.4, "stream": 0.2}  # s, where a person wants to stop now
NEWS = ("ready", "start", "status", "end")  # what somebody who comes late has to know
LONGEST_NOTE = 2000  # characters
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def failed(failure: Failure) -> RtbciError:
    """The error with which a command ends whose session could not go on."""
    error = RtbciError(failure.sentence)
    error.exit_code = failure.code
    return error


def config_of(args: argparse.Namespace, bus: Bus, bundle: Bundle) -> dict[str, object]:
    """What ``session.json`` says of the command, its options and what it runs with."""
    options = {name: value for name, value in vars(args).items() if name != "command"}
    assert bundle.path is None or bundle.path.is_dir()
    files = ("subject.json", "weights.safetensors")
    hashes = {
        name: hashlib.sha256((bundle.path / name).read_bytes()).hexdigest()
        for name in files
        if bundle.path is not None
    }
    return {
        "format": "rtbci session", "version": 1, "command": args.command, "options": options,
        "subject": bundle.subject, "bundle_sha256": hashes,
        "lsl_session": bus.session, "lsl_scope": bus.scope,
        "versions": {
            "rtbci": __version__, "python": platform.python_version(),
            **{name: version(name) for name in ("numpy", "pylsl")},
        },
    }  # fmt: skip


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


@dataclass
class SessionResult:
    """How a session went, beside its decisions."""

    folder: Path
    collector: DecisionCollector
    seen: int | None = None  # samples of the last recording, once it was played to its end
    lost: int = 0  # samples that did not arrive
    recordings: tuple[str, ...] = ()  # files that the recorder wrote
    stopped: int | None = None  # by whom: see ``Session``
    failure: Failure | None = None

    def exit_code(self) -> int:
        """0, or that of the signal which stopped it; raises the error that broke it off."""
        if self.failure is not None:
            raise failed(self.failure)
        return 128 + self.stopped if self.stopped else 0

    def fields(self) -> dict[str, object]:
        """What the summary says beyond that of a replay in process."""
        return {
            "lost_samples": self.lost,
            "latency_ms": self.collector.delays.summary(),
            "recording": self.recordings[0] if self.recordings else None,
        }


class Session:
    """Boxes, folder, control socket and screen of one running session; a context.

    ``stopped`` says who asked for the end: a signal's number, 0 for ``rtbci stop``.
    """

    def __init__(
        self, folder: SessionFolder, bus: Bus, view: SessionView, collector: DecisionCollector
    ) -> None:
        self.folder, self.bus, self.view, self.collector = folder, bus, view, collector
        self.stopped: int | None = None
        self.paused = False  # by a person; a decoder that is started anew is told again
        self.ending = False  # silence is expected: alarms are kept, not shown
        self.said: dict[tuple[str, str], Event] = {}  # the latest of each kind from each box
        self.alarms: dict[tuple[str, str], Event] = {}
        self._shown: set[tuple[str, str]] = set()  # alarms that somebody read
        self.crew = Supervisor(self._hear, folder.logs, self._answer)
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
        self.crew.dismiss()
        self.folder.events.add("closed", recordings=self.parts())
        self.server.close()
        control.unregister(self.entry)

    def start(self, *children: ProcessSpec) -> None:
        """Start boxes."""
        self.crew.start(*children)

    def until(self, condition: Callable[[], bool], seconds: float = float("inf")) -> bool:
        """Keep the session going until ``condition``; False if it was stopped, broke or is late."""
        end = time.monotonic() + seconds
        while not condition():
            if self.stopped is not None or self.crew.failure or time.monotonic() > end:
                return False
            self.crew.pump(TICK)
        return True

    def close_down(self, index: int | None = None) -> None:
        """End everything, first who reads, last who writes: nothing on its way is lost.

        ``index`` is how many samples the decoder should have seen; without it the end is now.
        """
        self.ending = True
        hurry = self.stopped is not None or index is None
        last = {"index": index} if index is not None and not hurry else {}
        for box, seconds in (HURRY if hurry else ENDS).items():
            self.crew.finish(box, seconds, "finish", **(last if box == "decode" else {}))
        self.crew.gather()

    def heard(self, box: str, kind: str) -> Event:
        """The latest event of a kind from a box; empty where there was none."""
        return self.said.get((box, kind), {})

    def counter(self, box: str, name: str) -> int | None:
        """A box's counter as it said last."""
        for kind in ("done", "status"):
            value = self.heard(box, kind).get(name)
            if isinstance(value, int):
                return value
        return None

    def parts(self) -> list[str]:
        """The recording's files, in order."""
        return sorted(str(path) for path in self.folder.path.glob(f"{RECORDING[:-4]}*.xdf"))

    def status(self) -> dict[str, object]:
        """What runs, for whoever asks over the control socket."""
        crew = self.crew
        boxes = {name: {"pid": crew.pid(name), "works": crew.works(name)} for name in crew.names()}
        return {
            "event": "session", "id": self.entry.id, "folder": self.entry.folder, "boxes": boxes,
            "decisions": len(self.collector.tally.decisions),
            "alarms": list(self.alarms.values()), "recordings": self.parts(),
            "paused": self.paused,
            "said": [each for (_, kind), each in self.said.items() if kind in NEWS],
        }  # fmt: skip

    def _hear(self, box: str, event: Event) -> None:
        kind = str(event.get("event"))
        self.said[box, kind] = event
        if kind == "decision":
            shown = self.collector.take(event)
            if shown is not None:
                self.view.decision(shown)
                self.server.tell(shown)
            return
        if kind in ("alarm", "clear"):
            self._trouble(box, event)
        if kind != "status":
            self.folder.events.add(kind, **{k: v for k, v in event.items() if k != "event"})
        if kind == "started" and box == "record":
            self._register_recorder(event)
        if kind == "ready" and box == "decode" and self.paused:
            self.crew.tell("decode", "pause")
        self.server.tell(event)

    def _trouble(self, box: str, event: Event) -> None:
        code = (box, str(event.get("code")))
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

    def _register_recorder(self, event: Event) -> None:
        pid = event.get("pid")
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid if isinstance(pid, int) else -1)
            self.adopt(process)

    def adopt(self, recorder: psutil.Process) -> None:
        """Tell ``rtbci stop`` which process records."""
        self.entry = replace(
            self.entry, recorder_pid=recorder.pid, recorder_created=recorder.create_time()
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
        self.crew.tell("decode", do)
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

    before = [(number, signal.signal(number, wish)) for number in SIGNALS]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)
