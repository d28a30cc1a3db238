"""Verification of XDF recordings: streams, gaps, torn ends, damage, and missing footers.

The file is read chunk by chunk, and its own statements are checked. A gap is reported, but is not
a fault. A torn or damaged file is faulty, although every whole chunk in it can be read.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rtbci.errors import BadInput
from rtbci.formats import xdf_salvage
from rtbci.formats.session import RECOVERED
from rtbci.formats.xdf_salvage import BOUNDARY_TAG, FILE_HEADER, Damage, Salvage
from rtbci.recorder import xdf_pack
from rtbci.recorder.xdf_file import XdfFile
from rtbci.signal.timebase import from_stamps

PART = re.compile(r"_part-(\d+)$")
COPY_BYTES = 2**20  # size of one write of a copy


@dataclass(frozen=True)
class StreamReport:
    """One stream of a file. Stamps are raw, in seconds of the sender's clock."""

    number: int
    name: str
    type: str
    channels: int
    format: str
    rate: float  # nominal, Hz; 0 for an irregular stream
    source_id: str
    samples: int
    first: float | None
    last: float | None
    effective_rate: float | None
    gaps: tuple[tuple[float, int], ...]  # (stamp after the gap, samples missing); 0: clock set
    back_steps: int
    offsets: int  # measurements of its clock offset
    footer: int | None  # samples according to the footer; None without a footer

    @property
    def missing(self) -> int:
        """Samples in all gaps."""
        return sum(missing for _, missing in self.gaps)

    @property
    def duration(self) -> float:
        """Time from the first sample to the last, s."""
        return 0.0 if self.first is None or self.last is None else self.last - self.first


@dataclass(frozen=True)
class FileReport:
    """Content and faults of one file."""

    path: Path
    size: int  # bytes
    torn: int  # bytes at the end that do not form a whole chunk
    damaged: tuple[Damage, ...]  # damage that is followed by whole chunks
    cut: str | None  # why the end is torn
    boundaries: int
    about: dict[str, str]  # fields of the header
    streams: tuple[StreamReport, ...]
    unread: dict[int, str]  # stream -> why nothing of it can be read

    @property
    def footers(self) -> bool:
        """Whether all streams have footers, that is, the recording was ended properly."""
        return all(stream.footer is not None for stream in self.streams)

    @property
    def problems(self) -> tuple[str, ...]:
        """Faults as sentences."""
        found = list[str]()
        if self.torn:
            found.append(f"the last {self.torn} of {self.size} bytes are torn ({self.cut})")
        found += [
            f"bytes {each.start} to {each.stop} are damaged ({each.why})" for each in self.damaged
        ]
        found += [f"stream {n} cannot be read: {why}" for n, why in self.unread.items()]
        found += [
            f"stream {stream.number} ({stream.name!r}) holds {stream.samples} samples, its footer "
            f"says {stream.footer}"
            for stream in self.streams
            if stream.footer not in (None, stream.samples)
        ]
        return tuple(found)


@dataclass(frozen=True)
class PartGap:
    """Gap of one stream between two parts of a recording."""

    name: str  # of the stream
    after: Path  # part before the gap
    seconds: float
    missing: int | None  # samples; None for an irregular stream


def look(path: Path) -> FileReport:
    """Report on the file ``path``; raises ``BadInput`` if nothing in it can be read."""
    found = xdf_salvage.salvage(path)
    return FileReport(
        path=path,
        size=found.size,
        torn=found.torn,
        damaged=tuple(found.damaged),
        cut=found.damages[-1].why if found.torn else None,
        boundaries=len(found.of(BOUNDARY_TAG)),
        about=xdf_salvage.fields(found, FILE_HEADER) or {},
        streams=tuple(_stream(found, number) for number in found.streams),
        unread=found.unread,
    )


def recordings(path: Path) -> list[list[Path]]:
    """XDF files of ``path``, grouped by recording, with the parts in order.

    The first part of a recording stands for all its parts. Raises ``BadInput`` if there is no file.
    """
    if not path.is_dir():
        first = PART.search(path.stem) is None
        siblings = path.parent.glob("*.xdf") if first else ()
        same = [p for p in siblings if p != path and PART.sub("", p.stem) == path.stem]
        return [[path, *sorted(same, key=_order)]]
    try:
        files = sorted(p for p in path.iterdir() if p.suffix.lower() == ".xdf" and p.is_file())
    except OSError as error:
        raise BadInput(f"cannot list {path}: {error.strerror}") from None
    if not files:
        raise BadInput(f"{path} holds no XDF file; give a recording or a session folder")
    groups = dict[str, list[Path]]()
    for file in files:
        groups.setdefault(PART.sub("", file.stem), []).append(file)
    return [sorted(group, key=_order) for group in groups.values()]


def holes(reports: Sequence[FileReport]) -> list[PartGap]:
    """Gaps between the parts of a recording, for each stream."""
    found = list[PartGap]()
    ends = dict[tuple[str, str, str], tuple[StreamReport, Path]]()
    for report in reports:
        for stream in report.streams:
            key = (stream.name, stream.type, stream.source_id)
            before = ends.get(key)
            if stream.first is None or stream.last is None:
                continue
            if before is not None and before[1] != report.path and before[0].last is not None:
                seconds = stream.first - before[0].last
                missing = max(round(seconds * stream.rate) - 1, 0) if stream.rate else None
                found.append(PartGap(stream.name, before[1], seconds, missing))
            ends[key] = stream, report.path
    return found


def recover(path: Path, out: Path | None = None) -> tuple[Path | None, Salvage]:
    """Write a copy of ``path`` with every whole chunk and new footers.

    Returns the path of the copy and the chunks found. A file that is whole and has its footers is
    not copied (None). Raises ``BadInput`` if nothing can be read or written, or the copy exists.
    """
    report, found = look(path), xdf_salvage.salvage(path)
    if not report.problems and report.footers and out is None:
        return None, found
    target = out or path.with_name(f"{path.stem}{RECOVERED}{path.suffix}")
    chunks = xdf_salvage.copy(found)
    file = XdfFile(target, next(chunks))
    try:
        waiting = bytearray()
        for chunk in chunks:
            waiting += chunk
            if len(waiting) > COPY_BYTES:
                file.append(bytes(waiting))
                waiting.clear()
        for stream in report.streams:
            tally = xdf_pack.StreamFooter(stream.samples, stream.first or 0.0, stream.last or 0.0)
            waiting += xdf_pack.stream_footer(stream.number, tally)
        file.append(bytes(waiting))
        file.sync()
        file.release()
    except BaseException:
        file.discard()
        raise
    return target, found


def _stream(found: Salvage, number: int) -> StreamReport:
    declared = found.streams[number]
    stamps = xdf_salvage.stamps(found, number)
    rate, gaps, back_steps = None, (), 0
    if declared.rate and len(stamps) > 1:
        try:
            base = from_stamps(stamps, declared.rate)
        except BadInput:  # stamps that are not numbers or do not advance have no rate
            pass
        else:
            rate, back_steps = base.rate, base.back_steps
            rows = np.searchsorted(base.indices, [gap.index for gap in base.gaps])
            gaps = tuple(
                (float(stamps[row]), gap.missing) for row, gap in zip(rows, base.gaps, strict=True)
            )
    header = xdf_salvage.fields(found, xdf_pack.STREAM_HEADER, number) or {}
    footer = xdf_salvage.fields(found, xdf_pack.STREAM_FOOTER, number)
    stated = (footer or {}).get("sample_count", "")
    return StreamReport(
        number=number,
        name=declared.name,
        type=declared.type,
        channels=declared.channels,
        format=declared.format,
        rate=declared.rate,
        source_id=header.get("source_id", ""),
        samples=len(stamps),
        first=float(stamps[0]) if len(stamps) else None,
        last=float(stamps[-1]) if len(stamps) else None,
        effective_rate=rate,
        gaps=gaps,
        back_steps=back_steps,
        offsets=len(found.of(xdf_pack.CLOCK_OFFSET, number)),
        footer=None if footer is None else int(stated) if stated.isdecimal() else -1,
    )


def _order(path: Path) -> int:
    found = PART.search(path.stem)
    return int(found.group(1)[:9]) if found else 1
