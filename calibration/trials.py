"""Recordings to trials, through the same front as live; recordings without a signal are named."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from rtbci.judge import peak_to_peak
from rtbci.quality import dead_electrodes, implausible
from rtbci.recipe import Recipe
from rtbci.recording import Recording
from rtbci.types import Samples, Window
from rtbci.windows import Windows

FEWEST_MARKERS = 10  # of the labelled classes in one recording
KEPT_SHARE = 0.5  # of the trials within the limit, below: bad contact
EPOCHS = (
    "holds epochs without the signal between them, where causal filters cannot settle; "
    "use the continuous recording"
)
GROSS = 1000.0  # uV peak to peak; the limit for bad contact where no trial is to be rejected


@dataclass(frozen=True)
class Trials:
    """Whole trials of all recordings, in time order."""

    x: list[Samples]  # cut windows (streams, channels, times), uV
    y: np.ndarray  # (trials,) class index
    onset: np.ndarray  # (trials,) sample index in its recording
    run: np.ndarray  # (trials,) number of the recording
    kept: np.ndarray  # (trials,) bool, within the amplitude limit: used for training
    rejected: Mapping[str, int]  # why trials are not there, or not used for training

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True)
class Refused:
    """A recording that cannot be calibrated on."""

    file: str
    reason: str


def collect(
    recordings: list[Recording],
    recipe: Recipe,
    labels: Mapping[str, str],
    classes: tuple[str, ...],
    frequencies: tuple[float, ...] = (),
) -> tuple[Trials, list[Recording], list[Refused]]:
    """Trials of the usable recordings, these recordings, and the refused ones."""
    seen: dict[str, str] = {}
    used: list[Recording] = []
    refused: list[Refused] = []
    parts: list[Trials] = []
    for recording in recordings:
        name, digest = recording.provenance.paths[0], recording.provenance.sha256
        if digest in seen:
            refused.append(Refused(name, f"is byte for byte the same file as {seen[digest]}"))
            continue
        seen[digest] = name
        trials = cut(recording, recipe, labels, classes, run=len(used))
        reason = unusable(recording, recipe, trials, labels, frequencies)
        if reason:
            refused.append(Refused(name, reason))
        else:
            parts.append(trials)
            used.append(recording)
    rejected: Counter[str] = Counter()
    for part in parts:
        rejected.update(part.rejected)
    empty = np.zeros(0, int)
    joined = Trials(
        x=[x for part in parts for x in part.x],
        y=np.concatenate([empty, *(part.y for part in parts)]),
        onset=np.concatenate([empty, *(part.onset for part in parts)]),
        run=np.concatenate([empty, *(part.run for part in parts)]),
        kept=np.concatenate([empty, *(part.kept for part in parts)]).astype(bool),
        rejected=dict(rejected),
    )
    return joined, used, refused


def cut(
    recording: Recording,
    recipe: Recipe,
    labels: Mapping[str, str],
    classes: tuple[str, ...],
    run: int = 0,
) -> Trials:
    """The trials of one recording."""
    columns = recording.info.columns(recipe.channels)
    front = Windows(recipe, columns, frozenset(labels))
    windows = [own(window) for item in recording.items() for window in front.push(item)]
    windows += front.finish()
    whole = [w for w in windows if w.x is not None and w.marker is not None]
    rejected = Counter(_plain(w.rejected) for w in windows if w.rejected)
    limit = recipe.reject
    kept = [limit is None or peak_to_peak(recipe, w.x) <= limit for w in whole if w.x is not None]
    if not all(kept):
        rejected[f"over {limit:g} uV"] = kept.count(False)
    return Trials(
        x=[w.x for w in whole if w.x is not None],
        y=np.array([classes.index(labels[w.marker.label]) for w in whole if w.marker], int),
        onset=np.array([w.index for w in whole], int),
        run=np.full(len(whole), run),
        kept=np.array(kept, bool),
        rejected=dict(rejected),
    )


def own(window: Window) -> Window:
    """``window`` with memory of its own, for longer than until the next push."""
    return window if window.x is None else replace(window, x=window.x.copy())


def unusable(
    recording: Recording,
    recipe: Recipe,
    trials: Trials,
    labels: Mapping[str, str],
    frequencies: tuple[float, ...] = (),
) -> str | None:
    """Why a recording cannot be calibrated on, or None."""
    there = Counter(marker.label for marker in recording.markers)
    wanted = sum(there[label] for label in labels)
    if not wanted:
        found = ", ".join(f"{label} ({count})" for label, count in there.most_common(8)) or "none"
        return f"has no markers named {', '.join(labels)}; found: {found}"
    if wanted < FEWEST_MARKERS:
        return f"has almost no markers: {wanted}, at least {FEWEST_MARKERS} are needed"
    if recording.epoch_rows is not None:
        return EPOCHS
    band = (min(low for low, _ in recipe.bands), recipe.bands[0][1])
    dead = dead_electrodes(recording, recipe.channels, band, frequencies)
    named = ", ".join(f"{name} {why}" for name, why in list(dead.items())[:6])
    wrong = implausible(recording, recipe.channels)
    if wrong:
        return wrong
    band = (min(low for low, _ in recipe.bands), recipe.bands[0][1])
    dead = dead_electrodes(recording, recipe.channels, band, frequencies)
    named = ", ".join(f"{name} {why}" for name, why in list(dead.items())[:6])
    if len(trials):
        limit = recipe.reject if recipe.reject is not None else GROSS
        within = float(np.mean([peak_to_peak(recipe, x) <= limit for x in trials.x]))
        if within < KEPT_SHARE:
            return (
                f"has bad contact: {100 * within:.0f} % of its {len(trials)} trials stay below "
                f"{limit:g} uV peak to peak, at least {100 * KEPT_SHARE:.0f} % are needed"
                + (f" ({named})" if dead else "")
            )
    if dead:
        return f"has no reliable signal: {named}. Leave it out, or name the others with --channels"
    if not len(trials):
        return f"has no whole trial ({_listed(trials.rejected)})"
    return None


def _plain(reason: str | None) -> str:
    return (reason or "").split(":")[0]


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{reason}: {count}" for reason, count in counts.items()) or "none cut"
