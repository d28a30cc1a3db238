"""Calibration on the first runs of a person if there is no bundle; the rest tests it."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from calibration.fitting.settings import CalibrationSettings
from calibration.fitting.training import calibrate
from calibration.fitting.trials import RefusedRecording, epoch_labels
from rtbci.decoding.bundle import Bundle
from rtbci.errors import BadInput
from rtbci.signal.epoch_gaps import run_starts
from rtbci.signal.recording import Recording

CALIBRATED_SHARE = 0.6  # of the runs
FEWEST_OF_A_LABEL = 10  # markers that make a class, where nobody named the classes
MOST_LABELS = 20


@dataclass(frozen=True)
class FirstRuns:
    """A bundle from the first runs, and what is left to test it."""

    bundle: Bundle
    files: tuple[Path, ...]  # to be replayed
    start: tuple[Recording, int] | None  # the only recording, and the first onset that tests
    sentence: str
    refused: Sequence[RefusedRecording]


def calibrate_on_first_runs(
    files: Sequence[Path],
    read: Callable[[Path], Recording],
    settings: CalibrationSettings,
    progress: Callable[[str, int, int], None],
) -> FirstRuns:
    """Calibrate on the first 60 % of the runs (of the events, where there is one run only).

    Without labels in ``settings`` they are guessed from the markers. ``read`` gives one signal for
    an only file; epochs of several files may stay apart. Raises ``BadInput`` for too little data.
    """
    count = len(files)
    n = min(count - 1, math.ceil(CALIBRATED_SHARE * count)) if count > 1 else 1
    recordings = [read(path) for path in files[:n]]
    labels = settings.labels or guess_labels(recordings)
    what, cut, recording = f"the first {n} of {count} runs", None, recordings[0]
    if count == 1:
        cut, what = first_tested(recording, labels)
        early = tuple(m for m in recording.markers if m.index < cut)
        recordings = [replace(recording, markers=early)]
    result = calibrate(recordings, replace(settings, labels=labels), progress, permute=False)
    classes = ", ".join(name if name == code else f"{code}={name}" for code, name in labels.items())
    sentence = f"no bundle: {what} calibrate ({classes}), the rest is replayed"
    if cut is None:
        return FirstRuns(result.bundle, tuple(files[n:]), None, sentence, result.refused)
    if recording.epoch_rows is None:  # windows that share signal are not a test
        recipe = result.bundle.recipe
        cut += recipe.last - recipe.first
    start = recording, cut
    return FirstRuns(result.bundle, tuple(files), start, sentence, result.refused)


def first_tested(recording: Recording, labels: Mapping[str, str]) -> tuple[int, str]:
    """Sample index from which on the only recording is replayed, and what lies before it.

    Whole runs where a file of epochs holds several, else a share of the events. Raises
    ``BadInput`` where nothing would be left.
    """
    runs = run_starts(recording)
    if len(runs) > 1:
        n = min(len(runs) - 1, math.ceil(CALIBRATED_SHARE * len(runs)))
        return runs[n], f"the first {n} of {len(runs)} runs"
    events = sorted(m.index for m in recording.markers if m.label in labels)
    cut = math.ceil(CALIBRATED_SHARE * len(events))
    if cut >= len(events):
        name = recording.provenance.paths[0]
        raise BadInput(f"{name} has {len(events)} events; too few to calibrate")
    return events[cut], "the first 60 % of the events"


def guess_labels(recordings: list[Recording]) -> dict[str, str]:
    """Every marker text that occurs ten times is a class, and every one of an array of epochs.

    Raises ``BadInput`` for fewer than 2.
    """
    if all(each.epoch_rows is not None for each in recordings):
        return epoch_labels(recordings)
    counts = Counter(marker.label for each in recordings for marker in each.markers)
    found = sorted(label for label, count in counts.items() if count >= FEWEST_OF_A_LABEL)
    if not 2 <= len(found) <= MOST_LABELS:
        shown = ", ".join(f"{label} ({count})" for label, count in counts.most_common(8)) or "none"
        raise BadInput(
            f"cannot tell the classes from the markers: {shown}; name them with --labels, "
            "e.g. --labels 1=house,2=face, or give a --bundle"
        )
    return {label: label for label in found}
