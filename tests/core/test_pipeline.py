"""The one path to a decision: the same in any cut, nothing dropped, nothing poisoned."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calibration.fitting.training import CalibrationSettings, calibrate
from rtbci.decoding.bundle import Bundle
from rtbci.decoding.pipeline import Pipeline
from rtbci.formats import read
from rtbci.signal.recording import Recording
from rtbci.types import Answer, Chunk, Decision, Gap, Marker
from sims.generate import generate

Item = Chunk | Marker | Gap
SIZES = (1, 7, 20, 1000)
REASONS = {"gap", "settling", "incomplete", "before the first sample", "marked invalid",
           "late marker"}  # fmt: skip


def nothing(_stage: str, _done: int, _of: int) -> None:
    """Progress that nobody looks at."""


def trained(recordings: list[Recording], labels: dict[str, str]) -> Bundle:
    """A bundle of these recordings."""
    return calibrate(
        recordings, CalibrationSettings("sub-01", labels), nothing, permute=False
    ).bundle


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    """Of a simulated person, four electrodes at 250 Hz."""
    return trained([generate(1, n_trials=80, soa=1.0, channels=4)], {"1": "house", "2": "face"})


@pytest.fixture(scope="module")
def recording() -> Recording:
    """The same person again, without gaps."""
    return generate(2, n_trials=60, soa=1.0, channels=4)


def holed(recording: Recording) -> Recording:
    """``recording`` with 2 s lost at 20 s, a restart at 45 s, and markers that lie in the hole."""
    rate = int(recording.info.rate)
    lost = np.r_[20 * rate : 22 * rate]
    signal = np.delete(recording.signal, lost, axis=0)
    gaps = (Gap(20 * rate, 2 * rate), Gap(45 * rate, 0, "the clock was set"))
    return replace(recording, signal=signal, gaps=gaps)


def cut(recording: Recording, seconds: float) -> Recording:
    """The beginning of a recording without gaps."""
    stop = round(seconds * recording.info.rate)
    markers = tuple(marker for marker in recording.markers if marker.index < stop)
    return replace(recording, signal=recording.signal[:stop], markers=markers)


def weave(recording: Recording, size: int, seed: int, wait: float = 2.0) -> list[Item]:
    """The recording in chunks of ``size``, every marker up to ``wait`` s early or late."""
    rng = np.random.default_rng(seed)
    within = wait * recording.info.rate
    stream = [
        item for item in replace(recording, markers=()).items(size) if not isinstance(item, Marker)
    ]
    waiting = sorted(
        ((marker.index + rng.uniform(-within, within), number, marker)
         for number, marker in enumerate(recording.markers)),
        key=lambda each: each[:2],
    )  # fmt: skip
    out: list[Item] = []
    for item in stream:
        head = item.index + (len(item.x) if isinstance(item, Chunk) else item.missing)
        while waiting and waiting[0][0] < head:
            out.append(waiting.pop(0)[2])
        out.append(item)
    return out + [marker for _, _, marker in waiting]


def same_in_any_cut(
    bundle: Bundle, recording: Recording, seeds: Sequence[int] = (0, 1)
) -> list[Decision]:
    """The decisions, after a look that neither the cut nor the order of markers changes them."""
    expected = Pipeline(bundle, recording.info).run(recording.items())
    for size in SIZES:
        items = list(recording.items(size))
        assert Pipeline(bundle, recording.info).run(items) == expected, size
        for seed in seeds:
            items = weave(recording, size, seed)
            assert Pipeline(bundle, recording.info).run(items) == expected, (size, seed)
    return expected


def events(recording: Recording, bundle: Bundle) -> list[int]:
    """Onsets of the markers that the bundle knows."""
    return sorted(marker.index for marker in recording.markers if marker.label in bundle.labels)


def test_no_cut_and_no_order_of_markers_changes_a_decision(bundle, recording):
    decisions = same_in_any_cut(bundle, recording)
    assert [decision.index for decision in decisions] == events(recording, bundle)
    hits = [decision.label == decision.true for decision in decisions]
    assert np.mean(hits) > 0.75  # or the equality above would be one of nonsense


def test_nor_with_gaps_restarts_and_amplitudes_beyond_the_limit(bundle, recording):
    loud = recording.signal.copy()
    loud[2500:2600, 1] += 400
    decisions = same_in_any_cut(bundle, holed(replace(recording, signal=loud)))
    assert [decision.index for decision in decisions] == events(recording, bundle)
    said = {decision.rejected for decision in decisions}
    assert said == {None, "gap", "settling"}
    assert any("amplitude" in decision.flags for decision in decisions)


def test_nor_of_a_real_oddball_recording(eeg: Path):
    folder = eeg / "muse/visual/P300/subject1/session1"
    paths = sorted(folder.glob("*.csv"))
    first, last = read(paths[0]), read(paths[-1])
    bundle = trained([cut(first, 90)], {"1": "nontarget", "2": "target"})
    decisions = same_in_any_cut(bundle, cut(last, 40), seeds=[0])
    assert len(decisions) > 50
    assert {decision.label for decision in decisions} == {None, "nontarget", "target"}


def test_nor_of_a_real_recording_whose_stamps_step_back(eeg: Path):
    folder = eeg / "muse/visual/left-right/subject2/session1"
    paths = sorted(folder.glob("*.csv"))
    first, last = read(paths[0]), read(paths[-1])
    assert last.back_steps > 20
    bundle = trained([cut(first, 45)], {"1": "left", "2": "right"})
    decisions = same_in_any_cut(bundle, cut(last, 40), seeds=[0])
    assert len(decisions) > 60


def test_decisions_come_out_in_onset_order_as_soon_as_they_can(bundle, recording):
    pipeline = Pipeline(bundle, recording.info)
    head, onsets = 0, []
    for item in recording.items(25):
        if isinstance(item, Chunk):
            head = item.index + len(item.x)
        for decision in pipeline.push(item):
            onsets.append(decision.index)
            late = head - decision.index - pipeline.windows.recipe.samples(2.0)
            assert 0 <= late < 25
    onsets += [decision.index for decision in pipeline.finish()]
    assert onsets == events(recording, bundle)


def test_a_decision_says_what_was_shown_what_was_decoded_and_how_sure(bundle, recording):
    decisions = Pipeline(bundle, recording.info).run(recording.items())
    labels = {marker.index: bundle.labels[marker.label] for marker in recording.markers}
    unsure = 0
    for decision in decisions:
        assert decision.onset == decision.index / 250
        assert decision.true == labels[decision.index]
        assert tuple(decision.probabilities) == bundle.decoder.classes
        assert sum(decision.probabilities.values()) == pytest.approx(1)
        best = max(decision.probabilities, key=lambda name: decision.probabilities[name])
        assert decision.label == best
        assert decision.rejected is None
        assert ("unsure" in decision.flags) == (decision.probabilities[best] < bundle.sure)
        unsure += "unsure" in decision.flags
    assert 0 < unsure < len(decisions)


def test_the_temperature_changes_sureness_and_no_decision(bundle, recording):
    one = Pipeline(bundle, recording.info).run(recording.items())
    hot = replace(bundle, temperature=10 * bundle.temperature)
    other = Pipeline(hot, recording.info).run(recording.items())
    assert [d.label for d in one] == [d.label for d in other]
    assert max(max(d.probabilities.values()) for d in other) < max(
        max(d.probabilities.values()) for d in one
    )


# What is not decided is said


def test_every_event_gets_exactly_one_answer_whatever_happens(bundle, recording):
    rng = np.random.default_rng(3)
    for seed in range(5):
        index = np.sort(rng.integers(-50, recording.n_samples + 800, 60))
        index = index[np.diff(index, prepend=-999) > 10]  # nearer ones of a label are one event
        markers = tuple(
            Marker(int(i), str(rng.integers(1, 4)), {"valid": bool(rng.random() > 0.1)})
            for i in index
        )
        part = holed(replace(recording, markers=markers))
        decisions = Pipeline(bundle, part.info).run(weave(part, 50, seed))
        assert [decision.index for decision in decisions] == events(part, bundle)
        for decision in decisions:
            assert (decision.label is None) == (decision.rejected is not None)
            assert decision.rejected in {None, *REASONS}
            assert (decision.label is None) == (not decision.probabilities)
        assert len({decision.rejected for decision in decisions}) >= 4


def test_the_reason_is_the_one_that_applies(bundle, recording):
    rate = 250
    cases = {-40: "before the first sample", 5 * rate: None, 10 * rate: "marked invalid",
             20 * rate - 100: "gap", 21 * rate: "gap", 25 * rate: "settling", 40 * rate: None,
             recording.n_samples - 100: "incomplete"}  # fmt: skip
    markers = tuple(
        Marker(index, "1", {"valid": reason != "marked invalid"}) for index, reason in cases.items()
    )
    part = holed(replace(recording, markers=markers))
    part = replace(part, gaps=part.gaps[:1])
    decisions = Pipeline(bundle, part.info).run(part.items())
    assert {decision.index: decision.rejected for decision in decisions} == cases


def test_the_start_of_a_stream_is_decoded_and_flagged(bundle, recording):
    decisions = Pipeline(bundle, recording.info).run(recording.items())
    for decision in decisions:
        early = decision.onset + 0.1 < bundle.recipe.settle
        assert ("settling" in decision.flags) == early
    assert "settling" in decisions[0].flags
    assert "settling" not in decisions[-1].flags


def test_an_amplitude_beyond_the_limit_is_flagged_and_decided(bundle, recording):
    at = recording.markers[30].index
    loud = recording.signal.copy()
    loud[at + 50 : at + 80, 2] += 500
    part = replace(recording, signal=loud)
    decisions = {d.index: d for d in Pipeline(bundle, part.info).run(part.items())}
    assert "amplitude" in decisions[at].flags
    assert decisions[at].label is not None
    assert "amplitude" not in decisions[recording.markers[20].index].flags
    free = replace(bundle, recipe=replace(bundle.recipe, reject=None))
    decisions = Pipeline(free, part.info).run(part.items())
    assert not any("amplitude" in decision.flags for decision in decisions)


def test_the_same_label_within_20_ms_is_one_event(bundle, recording):
    again = tuple(replace(marker, index=marker.index + 3) for marker in recording.markers)
    part = replace(recording, markers=recording.markers + again)
    pipeline = Pipeline(bundle, part.info)
    assert [d.index for d in pipeline.run(part.items())] == events(recording, bundle)
    assert pipeline.windows.duplicates == len(again)


def test_a_marker_that_comes_far_too_late_is_answered_and_flagged(bundle, recording):
    late = recording.markers[10]
    others = tuple(marker for marker in recording.markers if marker != late)
    for seconds, label in ((4.0, True), (30.0, False)):
        items: list[Item] = []
        for item in replace(recording, markers=others).items(25):
            items.append(item)
            if isinstance(item, Chunk) and late.index + seconds * 250 <= item.index + 25 < (
                late.index + seconds * 250 + 25
            ):
                items.append(late)
        decisions = Pipeline(bundle, recording.info).run(items)
        assert sorted(d.index for d in decisions) == events(recording, bundle)
        (found,) = (decision for decision in decisions if decision.index == late.index)
        if label:
            assert "late marker" in found.flags
            assert found.label is not None
        else:
            assert found.rejected == "late marker"


def test_markers_that_mean_nothing_to_the_bundle_are_left_alone(bundle, recording):
    more = tuple(Marker(marker.index + 60, "button") for marker in recording.markers)
    part = replace(recording, markers=recording.markers + more)
    one = Pipeline(bundle, recording.info).run(recording.items())
    assert Pipeline(bundle, part.info).run(part.items()) == one


# Nothing is poisoned


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
def test_samples_that_are_no_signal_do_not_poison_what_follows(bundle, recording, value):
    spoilt = recording.signal.copy()
    at = recording.markers[20].index
    spoilt[at + 60 : at + 64] = value
    spoilt[at + 64 : at + 90, 1] = value
    part = replace(recording, signal=spoilt)
    one = Pipeline(bundle, recording.info).run(recording.items())
    with np.errstate(all="raise", under="ignore"):
        other = Pipeline(bundle, part.info).run(part.items())
    assert len(one) == len(other)
    for decision in other:
        assert all(np.isfinite(value) for value in decision.probabilities.values())
        assert (decision.label is None) == (decision.rejected is not None)
    if not np.isfinite(value):
        assert "held samples" in other[20].flags
        assert [d.label for d in one[30:]] == [d.label for d in other[30:]]
        assert sum("held samples" in decision.flags for decision in other) <= 2


def test_a_stream_that_begins_without_numbers_gets_over_it(bundle, recording):
    spoilt = recording.signal.copy()
    spoilt[:100] = np.nan
    part = replace(recording, signal=spoilt)
    decisions = Pipeline(bundle, part.info).run(part.items(20))
    assert decisions == Pipeline(bundle, part.info).run(part.items(1000))
    one = Pipeline(bundle, recording.info).run(recording.items())
    assert [d.label for d in one[-20:]] == [d.label for d in decisions[-20:]]


@pytest.mark.parametrize("size", [1, 20, 1000])
def test_an_electrode_that_goes_flat_is_named_and_nothing_decided(bundle, recording, size):
    spoilt = recording.signal.copy()
    spoilt[30 * 250 : 40 * 250, 2] = spoilt[30 * 250, 2]
    part = replace(recording, signal=spoilt)
    name = bundle.recipe.channels[2]
    decisions = Pipeline(bundle, part.info).run(part.items(size))
    for decision in decisions:
        if 30 < decision.onset < 38.5:
            assert decision.rejected == f"no reliable signal: {name} flat"
            assert decision.label is None
        elif decision.onset < 29 or decision.onset > 41:
            assert decision.rejected is None


def test_electrodes_known_to_be_dead_reject_every_window_with_the_reason(bundle, recording):
    name = bundle.recipe.channels[1]
    dead = {name: "hums at 21.4 Hz", "elsewhere": "is flat"}
    decisions = Pipeline(bundle, recording.info, dead=dead).run(recording.items())
    assert [decision.index for decision in decisions] == events(recording, bundle)
    assert {decision.rejected for decision in decisions} == {
        f"no reliable signal: {name} hums at 21.4 Hz"
    }
    assert all(decision.label is None and not decision.probabilities for decision in decisions)
    free = Pipeline(bundle, recording.info, dead={"elsewhere": "is flat"})
    assert free.run(recording.items())[10].label is not None


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_decoder_that_gives_no_number_gives_no_decision(bundle, recording):
    class Broken:
        classes, dimensions = bundle.decoder.classes, 0

        def answer(self, x: np.ndarray) -> Answer:
            return Answer(self.logits(x))

        def logits(self, x: np.ndarray) -> np.ndarray:
            return np.array([np.nan, 0.0])

        def arrays(self) -> dict[str, np.ndarray]:
            return {}

    decisions = Pipeline(replace(bundle, decoder=Broken()), recording.info).run(recording.items())
    assert {decision.rejected for decision in decisions} == {"decoder gave no number"}


# Sliding windows


def sliding(bundle: Bundle, items: Iterable[Item], every: float) -> list[Decision]:
    """Decisions of sliding windows alone."""
    decisions = Pipeline(bundle, every=every).run(items)
    return [decision for decision in decisions if decision.true is None]


@pytest.mark.parametrize("every", [0.1, 0.5, 2.0])
def test_sliding_windows_come_at_their_step_whatever_the_cut(bundle, recording, every):
    alone = cut(replace(recording, markers=()), 40)
    expected = sliding(bundle, alone.items(), every)
    step = round(every * 250)
    onsets = [decision.index for decision in expected]
    assert np.diff(onsets).tolist() == [step] * (len(onsets) - 1)
    assert onsets[0] <= step
    assert onsets[-1] + 200 <= alone.n_samples < onsets[-1] + 200 + step
    for size in (7, 20):
        assert sliding(bundle, alone.items(size), every) == expected
    for decision in expected:
        assert decision.true is None
        assert decision.label in bundle.decoder.classes


def test_sliding_windows_do_not_disturb_those_of_events_without_a_gate(bundle, recording):
    plain = replace(bundle, template=None)
    one = Pipeline(plain, recording.info).run(recording.items())
    both = Pipeline(plain, recording.info, every=0.3).run(recording.items())
    assert [decision for decision in both if decision.true is not None] == one
    assert len(both) > 2 * len(one)


def test_sliding_windows_do_not_disturb_the_latency_gate(bundle, recording):
    shifted = tuple(replace(m, index=m.index - 15) for m in recording.markers)
    late = replace(recording, markers=shifted)
    one = Pipeline(bundle, late.info).run(late.items())
    both = Pipeline(bundle, late.info, every=0.3).run(late.items())
    assert [decision for decision in both if decision.true is not None] == one


def test_after_a_gap_sliding_windows_wait_until_the_filters_have_settled(bundle, recording):
    part = holed(replace(recording, markers=()))
    part = replace(part, gaps=part.gaps[:1])
    onsets = np.array([decision.onset for decision in sliding(bundle, part.items(), 0.5)])
    settled = 22 + bundle.recipe.settle - 0.1
    assert not ((onsets > 20 - 0.8) & (onsets < settled)).any()
    assert ((onsets > settled) & (onsets < settled + 0.6)).any()


def test_a_pipeline_without_a_stream_description_takes_the_bundles_channels(bundle, recording):
    one = Pipeline(bundle).run(recording.items())
    assert one == Pipeline(bundle, recording.info).run(recording.items())


def test_two_pipelines_of_one_bundle_do_not_share_a_state(bundle, recording):
    expected = Pipeline(bundle, recording.info).run(recording.items())
    pair = [Pipeline(bundle, recording.info) for _ in range(2)]
    found: Sequence[list[Decision]] = ([], [])
    for item in recording.items(100):
        for pipeline, out in zip(pair, found, strict=True):
            out += pipeline.push(item)
    for pipeline, out in zip(pair, found, strict=True):
        assert out + pipeline.finish() == expected
