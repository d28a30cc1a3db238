"""A dataset in BIDS as a list of runs, as ``rtbci.formats.dataset`` gives those of the pictures.

A trial is an event; where some events name a picture (``stim_file``), only those are trials. The
classes are the labels of all trials of the dataset, in alphabetical order. Sessions and runs keep
their numbers where they have any, and are counted in the order of their names where they have not.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from rtbci.errors import BadInput
from rtbci.foreign_text import clean
from rtbci.formats.bids import EPOCHS, events_of, files
from rtbci.formats.bids_tables import BREAK, BidsEvent
from rtbci.formats.dataset_run import Run
from rtbci.formats.source import regular

_ENTITY = re.compile(r"(sub|ses|run)-([0-9A-Za-z]+)")


def bids_runs(folder: Path) -> list[Run]:
    """The runs of a dataset (or of a part of it) that have trials, by subject, session and run.

    Raises ``BadInput`` if there are none, ``Missing`` without MNE-BIDS.
    """
    trials = {path: _trials(path) for path in files(folder)}
    trials = {path: found for path, found in trials.items() if found}
    if not trials:
        raise BadInput(
            f"{folder} holds no events: no events.tsv has an onset with a trial_type or value"
        )
    classes = tuple(sorted({event.label for found in trials.values() for event in found}))
    keys = _keys(list(trials))
    runs = [
        Run(
            *keys[path],
            array=path,
            labels=tuple(classes.index(event.label) for event in found),
            classes=classes,
            images=_told(found, "image"),
            captions=_told(found, "caption"),
            trials_only=True,
        )
        for path, found in trials.items()
    ]
    return sorted(runs, key=lambda run: (run.subject, run.session, run.number))


def _trials(path: Path) -> list[BidsEvent]:
    """The events of a recording that are trials."""
    found = _epochs(path) if EPOCHS.search(path.name) else events_of(path)
    found = [event for event in found if not BREAK.match(event.label)]
    pictures = [event for event in found if "image" in event.fields]
    return pictures or found


def _epochs(path: Path) -> list[BidsEvent]:
    """One event an epoch of a FIF file; the signal is not read."""
    import mne

    regular(path)
    try:
        epochs = mne.read_epochs(path, preload=False, verbose="ERROR")
    except Exception as error:
        # MNE lets any error of its parser through
        raise BadInput(f"{path} holds no epochs that MNE reads ({clean(str(error))})") from error
    names = {number: clean(name) for name, number in epochs.event_id.items()}
    return [
        BidsEvent(i, names.get(int(code), str(code)), {})
        for i, code in enumerate(epochs.events[:, 2])
    ]


def _keys(paths: Sequence[Path]) -> dict[Path, tuple[str, int, int]]:
    """Subject, session number and run number of each recording; no two alike."""
    said = {path: dict(_ENTITY.findall(path.name)) for path in paths}
    sessions = _numbers(each.get("ses", "1") for each in said.values())
    groups: dict[tuple[str, str], list[Path]] = {}
    for path, each in said.items():
        groups.setdefault((each["sub"], each.get("ses", "1")), []).append(path)
    keys: dict[Path, tuple[str, int, int]] = {}
    for (subject, session), group in groups.items():
        words = [said[path].get("run", "1") for path in group]
        alike = len(set(words)) < len(words)  # of several tasks, or without a number
        names = [path.name for path in group] if alike else words
        numbers = _numbers(names)
        for path, name in zip(group, names, strict=True):
            keys[path] = (f"sub-{subject}", sessions[session], numbers[name])
    return keys


def _numbers(names: Iterable[str]) -> dict[str, int]:
    """A number for each name: the one in it, or if any has none its place in the alphabet."""
    different = sorted(set(names))
    if all(name.isdecimal() for name in different):
        numbers = {name: int(name) for name in different}
        if len(set(numbers.values())) == len(numbers):
            return numbers
    return {name: place for place, name in enumerate(different, start=1)}


def _told(events: Sequence[BidsEvent], field: str) -> tuple[str, ...]:
    """``field`` of every trial; empty if one trial lacks it."""
    told = [str(event.fields[field]) for event in events if field in event.fields]
    return tuple(told) if len(told) == len(events) else ()
