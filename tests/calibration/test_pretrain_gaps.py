"""Pretraining where something is missing: captions, pictures, electrodes, or a number."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from calibration.pretraining import load_backbone
from calibration.pretraining.batches import Augmentation, Batches
from calibration.pretraining.corpus import Corpus, collect
from calibration.pretraining.folder import PretrainedBackbone, save_backbone
from calibration.pretraining.loop import TrainingSettings, fresh
from calibration.pretraining.losses import Weights, loss
from calibration.pretraining.split import TRAIN, UNUSED, split
from calibration.pretraining.teacher import from_captions
from rtbci.decoding.decoders.scaling import fit_preparation, pooled
from rtbci.errors import BadInput
from rtbci.formats.dataset import find_runs
from rtbci.networks import NETWORKS, build, network
from rtbci.networks.dims import Dims
from rtbci.networks.model import Output
from tests.support.picture_dataset import write_dataset


def silent(stage: str, done: int, of: int) -> None:
    """No progress."""


def points(captions: tuple[str, ...]) -> np.ndarray:
    """A direction of its own for each caption."""
    return np.eye(len(captions), 384, dtype=np.float32)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("data"), subjects=(2, 3), trials=30)


@pytest.fixture(scope="module")
def half(data, tmp_path_factory) -> Corpus:
    """Every other trial has neither caption nor picture that is known."""
    corpus = collect(find_runs(data), network("montagenet"), tmp_path_factory.mktemp("w"),
                     (1, 1, 0), points, silent)  # fmt: skip
    gone = np.arange(len(corpus.y)) % 2 == 1
    return replace(corpus, caption=np.where(gone, -1, corpus.caption),
                   picture=np.where(gone, -1, corpus.picture))  # fmt: skip


def first(corpus: Corpus, teacher: np.ndarray | None = None):
    """A batch of all training trials, most of them mixed."""
    how = Augmentation(mixup=5.0)
    trials = corpus.rows(TRAIN)
    return next(Batches(corpus, how, len(trials), 1, teacher=teacher).epoch(0, trials))


def test_a_mixup_partner_without_a_caption_contributes_none(half):
    assert half.points is not None
    unused = replace(half, points=np.concatenate([half.points, half.points[:1] * 0 + 1]))
    targets = first(unused).targets
    assert targets.text is not None
    assert targets.other_text is not None
    assert targets.has_text is not None
    own = targets.has_text > 0
    assert torch.allclose(targets.other_text[own].sum(1), torch.ones(int(own.sum())))
    assert not torch.equal(targets.other_text[own], targets.text[own])


def test_a_trial_without_a_picture_is_taught_nothing(half):
    opinion = np.tile([0.9, 0.05, 0.05], (len(half.pictures), 1)).astype("f4")
    batch = first(half, opinion)
    soft = batch.targets.teacher
    assert soft is not None
    known = torch.tensor(half.picture[batch.trials] >= 0)
    assert torch.allclose(soft[known].sum(1), torch.ones(int(known.sum())))
    assert not soft[~known].any()
    logits = torch.zeros(len(soft), 3, requires_grad=True)
    only = Weights(classes=0, cosine=0, contrast=0, teacher=1)
    loss(Output(torch.zeros(len(soft), 2), logits, None), batch.targets, only).backward()
    assert logits.grad is not None
    assert logits.grad[known].abs().sum(1).min() > 0.1
    assert not logits.grad[~known].any()


def test_a_picture_without_a_caption_has_no_teacher(half, monkeypatch):
    monkeypatch.setattr(
        "calibration.pretraining.corpus.CaptionPoints.__call__", lambda _self, texts: points(texts)
    )
    known = half.picture[(half.picture >= 0) & (half.caption >= 0)]
    opinion = from_captions(half)
    assert np.allclose(opinion[known].sum(1), 1)
    assert not opinion[np.setdiff1d(np.arange(len(opinion)), known)].any()


def test_no_subject_loses_all_trials_to_the_pictures_of_others():
    subject = np.repeat(["a", "b", "c"], 40)
    session = np.tile(np.repeat([1, 2], 20), 3)
    picture = np.arange(120)
    picture[:20] = picture[60:80]  # all that a is trained with, b is validated with
    part = split(subject, session, picture, (1, 1, 0)).part
    for who in "abc":
        assert (part[subject == who] == TRAIN).sum() >= 5
    picture[10:20] = 200 + np.arange(10)
    found = split(subject, session, picture, (1, 1, 0))
    assert (found.part[:10] == UNUSED).all()
    assert "anybody's" in found.pictures


def test_a_session_without_a_signal_is_refused(tmp_path):
    data = write_dataset(tmp_path / "data", subjects=(2,), trials=12)
    array = next(data.rglob("sub-02_ses-02*.npy"))
    x = np.load(array)
    x[:, :, 1:] *= 1e-7
    np.save(array, x)
    with pytest.raises(BadInput, match=r"session of sub-02_ses-02_run-01 has 0 electrodes with a"):
        collect(find_runs(data), network("montagenet"), tmp_path / "w", (1, 1, 0), points, silent)


def test_an_epoch_whose_loss_is_no_number_is_never_the_best():
    dims = Dims("montagenet", ("Cz", "Pz"), ("a", "b"), ("sub-02",), text=0)
    state = fresh(build(dims), TrainingSettings())
    assert state.best_epoch == -1
    state.history = [{"validation": v} for v in (np.nan, 2.0, 1.0, np.nan)]
    assert state.best_epoch == 2


def test_a_bad_electrode_contributes_nothing_in_its_session():
    rng = np.random.default_rng(0)
    mixing = rng.standard_normal((4, 4))
    day = np.einsum("ij,njt->nit", mixing, rng.standard_normal((40, 4, 125)))
    bad = day.copy()
    bad[:, 1] = 0
    whole, later = fit_preparation(day), pooled([fit_preparation(bad), fit_preparation(day)])
    assert later.good.all()
    assert later.scale == pytest.approx(whole.scale)
    assert np.diag(later.covariance) == pytest.approx(np.diag(whole.covariance))
    assert np.linalg.eigvalsh(later.covariance).min() > 0
    both = pooled([whole, whole])
    np.testing.assert_allclose(both.covariance, whole.covariance)


def test_a_backbone_of_another_front_is_refused(tmp_path, monkeypatch):
    dims = Dims("montagenet", ("Cz", "Pz"), ("a", "b"), ("sub-02",), text=0)
    prepared = fit_preparation(np.random.default_rng(0).standard_normal((9, 2, 125)))
    weights = build(dims).state_dict()
    save_backbone(PretrainedBackbone(dims, weights, {"sub-02": prepared}, {"runs": []}), tmp_path)
    assert load_backbone(tmp_path).dims == dims
    entry = replace(network("montagenet"), band=(0.5, 30.0))
    monkeypatch.setitem(NETWORKS, "montagenet", entry)
    with pytest.raises(BadInput, match="was trained on windows of another band than this rtbci"):
        load_backbone(tmp_path)
    (tmp_path / "backbone.json").write_text("[]")
    with pytest.raises(BadInput, match="is damaged"):
        load_backbone(tmp_path)
