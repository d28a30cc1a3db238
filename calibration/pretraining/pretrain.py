"""Pretraining from a dataset and settings to a backbone folder."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from calibration.pretraining import checkpoint
from calibration.pretraining.batches import Augmentation, Batches
from calibration.pretraining.corpus import CaptionPoints, Corpus, collect
from calibration.pretraining.folder import PretrainedBackbone, save_backbone
from calibration.pretraining.loop import State, TrainingSettings, averaged, check, fresh, train
from calibration.pretraining.losses import Weights
from calibration.pretraining.origin import digest
from calibration.pretraining.processes import ProcessRank, processes, wait
from calibration.pretraining.split import (
    CHECK,
    NAMES,
    TEST,
    TRAIN,
    enough_sessions,
    session_counts,
)
from calibration.pretraining.windows import TIMES, Progress
from rtbci.errors import BadInput, Missing
from rtbci.formats.source import sha256
from rtbci.networks import OTHERS, build, network
from rtbci.networks.dims import Dims
from rtbci.networks.others import kind_of, load_weights
from rtbci.session.folder import Lock
from rtbci.statistics.class_blocks import forms_class_blocks
from rtbci.types import Samples

LOCK = "pretrain.lock"

if TYPE_CHECKING:
    from rtbci.formats.dataset_run import Run


@dataclass(frozen=True)
class PretrainingSettings:
    """Settings requested for a pretraining."""

    data: Path
    out: Path
    model: str = "montagenet"
    sessions: str = "3/1/1"
    subjects: tuple[str, ...] | None = None  # None: all
    leave_out: tuple[str, ...] = ()
    teacher: Path | None = None
    text: bool = True  # captions as well, where they are there
    threads: int = 1
    settings: TrainingSettings = field(default_factory=TrainingSettings)
    augmentation: Augmentation = field(default_factory=Augmentation)
    weights: Weights = field(default_factory=Weights)
    options: dict[str, Any] = field(default_factory=dict)  # of the network
    begin: Path | None = None  # safetensors that a model of braindecode begins with


@dataclass(frozen=True)
class Pretrained:
    """Results of a pretraining."""

    folder: Path
    leads: bool  # whether this process reports progress
    resumed: int  # epochs done before this run
    parameters: int
    trials: dict[str, int]  # of each part
    history: list[dict[str, float]]
    best_epoch: int
    test: dict[str, float]  # loss, accuracy; empty without test sessions
    notes: tuple[str, ...]


def pretrain(plan: PretrainingSettings, progress: Progress) -> Pretrained:
    """Train with these settings, or resume an interrupted run; writes ``plan.out``.

    Raises ``BadInput`` for data or options that do not fit, ``Missing`` without torch.
    """
    entry = network(plan.model)
    counts = session_counts(plan.sessions)
    _check_others(plan)
    with ExitStack() as stack, _repeatable(plan.threads), processes() as place:
        runs = _chosen(plan)
        enough_sessions([r.subject for r in runs], [r.session for r in runs], counts)
        if place.leads:
            plan.out.mkdir(parents=True, exist_ok=True)
            stack.callback(Lock(plan.out / LOCK, "wait for it").close)
        notes = in_blocks(runs)
        points = _Captions(plan.text, notes)
        if not place.leads:
            wait(place)  # until the first has put the windows on disk
        corpus = collect(runs, entry, plan.out / "windows", counts, points, progress)
        if place.leads:
            wait(place)
        notes += [corpus.split.pictures, *left_out(corpus)]
        dims = Dims(
            plan.model, corpus.channels, corpus.classes, corpus.subjects, TIMES, entry.embedding,
            0 if corpus.points is None else corpus.points.shape[1],
            dict(entry.options) | plan.options,
        )  # fmt: skip
        teacher, weights = _teacher(plan, corpus)
        batches = Batches(
            corpus, plan.augmentation, plan.settings.batch, plan.settings.seed,
            place.rank, place.world, teacher,
        )  # fmt: skip
        model = build(dims, plan.settings.seed)
        if plan.begin is not None:
            notes.append(load_weights(model.backbone, plan.begin))
        state = fresh(model, plan.settings)
        of = _identity(plan, dims, weights, corpus, teacher)
        resumed = state.epoch if checkpoint.resume(state, plan.out, of) else 0

        def done(now: State) -> None:
            if place.leads:
                checkpoint.save(now, plan.out, of)

        train(state, batches, weights, plan.settings, place, done,
              lambda n, total: progress("training", n, total))  # fmt: skip
        return _finish(plan, state, batches, place, resumed, notes)


def in_blocks(runs: "Sequence[Run]") -> list[str]:
    """Note if classes were presented in blocks: a network may learn time instead of class."""
    y = np.concatenate([run.labels for run in runs])
    of = np.repeat(np.arange(len(runs)), [len(run.labels) for run in runs])
    if not forms_class_blocks(y, of, len(np.unique(y))):
        return []
    return ["the order of trials forms class blocks: what was learnt may be the time instead of "
            "the class; record with classes intermixed"]  # fmt: skip


def left_out(corpus: Corpus) -> list[str]:
    """Note of the trials that could not be cut, and the reasons."""
    why = Counter[str]()
    for each in corpus.cuts:
        why.update(each.rejected)
    said = ", ".join(f"{reason}: {n}" for reason, n in why.items())
    return [f"{sum(why.values())} trials were left out ({said})"] if why else []


def _check_others(plan: PretrainingSettings) -> None:
    """Check a model of braindecode by its name before windows are cut; raises otherwise."""
    if plan.model.startswith(OTHERS):
        kind_of(plan.model.removeprefix(OTHERS))
    elif plan.begin is not None:
        raise BadInput(f"--weights begins models of {OTHERS}NAME; {plan.model} takes none")


@contextmanager
def _repeatable(threads: int) -> Iterator[None]:
    """Set the requested number of threads and deterministic operations."""
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1])


def _finish(
    plan: PretrainingSettings,
    state: State,
    batches: Batches,
    place: ProcessRank,
    resumed: int,
    notes: Sequence[str],
) -> Pretrained:
    """Test the best epoch once and write the folder."""
    corpus, model = batches.corpus, state.model
    model.load_state_dict(state.best or averaged(state))
    state.average = {name: p.detach().clone() for name, p in model.named_parameters()}
    test = dict(check(state, batches, corpus.rows(TEST), place)) if len(corpus.rows(TEST)) else {}
    trials = {
        name: len(corpus.rows(part))
        for name, part in (("training", TRAIN), ("validation", CHECK), ("test", TEST))
    }
    training = {
        "sessions": plan.sessions,
        "trials": trials,
        "pictures": corpus.split.pictures,
        "settings": asdict(plan.settings),
        "augmentation": asdict(plan.augmentation),
        "losses": asdict(plan.weights),
        "history": state.history,
        "best_epoch": state.best_epoch,
        "test": test,
        "left_out": list(plan.leave_out),
        "runs": _runs_of(corpus),
    }
    if place.leads:
        space = CaptionPoints().name if corpus.points is not None else None
        weights = {name: value.clone() for name, value in model.state_dict().items()}
        save_backbone(
            PretrainedBackbone(model.dims, weights, corpus.future, training, space), plan.out
        )
    return Pretrained(
        plan.out, place.leads, resumed, sum(p.numel() for p in model.parameters()), trials,
        state.history, state.best_epoch, test, tuple(notes),
    )  # fmt: skip


def _runs_of(corpus: Corpus) -> list[dict[str, str]]:
    """Use and trial hashes of each run, so that later tests can exclude training trials."""
    runs = []
    for number, each in enumerate(corpus.cuts):
        parts = set(corpus.part[corpus.file == number].tolist())
        used = next((name for part, name in enumerate(NAMES) if part in parts), "unused")
        runs.append({"name": each.path.stem, "part": used, "marks": each.marks})
    return runs


def _chosen(plan: PretrainingSettings) -> "list[Run]":
    """Runs of the requested subjects."""
    from rtbci.formats.dataset import find_runs

    runs = find_runs(plan.data)
    there = list(dict.fromkeys(run.subject for run in runs))
    for name in (*(plan.subjects or ()), *plan.leave_out):
        if name not in there:
            raise BadInput(f"no subject {name} in {plan.data}; it has {', '.join(there)}")
    wanted = [name for name in plan.subjects or there if name not in plan.leave_out]
    if not wanted:
        raise BadInput("no subject is left to train on; leave out fewer")
    chosen = [run for run in runs if run.subject in wanted]
    if len({run.classes for run in chosen}) > 1:
        raise BadInput(f"the runs of {plan.data} do not have the same classes; train on one set")
    return chosen


class _Captions:
    """Caption embeddings, or a note why there are none."""

    def __init__(self, wanted: bool, notes: list[str]) -> None:
        self._wanted, self._notes = wanted, notes

    def __call__(self, captions: tuple[str, ...]) -> Samples | None:
        """``(captions, dimensions)``, or None without a text space."""
        if not self._wanted:
            return None
        try:
            return CaptionPoints()(captions)
        except (Missing, ImportError) as error:
            self._notes.append(f"no text space, so captions are left out of training: {error}")
            return None


def _teacher(plan: PretrainingSettings, corpus: Corpus) -> tuple[Samples | None, Weights]:
    """Soft targets by picture (pictures, classes), and the losses with their weights."""
    from calibration.pretraining.teacher import from_captions, from_file

    if plan.teacher is not None:
        opinion = from_file(plan.teacher, corpus.pictures, len(corpus.classes))
    elif plan.model == "spectrogram-cnn" and corpus.points is not None:
        opinion = from_captions(corpus)
    else:
        return None, plan.weights
    return opinion, replace(plan.weights, teacher=plan.weights.teacher or 0.5)


def _identity(
    plan: PretrainingSettings, dims: Dims, weights: Weights, corpus: Corpus, teacher: Samples | None
) -> dict[str, str]:
    """Hashes of everything that must not change between a checkpoint and its continuation."""
    begin = None if plan.begin is None else sha256([plan.begin])
    options = (
        dims.model, dims.embedding, dims.text, sorted(dims.options.items()), weights,
        plan.settings, plan.augmentation, begin,
    )  # fmt: skip
    signals = [(each.path.stem, each.channels, each.sha256) for each in corpus.cuts]
    sessions = plan.sessions, corpus.site_subject, corpus.site_session, corpus.site.tolist()
    captions = corpus.caption.tolist()
    return {
        "options": digest(repr(options)),
        "people or sessions": digest(repr(sessions)),
        "signals": digest(signals),
        "labels": digest([corpus.classes, corpus.y.tolist()]),
        "pictures": digest([corpus.pictures, corpus.picture.tolist()]),
        "captions": _bits(corpus.points) and digest([_bits(corpus.points), captions]),
        "teacher": _bits(teacher),
    }


def _bits(values: Samples | None) -> str:
    return "" if values is None else hashlib.sha256(values.tobytes()).hexdigest()
