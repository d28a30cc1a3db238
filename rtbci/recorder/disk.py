"""Queue between the recorder and the disk: chunks are written in order, however slow the disk.

The receiving loop must never wait for a disk, so two threads do the work: one writes chunk by
chunk, one syncs (fsync). If the disk is full, writing is retried twice a second while all chunks
are kept in memory; if a second folder was given, the recording continues there in a further part.
Every part is a valid file at all times.
"""

import os
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rtbci.errors import BadInput
from rtbci.messages import FileMoved
from rtbci.process import Reporter
from rtbci.recorder import xdf_pack
from rtbci.recorder.xdf_file import XdfFile

# Interval of syncs, s; a power cut loses at most this.
SYNC_S = 1.0
# Pause before a failed write is retried, s.
RETRY_S = 0.5
# Time of failing writes after which the recording moves to the second folder, s.
ELSEWHERE_S = 5.0
# Age of an unwritten chunk from which the disk is reported as slow, s.
SLOW_S = 2.0
# Largest size of the queue, bytes: 36 minutes of 122 channels at 1 kHz.
MOST_WAITING = 2**30


@dataclass(frozen=True)
class PendingChunk:
    """A whole chunk to be written."""

    data: bytes
    at: float  # time of arrival, s of the spool's clock
    stream: int = 0
    count: int = 0  # samples
    first: float = 0.0  # stamp of the first sample, s
    last: float = 0.0  # stamp of the last sample, s
    is_header: bool = False  # header of a stream, which every part needs


class Spool:
    """Writer of a recording to ``path`` and, if necessary, to further parts.

    ``header`` begins every part; ``footer`` returns fields for the footers. With ``go_on``, the
    next free part is written if the file exists. Any thread may call ``put``. Raises ``BadInput``
    if nothing can be written.
    """

    def __init__(
        self,
        path: Path,
        reporter: Reporter,
        *,
        header: bytes,
        footer: Callable[[], Mapping[str, str]] = dict,
        fallback: Path | None = None,
        go_on: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        for folder in (path.parent, *([fallback] if fallback else ())):
            prepare(folder)
        self._reporter, self._clock = reporter, clock
        self._header, self._footer = header, footer
        self._path, self._folders = path, (path.parent, fallback)
        self._file = _first_free(parts(path), header) if go_on else XdfFile(path, header)
        self.parts = [self._file.path]
        self._headers = list[bytes]()  # of all streams so far
        self._tallies = dict[int, xdf_pack.StreamFooter]()  # of this part, by stream
        self.written = len(header)  # bytes, in all parts
        self._waiting, self._bytes = deque[PendingChunk](), 0
        self._change = threading.Condition()
        self._ending, self._stopped = False, threading.Event()
        self.error: Exception | None = None  # exception that ended the writer
        self._failing: float | None = None  # time of the first of the failing writes
        self._syncing: float | None = None  # time at which the running sync began
        self._file_lock = threading.Lock()  # held while the file is synced or replaced
        self._writer = threading.Thread(target=self._write_all, name="writer", daemon=True)
        self._syncer = threading.Thread(target=self._sync_all, name="fsync", daemon=True)
        self._writer.start()
        self._syncer.start()

    @property
    def path(self) -> Path:
        """File of the part that is being written."""
        return self._file.path

    @property
    def waiting(self) -> int:
        """Bytes that are not yet written."""
        return self._bytes

    @property
    def is_full(self) -> bool:
        """Whether the queue has reached its limit; further data should stay in LSL."""
        return self._bytes > MOST_WAITING

    @property
    def failing(self) -> bool:
        """Whether writes are failing."""
        return self._failing is not None

    def put(self, piece: PendingChunk) -> None:
        """Queue a chunk; does not wait. After ``finish`` it has no effect."""
        with self._change:
            if self._ending:
                return
            self._waiting.append(piece)
            self._bytes += len(piece.data)
            self._change.notify()

    def age(self) -> float:
        """Age of the oldest unwritten chunk or of the running sync, whichever is greater, s."""
        now, since = self._clock(), self._syncing
        with self._change:
            oldest = self._waiting[0].at if self._waiting else now
        return max(now - min(oldest, since if since is not None else now), 0.0)

    def watch(self) -> None:
        """Raise or clear the alarm about a slow disk; call regularly."""
        age = self.age()
        if self.failing:
            return
        if age >= SLOW_S:
            shown = SLOW_S * 2 ** int(max(age / SLOW_S, 1)).bit_length() / 2  # 2, 4, 8, ... s
            self._reporter.alarm(
                "amber", "disk-slow",
                f"the disk has taken nothing for {shown:.0f} s; everything waits in memory and "
                f"nothing is lost yet; what else is writing to {self.path.parent}?",
            )  # fmt: skip
        else:
            self._reporter.clear("disk-slow", "the disk keeps up again; nothing was lost")

    def finish(self) -> None:
        """Start to write the rest of the queue and the footers, and close. Does not wait."""
        with self._change:
            self._ending = True
            self._change.notify()

    def wait(self, timeout: float) -> bool:
        """Whether everything is written and closed; waits up to ``timeout`` s."""
        self._writer.join(timeout)
        return not self._writer.is_alive()

    def give_up(self) -> None:
        """Stop writing; chunks that are not written are lost."""
        self._stopped.set()

    def _write_all(self) -> None:
        try:
            while (piece := self._next()) is not None:
                while not self._place(piece):
                    if self._stopped.wait(RETRY_S):
                        return
                with self._change:
                    self._waiting.popleft()
                    self._bytes -= len(piece.data)
            self._close_part()
        except Exception as error:  # noqa: BLE001 the recorder raises it in its own thread
            self.error = error
        finally:
            self._stopped.set()
            self._syncer.join()
            self._let_go(self._file)

    def _let_go(self, file: XdfFile) -> None:
        """Sync and close a part; a refusal is an alarm, since the part may not survive a power
        cut."""
        for step in (file.sync, file.release):
            try:
                step()
            except BadInput as error:
                self._reporter.alarm("red", "disk-failing", str(error))

    def _next(self) -> PendingChunk | None:
        """Oldest chunk, which stays in the queue until it is written; None at the end."""
        with self._change:
            while not self._waiting:
                if self._ending:
                    return None
                self._change.wait()
            return self._waiting[0]

    def _place(self, piece: PendingChunk) -> bool:
        """Write ``piece`` to this part or a new one; returns False if both fail."""
        try:
            self._file.append(xdf_pack.placed(self._file.size, piece.data))
        except BadInput as error:
            if not self._refused(error, piece):
                return False
        else:
            self._accepted()
        self.written += len(piece.data)
        if piece.is_header:
            self._headers.append(piece.data)
            self._tallies.setdefault(piece.stream, xdf_pack.StreamFooter())
        elif piece.count:
            tally = self._tallies.setdefault(piece.stream, xdf_pack.StreamFooter())
            tally.add(piece.count, piece.first, piece.last)
        return True

    def _refused(self, error: BadInput, piece: PendingChunk) -> bool:
        """Report a failed write; returns whether the second folder took the chunk."""
        now = self._clock()
        self._failing = self._failing if self._failing is not None else now
        self._reporter.alarm(
            "red", "disk-full",
            f"{error}. Up to {MOST_WAITING >> 20} MB wait in memory, and nothing is lost yet",
        )  # fmt: skip
        return now - self._failing >= ELSEWHERE_S and self._move(piece)

    def _accepted(self) -> None:
        if self._failing is not None:
            self._failing = None
            self._reporter.clear("disk-full", "the disk takes data again; nothing was lost")

    def _move(self, piece: PendingChunk) -> bool:
        """Begin a part with ``piece`` in the other folder; returns False if that fails too."""
        here = self._file.path.parent
        other = next((each for each in self._folders if each not in (None, here)), None)
        if other is None:
            return False
        names = parts(other / self._path.name)
        for _ in self.parts:
            next(names)
        try:
            file = _first_free(names, self._header + b"".join(self._headers))
        except BadInput:
            return False
        try:
            file.append(piece.data)
        except BadInput:
            file.discard()
            return False
        with self._file_lock:
            self._close_part()
            self._let_go(self._file)
            self._file = file
            self._tallies = {stream: xdf_pack.StreamFooter() for stream in self._tallies}
        self.parts.append(file.path)
        self._accepted()
        text = f"{here} takes nothing more: the recording goes on in {file.path}"
        self._reporter.alarm("amber", "moved", text)
        self._reporter.event(FileMoved(str(file.path)))
        return True

    def _close_part(self) -> None:
        """Write footers if there is space; the file is valid without them."""
        about = self._footer()
        with suppress(BadInput):
            for stream, tally in self._tallies.items():
                footer = xdf_pack.stream_footer(stream, tally, about)
                self._file.append(xdf_pack.placed(self._file.size, footer))

    def _sync_all(self) -> None:
        kept: tuple[Path, int] | None = None  # file and size that are on the disk
        while True:  # at once for the first time: the header, and the name of the file
            with self._file_lock:
                file = self._file
                if kept != (file.path, file.size):
                    kept, self._syncing = (file.path, file.size), self._clock()
                    try:
                        file.sync()
                    except BadInput as error:
                        self._reporter.alarm("red", "disk-failing", str(error))
                    finally:
                        self._syncing = None
            if self._stopped.wait(SYNC_S):
                return


def prepare(folder: Path) -> None:
    """Create ``folder``; raises ``BadInput`` if files cannot be created in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise BadInput(f"{folder} is no folder: a file is in its place; choose another") from None
    except OSError as error:
        raise BadInput(
            f"cannot make the folder {folder} ({error.strerror}); change the permissions of the "
            "folder above it, or choose another"
        ) from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise BadInput(
            f"the folder {folder} cannot be written to; change its permissions (or the disk is "
            "read-only), or choose another"
        )


def parts(path: Path) -> Iterator[Path]:
    """Names of the parts: ``X.xdf``, ``X_part-02.xdf``, ``X_part-03.xdf`` and so on."""
    yield path
    stem = re.sub(r"_part-\d+$", "", path.stem)
    for number in range(2, 10_000):
        yield path.with_name(f"{stem}_part-{number:02d}{path.suffix}")


def _first_free(paths: Iterator[Path], header: bytes) -> XdfFile:
    """New file at the first of ``paths`` that does not exist."""
    path = next(path for path in paths if not os.path.lexists(path))
    return XdfFile(path, header)
