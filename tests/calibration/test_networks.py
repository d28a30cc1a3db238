"""Networks: shapes, masks, subjects that are not there, other montages, and the layers below."""

import numpy as np
import pytest
import torch
from torch import nn

from rtbci.decoding.decoders.scaling import (
    LIMIT,
    fit_preparation,
    onto_grid,
    pooled,
)
from rtbci.errors import BadInput
from rtbci.networks import NETWORKS, build, network
from rtbci.networks.dims import Dims
from rtbci.networks.electrode_positions import FEATURES, fourier, sphere, spread
from rtbci.networks.electrodes import ElectrodeFeatures
from rtbci.networks.layers import BatchNorm, TrialDropout, set_keys
from rtbci.networks.montagenet import MontageNetBackbone as MontageNet
from rtbci.networks.recordings import RecordingContext, sites_of

pytestmark = pytest.mark.usefixtures("one_torch_thread")
CHANNELS = ("Fz", "C3", "Cz", "C4", "Pz", "Oz", "Q1", "Q2")
CLASSES = ("house", "face", "car")
SUBJECTS = ("sub-02", "sub-03", "sub-05")


def dims_of(name: str, text: int = 12, **options: object) -> Dims:
    entry = network(name)
    return Dims(name, CHANNELS, CLASSES, SUBJECTS, 125, entry.embedding, text, options)


def a_batch(n: int = 6, seed: int = 0) -> tuple[torch.Tensor, RecordingContext, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    x = torch.randn(n, len(CHANNELS), 125, generator=rng)
    mask = torch.ones(len(SUBJECTS), len(CHANNELS), dtype=torch.bool)
    mask[:, 3] = False
    covariance = torch.eye(len(CHANNELS)).repeat(len(SUBJECTS), 1, 1) + 0.3
    return x, RecordingContext(SUBJECTS, mask, covariance), torch.arange(n) % len(SUBJECTS)


VARIANTS = [(name, {}) for name in NETWORKS]
VARIANTS += [("electrode-transformer", {"head": head}) for head in ("transformer", "lstm")]


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_a_network_answers_every_trial_alone(name, options):
    model = build(dims_of(name, **options)).eval()
    x, sites, group = a_batch()
    with torch.no_grad():
        whole = model(x, sites, group)
        alone = model(x[4:5], sites, group[4:5])
    assert whole.logits.shape == (6, 3)
    assert whole.text is not None
    assert whole.text.shape == (6, 12)
    assert whole.embedding.shape == (6, network(name).embedding)
    assert torch.allclose(whole.embedding[4], alone.embedding[0], atol=1e-5)
    assert whole.embedding.std() > 1e-3


@pytest.mark.parametrize("name", NETWORKS)
def test_a_masked_electrode_has_no_say(name):
    model = build(dims_of(name)).eval()
    x, sites, group = a_batch()
    other = x.clone()
    other[:, 3] = 1000.0
    with torch.no_grad():
        first, second = model(x, sites, group), model(other, sites, group)
        other[:, 4] += 1.0
        third = model(other, sites, group)
    assert torch.equal(first.logits, second.logits)
    assert not torch.allclose(first.embedding, third.embedding)


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_a_head_of_an_absent_subject_is_untouched(name, options):
    model = build(dims_of(name, **options)).train()
    optimiser = torch.optim.AdamW(model.parameters(), 0.1, weight_decay=0.5)
    x, sites, group = a_batch()
    for there in (group, torch.where(group == 1, 0, group)):  # sub-03 has been there once
        before = {n: p.detach().clone() for n, p in model.named_parameters()}
        optimiser.zero_grad(set_to_none=True)
        output = model(x, sites, there)
        assert output.text is not None
        (output.logits.square().sum() + output.text.square().sum() + output.logits.sum()).backward()
        optimiser.step()
    own = {n for n in before if "sub-03" in n.split(".")}
    assert own
    after = dict(model.named_parameters())
    assert all(torch.equal(after[n], before[n]) for n in own)
    moved = [n for n in before if "sub-02" in n.split(".")]
    assert any(not torch.equal(after[n], before[n]) for n in moved)


def test_weights_follow_from_the_seed():
    first, second = build(dims_of("montagenet"), 3), build(dims_of("montagenet"), 3)
    torch.rand(1)
    third = build(dims_of("montagenet"), 4)
    name = "backbone.linear.weight"
    assert torch.equal(first.state_dict()[name], second.state_dict()[name])
    assert not torch.equal(first.state_dict()[name], third.state_dict()[name])


def test_a_network_that_is_not_known_names_the_others():
    with pytest.raises(BadInput, match="no network 'x'; there are montagenet"):
        network("x")


def test_montagenet_takes_another_montage_and_learns_unknown_names():
    model = build(dims_of("montagenet"))
    net = model.backbone
    assert isinstance(net, MontageNet)
    assert isinstance(net.electrodes, ElectrodeFeatures)
    assert net.electrodes.names == ("Q1", "Q2")
    net.mount(("Oz", "Q2", "strange", "cz"))
    assert net.electrodes.names == ("Q1", "Q2", "strange")
    features = net.electrodes()
    assert features.shape == (4, FEATURES)
    assert torch.equal(features[1], net.electrodes.named[1])
    assert torch.allclose(features[3], torch.tensor(fourier(sphere(("Cz",))[0])[0]).float())
    sites = RecordingContext(("nobody",), torch.ones(1, 4, dtype=torch.bool), torch.eye(4)[None])
    with torch.no_grad():
        output = model.eval()(torch.randn(2, 4, 125), sites, torch.zeros(2, dtype=torch.long))
    assert torch.isfinite(output.logits).all()


def test_the_order_of_electrodes_does_not_matter_to_montagenet():
    model = build(dims_of("montagenet")).eval()
    x, sites, group = a_batch()
    turned = torch.tensor([5, 2, 7, 0, 1, 3, 6, 4])
    with torch.no_grad():
        first = model(x, sites, group).logits
        model.backbone.mount([CHANNELS[i] for i in turned])
        assert sites.covariance is not None
        other = RecordingContext(
            SUBJECTS, sites.mask[:, turned], sites.covariance[:, turned][:, :, turned]
        )
        second = model(x[:, turned], other, group).logits
    assert torch.allclose(first, second, atol=1e-5)


def test_fixed_channels_are_found_by_name():
    model = build(dims_of("deep4")).eval()
    x, sites, group = a_batch()
    with torch.no_grad():
        first = model(x, sites, group).logits
        model.backbone.mount(("extra", *CHANNELS))
        wider = torch.cat([torch.randn(6, 1, 125), x], 1)
        mask = torch.cat([torch.ones(3, 1, dtype=torch.bool), sites.mask], 1)
        second = model(wider, RecordingContext(SUBJECTS, mask), group).logits
    assert torch.equal(first, second)
    with pytest.raises(BadInput, match="none of A, B was among the electrodes"):
        model.backbone.mount(("A", "B"))


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_a_new_subject_starts_from_the_shared_parameters(name, options):
    dims = dims_of(name, **options)
    models = [build(dims).eval() for _ in range(2)]
    x, _, _ = a_batch()
    sites = RecordingContext(("sub-99",), torch.ones(1, len(CHANNELS), dtype=torch.bool))
    group = torch.zeros(6, dtype=torch.long)
    with torch.no_grad():
        before = models[0](x, sites, group)
    for model in models:
        torch.rand(1)  # what was drawn before does not matter
        model.add_subject("sub-99")
    after = models[0](x, sites, group)
    assert torch.allclose(after.embedding, before.embedding, atol=1e-6)
    assert torch.allclose(after.logits, before.logits, atol=1e-6)
    assert len(models[0].of_subject("sub-99")) >= 4  # two heads of weight and bias
    for one, other in zip(*(each.of_subject("sub-99") for each in models), strict=True):
        assert one.shape == other.shape
    own = {n: p for n, p in models[0].backbone.named_parameters() if "sub-99" in n.split(".")}
    same = dict(models[1].backbone.named_parameters())
    assert all(torch.equal(p, same[n]) for n, p in own.items())
    after.embedding.square().sum().backward()
    assert not own or any(p.grad is not None and bool(p.grad.any()) for p in own.values())


def test_dropout_follows_the_trial_and_not_its_place():
    drop = TrialDropout(0.3).train()
    drop.salt = 2
    x = torch.ones(200, 50)
    keys = torch.randint(2**62, (200,), generator=torch.Generator().manual_seed(1))
    drop.keys = keys
    whole = drop(x)
    drop.keys = keys[[7, 150]]
    assert torch.equal(drop(x[:2]), whole[[7, 150]])
    assert abs(float((whole == 0).float().mean()) - 0.3) < 0.01
    assert abs(float(whole.mean()) - 1) < 0.02
    drop.salt = 3
    drop.keys = keys
    assert not torch.equal(drop(x), whole)
    assert torch.equal(drop.eval()(x), x)


def test_every_dropout_of_a_model_draws_for_itself():
    model = build(dims_of("montagenet"))
    salts = [m.salt for m in model.modules() if isinstance(m, TrialDropout)]
    assert len(set(salts)) == len(salts) > 1
    set_keys(model, torch.arange(3))
    assert all(m.keys is not None for m in model.modules() if isinstance(m, TrialDropout))


def test_batch_normalisation_is_that_of_torch():
    x = 3 * torch.randn(50, 4, 7) + 2
    ours, theirs = BatchNorm(4), nn.BatchNorm1d(4)
    assert torch.allclose(ours(x), theirs(x), atol=1e-5)
    ours.eval()
    theirs.eval()
    assert torch.allclose(ours(x), theirs(x), atol=0.05)  # theirs keeps the unbiased variance


def test_places_are_on_the_sphere_and_near_ones_are_alike():
    assert np.allclose(np.linalg.norm(spread(32), axis=1), 1)
    directions, known = sphere(("O1", "O2", "Fp1", "nowhere"))
    assert known.tolist() == [True, True, True, False]
    alike = fourier(directions) @ fourier(directions).T
    assert alike[0, 1] > alike[0, 2] + 0.3
    assert np.allclose(np.diag(alike)[:3], 1, atol=0.2)


def test_preparation_is_robust_and_the_same_for_one_trial():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((80, 6, 125)) * np.array([5, 10, 20, 10, 900, 0])[:, None]
    x[3, 1] = 5000  # an artefact
    prepared = fit_preparation(x)
    assert np.allclose(prepared.scale[:4], [5, 10, 20, 10], rtol=0.05)
    assert prepared.good.tolist() == [True, True, True, True, False, False]
    z = prepared.apply(x)
    assert z.dtype == np.float32
    assert abs(z).max() <= LIMIT
    assert not z[:, 4:].any()
    assert np.array_equal(prepared.apply(x[5]), z[5])
    assert np.allclose(prepared.covariance[:4, :4], np.eye(4), atol=0.9)
    later = pooled([prepared, fit_preparation(2 * x)])
    assert np.allclose(later.scale[:4], 1.5 * prepared.scale[:4])


def test_windows_of_another_rate_are_interpolated():
    grid = onto_grid(128, 256.0, 0.0, 125, 250.0)
    line = np.arange(128) / 256
    assert np.allclose(line @ grid, np.arange(125) / 250)
    assert np.array_equal(onto_grid(125, 250.0, 0.0, 125, 250.0), np.eye(125))


def test_sites_hold_the_preparations():
    prepared = fit_preparation(np.random.default_rng(0).standard_normal((20, 4, 50)))
    sites = sites_of(["a", "b"], [prepared, prepared])
    assert sites.mask.shape == (2, 4)
    assert sites.covariance is not None
    assert sites.covariance.shape == (2, 4, 4)
