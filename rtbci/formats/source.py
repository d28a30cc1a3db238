"""Files of unknown origin, opened with care: regular, bounded, hashed, JSON without surprises."""

import hashlib
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rtbci.errors import BadInput
from rtbci.foreign_text import clean, parse_json

JSON_BYTES = 32 * 2**20


@dataclass(frozen=True)
class ReadOptions:
    """The user's settings for a file; None: as the file states."""

    trigger: str | None = None
    rate: float | None = None
    unit: str | None = None
    stream: str | None = None


def regular(path: Path) -> int:
    """Bytes in ``path``; raises ``BadInput`` unless it is a readable file that is not empty."""
    try:
        status = os.stat(path)  # follows symbolic links; never opens, for a FIFO would hang
    except FileNotFoundError:
        if path.is_symlink():  # as datalad and git-annex leave files that were not fetched
            raise BadInput(f"{path} is a link to a file that is not here; fetch it") from None
        raise BadInput(f"no file {path}; check the name") from None
    except (OSError, ValueError) as error:
        raise BadInput(f"cannot look at {str(path)!r}: {_reason(error)}") from None
    if not stat.S_ISREG(status.st_mode):
        raise BadInput(f"{path} is not a regular file but a device, pipe or folder; give a file")
    if status.st_size == 0:
        raise BadInput(f"{path} is empty (0 bytes); copy or record it again")
    if not os.access(path, os.R_OK):
        raise BadInput(f"no permission to read {path}; change its permissions")
    return status.st_size


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def sha256(paths: Iterable[Path]) -> str:
    """Hash of one file's bytes; of several, the hash of their hashes (hex, joined) in order."""
    digests = []
    for path in paths:
        with open(path, "rb") as file:
            digests.append(hashlib.file_digest(file, "sha256").hexdigest())
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def load_json(path: Path) -> Any:
    """The JSON value in ``path``; raises ``BadInput`` for anything odd: size, depth, NaN, twice
    the same key."""
    if regular(path) > JSON_BYTES:
        raise BadInput(f"{path} has more than {JSON_BYTES} bytes; a sidecar is a small JSON file")
    try:
        return parse_json(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path} is no JSON that can be used ({clean(str(error))})") from None


def beside(path: Path, name: str) -> Path:
    """The file ``name`` that ``path`` refers to; raises ``BadInput`` unless it is next to it."""
    plain = name.replace("\\", "/")
    if not name or "\0" in name or plain in (".", "..") or "/" in plain or ":" in plain:
        raise BadInput(f"{path} refers to {clean(name)!r}; only a file in the same folder is read")
    return path.parent / name
