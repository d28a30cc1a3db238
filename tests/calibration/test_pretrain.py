"""Pretraining: split in time, resumable, the same over processes; loads again as it was saved."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from calibration.pretraining import PretrainingSettings, load_backbone, pretrain
from calibration.pretraining.batches import Augmentation, Batches
from calibration.pretraining.corpus import CaptionPoints, WindowLoader, collect
from calibration.pretraining.loop import TrainingSettings, fresh, rate_at, step
from calibration.pretraining.losses import Weights, contrast, distil, loss
from calibration.pretraining.processes import ProcessRank
from calibration.pretraining.split import CHECK, TEST, TRAIN, UNUSED, session_counts, split
from calibration.pretraining.teacher import from_captions, from_file
from calibration.pretraining.windows import recipe_for, windows_of
from rtbci import cli
from rtbci.errors import BadInput, Missing
from rtbci.formats.dataset import find_runs
from rtbci.formats.runs import recording_of
from rtbci.networks import build, network
from rtbci.networks.dims import Dims
from rtbci.signal.epoch_gaps import bridge
from tests.support.picture_dataset import CHANNELS, write_dataset

QUICK = TrainingSettings(epochs=3, batch=32, patience=9)


def silent(stage: str, done: int, of: int) -> None:
    """No progress."""


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def plan(data, tmp_path_factory) -> PretrainingSettings:
    out = tmp_path_factory.mktemp("out")
    return PretrainingSettings(
        data, out, sessions="1/1/0", text=False, settings=replace(QUICK, epochs=16)
    )


@pytest.fixture(scope="module")
def done(plan):
    return pretrain(plan, silent)


def no_text(captions: tuple[str, ...]) -> None:
    """Captions without a text space."""
    assert captions


def corpus_of(data: Path, folder: Path, points=no_text):
    return collect(find_runs(data), network("montagenet"), folder, (1, 1, 0), points, silent)


def test_clear_classes_are_learnt_for_all_subjects(plan, done):
    assert done.parameters == sum(p.numel() for p in load_backbone(plan.out).module().parameters())
    assert done.trials["validation"] == 3 * 45
    best = done.history[done.best_epoch]
    assert best["accuracy"] > 0.7  # chance among the three classes that occur: a third
    assert done.history[0]["training"] > best["training"]


def test_a_loaded_backbone_equals_the_trained_one(plan, done, data):
    backbone = load_backbone(plan.out)
    assert backbone.dims.channels == CHANNELS
    assert backbone.dims.subjects == ("sub-02", "sub-03", "sub-05")
    assert backbone.training["best_epoch"] == done.best_epoch
    run = next(r for r in find_runs(data) if (r.subject, r.session) == ("sub-03", 2))
    recording = bridge(recording_of(run))
    x, trials, rejected = windows_of(recording, backbone.recipe(250.0, CHANNELS))
    assert x.shape == (45, len(CHANNELS), 125)
    assert not rejected
    said = backbone.outputs(x, backbone.preparations["sub-03"], subject="sub-03")
    assert backbone.dims.classes == ("bicycle", "cat", "horse")  # those that occur, of 20
    named = [backbone.dims.classes[number] for number in said.logits.argmax(1)]
    right = np.array(named) == np.array(run.names)[trials]
    assert right.mean() > 0.6
    alone = backbone.outputs(x[7:8], backbone.preparations["sub-03"], subject="sub-03")
    assert np.allclose(alone.logits[0], said.logits[7], atol=1e-5)
    assert backbone.embed(x, backbone.preparations["sub-03"]).shape == (45, 64)


@pytest.mark.usefixtures("done")
def test_a_damaged_folder_is_refused(plan, tmp_path):
    with pytest.raises(BadInput, match="no pretrained backbone in"):
        load_backbone(tmp_path)
    blob = (plan.out / "weights.safetensors").read_bytes()
    (tmp_path / "backbone.json").write_text((plan.out / "backbone.json").read_text())
    (tmp_path / "weights.safetensors").write_bytes(blob[:-4] + b"abcd")
    with pytest.raises(BadInput, match="its hash differs"):
        load_backbone(tmp_path)
    (tmp_path / "backbone.json").write_text("{}")
    with pytest.raises(BadInput, match="this rtbci reads 'rtbci backbone' version 2"):
        load_backbone(tmp_path)
    (tmp_path / "backbone.json").write_text("{")
    with pytest.raises(BadInput, match="is damaged"):
        load_backbone(tmp_path)


def test_the_same_command_gives_the_same_bits(data, tmp_path):
    plans = [
        PretrainingSettings(data, tmp_path / n, sessions="1/1/0", text=False, settings=QUICK)
        for n in "ab"
    ]
    for each in plans:
        pretrain(each, silent)
    first, second = ((tmp_path / n / "weights.safetensors").read_bytes() for n in "ab")
    assert first == second
    again = pretrain(plans[0], silent)  # nothing is left to do
    assert again.resumed == QUICK.epochs
    assert (tmp_path / "a" / "weights.safetensors").read_bytes() == first
    with pytest.raises(BadInput, match="belongs to a run with other options"):
        pretrain(replace(plans[0], settings=replace(QUICK, seed=5)), silent)


def test_windows_are_cut_once_and_again_when_the_run_changes(data, tmp_path):
    first = corpus_of(data, tmp_path)
    stamp = first.cuts[0].path.stat().st_mtime_ns
    assert corpus_of(data, tmp_path).cuts[0].path.stat().st_mtime_ns == stamp
    header = first.cuts[0].path.with_suffix(".json")
    document = json.loads(header.read_text())
    document["made_of"]["version"] += 1
    header.write_text(json.dumps(document))
    assert corpus_of(data, tmp_path).cuts[0].path.stat().st_mtime_ns > stamp
    assert not list(tmp_path.glob(".part*"))


def test_half_precision_on_disk_costs_almost_nothing(data, tmp_path):
    corpus = corpus_of(data, tmp_path)
    run = find_runs(data)[0]
    x, _, _ = windows_of(
        bridge(recording_of(run)), recipe_for(network("montagenet"), 250.0, CHANNELS)
    )
    trials = np.flatnonzero(corpus.file == 0)
    z = WindowLoader(corpus)(trials)
    exact = corpus.prepared[corpus.site[trials[0]]].apply(x)
    assert abs(z - exact).max() < 0.01  # robust standard deviations, of up to 8
    assert z.dtype == np.float32


def test_validation_uses_the_preparation_left_by_training(data, tmp_path):
    corpus = corpus_of(data, tmp_path)
    checked = int(corpus.site[corpus.rows(CHECK)[0]])
    who = corpus.site_subject[checked]
    assert corpus.prepared[checked] is corpus.future[who]


def test_sessions_are_split_in_time():
    subject = np.repeat(["a", "b"], 50)
    session = np.tile(np.repeat([1, 2, 3, 4, 5], 10), 2)
    found = split(subject, session, np.full(100, -1), (3, 1, 1))
    assert (found.part[session <= 3] == TRAIN).all()
    assert (found.part[session == 4] == CHECK).all()
    assert (found.part[session == 5] == TEST).all()
    inner = split(subject, session, np.full(100, -1), (2, 0, 1)).part
    assert inner[:10].tolist() == [TRAIN] * 8 + [CHECK] * 2
    assert (inner[session == 3] == TEST).all()
    assert (inner[session >= 4] == UNUSED).all()
    with pytest.raises(BadInput, match=r"a has 5 sessions, --sessions 4/1/1 needs 6"):
        split(subject, session, np.full(100, -1), (4, 1, 1))
    for wrong in ("3", "0/1/1", "3/1/x", "3/1/-1"):
        with pytest.raises(BadInput, match="is no split of sessions"):
            session_counts(wrong)


def test_pictures_of_the_test_leave_training_if_enough_others_remain():
    subject, session = np.repeat(["a", "b"], 40), np.tile(np.repeat([1, 2], 20), 2)
    picture = np.arange(80)
    assert split(subject, session, picture, (1, 1, 0)).removed == 0
    picture[0] = picture[70]  # of a's training and b's validation
    found = split(subject, session, picture, (1, 1, 0))
    assert found.part[0] == UNUSED
    assert "no picture of anybody's" in found.pictures
    own = np.concatenate([np.arange(20), np.arange(20) + 60, np.arange(60, 80), np.arange(20)])
    own[0] = own[20]
    found = split(subject, session, own, (1, 1, 0))
    assert (found.removed, found.part[0]) == (1, UNUSED)
    assert "the same subject's" in found.pictures
    assert "39 show a picture that another subject is tested with" in found.pictures
    same = np.tile(np.arange(20), 4)
    found = split(subject, session, same, (1, 1, 0))
    assert (found.removed, found.shared) == (0, 40)
    assert "40 of 40 training trials show a picture" in found.pictures


def test_batches_do_not_depend_on_how_they_are_shared_out(data, tmp_path):
    corpus = corpus_of(data, tmp_path, lambda c: np.eye(len(c), 384, dtype=np.float32))
    whole = Batches(corpus, Augmentation(), 32, 1)
    parts = [Batches(corpus, Augmentation(), 32, 1, rank, 2) for rank in range(2)]
    trials = corpus.rows(TRAIN)
    for one, *two in zip(whole.epoch(4, trials), *(p.epoch(4, trials) for p in parts), strict=True):
        for rank, part in enumerate(two):
            assert torch.equal(part.x, one.x[rank::2])
            assert torch.equal(part.keys, one.keys[rank::2])
            assert torch.equal(part.targets.other_y, one.targets.other_y[rank::2])
            assert part.targets.pool is not None
            assert one.targets.pool is not None
            assert torch.equal(part.targets.pool, one.targets.pool)
        assert one.whole == sum(len(part.x) for part in two)
    first, second = (next(iter(whole.epoch(n, trials))) for n in (0, 1))
    assert not torch.equal(first.x, second.x)


def test_a_loss_of_parts_adds_up_to_that_of_the_whole(data, tmp_path):
    corpus = corpus_of(data, tmp_path, lambda c: np.eye(len(c), 384, dtype=np.float32))
    model = build(Dims("montagenet", CHANNELS, corpus.classes, corpus.subjects)).eval()
    trials = corpus.rows(TRAIN)
    values = []
    for world in (1, 2):
        total = torch.zeros(())
        for rank in range(world):
            batch = next(iter(Batches(corpus, Augmentation(), 48, 1, rank, world).epoch(0, trials)))
            with torch.no_grad():
                total += loss(
                    model(batch.x, batch.sites, batch.group), batch.targets, Weights(teacher=0)
                )
        values.append(float(total))
    assert values[0] == pytest.approx(values[1], rel=1e-6)


def test_steps_leave_absent_subjects_alone(data, tmp_path):
    corpus = corpus_of(data, tmp_path)
    dims = Dims("montagenet", CHANNELS, corpus.classes, corpus.subjects, text=0)
    state = fresh(build(dims), QUICK)
    trials = corpus.rows(TRAIN)
    everybody = next(iter(Batches(corpus, Augmentation(), 64, 1).epoch(0, trials)))
    step(state, everybody, Weights(), QUICK, ProcessRank())
    before = {n: v.clone() for n, v in state.model.state_dict().items()}
    average = {n: v.clone() for n, v in state.average.items()}
    few = trials[corpus.site[trials] == corpus.site_subject.index("sub-02")]
    step(state, next(iter(Batches(corpus, Augmentation(), 64, 1).epoch(1, few))), Weights(), QUICK,
         ProcessRank())  # fmt: skip
    own = [n for n in average if "sub-05" in n.split(".")]
    assert len(own) == 3
    for name in own:
        assert torch.equal(state.model.state_dict()[name], before[name])
        assert torch.equal(state.average[name], average[name])
    assert not torch.equal(state.average["shared.classes.bias"], average["shared.classes.bias"])


def test_contrast_does_not_push_the_same_words_apart():
    rng = torch.Generator().manual_seed(0)
    pool = torch.nn.functional.normalize(torch.randn(6, 8, generator=rng), dim=1)
    pool[1] = pool[0]  # the same caption under another picture
    point = pool[[0, 2]]
    with_twin = contrast(point, pool, torch.tensor([0, 2]), 0.07)
    without = contrast(point, pool[[0, 2, 3, 4, 5]], torch.tensor([0, 1]), 0.07)
    assert torch.allclose(with_twin[0], without[0], atol=1e-4)
    assert (with_twin > 0).all()
    assert (contrast(-point, pool, torch.tensor([0, 2]), 0.07) > with_twin + 10).all()


def test_a_teacher_is_followed():
    teacher = torch.tensor([[0.7, 0.2, 0.1]])
    same = distil(teacher.log(), teacher, Weights())
    other = distil(teacher.flip(1).log(), teacher, Weights())
    assert float(same) == pytest.approx(0, abs=1e-5)
    assert float(other) > 0.1


def test_targets_of_a_teacher_are_found_by_name(tmp_path):
    path = tmp_path / "soft.npy"
    np.save(path, np.array([[1.0, 3.0], [1.0, 0.0]]))
    path.with_suffix(".json").write_text('["dog", "cat"]')
    found = from_file(path, ("cat", "dog"), 2)
    assert found.tolist() == [[1, 0], [0.25, 0.75]]
    with pytest.raises(BadInput, match="no targets for 1 pictures, cow among them"):
        from_file(path, ("cow", "dog"), 2)
    with pytest.raises(BadInput, match=r"has shape \(2, 2\); expected probabilities \(2 pictures"):
        from_file(path, ("cat",), 3)


def test_a_teacher_reads_captions(data, tmp_path, monkeypatch):
    def by_class(_self: CaptionPoints, texts: tuple[str, ...]) -> np.ndarray:
        return np.array(
            [[1.0 * (c in text) for c in ("bicycle", "cat", "horse")] for text in texts]
        )

    monkeypatch.setattr(CaptionPoints, "__call__", by_class)
    corpus = corpus_of(data, tmp_path, CaptionPoints())
    opinion = from_captions(corpus)
    assert opinion.shape == (len(corpus.pictures), 3)
    assert (opinion[corpus.picture].argmax(1) == corpus.y).all()
    assert np.allclose(opinion.sum(1), 1)


def test_without_a_text_space_captions_are_left_out_with_a_sentence(data, tmp_path, monkeypatch):
    def missing(_self: CaptionPoints, texts: tuple[str, ...]) -> np.ndarray:
        raise Missing(f"no encoder for {len(texts)} texts; pip install 'rtbci[deep]'")

    monkeypatch.setattr(CaptionPoints, "__call__", missing)
    plan = PretrainingSettings(
        data, tmp_path, "deep4", "1/0/0", ("sub-02",), settings=replace(QUICK, epochs=1)
    )
    done = pretrain(plan, silent)
    assert any("captions are left out of training: no encoder" in note for note in done.notes)
    assert load_backbone(tmp_path).dims.text == 0


def test_the_rate_rises_and_falls():
    rates = [rate_at(n, 100, 1.0) for n in range(100)]
    assert rates[0] < rates[4] == max(rates)
    assert 0 < rates[-1] < 0.05


@pytest.mark.parametrize("model", ["spectrogram-cnn", "electrode-transformer", "deep4", "eegnet"])
def test_the_other_networks_train_through_the_same_loop(model, data, tmp_path):
    soft = tmp_path / "soft.npy"
    pictures = list(dict.fromkeys(name for run in find_runs(data) for name in run.images))
    np.save(soft, np.full((len(pictures), 3), 1 / 3))
    soft.with_suffix(".json").write_text(json.dumps(pictures))
    plan = PretrainingSettings(
        data, tmp_path / "out", model, "1/0/0", ("sub-02", "sub-03"), ("sub-03",), text=False,
        teacher=soft if model == "spectrogram-cnn" else None, settings=replace(QUICK, epochs=1),
    )  # fmt: skip
    done = pretrain(plan, silent)
    assert load_backbone(plan.out).dims.subjects == ("sub-02",)
    assert done.trials["training"] == 36
    assert np.isfinite(done.history[0]["validation"])


def test_a_missing_subject_is_named(data, tmp_path):
    with pytest.raises(BadInput, match=r"no subject sub-77 in .*; it has sub-02, sub-03, sub-05"):
        pretrain(PretrainingSettings(data, tmp_path, leave_out=("sub-77",)), silent)


@pytest.mark.usefixtures("done")
def test_the_command_refuses_in_a_sentence(plan, data, capsys):
    words = ["pretrain", "--data", str(data), "--out", str(plan.out), "--sessions", "1/1/0",
             "--no-text", "--epochs", "3", "--json"]  # fmt: skip
    assert cli.main(words) == 2  # the folder holds another run
    assert "delete it to begin anew, or name another folder" in capsys.readouterr().err
    assert cli.main([*words, "--head", "lstm"]) == 2
    assert "--head belongs to --model electrode-transformer" in capsys.readouterr().err
    assert cli.main([*words[:-1], "--epochs", "x"]) == 2
    assert "'x' is not a whole number from 1 to 1,000,000" in capsys.readouterr().err


def command(data: Path, out: Path, *more: str) -> list[str]:
    return ["-m", "rtbci", "pretrain", "--data", str(data), "--out", str(out), "--sessions",
            "1/1/0", "--no-text", "--batch", "32", "--epochs", "6", "--json", *more]  # fmt: skip


def environment() -> dict[str, str]:
    root = str(Path(__file__).resolve().parents[2])
    return os.environ | {"PYTHONPATH": root, "OMP_NUM_THREADS": "1"}


def finish(words: list[str]) -> dict:
    done = subprocess.run(
        [sys.executable, *words], capture_output=True, check=False, text=True, env=environment(),
        timeout=180,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_a_killed_run_goes_on_and_ends_with_the_same_weights(data, tmp_path):
    words = command(data, tmp_path / "killed")
    killed = subprocess.Popen([sys.executable, *words], env=environment(),
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    checkpoint = tmp_path / "killed" / "checkpoint.safetensors"
    deadline = time.monotonic() + 60
    while not checkpoint.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert not (tmp_path / "killed" / "backbone.json").exists(), "it was done before the kill"
    again = finish(words)
    assert 1 <= again["resumed"] < 6
    whole = finish(command(data, tmp_path / "whole"))
    assert again["history"][-1]["training"] == whole["history"][-1]["training"]
    first, second = (
        (tmp_path / n / "weights.safetensors").read_bytes() for n in ("killed", "whole")
    )
    assert first == second


@pytest.mark.slow
def test_two_processes_give_the_loss_of_one(data, tmp_path):
    # Deep4 normalises over the batch, so that the processes have to agree in every layer
    more = ("--model", "deep4", "--epochs", "2")
    one = finish(command(data, tmp_path / "one", *more))
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    two = finish([*launch, *command(data, tmp_path / "two", *more)])
    for first, second in zip(one["history"], two["history"], strict=True):
        assert first["training"] == pytest.approx(second["training"], abs=1e-4)
        assert first["validation"] == pytest.approx(second["validation"], abs=1e-4)
