"""Session on disk: a folder, a lock while it is in use, and a log that shows any rewriting.

    sessions/sub-02_2026-11-21_103015/
        session.json      command, options, bundle and versions
        events.jsonl      its events; each line carries the hash of the line before
        recording.xdf     and recording_part-02.xdf, ...: every stream
        logs/             stderr of each process

Only its owner can read it. Nothing in it is ever overwritten.
"""

import contextlib
import hashlib
import json
import os
import re
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psutil

from rtbci.errors import BadInput, InUse
from rtbci.messages import Closed, Event, LogLine, log_line, parse_log_line

try:
    import fcntl
except ImportError:  # not on this system: the process id in the lock file must do
    fcntl = None

FIRST = "0" * 64  # "hash" of the line before the first
RECORDING = "recording.xdf"
EVENTS = "events.jsonl"
CONFIG = "session.json"
LOCK = "session.lock"
LONGEST_EVENT = 2**20  # bytes of one line


class Lock:
    """Lock of the system on a file that names its holder: one process at a time.

    The system frees it when the holder dies. Raises ``InUse``, with ``advice`` for the person, if
    another process holds it; ``stale`` is the process id of a holder that was killed, or None.
    """

    def __init__(self, path: Path, advice: str = "stop it with rtbci stop") -> None:
        self._path = path
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        holder = _holder(self._fd)
        if not self._take(holder):
            os.close(self._fd)
            who = f"process {holder['pid']} on {holder['host']}" if holder else "another process"
            raise InUse(f"{path.parent} is in use by {who}; {advice}, or choose another folder")
        before = holder["pid"] if holder else None
        self.stale = before if isinstance(before, int) and before != os.getpid() else None
        me = psutil.Process()
        mine = {"pid": me.pid, "created": me.create_time(), "host": socket.gethostname()}
        os.ftruncate(self._fd, 0)
        os.lseek(self._fd, 0, os.SEEK_SET)
        _write_all(self._fd, json.dumps(mine).encode())

    def close(self) -> None:
        """Give the lock back. Idempotent."""
        if self._fd >= 0:
            os.ftruncate(self._fd, 0)  # an empty lock was given back, not lost
            os.close(self._fd)
            self._fd = -1

    def _take(self, holder: Mapping[str, object] | None) -> bool:
        if fcntl is None:
            return holder is None or not runs(holder.get("pid"), holder.get("created"))
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True


class EventLog:
    """Log of a session: appends to ``events.jsonl``, unbuffered.

    A line that the disk refuses waits in memory, in order, and is written with the next one: no
    event ends a session, and the chain of hashes has no hole.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        last = _last_line(self._file)
        self._previous = hashlib.sha256(last).hexdigest() if last is not None else FIRST
        self._whole = os.fstat(self._file).st_size  # bytes of whole lines
        self._waiting = list[bytes]()

    def add(self, event: Event) -> bool:
        """Append one event, with the time of now; returns whether it is in the file."""
        now = datetime.now().astimezone().isoformat(timespec="milliseconds")
        line = log_line(LogLine(event, now, time.monotonic(), self._previous)).encode()
        self._previous = hashlib.sha256(line).hexdigest()
        self._waiting.append(line + b"\n")
        with contextlib.suppress(OSError):
            self._write()
        return not self._waiting

    def close(self) -> None:
        """Write waiting lines, sync and close. Idempotent; ``BadInput`` if events are lost."""
        if self._file < 0:
            return
        file, lost = self._file, None
        for step in (self._write, lambda: os.fsync(file), lambda: os.close(file)):
            try:
                step()
            except OSError as error:
                lost = lost or error
        self._file = -1
        if lost is not None:
            raise BadInput(
                f"cannot write {self._path} ({lost.strerror or lost}): its last events may be "
                "lost; free some space"
            )

    def _write(self) -> None:
        """Write the lines that wait, each whole or not at all."""
        while self._waiting:
            try:
                _write_all(self._file, self._waiting[0])
            except OSError:
                with contextlib.suppress(OSError):
                    os.ftruncate(self._file, self._whole)
                raise
            self._whole += len(self._waiting.pop(0))


class SessionFolder:
    """Session folder in use by this process; a context that gives it back."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.logs = path / "logs"
        try:
            self.lock = Lock(path / LOCK)
            try:
                self.events = EventLog(path / EVENTS)
                self.logs.mkdir(mode=0o700, exist_ok=True)
            except OSError:
                self.lock.close()
                raise
        except OSError as error:
            raise _unusable(path, error) from error

    def __enter__(self) -> "SessionFolder":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def recording(self) -> Path:
        """First file of the recorder; later parts have the same folder."""
        return self.path / RECORDING

    def write_config(self, values: Mapping[str, object]) -> None:
        """Write ``session.json``, whole or not at all."""
        text = json.dumps(values, indent=1, ensure_ascii=False, default=str)
        try:
            write_whole(self.path / CONFIG, text.encode())
        except OSError as error:
            raise _unusable(self.path, error) from error

    def close(self) -> None:
        """Give the folder back. Idempotent."""
        try:
            self.events.close()
        finally:
            with contextlib.suppress(OSError):
                self.lock.close()


@dataclass(frozen=True)
class EventChain:
    """Result of ``verify_events``."""

    lines: int
    broken: tuple[str, ...]  # one sentence for each fault

    @property
    def whole(self) -> bool:
        """Whether no line was changed, removed or added."""
        return not self.broken


def _unusable(path: Path, error: OSError) -> BadInput:
    return BadInput(
        f"cannot use the session folder {path}: {error.strerror or error}; free some space, or "
        "choose another folder with --out"
    )


def new_folder(root: Path, subject: str, now: datetime | None = None) -> Path:
    """New folder ``root/SUBJECT_DATE_TIME``, or the next free name.

    Raises ``BadInput`` if it cannot be made.
    """
    when = (now or datetime.now()).strftime("%Y-%m-%d_%H%M%S")
    name = f"{re.sub(r'[^A-Za-z0-9_-]+', '-', subject)[:60] or 'unnamed'}_{when}"
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)  # brain data is personal data
        for number in range(1, 1000):
            path = root / (name if number == 1 else f"{name}_{number}")
            with contextlib.suppress(FileExistsError):
                path.mkdir(mode=0o700)
                return path
    except OSError as error:
        raise BadInput(
            f"cannot write the session to {root}: {error.strerror or error}; "
            "choose another folder with --out"
        ) from error
    raise BadInput(f"{root} holds 999 sessions of this second; choose another folder with --out")


def load_config(folder: Path) -> dict[str, object]:
    """Values of ``session.json``; raises ``BadInput`` if it cannot be read."""
    try:
        values = json.loads((folder / CONFIG).read_bytes())
    except OSError as error:
        raise BadInput(f"{folder} is no session folder: {error.strerror or error}") from error
    except ValueError as error:
        raise BadInput(f"{folder / CONFIG} is damaged: {error}") from error
    if not isinstance(values, dict):
        raise BadInput(f"{folder / CONFIG} is damaged: it holds no object")
    return values


def last_event(folder: Path) -> Event | None:
    """Event of the last whole line of ``events.jsonl``, or None."""
    try:
        fd = os.open(folder / EVENTS, os.O_RDONLY)
    except OSError:
        return None
    try:
        logged = parse_log_line(_last_line(fd) or b"")
    finally:
        os.close(fd)
    return logged.event if logged else None


def verify_events(path: Path) -> EventChain:
    """Follow the hashes through an ``events.jsonl``; raises ``BadInput`` if it cannot be read."""
    broken: list[str] = []
    previous, number = FIRST, 0
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, start=1):
                line = raw.rstrip(b"\n")
                logged = parse_log_line(line)
                if logged is None:
                    broken.append(f"line {number} is torn")
                elif logged.previous != previous:
                    broken.append(f"line {number} does not follow the line before it")
                elif isinstance(logged.event, Closed) and logged.event.unsaved:
                    broken.append(f"{logged.event.unsaved} bytes of the recording were never saved")
                previous = hashlib.sha256(line).hexdigest()
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror or error}") from error
    return EventChain(number, tuple(broken))


def runs(pid: object, created: object) -> bool:
    """Whether the process ``pid`` that began at ``created`` (s since 1970) still runs."""
    if not isinstance(pid, int) or not isinstance(created, int | float):
        return False
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - created) < 1.0
        return same and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, ValueError):
        return False


def write_whole(path: Path, blob: bytes) -> None:
    """Write a file under a temporary name, sync it, and give it its name."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        try:
            _write_all(fd, blob)
            os.fsync(fd)
        finally:
            os.close(fd)
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise


def _write_all(fd: int, blob: bytes) -> None:
    while blob:  # a write may be short
        blob = blob[os.write(fd, blob) :]


def _read_from(fd: int, start: int, most: int) -> bytes:
    """Up to ``most`` bytes of an open file from ``start`` on."""
    os.lseek(fd, start, os.SEEK_SET)
    return os.read(fd, most)


def _holder(fd: int) -> dict[str, object] | None:
    """Holder that the lock file names, or None if it was given back or is damaged."""
    try:
        values = json.loads(_read_from(fd, 0, 4096))
    except ValueError:
        return None
    known = isinstance(values, dict) and isinstance(values.get("pid"), int)
    return {"host": "?", **values} if known else None


def _last_line(fd: int) -> bytes | None:
    """Last line of a file without its line feed; a torn one is closed first, if writable."""
    size = os.fstat(fd).st_size
    if not size:
        return None
    tail = _read_from(fd, max(0, size - LONGEST_EVENT), LONGEST_EVENT)
    if not tail.endswith(b"\n"):
        with contextlib.suppress(OSError):
            os.write(fd, b"\n")
    return tail.removesuffix(b"\n").rpartition(b"\n")[2]
