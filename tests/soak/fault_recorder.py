"""Work of the recorder, and what must hold when the disk refused a part of it.

A scenario works below a folder while a ``Refusing`` is at work, and returns its judge, which is
called when the disk is well again.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rtbci.cli import explain
from rtbci.errors import BadInput
from rtbci.messages import Event
from rtbci.process import Reporter
from rtbci.recorder import disk, xdf_pack
from rtbci.recorder.disk import PendingChunk, Spool
from rtbci.recorder.verify import look, recover
from rtbci.recorder.xdf_writer import XdfWriter
from rtbci.types import StreamInfo
from tests.soak.refusals import Refusing
from tests.soak.tiny_xdf import chunks, read

Judge = Callable[[], list[str]]
CHUNKS, ROWS = 5, 10
PATIENCE_S = 0.04  # in which a disk that has come back is asked again, many times
ENDS_S = 5.0
SAMPLES, CLOCK_OFFSET = CARRIED = (3, 4)  # tags of chunks that must not be lost
HEADER = (
    b"<info><name>eeg</name><type>EEG</type><channel_count>2</channel_count>"
    b"<nominal_srate>1000</nominal_srate><channel_format>float32</channel_format></info>"
)


class Heard(Reporter):
    """A reporter that keeps the codes of all alarms."""

    def __init__(self) -> None:
        super().__init__("record", True)
        self.codes = list[str]()

    def alarm(self, level: str, code: str, text: str) -> None:
        self.codes.append(code)

    def clear(self, code: str, text: str) -> None:
        self.codes.append(f"{code} is over")

    def event(self, event: Event, text: str | None = None) -> None:
        pass


def defect(what: str, error: OSError) -> list[str]:
    """What is wrong with an error of the system that a command lets out."""
    return [f"{what} is refused as a defect in rtbci"] if explain(error)[1] != 2 else []


def pieces() -> list[PendingChunk]:
    """What the recorder hands over: a header, chunks whose first channel counts, offsets."""
    now = time.monotonic()
    found = [PendingChunk(xdf_pack.stream_header(1, HEADER), now, 1, is_header=True)]
    for first in range(0, CHUNKS * ROWS, ROWS):
        rows = np.arange(first, first + ROWS)
        data = xdf_pack.samples(1, "float32", 2, rows / 1000, np.stack([rows, rows], 1))
        ends = first / 1000, (first + ROWS - 1) / 1000
        found.append(PendingChunk(data, now, 1, ROWS, *ends))
        found.append(PendingChunk(xdf_pack.clock_offset(1, first / 1000, 0.0), now, 1))
    return found


def recorder(folder: Path, refusing: Refusing, fallback: bool = False) -> Judge:
    """The recorder's way to the disk, with a second folder or without one."""
    heard, wrong, handed = Heard(), list[str](), pieces()
    path, other = folder / "main" / "a.xdf", folder / "other" if fallback else None
    began = refusing.refused.copy()
    with pytest.MonkeyPatch.context() as patch:
        for name, seconds in (("RETRY_S", 0.002), ("SYNC_S", 0.004), ("ELSEWHERE_S", 0.01)):
            patch.setattr(disk, name, seconds)
        try:
            spool = Spool(path, heard, header=xdf_pack.file_header({}), fallback=other)
        except BadInput:
            return lambda: _fresh_start(path, refusing)
        except OSError as error:
            at_start = defect("the start", error)
            return lambda: [*at_start, *_fresh_start(path, refusing)]
        began = refusing.refused.copy()
        for each in handed:
            spool.put(each)
            time.sleep(0.001)  # so that there are syncs in between
        spool.finish()
        if not spool.wait(PATIENCE_S * (2 if fallback else 1)):
            spool.give_up()
        if not spool.wait(ENDS_S):
            wrong.append("does not end")
    refused = refusing.refused - began

    def judge() -> list[str]:
        if spool.error is not None:
            wrong.append(f"ends with {type(spool.error).__name__}")
        if spool.waiting and "disk-full" not in heard.codes:
            wrong.append("nobody hears of a refused write")
        if refused["fsync"] and "disk-failing" not in heard.codes:
            wrong.append("nobody hears of a refused fsync")
        if not spool.waiting and heard.codes[-1:] == ["disk-full"]:
            wrong.append("a full disk that is over is not cleared")
        taken = list[tuple[int, bytes]]()
        for part in spool.parts:
            found, torn = chunks(part.read_bytes())
            taken += [each for each in found if each[0] in CARRIED]
            if torn and not refused["ftruncate"]:
                wrong.append("a part is torn")
            if any(tag == SAMPLES for tag, _ in found) and not torn and look(part).problems:
                wrong.append("verify finds a whole part damaged")
        wrong.extend(_accounts(taken, spool.waiting, handed))
        return wrong

    return judge


def _accounts(
    taken: list[tuple[int, bytes]], waiting: int, handed: list[PendingChunk]
) -> list[str]:
    """Chunks in the files and bytes that are stated to wait must be all that was handed over."""
    every = [(chunks(each.data, 0)[0][0], len(each.data)) for each in handed if not each.is_header]
    if taken != [chunk for chunk, _ in every[: len(taken)]]:
        return ["chunks are doubled, absent or out of order"]
    least = sum(size for _, size in every[len(taken) :])
    return ["chunks are lost and not stated"] if waiting < least else []


def _fresh_start(path: Path, refusing: Refusing) -> list[str]:
    """After a refused start the same name must serve once the disk is well."""
    try:
        Spool(path, Heard(), header=xdf_pack.file_header({})).finish()
    except BadInput:
        is_kept = not refusing.refused["unlink"]
        return ["a file that holds nothing keeps its name"] if is_kept else []
    return []


def writer(folder: Path, refusing: Refusing) -> Judge:
    """A recording that is written at once."""
    path, wrote, wrong = folder / "a.xdf", 0, list[str]()
    is_told = False
    info = StreamInfo("cap", 1000.0, ("a", "b"), ("EEG", "EEG"))
    try:
        with XdfWriter(path, clock=lambda: time.monotonic() * 1000) as to:
            number = to.add_stream(info)
            for first in range(0, CHUNKS * ROWS, ROWS):
                rows = np.arange(first, first + ROWS)
                to.samples(number, rows / 1000, np.stack([rows, rows], 1))
                wrote = first + ROWS
    except BadInput:
        is_told = True
    except OSError as error:
        is_told = True
        wrong += defect("the work", error)

    def judge() -> list[str]:
        if not path.exists():
            return wrong + (["the file is gone"] if wrote else [])
        rows, torn = read(path)
        if rows[:wrote] != list(range(wrote)):
            wrong.append("rows that were acknowledged are absent")
        if torn and not refusing.refused["ftruncate"]:
            wrong.append("the file is torn")
        if len(rows) < CHUNKS * ROWS and not is_told:
            wrong.append("nobody hears of lost rows")
        if refusing.refused["fsync"] and not is_told:
            wrong.append("nobody hears of a refused fsync")
        return wrong

    return judge


def recovery(folder: Path, refusing: Refusing) -> Judge:
    """``rtbci recover`` of a file that was cut."""
    path, copy, wrong = folder.parent / f"{folder.name}.xdf", folder / "copy.xdf", list[str]()
    data = xdf_pack.file_header({}) + b"".join(each.data for each in pieces())
    path.write_bytes(data[:-5])  # beyond the root, where no call is refused
    is_told = False
    try:
        recover(path, copy)
    except BadInput:
        is_told = True
    except OSError as error:
        is_told = True
        wrong += defect("the work", error)

    def judge() -> list[str]:
        if path.read_bytes() != data[:-5]:
            wrong.append("the original is changed")
        whole = copy.exists() and read(copy) == (list(range(CHUNKS * ROWS)), False)
        if not is_told and not whole:
            wrong.append("a copy that is not whole is stated to be")
        if not whole and os.path.lexists(copy) and not refusing.refused["unlink"]:
            wrong.append("a copy that is not whole is left")
        return wrong

    return judge
