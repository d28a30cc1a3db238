"""XDF file on the disk: a chunk is written whole or not at all, and nothing is overwritten."""

import os
from contextlib import suppress
from pathlib import Path

from rtbci.errors import BadInput


class XdfFile:
    """A new file that starts with ``header`` and grows by chunks.

    One thread appends; ``sync`` may run in another. Everything the system refuses comes out as
    ``BadInput``; the file then ends behind its last whole chunk, and writing may go on once there
    is room. Nothing waits for the disk but ``sync``.
    """

    def __init__(self, path: str | Path, header: bytes) -> None:
        self.path = Path(path)
        self._whole = 0  # bytes up to the end of the last whole chunk
        self._torn = False  # whether there may be bytes after them
        self._closed = False
        self._is_named = False  # whether the folder's entry is on the disk, too
        try:
            # Only the owner may read: recordings are personal data.
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
            self._file = os.open(self.path, flags, 0o600)
        except FileExistsError:
            raise BadInput(
                f"{self.path} exists already and is not overwritten; choose another name"
            ) from None
        except OSError as error:
            raise self._refused(error) from error
        try:
            self.append(header)
        except BadInput:
            self.discard()
            raise

    @property
    def size(self) -> int:
        """Size of all whole chunks, bytes."""
        return self._whole

    def append(self, chunk: bytes) -> None:
        """Write ``chunk`` whole, or leave the file as it was."""
        assert not self._closed, f"{self.path} is closed"
        left = memoryview(chunk)
        try:
            if self._torn:
                self._trim()
            self._torn = True
            while left:  # a full disk causes a partial write first
                left = left[os.write(self._file, left) :]
        except OSError as error:
            with suppress(OSError):
                self._trim()
            raise self._refused(error) from error
        self._torn = False
        self._whole += len(chunk)

    def sync(self) -> None:
        """Wait until everything is on the disk."""
        try:
            os.fsync(self._file)
        except OSError as error:
            raise self._refused(error) from error
        if not self._is_named:
            _sync_folder(self.path.parent)
            self._is_named = True

    def release(self) -> None:
        """Close without writing anything more. Idempotent; raises ``BadInput`` if the system
        reports only now that it could not keep what it had taken."""
        if not self._closed:
            self._closed = True
            try:
                os.close(self._file)
            except OSError as error:
                raise self._refused(error) from error

    def discard(self) -> None:
        """Close and remove the file."""
        with suppress(BadInput):
            self.release()
        with suppress(OSError):
            self.path.unlink()

    def _trim(self) -> None:
        os.ftruncate(self._file, self._whole)
        os.lseek(self._file, self._whole, os.SEEK_SET)
        self._torn = False

    def _refused(self, error: OSError) -> BadInput:
        reason = error.strerror or type(error).__name__
        kept = f"; its {self._whole} bytes so far can be read" if self._whole else ""
        return BadInput(
            f"cannot write {self.path} ({reason}){kept}; free some space or write elsewhere"
        )


def _sync_folder(folder: Path) -> None:
    """Sync the folder's entries, so that the name of a new file survives a power cut too.

    Errors are ignored: not every system can sync a folder.
    """
    with suppress(OSError):
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
