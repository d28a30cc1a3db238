"""Write speed of the disk for a recording: many small writes, each followed by a sync."""

import os
import shutil
import tempfile
import time
from pathlib import Path

from rtbci.errors import BadInput

TOTAL_MB = 50
BLOCK_MB = 1
LONGEST_S = 6.0  # the test stops early after this time


def measure(folder: str) -> dict[str, object]:
    """Speed in MB/s, longest sync in seconds, and free bytes; leaves no file on the disk."""
    if Path(folder).is_file():
        raise BadInput("is a file, not a folder")
    place = existing(Path(folder))
    free = shutil.disk_usage(place).free
    block = os.urandom(BLOCK_MB * 10**6)  # not zeros: some disks do not write those
    worst, done = 0.0, 0
    try:
        with tempfile.TemporaryFile(dir=place, buffering=0) as file:
            began = time.perf_counter()
            while done < TOTAL_MB and time.perf_counter() - began < LONGEST_S:
                rest = memoryview(block)
                while rest:  # a write may be partial
                    rest = rest[file.write(rest) :]
                before = time.perf_counter()
                os.fsync(file.fileno())
                worst = max(worst, time.perf_counter() - before)
                done += BLOCK_MB
            seconds = time.perf_counter() - began
    except OSError as error:
        raise BadInput(f"cannot be written to ({error.strerror or error})") from error
    return {"free": free, "mb_s": done / seconds, "worst_sync": worst, "written_mb": done}


def existing(path: Path) -> Path:
    """``path``, or its nearest parent folder that exists."""
    path = path.resolve()
    while not path.is_dir() and path != path.parent:
        path = path.parent
    return path
