"""A network of other people, fine-tuned and stacked; last week's decoder, brought up to date."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calibration.fitting import finetuning, stacking
from calibration.fitting.gradient_tuning import tuned_model
from calibration.fitting.nested import inner_logits
from calibration.fitting.settings import CalibrationSettings, plan_recipe
from calibration.fitting.training import calibrate, fit
from calibration.fitting.trials import collect
from calibration.pretraining import PretrainingSettings as Pretraining
from calibration.pretraining import load_backbone, pretrain
from calibration.pretraining.loop import TrainingSettings
from rtbci import cli
from rtbci.decoding.bundle import Bundle, load_bundle
from rtbci.decoding.decoders.evoked import STREAMS
from rtbci.decoding.decoders.montagenet import MontageNet
from rtbci.decoding.decoders.scaling import fit_preparation
from rtbci.decoding.decoders.stacked import StackedDecoder
from rtbci.decoding.decoders.updated import UpdatedDecoder
from rtbci.decoding.offline import RunCounts, replay
from rtbci.decoding.pipeline import Pipeline
from rtbci.decoding.scorer import Scorer
from rtbci.errors import BadBundle, BadInput, NoUsableSignal
from rtbci.formats import read
from rtbci.formats.dataset import find_runs
from rtbci.formats.runs import recording_of
from rtbci.signal.epoch_gaps import bridge
from rtbci.signal.recording import Recording
from sims import dataset
from sims.generate import generate

CLASSES = ("bird", "bottle", "horse", "train")
LABELS = {name: name for name in CLASSES}
NEW = "sub-09"  # whom the backbone has never seen


def silent(stage: str, done: int, of: int) -> None:
    """No progress."""


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("people")
    dataset.write(folder, subjects=4, sessions=2, runs=2, trials=60, strength="clear",
                  channels=16, rate=250.0, classes=CLASSES, images=False)  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def folder(data, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("backbone")
    pretrain(Pretraining(data, out, sessions="2/0/0", leave_out=(NEW,), text=False,
                         settings=TrainingSettings(epochs=12, batch=32)), silent)  # fmt: skip
    return out


@pytest.fixture(scope="module")
def days(data):
    return [read(data / f"{NEW}_ses-0{day}.npy") for day in (1, 2)]


@pytest.fixture(scope="module")
def cut(folder, days):
    """Plan, recipe, trials of the first day, and the decoder that was fitted to them."""
    plan = CalibrationSettings(NEW, LABELS, backbone=load_backbone(folder))
    recipe = plan_recipe(days[:1], plan)
    trials, _, refused = collect(days[:1], recipe, LABELS, CLASSES)
    assert not refused
    return plan, recipe, trials, fit(trials, np.flatnonzero(trials.kept), recipe, plan)


@pytest.fixture(scope="module")
def bundle(folder, days, tmp_path_factory):
    """A stacked bundle of the first day, as it comes back from disk."""
    plan = CalibrationSettings(NEW, LABELS, backbone=load_backbone(folder))
    result = calibrate(days[:1], plan, silent, permute=False)
    return load_bundle(result.bundle.save(tmp_path_factory.mktemp("bundles")))


def informative(y: np.ndarray, strength: float, seed: int, k: int = 4) -> np.ndarray:
    """Log-odds that know the class a little, beside noise."""
    noise = np.random.default_rng(seed).standard_normal((len(y), k))
    return strength * np.eye(k)[y] + noise


def test_a_member_that_knows_nothing_is_left_out():
    y = np.random.default_rng(0).integers(0, 4, 240)
    left_out = 0
    for seed in range(20):
        weights, reason = stacking.weigh(
            informative(y, 1.0, seed), informative(y, 0.0, 100 + seed), y
        )
        left_out += weights[1] == 0
        assert ("did not help" in reason) == (weights[1] == 0)
    assert left_out >= 19  # one in forty helps by chance by more than two standard errors


def test_trials_that_a_member_could_not_be_asked_about_count_for_neither():
    y = np.random.default_rng(0).integers(0, 4, 240)
    a, b = informative(y, 1.0, 1), informative(y, 0.0, 2)
    b[120:] = informative(y[120:], 9.0, 3)  # sure and right, just where the other was not asked
    a[120:] = np.nan
    weights, reason = stacking.weigh(a, b, y)
    expected = stacking.weigh(a[:120], b[:120], y[:120])
    assert np.array_equal(weights, expected[0])
    assert reason == expected[1]
    a[:] = np.nan
    weights, reason = stacking.weigh(a, b, y)
    assert weights.tolist() == [1, 0]
    assert "too few trials to weigh the network" in reason


def test_a_late_class_leaves_no_log_odds_in_blocks_trained_without_it():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 20)[rng.permutation(40)]
    y[:30], y[30:] = np.resize([0, 1], 30), np.resize([2, 2, 0, 1, 2], 10)
    x = rng.standard_normal((40, STREAMS, 4, 50)).astype("f4")
    found = inner_logits(x, y, ("a", "b", "c"), 250.0)
    assert np.isfinite(found[:30]).all()
    assert np.isnan(found[30:]).all()  # without that block there is no trial of the third class


def test_members_that_both_know_something_are_better_together():
    y = np.random.default_rng(0).integers(0, 4, 240)
    a, b = informative(y, 1.0, 1), informative(y, 1.5, 2)
    weights, _ = stacking.weigh(a, b, y)
    assert weights[1] > weights[0] > 0.1
    alone = max((each.argmax(axis=1) == y).mean() for each in (a, b))
    new = np.random.default_rng(5).integers(0, 4, 4000)
    a, b = informative(new, 1.0, 3), informative(new, 1.5, 4)
    together = ((weights[0] * a + weights[1] * b).argmax(axis=1) == new).mean()
    assert together > max((each.argmax(axis=1) == new).mean() for each in (a, b)) + 0.02
    assert alone < 1


def test_the_population_head_is_kept_if_right_and_dropped_if_wrong():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, 120)
    z = rng.standard_normal((120, 8))
    keep, _, inner = finetuning.choose_head(z, y, 4, informative(y, 3.0, 1))
    assert keep == 1.0
    assert (inner.argmax(axis=1) == y).mean() > 0.8
    keep, *_ = finetuning.choose_head(z, y, 4, informative((y + 1) % 4, 3.0, 1))
    assert keep == 0.0


def test_other_peoples_network_tells_classes_of_a_new_person(cut):
    plan, _, trials, fitted = cut
    decoder, spans = fitted.decoder, fitted.decoder.spans.astype(int)
    assert isinstance(decoder, StackedDecoder)
    assert fitted.family == "stacked"
    assert "penalty" in fitted.reason
    untouched = plan.backbone.embed(fitted.x[:, -1, :, slice(*spans[1])],
                                    plan.backbone.preparations["sub-02"])  # fmt: skip
    assert untouched.shape == (len(fitted.x), 64)
    inner = fitted.tuned.inner  # every trial by a head that had not seen its block
    y = trials.y[trials.kept]
    assert (inner.argmax(axis=1) == y).mean() > 0.4  # chance .25, n about 115


def test_streaming_equals_the_batch(bundle, days, cut):
    _, recipe, trials, _ = cut
    judge = Scorer(recipe, bundle.decoder, bundle.template, bundle.spare)
    batch = np.array([judge(x, missing=m).logits
                      for x, m in zip(trials.x, trials.missing, strict=True)])  # fmt: skip
    signal = bridge(days[0])
    for chunk in (7, 1000):
        decisions = Pipeline(bundle, signal.info).run(signal.items(chunk))
        odds = np.array([list(each.probabilities.values()) for each in decisions])
        expected = np.exp(batch / bundle.temperature)
        expected /= expected.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(odds, expected, atol=1e-5)


def test_a_bundle_comes_back_from_disk_as_it_was(cut):
    _, _, _, fitted = cut
    again = StackedDecoder.from_arrays(CLASSES, fitted.decoder.arrays())
    for x in fitted.x[:5]:
        np.testing.assert_array_equal(again.logits(x), fitted.decoder.logits(x))


def test_three_electrodes_of_sixteen_can_go_and_four_cannot(bundle, days):
    signal = bridge(days[1])
    whole = Pipeline(bundle, signal.info).run(signal.items())
    kept = tuple(name for name in signal.info.channels if name not in ("Oz", "PO7", "C3"))
    short = signal.pick(tuple(name for name in kept if name in signal.info.channels))
    gone = len(signal.info.channels) - len(short.info.channels)
    decisions = Pipeline(bundle, short.info).run(short.items())
    assert all(each.label is not None for each in decisions)
    assert all(any(f.startswith("without") for f in each.flags) for each in decisions)
    same = np.mean([a.label == b.label for a, b in zip(whole, decisions, strict=True)])
    assert same > 0.6, gone
    with pytest.raises(BadBundle, match=r"needs \(it can spare 3\)"):
        Pipeline(bundle, signal.pick(signal.info.channels[4:]).info)


def test_an_update_keeps_the_old_decoder_and_follows_the_fresh_trials(bundle, data, tmp_path):
    runs = [each for each in find_runs(data) if (each.subject, each.session) == (NEW, 2)]
    first, second = ([recording_of(each)] for each in runs)
    plan = CalibrationSettings(NEW, dict(bundle.labels), update=bundle)
    result = calibrate(first, plan, silent, permute=False)
    updated = load_bundle(result.bundle.save(tmp_path))
    assert isinstance(updated.decoder, UpdatedDecoder)
    assert updated.family == "updated stacked"
    assert updated.decoder.weights[0] > 0
    plan = CalibrationSettings(NEW, dict(bundle.labels), update=updated)
    with pytest.raises(NoUsableSignal, match="60 trials that the bundle was trained on"):
        calibrate(first, plan, silent, permute=False)
    again = calibrate(second, plan, silent, permute=False)
    twice = load_bundle(again.bundle.save(tmp_path))
    assert twice.family == "updated updated stacked"
    x = np.random.default_rng(0).standard_normal((3, 16, 125))
    assert np.isfinite(twice.decoder.logits(x)).all()


def test_an_update_refuses_a_change_of_decoder(bundle, data, capsys):
    fresh = str(data / f"{NEW}_ses-02.npy")
    base = ["calibrate", "--subject", "09", "--from", fresh, "--update", str(bundle.path)]
    for more in (("--window", "0.1", "0.4"), ("--reject", "150"), ("--line", "50"),
                 ("--tune", "heads")):  # fmt: skip
        assert cli.main([*base, *more]) == 2
        assert f"{more[0]}: an update keeps how" in capsys.readouterr().err
    assert cli.main([*base[:2], "07", *base[3:]]) == 2
    assert "is of sub-09, not of" in capsys.readouterr().err
    with pytest.raises(BadInput, match="an update keeps the classes"):
        plan_recipe([read(Path(fresh))], CalibrationSettings(NEW, {"bird": "bird"}, update=bundle))


@pytest.mark.parametrize("align", [False, True])
def test_an_update_loads_its_bundle_once_and_keeps_its_alignment(
    align, bundle, data, tmp_path, monkeypatch
):
    reference = np.eye(16)[None].repeat(3, 0) if align else None
    folder = replace(bundle, align=reference).save(tmp_path)
    loaded, plans = [], []

    def load(path: Path) -> Bundle:
        loaded.append(path)
        return load_bundle(path)

    def see(_recordings: object, plan: CalibrationSettings, _progress: object) -> None:
        plans.append(plan)
        raise BadInput("that is enough")

    monkeypatch.setattr("rtbci.decoding.bundle.load_bundle", load)
    monkeypatch.setattr("calibration.fitting.training.calibrate", see)
    words = ["calibrate", "--subject", "09", "--from", str(data / f"{NEW}_ses-02.npy"),
             "--update", str(folder), "--out", str(tmp_path / "out")]  # fmt: skip
    assert cli.main(words) == 2
    assert loaded == [folder]
    assert plans[0].labels == bundle.labels
    assert plans[0].align is align


def test_the_command_fine_tunes_a_backbone(folder, data, tmp_path, capsys):
    words = ["calibrate", "--subject", "09", "--from", str(data / f"{NEW}_ses-01.npy"),
             "--backbone", str(folder), "--out", str(tmp_path), "--json"]  # fmt: skip
    assert cli.main(words) == 0
    found = json.loads(capsys.readouterr().out)
    assert "network" in found["decoder"]
    assert found["n"] == 120
    assert found["bundle"].startswith(str(tmp_path))


def test_a_folder_without_a_backbone_is_refused(data, tmp_path, capsys):
    words = ["calibrate", "--subject", "09", "--from", str(data / f"{NEW}_ses-01.npy"),
             "--backbone", str(tmp_path)]  # fmt: skip
    assert cli.main(words) == 2
    assert "no pretrained backbone in" in capsys.readouterr().err


def test_a_backbone_of_other_classes_still_serves(folder):
    backbone = load_backbone(folder)
    other = replace(backbone, dims=replace(backbone.dims, classes=("a", "b", "c", "d")))
    shared, bias, known = finetuning.shared_head(other, CLASSES)
    assert not known
    assert not shared.any()
    assert not bias.any()


@pytest.mark.parametrize("how", ["heads", "trunk"])
def test_fine_tuning_by_gradient_is_repeatable_and_updates_the_chosen_parameters(cut, how):
    plan, recipe, trials, fitted = cut
    y = trials.y[trials.kept]
    windows = fitted.x[:, -1, :, slice(*fitted.decoder.spans[1].astype(int))]
    first, second = (
        finetuning.tune(windows, y, CLASSES, recipe, plan.backbone, how).net for _ in range(2)
    )
    before = fitted.tuned.frozen
    assert isinstance(first, MontageNet)
    assert isinstance(before, MontageNet)
    np.testing.assert_array_equal(first.class_head, second.class_head)
    assert not np.array_equal(first.align, before.align)
    assert np.array_equal(first.linear, before.linear) == (how == "heads")
    said = np.array([first.logits(x).argmax() for x in windows])
    assert (said == y).mean() > 0.6  # of the trials that it learnt from; chance .25


def test_a_class_that_a_block_lacks_does_not_stop_tuning_by_gradient(cut):
    plan, recipe, trials, fitted = cut
    y = trials.y[trials.kept]
    windows = fitted.x[:, -1, :, slice(*fitted.decoder.spans[1].astype(int))]
    model = tuned_model(
        plan.backbone, recipe.channels, fitted.tuned.shared, fit_preparation(windows),
        windows[y < 3].astype("f4"), y[y < 3], False, 0,
    )  # fmt: skip
    assert model.shared.classes.out_features == len(CLASSES)


def test_another_network_is_stacked_saved_and_decodes_as_before(data, days, tmp_path):
    out = tmp_path / "backbone"
    pretrain(Pretraining(data, out, model="eegnet", sessions="2/0/0", leave_out=(NEW,), text=False,
                         settings=TrainingSettings(epochs=3, batch=32)), silent)  # fmt: skip
    plan = CalibrationSettings(NEW, LABELS, backbone=load_backbone(out))
    recipe = plan_recipe(days[:1], plan)
    trials, *_ = collect(days[:1], recipe, LABELS, CLASSES)
    fitted = fit(trials, np.flatnonzero(trials.kept), recipe, plan)
    assert isinstance(fitted.decoder, StackedDecoder)
    decoder = replace(fitted.decoder, weights=np.array([0.5, 0.5]))
    bundle = Bundle(NEW, "evoked", "stacked", "", LABELS, recipe, decoder, spare=fitted.spare)
    again = load_bundle(bundle.save(tmp_path / "bundles")).decoder
    for x in fitted.x[:3]:
        np.testing.assert_allclose(again.logits(x), decoder.logits(x), atol=1e-9)


def test_another_montage_and_an_electrode_without_a_place_are_mounted(folder, days):
    names = ("Pz", "PO7", "PO8", "O1", "O2", "P7", "P8", "Cz")
    fewer = days[0].pick(names)
    info = replace(fewer.info, channels=(*names[:-1], "EXG1"))
    fewer = replace(fewer, info=info)
    plan = CalibrationSettings(NEW, LABELS, backbone=load_backbone(folder), reject=300.0)
    recipe = plan_recipe([fewer], plan)
    trials, _, refused = collect([fewer], recipe, LABELS, CLASSES)
    assert not refused
    fitted = fit(trials, np.flatnonzero(trials.kept), recipe, plan)
    y = trials.y[trials.kept]
    assert fitted.tuned is not None
    assert isinstance(fitted.tuned.net, MontageNet)
    assert fitted.tuned.net.filters().shape == (32, 8)
    assert (fitted.tuned.inner.argmax(axis=1) == y).mean() > 0.35  # chance .25, n about 115


def test_an_update_follows_responses_that_come_later_than_last_week():
    def week(seed: int, late_ms: float) -> Recording:
        made = generate(seed, n_trials=120, soa=1.0, channels=4)
        by = round(late_ms / 1000 * made.info.rate)
        return replace(made, markers=tuple(replace(m, index=m.index - by) for m in made.markers))

    labels = {"1": "a", "2": "b"}
    old = calibrate(
        [week(1, 0), week(2, 0)], CalibrationSettings(NEW, labels), silent, permute=False
    ).bundle
    right = {}
    for late_ms in (0, 80):
        plan = CalibrationSettings(NEW, labels, update=old)
        updated = calibrate([week(41, late_ms)], plan, silent, permute=False)
        assert [each["lag_ms"] for each in updated.latency] == [pytest.approx(late_ms, abs=17)]
        decisions = list(replay(week(61, late_ms), updated.bundle, RunCounts()))[
            40:
        ]  # gate has found
        right[late_ms] = np.mean([each.label == each.true for each in decisions])
    assert right[0] > 0.8
    assert right[80] >= right[0] - 0.05  # was .61: fresh trials had been learnt where they came
