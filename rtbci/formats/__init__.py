"""Reader of EEG recordings of any format: one call returns one value, or raises one sentence.

    recording = read("run.xdf", channels=("Cz", "Pz"))

This is the one boundary between files of unknown origin, the libraries that parse them, and the
rest of rtbci: anything that goes wrong inside comes out as ``BadInput`` (an ``RtbciError``).
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from rtbci.errors import BadInput, RtbciError
from rtbci.foreign_text import clean
from rtbci.formats import session
from rtbci.formats.draft import MAX_RATE, MIN_RATE, Draft, finish
from rtbci.formats.plausibility import what_looks_wrong
from rtbci.formats.source import ReadOptions, regular
from rtbci.signal.recording import Recording

logger = logging.getLogger(__name__)

LONGEST_SENTENCE = 1000  # characters of an error
_MAGIC = {b"XDF:": ".xdf", b"\x93NUMPY": ".npy", b"0       ": ".edf", b"\xffBIOSEMI": ".bdf",
          b"GDF ": ".gdf", b"MATLAB 5": ".set", b"Brain": ".vhdr",
          b"timestamp": ".csv"}  # fmt: skip
_COMPANIONS = {".eeg": ".vhdr", ".vmrk": ".vhdr", ".fdt": ".set"}
_PACKED = (".gz", ".zip", ".xdfz", ".bz2", ".xz", ".7z", ".zst")
_SIDE_FILES = (".json", ".jsonl", ".toml", ".locs", ".txt", ".tsv", ".md")


def read(
    path: str | Path,
    *,
    channels: tuple[str, ...] | None = None,
    rename: str | Path | None = None,
    trigger: str | None = None,
    rate: float | None = None,
    unit: str | None = None,
    stream: str | None = None,
) -> Recording:
    """The recording in a file or session folder, float32 microvolts (rows, channels).

    ``channels`` picks by name (after ``rename``, a file of old and new names); without it all
    signal channels stay, each with its type. ``trigger`` (``CHANNEL`` or ``CHANNEL:mask``)
    replaces the file's markers by the rising edges of a channel, ``rate`` (Hz) and ``unit`` (V, mV,
    uV, nV) those that the file states or leaves open; ``stream`` names the stream of an XDF file.
    Raises ``BadInput``, and nothing else, for a file that cannot be read; or ``Missing`` for a BIDS
    dataset without MNE-BIDS.
    """
    path = Path(path)
    options = ReadOptions(trigger=trigger, rate=rate, unit=unit, stream=stream)
    if rate is not None and not MIN_RATE <= rate <= MAX_RATE:
        raise BadInput(f"a rate of {rate:g} Hz is not within {MIN_RATE:g} to {MAX_RATE:g} Hz")
    try:
        with np.errstate(all="ignore"):
            recording = _read(path, options, Path(rename) if rename is not None else None)
            if channels is not None:
                recording = recording.pick(tuple(channels))
            notes = (*recording.provenance.notes, *what_looks_wrong(recording))
    except RtbciError as error:
        said = str(error) if str(path) in str(error) else f"{path}: {error}"
        if not said.isprintable() or len(said) > LONGEST_SENTENCE:
            said = clean(said)  # it quotes the file
        if said == str(error):
            raise
        raise type(error)(said) from None
    except MemoryError:
        raise BadInput(f"{path} does not fit into memory; cut it into shorter files") from None
    except Exception as error:
        logger.debug("reading %s", path, exc_info=True)
        what = clean(str(error))[:200] or type(error).__name__
        raise BadInput(
            f"{path} cannot be read ({what}); it is damaged or not what its name says"
        ) from error
    provenance = replace(recording.provenance, notes=tuple(dict.fromkeys(notes)))
    return replace(recording, provenance=provenance)


def _read(path: Path, options: ReadOptions, rename: Path | None) -> Recording:
    from rtbci.formats import bids

    if path.is_dir() and bids.root_of(path) is not None:
        path = bids.only_file(path)
    if path.is_dir():
        files = session.parts(path, lambda file: _suffix(file, quick=True) in _readers())
        return session.join([_read(file, options, rename) for file in files])
    regular(path)
    suffix = _suffix(path)
    if suffix in _COMPANIONS:
        other = path.with_suffix(_COMPANIONS[suffix])
        if not other.exists():
            raise BadInput(f"{path} needs its header {other.name} beside it; copy both")
        path, suffix = other, other.suffix
    if suffix in _PACKED:
        raise BadInput(f"{path} is packed; unpack it first")
    reader = bids.read_bids if bids.is_raw(path) else _readers().get(suffix)
    if reader is None:
        known = " ".join(_readers())
        raise BadInput(f"{path} is of no format that is read ({known}, or a session folder)")
    return finish(reader(path, options), options, rename)


def _suffix(path: Path, quick: bool = False) -> str:
    """The suffix of ``path``, or the one its first bytes call for where it is not known."""
    suffix = path.suffix.lower()
    if suffix in _PACKED or suffix in _COMPANIONS:
        return suffix
    if suffix in _readers():
        if not quick or suffix != ".csv":
            return suffix
    elif suffix in _SIDE_FILES and quick:
        return suffix
    try:
        with open(path, "rb") as file:
            start = file.read(16)
    except OSError:
        return suffix
    return next((found for magic, found in _MAGIC.items() if start.startswith(magic)), "")


def _readers() -> dict[str, Callable[[Path, ReadOptions], Draft]]:
    return {".npy": _npy, ".csv": _csv, ".xdf": _xdf, ".edf": _mne, ".bdf": _mne, ".gdf": _mne,
            ".vhdr": _mne, ".set": _mne, ".fif": _mne}  # fmt: skip


def _npy(path: Path, options: ReadOptions) -> Draft:
    from rtbci.formats.npy import read_npy

    return read_npy(path, options)


def _csv(path: Path, options: ReadOptions) -> Draft:
    from rtbci.formats.muse import read_csv

    return read_csv(path, options)


def _xdf(path: Path, options: ReadOptions) -> Draft:
    from rtbci.formats.xdf import read_xdf

    return read_xdf(path, options)


def _mne(path: Path, options: ReadOptions) -> Draft:
    from rtbci.formats.mne_files import read_mne

    return read_mne(path, options)
