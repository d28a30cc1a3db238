"""Calibration tells the truth: what is fitted sees training trials only, and noise stays noise."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from calibration.fitting import evoked, oscillation, permutation, training
from calibration.fitting.training import CalibrationSettings, Result, calibrate, plan_recipe
from calibration.fitting.trials import Trials, collect
from calibration.fitting.validation import fit_temperature, outer_parts, time_blocks
from rtbci.decoding.pipeline import Pipeline
from rtbci.decoding.scorer import softmax
from rtbci.errors import BadInput, NoUsableSignal
from rtbci.signal.recipe import EVOKED_BANDS, EVOKED_WINDOW
from rtbci.signal.recording import Recording
from rtbci.statistics.class_blocks import forms_class_blocks
from rtbci.statistics.verdict import UNTESTED
from rtbci.types import Gap, Marker, Provenance
from sims.generate import generate

LABELS = {"1": "house", "2": "face"}
EVOKED = CalibrationSettings("sub-01", LABELS)
RHYTHM = CalibrationSettings("sub-01", LABELS, window=(0.2, 2.2), band=(8.0, 30.0), reject=None)
FLICKER = CalibrationSettings(
    "sub-01", LABELS, window=(0.2, 2.2), frequencies=(20.0, 15.0), reject=None
)


def nothing(_stage: str, _done: int, _of: int) -> None:
    """Progress that nobody looks at."""


@cache
def made(seed: int, *, n_trials: int = 60, strength: str = "clear", channels: int = 4,
         classes: tuple[str, ...] = ("1", "2"), soa: float = 1.0) -> Recording:  # fmt: skip
    """A recording of one simulated person; the name of its file is its seed."""
    recording = generate(
        seed, n_trials=n_trials, strength=strength, channels=channels, classes=classes, soa=soa
    )
    return named(recording, f"/data/run{seed}.npy")


def named(recording: Recording, path: str) -> Recording:
    """The recording under another file name."""
    provenance = recording.provenance
    return replace(recording, provenance=Provenance((path,), provenance.sha256, "npy"))


@cache
def rhythmic(seed: int, kind: str, n_trials: int = 40) -> Recording:
    """A trial every 2.6 s whose class shows in a flicker, a rhythm or not at all."""
    recording = made(seed, n_trials=n_trials, strength="none", soa=2.6)
    signal, t = recording.signal.copy(), np.arange(round(2.5 * 250)) / 250
    rng = np.random.default_rng(seed)
    for marker in recording.markers:
        first = marker.label == "1"
        if kind == "flicker":
            wave = 3 * np.sin(2 * np.pi * ((20 if first else 15) * t + rng.random()))
            topography = np.ones(4)
        elif kind == "rhythm":
            wave = 12 * np.sin(2 * np.pi * (rng.uniform(11.5, 12.5) * t + rng.random()))
            topography = np.array([1, 0, 0, 0.0]) if first else np.array([0, 0, 1, 0.0])
        else:
            break
        signal[marker.index :][: len(t)] += (wave[:, None] * topography).astype(np.float32)
    return replace(recording, signal=signal)


def relabel(recording: Recording, labels: list[str]) -> Recording:
    """The same onsets under other labels."""
    markers = tuple(
        replace(marker, label=label)
        for marker, label in zip(recording.markers, labels, strict=True)
    )
    return replace(recording, markers=markers)


def run(
    *recordings: Recording, plan: CalibrationSettings = EVOKED, permute: bool = False
) -> Result:
    """A calibration."""
    return calibrate(list(recordings), plan, nothing, permute=permute)


def trials_of(
    recordings: list[Recording], plan: CalibrationSettings
) -> tuple[Trials, training.Recipe]:
    """Whole trials, and the recipe that cut them."""
    recipe = plan_recipe(recordings, plan)
    trials, _, refused = collect(recordings, recipe, plan.labels, plan.classes, plan.frequencies)
    assert not refused
    return trials, recipe


# Nothing that is fitted has seen the test


@pytest.mark.parametrize(
    ("plan", "recordings"),
    [
        pytest.param(EVOKED, lambda: [made(1), made(2)], id="evoked"),
        pytest.param(RHYTHM, lambda: [rhythmic(3, "rhythm")], id="rhythm"),
        pytest.param(FLICKER, lambda: [rhythmic(4, "flicker")], id="flicker"),
    ],
)
@pytest.mark.parametrize("what", ["labels turned round", "signal replaced"])
def test_the_fit_does_not_depend_on_its_test_block(plan, recordings, what):
    trials, recipe = trials_of(recordings(), plan)
    blocks = time_blocks(trials.run)
    parts, logits = training.test_blocks(trials, blocks, recipe, plan, nothing)
    rng = np.random.default_rng(0)
    for block in (0, 2, 4):
        inside = blocks == block
        if what == "signal replaced":
            x = [
                (1e3 * rng.standard_normal(one.shape)).astype(np.float32) if hit else one
                for one, hit in zip(trials.x, inside, strict=True)
            ]
            spoilt = replace(trials, x=x)
        else:
            spoilt = replace(trials, y=np.where(inside, 1 - trials.y, trials.y))
        again, other = training.test_blocks(spoilt, blocks, recipe, plan, nothing)
        (before,) = (part for part in parts if blocks[part.test[0]] == block)
        (after,) = (part for part in again if blocks[part.test[0]] == block)
        assert np.array_equal(before.train, after.train)
        arrays = before.decoder.arrays()
        for name, array in after.decoder.arrays().items():
            assert np.array_equal(array, arrays[name]), name
        if what == "labels turned round":  # what was said of the block is the same as well
            assert np.array_equal(logits[inside], other[inside])
        # and the others, which trained on it, did notice
        assert not np.array_equal(logits[~inside], other[~inside])


def test_nor_do_the_shift_and_the_template_of_the_latency_gate():
    trials, recipe = trials_of([made(1), made(2)], EVOKED)
    blocks = time_blocks(trials.run)
    for train, test in outer_parts(trials, blocks, recipe.last - recipe.first)[:2]:
        one = training.fit(trials, train, recipe, EVOKED)
        inside = np.isin(np.arange(len(trials)), test)
        x = [np.roll(x, 25, axis=-1) if hit else x for x, hit in zip(trials.x, inside, strict=True)]
        other = training.fit(replace(trials, x=x), train, recipe, EVOKED)
        assert one.shifts == other.shifts
        assert one.template is not None
        assert other.template is not None
        assert np.array_equal(one.template.weights, other.template.weights)


def test_the_part_that_is_tested_uses_the_gate_as_live():
    recordings = [made(1), made(2)]
    trials, recipe = trials_of(recordings, EVOKED)
    blocks = time_blocks(trials.run)
    parts, logits = training.test_blocks(trials, blocks, recipe, EVOKED, nothing)
    last = parts[-1]
    fitted = training.fit(trials, last.train, recipe, EVOKED)
    bundle = replace(run(*recordings).bundle, decoder=fitted.decoder, template=fitted.template)
    onsets = trials.onset[last.test].tolist()
    later = tuple(m for m in recordings[1].markers if m.index in onsets)
    decisions = Pipeline(bundle).run(replace(recordings[1], markers=later).items())
    named = [bundle.decoder.classes.index(decision.label or "") for decision in decisions]
    assert named == logits[last.test].argmax(axis=1).tolist()


@pytest.mark.parametrize("runs", [1, 2, 3, 5, 7, 12])
def test_blocks_are_contiguous_in_time_and_five_or_more(runs):
    run_of = np.repeat(np.arange(runs), 23)
    blocks = time_blocks(run_of)
    assert (np.diff(blocks) >= 0).all()
    assert set(blocks) == set(range(blocks[-1] + 1))
    assert 5 <= blocks[-1] + 1 <= 10
    if runs <= 10:
        for block in set(blocks):
            assert len(set(run_of[blocks == block])) == 1


def test_training_excludes_trials_that_overlap_the_test_or_exceed_the_limit():
    trials, recipe = trials_of([made(1), made(2)], EVOKED)
    kept = trials.kept.copy()
    kept[[3, 50, 70]] = False
    trials = replace(trials, kept=kept)
    span = recipe.last - recipe.first
    assert span > 250  # longer than the second between two onsets: windows do overlap
    tested = np.zeros(len(trials), int)
    purged = 0
    for train, test in outer_parts(trials, time_blocks(trials.run), span):
        tested[test] += 1
        assert not set(train) & set(test)
        assert kept[train].all()
        assert (np.diff(test) == 1).all()
        for i in train:
            same = trials.run[test] == trials.run[i]
            assert (abs(trials.onset[test][same] - trials.onset[i]) >= span).all()
        purged += kept.sum() - len(train) - kept[test].sum()
    assert (tested == 1).all()  # every trial, loud ones included
    assert purged > 0


def test_the_temperature_makes_confidence_honest():
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, 4000)
    evidence = rng.standard_normal(4000) + (2 * y - 1)
    logits = np.stack([-evidence, evidence], axis=1)  # true log-odds: 2 * evidence
    assert fit_temperature(7 * logits, y) == pytest.approx(7, rel=0.1)
    noise = rng.standard_normal((4000, 2)) * 30
    assert softmax(noise / fit_temperature(noise, y)).max(axis=1).mean() < 0.7


# What cannot be honest is refused


@pytest.mark.parametrize(
    ("labels", "refused"),
    [
        (["1"] * 30 + ["2"] * 30, True),
        ((["1"] * 10 + ["2"] * 10) * 3, True),
        ((["1"] * 6 + ["2"] * 6) * 5, True),
        (["1", "2"] * 30, False),
        ([m.label for m in made(1).markers], False),
    ],
    ids=["two blocks", "blocks of 10", "blocks of 6", "alternating", "intermixed"],
)
def test_classes_one_after_the_other_are_refused(labels, refused):
    recording = relabel(made(1, strength="none"), labels)
    if refused:
        with pytest.raises(BadInput, match=r"class blocks.*record with classes intermixed"):
            run(recording)
    else:
        assert run(recording).held_out[1].shape == (60, 2)


def test_one_class_a_recording_is_a_block_design_as_well():
    first = relabel(made(1), ["1"] * 60)
    second = relabel(made(2), ["2"] * 60)
    with pytest.raises(BadInput, match="class blocks"):
        run(first, second)


def test_random_orders_are_not_accused():
    rng = np.random.default_rng(2)
    for n, k in ((30, 2), (60, 2), (120, 4), (200, 2)):
        for _ in range(200):
            assert not forms_class_blocks(rng.integers(0, k, n), np.zeros(n, int), k)
    rare = (rng.random((100, 190)) < 0.15).astype(int)  # an oddball
    assert not any(forms_class_blocks(y, np.zeros(190, int), 2) for y in rare)


def test_too_few_trials_of_a_class_are_refused_with_their_number():
    recording = made(1)
    labels = ["1"] * 60
    for number in (10, 25, 40, 55):
        labels[number] = "2"
    with pytest.raises(NoUsableSignal, match=r"class face has 4 usable trials of 4, at least 5"):
        run(relabel(recording, labels))
    labels[59] = "2"
    labels[57] = "2"
    labels[58] = "2"
    labels[10] = labels[25] = labels[40] = "1"  # five left, all but one in one block
    labels[56] = "2"
    with pytest.raises(NoUsableSignal, match="outside one block of time; record more"):
        run(relabel(recording, labels))


def test_a_class_of_which_no_trial_is_there_is_named():
    plan = replace(EVOKED, labels={**LABELS, "7": "tree"})
    with pytest.raises(NoUsableSignal, match="class tree has 0 usable trials of 0"):
        run(made(1), plan=plan)


def test_files_that_are_byte_for_byte_the_same_are_used_once():
    copy = named(made(1), "/data/copy.npy")
    result = run(made(1), copy, made(2))
    (refused,) = result.refused
    assert refused.file == "/data/copy.npy"
    assert refused.reason == "is byte for byte the same file as /data/run1.npy"
    assert sum(result.trials.values()) == 120
    assert [each["file"] for each in result.latency] == ["run1.npy", "run2.npy"]


def spoil(what: str) -> Recording:
    """A recording that cannot be calibrated on."""
    recording = made(5)
    signal, markers = recording.signal.copy(), recording.markers
    t = np.arange(len(signal)) / 250
    if what == "no markers":
        markers = ()
    elif what == "other markers":
        markers = tuple(replace(marker, label="T1") for marker in markers)
    elif what == "almost no markers":
        markers = markers[:7]
    elif what == "bad contact":
        signal += (300 * np.sin(2 * np.pi * 2 * t))[:, None].astype(np.float32)
    elif what == "flat":
        signal[:, 1] = 0
    elif what == "a line":
        signal[:, 2] += (20 * np.sin(2 * np.pi * 16 * t)).astype(np.float32)
    elif what == "nothing but gaps":
        gaps = tuple(Gap(marker.index + 20, 0) for marker in markers)
        return replace(named(recording, "/data/bad.npy"), gaps=gaps)
    return replace(named(recording, "/data/bad.npy"), signal=signal, markers=markers)


REASONS = {
    "no markers": "has no markers named 1, 2; found: none",
    "other markers": "has no markers named 1, 2; found: T1 (60)",
    "almost no markers": "has almost no markers: 7, at least 10 are needed",
    "bad contact": "has bad contact: 0 % of its 60 trials stay below 100 uV peak to peak, at least "
    "50 % are needed",
    "flat": "has no reliable signal: Pz is flat. Leave it out, or name the others with --channels",
    "a line": "has no reliable signal: Oz hums at 16.0 Hz. Leave it out, or name the others with "
    "--channels",
    "nothing but gaps": "has no whole trial (settling: 57, gap: 3)",
}


@pytest.mark.parametrize("what", REASONS)
def test_a_recording_without_a_usable_signal_is_named_with_the_reason(what):
    bad = spoil(what)
    with pytest.raises(NoUsableSignal) as caught:
        run(bad)
    reason = REASONS[what]
    if what == "flat":  # a flat electrode gives no whole trial either; both are true
        assert "/data/bad.npy has no" in str(caught.value)
        assert "flat" in str(caught.value)
    else:
        assert str(caught.value) == f"/data/bad.npy {reason}"


def test_usable_recordings_calibrate_and_the_others_are_named():
    bad = [spoil(what) for what in ("a line", "almost no markers")]
    bad = [replace(each, provenance=Provenance((f"/data/{i}",), str(i), "npy"))
           for i, each in enumerate(bad)]  # fmt: skip
    result = run(made(1), *bad, made(2))
    assert [each.file for each in result.refused] == ["/data/0", "/data/1"]
    files = result.bundle.training["files"]
    assert isinstance(files, list)
    assert [each["name"] for each in files] == ["run1.npy", "run2.npy"]
    assert [each["trials"] for each in files] == [60, 60]


def test_a_bad_electrode_can_be_left_out():
    result = run(spoil("a line"), plan=replace(EVOKED, channels=("Cz", "Pz", "Fz")))
    assert result.bundle.recipe.channels == ("Cz", "Pz", "Fz")


def test_loud_trials_are_left_out_of_training_but_counted():
    recording = made(1)
    signal = recording.signal.copy()
    for marker in recording.markers[5:15]:
        signal[marker.index + 60 : marker.index + 90, 1] += 500
    result = run(replace(recording, signal=signal))
    (file,) = result.bundle.training["files"]  # type: ignore[misc]
    dropped = result.rejected["over 100 uV"]
    assert 10 <= dropped <= 14
    assert file["used_for_training"] == 60 - dropped
    assert len(result.held_out[0]) == 60
    free = run(replace(recording, signal=signal), plan=replace(EVOKED, reject=None))
    assert dict(free.rejected) == {}


# Plans


@pytest.mark.parametrize(
    ("plan", "kind"),
    [
        (EVOKED, "evoked"),
        (replace(EVOKED, window=(0.0, 1.4)), "evoked"),
        (replace(EVOKED, window=(0.5, 2.0)), "oscillation"),
        (FLICKER, "oscillation"),
        (replace(EVOKED, frequencies=(10.0, 12.0)), "oscillation"),
        (replace(EVOKED, window=(0.5, 3.5), paradigm="evoked"), "evoked"),
        (replace(EVOKED, paradigm="oscillation"), "oscillation"),
    ],
)
def test_the_paradigm_follows_from_window_and_frequencies(plan, kind):
    assert plan.kind == kind


def test_the_defaults_are_those_that_were_measured():
    recipe = plan_recipe([made(1)], EVOKED)
    assert recipe.bands[:2] == EVOKED_BANDS == ((0.1, 20.0), (0.3, 20.0))
    assert recipe.bands[2] == (1.0, 30.0)
    assert recipe.window == EVOKED_WINDOW == (0.1, 0.8)
    assert (recipe.streams, recipe.check, recipe.reject, recipe.lag) == (2, 2, 100.0, 0.148)
    rhythm = plan_recipe([made(1)], replace(EVOKED, paradigm="oscillation"))
    assert rhythm.window == (0.15, 3.0)
    assert rhythm.bands == tuple(oscillation.filter_bank((8.0, 30.0)))
    assert (rhythm.streams, rhythm.check, rhythm.lag) == (len(rhythm.bands), 0, 0)
    flicker = plan_recipe([made(1)], replace(EVOKED, frequencies=(20.0, 15.0)))
    assert flicker.bands == tuple(oscillation.filter_bank((6.0, 55.0), (20.0, 15.0)))


def test_the_requested_window_is_cut():
    plan = replace(EVOKED, channels=("Oz", "Cz"), window=(0.0, 0.5), band=(1.0, 15.0), reject=60.0)
    recipe = plan_recipe([made(1)], plan)
    assert recipe.channels == ("Oz", "Cz")
    assert recipe.bands[:2] == ((1.0, 15.0), (1.0, 15.0))
    assert (recipe.window, recipe.reject) == ((0.0, 0.5), 60.0)


def test_the_mains_is_notched_only_where_it_reaches_into_the_band():
    recording = generate(1, n_trials=60, soa=1.0, channels=4, line=50.0)
    t = np.arange(len(recording.signal)) / 250
    hum = (20 * np.sin(2 * np.pi * 50 * t)).astype(np.float32)
    humming = replace(recording, signal=recording.signal + hum[:, None])
    assert plan_recipe([humming], EVOKED).line is None  # below 30 Hz nobody hears it
    wide = replace(EVOKED, band=(1.0, 70.0))
    assert plan_recipe([humming], wide).line == 50.0
    assert plan_recipe([humming], replace(wide, line=None)).line is None
    assert plan_recipe([humming], replace(EVOKED, line=60.0)).line == 60.0


WRONG: dict[str, tuple[CalibrationSettings, str]] = {
    "one class": (CalibrationSettings("s", {"1": "house"}), "names 1 class; a decoder needs two"),
    "two markers of one class": (CalibrationSettings("s", {"1": "a", "2": "a"}), "names 1 class"),
    "a frequency too few": (
        CalibrationSettings("s", LABELS, frequencies=(20.0,)),
        r"1 frequency for 2 classes \(house, face\); give one for each",
    ),
    "frequencies of responses": (
        CalibrationSettings("s", LABELS, frequencies=(20.0, 15.0), paradigm="evoked"),
        "--frequencies belong to --paradigm oscillation",
    ),
    "a frequency outside the band": (
        CalibrationSettings("s", LABELS, frequencies=(20.0, 15.0), band=(18.0, 40.0)),
        "frequency 15 Hz lies outside the band 18-40 Hz",
    ),
    "an electrode that is not there": (
        replace(EVOKED, channels=("Cz", "Xz")),
        "has no channel Xz; it has Cz, Pz, Oz, Fz",
    ),
    "a reference that is not decoded": (
        replace(EVOKED, reference=("M1",)),
        "reference M1 is none of Cz, Pz, Oz, Fz",
    ),
    "a band beyond the rate": (replace(EVOKED, band=(1.0, 200.0)), "choose another --band"),
    "a band turned round": (replace(EVOKED, band=(20.0, 1.0)), "choose another --band"),
    "a window turned round": (replace(EVOKED, window=(0.8, 0.1)), "window 0.8 to 0.1 s "),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_plan_that_makes_no_sense_is_refused_in_a_sentence(what):
    plan, sentence = WRONG[what]
    with pytest.raises(BadInput, match=sentence):
        run(made(1), plan=plan)


def test_recordings_that_do_not_go_together_are_refused():
    fast = replace(made(2), info=replace(made(2).info, rate=500.0))
    with pytest.raises(BadInput, match=r"run2.npy runs at 500 Hz, .*run1.npy at 250 Hz"):
        run(made(1), fast)
    other = made(2, channels=3)
    with pytest.raises(BadInput, match="has no channel Fz"):
        run(made(1), other)
    silent = replace(made(1), info=replace(made(1).info, types=("MISC",) * 4))
    with pytest.raises(BadInput, match="has no EEG channel, only Cz, Pz, Oz, Fz"):
        run(silent)
    with pytest.raises(BadInput, match="no recording given"):
        run()


# The truth about signal and noise


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_noise_is_called_noise(seed, monkeypatch):
    monkeypatch.setattr(permutation, "HEADS", 200)
    result = run(made(seed, strength="none", n_trials=80), permute=True)
    assert result.scores is not None
    assert result.scores.p_value > 0.01
    assert result.verdict.word in ("NO-GO", "CAUTION")
    low, high = result.scores.balanced_accuracy_ci95
    assert low < 0.5 < high or result.scores.p_value > 0.05


def test_noise_without_a_rhythm_is_called_noise(monkeypatch):
    monkeypatch.setattr(permutation, "REPEATS", 100)
    result = run(rhythmic(6, "none"), plan=RHYTHM, permute=True)
    assert result.scores is not None
    assert result.scores.p_value > 0.01
    assert result.verdict.word != "GO"


def test_a_clear_response_gets_go(monkeypatch):
    monkeypatch.setattr(permutation, "HEADS", 200)
    result = run(made(1), permute=True)
    assert result.scores is not None
    assert result.verdict.word == "GO"
    assert result.scores.auc > 0.85
    assert result.scores.p_value == pytest.approx(1 / 201)
    assert result.bundle.verdict == result.verdict
    assert result.verdict.above_chance
    known = result.bundle.training
    assert known["p_value"] == result.scores.p_value
    assert known["permutation"] == result.permutation
    assert result.permutation.startswith("200 shuffles within blocks, heads refitted")
    assert result.bundle.described == evoked.NAME


def test_four_classes_get_go_as_well(monkeypatch):
    monkeypatch.setattr(permutation, "HEADS", 200)
    classes = ("1", "2", "3", "4")
    plan = CalibrationSettings("sub-01", {code: f"c{code}" for code in classes})
    result = run(made(1, classes=classes, channels=8, n_trials=100), plan=plan, permute=True)
    assert result.scores is not None
    assert (result.verdict.word, result.scores.chance) == ("GO", 0.25)
    assert result.trials == {"c1": 25, "c2": 25, "c3": 25, "c4": 25}


def test_flicker_gets_go_and_the_choice_is_named(monkeypatch):
    monkeypatch.setattr(permutation, "REPEATS", 100)
    result = run(rhythmic(7, "flicker"), plan=FLICKER, permute=True)
    assert result.verdict.word == "GO"
    assert result.bundle.family == result.bundle.paradigm == "oscillation"
    assert result.bundle.template is None
    assert "covariances" in result.bundle.described or "CCA" in result.bundle.described
    assert "the whole fit and its choice repeated" in result.permutation


def test_few_test_trials_never_get_go(monkeypatch):
    monkeypatch.setattr(permutation, "HEADS", 200)
    result = run(made(1, n_trials=36, channels=8), permute=True)
    assert result.scores is not None
    assert result.scores.p_value <= 0.01
    assert result.verdict.word == "CAUTION"
    assert "only 36 test trials" in result.verdict.reason


def test_without_shuffles_nothing_is_claimed():
    result = run(made(1))
    assert result.scores is None
    assert result.verdict == result.bundle.verdict == UNTESTED
    assert "p_value" not in result.bundle.training


def test_the_same_recordings_give_the_same_bundle():
    one, again = run(made(1), made(2)).bundle, run(made(1), made(2)).bundle
    assert one.temperature == again.temperature
    assert one.sure == again.sure
    for name, array in one.decoder.arrays().items():
        assert np.array_equal(array, again.decoder.arrays()[name]), name


def test_two_markers_may_mean_one_class():
    plan = CalibrationSettings("sub-01", {"1": "picture", "2": "picture", "3": "word"})
    recording = made(1, classes=("1", "2", "3"))
    result = run(recording, plan=plan)
    assert result.trials == {"picture": 40, "word": 20}
    assert result.bundle.decoder.classes == ("picture", "word")


def test_progress_is_reported_by_stage(monkeypatch):
    monkeypatch.setattr(permutation, "HEADS", 20)
    told: list[tuple[str, int, int]] = []
    note: Callable[[str, int, int], None] = lambda *step: told.append(step)  # noqa: E731
    calibrate([made(1)], EVOKED, note)
    assert list(dict.fromkeys(stage for stage, _, _ in told)) == [
        "cutting trials", "testing on unseen blocks", "shuffling labels",
    ]  # fmt: skip
    for stage in dict.fromkeys(stage for stage, _, _ in told):
        steps = [(done, of) for name, done, of in told if name == stage]
        assert [done for done, _ in steps] == sorted(done for done, _ in steps)
        assert steps[-1][0] == steps[-1][1]


def test_a_marker_marked_invalid_is_no_trial():
    recording = made(1)
    markers = tuple(
        Marker(m.index, m.label, {"valid": False} if number % 6 == 0 else {})
        for number, m in enumerate(recording.markers)
    )
    result = run(replace(recording, markers=markers))
    assert sum(result.trials.values()) == 50
    assert result.rejected["marked invalid"] == 10
