"""List of the sessions that run on this computer, and a way to talk to them.

Every session leaves one file in the system's run-time folder, readable by its owner alone. It
names a local socket on which the supervisor answers JSON objects, never pickled ones, and only to
those who know the session's key. Requests are answered by the session's own loop; a client that
hangs, floods or lies costs a thread and never the session.
"""

import contextlib
import json
import os
import queue
import secrets
import socket
import stat
import struct
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, Listener, answer_challenge
from multiprocessing.connection import deliver_challenge as challenge
from pathlib import Path

from rtbci.errors import BadInput, Missing
from rtbci.messages import Event, Follow, Message, Order, Refused, line, parse, parse_order
from rtbci.session.folder import runs, write_whole

LONGEST_REQUEST = 65_536  # bytes
LONGEST_ANSWER = 2**20  # bytes
PATIENCE = 5.0  # s for one message of a client or an answer of the session
MOST_CLIENTS = 16  # at the same time
MOST_BEHIND = 5000  # lines that may wait for a follower before it is cut off
LONGEST_ADDRESS = 100  # bytes that a local socket's path may have


@dataclass(frozen=True)
class SessionEntry:
    """Session that runs, or ran until something killed it."""

    id: str
    lsl_session: str | None
    pid: int  # of the supervisor
    created: float  # when that process began, s since 1970
    folder: str
    address: str
    key_file: str
    recorder_pid: int | None = None
    recorder_created: float | None = None

    @property
    def alive(self) -> bool:
        """Whether the supervisor runs."""
        return runs(self.pid, self.created)

    @property
    def recorder_alive(self) -> bool:
        """Whether the recorder runs; it outlives a supervisor that was killed."""
        return runs(self.recorder_pid, self.recorder_created)


def runtime_folder() -> Path:
    """Folder of running sessions, mode 0700; made if it does not exist.

    Raises ``BadInput`` if somebody else owns it: strangers would see the sessions.
    """
    base = os.environ.get("XDG_RUNTIME_DIR")
    user = os.getuid() if hasattr(os, "getuid") else "user"
    path = Path(base) / "rtbci" if base else Path(tempfile.gettempdir()) / f"rtbci-{user}"
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.lstat()
        mine = not hasattr(os, "getuid") or found.st_uid == os.getuid()
        if not (mine and stat.S_ISDIR(found.st_mode)):
            raise BadInput(f"{path} belongs to somebody else; set XDG_RUNTIME_DIR to a folder")
        path.chmod(0o700)
    except OSError as error:
        raise BadInput(
            f"cannot use {path}: {error.strerror or error}; set XDG_RUNTIME_DIR to a folder"
        ) from error
    return path


def register(entry: SessionEntry) -> None:
    """Write the file of the session, replacing an earlier one."""
    write_whole(_file(entry), json.dumps(asdict(entry)).encode())


def unregister(entry: SessionEntry) -> None:
    """Take the session out of the list. Idempotent."""
    for path in (_file(entry), Path(entry.key_file), Path(entry.address)):
        path.unlink(missing_ok=True)


def is_listed(entry: SessionEntry) -> bool:
    """Whether the session is still in the list, and not another one of its name."""
    try:
        return json.loads(_file(entry).read_bytes()).get("pid") == entry.pid
    except (OSError, ValueError):
        return False


def running() -> list[SessionEntry]:
    """Sessions whose supervisor or recorder runs; the files of others are removed."""
    found = []
    for file in sorted(runtime_folder().glob("*.json")):
        try:
            entry = SessionEntry(**json.loads(file.read_bytes()))
        except (OSError, ValueError, TypeError):  # of another version, or half gone
            continue
        if entry.alive or entry.recorder_alive:
            found.append(entry)
        else:
            unregister(entry)
    return found


def find(name: str | None, entries: list[SessionEntry]) -> SessionEntry:
    """Entry of the only session, or of the one called ``name`` (its id or folder).

    Raises ``Missing`` if no session runs and ``BadInput`` if it is not clear which.
    """
    if not entries:
        raise Missing("no session is running")
    listed = ", ".join(entry.id for entry in entries)
    if name is None:
        if len(entries) > 1:
            raise BadInput(f"{len(entries)} sessions are running: {listed}; name one of them")
        return entries[0]
    where = str(Path(name).resolve())
    for entry in entries:
        if name == entry.id or where == entry.folder:
            return entry
    raise BadInput(f"no session {name!r} is running; there is {listed}")


@dataclass(frozen=True)
class Request:
    """Order of a client; ``reply`` may be called once, from any thread."""

    order: Order
    reply: Callable[[Message], None]


class Server:
    """Local socket of a session, whose loop calls ``poll`` and ``tell``; nothing blocks."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        name = secrets.token_hex(4)
        home = runtime_folder()
        self.key_file, address = home / f"{name}.key", home / f"{name}.sock"
        self._spare: Path | None = None
        if len(os.fsencode(address)) > LONGEST_ADDRESS:
            self._spare = Path(tempfile.mkdtemp(prefix="rtbci-", dir="/tmp"))
            address = self._spare / "s"
        write_whole(self.key_file, self._key)
        # Without a key here: the handshake would block all other clients.
        self._listener = Listener(str(address), family="AF_UNIX")
        address.chmod(0o600)
        self.address = str(address)
        self._requests: queue.SimpleQueue[Request] = queue.SimpleQueue()
        self._followers: list[queue.SimpleQueue[bytes | None]] = []
        self._lock = threading.Lock()
        self._seats = threading.Semaphore(MOST_CLIENTS)
        self._closed = False
        threading.Thread(target=self._accept, name="control socket", daemon=True).start()

    def poll(self) -> list[Request]:
        """Requests since the last call."""
        found: list[Request] = []
        while not self._requests.empty():
            found.append(self._requests.get())
        return found

    def tell(self, event: Event) -> None:
        """Send an event to all followers."""
        if not self._followers:
            return
        blob = line(event).encode()
        with self._lock:
            for follower in list(self._followers):
                if follower.qsize() >= MOST_BEHIND:
                    self._followers.remove(follower)
                else:
                    follower.put(blob)

    def close(self) -> None:
        """End all followers and remove the socket. Idempotent."""
        if self._closed:
            return
        self._closed = True
        with self._lock:
            for follower in self._followers:
                follower.put(None)
        with contextlib.suppress(OSError):  # wakes the thread that accepts
            Client(self.address, family="AF_UNIX").close()
        self._listener.close()
        self.key_file.unlink(missing_ok=True)
        if self._spare is not None:
            Path(self.address).unlink(missing_ok=True)
            self._spare.rmdir()

    def _accept(self) -> None:
        while not self._closed:
            try:
                connection = self._listener.accept()
            except OSError:
                if self._closed:
                    return
                continue
            if not self._seats.acquire(blocking=False):
                connection.close()
                continue
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: Connection) -> None:
        try:
            _limit(connection)
            challenge(connection, self._key)
            answer_challenge(connection, self._key)
            while not self._closed:
                order = parse_order(connection.recv_bytes(LONGEST_REQUEST))
                if order is None:
                    break
                if isinstance(order, Follow):
                    self._follow(connection)
                    break
                connection.send_bytes(line(self._ask(order)).encode())
        except (OSError, EOFError, ValueError, AuthenticationError):
            # It left, was too slow, or is not a client of ours.
            pass
        finally:
            connection.close()
            self._seats.release()

    def _ask(self, order: Order) -> Message:
        answers: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._requests.put(Request(order, answers.put))
        try:
            return answers.get(timeout=PATIENCE)
        except queue.Empty:
            return Refused("the session is too busy to answer")

    def _follow(self, connection: Connection) -> None:
        lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        with self._lock:
            self._followers.append(lines)
        try:
            while (blob := lines.get()) is not None:
                connection.send_bytes(blob)
        finally:
            with self._lock, contextlib.suppress(ValueError):
                self._followers.remove(lines)


def ask(entry: SessionEntry, order: Order) -> Event:
    """Answer of a session to an order.

    Raises ``Missing`` if it does not answer, ``BadInput`` if it refuses.
    """
    with _connected(entry) as connection:
        try:
            connection.send_bytes(line(order).encode())
            answer = parse(connection.recv_bytes(LONGEST_ANSWER))
        except (OSError, EOFError) as error:
            raise Missing(f"session {entry.id} does not answer: {error or 'it hung up'}") from error
    match answer:
        case Event():
            return answer
        case Refused(reason=reason):
            raise BadInput(f"session {entry.id}: {reason}")
    raise Missing(f"session {entry.id} gave no sensible answer")


def follow(entry: SessionEntry) -> Iterator[Event]:
    """Events of a session from now until it ends."""
    with _connected(entry) as connection:
        try:
            connection.send_bytes(line(Follow()).encode())
            while True:
                if connection.poll(None):
                    event = parse(connection.recv_bytes(LONGEST_ANSWER))
                    if isinstance(event, Event):
                        yield event
        except (OSError, EOFError):
            return


@contextlib.contextmanager
def _connected(entry: SessionEntry) -> Iterator[Connection]:
    try:
        key = Path(entry.key_file).read_bytes()
        connection = Client(entry.address, family="AF_UNIX")
    except OSError as error:
        raise Missing(
            f"session {entry.id} does not answer: {error.strerror or error}; is process "
            f"{entry.pid} alive?"
        ) from error
    with connection:
        try:
            _limit(connection)
            answer_challenge(connection, key)
            challenge(connection, key)
        except (OSError, EOFError, AuthenticationError) as error:
            raise Missing(
                f"session {entry.id} does not answer; is process {entry.pid} stopped or busy?"
            ) from error
        yield connection


def _limit(connection: Connection) -> None:
    """Limit each read and write of a connection to ``PATIENCE``."""
    seconds = struct.pack("ll", int(PATIENCE), 0)
    with socket.socket(fileno=os.dup(connection.fileno())) as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, seconds)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, seconds)


def _file(entry: SessionEntry) -> Path:
    return runtime_folder() / f"{entry.id}.json"
