"""Session while it runs: its processes, their decisions, and the orders of people.

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
from typing import Protocol, TypeVar

import psutil

from rtbci.decoding.offline import RunCounts, count
from rtbci.messages import (
    Alarm,
    AskReport,
    Clear,
    Closed,
    DecisionMade,
    DecoderDone,
    DecoderReady,
    DecoderStatus,
    Event,
    Finish,
    MarkerSet,
    Message,
    NoteWritten,
    OtherOrder,
    Pause,
    Paused,
    ProcessReport,
    Ready,
    RecorderDone,
    RecorderStatus,
    Refused,
    ReplayEnded,
    ReplayStarted,
    Resume,
    Resumed,
    SessionReport,
    SetMarker,
    Started,
    Status,
    Stop,
    WriteNote,
)
from rtbci.session import control
from rtbci.session.control import Request, Server, SessionEntry
from rtbci.session.folder import RECORDING, SessionFolder
from rtbci.session.processes import Bus
from rtbci.session.supervised import AdoptedProcess, ProcessSpec
from rtbci.session.supervisor import TICK, Supervisor
from rtbci.signal.liveness import is_repeated_silence
from rtbci.statistics.delays import Delays

FINISH_S = {"decode": 8.0, "record": 3.0, "stream": 1.0}  # s for data on their way, in this order
ASK_S = 10.0  # s between two requests to make room for samples that no disk takes
FINISH_SOON_S = {"decode": 1.2, "record": 1.4, "stream": 0.2}  # s, if a person wants to stop now
NEWS = (Ready, ReplayStarted, Status, ReplayEnded)  # events that a late window has to know
ORDERS = (AskReport, Stop, Pause, Resume, SetMarker, WriteNote)  # that a session obeys
LONGEST_NOTE = 2000  # characters
SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")  # by name: not every system has the last

E = TypeVar("E", bound=Event)


class SessionView(Protocol):
    """Display of a session, such as the lines of a terminal in ``rtbci.session.view``."""

    def decision(self, event: DecisionMade) -> None:
        """Show a decision."""
        ...

    def trouble(self, event: Alarm | Clear) -> None:
        """Show an alarm, or the end of one."""
        ...

    def progress(self, seconds: float, total: float | None) -> None:
        """Show how much of the signal was decoded, s."""
        ...


@dataclass
class DecisionCollector:
    """Counts decisions of the decoder, by the same rules as a replay in process."""

    tally: RunCounts
    delays: Delays = field(default_factory=Delays)
    after: int | None = None  # onsets before it do not count
    dead: str | None = None  # why nothing of this recording may be decided
    file: str | None = None  # name of the recording, for every decision

    def begin(self, after: int | None, dead: Mapping[str, str], file: str | None = None) -> None:
        """Begin a new recording."""
        reasons = ", ".join(f"{name} {why}" for name, why in dead.items())
        self.dead = f"no reliable signal: {reasons}" if reasons else None
        self.after, self.file = after, file

    def take(self, event: DecisionMade) -> DecisionMade | None:
        """Count a decision; returns it as it is shown, or None if it does not count."""
        decision = event.decision
        if self.dead is not None and decision.rejected is None:
            # It was decided before the decoder knew.
            decision = replace(decision, label=None, probabilities={}, rejected=self.dead)
        if not count(decision, self.tally, self.after):
            return None
        if event.latency is not None:
            self.delays.add(*event.latency)
        return replace(event, decision=decision, file=self.file)


class Session:
    """Processes, folder, control socket and view of one running session; a context.

    ``stopped`` is the number of the signal that asked for the end, 0 for ``rtbci stop``, or None.
    """

    def __init__(
        self, folder: SessionFolder, bus: Bus, view: SessionView, collector: DecisionCollector
    ) -> None:
        self.folder, self.bus, self.view, self.collector = folder, bus, view, collector
        self.stopped: int | None = None
        self.paused = False  # by a person; a restarted decoder gets the order again
        self.ending = False  # silence is expected: alarms are kept, not shown
        self.given_up = False  # a person does not wait for samples that no disk takes
        self._asked_at = float("-inf")  # when a person was last asked to make room for them
        self.said: dict[tuple[str, str], Event] = {}  # latest of each kind from each process
        self.alarms: dict[tuple[str, str], Alarm] = {}
        self._shown: set[tuple[str, str]] = set()  # alarms that were shown
        self.supervisor = Supervisor(self._on_event, folder.logs, self._answer)
        me = psutil.Process()
        self.server = Server()
        self.entry = SessionEntry(
            id=folder.path.name, lsl_session=bus.session, pid=me.pid, created=me.create_time(),
            folder=str(folder.path.resolve()), address=self.server.address,
            key_file=str(self.server.key_file),
        )  # fmt: skip
        control.register(self.entry)

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        self.supervisor.stop_all()
        self.folder.events.add(Closed(self.recordings(), self.unsaved()))
        self.server.close()
        control.unregister(self.entry)

    def start(self, *specs: ProcessSpec, again: bool = False) -> None:
        """Start processes; ``again`` as after a crash."""
        self.supervisor.start(*specs, again=again)

    def until(self, condition: Callable[[], bool], seconds: float = float("inf")) -> bool:
        """Run until ``condition``; returns False if it was stopped, failed, or took too long."""
        end = time.monotonic() + seconds
        while not condition():
            if self.stopped is not None or self.supervisor.failure or time.monotonic() > end:
                return False
            self.supervisor.pump(TICK)
        return True

    def close_down(self, index: int | None = None) -> None:
        """End everything, readers first and writers last: no data on their way are lost.

        ``index`` is the number of samples that the decoder should have read; None ends it now.
        """
        self.ending = True
        hurry = self.stopped is not None or index is None
        for name, seconds in (FINISH_SOON_S if hurry else FINISH_S).items():
            last = index if name == "decode" and not hurry else None
            hold = self._holds if name == "record" else lambda: False
            self.supervisor.finish(name, seconds, Finish(index=last), hold)
        if self.given_up:
            self.supervisor.terminate("record")  # asked twice, it gives up
        self.supervisor.wait()
        if self.unsaved():
            self.view.trouble(self._loss())

    def unsaved(self) -> int:
        """Bytes of the recording that are not on the disk."""
        done = self.heard("record", RecorderDone)
        if done is not None:
            return done.lost_bytes
        status = self.heard("record", RecorderStatus)
        runs = self.supervisor.works("record")  # and may still write them
        return 0 if runs or status is None else status.waiting_bytes

    def _holds(self) -> bool:
        """Whether to wait for samples that the recorder holds; asks a person to make room."""
        status = self.heard("record", RecorderStatus)
        if self.given_up or status is None or not status.waiting_bytes:
            return False
        now = time.monotonic()
        if now - self._asked_at >= ASK_S:
            self._asked_at = now
            text = (
                f"{status.waiting_bytes / 1e6:.1f} MB of the recording wait in memory: the disk of "
                f"{self.folder.path} takes nothing. Free some space there (another folder: "
                "--spool DIR next time); ctrl-c or rtbci stop gives them up"
            )
            self.view.trouble(Alarm("red", "unsaved", text, box="session"))
        return True

    def _loss(self) -> Alarm:
        text = (
            f"{self.unsaved()} bytes of the recording are LOST: no disk took them before the end; "
            "next time name a second folder with --spool DIR"
        )
        return Alarm("red", "unsaved", text, box="session")

    def ask_to_end(self, who: int) -> None:
        """End the session, as the signal ``who`` or 0 for ``rtbci stop``.

        Asked again while it waits for a disk, it gives up.
        """
        if self._asked_at > float("-inf"):
            self.given_up = True
        self.stopped = who if self.stopped is None else self.stopped

    def heard(self, process: str, kind: type[E]) -> E | None:
        """Latest event of a kind from a process, or None."""
        event = self.said.get((process, kind.KIND))
        return event if isinstance(event, kind) else None

    def duplicates(self) -> int:
        """Repeated markers that the decoder has counted."""
        counted = self.heard("decode", DecoderDone) or self.heard("decode", DecoderStatus)
        return counted.duplicates if counted else 0

    def recordings(self) -> tuple[str, ...]:
        """Files of the recording, in order."""
        here = sorted(str(path) for path in self.folder.path.glob(f"{RECORDING[:-4]}*.xdf"))
        done = self.heard("record", RecorderDone)
        elsewhere = [] if done is None else [part for part in done.parts if part not in here]
        return (*here, *elsewhere)

    def report(self) -> SessionReport:
        """State of the session, for clients of the control socket."""
        supervisor = self.supervisor
        return SessionReport(
            id=self.entry.id,
            folder=self.entry.folder,
            boxes={
                name: ProcessReport(supervisor.pid(name), supervisor.works(name))
                for name in supervisor.names()
            },
            decisions=len(self.collector.tally.decisions),
            alarms=tuple(self.alarms.values()),
            recordings=self.recordings(),
            paused=self.paused,
            said=tuple(each for each in self.said.values() if isinstance(each, NEWS)),
        )

    def _on_event(self, process: str, event: Event) -> None:
        self.said[process, event.kind] = event
        if isinstance(event, DecisionMade):
            shown = self.collector.take(event)
            if shown is not None:
                self.view.decision(shown)
                self.server.tell(shown)
            return
        if isinstance(event, Alarm | Clear):
            self._trouble(process, event)
        if not isinstance(event, Status):
            self.folder.events.add(event)
        match process, event:
            case "record", Started(pid=pid):
                self._register_recorder(pid)
            case "decode", Ready() if self.paused:
                self.supervisor.tell("decode", Pause())
        self.server.tell(event)

    def _trouble(self, process: str, event: Alarm | Clear) -> None:
        code = (process, event.code)
        if isinstance(event, Alarm):
            self.alarms[code] = event
        else:
            self.alarms.pop(code, None)
            if code not in self._shown:
                return
        ready = self.heard("decode", DecoderReady)
        if is_repeated_silence(*code, ready.stream if ready else None):
            return
        if not self.ending:
            self._shown.add(code)
            self.view.trouble(event)

    def adopt(self, spec: ProcessSpec, recorder: AdoptedProcess) -> None:
        """Take on the recorder of a killed supervisor."""
        self.supervisor.adopt(spec, recorder)
        self._register_recorder(recorder.pid)

    def _register_recorder(self, pid: int) -> None:
        """Enter the recorder in the list of sessions, where ``rtbci stop`` looks for it."""
        with contextlib.suppress(psutil.Error, ValueError):
            process = psutil.Process(pid)
            self.entry = replace(
                self.entry, recorder_pid=process.pid, recorder_created=process.create_time()
            )
            control.register(self.entry)

    def _answer(self) -> None:
        for request in self.server.poll():
            request.reply(self._handle(request))

    def _handle(self, request: Request) -> Message:
        match request.order:
            case AskReport():
                return self.report()
            case Stop():
                self.ask_to_end(0)
                return self.report()
            case Pause() | Resume() as order:
                self.paused = isinstance(order, Pause)
                self.supervisor.tell("decode", order)
                return self._keep(Paused() if self.paused else Resumed())
            case SetMarker(text=text, stamp=stamp, index=index):
                return self._keep(MarkerSet(text[:LONGEST_NOTE], stamp=stamp, index=index))
            case WriteNote(text=text, stamp=stamp, index=index):
                return self._keep(NoteWritten(text[:LONGEST_NOTE], stamp=stamp, index=index))
            case OtherOrder(name="marker" | "note" as do):
                return Refused(f"cannot {do!r} without its text; send it as a string")
            case order:
                able = ", ".join(each.KIND for each in ORDERS)
                return Refused(f"cannot {order.kind[:40]!r}; I can {able}")

    def _keep(self, event: Event) -> Event:
        self.folder.events.add(event)
        self.server.tell(event)
        return event


@contextlib.contextmanager
def signals(session: Session) -> Iterator[None]:
    """Context in which Ctrl-C and SIGTERM ask the session to end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def wish(number: int, _frame: FrameType | None) -> None:
        session.ask_to_end(number)

    numbers = [getattr(signal, name) for name in SIGNALS]
    before = [(number, signal.signal(number, wish)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)
