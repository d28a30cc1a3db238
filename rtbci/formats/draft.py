"""Draft of a recording as a reader made it, and its completion: triggers, units, channels."""

import csv
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtbci.errors import BadInput
from rtbci.foreign_text import clean
from rtbci.formats import units
from rtbci.formats.events import BIOSEMI_BITS, parse_trigger, rising
from rtbci.formats.source import ReadOptions, load_json, regular, sha256
from rtbci.signal.recording import Recording
from rtbci.types import Array, Gap, Marker, Provenance, Samples, StreamInfo

MAX_CHANNELS = 1024
MIN_RATE, MAX_RATE = 0.1, 50_000.0  # Hz


@dataclass
class Draft:
    """A file as its reader understood it; ``x`` (rows, channels) is still in the file's unit."""

    format: str
    paths: list[Path]
    name: str
    x: NDArray[Any]  # any number type; becomes float32 with its unit
    channels: list[str]
    types: list[str]
    rate: float
    units: list[str | None] | str | None = None  # as stated, one a channel or one for all
    unit_from: str = "stated"
    markers: list[Marker] = field(default_factory=list)
    gaps: tuple[Gap, ...] = ()
    effective_rate: float | None = None
    back_steps: int = 0
    t0: float | None = None
    epoch_rows: int | None = None
    runs: tuple[int, ...] = ()  # epochs a run
    bridged: tuple[int, ...] | None = None  # sample index of each epoch of a bridged replay
    stamps: Array | None = None  # (rows,) s
    lead_in: int = 0  # rows before sample index 0, left out
    notes: list[str] = field(default_factory=list)
    stim_read: bool = False  # the markers are made already; STIM columns serve --trigger only


def check_sizes(n_channels: int, rate: float, path: Path) -> None:
    """Raises ``BadInput`` for a count of channels or a rate that no cap has."""
    if not 1 <= n_channels <= MAX_CHANNELS:
        raise BadInput(f"{path} declares {n_channels} channels; 1 to {MAX_CHANNELS} are read")
    if not MIN_RATE <= rate <= MAX_RATE:
        raise BadInput(
            f"{path} declares a rate of {rate:g} Hz; {MIN_RATE:g} to {MAX_RATE:g} Hz are read"
        )


def row_indices(n_rows: int, gaps: tuple[Gap, ...]) -> NDArray[np.int64]:
    """(rows,) absolute sample index of each row."""
    indices = np.arange(n_rows, dtype=np.int64)
    for gap in gaps:
        indices[np.searchsorted(indices, gap.index) :] += gap.missing
    return indices


def finish(draft: Draft, options: ReadOptions, rename: Path | None) -> Recording:
    """The recording; raises ``BadInput`` where names, units or sizes make no sense."""
    if draft.x.ndim != 2 or not len(draft.x):
        raise BadInput(f"{draft.paths[0]} holds no samples; record it again")
    check_sizes(draft.x.shape[1], draft.rate, draft.paths[0])
    channels = _names(
        [clean(name) or f"channel {i + 1}" for i, name in enumerate(draft.channels)], draft
    )
    if rename is not None:
        channels = _renamed(channels, rename)
    markers = _markers(draft, channels, options)
    # a trigger channel became markers; in microvolts it would only lie
    stim = parse_trigger(options.trigger)[0] if options.trigger else None
    keep = [i for i, kind in enumerate(draft.types) if kind != "STIM" and channels[i] != stim]
    if not keep:
        raise BadInput(f"{draft.paths[0]} holds trigger channels only, no signal")
    signal, unit, unit_from = _microvolts(draft, keep, options)
    info = StreamInfo(
        name=clean(draft.name),
        rate=float(draft.rate),
        channels=tuple(channels[i] for i in keep),
        types=tuple(draft.types[i] for i in keep),
        unit=unit,
        unit_from=unit_from,
    )
    return Recording(
        signal=signal,
        info=info,
        markers=tuple(sorted(markers, key=lambda marker: marker.index)),
        provenance=Provenance(
            paths=tuple(str(path) for path in draft.paths),
            sha256=sha256(draft.paths),
            format=draft.format,
            notes=tuple(dict.fromkeys(clean(note) for note in draft.notes)),
        ),
        gaps=draft.gaps,
        effective_rate=draft.effective_rate,
        back_steps=draft.back_steps,
        t0=draft.t0,
        epoch_rows=draft.epoch_rows,
        runs=draft.runs,
        bridged=draft.bridged,
        stamps=draft.stamps,
        lead_in=draft.lead_in,
    )


def _names(names: list[str], draft: Draft) -> list[str]:
    """``names`` made unique, with a note."""
    counts = Counter(names)
    twice = sorted(name for name, n in counts.items() if n > 1)
    if not twice:
        return names
    draft.notes.append(f"channel names appear twice and were numbered: {', '.join(twice[:8])}")
    taken, unique = set(names), []
    seen: Counter[str] = Counter()
    for name in names:
        seen[name] += 1
        new = name
        while (counts[name] > 1 and new == name) or (new != name and new in taken):
            new = f"{name}-{seen[name]}"
            if new in taken:
                seen[name] += 1
        taken.add(new)
        unique.append(new)
    return unique


def _renamed(channels: list[str], path: Path) -> list[str]:
    """``channels`` under the names of a rename file; raises ``BadInput``."""
    new = read_rename(path)
    unknown = [name for name in new if name not in channels]
    if len(unknown) == len(new):
        raise BadInput(
            f"{path} renames {', '.join(unknown[:5])}, none of which is among the channels "
            f"{', '.join(channels[:8])}"
        )
    names = [new.get(name, name) for name in channels]
    twice = sorted(name for name, n in Counter(names).items() if n > 1)
    if twice:
        raise BadInput(f"{path} gives two channels the name {', '.join(twice)}; names must differ")
    return names


def read_rename(path: Path) -> dict[str, str]:
    """Old name to new name, from a JSON object or a two-column CSV or TSV; raises ``BadInput``."""
    if regular(path) > 2**20:
        raise BadInput(f"{path} has more than 1 MiB; a rename file is a short table")
    if path.suffix.lower() == ".json":
        table = load_json(path)
        if not isinstance(table, dict) or not all(isinstance(v, str) for v in table.values()):
            raise BadInput(f"{path} is not a JSON object of old name to new name")
        pairs = [(str(old), str(new)) for old, new in table.items()]
    else:
        try:
            text = path.read_text(encoding="utf-8-sig")
        except ValueError:
            raise BadInput(f"{path} is not text in UTF-8") from None
        rows = [
            row
            for row in csv.reader(text.splitlines(), delimiter="\t" if "\t" in text else ",")
            if any(cell.strip() for cell in row)
        ]
        if any(len(row) != 2 for row in rows):
            raise BadInput(f"{path} needs two columns in every line: old name, new name")
        pairs = [(old.strip(), new.strip()) for old, new in rows]
        if pairs and [cell.lower() for cell in pairs[0]] == ["old", "new"]:
            pairs = pairs[1:]
    if not pairs or not all(old and clean(new) for old, new in pairs):
        raise BadInput(f"{path} holds no pairs of old name and new name, or an empty name")
    if len({old for old, _ in pairs}) < len(pairs):
        raise BadInput(f"{path} renames one channel twice; keep one line for each")
    return {old: clean(new) for old, new in pairs}


def _markers(draft: Draft, channels: list[str], options: ReadOptions) -> list[Marker]:
    indices = row_indices(len(draft.x), draft.gaps)
    if options.trigger:
        name, mask = parse_trigger(options.trigger)
        if name not in channels:
            name, mask = options.trigger, None
        if name not in channels:
            raise BadInput(
                f"no trigger channel {name!r} in {draft.paths[0]}; it has {', '.join(channels)}"
            )
        return list(rising(draft.x[:, channels.index(name)], indices, mask, name))
    markers = list(draft.markers)
    if not draft.stim_read:
        for column, kind in enumerate(draft.types):
            if kind == "STIM":
                biosemi = draft.format == "bdf" and channels[column].lower() == "status"
                mask = BIOSEMI_BITS if biosemi else None
                markers += rising(draft.x[:, column], indices, mask, channels[column])
    return markers


def _microvolts(draft: Draft, keep: list[int], options: ReadOptions) -> tuple[Samples, str, str]:
    """The columns ``keep`` in float32 microvolts, the unit they came in, and how it is known."""
    n = draft.x.shape[1]
    stated = list(draft.units) if isinstance(draft.units, list) else [draft.units] * n
    eeg = [i for i in keep if draft.types[i] == "EEG"] or keep
    known = [units.named(unit) for unit in stated]
    if options.unit is not None:
        unit, unit_from = units.wanted(options.unit), "stated"
        if draft.unit_from == "stated" and any(known[i] not in (None, unit) for i in eeg):
            draft.notes.append(f"the file states another unit; {unit} was taken as given by --unit")
        known = [unit if stated[i] is None or known[i] else None for i in range(n)]
    elif all(known[i] is None for i in eeg):
        unit, unit_from = units.infer(draft.x[:, eeg]), "inferred"
        draft.notes.append(f"no unit is stated; {unit} is inferred from the amplitudes (or --unit)")
        known = [unit if stated[i] is None or i in eeg else None for i in range(n)]
    else:
        unit, unit_from = next(known[i] for i in eeg if known[i]) or "uV", draft.unit_from
        dumb = [i for i in eeg if known[i] is None]
        if dumb:
            draft.notes.append(f"{len(dumb)} EEG channels state no unit; {unit} was taken for them")
            known = [unit if i in dumb else known[i] for i in range(n)]
    signal = np.empty((len(draft.x), len(keep)), np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        scales = [units.MICROVOLTS[known[column] or "uV"] for column in keep]
        if keep == list(range(n)) and set(scales) == {1}:
            signal[:] = draft.x  # row by row: many times faster than by columns
            return signal, unit, unit_from
        for place, (column, scale) in enumerate(zip(keep, scales, strict=True)):
            signal[:, place] = draft.x[:, column] if scale == 1 else draft.x[:, column] * scale
    return signal, unit, unit_from
