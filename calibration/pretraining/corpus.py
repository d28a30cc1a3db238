"""All trials of a dataset in one table, with windows on disk and captions as embeddings."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from calibration.pretraining.split import TRAIN, Split, split
from calibration.pretraining.windows import Cut, Progress, cut
from rtbci.decoding.decoders.scaling import LIMIT, Preparation, fit_preparation, pooled
from rtbci.errors import BadInput
from rtbci.formats.runs import recording_of
from rtbci.networks import Network
from rtbci.types import Samples

if TYPE_CHECKING:
    from rtbci.formats.dataset_run import Run

FEWEST_GOOD = 2  # electrodes of a session: without any, a network of places has nothing to weigh


@dataclass(frozen=True)
class Corpus:
    """One row per trial; a *site* is a session with its own scales, covariance, good electrodes."""

    channels: tuple[str, ...]  # of all runs together
    classes: tuple[str, ...]
    subjects: tuple[str, ...]
    y: np.ndarray  # (trials,) class
    site: np.ndarray  # (trials,)
    part: np.ndarray  # (trials,) of ``split``
    caption: np.ndarray  # (trials,) row of ``points``; -1 without one
    picture: np.ndarray  # (trials,) number of its name in ``pictures``; -1 without one
    file: np.ndarray  # (trials,)
    row: np.ndarray  # (trials,) in its file
    site_subject: tuple[str, ...]
    site_session: tuple[int, ...]
    prepared: tuple[Preparation, ...]  # one a site
    future: dict[str, Preparation]  # of each subject, for sessions to come
    cuts: tuple[Cut, ...]  # one a file
    points: Samples | None  # (captions, text) of unit length; None without a text space
    pictures: tuple[str, ...]
    split: Split

    def rows(self, part: int) -> np.ndarray:
        """Numbers of the trials of a part."""
        return np.flatnonzero(self.part == part)


def collect(
    runs: Sequence["Run"],
    entry: Network,
    folder: Path,
    counts: tuple[int, int, int],
    points: Callable[[tuple[str, ...]], Samples | None],
    progress: Progress,
) -> Corpus:
    """Corpus of ``runs``; their windows are cut into ``folder`` unless they are there already."""
    cuts = []
    for number, run in enumerate(runs):
        progress("preparing windows", number, len(runs))
        cuts.append(cut(name_of(run), run.array, _loader(run), entry, folder))
    progress("preparing windows", len(runs), len(runs))
    classes = sorted({label for run in runs for label in run.labels})  # those that occur
    sites = list(dict.fromkeys((run.subject, run.session) for run in runs))
    pictures: dict[str, int] = {}
    captions: dict[str, int] = {}
    rows: list[tuple[Any, ...]] = []
    for number, (run, each) in enumerate(zip(runs, cuts, strict=True)):
        site = sites.index((run.subject, run.session))
        for row, trial in enumerate(each.trials.tolist()):
            caption = run.captions[trial] if run.captions else None
            image = run.images[trial] if run.images else None
            rows.append((
                run.subject, run.session, classes.index(run.labels[trial]), site, number, row,
                -1 if caption is None else captions.setdefault(caption, len(captions)),
                -1 if image is None else pictures.setdefault(image, len(pictures)),
            ))  # fmt: skip
    if not rows:
        raise BadInput("no trial could be cut from the runs; look at them with rtbci info FILE")
    subject, session = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    y, site, file, row, caption, picture = (np.array([r[k] for r in rows]) for k in range(2, 8))
    done = split(subject, session, picture, counts)
    channels = tuple(dict.fromkeys(name for each in cuts for name in each.channels))
    prepared = [_prepare([cuts[f] for f in np.unique(file[site == s])], channels)
                for s in range(len(sites))]  # fmt: skip
    subjects = tuple(dict.fromkeys(run.subject for run in runs))
    trained = np.unique(site[done.part == TRAIN])
    future = {who: pooled([prepared[s] for s in trained if sites[s][0] == who]) for who in subjects}
    return Corpus(
        channels=channels,
        classes=tuple(runs[0].classes[label] for label in classes),
        subjects=subjects,
        y=y,
        site=site,
        part=done.part,
        caption=caption,
        picture=picture,
        file=file,
        row=row,
        site_subject=tuple(who for who, _ in sites),
        site_session=tuple(number for _, number in sites),
        # validation and test use the preparation left by earlier sessions
        prepared=tuple(
            prepared[s] if s in trained else future[who] for s, (who, _) in enumerate(sites)
        ),
        future=future,
        cuts=tuple(cuts),
        points=points(tuple(captions)) if captions else None,
        pictures=tuple(pictures),
        split=done,
    )


class WindowLoader:
    """Scaled windows of any trials as float32, in the corpus's channel order."""

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus
        self._files = [each.open() for each in corpus.cuts]
        self._columns = [[corpus.channels.index(n) for n in each.channels] for each in corpus.cuts]
        self._factor = {}
        for f, s in set(zip(corpus.file.tolist(), corpus.site.tolist(), strict=True)):
            prepared, columns = corpus.prepared[s], self._columns[f]
            inverse = np.where(prepared.good, 1 / prepared.scale, 0.0)[columns]
            self._factor[f] = (corpus.cuts[f].scale * inverse).astype(np.float32)[:, None]

    def __call__(self, trials: np.ndarray) -> Samples:
        """Scaled windows ``(len(trials), channels, times)``, as from ``Preparation.apply``."""
        corpus = self._corpus
        times = self._files[0].shape[2]
        x = np.zeros((len(trials), len(corpus.channels), times), np.float32)
        everything = list(range(len(corpus.channels)))
        for out, trial in zip(x, trials.tolist(), strict=True):
            f = int(corpus.file[trial])
            z = self._files[f][corpus.row[trial]] * self._factor[f]
            if self._columns[f] == everything:
                out[:] = z
            else:
                out[self._columns[f]] = z
        return np.clip(x, -LIMIT, LIMIT, out=x)


class CaptionPoints:
    """Embedding of captions in a text space; those of the shipped pictures are precomputed."""

    def __init__(self) -> None:
        self.name = "minilm-l6-v2"

    def __call__(self, captions: tuple[str, ...]) -> Samples:
        """Embeddings ``(captions, dimensions)`` of unit length."""
        from rtbci import stimuli
        from rtbci.text import text_space

        known = {p.caption: n for n, p in enumerate(stimuli.load())}
        if all(each in known for each in captions):
            return stimuli.embeddings()[[known[each] for each in captions]].astype(np.float32)
        return text_space().embed(captions)


def name_of(run: "Run") -> str:
    """File name of a run's windows."""
    return f"{run.subject}_ses-{run.session:02d}_run-{run.number:02d}"


def _prepare(cuts: Sequence[Cut], channels: tuple[str, ...]) -> Preparation:
    """Preparation of a session; electrodes that it lacks are not good."""
    order = cuts[0].channels
    if any(each.channels != order for each in cuts):
        raise BadInput(
            f"{cuts[0].path.stem} and another run of its session have different electrodes; "
            "give them different session numbers"
        )
    own = fit_preparation(np.concatenate([each.microvolts() for each in cuts]))
    if own.good.sum() < FEWEST_GOOD:
        raise BadInput(
            f"the session of {cuts[0].path.stem} has {int(own.good.sum())} electrodes with a "
            f"signal, at least {FEWEST_GOOD} are needed; look at it with rtbci info, or take it "
            "out of the folder"
        )
    if order == channels:
        return own
    columns = [channels.index(name) for name in order]
    n = len(channels)
    scale, covariance, good = np.ones(n), np.eye(n), np.zeros(n, bool)
    scale[columns], good[columns] = own.scale, own.good
    covariance[np.ix_(columns, columns)] = own.covariance
    return Preparation(scale, covariance, good)


def _loader(run: "Run") -> Any:
    def load() -> Any:
        from rtbci.signal.epoch_gaps import bridge

        return bridge(recording_of(run))

    return load
