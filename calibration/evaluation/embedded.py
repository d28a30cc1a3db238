"""Embeddings and log-odds of runs by a frozen backbone, one run at a time.

Nothing is kept of a run but a few numbers a trial, so that a whole dataset fits in memory. Windows
that pretraining left on disk are taken where they are of the same recording.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from calibration.evaluation import controls
from calibration.evaluation.sources import UnreadRun
from calibration.pretraining import NetworkOutputs, PretrainedBackbone
from calibration.pretraining.windows import cut, windows_of
from rtbci.decoding.decoders.scaling import Preparation, fit_preparation, pooled
from rtbci.decoding.trial_hashes import marks, shared
from rtbci.errors import BadInput
from rtbci.networks import WINDOW, network
from rtbci.signal.recording import Recording
from rtbci.types import Samples

TRAINING, VALIDATION, CLEAN = "training", "validation", "clean"
FEWEST_ELECTRODES = 0.5  # of those that the backbone was trained with


@dataclass(frozen=True)
class EmbeddedRun:
    """Embeddings and trial data of one run."""

    source: UnreadRun
    role: str  # what pretraining used it for: ``TRAINING``, ``VALIDATION``, or ``CLEAN``
    trial: NDArray[np.int64]  # (n,)
    true: NDArray[np.int64]  # (n,) class of the backbone; -1: it was never taught this one
    name: NDArray[np.str_]  # (n,) of the class
    image: NDArray[np.str_]  # (n,)
    embedding: Samples  # (n, d)
    logits: Samples  # (n, classes) of the subject's own head, or the shared one
    text: Samples | None  # (n, dimensions) point of the text head, of unit length
    trial_s: float | None  # from onset to onset, where the signal was continuous

    @property
    def captions(self) -> list[str | None]:
        """Caption of each trial's picture, or None."""
        there = self.source.captions
        return [there[t] if t < len(there) else None for t in self.trial.tolist()]

    def where(self, rows: np.ndarray) -> Self:
        """Trials selected by a mask or by numbers."""
        arrays = ("trial", "true", "name", "image", "embedding", "logits")
        chosen = {each: getattr(self, each)[rows] for each in arrays}
        return replace(self, text=None if self.text is None else self.text[rows], **chosen)


@dataclass(frozen=True)
class RunWindows:
    """Windows of a run in the backbone's order of electrodes."""

    x: Samples  # (n, channels, times) uV; 0 for an electrode that is not there
    there: NDArray[np.bool_]  # (channels,)
    trials: NDArray[np.int64]  # (n,)
    marks: str  # of its trials (``rtbci.decoding.trial_hashes``)
    recording: Recording | None  # None where the windows came from disk


class EmbeddingRuns:
    """A backbone that looks at runs in the order of subject and session; one thread.

    A person whom it does not know is prepared without labels by what came before: the sessions
    so far, or, in the first one, its first run, which is then not tested.
    """

    def __init__(self, backbone: PretrainedBackbone) -> None:
        self.backbone = backbone
        self._model = backbone.module()
        self._before: dict[str, dict[int, list[Preparation]]] = {}  # subject, session
        self._prepared: dict[Path, Preparation] = {}  # of each run of a new person

    def knows(self, subject: str) -> bool:
        """Whether the backbone was trained on this participant."""
        return subject in self.backbone.dims.subjects

    def look(self, source: UnreadRun, cutout: RunWindows) -> EmbeddedRun:
        """Embeddings of a run; raises ``BadInput`` if it cannot be prepared or labelled."""
        prepared = self.prepared(source, cutout)
        answers = self._answers(source, cutout.x, prepared, cutout.there)
        classes = {name: k for k, name in enumerate(self.backbone.dims.classes)}
        names = source.names or _named(cutout.recording)
        images = source.images or ("",) * len(names)
        return EmbeddedRun(
            source=source,
            role=role_of(cutout.marks, self.backbone),
            trial=cutout.trials,
            true=np.array([classes.get(names[t], -1) for t in cutout.trials], int),
            name=np.array([names[t] for t in cutout.trials], str),
            image=np.array([images[t] for t in cutout.trials], str),
            embedding=answers.embedding,
            logits=answers.logits,
            text=answers.text,
            trial_s=_pace(cutout.recording),
        )

    def logits(self, source: UnreadRun, cutout: RunWindows) -> Samples:
        """Log-odds of other windows of an embedded run."""
        return self._answers(source, cutout.x, self.prepared(source, cutout), cutout.there).logits

    def prepared(self, source: UnreadRun, cutout: RunWindows) -> Preparation:
        """Scaling known for a participant before this run."""
        known = self.backbone.preparations.get(source.subject)
        if known is not None:
            return known
        if source.path not in self._prepared:
            sessions = self._before.setdefault(source.subject, {})
            earlier = [p for n, each in sessions.items() if n < source.session for p in each]
            here = sessions.setdefault(source.session, [])
            first = earlier or here[:1]
            here.append(fit_preparation(cutout.x))
            if not first:
                raise BadInput("tells the scales of a new person's electrodes, and is no test")
            self._prepared[source.path] = pooled(first)
        return self._prepared[source.path]

    def _answers(
        self, source: UnreadRun, x: Samples, prepared: Preparation, there: NDArray[np.bool_]
    ) -> NetworkOutputs:
        subject = source.subject if self.knows(source.subject) else None
        return self.backbone.outputs(x, prepared, subject=subject, mask=there, model=self._model)


def cut_out(source: UnreadRun, backbone: PretrainedBackbone) -> RunWindows:
    """Windows of a run, from disk if pretraining stored them, else from the recording."""
    folder = backbone.path / "windows" if backbone.path is not None else None
    name = f"{source.subject}_ses-{source.session:02d}_run-{source.run:02d}"
    if folder is not None and (folder / f"{name}.json").exists():
        try:
            kept = cut(name, source.path, _not_there, network(backbone.dims.model), folder)
        except _NotThere:
            pass
        else:
            x = kept.microvolts()
            return _in_order(x, kept.channels, kept.trials, kept.marks, backbone, None)
    recording = source.recording()
    return cut_recording(recording, backbone)


def cut_recording(recording: Recording, backbone: PretrainedBackbone) -> RunWindows:
    """Windows of a continuous recording."""
    channels = recording.eeg_channels
    if not channels:
        raise BadInput("has no EEG channel")
    x, trials, rejected = windows_of(recording, backbone.recipe(recording.info.rate, channels))
    if not len(x):
        raise BadInput(f"has no whole window ({', '.join(rejected) or 'no marker'})")
    return _in_order(x, channels, trials, marks(recording), backbone, recording)


def noise_of(cutout: RunWindows) -> RunWindows:
    """Same windows with random phases."""
    x = controls.noise_windows(cutout.x)
    return RunWindows(x, cutout.there, cutout.trials, "", None)


def before_onset(source: UnreadRun, cutout: RunWindows, backbone: PretrainedBackbone) -> RunWindows:
    """Windows ending at stimulus onset; the recording is read again if needed."""
    recording = cutout.recording or source.recording()
    length = round((WINDOW[1] - WINDOW[0]) * recording.info.rate)
    moved = controls.earlier(recording, length)
    found = cut_recording(moved, backbone)
    gone = len(recording.markers) - len(moved.markers)  # the first ones
    return replace(found, trials=found.trials + gone)


def role_of(own: str, backbone: PretrainedBackbone) -> str:
    """Role of a run in pretraining, by the hashes of its trials."""
    for part in (TRAINING, VALIDATION):
        if shared(own, backbone.runs(part)):
            return part
    return CLEAN


class _NotThere(Exception):
    """The windows on disk belong to another recording."""


def _not_there() -> Any:
    raise _NotThere


def _pace(recording: Recording | None) -> float | None:
    """Seconds from onset to onset; None for epochs, whose timing is unknown."""
    if recording is None or recording.bridged is not None or len(recording.markers) < 2:
        return None
    onsets = np.array(sorted(marker.index for marker in recording.markers))
    return float(np.median(np.diff(onsets))) / recording.info.rate


def _named(recording: Recording | None) -> tuple[str, ...]:
    """Class of each trial if only the markers contain it."""
    if recording is None:
        return ()
    return tuple(m.label for m in sorted(recording.markers, key=lambda marker: marker.index))


def _in_order(
    x: Samples,
    channels: tuple[str, ...],
    trials: NDArray[np.int64],
    marks: str,
    backbone: PretrainedBackbone,
    recording: Recording | None,
) -> RunWindows:
    wanted = backbone.dims.channels
    there = np.array([name in channels for name in wanted])
    if there.mean() < FEWEST_ELECTRODES:
        raise BadInput(
            f"has {int(there.sum())} of the {len(wanted)} electrodes of the backbone, at least "
            f"{round(100 * FEWEST_ELECTRODES)} % are needed"
        )
    if channels != wanted:
        full = np.zeros((len(x), len(wanted), x.shape[2]), np.float32)
        full[:, there] = x[:, [channels.index(name) for name in wanted if name in channels]]
        x = full
    return RunWindows(x, there, trials, marks, recording)
