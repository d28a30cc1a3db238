"""Specs of the kinds of sessions: a live one, a replay, and the take-over of a live one."""

import hashlib
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rtbci import __version__
from rtbci.decoding.bundle import Bundle
from rtbci.errors import BadInput
from rtbci.session.control import SessionEntry
from rtbci.session.folder import RECORDING
from rtbci.session.processes import Bus, decode_process, record_process, stream_process
from rtbci.session.spec import EndCondition, Part, SessionConfig, SessionSpec, TakeOver, read_config
from rtbci.session.supervised import AdoptedProcess

LEAD_IN = "1.5"  # s; more if the readers are not there in time
LINGER = "60"  # s that an outlet stays after its last sample, unless asked to end before
HASHED = ("subject.json", "weights.safetensors")  # files of a bundle


@dataclass(frozen=True)
class CommandLine:
    """Command line that asked for a session; kept in ``session.json`` for people."""

    command: str
    options: Mapping[str, object]


@dataclass(frozen=True)
class DecodingSettings:
    """Settings for finding and decoding a live stream; None is the default of ``rtbci decode``."""

    stream: str | None = None  # name, source_id or uid
    markers: tuple[str, ...] = ()  # marker streams; empty: all
    unit: str | None = None
    rename: Path | None = None  # a file of old and new names of electrodes
    every: float | None = None  # s between decisions without a marker
    wait: float | None = None  # s that events wait for late markers of earlier ones

    @property
    def words(self) -> tuple[str, ...]:
        """Settings as options of ``rtbci decode``."""
        single = {"stream": self.stream, "unit": self.unit, "rename": self.rename,
                  "every": self.every, "wait": self.wait}  # fmt: skip
        words = [f"--{name}={value}" for name, value in single.items() if value is not None]
        return (*words, *(f"--markers={name}" for name in self.markers))


def live_spec(
    folder: Path,
    bus: Bus,
    bundle: Bundle,
    decoding: DecodingSettings,
    asked: CommandLine,
    *,
    record: bool = True,
    spool: Path | None = None,
    duration: float | None = None,
    window: bool = False,
) -> SessionSpec:
    """Session of recorder and decoder, until a person stops it or for ``duration`` s."""
    assert bundle.path is not None
    config = SessionConfig(
        kind="live", record=record, spool=_full(spool), decoding=decoding.words,
        stream=decoding.stream, markers=decoding.markers, unit=decoding.unit,
        **_common(bus, bundle, bundle.path, asked),
    )  # fmt: skip
    return SessionSpec(
        folder, bus,
        processes=(record_process(bus, folder / RECORDING, spool),) if record else (),
        parts=(Part(decode_process(bus, bundle.path, *decoding.words)),),
        end=EndCondition(seconds=duration), config=config, window=window,
    )  # fmt: skip


def replay_spec(
    folder: Path,
    bus: Bus,
    bundle: Bundle,
    files: Sequence[Path],
    reading: tuple[str, ...],
    asked: CommandLine,
    *,
    speed: float,
    record: bool = True,
    spool: Path | None = None,
    window: bool = False,
) -> SessionSpec:
    """Session that plays recordings one after the other, each with a decoder of its own.

    ``reading`` are options of ``rtbci stream`` for reading the files. A bundle that was never saved
    is saved in the session's folder.
    """
    where = bundle.path or bundle.save(folder / "bundle")
    config = SessionConfig(
        kind="replay", record=record, spool=_full(spool), speed=speed,
        files=tuple(path.name for path in files), **_common(bus, bundle, where, asked),
    )  # fmt: skip
    waits = ("--wait-for", str(1 + record), "--lead-in", LEAD_IN, "--linger", LINGER)
    parts = [
        Part(
            decode_process(bus, where),
            stream_process(bus, path, speed, *waits, *reading),
            path.name if len(files) > 1 else None,
        )
        for path in files
    ]
    return SessionSpec(
        folder, bus,
        processes=(record_process(bus, folder / RECORDING, spool),) if record else (),
        parts=tuple(parts), end=EndCondition(played=True), config=config, window=window,
    )  # fmt: skip


def take_over_spec(
    folder: Path, entry: SessionEntry | None, duration: float | None = None
) -> SessionSpec:
    """Session that goes on in the folder of a killed supervisor, with the recorder it left.

    Without an ``entry`` the recorder is gone too; a new one writes a new file. Raises ``BadInput``
    for the folder of a replay.
    """
    config = read_config(folder)
    if config.kind != "live":
        raise BadInput(
            f"{folder.name} was a replay: what it played ended with it; rtbci stop closes its file"
        )
    bus = Bus(config.lsl_session, config.lsl_scope)
    spool = Path(config.spool) if config.spool else None
    recorder = None
    if entry is not None and entry.recorder_alive:
        assert entry.recorder_pid is not None
        assert entry.recorder_created is not None
        recorder = AdoptedProcess(entry.recorder_pid, entry.recorder_created)
    return SessionSpec(
        folder, bus,
        processes=(record_process(bus, folder / RECORDING, spool),) if config.record else (),
        parts=(Part(decode_process(bus, Path(str(config.bundle)), *config.decoding)),),
        end=EndCondition(seconds=duration), config=config, take_over=TakeOver(entry, recorder),
    )  # fmt: skip


def _full(path: Path | None) -> str | None:
    """``path`` from the root on, for ``session.json``."""
    return None if path is None else str(path.resolve())


def _common(bus: Bus, bundle: Bundle, where: Path, asked: CommandLine) -> dict[str, Any]:
    """Entries of ``session.json`` for every kind of session; ``where`` is the bundle's folder."""
    return {
        "command": asked.command,
        "options": dict(asked.options),
        "subject": bundle.subject,
        "bundle": str(where.resolve()),
        "bundle_sha256": {
            name: hashlib.sha256((where / name).read_bytes()).hexdigest() for name in HASHED
        },
        "lsl_session": bus.session,
        "lsl_scope": bus.scope,
        "versions": {
            "rtbci": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in ("numpy", "pylsl")},
        },
    }
