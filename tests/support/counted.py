"""Recordings for tests of streaming: channel 0 counts samples, markers sit on known ones."""

import json
from pathlib import Path

import numpy as np

from rtbci.signal.recording import Recording
from rtbci.types import Gap, Marker, Provenance, StreamInfo

CHANNELS = ("C3", "Cz", "C4", "EOG1")
TYPES = ("EEG", "EEG", "EEG", "EOG")


def counted(
    seconds: float = 10.0,
    rate: float = 250.0,
    markers: tuple[tuple[int, str], ...] = ((100, "left"), (225, "right"), (350, "left")),
    gaps: tuple[Gap, ...] = (),
) -> Recording:
    """A recording whose channel 0 holds the sample index, gaps included."""
    rows = round(seconds * rate)
    indices = np.arange(rows, dtype=np.int64)
    for gap in gaps:
        indices[indices >= gap.index] += gap.missing
    x = np.random.default_rng(1).normal(0, 10, (rows, len(CHANNELS))).astype(np.float32)
    x[:, 0] = indices
    return Recording(
        signal=x,
        info=StreamInfo("counted", rate, CHANNELS, TYPES),
        markers=tuple(Marker(index, label) for index, label in markers),
        provenance=Provenance(("counted.npy",), "0" * 64, "npy continuous"),
        gaps=gaps,
    )


def counted_file(
    folder: Path, seconds: float = 10.0, rate: float = 250.0, every: int = 125
) -> Path:
    """The same as a file, with a marker at every ``every``-th sample from 100 on."""
    recording = counted(seconds, rate)
    path = folder / "counted.npy"
    np.save(path, recording.signal)
    indices = range(100, len(recording.signal), every)
    sidecar = {
        "rate": rate, "unit": "uV", "axes": "time,channel",
        "channels": CHANNELS, "types": TYPES,
        "markers": [{"index": i, "label": f"m{i}"} for i in indices],
    }  # fmt: skip
    path.with_suffix(".json").write_text(json.dumps(sidecar))
    return path
