"""Evaluation of participants' bundles on their other runs, with the online decoding code."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from calibration.evaluation import controls
from calibration.evaluation.overlaps import overlaps_of
from calibration.evaluation.refusals import check_classes, check_order
from calibration.evaluation.sources import (
    DATASET_TRIAL,
    UnreadRun,
    find_sources,
    is_simulated,
)
from calibration.evaluation.values import (
    ControlAnalysis,
    Evaluation,
    EvaluationPart,
    Overlap,
    TrialTable,
    joined,
)
from rtbci.decoding.bundle import Bundle, load_bundle
from rtbci.decoding.offline import RunCounts, replay
from rtbci.decoding.pipeline import Pipeline
from rtbci.decoding.trial_hashes import learnt, marks, shared
from rtbci.errors import BadInput, NoUsableSignal
from rtbci.signal.recording import Recording
from rtbci.subjects import same_subject
from rtbci.terminal import count
from rtbci.types import Decision

Progress = Callable[[str, int, int], None]
FEWEST = 10  # decided trials in all
SOME = 5  # runs that controls are made on, or one of each person; more say the same


@dataclass
class BundleFindings:
    """Runs decoded so far, and the runs that were left out."""

    tables: list[TrialTable] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    rejected: int = 0
    gaps_s: list[float] = field(default_factory=list)  # from onset to onset, of continuous runs
    noise: list[TrialTable] = field(default_factory=list)
    before: list[TrialTable] = field(default_factory=list)
    bridged: bool = False
    controls: int = SOME  # runs a person that controls are made on
    controlled: Counter[str] = field(default_factory=Counter)  # how many they are
    tested: list[Mapping[str, object]] = field(default_factory=list)  # marks of the runs so far
    trained: list[UnreadRun] = field(default_factory=list)  # runs that the bundle was trained on


def evaluate_bundles(
    model: Path, data: Path, trial_s: float | None, made: str, progress: Progress
) -> Evaluation:
    """Evaluation of every bundle in ``model`` (newest per participant) on the other runs.

    Raises ``BadBundle`` if there is no bundle, ``BadInput`` if no run is a test, if a
    class is missing, and where the order of trials forms class blocks.
    """
    bundles = bundles_in(model)
    sources = find_sources(data)
    pairs = [
        (bundle, source)
        for bundle in bundles
        for source in sources
        if same_subject(source.subject, bundle.subject)
    ]
    if not pairs:
        there = ", ".join(sorted({each.subject for each in sources}))
        wanted = ", ".join(each.subject for each in bundles)
        raise BadInput(f"{data} has no run of {wanted}; it has runs of {there}")
    found = BundleFindings(controls=max(1, SOME // len(bundles)))
    for number, (bundle, source) in enumerate(pairs):
        progress("decoding runs", number, len(pairs))
        _run(bundle, source, found)
    progress("decoding runs", len(pairs), len(pairs))
    return _evaluation(bundles, data, pairs, found, trial_s, made)


def bundles_in(model: Path) -> list[Bundle]:
    """Bundle in a folder, or the newest per participant below it; classes must agree."""
    homes = sorted({each.parent.parent for each in model.glob("*/*/subject.json")})
    bundles = [load_bundle(home) for home in homes] or [load_bundle(model)]
    first = bundles[0].decoder.classes
    for each in bundles:
        if each.decoder.classes != first:
            raise BadInput(
                f"the bundles of {bundles[0].subject} ({', '.join(first)}) and {each.subject} "
                f"({', '.join(each.decoder.classes)}) tell other classes apart; evaluate them alone"
            )
    return bundles


def _run(bundle: Bundle, source: UnreadRun, found: BundleFindings) -> None:
    """Decode one run, or record the reason for leaving it out."""
    try:
        recording = source.recording()
    except BadInput as error:
        found.refused.append((source.name, str(error)))
        return
    own = marks(recording)
    if both := shared(own, learnt(bundle.training)):
        found.trained.append(source)
        found.refused.append((source.name, f"the bundle was trained on it ({both[0]})"))
        return
    if both := shared(own, found.tested):
        found.refused.append(
            (source.name, f"holds {count(both[1], 'trial')} that {both[0]} holds too")
        )
        return
    found.tested.append({"name": source.name, "marks": own})
    tally = RunCounts()
    try:
        decisions = list(replay(recording, bundle, tally))
    except (BadInput, NoUsableSignal) as error:
        found.refused.append((source.name, str(error)))
        return
    for dead in tally.dead:
        found.notes.append(f"no reliable signal in {dead}")
    if not decisions:
        found.refused.append((source.name, "has no marker of a class that the bundle knows"))
        return
    found.rejected += sum(each.label is None for each in decisions)
    table = table_of(decisions, recording, source, bundle)
    if not len(table):
        found.refused.append((source.name, f"no trial could be decoded: {decisions[0].rejected}"))
        return
    found.tables.append(table)
    if recording.bridged is None:
        found.gaps_s += np.diff([each.onset for each in decisions]).tolist()
    else:
        found.bridged = True
    if found.controlled[source.subject] < found.controls:
        found.controlled[source.subject] += 1
        _controls(bundle, source, recording, found)


def _controls(
    bundle: Bundle, source: UnreadRun, recording: Recording, found: BundleFindings
) -> None:
    """Controls of the run: phase-randomised noise, and the time before its pictures."""

    def decoded(what: Recording) -> TrialTable:
        decisions = Pipeline(bundle, what.info).run(what.items(max(1, round(what.info.rate))))
        return table_of(decisions, what, source, bundle)

    found.noise.append(decoded(controls.noise(recording)))
    found.before.append(decoded(controls.earlier(recording, bundle.recipe.last)))


def table_of(
    decisions: Iterable[Decision], recording: Recording, source: UnreadRun, bundle: Bundle
) -> TrialTable:
    """Decided trials of one run as a table."""
    classes = bundle.decoder.classes
    order = {index: n for n, index in enumerate(sorted(m.index for m in recording.markers))}
    images = {each.index: str(each.fields.get("image") or "") for each in recording.markers}
    rows = [each for each in decisions if each.label is not None and each.true is not None]
    n = len(rows)
    probabilities = [[each.probabilities[name] for name in classes] for each in rows]
    return TrialTable(
        subject=np.full(n, source.subject),
        session=np.full(n, source.session),
        run=np.full(n, source.run),
        trial=np.array([order[each.index] for each in rows], int),
        true=np.array([classes.index(each.true or "") for each in rows], int),
        probabilities=np.array(probabilities, float).reshape(n, len(classes)),
        image=np.array([images[each.index] for each in rows], str),
    )


def _evaluation(
    bundles: list[Bundle],
    data: Path,
    pairs: list[tuple[Bundle, UnreadRun]],
    found: BundleFindings,
    trial_s: float | None,
    made: str,
) -> Evaluation:
    people = ", ".join(each.subject for each in bundles)
    classes = bundles[0].decoder.classes
    if not found.tables:
        said = "; ".join(f"{name}: {why}" for name, why in found.refused[:4])
        raise BadInput(f"no run of {people} in {data} is a test: {said}")
    table = joined(found.tables)
    if len(table) < FEWEST:
        raise BadInput(f"only {len(table)} trials of {data} could be decoded, not enough to judge")
    check_classes(table.true, classes, str(data))
    check_order(table.true, table.blocks, len(classes), str(data))
    notes = list(found.notes)
    if found.rejected:
        notes.append(f"{found.rejected} trials had no whole window and were not decoded")
    if trial_s is None:
        trial_s = float(np.median(found.gaps_s)) if found.gaps_s else DATASET_TRIAL
    runs = f"{len(found.tables)} of {len(pairs)} runs"
    path = bundles[0].path
    return Evaluation(
        model=f"Bundle of {people}{f', {path.name}' if path else ''}"
        if len(bundles) == 1
        else f"Bundles of {len(bundles)} people",
        data=f"{data.resolve().name}: {runs}",
        made=made,
        classes=classes,
        parts=(
            EvaluationPart(
                "new_runs",
                "New runs",
                f"Every run that the person's bundle was not trained on ({runs}), decoded trial "
                "by trial as if it were live.",
                table,
            ),
        ),
        controls=_controls_of(found, table, len(classes)),
        overlaps=tuple(_overlaps(data, pairs, found.trained, table)),
        refused=tuple(found.refused),
        notes=tuple(notes),
        trial_s=trial_s,
        simulated=is_simulated(data, people),
        details={
            each.subject: {"decoder": each.described, "path": str(each.path)} for each in bundles
        },
    )


def _controls_of(found: BundleFindings, table: TrialTable, k: int) -> tuple[ControlAnalysis, ...]:
    some = f"; {len(found.noise)} runs" if len(found.noise) < len(found.tables) else ""
    noisy = "recordings with the same spectra, random phases and the true labels"
    before = controls.before_words(found.bridged)
    return (
        controls.control(controls.NOISE, noisy + some, joined(found.noise), k),
        controls.control(controls.BEFORE, before + some, joined(found.before), k),
        controls.shuffled_labels(table.predictions()),
    )


def _overlaps(
    data: Path, pairs: list[tuple[Bundle, UnreadRun]], trained: list[UnreadRun], table: TrialTable
) -> list[Overlap]:
    """Pictures and captions that were shown during the bundle's calibration."""
    if not (table.image != "").any():
        return []
    seen = {(source.subject, name) for source in trained for name in source.images}
    return overlaps_of(data, [source for _, source in pairs], table, seen, anybody=False)
