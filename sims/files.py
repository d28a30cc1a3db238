"""Atomic file writing, and worker processes."""

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import BinaryIO

import numpy as np


def header_size(path: Path) -> int:
    """Bytes before the samples of an array of ours; 0 for a file that has no whole header."""
    try:
        with path.open("rb") as file:
            np.lib.format.read_magic(file)
            np.lib.format.read_array_header_1_0(file)
            return file.tell()
    except ValueError:
        return 0


def put(path: Path, content: bytes) -> None:
    """Write a small file whole, unless it is there with this content."""
    if path.exists() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as file:
        file.write(content)


@contextmanager
def whole(path: Path) -> Iterator[BinaryIO]:
    """Context manager for a file that is renamed into place once it is complete."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("wb") as file:
            yield file
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def workers(jobs: int) -> Iterator[Callable]:
    """A ``map`` over ``jobs`` processes, or in this one."""
    if jobs <= 1:
        yield map
        return
    # spawn: a fork would share the state of whatever threads the caller runs
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), _leave_signals)
    try:
        yield pool.map
    finally:
        pool.shutdown(cancel_futures=True)


def _leave_signals() -> None:
    """Ignore SIGINT, which the parent process handles."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
