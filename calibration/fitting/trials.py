"""Recordings to trials, through the same front as live; recordings without a signal are named."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rtbci.decoding.interpolation import spared
from rtbci.decoding.scorer import TOLERANT, within
from rtbci.decoding.trial_hashes import marks, shared
from rtbci.errors import BadInput
from rtbci.signal.epoch_gaps import bridge
from rtbci.signal.quality import dead_electrodes, implausible
from rtbci.signal.recipe import Recipe
from rtbci.signal.recording import Recording
from rtbci.signal.windows import Windows
from rtbci.terminal import count
from rtbci.types import Samples, Window

FEWEST_MARKERS = 10  # of the labelled classes in one recording
KEPT_SHARE = 0.5  # smallest share of trials within the limit; below it the contact is bad
GROSS = 1000.0  # uV peak to peak; contact limit if amplitude rejection is off


@dataclass(frozen=True)
class Trials:
    """Complete trials of all recordings, in time order."""

    x: list[Samples]  # cut windows (streams, channels, times), uV
    y: np.ndarray  # (trials,) class index
    onset: np.ndarray  # (trials,) sample index in its recording
    run: np.ndarray  # (trials,) number of the recording
    kept: np.ndarray  # (trials,) bool, within the amplitude limit: used for training
    missing: list[
        np.ndarray | None
    ]  # (channels,) bool, electrodes that carry nothing; None: all do
    rejected: Mapping[str, int]  # reason to number of trials dropped or not used for training

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True)
class RefusedRecording:
    """A recording that cannot be used for calibration, and the reason."""

    file: str
    reason: str


def collect(
    recordings: list[Recording],
    recipe: Recipe,
    labels: Mapping[str, str],
    classes: tuple[str, ...],
    frequencies: tuple[float, ...] = (),
    learnt: Sequence[Mapping[str, object]] = (),
) -> tuple[Trials, list[Recording], list[RefusedRecording]]:
    """Trials of the usable recordings, these recordings, and the refused ones.

    No trial counts twice, and none of ``learnt`` (``rtbci.decoding.trial_hashes``) again.
    """
    seen: dict[str, str] = {}
    taken: list[Mapping[str, object]] = []
    used: list[Recording] = []
    refused: list[RefusedRecording] = []
    parts: list[Trials] = []
    for recording in recordings:
        name, digest = recording.provenance.paths[0], recording.provenance.sha256
        if digest in seen:
            refused.append(
                RefusedRecording(name, f"is byte for byte the same file as {seen[digest]}")
            )
            continue
        seen[digest] = name
        own = marks(recording)
        if both := shared(own, learnt):
            reason = f"holds {count(both[1], 'trial')} that the bundle was trained on ({both[0]})"
            refused.append(RefusedRecording(name, reason))
            continue
        if both := shared(own, taken):
            refused.append(
                RefusedRecording(name, f"holds {count(both[1], 'trial')} that {both[0]} holds too")
            )
            continue
        taken.append({"name": name, "marks": own})
        dead = dead_in(recording, recipe, frequencies)
        known = dead if len(dead) <= spared(len(recipe.channels)) else {}
        trials = cut(recording, recipe, labels, classes, len(used), known)
        reason = unusable(recording, recipe, trials, labels, dead)
        if reason:
            refused.append(RefusedRecording(name, reason))
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
        missing=[each for part in parts for each in part.missing],
        rejected=dict(rejected),
    )
    return joined, used, refused


def cut(
    recording: Recording,
    recipe: Recipe,
    labels: Mapping[str, str],
    classes: tuple[str, ...],
    run: int = 0,
    dead: Collection[str] = (),
) -> Trials:
    """The trials of one recording; electrodes in ``dead`` count as missing.

    Epochs are bridged here, one recording at a time, so that no more than one bridge is in memory.
    """
    recording = bridge(recording)
    columns = recording.info.columns(recipe.channels)
    columns = [
        -1 if name in dead else at for name, at in zip(recipe.channels, columns, strict=True)
    ]
    most = spared(len(columns))
    front = Windows(recipe, columns, frozenset(labels), spare=most)
    windows = [own(window) for item in recording.items() for window in front.push(item)]
    windows += front.finish()
    whole = [w for w in windows if w.x is not None and w.marker is not None]
    rejected = Counter(_plain(w.rejected) for w in windows if w.rejected)
    limit = recipe.reject
    kept = [within(recipe, w.x, limit) for w in whole if w.x is not None]
    if not all(kept):
        rejected[f"over {limit:g} uV"] = kept.count(False)
    return Trials(
        x=[w.x for w in whole if w.x is not None],
        y=np.array([classes.index(labels[w.marker.label]) for w in whole if w.marker], int),
        onset=np.array([w.index for w in whole], int),
        run=np.full(len(whole), run),
        kept=np.array(kept, bool),
        missing=[w.missing for w in whole],
        rejected=dict(rejected),
    )


def dead_in(
    recording: Recording, recipe: Recipe, frequencies: tuple[float, ...] = ()
) -> dict[str, str]:
    """Electrodes without a reliable signal, each with the reason."""
    band = (min(low for low, _ in recipe.bands), recipe.bands[0][1])
    return dead_electrodes(recording, recipe.channels, band, frequencies)


def own(window: Window) -> Window:
    """Copy of ``window`` that stays valid after the next push."""
    return window if window.x is None else replace(window, x=window.x.copy())


def unusable(
    recording: Recording,
    recipe: Recipe,
    trials: Trials,
    labels: Mapping[str, str],
    dead: Mapping[str, str],
) -> str | None:
    """Reason why a recording cannot be used for calibration, or None."""
    there = Counter(marker.label for marker in recording.markers)
    wanted = sum(there[label] for label in labels)
    if not wanted:
        found = ", ".join(f"{label} ({count})" for label, count in there.most_common(8)) or "none"
        return f"has no markers named {', '.join(labels)}; found: {found}"
    if wanted < FEWEST_MARKERS:
        return f"has almost no markers: {wanted}, at least {FEWEST_MARKERS} are needed"
    named = ", ".join(f"{name} {why}" for name, why in list(dead.items())[:6])
    wrong = implausible(recording, recipe.channels)
    if wrong:
        return wrong
    if len(trials):
        limit = recipe.reject if recipe.reject is not None else GROSS
        tolerant = len(recipe.channels) >= TOLERANT
        most = " in nine electrodes of ten" if tolerant else ""
        share = float(np.mean([within(recipe, x, limit) for x in trials.x]))
        if share < KEPT_SHARE:
            return (
                f"has bad contact: {100 * share:.0f} % of its {len(trials)} trials stay below "
                f"{limit:g} uV peak to peak{most}, at least {100 * KEPT_SHARE:.0f} % are needed"
                + (f" ({named})" if dead else "")
            )
    if len(dead) > spared(len(recipe.channels)):
        return f"has no reliable signal: {named}. Leave it out, or name the others with --channels"
    if not len(trials):
        return f"has no whole trial ({_listed(trials.rejected)})"
    return None


def epoch_labels(recordings: Sequence[Recording]) -> dict[str, str]:
    """Every label of epoched arrays, as a class; raises ``BadInput`` if the labels are unclear.

    A continuous recording may hold markers of anything: its classes have to be named.
    """
    example = "name the classes with --labels, e.g. --labels 1=house,2=face"
    for each in recordings:
        if each.epoch_rows is None:
            raise BadInput(
                f"{each.provenance.paths[0]} does not say which markers count; {example}"
            )
    found = sorted({marker.label for each in recordings for marker in each.markers})
    if len(found) < 2:
        name = recordings[0].provenance.paths[0]
        raise BadInput(
            f"the epochs of {name} are all {', '.join(found) or 'without a label'}: nothing says "
            'which class each is; put a JSON file beside it with "labels", one an epoch'
        )
    return {label: label for label in found}


def _plain(reason: str | None) -> str:
    return (reason or "").split(":")[0]


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{reason}: {count}" for reason, count in counts.items()) or "none cut"
