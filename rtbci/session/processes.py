"""Processes of a session and the commands that start them; no other file knows both."""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from rtbci.session.supervised import ProcessSpec

SUPERVISED = ("--control", "stdin", "--json")  # options of every process
IDLE_VARIABLE = "RTBCI_RECORDER_IDLE"  # s of silence that end an orphaned recorder, for tests
HANG = 15.0  # s of silence after which the decoder is killed and restarted
RECORDER_KILL_TIMEOUT = 10.0  # s between SIGTERM and SIGKILL
ALONE_LOOK = 0.2  # s that a decoder looks for twins of its stream on a private bus


@dataclass(frozen=True)
class Bus:
    """Part of the lab's network that a session uses; None is the configuration of LSL."""

    session: str | None = None
    scope: str | None = None
    is_private: bool = False  # made for one session: it has no other streams

    @property
    def words(self) -> tuple[str, ...]:
        """Bus as options of a process."""
        session = ("--lsl-session", self.session) if self.session else ()
        return (*session, *(("--lsl-scope", self.scope) if self.scope else ()))


def private_bus(scope: str | None = None) -> Bus:
    """Bus that no other program of the lab sees, on this machine unless ``scope`` is given."""
    return Bus(f"rtbci-{secrets.token_hex(4)}", scope or "machine", is_private=True)


def record_process(bus: Bus, out: Path, spool: Path | None = None) -> ProcessSpec:
    """Recorder of all streams of the bus to the file ``out``; it goes on in the folder ``spool`` if
    the disk takes nothing more."""
    elsewhere = ("--fallback", str(spool)) if spool else ()
    idle = os.environ.get(IDLE_VARIABLE)
    words = ("--idle", idle) if idle else ()
    return ProcessSpec(
        "record",
        ("record", "--out", str(out), *elsewhere, *words, *SUPERVISED, *bus.words),
        restart=True,
        again=("--continue",),
        kill_timeout=RECORDER_KILL_TIMEOUT,
    )


def decode_process(bus: Bus, bundle: Path, *more: str) -> ProcessSpec:
    """Decoder with ``bundle``; ``more`` are options of ``rtbci decode``."""
    look = ("--look", f"{ALONE_LOOK:g}") if bus.is_private else ()
    words = ("decode", "--bundle", str(bundle), *look, *more, *SUPERVISED, *bus.words)
    return ProcessSpec("decode", words, restart=True, hang=HANG)


def stream_process(bus: Bus, file: Path, speed: float, *more: str) -> ProcessSpec:
    """Player of a recording; ``more`` are options of ``rtbci stream``."""
    words = ("stream", str(file), "--speed", f"{speed:g}", *more, *SUPERVISED, *bus.words)
    return ProcessSpec("stream", words, essential=True)
