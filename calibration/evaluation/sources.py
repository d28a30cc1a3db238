"""Runs of a folder in any supported layout, each read when needed.

The 122-channel dataset's layout is found by its own reader; any other folder is searched for
recordings whose path names a person (``sub-02_ses-01_run-2.xdf``, ``sub-02/...``).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rtbci.errors import BadInput
from rtbci.formats import read
from rtbci.formats.dataset import find_runs, is_dataset
from rtbci.formats.runs import recording_of
from rtbci.signal.epoch_gaps import bridge
from rtbci.signal.recording import Recording
from rtbci.subjects import subject_of

SUFFIXES = (".xdf", ".edf", ".bdf", ".gdf", ".vhdr", ".set", ".fif", ".npy")  # of recordings
# s from onset to onset: 3.796 is the mean of the dataset's 400 runs (docs/dataset_format.md)
DATASET_TRIAL = 3.8


@dataclass(frozen=True)
class UnreadRun:
    """A run that has not been read yet."""

    subject: str
    session: int
    run: int
    path: Path
    load: Callable[[], Recording]
    names: tuple[str, ...] = ()  # class of each trial, if known before reading
    images: tuple[str, ...] = ()  # likewise
    captions: tuple[str | None, ...] = ()

    @property
    def name(self) -> str:
        """File name of the run."""
        return self.path.name

    def recording(self) -> Recording:
        """Run as one continuous signal; gaps between epochs are bridged."""
        return bridge(self.load())


def find_sources(folder: Path) -> list[UnreadRun]:
    """Every run in ``folder`` in the order of subject, session and run.

    Raises ``BadInput`` if there is none.
    """
    if not folder.is_dir():
        raise BadInput(f"{folder} is no folder; name the one that holds the recordings")
    found = _dataset(folder) or _recordings(folder)
    if not found:
        raise BadInput(
            f"no recording of a person in {folder}: neither the dataset's layout (rtbci simulate "
            "writes it) nor files such as sub-02_ses-01_run-1.xdf"
        )
    return sorted(found, key=lambda each: (each.subject, each.session, each.run, str(each.path)))


def _dataset(folder: Path) -> list[UnreadRun]:
    if not is_dataset(folder):
        return []
    return [
        UnreadRun(
            subject=run.subject,
            session=run.session,
            run=run.number,
            path=run.array,
            load=partial(recording_of, run),
            names=run.names,
            images=run.images,
            captions=run.captions,
        )
        for run in find_runs(folder)
    ]


def _recordings(folder: Path) -> list[UnreadRun]:
    """Recordings whose path names a subject; unnumbered runs are counted per session."""
    files = sorted(each for each in folder.rglob("*") if each.suffix.lower() in SUFFIXES)
    found: list[UnreadRun] = []
    counted: dict[tuple[str, int], int] = {}
    for path in files:
        subject = subject_of(path.relative_to(folder.parent))
        if subject is None or path.name.startswith("."):
            continue
        session = number_in(str(path.relative_to(folder)), "ses") or 1
        place = (subject, session)
        counted[place] = number_in(path.name, "run") or counted.get(place, 0) + 1
        found.append(UnreadRun(subject, session, counted[place], path, lambda at=path: read(at)))
    return found


def number_in(text: str, what: str) -> int | None:
    """Number in ``text``, such as 3 in ``ses-03`` or ``run3``; None if there is none."""
    found = re.findall(rf"(?<![a-z]){what}(?:sion)?[-_]?(\d+)", text.lower())
    return int(found[-1]) if found else None


def is_simulated(data: Path, subject: str = "") -> bool:
    """Whether the data state that they are simulated."""
    return (data / "simulated.json").exists() or subject.startswith("sim-")
