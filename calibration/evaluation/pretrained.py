"""Evaluation of a pretrained backbone: held-back sessions, other sessions, cross-subject heads.

Every part says what the backbone has seen of the person in question. Heads are refitted in closed
form (shrinkage LDA on the frozen embedding), so that nothing is chosen on the way.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from calibration.evaluation import controls
from calibration.evaluation.embedded import (
    CLEAN,
    TRAINING,
    VALIDATION,
    EmbeddedRun,
    EmbeddingRuns,
    before_onset,
    cut_out,
    noise_of,
)
from calibration.evaluation.overlaps import overlaps_of
from calibration.evaluation.refusals import check_classes, check_order
from calibration.evaluation.sources import DATASET_TRIAL, UnreadRun, find_sources, is_simulated
from calibration.evaluation.values import (
    ControlAnalysis,
    Evaluation,
    EvaluationPart,
    Overlap,
    TrialTable,
    joined,
)
from calibration.evaluation.words import of_words, strange_words
from calibration.pretraining import PretrainedBackbone, load_backbone
from rtbci.decoding.scorer import softmax
from rtbci.errors import BadInput
from rtbci.types import Array, Samples

Progress = Callable[[str, int, int], None]
FEWEST = 10  # test trials in all, and training trials a class of a refitted head


@dataclass
class BackboneFindings:
    """Runs embedded so far, and the runs that were left out."""

    runs: list[EmbeddedRun] = field(default_factory=list)
    strange: list[EmbeddedRun] = field(
        default_factory=list
    )  # trials of classes it was never taught
    refused: list[tuple[str, str]] = field(default_factory=list)
    noise: list[TrialTable] = field(default_factory=list)
    before: list[TrialTable] = field(default_factory=list)
    bridged: bool = True
    controlled: set[str] = field(default_factory=set)  # people whose controls are made


def evaluate_backbone(
    model: Path, data: Path, trial_s: float | None, made: str, progress: Progress
) -> Evaluation:
    """Evaluation of every run of ``data`` that pretraining did not use, in three ways.

    Raises ``BadInput`` if there is none, if a class is missing, and if the order of
    trials forms class blocks.
    """
    backbone = load_backbone(model)
    sources, eyes, found = find_sources(data), EmbeddingRuns(backbone), BackboneFindings()
    for number, source in enumerate(sources):
        progress("looking at runs", number, len(sources))
        _run(eyes, source, found)
    progress("looking at runs", len(sources), len(sources))
    classes = _narrow(found, backbone.dims.classes)
    clean = [each for each in found.runs if each.role == CLEAN]
    if not clean:
        why = "; ".join(f"{name} {reason}" for name, reason in found.refused[:3])
        if not found.runs:
            why = "; ".join([why, *strange_words(found.strange)]).removeprefix("; ")
            raise BadInput(f"no run of {data} can be tested with {model}: {why}")
        raise BadInput(
            f"every run of {data} was used for pretraining ({model}), none is a test; evaluate on "
            f"other sessions, or pretrain with --sessions 3/1/1{f' ({why})' if why else ''}"
        )
    whole = joined([table_of(each) for each in clean])
    check_classes(whole.true, classes, f"the test part of {data}")
    check_order(whole.true, whole.blocks, len(classes), str(data))
    parts = _parts(eyes, found.runs)
    known = [each for each in clean if eyes.knows(each.source.subject)]
    more, retrieval, notes = of_words(known or clean, found.strange, found.runs, classes)
    parts += more
    if len(parts[0].table) < FEWEST:
        raise BadInput(f"only {len(parts[0].table)} test trials in {data}, not enough to judge")
    paces = [each.trial_s for each in clean if each.trial_s is not None]
    usual = DATASET_TRIAL if clean[0].source.names else None
    return Evaluation(
        model=f"Backbone {model.resolve().name} ({backbone.dims.model})",
        data=f"{data.resolve().name}: {len(clean)} of {len(found.runs)} runs kept back",
        made=made,
        classes=classes,
        parts=tuple(parts),
        controls=_controls(found, clean, parts[0].table, len(classes)),
        overlaps=tuple(_overlaps(data, sources, found, parts[0].table)),
        refused=tuple(found.refused),
        notes=_notes(backbone) + strange_words(found.strange) + notes,
        retrieval=retrieval,
        trial_s=trial_s or (float(np.median(paces)) if paces else usual),
        simulated=is_simulated(data),
        details={
            "path": str(model),
            "network": backbone.dims.model,
            "subjects": list(backbone.dims.subjects),
            "sessions": backbone.training.get("sessions"),
            "best_epoch": backbone.training.get("best_epoch"),
        },
    )


def _run(eyes: EmbeddingRuns, source: UnreadRun, found: BackboneFindings) -> None:
    """Embed one run, and once per participant its noise and pre-onset controls."""
    try:
        cutout = cut_out(source, eyes.backbone)
        seen = eyes.look(source, cutout)
    except BadInput as error:
        found.refused.append((source.name, str(error)))
        return
    taught = seen.true >= 0
    if not taught.all():
        found.strange.append(seen.where(~taught))
        seen = seen.where(taught)
    if not len(seen.true):
        return
    found.runs.append(seen)
    if seen.role != CLEAN or source.subject in found.controlled:
        return
    found.controlled.add(source.subject)
    found.noise.append(table_of(seen, eyes.logits(source, noise_of(cutout))[taught]))
    try:
        before = before_onset(source, cutout, eyes.backbone)
    except BadInput:
        return  # nothing before the onset; the control says so
    recording = before.recording
    found.bridged &= recording is not None and recording.bridged is not None
    row = {trial: n for n, trial in enumerate(seen.trial.tolist())}
    both = [(n, row[t]) for n, t in enumerate(before.trials.tolist()) if t in row]
    if both:
        logits = eyes.logits(source, before)[[n for n, _ in both]]
        rows = np.array([at for _, at in both])
        found.before.append(table_of(seen).where(rows).with_logits(logits))


def _narrow(found: BackboneFindings, classes: tuple[str, ...]) -> tuple[str, ...]:
    """Classes that occur in the data, of those that the backbone knows."""
    used = sorted({k for each in found.runs for k in np.unique(each.true).tolist()})
    if len(used) in (0, len(classes)):
        return classes
    found.runs = [
        replace(each, true=np.searchsorted(used, each.true), logits=each.logits[:, used])
        for each in found.runs
    ]
    for tables in (found.noise, found.before):
        tables[:] = [each.narrowed(used) for each in tables]
    return tuple(classes[k] for k in used)


def table_of(seen: EmbeddedRun, logits: Samples | Array | None = None) -> TrialTable:
    """Trials of a run as a table, with the given log-odds or those of its head."""
    odds = np.asarray(seen.logits if logits is None else logits, np.float64)
    n = len(seen.true)
    return TrialTable(
        subject=np.full(n, seen.source.subject),
        session=np.full(n, seen.source.session),
        run=np.full(n, seen.source.run),
        trial=seen.trial,
        true=seen.true,
        probabilities=softmax(odds),
        image=seen.image,
    )


def _parts(eyes: EmbeddingRuns, runs: Sequence[EmbeddedRun]) -> list[EvaluationPart]:
    """Evaluation parts possible with these runs, the simplest first."""
    known = [each for each in runs if eyes.knows(each.source.subject)]
    new = [each for each in runs if not eyes.knows(each.source.subject)]
    tested = [each for each in known if each.role == CLEAN]
    parts = []
    if new:
        parts.append(
            EvaluationPart(
                "new_subjects",
                "New people",
                "The head that all people share, on people whom the backbone has never seen: "
                "leave one subject out, without one labelled trial of theirs. Their electrodes' "
                "scales come from earlier runs, without labels.",
                joined([table_of(each) for each in new]),
            )
        )
    if tested:
        parts.insert(
            0,
            EvaluationPart(
                "test_sessions",
                "Test sessions",
                "The network that all people share (the backbone) with each person's own last "
                "layer (the head), on sessions that neither was trained on. Both have seen "
                "earlier sessions of the same people.",
                joined([table_of(each) for each in tested]),
            ),
        )
    crossed = _cross_session(runs)
    if crossed is not None:
        parts.append(
            EvaluationPart(
                "cross_session",
                "Another session",
                "One session left out: a new head from the person's other sessions, on the frozen "
                "embedding. Only sessions that the backbone was not trained on are left out"
                + _stopped(runs)
                + (_mixed(known, new) if known and new else "."),
                crossed,
            )
        )
    others = _other_subjects(known)
    if others is not None:
        parts.append(
            EvaluationPart(
                "other_subjects",
                "Other people's heads",
                "A new head from all other people's training sessions; not one labelled trial of "
                "the person in question. This is not leave one subject out: the backbone itself "
                "has seen the person's training sessions (rtbci pretrain --leave-out for that).",
                others,
            )
        )
    return parts


def _stopped(runs: Sequence[EmbeddedRun]) -> str:
    if any(each.role == VALIDATION for each in runs):
        return "; those that decided when to stop are among them"
    return ""


def _mixed(known: Sequence[EmbeddedRun], new: Sequence[EmbeddedRun]) -> str:
    people = [len({each.source.subject for each in runs}) for runs in (known, new)]
    return f"; it has seen {people[0]} of these people in other sessions, {people[1]} never."


def _cross_session(runs: Sequence[EmbeddedRun]) -> TrialTable | None:
    """Heads of other sessions tested on each session that was not used in pretraining."""
    tables = []
    for subject, session in sorted({(r.source.subject, r.source.session) for r in runs}):
        mine = [each for each in runs if each.source.subject == subject]
        held = [each for each in mine if each.source.session == session]
        rest = [each for each in mine if each.source.session != session]
        if any(each.role == TRAINING for each in held):
            continue
        head = fit_head(rest)
        if head is not None:
            tables += [table_of(each, head(each.embedding)) for each in held]
    return joined(tables) if tables else None


def _other_subjects(known: Sequence[EmbeddedRun]) -> TrialTable | None:
    """Heads of all other subjects' training sessions tested on a subject's test sessions."""
    people = sorted({each.source.subject for each in known})
    tables = []
    for who in people if len(people) > 1 else ():
        head = fit_head([r for r in known if r.source.subject != who and r.role != CLEAN])
        if head is None:
            return None
        held = [each for each in known if each.source.subject == who and each.role == CLEAN]
        tables += [table_of(each, head(each.embedding)) for each in held]
    return joined(tables) if tables else None


def fit_head(
    runs: Sequence[EmbeddedRun], labels: np.ndarray | None = None
) -> Callable[[Samples], Array] | None:
    """Log-odds of embeddings by shrinkage LDA on ``runs``; None where a class has too few trials.

    ``labels`` (trials,) in the place of the true ones.
    """
    if not runs:
        return None
    z = np.concatenate([each.embedding for each in runs]).astype(np.float64)
    y = np.concatenate([each.true for each in runs]) if labels is None else labels
    k = runs[0].logits.shape[1]
    if np.bincount(y, minlength=k).min() < FEWEST:
        return None
    mean, scale = z.mean(axis=0), z.std(axis=0) + 1e-9
    lda = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=np.full(k, 1 / k))
    lda.fit((z - mean) / scale, y)

    def head(embedding: Samples) -> Array:
        odds = np.asarray(lda.decision_function((embedding.astype(np.float64) - mean) / scale))
        return np.stack([-odds / 2, odds / 2], axis=1) if odds.ndim == 1 else odds

    return head


def _controls(
    found: BackboneFindings, clean: Sequence[EmbeddedRun], first: TrialTable, k: int
) -> tuple[ControlAnalysis, ...]:
    """Controls: noise, the time before the onset, and heads trained on shuffled labels."""
    people = f"; one run of each of {len(found.controlled)} people"
    noisy = "windows with the spectra of other trials, random phases and the true labels"
    before = controls.before_words(found.bridged)
    lied = _shuffled_heads(found.runs, clean)
    control = controls.shuffled_labels(first.predictions())
    if lied is not None:
        taught = "test sessions, by heads that were refitted on shuffled labels"
        control = controls.control(controls.SHUFFLED, taught, lied, k)
    early = joined(found.before) if found.before else None
    return (
        controls.control(controls.NOISE, noisy + people, joined(found.noise), k),
        controls.control(controls.BEFORE, before + people, early, k),
        control,
    )


def _shuffled_heads(runs: Sequence[EmbeddedRun], clean: Sequence[EmbeddedRun]) -> TrialTable | None:
    """Heads of each subject's training sessions with labels shuffled within runs."""
    tables = []
    for who in sorted({each.source.subject for each in clean}):
        taught = [r for r in runs if r.source.subject == who and r.role != CLEAN]
        if not taught:
            continue
        table = joined([table_of(each) for each in taught])
        head = fit_head(taught, controls.shuffled_within_blocks(table.true, table.blocks))
        if head is not None:
            held = [each for each in clean if each.source.subject == who]
            tables += [table_of(each, head(each.embedding)) for each in held]
    return joined(tables) if tables else None


def _overlaps(
    data: Path, sources: Sequence[UnreadRun], found: BackboneFindings, table: TrialTable
) -> list[Overlap]:
    """Pictures and captions of training trials among the test trials."""
    if not (table.image != "").any():
        return []
    trained = [each for each in found.runs if each.role == TRAINING]
    seen = {(r.source.subject, name) for r in trained for name in r.image.tolist() if name}
    return overlaps_of(data, sources, table, seen, anybody=True) if seen else []


def _notes(backbone: PretrainedBackbone) -> tuple[str, ...]:
    pictures = backbone.training.get("pictures")
    return (f"pretraining: {pictures}",) if isinstance(pictures, str) else ()
