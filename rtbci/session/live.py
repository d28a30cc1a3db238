"""A live session: recorder and decoder on any amplifier, followed or taken over by a terminal."""

import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from rtbci.decoding.bundle import Bundle, load_bundle
from rtbci.decoding.offline import RunCounts
from rtbci.errors import BadInput
from rtbci.session import control
from rtbci.session.control import SessionEntry
from rtbci.session.folder import SessionFolder, create, load_config
from rtbci.session.over_bus import DecisionCollector, Session, SessionResult, SessionView, signals
from rtbci.session.processes import RECORDER_MERCY, Bus, decode_child, record_child
from rtbci.session.screen import open_window


@dataclass(frozen=True)
class LiveSetup:
    """What a live session does."""

    out: Path  # where session folders go
    bus: Bus
    record: bool
    duration: float | None  # s; None: until somebody stops it
    decoding: tuple[str, ...]  # options of ``rtbci decode``
    window: bool = False  # whether a person looks


def live(
    setup: LiveSetup, bundle: Bundle, view: SessionView, config: Mapping[str, object]
) -> SessionResult:
    """Run it until it is stopped, or for its duration."""
    assert bundle.path is not None
    with create(setup.out, bundle.subject) as folder:
        collector = DecisionCollector(RunCounts())
        with Session(folder, setup.bus, view, collector) as running, signals(running):
            folder.write_config(
                {
                    **config,
                    "kind": "live",
                    "bundle": str(bundle.path.resolve()),
                    "decoding": setup.decoding,
                    "record": setup.record,
                }
            )
            if setup.record:
                running.start(record_child(setup.bus, folder.recording))
            running.start(decode_child(setup.bus, bundle.path, *setup.decoding))
            if setup.window:
                open_window(folder.path.name, folder.logs)
            return _run(running, setup.duration, lambda: None)


def take_over(
    path: Path, entry: SessionEntry | None, view: SessionView, duration: float | None
) -> tuple[SessionResult, Bundle]:
    """Decode again in a session whose supervisor was killed, and look after its recorder.

    Without an ``entry`` the recorder is gone too; a new one goes on in a new part.
    """
    config = load_config(path)
    if config.get("kind") != "live":
        raise BadInput(
            f"{path.name} was a replay: what it played ended with it; rtbci stop closes its file"
        )
    bundle = load_bundle(str(config.get("bundle")))
    assert bundle.path is not None
    bus = Bus(_text(config.get("lsl_session")), _text(config.get("lsl_scope")))
    decoding = config.get("decoding")
    words = tuple(map(str, decoding)) if isinstance(decoding, list) else ()
    with SessionFolder(path) as folder:
        if entry is not None:
            control.unregister(entry)
        collector = DecisionCollector(RunCounts())
        with Session(folder, bus, view, collector) as running, signals(running):
            folder.events.add("taken over", before=folder.lock.stale)
            adopted = _process(entry)
            if adopted is not None:
                running.adopt(adopted)
            running.start(decode_child(bus, bundle.path, *words))

            def look_after_recorder() -> None:
                nonlocal adopted
                if adopted is not None and adopted.is_running():
                    return
                adopted = None
                if config.get("record") and running.crew.gone("record"):
                    running.crew.start(record_child(bus, folder.recording), again=True)

            ran = _run(running, duration, look_after_recorder, lambda: _end(adopted))
            return ran, bundle


def follow(entry: SessionEntry, view: SessionView) -> None:
    """Show what a running session says until it ends, or until ctrl-c."""
    for alarm in _alarms(control.ask(entry, "status")):
        view.trouble(alarm)
    for event in control.follow(entry):
        kind = event.get("event")
        if kind == "decision":
            view.decision(event)
        elif kind in ("alarm", "clear"):
            view.trouble(event)


def _run(
    running: Session,
    duration: float | None,
    each_turn: Callable[[], None],
    at_the_end: Callable[[], None] = lambda: None,
) -> SessionResult:
    began = time.monotonic()

    def is_over() -> bool:
        each_turn()
        late = duration is not None and time.monotonic() - began >= duration
        return late or not running.crew.names()

    running.until(is_over)
    running.close_down()
    at_the_end()
    tally = running.collector.tally
    tally.gaps = running.counter("decode", "gaps") or 0
    tally.duplicates = running.counter("decode", "duplicates") or 0
    tally.recordings = 1 if running.counter("decode", "samples") else 0
    return SessionResult(
        running.folder.path, running.collector, lost=running.counter("decode", "missing") or 0,
        recordings=tuple(running.parts()), stopped=running.stopped, failure=running.crew.failure,
    )  # fmt: skip


def _process(entry: SessionEntry | None) -> psutil.Process | None:
    with suppress(psutil.Error):
        if entry is not None and entry.recorder_alive:
            return psutil.Process(entry.recorder_pid)
    return None


def _end(recorder: psutil.Process | None) -> None:
    """An adopted recorder hears no orders, only signals."""
    if recorder is None:
        return
    with suppress(psutil.Error):
        recorder.send_signal(signal.SIGTERM)
        recorder.wait(RECORDER_MERCY)


def _alarms(status: Mapping[str, object]) -> list[dict[str, object]]:
    alarms = status.get("alarms")
    return [each for each in alarms if isinstance(each, dict)] if isinstance(alarms, list) else []


def _text(value: object) -> str | None:
    return None if value is None else str(value)
