"""Recordings decoded in process as if they were live, and the summary of the decisions."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from rtbci.decoding.bundle import Bundle
from rtbci.decoding.pipeline import Pipeline
from rtbci.decoding.shifts import last_shifts
from rtbci.decoding.trial_hashes import learnt, marks, shared
from rtbci.errors import BadInput
from rtbci.messages import result_kind
from rtbci.signal.epoch_gaps import bridge, held
from rtbci.signal.quality import humming, implausible
from rtbci.signal.recording import Recording
from rtbci.statistics.scores import PERMUTATIONS, Scores, permutation_p, score, scores_json
from rtbci.statistics.verdict import Verdict, calibrated, refused
from rtbci.types import Array, Decision

CHUNK = 1.0  # s pushed at once; decisions do not depend on it
AIM = 50.0  # times real time that a replay reaches on any computer worth using

Source = Callable[[], tuple[Recording, int | None]]  # a recording, the first onset that counts


@dataclass
class RunCounts:
    """Decisions and counts of the recordings replayed so far."""

    decisions: list[Decision] = field(default_factory=list)
    blocks: list[int] = field(default_factory=list)  # number of the recording of each decision
    gaps: int = 0
    duplicates: int = 0  # markers that repeated the one before
    seconds: float = 0.0  # of signal
    recordings: int = 0
    seen: list[str] = field(default_factory=list)  # files that the bundle was trained on
    dead: list[str] = field(default_factory=list)  # files without a reliable signal, and why


def replay(
    recording: Recording, bundle: Bundle, tally: RunCounts, after: int | None = None
) -> Iterator[Decision]:
    """Decisions of one recording in onset order, as they are made; ``tally`` keeps count.

    Epochs are bridged. ``after`` leaves out events with an earlier onset (sample index, of the
    bridged recording). Raises ``BadBundle`` where the bundle does not fit.
    """
    recording = bridge(recording)
    dead = check(recording, bundle, tally, after)
    pipeline = Pipeline(bundle, recording.info, dead=dead)
    chunk = max(1, bundle.recipe.samples(CHUNK))
    for item in recording.items(chunk):
        for decision in pipeline.push(item):
            if count(decision, tally, after):
                yield decision
    for decision in pipeline.finish():
        if count(decision, tally, after):
            yield decision
    done(recording, tally, len(recording.gaps), pipeline.windows.duplicates)


def check(
    recording: Recording, bundle: Bundle, tally: RunCounts, after: int | None = None
) -> dict[str, str]:
    """The check before a session, on the whole file; all else is judged as the samples come.

    Returns electrodes without a reliable signal, each with the reason. Raises ``BadBundle``
    where the bundle does not fit and ``BadInput`` where the unit cannot be right.
    """
    recipe = bundle.recipe
    bundle.resolve(recording.info)
    span = held(recording, bundle.labels)
    if span is not None and not span[0] <= recipe.first < recipe.last <= span[1]:
        rate = recipe.rate
        raise BadInput(
            f"{recording.provenance.paths[0]} holds {span[0] / rate:g} to {span[1] / rate:g} s "
            f"around each marker, but the bundle looks at {recipe.first / rate:g} to "
            f"{recipe.last / rate:g} s; calibrate on epochs, or replay the continuous recording"
        )
    band = (min(low for low, _ in recipe.bands), recipe.bands[0][1])
    name = recording.provenance.paths[0]
    present = tuple(each for each in recipe.channels if each in recording.info.channels)
    wrong = implausible(recording, present)
    if wrong:
        raise BadInput(f"{name} {wrong}")
    dead = humming(recording, present, band, bundle.frequencies)
    if dead and not bundle.can_spare(recording.info, dead):
        tally.dead.append(f"{name}: {', '.join(f'{who} {why}' for who, why in dead.items())}")
    if after is None and shared(marks(recording), learnt(bundle.training)):
        tally.seen.append(name)
    return dead


def count(decision: Decision, tally: RunCounts, after: int | None = None) -> bool:
    """Count a decision; False, and not counted, where its onset is before ``after``."""
    if after is not None and decision.index < after:
        return False
    tally.decisions.append(decision)
    tally.blocks.append(tally.recordings)
    return True


def done(recording: Recording, tally: RunCounts, gaps: int, duplicates: int) -> None:
    """Count a recording that has ended, with its gaps and repeated markers."""
    tally.duplicates += duplicates
    tally.gaps += gaps
    tally.seconds += recording.duration
    tally.recordings += 1


def scores_of(tally: RunCounts, bundle: Bundle) -> Scores | None:
    """Figures of the decided events whose class is known; None for fewer than two classes."""
    true, probabilities, predicted, blocks, _ = _decided(tally, bundle)
    if len(np.unique(true)) < 2:
        return None
    p = permutation_p(true, predicted, blocks, probabilities.shape[1])
    return score(true, probabilities, p, PERMUTATIONS)


def verdict_of(tally: RunCounts, scores: Scores | None) -> Verdict:
    """The verdict on the replayed recordings; NO-GO if they are not a valid test."""
    if scores is None:
        return refused("fewer than two classes were decided")
    if tally.seen:
        return refused(f"no test: trained on {', '.join(tally.seen)}")
    low = scores.balanced_accuracy_ci95[0]
    return calibrated(scores.p_value, low, scores.chance, scores.n)


def summary(tally: RunCounts, bundle: Bundle, scores: Scores | None) -> dict[str, object]:
    """Counts and figures of everything replayed, as ``--json`` gives them."""
    true, _, predicted, _, sure = _decided(tally, bundle)
    verdict = verdict_of(tally, scores)
    return {
        **result_kind("summary"),
        "n_events": len(tally.decisions),
        "n_decided": sum(decision.label is not None for decision in tally.decisions),
        "n_rejected": sum(decision.rejected is not None for decision in tally.decisions),
        **scores_json(scores),
        "chance": scores.chance if scores else 1 / len(bundle.decoder.classes),
        "accuracy_when_sure": float((predicted == true)[sure].mean()) if sure.any() else None,
        "share_sure": float(sure.mean()) if len(sure) else None,
        "verdict": verdict.word,
        "reason": verdict.reason,
        "gaps": tally.gaps,
        "n_duplicates": tally.duplicates,
        "rejected": dict(reasons(tally)),
        "latency_shift_ms": [each._asdict() for each in last_shifts(tally.decisions, tally.blocks)],
        "seen_in_training": tally.seen,
        "recordings": tally.recordings,
    }


def _decided(
    tally: RunCounts, bundle: Bundle
) -> tuple[np.ndarray, Array, np.ndarray, np.ndarray, np.ndarray]:
    """True class, probabilities, decoded class, recording and sureness of decided events."""
    classes = bundle.decoder.classes
    decided = [
        (decision, block, classes.index(decision.true), classes.index(decision.label))
        for decision, block in zip(tally.decisions, tally.blocks, strict=True)
        if decision.label is not None and decision.true is not None
    ]
    return (
        np.array([true for _, _, true, _ in decided], int),
        np.array([[d.probabilities[c] for c in classes] for d, *_ in decided], float),
        np.array([label for *_, label in decided], int),
        np.array([block for _, block, *_ in decided], int),
        np.array(["unsure" not in decision.flags for decision, *_ in decided], bool),
    )


def reasons(tally: RunCounts) -> Counter[str]:
    """How often decisions were rejected, by reason."""
    return Counter(decision.rejected for decision in tally.decisions if decision.rejected)


def speed_reached(seconds: float, wall: float) -> float:
    """A factor that was reached for sure: 50 where it was more, else a power of ten.

    The measured factor changes from run to run, and two replays of one file shall print the
    same bytes: the exact figure goes to the person, this one to programs.
    """
    factor = max(seconds, 1e-9) / max(wall, 1e-9)
    return AIM if factor >= AIM else float(10.0 ** np.floor(np.log10(factor)))
