"""Disk cache of embeddings: a text is embedded once per computer, not once per run.

Each text has a small file: a line of JSON with the space, the text and a checksum, then the
numbers as little-endian float32. A file is written under a temporary name and renamed, so that
several processes can share a folder and a killed process leaves no partial file. A file whose
content does not match its first line exactly is ignored, recomputed and rewritten.
"""

import hashlib
import json
import logging
import os
import tempfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtbci.types import TextSpace

logger = logging.getLogger(__name__)
FLOATS = np.dtype("<f4")


class CachedTextSpace:
    """Text space that caches the embeddings of another one in ``folder``.

    If the folder cannot be written, this is logged once; everything works, only slower.
    """

    def __init__(self, space: TextSpace, folder: Path) -> None:
        """Cache ``space`` in ``folder``, which is created with the first text."""
        self.space = space
        self.name = space.name
        self.dimensions = space.dimensions
        self.folder = folder
        self._writable = True

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embeddings (n, dimensions), one row of unit length per text, read from disk if cached."""
        found = {text: self._read(text) for text in dict.fromkeys(texts)}
        missing = [text for text, row in found.items() if row is None]
        if missing:
            for text, row in zip(missing, self.space.embed(missing), strict=True):
                found[text] = row
                self._write(text, row)
        rows = [found[text] for text in texts]
        return np.array(rows, np.float32).reshape(len(texts), self.dimensions)

    def _path(self, text: str) -> Path:
        key = hashlib.sha256(_head(self.name, text)).hexdigest()
        return self.folder / self.name / key[:2] / key[2:]

    def _read(self, text: str) -> NDArray[np.float32] | None:
        """Cached row, or None if it is missing or damaged."""
        try:
            head, _, body = self._path(text).read_bytes().partition(b"\n")
        except OSError:
            return None
        if len(body) != self.dimensions * FLOATS.itemsize:
            return None
        if head != _first_line(self.name, text, body):
            return None
        return np.frombuffer(body, FLOATS).astype(np.float32)

    def _write(self, text: str, row: NDArray[np.float32]) -> None:
        if not self._writable:
            return
        path, body = self._path(text), row.astype(FLOATS).tobytes()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file, draft = tempfile.mkstemp(dir=path.parent, prefix=".draft-")
            try:
                with open(file, "wb") as out:
                    out.write(_first_line(self.name, text, body) + b"\n" + body)
                os.replace(draft, path)
            except BaseException:
                os.unlink(draft)
                raise
        except OSError as error:
            self._writable = False
            logger.warning("embeddings are not kept: %s cannot be written (%s)", path, error)


def user_cache() -> Path:
    """Default folder of the cache, below XDG_CACHE_HOME or ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "rtbci" / "text"


def _head(space: str, text: str) -> bytes:
    # ASCII JSON can also hold lone surrogates, which UTF-8 cannot, and contains no line break.
    return json.dumps([space, text]).encode("ascii")


def _first_line(space: str, text: str, body: bytes) -> bytes:
    return b"%s %08x" % (_head(space, text), zlib.crc32(body))
