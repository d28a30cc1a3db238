"""A delay of the markers that begins in the middle of a session, on real recordings.

The first half of the recordings calibrates, the others are replayed one after the other; from the
second replayed one on every marker comes 100 ms late. The gate has no label to go by.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest

from calibration.fitting.training import CalibrationSettings
from rtbci.decoding.bundle import Bundle
from rtbci.decoding.offline import RunCounts, replay, summary
from rtbci.signal.recording import Recording
from rtbci.statistics.scores import auc_interval
from tests.calibration.test_real_recordings import GRATING, HOUSE, ODDBALL, opened, quick, usable
from tests.calibration.test_real_recordings import auc as auc_of

DELAY_MS = 100
CASES = (("left-right", GRATING, "2/1"), ("P300", ODDBALL, "1/1"))
MORE = (*CASES, ("P300", ODDBALL, "2/1"), ("N170", HOUSE, "2/1"), ("N170", HOUSE, "3/2"))
# The recordings of these sessions differ in lag: 0 to +74 ms within session 2, found by hand.
DIFFERING = (("P300", ODDBALL, "3/1"), ("P300", ODDBALL, "3/2"))
SESSIONS = (*MORE, ("P300", ODDBALL, "5/1"), *DIFFERING)


def delayed(recording: Recording, ms: float) -> Recording:
    """The same with every marker ``ms`` later."""
    shift = round(ms / 1000 * recording.info.rate)
    return replace(
        recording, markers=tuple(replace(m, index=m.index + shift) for m in recording.markers)
    )


@dataclass(frozen=True)
class Outcome:
    """What was replayed, once unchanged, once delayed without and with a gate."""

    unchanged: RunCounts
    blind: RunCounts
    followed: RunCounts
    bundle: Bundle


def replayed(recordings: list[Recording], bundle: Bundle) -> RunCounts:
    """All of them, one after the other."""
    tally = RunCounts()
    for recording in recordings:
        for _ in replay(recording, bundle, tally):
            pass
    return tally


def auc(tally: RunCounts, bundle: Bundle) -> float:
    """Of every event of the second and later recordings."""
    classes = bundle.decoder.classes
    decided = [d for d, of in zip(tally.decisions, tally.blocks, strict=True) if of and d.label]
    true = np.array([classes.index(d.true or "") for d in decided])
    p = np.array([[d.probabilities[name] for name in classes] for d in decided])
    return auc_interval(true, p)[0]


@pytest.fixture(scope="module", params=CASES, ids=[f"{d} {where}" for d, _, where in CASES])
def outcome(request, eeg) -> Outcome:
    """One session, replayed three times."""
    dataset, labels, where = request.param
    paths = usable(eeg, dataset, where)
    n = math.ceil(len(paths) / 2)
    bundle = quick(paths[:n], CalibrationSettings("sub-00", labels))
    stable = [opened(path) for path in paths[n:]]
    late = [stable[0], *(delayed(recording, DELAY_MS) for recording in stable[1:])]
    return Outcome(
        unchanged=replayed(stable, bundle),
        blind=replayed(late, replace(bundle, template=None)),
        followed=replayed(late, bundle),
        bundle=bundle,
    )


@pytest.mark.slow
def test_at_least_half_of_the_loss_by_a_delay_is_recovered(outcome):
    whole, lost, found = (
        auc(tally, outcome.bundle) for tally in (outcome.unchanged, outcome.blind, outcome.followed)
    )
    print(f"AUC {whole:.3f}, delayed {lost:.3f}, with the gate {found:.3f}")
    assert lost < whole - 0.1
    assert found - lost >= (whole - lost) / 2


@pytest.mark.slow
def test_the_delay_is_reported_for_the_recordings_that_have_it(outcome):
    told = summary(outcome.followed, outcome.bundle, None)["latency_shift_ms"]
    assert isinstance(told, list)
    print(told)
    assert [each["recording"] for each in told] == [2, 3]
    for each in told:
        assert each["ms"] == pytest.approx(-DELAY_MS, abs=17)
        assert 20 < each["from_event"] <= 130


@pytest.mark.slow
def test_where_nothing_changed_nothing_is_reported(outcome):
    assert summary(outcome.unchanged, outcome.bundle, None)["latency_shift_ms"] == []


@pytest.mark.slow
@pytest.mark.parametrize(("dataset", "labels", "where"), MORE)
def test_shorter_and_longer_delays_are_found_too(eeg, dataset, labels, where):
    paths = usable(eeg, dataset, where)
    n = math.ceil(len(paths) / 2)
    bundle = quick(paths[:n], CalibrationSettings("sub-00", labels))
    first, *others = [opened(path) for path in paths[n:]]
    others = others or [first]  # where only one is left, it is the delayed one too
    whole = auc(replayed([first, *others], bundle), bundle)
    for ms in (100, -100, 60, -60, 140, -140):
        late = [first, *(delayed(recording, ms) for recording in others)]
        followed = replayed(late, bundle)
        lost = auc(replayed(late, replace(bundle, template=None)), bundle)
        found = auc(followed, bundle)
        told = summary(followed, bundle, None)["latency_shift_ms"]
        assert isinstance(told, list)
        events = [each["from_event"] - 1 for each in told if each["recording"] > 1]
        print(f"{dataset} {where} {ms:+d} ms: AUC {whole:.3f}, {lost:.3f}, {found:.3f}; {events}")
        assert len(events) == len(others)
        assert found - lost >= (whole - lost) / 2


@pytest.mark.slow
def test_recordings_held_out_once_hardly_move(eeg):
    without, with_gate, moved = [], [], []
    for dataset, labels, where in SESSIONS:
        paths = usable(eeg, dataset, where)
        for path in paths:
            bundle = quick(
                [each for each in paths if each != path], CalibrationSettings("sub-00", labels)
            )
            without.append(auc_of(replace(bundle, template=None), [path]))
            with_gate.append(auc_of(bundle, [path], tally := RunCounts()))
            told = summary(tally, bundle, None)["latency_shift_ms"]
            if told:
                moved.append((dataset, labels, where))
                print(f"{dataset} {where} {path.name}: {told}, AUC {without[-1]:.3f} without")
                print(f"and {with_gate[-1]:.3f} with the gate")
            assert with_gate[-1] >= without[-1] - 0.01 or (dataset, labels, where) in DIFFERING
    print(f"{len(moved)} of {len(with_gate)} moved, mean AUC {np.mean(without):.4f} without")
    print(f"and {np.mean(with_gate):.4f} with the gate")
    assert len(moved) <= 4
    assert len([each for each in moved if each not in DIFFERING]) <= 1


SPATIAL = {"1": "a", "2": "b", "3": "c", "4": "d"}


@pytest.mark.slow
@pytest.mark.parametrize("first", [0, 1])
def test_it_holds_on_recordings_that_no_constant_was_chosen_on(eeg, first):
    paths = sorted((eeg / "muse/visual/spatial_freq").glob("*/*/*.csv"))
    assert len(paths) == 2
    bundle = quick([paths[first]], CalibrationSettings("sub-00", SPATIAL))
    test = opened(paths[1 - first])
    assert summary(replayed([test], bundle), bundle, None)["latency_shift_ms"] == []
    for ms in (100, -100, 60, -60):
        told = summary(replayed([delayed(test, ms)], bundle), bundle, None)["latency_shift_ms"]
        assert isinstance(told, list)
        (one,) = told
        print(ms, one)
        assert one["ms"] == pytest.approx(-ms, abs=17)
