"""Models of braindecode as backbones: what is taken, what is refused, and that nothing is fetched.

The refusals run everywhere, on small models that stand in for braindecode's; the last tests need
braindecode itself (the extra ``braindecode``).
"""

import os
import socket
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from calibration.pretraining import PretrainingSettings, load_backbone, pretrain
from calibration.pretraining.folder import PretrainedBackbone
from calibration.pretraining.loop import TrainingSettings
from rtbci.errors import BadInput, Missing
from rtbci.networks import build, network, others
from rtbci.networks.dims import Dims
from rtbci.networks.layers import set_keys
from rtbci.networks.model import Model
from rtbci.networks.recordings import RecordingContext
from tests.support.picture_dataset import CHANNELS, write_dataset

CAP = ("Fz", "Cz", "Pz", "Oz", "C3", "C4", "P3", "P4")
TIMES = 125
needs_braindecode = pytest.mark.skipif(
    find_spec("braindecode") is None or find_spec("torchaudio") is None,
    reason="braindecode is not installed (pip install 'rtbci[braindecode]')",
)


with_fakes = pytest.mark.usefixtures("fakes")


class Small(nn.Module):
    """Stands in for a model of braindecode: the same arguments, one linear layer and a head."""

    def __init__(self, n_chans, n_outputs, n_times, sfreq, chs_info, width=4):
        super().__init__()
        self.chs_info = chs_info
        self.body = nn.Linear(n_chans * n_times, width)
        self.drop = nn.Dropout(0.5)
        self.final_layer = nn.Linear(width, n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(B, n_outputs)."""
        return self.final_layer(self.drop(self.body(x.flatten(1))))


class Renamed(Small):
    """Its weights were published when a layer had another name."""

    mapping = {"trunk.weight": "body.weight", "trunk.bias": "body.bias"}  # noqa: RUF012


class Dense(Small):
    """One output a sample, as event detectors give them."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, n_outputs, 3)."""
        return super().forward(x)[:, :, None].expand(-1, -1, 3)


class Picky(Small):
    """Wants another window."""

    def __init__(self, **given):
        raise ValueError("n_times is shorter than the receptive field.")


class Hungry(Small):
    """Fetches its weights."""

    def __init__(self, **given):
        socket.create_connection(("weights.example", 443), timeout=1)


class Broken(Small):
    """Divides by nothing."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, n_outputs) of NaN."""
        return super().forward(x) / 0 * 0


FAKES = {kind.__name__: kind for kind in (Small, Renamed, Dense, Picky, Hungry, Broken)}


@pytest.fixture
def fakes(monkeypatch):
    """braindecode with six small models of our own."""
    monkeypatch.setattr(others, "_braindecode", lambda: None)
    monkeypatch.setattr(others, "_kinds", lambda _: FAKES)


def small(name: str = "Small", cap: tuple[str, ...] = CAP, **options: Any) -> nn.Module:
    return others.build_braindecode(name, cap, outputs=16, times=TIMES, options=options)


def refused(name: str, **options: Any) -> str:
    """What is said when the model ``name`` is asked for."""
    with pytest.raises(BadInput) as said:
        small(name, **options)
    assert "\n" not in str(said.value)
    return str(said.value)


def backbone(name: str = "braindecode:Small") -> Model:
    return build(Dims(name, CAP, ("face", "house"), ("sub-02", "sub-03"), embedding=16))


def sites(*masks: list[int], channels: int = len(CAP)) -> RecordingContext:
    """Two sessions, the electrodes of ``masks`` bad."""
    good = torch.ones(2, channels, dtype=torch.bool)
    for row, bad in enumerate(masks):
        good[row, bad] = False
    return RecordingContext(("sub-02", "sub-03"), good)


GROUP = torch.tensor([0, 0, 0, 1, 1, 1])


def test_a_prefix_chooses_a_model_of_others():
    assert network("braindecode:EEGConformer").module == "rtbci.networks.others"
    with pytest.raises(BadInput, match="braindecode:MODEL"):
        network("EEGConformer")


def test_without_braindecode_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(others, "find_spec", lambda _: None)
    with pytest.raises(Missing, match=r"pip install 'rtbci\[braindecode\]'"):
        build(Dims("braindecode:EEGNet", CAP, ("a", "b"), ()))


@pytest.mark.parametrize("error", [OSError, ImportError, RuntimeError, AttributeError])
def test_a_pair_that_does_not_load_is_a_sentence(monkeypatch, error):
    def import_module(_):
        raise error("libc10_cuda.so: cannot open shared object file")

    monkeypatch.setattr(others, "find_spec", lambda _: object())
    monkeypatch.setattr(others, "without_compiled_audio", lambda: None)
    monkeypatch.setattr(others, "import_module", import_module)
    with pytest.raises(Missing, match=r"does not load \(libc10_cuda.so.*versions that fit"):
        small()


def test_torchaudio_that_is_loaded_is_left_alone(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchaudio", others)
    monkeypatch.delitem(sys.modules, "torchaudio._extension", raising=False)
    others.without_compiled_audio()
    assert "torchaudio._extension" not in sys.modules


@with_fakes
@pytest.mark.parametrize("name", ["smal", "SMALL", "Smaller"])
def test_a_wrong_name_is_answered_with_the_nearest(name):
    said = refused(name)
    assert repr(name) in said
    assert "did you mean Small" in said


@with_fakes
def test_a_name_near_nothing_is_answered_with_all():
    assert all(name in refused("xyzzy") for name in FAKES)


@with_fakes
def test_a_model_known_to_fetch_is_not_made():
    assert "fetches a file" in refused("REVE")


@with_fakes
def test_a_model_that_asks_for_the_network_is_refused():
    resolve = socket.getaddrinfo
    assert "asked for the network" in refused("Hungry")
    assert socket.getaddrinfo is resolve


@with_fakes
def test_the_hub_is_offline_only_while_a_model_is_made(monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with others._alone():
        assert os.environ["HF_HUB_OFFLINE"] == "1"
    assert "HF_HUB_OFFLINE" not in os.environ


@with_fakes
def test_requirements_of_a_model_are_quoted():
    said = refused("Picky")
    assert "8 electrodes x 125 samples at 250 Hz" in said
    assert "shorter than the receptive field" in said


@with_fakes
def test_an_output_that_is_no_embedding_is_refused():
    assert "(2, 16, 3)" in refused("Dense")


@with_fakes
def test_an_output_that_is_not_finite_is_refused():
    assert "not finite" in refused("Broken")


@with_fakes
def test_an_option_of_another_model_is_refused():
    assert "no option F1; it has width" in refused("Small", F1=8)
    assert "no option n_chans" in refused("Small", n_chans=8)


@with_fakes
def test_options_reach_the_model():
    net = small(width=7)
    assert isinstance(net, Small)
    assert net.body.out_features == 7


@with_fakes
def test_electrodes_are_described_in_metres():
    net = small()
    assert isinstance(net, Small)
    cz = net.chs_info[1]
    assert cz["ch_name"] == "Cz"
    assert 0.05 < np.linalg.norm(cz["loc"][:3]) < 0.15


@with_fakes
def test_a_place_that_is_not_known_is_not_invented():
    net = small(cap=(*CAP[:7], "E37"))
    assert isinstance(net, Small)
    assert net.chs_info is None


@with_fakes
def test_the_trial_of_a_model_leaves_the_dice_alone():
    torch.manual_seed(5)
    made = small()
    torch.manual_seed(5)
    again = small()
    after = torch.rand(1)
    assert all(
        torch.equal(a, b) for a, b in zip(made.parameters(), again.parameters(), strict=True)
    )
    torch.manual_seed(5)
    Small(len(CAP), 16, TIMES, 250.0, None)
    assert torch.equal(after, torch.rand(1))


@with_fakes
def test_a_bad_electrode_is_not_looked_at():
    model = backbone().eval()
    x = torch.randn(6, len(CAP), TIMES)
    loud = x.clone()
    loud[:3, 2] = 1e6
    with torch.no_grad():
        assert torch.equal(
            model.backbone(x, sites([2]), GROUP), model.backbone(loud, sites([2]), GROUP)
        )
        assert not torch.equal(
            model.backbone(x, sites(), GROUP), model.backbone(loud, sites(), GROUP)
        )


@with_fakes
def test_another_cap_is_sorted_by_name_and_the_rest_is_silent():
    model = backbone().eval()
    body = model.backbone
    x = torch.randn(6, len(CAP), TIMES)
    with torch.no_grad():
        before = body(x, sites([7], [7]), GROUP)  # without P4
        body.mount(("P3", "TP9", *CAP[:6]))
        moved = torch.cat([x[:, 6:7], torch.randn(6, 1, TIMES), x[:, :6]], dim=1)
        assert torch.equal(body(moved, sites(), GROUP), before)


@with_fakes
def test_a_cap_without_any_of_the_electrodes_is_refused():
    with pytest.raises(BadInput, match="none of TP9, TP10 was among the electrodes"):
        backbone().backbone.mount(("TP9", "TP10"))


@with_fakes
def test_dropout_follows_from_the_trials():
    model = backbone().train()
    x = torch.randn(6, len(CAP), TIMES)
    set_keys(model, torch.arange(6))
    first = model.backbone(x, sites(), GROUP)
    torch.rand(1000)
    assert torch.equal(model.backbone(x, sites(), GROUP), first)
    set_keys(model, torch.arange(6) + 1)
    assert not torch.equal(model.backbone(x, sites(), GROUP), first)


def stored(path: Path, net: nn.Module, **changes: Tensor) -> Path:
    """The weights of ``net`` in a file, some of them changed."""
    save_file({**net.state_dict(), **changes}, path)
    return path


@with_fakes
def test_weights_of_a_user_are_taken_but_for_the_last_layer(tmp_path):
    theirs = others.build_braindecode("Small", CAP, outputs=4, times=TIMES)
    net = small()
    said = others.load_weights(net, stored(tmp_path / "w.safetensors", theirs))
    assert said == (
        "2 of 4 arrays were taken from w.safetensors; fresh: final_layer.weight, final_layer.bias"
    )
    assert isinstance(net, Small)
    assert isinstance(theirs, Small)
    assert torch.equal(net.body.weight, theirs.body.weight)


@with_fakes
def test_weights_under_an_older_name_are_found(tmp_path):
    theirs = small("Renamed").state_dict()
    old = {key.replace("body", "trunk"): value for key, value in theirs.items()}
    save_file(old, tmp_path / "w.safetensors")
    model = backbone("braindecode:Renamed")
    assert others.load_weights(model.backbone, tmp_path / "w.safetensors").startswith("4 of 4")
    net = model.backbone.net
    assert isinstance(net, Renamed)
    assert torch.equal(net.body.weight, theirs["body.weight"])


@with_fakes
def test_weights_of_another_model_are_refused(tmp_path):
    path = stored(tmp_path / "w.safetensors", nn.Linear(3, 4))
    with pytest.raises(BadInput, match=r"of which 0 fit Small by name and shape \(0%"):
        others.load_weights(small(), path)


@with_fakes
def test_weights_that_are_not_finite_are_refused(tmp_path):
    net = small()
    path = stored(tmp_path / "w.safetensors", net, **{"body.bias": torch.full((4,), torch.nan)})
    before = {key: value.clone() for key, value in net.state_dict().items()}
    with pytest.raises(BadInput, match=r"not finite in body\.bias"):
        others.load_weights(net, path)
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())


@with_fakes
@pytest.mark.parametrize("content", [b"\x80\x02}q\x00.", b"PK\x03\x04" + bytes(200), bytes(64)])
def test_pickled_weights_are_refused(tmp_path, content):
    path = tmp_path / "weights.pt"
    path.write_bytes(content)
    with pytest.raises(BadInput, match="pickled weights"):
        others.load_weights(small(), path)


@needs_braindecode
@pytest.mark.parametrize(
    "name", ["EEGNet", "ShallowFBCSPNet", "Deep4Net", "EEGConformer", "FBCNet"]
)
def test_a_model_of_braindecode_learns(name):
    model = backbone(f"braindecode:{name}").train()
    x, y = torch.randn(6, len(CAP), TIMES), torch.tensor([0, 1, 0, 1, 0, 1])
    set_keys(model, torch.arange(6))
    before = [parameter.detach().clone() for parameter in model.backbone.parameters()]
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    loss = nn.functional.cross_entropy(model(x, sites(), GROUP).logits, y)
    loss.backward()
    optimizer.step()
    after = list(model.backbone.parameters())
    assert torch.isfinite(loss)
    assert any(not torch.equal(a, b) for a, b in zip(before, after, strict=True))


@needs_braindecode
def test_a_seed_gives_the_same_model_of_braindecode():
    first, again = (backbone("braindecode:EEGConformer").state_dict() for _ in range(2))
    assert all(torch.equal(first[key], again[key]) for key in first)


@needs_braindecode
def test_weights_of_braindecode_come_back(tmp_path):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(9)
        theirs = others.build_braindecode("EEGNet", CAP, outputs=4, times=TIMES)
    path = stored(tmp_path / "eegnet.safetensors", theirs)
    model = backbone("braindecode:EEGNet")
    assert "fresh: final_layer" in others.load_weights(model.backbone, path)
    assert isinstance(model.backbone, others.BraindecodeBackbone)
    mine = model.backbone.net.state_dict()
    same = [torch.equal(value, mine[key]) for key, value in theirs.state_dict().items()
            if "final_layer" not in key]  # fmt: skip
    assert same
    assert all(same)


@needs_braindecode
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("EEGNetv4", "did you mean EEGNet"),
        ("eegconformer", "did you mean EEGConformer"),
        ("REVE", "fetches a file"),
        ("BENDR", "does not take 8 electrodes"),
        ("Labram", "InterpolatedLaBraM"),
        ("USleep", "time_conv_size"),
        ("DANCE", r"(2, 256, 16)"),
    ],
)
def test_an_invalid_backbone_is_refused_in_a_sentence(name, words):
    assert words in refused(name)


@needs_braindecode
def test_the_filters_of_torchaudio_are_right_without_its_library():
    from scipy.signal import lfilter

    others.names()
    filtering = sys.modules["torchaudio"].functional
    b, a = np.array([0.2, 0.3, 0.1]), np.array([1.0, -0.9, 0.4])
    x = np.random.default_rng(0).standard_normal((3, 200))
    found = filtering.lfilter(torch.tensor(x), torch.tensor(a), torch.tensor(b), clamp=False)
    np.testing.assert_allclose(found.numpy(), np.asarray(lfilter(b, a, x)), atol=1e-12)


@needs_braindecode
def test_models_that_place_their_own_electrodes_say_nothing_on_stdout(capsys):
    small("InterpolatedBIOT")
    assert capsys.readouterr().out == ""


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    """A small dataset of two sessions of three subjects."""
    return write_dataset(tmp_path_factory.mktemp("pictures"))


def pretrained(data: Path, out: Path, model: str, **more: Any) -> PretrainedBackbone:
    """What comes out of two epochs of ``model`` on ``data``, read from the disk."""
    settings = TrainingSettings(epochs=2, batch=32)
    plan = PretrainingSettings(
        data, out, f"braindecode:{model}", "1/1/0", text=False, settings=settings, **more
    )
    done = pretrain(plan, lambda *_: None)
    assert np.isfinite(done.history[-1]["validation"])
    return load_backbone(out)


def embedded(backbone: PretrainedBackbone) -> np.ndarray:
    """Embeddings of four trials of noise."""
    x = 10 * np.random.default_rng(0).standard_normal((4, len(CHANNELS), TIMES))
    return backbone.outputs(x, backbone.preparations["sub-03"], subject="sub-03").embedding


@with_fakes
def test_a_model_of_others_is_pretrained_and_loads_again(pictures, tmp_path):
    backbone = pretrained(pictures, tmp_path / "a", "Small")
    assert backbone.dims.model == "braindecode:Small"
    found = embedded(backbone)
    assert found.shape == (4, backbone.dims.embedding)
    again = pretrained(pictures, tmp_path / "b", "Small")
    assert np.array_equal(found, embedded(again))


@with_fakes
def test_pretraining_begins_with_the_weights_of_a_user(pictures, tmp_path):
    theirs = others.build_braindecode("Small", CHANNELS, outputs=4, times=TIMES)
    path = stored(tmp_path / "w.safetensors", theirs)
    fresh = pretrained(pictures, tmp_path / "a", "Small")
    begun = pretrained(pictures, tmp_path / "b", "Small", begin=path)
    near = theirs.state_dict()["body.weight"]
    far, close = (each.weights["backbone.net.body.weight"] for each in (fresh, begun))
    assert (close - near).abs().max() < 0.1 * (far - near).abs().max()


@with_fakes
def test_a_wrong_name_stops_pretraining_before_anything_is_cut(pictures, tmp_path):
    with pytest.raises(BadInput, match="did you mean Small"):
        pretrained(pictures, tmp_path / "out", "Smal")
    assert not (tmp_path / "out").exists()


def test_our_own_networks_take_no_weights(pictures, tmp_path):
    with pytest.raises(BadInput, match="montagenet takes none"):
        pretrain(
            PretrainingSettings(pictures, tmp_path / "out", begin=tmp_path / "w"), lambda *_: None
        )


@needs_braindecode
def test_a_model_of_braindecode_is_pretrained(pictures, tmp_path):
    backbone = pretrained(pictures, tmp_path / "out", "EEGNet")
    assert np.isfinite(embedded(backbone)).all()
