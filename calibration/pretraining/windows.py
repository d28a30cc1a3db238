"""Windows of every run, cut once with the online signal chain and stored on disk as float16.

A run of epochs goes through the bridge and through ``Windows`` with the network's recipe, exactly
as a live stream does. What comes out lies in ``OUT/windows/NAME.npy`` (trials, channels, times),
divided by the run's robust scale; ``NAME.json`` holds that scale and what the file was made of
(``origin.py``). It is made anew where any of that differs. 26,000 trials of 122 x 125 are then
0.8 GB on disk, and in memory only as far as they are looked at. Classes and pictures are not in it:
they are read from the dataset every time.
"""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from calibration.pretraining.origin import made_of, recipe_digest
from rtbci.decoding.decoders.scaling import onto_grid, robust_scale
from rtbci.decoding.scorer import decoder_input
from rtbci.decoding.trial_hashes import marks
from rtbci.errors import BadInput
from rtbci.networks import WINDOW, Network
from rtbci.networks.dims import RATE
from rtbci.signal.recipe import Recipe, make_recipe
from rtbci.signal.recording import Recording
from rtbci.signal.windows import Windows
from rtbci.types import Array, Samples

TIMES = round((WINDOW[1] - WINDOW[0]) * RATE)  # samples of a window: 125
LARGEST = 60_000.0  # largest float16 is 65,504
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Cut:
    """Windows of one run on disk."""

    path: Path
    channels: tuple[str, ...]
    scale: Array  # (channels,) uV that one unit on disk stands for
    trials: np.ndarray  # (rows,) number of each row's trial in its run
    rejected: Mapping[str, int]
    sha256: str  # of the windows
    marks: str  # of its trials (``rtbci.decoding.trial_hashes``)

    def open(self) -> np.memmap[Any, np.dtype[np.float16]]:
        """Windows ``(trials, channels, times)`` float16, memory-mapped from disk."""
        array = np.load(self.path, mmap_mode="r")
        assert isinstance(array, np.memmap)
        return array

    def microvolts(self) -> Samples:
        """All windows in memory, float32 microvolts."""
        return self.open().astype(np.float32) * self.scale.astype(np.float32)[:, None]


def recipe_for(entry: Network, rate: float, channels: tuple[str, ...]) -> Recipe:
    """The recipe of a network for a stream of another rate or montage."""
    low, high = entry.band
    line = entry.line if entry.line is not None and entry.line < rate / 2 else None
    return make_recipe(
        rate, channels, bands=((low, min(high, 0.45 * rate)),), window=WINDOW,
        gate=False, reject=None, line=line,
    )  # fmt: skip


def grid_of(recipe: Recipe) -> Array | None:
    """Resampling matrix from windows of ``recipe`` to the networks' 250 Hz; None if not needed."""
    step = recipe.decimation
    begin, stop = recipe.samples(recipe.window[0]), recipe.samples(recipe.window[1])
    times = -(-(stop - begin) // step)
    if recipe.decoder_rate == RATE and times == TIMES:
        return None
    return onto_grid(times, recipe.decoder_rate, 0.0, TIMES, RATE)


def windows_of(recording: Recording, recipe: Recipe) -> tuple[Samples, np.ndarray, dict[str, int]]:
    """Windows ``(trials, channels, TIMES)`` uV, trial numbers, and reasons for missing ones.

    ``recording`` is continuous, or bridged; every marker of it is a trial.
    """
    front = Windows(recipe, recording.info.columns(recipe.channels))
    grid = grid_of(recipe)
    order = {index: n for n, index in enumerate(sorted(m.index for m in recording.markers))}
    found: list[Samples] = []
    numbers: list[int] = []
    rejected: dict[str, int] = {}
    for item in [*recording.items(), None]:
        for window in front.finish() if item is None else front.push(item):
            if window.x is None:
                why = (window.rejected or "").split(":")[0]
                rejected[why] = rejected.get(why, 0) + 1
                continue
            x = decoder_input(recipe, window.x, 0)[0]
            found.append((x if grid is None else x @ grid).astype(np.float32))
            numbers.append(order[window.index])
    shape = (0, len(recipe.channels), TIMES)
    return np.stack(found) if found else np.zeros(shape, np.float32), np.array(numbers), rejected


def cut(
    name: str, source: Path, load: Callable[[], Recording], entry: Network, folder: Path
) -> Cut:
    """Windows of the run ``name``, from disk if they are up to date.

    ``load`` gives its bridged recording; ``source`` is the file that it comes from.
    """
    origin = made_of(source, entry)
    path, header = folder / f"{name}.npy", folder / f"{name}.json"
    known = _header(header)
    if known is not None and _is_whole(path, known) and _is_of(known, origin, entry):
        return _of(path, known)
    recording = load()
    channels = recording.eeg_channels
    if not channels:
        raise BadInput(f"{source} has no EEG channel; leave it out of the folder")
    recipe = recipe_for(entry, recording.info.rate, channels)
    x, trials, rejected = windows_of(recording, recipe)
    scale = np.maximum(robust_scale(x), 1e-3) if len(x) else np.ones(len(channels))
    small = np.clip(x / scale[:, None].astype(np.float32), -LARGEST, LARGEST).astype(np.float16)
    folder.mkdir(parents=True, exist_ok=True)
    document = {
        "made_of": origin, "recipe": recipe_digest(recipe), "rate": recording.info.rate,
        "channels": list(channels), "scale": scale.tolist(), "trials": trials.tolist(),
        "rejected": rejected, "sha256": hashlib.sha256(small.tobytes()).hexdigest(),
        "marks": marks(recording),
    }  # fmt: skip
    header.unlink(missing_ok=True)  # a header says that the array beside it is whole
    into_place(path, lambda part: np.save(part, small))
    into_place(header, lambda part: part.write_text(json.dumps(document), "utf-8"))
    return _of(path, document)


def _is_whole(path: Path, known: Mapping[str, Any]) -> bool:
    """Whether the windows with the header ``known`` are complete."""
    try:
        shape = np.load(path, mmap_mode="r", allow_pickle=False).shape
        return shape[:2] == (len(known["trials"]), len(known["channels"]))
    except (OSError, EOFError, ValueError, KeyError, TypeError):
        return False


def _is_of(known: Mapping[str, Any], origin: Mapping[str, Any], entry: Network) -> bool:
    """Whether the windows with the header ``known`` match the present inputs."""
    if known.get("made_of") != origin:
        return False
    recipe = recipe_for(entry, known["rate"], tuple(known["channels"]))
    return known["recipe"] == recipe_digest(recipe)


def into_place(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file through ``write`` next to ``path``, then rename it into place."""
    part = path.with_name(f".part-{os.getpid()}-{path.name}")
    write(part)
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(path)


def _header(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _of(path: Path, document: Mapping[str, Any]) -> Cut:
    return Cut(
        path,
        tuple(document["channels"]),
        np.array(document["scale"], np.float64),
        np.array(document["trials"], int),
        dict(document["rejected"]),
        document["sha256"],
        document["marks"],
    )
