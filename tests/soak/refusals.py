"""A disk that refuses one call of the system, once or for ever, below one folder.

``Refusing`` stands before the functions of ``os`` and before ``io.open``; calls for files elsewhere
pass. Without an operation it only counts, which tells how many calls there are to refuse.
"""

import contextlib
import errno
import io
import os
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pytest

FOR_EVER = 10**9
BY_NUMBER = ("write", "fsync", "ftruncate", "close")  # functions of os that take an open file
BY_NAME = ("open", "rename", "replace", "mkdir", "chmod", "unlink")  # and those that take a path
OPERATIONS = ("write", "half a write", "fsync", "open", "rename", "mkdir", "ftruncate", "close",
              "chmod", "any")  # fmt: skip


@dataclass(frozen=True)
class Refusal:
    """Which calls fail: from number ``nth`` on, ``times`` of them; ``any`` counts all together."""

    operation: str
    nth: int
    times: int = 1
    code: int = errno.ENOSPC

    @property
    def how_often(self) -> str:
        """In words."""
        return "once" if self.times == 1 else "for ever"


class Refusing:
    """The refusal at work; a context. ``refused`` counts calls that failed, by operation."""

    def __init__(self, root: Path, refusal: Refusal | None = None) -> None:
        self._root, self._refusal = f"{root}{os.sep}", refusal
        self.calls, self.refused = Counter[str](), Counter[str]()
        self._open = dict[int, str]()  # file number -> path, of files below the root
        self._lock = threading.Lock()
        self._halved = False
        self._patch = pytest.MonkeyPatch()
        self._real = {name: getattr(os, name) for name in (*BY_NUMBER, *BY_NAME)}
        self._real_open = io.open

    def __enter__(self) -> Self:
        for name in BY_NUMBER:
            self._patch.setattr(os, name, self._by_number(name))
        for name in BY_NAME:
            self._patch.setattr(os, name, self._by_name(name))
        self._patch.setattr(io, "open", self._io_open)
        return self

    def __exit__(self, *_: object) -> None:
        self._patch.undo()
        for number in self._open:  # as the end of the process does: locks are free again
            with contextlib.suppress(OSError):
                os.close(number)

    def judge(self, operation: str, path: str) -> None:
        """Count a call; raise where it is one to be refused."""
        operation = "rename" if operation == "replace" else operation
        with self._lock:
            self.calls[operation] += 1
            self.calls["any"] += 1
            wanted = self._refusal
            if wanted is None or not self._is_meant(wanted, operation):
                return
            if os.path.isdir(path) and operation in ("fsync", "open"):
                operation = f"{operation} of a folder"
            self.refused[operation] += 1
        raise OSError(wanted.code, os.strerror(wanted.code), path)

    def _is_meant(self, wanted: Refusal, operation: str) -> bool:
        if wanted.operation == "half a write":  # the call after the one that took half
            count, self._halved = self._halved and operation == "write", False
            return count or (wanted.times > 1 and operation == "write" and self._after(wanted))
        if wanted.operation not in ("any", operation):
            return False
        return wanted.nth <= self.calls[wanted.operation] < wanted.nth + wanted.times

    def _after(self, wanted: Refusal) -> bool:
        return self.calls["write"] > wanted.nth

    def taken(self, data: Any) -> Any:
        """What of ``data`` a write takes: half of it, where that is what shall happen."""
        wanted = self._refusal
        if wanted is None or wanted.operation != "half a write":
            return data
        if self.calls["write"] != wanted.nth or len(data) < 2:
            return data
        self._halved = True
        return memoryview(data)[: len(data) // 2]

    def _by_number(self, name: str) -> Callable[..., Any]:
        real = self._real[name]

        def call(number: int, *rest: Any) -> Any:
            path = self._open.get(number)
            if path is None:
                return real(number, *rest)
            if name == "close":  # the system closes it, whatever it says
                del self._open[number]
                real(number)
                return self.judge(name, path)
            self.judge(name, path)
            if name == "write":
                rest = (self.taken(rest[0]),)
            return real(number, *rest)

        return call

    def _by_name(self, name: str) -> Callable[..., Any]:
        real = self._real[name]

        def call(path: Any, *rest: Any, **more: Any) -> Any:
            if not self._is_mine(path):
                return real(path, *rest, **more)
            self.judge(name, os.fspath(path))
            result = real(path, *rest, **more)
            if name == "open":
                self._open[result] = os.fspath(path)
            return result

        return call

    def _io_open(self, path: Any, mode: str = "r", *rest: Any, **more: Any) -> Any:
        if not self._is_mine(path) or not set(mode) & set("wax"):
            return self._real_open(path, mode, *rest, **more)
        self.judge("open", os.fspath(path))
        raw = _File(self, os.fspath(path), mode)
        if "b" in mode:
            return io.BufferedWriter(raw)
        encoding = more.get("encoding") or (rest[1] if len(rest) > 1 else None)
        return io.TextIOWrapper(io.BufferedWriter(raw), encoding=encoding)

    def _is_mine(self, path: Any) -> bool:
        return not isinstance(path, int) and os.fspath(path).startswith(self._root)


class _File(io.FileIO):
    """A file of Python's own, which writes without ``os.write``."""

    def __init__(self, refusing: Refusing, path: str, mode: str) -> None:
        self._refusing, self._path = refusing, path
        super().__init__(path, mode.replace("b", "").replace("t", ""))

    def write(self, data: Any) -> int:
        """Write what is taken of ``data``."""
        self._refusing.judge("write", self._path)
        return super().write(self._refusing.taken(data)) or 0
