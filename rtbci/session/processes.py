"""The boxes of a session and the commands that start them: the only place that knows both."""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from rtbci.session.supervisor import ProcessSpec

CHILD = ("--control", "stdin", "--json")  # options of every box
IDLE_VARIABLE = "RTBCI_RECORDER_IDLE"  # s of silence that end a recorder left alone, for tests
HANG = 15.0  # s of silence after which the decoder is killed and started anew
RECORDER_MERCY = 10.0  # s between SIGTERM and SIGKILL
ALONE_LOOK = 0.2  # s a decoder looks for twins of its stream where there can be none


@dataclass(frozen=True)
class Bus:
    """The part of the lab's network that a session uses; None as LSL is configured."""

    session: str | None = None
    scope: str | None = None
    is_private: bool = False  # made for one session: nothing but its own streams can be there

    @property
    def words(self) -> tuple[str, ...]:
        """As options of a box."""
        session = ("--lsl-session", self.session) if self.session else ()
        return (*session, *(("--lsl-scope", self.scope) if self.scope else ()))


def private_bus(scope: str | None = None) -> Bus:
    """A bus that no other program of the lab sees, on this machine unless ``scope`` says more."""
    return Bus(f"rtbci-{secrets.token_hex(4)}", scope or "machine", is_private=True)


def record_child(bus: Bus, out: Path, streams: tuple[str, ...] = ()) -> ProcessSpec:
    """Writes every stream of the bus, or those named, to ``out``."""
    chosen = tuple(word for name in streams for word in ("--stream", name))
    idle = os.environ.get(IDLE_VARIABLE)
    words = ("--idle", idle) if idle else ()
    return ProcessSpec(
        "record",
        ("record", "--out", str(out), *chosen, *words, *CHILD, *bus.words),
        restart=True,
        again=("--continue",),
        mercy=RECORDER_MERCY,
    )


def decode_child(bus: Bus, bundle: Path, *more: str) -> ProcessSpec:
    """Decides with ``bundle``; ``more`` are options of ``rtbci decode``."""
    look = ("--look", f"{ALONE_LOOK:g}") if bus.is_private else ()
    words = ("decode", "--bundle", str(bundle), *look, *more, *CHILD, *bus.words)
    return ProcessSpec("decode", words, restart=True, hang=HANG)


def stream_child(bus: Bus, file: Path, speed: float, *more: str) -> ProcessSpec:
    """Stands in for cap and person; ``more`` are options of ``rtbci stream``."""
    words = ("stream", str(file), "--speed", f"{speed:g}", *more, *CHILD, *bus.words)
    return ProcessSpec("stream", words, essential=True)
