"""Fingerprint of the inputs of a run's windows; the windows are cut again if any input changes.

Everything that decides them is in: the array (by size and time, it is large), the small files that
speak of it (by content), rate, electrodes and unit that the dataset states, the recipe with its
filters, and the bridge. Labels and pictures decide no window, but a label file that was corrected
cuts its runs again all the same, which costs seconds.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from rtbci.formats import dataset
from rtbci.formats.source import sha256
from rtbci.networks import WINDOW, Network
from rtbci.networks.dims import RATE
from rtbci.signal import epoch_gaps
from rtbci.signal.recipe import Recipe

VERSION = 3  # higher whenever the code that cuts windows gives others
SMALL = (".json", ".csv", ".tsv", ".vhdr", ".vmrk")  # files that are known by their content
LARGEST = 2**25  # bytes of such a file; a larger one is known by size and time


def made_of(source: Path, entry: Network) -> dict[str, Any]:
    """Inputs that determine the windows of the run in ``source``, as a JSON value."""
    return {
        "version": VERSION,
        "source": [source.name, *_state(source)],
        "beside": {str(p.relative_to(_root(source))): _content(p) for p in speaking_of(source)},
        "stated": digest(dataset.montage(source)),
        "band": list(entry.band), "line": entry.line, "window": list(WINDOW), "rate": RATE,
        "bridge": [epoch_gaps.PAUSE, epoch_gaps.REST, epoch_gaps.SHORE_BEHIND,
                   epoch_gaps.SHORE_AHEAD, epoch_gaps.ROUGHNESS, epoch_gaps.NUGGET,
                   epoch_gaps.GROWTH],
    }  # fmt: skip


def speaking_of(source: Path) -> list[Path]:
    """Sidecar files next to and above ``source`` that describe it, by name.

    As BIDS has it: the words of a name between underscores, the last one left out, are all in the
    name of ``source``. Above it only small files count.
    """
    own = _words(source)
    found: list[Path] = []
    for folder in _folders(source):
        for path in sorted(folder.iterdir()):
            words, small = _words(path), path.suffix.lower() in SMALL
            fits = words == own or (small and words and words <= own)
            if fits and (small or folder == source.absolute().parent) and path.is_file():
                found.append(path)
    return [path for path in found if path.name != source.name]


def recipe_digest(recipe: Recipe) -> str:
    """Hash of a recipe with all its filters."""
    filters = [[each.sos.tolist(), each.start.tolist()] for each in recipe.filters]
    return digest([filters, recipe.channels, recipe.rate, recipe.reference, recipe.window,
                   recipe.decimation, recipe.streams])  # fmt: skip


def digest(value: object) -> str:
    """SHA-256 of ``value`` as JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _content(path: Path) -> list[int] | str:
    status = path.stat()
    small = path.suffix.lower() in SMALL and status.st_size <= LARGEST
    return sha256([path]) if small else _state(path)


def _state(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]


def _words(path: Path) -> frozenset[str]:
    return frozenset(path.name.split(".")[0].split("_")[:-1])


def _folders(source: Path) -> list[Path]:
    """Folder of ``source`` and its parents up to the one that holds the subjects."""
    above = list(source.absolute().parents)[:4]
    subject = next((n for n, each in enumerate(above) if each.name.startswith("sub-")), -1)
    return above[: subject + 2]


def _root(source: Path) -> Path:
    return _folders(source)[-1]
