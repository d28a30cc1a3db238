"""Everything that MNE reads: EDF, BDF, GDF, BrainVision, EEGLAB, FIF."""

import re
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from rtbci.foreign_text import clean
from rtbci.formats.companions import brainvision, eeglab
from rtbci.formats.draft import Draft
from rtbci.formats.edf import EdfHeader, check_gdf, edf_header
from rtbci.formats.source import ReadOptions, regular
from rtbci.formats.units import MICROVOLTS, named, type_of
from rtbci.types import Array, Gap, Marker

VOLTAGE = ("eeg", "eog", "ecg", "emg", "seeg", "ecog", "dbs", "bio")
_BREAK = re.compile(r"^(new segment|boundary|(bad|edge)[ _]boundary|bad_acq_skip)", re.IGNORECASE)
# Warnings that MNE gives for every file of some kind, or about steps that we take ourselves.
_IDLE = re.compile(r"filename|montage|deprecat|naming convention|highpass|lowpass|boundary", re.I)


def read_mne(path: Path, options: ReadOptions) -> Draft:
    """A file that MNE reads, all in memory; its sizes were checked first.

    Annotations and stim channels become markers; a break in the recording becomes a gap of unknown
    length. ``Stimulus/S  1`` of BrainVision is labelled ``S1``; its description becomes a field.
    """
    suffix = path.suffix.lower()
    notes: list[str] = []
    paths, trials, header = [path], 1, None
    if suffix in (".edf", ".bdf"):
        header = edf_header(path)
    elif suffix == ".gdf":
        check_gdf(path)
    elif suffix == ".vhdr":
        paths = brainvision(path)
    elif suffix == ".set":
        paths, trials = eeglab(path)
    else:
        regular(path)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        draft = _epochs(path, suffix) if _epoched(path, trials) else _raw(path, suffix, header)
    for warning in said:
        text = clean(str(warning.message))
        if not _IDLE.search(text):
            notes.append(f"MNE: {text[:300]}")
    draft.paths, draft.notes = paths, draft.notes + notes
    if options.rate is not None:
        draft.rate = options.rate
    _tidy_names(draft)
    return draft


def _epoched(path: Path, trials: int) -> bool:
    return trials > 1 or bool(re.search(r"epo\.fif(\.gz)?$", path.name))


def _raw(path: Path, suffix: str, header: EdfHeader | None) -> Draft:
    import mne

    readers: dict[str, Callable[..., Any]] = {
        ".edf": mne.io.read_raw_edf,
        ".bdf": mne.io.read_raw_bdf,
        ".gdf": mne.io.read_raw_gdf,
        ".vhdr": mne.io.read_raw_brainvision,
        ".set": mne.io.read_raw_eeglab,
        ".fif": mne.io.read_raw_fif,
    }
    more: dict[str, Any] = {"infer_types": True} if suffix in (".edf", ".bdf") else {}
    try:
        raw = readers[suffix](path, preload=True, verbose="WARNING", **more)
    except UnicodeDecodeError:
        if suffix not in (".edf", ".bdf"):
            raise
        raw = readers[suffix](path, preload=True, verbose="WARNING", encoding="latin1", **more)
    draft = _draft(raw, suffix, path, np.asarray(raw.get_data()).T)
    if header is not None and header.discontinuous:
        draft.gaps, draft.markers = _apart(header, draft.rate)
    else:
        draft.markers, draft.gaps = _annotations(raw)
    return draft


def _epochs(path: Path, suffix: str) -> Draft:
    import mne

    if suffix == ".set":
        epochs = mne.io.read_epochs_eeglab(path, verbose="WARNING")
    else:
        epochs = mne.read_epochs(path, preload=True, verbose="WARNING")
    data = epochs.get_data(copy=False)  # (epochs, channels, times)
    n, _, times = data.shape
    draft = _draft(epochs, suffix, path, data.transpose(0, 2, 1).reshape(n * times, -1))
    onset = int(np.clip(round(-epochs.tmin * draft.rate), 0, times - 1))
    names = {number: clean(name) for name, number in epochs.event_id.items()}
    draft.markers = [
        Marker(i * times + onset, names.get(int(code), str(code)), {"trial": i + 1})
        for i, code in enumerate(epochs.events[:, 2])
    ]
    draft.gaps = tuple(Gap(i * times, 0, "between epochs") for i in range(1, n))
    draft.epoch_rows = times
    draft.format += " epochs"
    draft.notes.append(f"{n} epochs of {times / draft.rate:g} s: there is no signal between them")
    return draft


def _draft(source: Any, suffix: str, path: Path, x: Array) -> Draft:
    """Channels, units and types of an MNE object; ``x`` (rows, channels) returns to file units."""
    channels = list(source.ch_names)
    kinds = source.get_channel_types()
    stated: dict[str, str] = getattr(source, "_orig_units", None) or {}
    units: list[str | None] = []
    for column, (name, kind) in enumerate(zip(channels, kinds, strict=True)):
        unit: str | None = stated.get(name)
        if suffix == ".set" and kind in VOLTAGE:
            unit = "uV"  # what EEGLAB counts in, and MNE took it so
        elif suffix == ".fif" and kind in VOLTAGE:
            unit = "V"
        if unit in ("n/a", "", "NA"):
            unit = None
        known = named(unit)
        if known is not None and kind != "stim":
            x[:, column] *= 1e6 / MICROVOLTS[known]
        units.append(unit if known is None else known)
    return Draft(
        format={".set": "eeglab", ".vhdr": "brainvision"}.get(suffix, suffix[1:]),
        paths=[path],
        name=path.stem,
        x=x,
        channels=channels,
        types=[_type(name, kind) for name, kind in zip(channels, kinds, strict=True)],
        rate=float(source.info["sfreq"]),
        units=units,
        unit_from="assumed" if suffix == ".set" else "stated",
    )


def _type(name: str, kind: str) -> str:
    if kind in ("eeg", "misc"):
        return type_of(name, kind)
    return {"eog": "EOG", "ecg": "ECG", "emg": "EMG", "stim": "STIM", "bio": "AUX"}.get(
        kind, "MISC"
    )


def _annotations(raw: Any) -> tuple[list[Marker], tuple[Gap, ...]]:
    """Markers from annotations, and gaps from annotations of a break in the recording."""
    import mne

    described = [str(text) for text in raw.annotations.description]
    if not described:
        return [], ()
    # one code for each annotation, so that order and description survive
    codes = {text: i + 1 for i, text in enumerate(dict.fromkeys(described))}
    more: dict[str, Any] = {"event_id": codes, "regexp": None, "verbose": "WARNING"}
    events, _ = mne.events_from_annotations(raw, **more)
    texts = {code: text for text, code in codes.items()}
    found = [(int(sample) - raw.first_samp, texts[int(code)]) for sample, _, code in events]
    found = [(row, text) for row, text in found if 0 <= row < raw.n_times]
    short = _labels([text for _, text in found])
    breaks = {row: text for row, text in found if _BREAK.match(text) and row > 0}
    markers = [_marker(row, text, short[text]) for row, text in found if not _BREAK.match(text)]
    gaps = tuple(
        Gap(row, 0, clean(text).strip("/").lower()) for row, text in sorted(breaks.items())
    )
    return markers, gaps


def _labels(described: list[str]) -> dict[str, str]:
    """Label of each description: ``Stimulus/S  1`` becomes ``S1`` where that stays unique."""
    short = {
        text: "".join(clean(text.rpartition("/")[2]).split())
        for text in set(described)
        if "/" in text
    }
    plain = {text: clean(text) for text in set(described)}
    counts = Counter([*short.values(), *(plain[text] for text in plain if text not in short)])
    return {
        text: short[text] if short.get(text) and counts[short[text]] == 1 else plain[text] or "?"
        for text in plain
    }


def _marker(row: int, text: str, label: str) -> Marker:
    return Marker(row, label, {} if label == text else {"description": clean(text)})


def _apart(header: EdfHeader, rate: float) -> tuple[tuple[Gap, ...], list[Marker]]:
    """Gaps between records that lie apart, and markers at their own time (EDF+D, BDF+D)."""
    onsets: dict[int, float] = {}
    texts: list[tuple[float, str]] = []
    for record, onset, words in header.tals():
        onsets.setdefault(record, onset)
        texts += [(onset, word) for word in words]
    start = onsets.get(0, 0.0)
    rows = round(header.record_s * rate)
    gaps, shift = [], 0
    for record in range(1, header.records):
        behind = round((onsets.get(record, start) - start) * rate) - record * rows - shift
        if behind > 1:
            gaps.append(Gap(record * rows + shift, behind, "records lie apart"))
            shift += behind
    last = header.records * rows + shift
    markers = [Marker(round((onset - start) * rate), text) for onset, text in texts]
    return tuple(gaps), [marker for marker in markers if 0 <= marker.index < last]


def _tidy_names(draft: Draft) -> None:
    """``Fc5.`` and ``Cz..`` of BCI2000 files become ``FC5`` and ``Cz``."""
    dotted = [name for name in draft.channels if name.endswith(".")]
    if 2 * len(dotted) < len(draft.channels):
        return
    tidy = []
    for name in draft.channels:
        name = name.rstrip(".").upper()
        name = f"{name[:-1]}z" if name.endswith("Z") else name
        tidy.append(f"Fp{name[2:]}" if name.startswith("FP") else name)
    if len(set(tidy)) == len(tidy) and all(tidy):
        draft.notes.append(f"channel names were tidied: {draft.channels[0]} became {tidy[0]}")
        draft.channels = tidy
