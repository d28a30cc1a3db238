"""EEG in BIDS: the recordings of a dataset, each with the tables that describe it.

    dataset_description.json                          makes a folder a dataset
    sub-01/ses-01/eeg/sub-01_ses-01_task-x_run-1_eeg.vhdr     (.edf .bdf .set)
                      ..._events.tsv                  what happened: becomes the markers
                      ..._channels.tsv                types and units of the channels
                      ..._eeg.json                    whether the file holds epochs
    sub-01/eeg/sub-01_task-x_proc-clean_epo.fif       derivatives: epochs as MNE writes them

The signal is read by ``read_mne``, which checks its sizes first; MNE-BIDS (the extra ``bids``)
finds the tables that belong to a recording, by the standard's rule of inheritance.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rtbci.errors import BadInput, Missing
from rtbci.foreign_text import clean
from rtbci.formats.bids_tables import BREAK, NOTHING, BidsEvent, read_events, read_table
from rtbci.formats.draft import Draft
from rtbci.formats.mne_files import read_mne
from rtbci.formats.source import ReadOptions, load_json
from rtbci.formats.units import named, type_of
from rtbci.types import Gap, Marker

DESCRIPTION = "dataset_description.json"
RAW = (".vhdr", ".edf", ".bdf", ".set")  # what BIDS allows for EEG
# files split at 2 GB are read by their first part
_NAME = re.compile(
    r"^sub-[^_]+_(?!.*split-0*([2-9]|1\d)).*?(eeg\.(vhdr|edf|bdf|set)|(epo|raw)\.fif)$"
)
_PLACE = re.compile(r"^(sub|ses)-|^eeg$")  # a folder inside a dataset
EPOCHS = re.compile(r"_epo\.fif$")
LEVELS = 4  # from a file up to its dataset: eeg, ses-01, sub-01, root
# channel types of BIDS that are called otherwise here
TYPES = {"VEOG": "EOG", "HEOG": "EOG", "TRIG": "STIM", "EYEGAZE": "MISC", "PUPIL": "MISC"}
EPOCHED = "epoched"
_SIDECARS = (("events", ".tsv"), ("channels", ".tsv"), ("eeg", ".json"))
ADVICE = "pip install 'rtbci[bids]'"


def root_of(path: Path) -> Path | None:
    """The dataset that a file or folder belongs to by its name and place; None outside of any."""
    if path.is_dir():
        if (path / DESCRIPTION).is_file():
            return path
        if not _PLACE.match(path.resolve().name):
            return None
    elif not _NAME.match(path.name):
        return None
    above = path.resolve() if path.is_dir() else path.parent.resolve()
    for folder in (above, *list(above.parents)[: LEVELS - 1]):
        if (folder / DESCRIPTION).is_file():
            return folder
    return None


def is_raw(path: Path) -> bool:
    """Whether ``path`` is a recording of a dataset whose tables belong to it."""
    return path.suffix.lower() in RAW and root_of(path) is not None


def files(folder: Path) -> list[Path]:
    """The recordings in a dataset or in a part of it, sorted by name; ``BadInput`` for none.

    Of a raw dataset those under ``sub-*``: its derivatives are datasets of their own.
    """
    root = root_of(folder)
    if root is None:
        raise BadInput(f"{folder} is no BIDS dataset: no {DESCRIPTION} in it or above")
    # not by MNE-BIDS, which silently leaves out links to files not fetched, and odd names
    chosen = sorted(
        path
        for path in root.resolve().glob("sub-*/**/eeg/*")
        if _NAME.match(path.name) and path.is_relative_to(folder.resolve())
    )
    if not chosen:
        raise BadInput(
            f"{folder} holds no EEG recording in BIDS (sub-*/eeg/*_eeg.vhdr, .edf, .bdf, .set, or "
            "*_epo.fif in derivatives); give a file"
        )
    return chosen


def only_file(folder: Path) -> Path:
    """The one recording in ``folder``; raises ``BadInput`` where there are several."""
    found = files(folder)
    if len(found) > 1:
        shown = ", ".join(path.name for path in found[:8]) + (", ..." if len(found) > 8 else "")
        raise BadInput(f"{folder} holds {len(found)} recordings ({shown}); give one of the files")
    return found[0]


def read_bids(path: Path, options: ReadOptions) -> Draft:
    """A raw recording of a dataset: signal of the file, markers and types of the tables.

    Without MNE-BIDS, or without ``events.tsv``, the file's own markers stay, with a note. Raises
    ``BadInput`` for a table that is damaged.
    """
    draft = read_mne(path, options)
    own_epochs = draft.epoch_rows is not None
    try:
        tables = {kind: _sidecar(path, *kind) for kind in _SIDECARS}
    except Missing as error:
        draft.notes.append(f"{error}; markers and channel types are the file's own")
        return draft
    events, channels, about = (tables[kind] for kind in _SIDECARS)
    described = _described(about, draft)
    if described.get("RecordingType") == EPOCHED and not own_epochs:
        _cut(draft, described.get("EpochLength"), path)
    if channels is not None:
        _type_channels(draft, channels)
    if events is None:
        draft.notes.append("no events.tsv belongs to it; markers are the file's own")
    elif own_epochs:
        draft.notes.append("the file's own epochs and markers were taken, not events.tsv")
    else:
        _mark(draft, read_events(events), events)
    draft.format += " (BIDS)"
    draft.paths += [each for each in (events, channels, about) if each is not None]
    return draft


def events_of(path: Path) -> list[BidsEvent]:
    """The events of a raw recording, without reading its signal; none where no table is there."""
    if path.suffix.lower() not in RAW:
        return []
    table = _sidecar(path, "events", ".tsv")
    return [] if table is None else read_events(table)


def _mark(draft: Draft, events: Iterable[BidsEvent], path: Path) -> None:
    """``events`` as the markers of ``draft``, in place of the file's own; breaks become gaps."""
    length = len(draft.x) + sum(gap.missing for gap in draft.gaps)
    markers, gaps, outside = [], {gap.index: gap for gap in draft.gaps}, 0
    for event in events:
        index = round(event.onset * draft.rate)
        if not 0 <= index < length:
            outside += 1
        elif BREAK.match(event.label):
            if index > 0:
                gaps.setdefault(index, Gap(index, 0, event.label.strip("/").lower()))
        else:
            fields = dict(event.fields)
            if draft.epoch_rows:
                fields.setdefault("trial", index // draft.epoch_rows + 1)
            markers.append(Marker(index, event.label, fields))
    if outside:
        draft.notes.append(f"{outside} events of {path.name} lie outside the recording: left out")
    draft.markers, draft.stim_read = markers, True
    draft.gaps = tuple(gaps[index] for index in sorted(gaps))


def _cut(draft: Draft, length: object, path: Path) -> None:
    """Let ``draft`` hold consecutive epochs of ``length`` seconds."""
    seconds = float(length) if isinstance(length, int | float) else 0.0
    rows = round(seconds * draft.rate)
    if rows < 1 or len(draft.x) % rows:
        raise BadInput(
            f"{path} is said to hold epochs of {clean(str(length))} s, which does not divide its "
            f"{len(draft.x) / draft.rate:g} s; correct EpochLength beside it"
        )
    count = len(draft.x) // rows
    draft.epoch_rows = rows
    draft.gaps = tuple(Gap(i * rows, 0, "between epochs") for i in range(1, count))
    draft.format += " epochs"
    draft.notes.append(f"{count} epochs of {seconds:g} s: there is no signal between them")


def _type_channels(draft: Draft, path: Path) -> None:
    """Types, and units where the file states none, from ``channels.tsv``; bad ones are noted."""
    rows = read_table(path)
    by_name = {row.get("name", ""): row for row in rows}
    unknown = [name for name in draft.channels if name not in by_name]
    if unknown:
        draft.notes.append(
            f"{path.name} does not name {len(unknown)} channels of the file "
            f"({', '.join(unknown[:5])}): they keep the file's type"
        )
    units = draft.units if isinstance(draft.units, list) else [draft.units] * len(draft.channels)
    units = list(units)
    for column, name in enumerate(draft.channels):
        row = by_name.get(name, {})
        stated = row.get("type", "").upper()
        if stated not in NOTHING:
            draft.types[column] = type_of(name, TYPES.get(stated, stated))
        if units[column] is None and draft.types[column] != "STIM":
            units[column] = named(row.get("units"))
    draft.units = units
    bad = [name for name in draft.channels if by_name.get(name, {}).get("status") == "bad"]
    if bad:
        draft.notes.append(f"{path.name} marks as bad: {', '.join(bad[:12])}")


def _described(path: Path | None, draft: Draft) -> dict[str, Any]:
    """The object in ``eeg.json``; another rate than the file's is noted."""
    if path is None:
        return {}
    described = load_json(path)
    if not isinstance(described, dict):
        raise BadInput(f"{path} holds no JSON object")
    rate = described.get("SamplingFrequency")
    if isinstance(rate, int | float) and abs(rate - draft.rate) > 1e-3 * draft.rate:
        draft.notes.append(
            f"{path.name} states {rate:g} Hz, the file {draft.rate:g} Hz: the file's is taken"
        )
    return described


def _sidecar(path: Path, suffix: str, extension: str) -> Path | None:
    """The table or description that belongs to a recording, perhaps higher up; None for none."""
    mne_bids = _mne_bids()
    try:
        whole = mne_bids.get_bids_path_from_fname(path, check=False, verbose="ERROR")
        whole.update(root=root_of(path), datatype="eeg", check=False)
        found = whole.find_matching_sidecar(suffix, extension, on_error="ignore")
        if found is None:
            return None
        theirs = mne_bids.get_entities_from_fname(found, on_error="ignore", verbose="ERROR")
    except (KeyError, ValueError, RuntimeError) as error:
        raise BadInput(f"{path} or a file beside it has no name of BIDS: {_said(error)}") from None
    # a table of another run, task or session does not belong to it, however near it lies
    mine = whole.entities
    if any(value is not None and value != mine.get(key) for key, value in theirs.items()):
        return None
    return Path(found)


def _mne_bids() -> Any:
    try:
        import mne_bids
    except ImportError as error:
        raise Missing(f"BIDS needs MNE-BIDS, which does not load ({error}); {ADVICE}") from error
    return mne_bids


def _said(error: Exception) -> str:
    return clean(str(error.args[0]) if error.args else type(error).__name__)[:200]
