"""A folder as one recording: ``X.xdf``, then ``X_part-02.xdf`` where the recorder was restarted."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from rtbci.errors import BadInput
from rtbci.formats.source import sha256
from rtbci.signal.recording import Recording
from rtbci.signal.timebase import CLOCK_RESET
from rtbci.types import Gap, Marker, Provenance

_PART = re.compile(r"_part-(\d+)$")
RESTARTED = "recorder restarted"
RECOVERED = "_recovered"  # a copy of a torn file, which is read as it is


def parts(folder: Path, readable: Callable[[Path], bool]) -> list[Path]:
    """The files of the one recording in ``folder``, in order; ``BadInput`` for none or several."""
    try:
        files = sorted(path for path in folder.iterdir() if path.is_file() and readable(path))
    except OSError as error:
        raise BadInput(f"cannot list {folder}: {error.strerror}") from None
    if not files:
        raise BadInput(f"{folder} holds no recording; give a file or a session folder")
    whole = {path.stem for path in files}
    files = [p for p in files if p.stem.removesuffix(RECOVERED) not in whole - {p.stem}]
    runs: dict[str, list[tuple[int, Path]]] = {}
    for path in files:
        found = _PART.search(path.stem)
        number = int(found.group(1)[:9]) if found else 1
        runs.setdefault(_PART.sub("", path.stem) + path.suffix, []).append((number, path))
    if len(runs) > 1:
        names = ", ".join(sorted(runs)[:8]) + (", ..." if len(runs) > 8 else "")
        raise BadInput(f"{folder} holds {len(runs)} recordings ({names}); give one of the files")
    return [path for _, path in sorted(next(iter(runs.values())))]


def join(recordings: list[Recording]) -> Recording:
    """One recording of several parts, with gaps between them as long as their stamps show."""
    first, *others = recordings
    for other in others:
        if (other.info.channels, other.info.rate) != (first.info.channels, first.info.rate):
            raise BadInput(
                f"{other.provenance.paths[0]} has other channels or another rate than "
                f"{first.provenance.paths[0]}; they are not parts of one recording"
            )
    gaps, markers, bridged = list(first.gaps), list(first.markers), list(first.bridged or ())
    length, end = first.n_samples, _end(first)
    notes = list(first.provenance.notes)
    for other in others:
        missing, reason = 0, RESTARTED
        if end is not None and other.t0 is not None:
            if other.t0 < end - 1:
                reason = CLOCK_RESET
            missing = max(round((other.t0 - end) * first.info.rate), 0)
        shift = length + missing
        gaps.append(Gap(length, missing, reason))
        gaps += [Gap(gap.index + shift, gap.missing, gap.reason) for gap in other.gaps]
        bridged += [at + shift for at in other.bridged or ()]
        markers += [Marker(m.index + shift, m.label, m.fields) for m in other.markers]
        length, end = shift + other.n_samples, _end(other)
        notes += other.provenance.notes
    joined = [f"{len(recordings)} parts were joined"] if others else []
    paths = tuple(path for recording in recordings for path in recording.provenance.paths)
    # parts of one replay of epochs, or of none: if only some state it, it is unknown
    alike = first.bridged is not None and all(
        each.bridged is not None and each.epoch_rows == first.epoch_rows for each in recordings
    )
    stamps = [recording.stamps for recording in recordings if recording.stamps is not None]
    return replace(
        first,
        signal=np.concatenate([recording.signal for recording in recordings]),
        markers=tuple(markers),
        gaps=tuple(gaps),
        stamps=np.concatenate(stamps) if len(stamps) == len(recordings) else None,
        epoch_rows=first.epoch_rows if alike else None,
        bridged=tuple(bridged) if alike else None,
        runs=tuple(n for each in recordings for n in each.runs) if alike else (),
        back_steps=sum(recording.back_steps for recording in recordings),
        provenance=Provenance(
            paths=paths,
            sha256=sha256(Path(path) for path in paths),
            format=first.provenance.format,
            notes=tuple(dict.fromkeys([*joined, *notes])),
        ),
    )


def _end(recording: Recording) -> float | None:
    """Stamp at which the next sample would have come, s."""
    if recording.t0 is None:
        return None
    return recording.t0 + recording.n_samples / (recording.effective_rate or recording.info.rate)
