"""MontageNet in numpy: equal to torch, to itself in any cut of the stream, and quick."""

import time

import numpy as np
import pytest
import torch

from calibration.pretraining.windows import recipe_for, windows_of
from rtbci.decoding.decoders.montagenet import MOST_FOLDED, MontageNet
from rtbci.decoding.decoders.scaling import Preparation, fit_preparation, onto_grid
from rtbci.decoding.scorer import decoder_input
from rtbci.networks import build, network
from rtbci.networks.dims import Dims
from rtbci.networks.montagenet_arrays import arrays
from rtbci.networks.recordings import sites_of
from rtbci.signal.montage import position
from rtbci.signal.recording import Recording
from rtbci.signal.windows import Windows
from rtbci.types import Marker, Provenance, StreamInfo

pytestmark = pytest.mark.usefixtures("one_torch_thread")
CLASSES = ("house", "face", "car", "dog")
ROWS, COLUMNS = ("Fp", "AF", "F", "FC", "C", "CP", "P", "PO", "O"), "z12345678"
PLACED = tuple(n for row in ROWS for c in COLUMNS if position(n := row + c))
CHANNELS = (*PLACED[:60], "A7", "B9")


def trained(channels: tuple[str, ...] = CHANNELS, text: int = 384):
    """A network whose every weight has moved from where it began."""
    model = build(Dims("montagenet", channels, CLASSES, ("sub-02", "sub-03"), text=text)).eval()
    rng = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.03 * torch.randn(p.shape, generator=rng))
    return model


def windows(channels: tuple[str, ...] = CHANNELS, trials: int = 12):
    rng = np.random.default_rng(0)
    mixing = np.eye(len(channels)) + 0.2 * rng.standard_normal((len(channels),) * 2)
    return (15 * mixing @ rng.standard_normal((trials, len(channels), 125))).astype(np.float32)


def by_torch(model, x: np.ndarray, prepared: Preparation, subject: str = "sub-03"):
    with torch.no_grad():
        zeros = torch.zeros(len(x), dtype=torch.int64)
        return model(torch.tensor(prepared.apply(x)), sites_of([subject], [prepared]), zeros)


@pytest.mark.parametrize("subject", ["sub-02", "sub-03", "nobody", None])
def test_it_is_equal_to_torch(subject):
    model, x = trained(), windows()
    prepared = fit_preparation(x)
    expected = by_torch(model, x, prepared, subject or "nobody")
    decoder = MontageNet(CLASSES, **arrays(model, subject, prepared))
    logits = np.array([decoder.logits(each) for each in x])
    assert logits.dtype == np.float64
    assert abs(logits).max() > 0.1
    assert abs(logits - expected.logits.numpy()).max() < 1e-5
    text = np.array([decoder.answer(each).embedding for each in x])
    unit = torch.nn.functional.normalize(expected.text, dim=1).numpy()
    assert abs(text - unit).max() < 1e-5


def test_a_mask_is_folded_as_torch_masks_and_only_once():
    model, x = trained(), windows()
    prepared = fit_preparation(x)
    decoder = MontageNet(CLASSES, **arrays(model, "sub-03", prepared))
    mask = np.ones(len(CHANNELS), bool)
    mask[[0, 7, 33]] = False
    fewer = Preparation(prepared.scale, prepared.covariance, prepared.good & mask)
    expected = by_torch(model, x, fewer).logits.numpy()
    broken = x.astype(np.float64)
    broken[:, ~mask] = np.nan  # as an electrode may be that has fallen off
    logits = np.array([decoder.logits(each, mask) for each in broken])
    assert abs(logits - expected).max() < 1e-5
    assert abs(logits - [decoder.logits(each) for each in x]).max() > 1e-3
    assert decoder.filters(mask) is decoder.filters(mask.copy())
    assert not decoder.filters(mask)[:, ~mask].any()
    rng = np.random.default_rng(1)
    for _ in range(MOST_FOLDED + 5):
        decoder.filters(rng.random(len(CHANNELS)) > 0.2)
    assert len(decoder._folded) == MOST_FOLDED


def test_without_electrodes_there_is_no_answer():
    x = windows()
    decoder = MontageNet(CLASSES, **arrays(trained(), "sub-02", fit_preparation(x)))
    with pytest.raises(ValueError, match="1 good electrodes; at least 2 are needed"):
        decoder.logits(x[0], np.arange(len(CHANNELS)) == 3)


def test_it_is_stored_as_arrays():
    x = windows()
    decoder = MontageNet(CLASSES, **arrays(trained(), "sub-02", fit_preparation(x)))
    again = MontageNet(CLASSES, **decoder.arrays())
    assert np.array_equal(again.logits(x[0]), decoder.logits(x[0]))
    with pytest.raises(ValueError, match="weights are not those of 3 classes"):
        MontageNet(CLASSES[:3], **decoder.arrays())
    with pytest.raises(ValueError, match="are not those of 61 electrodes"):
        MontageNet(CLASSES, **decoder.arrays() | {"scale": np.ones(61)})


def test_without_a_text_head_the_answer_has_no_embedding():
    x = windows()
    decoder = MontageNet(CLASSES, **arrays(trained(text=0), "sub-02", fit_preparation(x)))
    assert decoder.answer(x[0]).embedding is None
    assert decoder.dimensions == 0
    assert decoder.logits(x[0]).shape == (4,)


def test_it_takes_its_own_stream_of_several_and_another_rate():
    model, x = trained(), windows()
    prepared = fit_preparation(x)
    plain = MontageNet(CLASSES, **arrays(model, "sub-02", prepared))
    second = MontageNet(CLASSES, **arrays(model, "sub-02", prepared, stream=1))
    assert np.array_equal(second.logits(np.stack([0 * x[0], x[0]])), plain.logits(x[0]))
    grid = onto_grid(128, 256.0, 0.0, 125, 250.0)
    other = MontageNet(CLASSES, **arrays(model, "sub-02", prepared, grid=grid))
    slow = np.cumsum(np.random.default_rng(0).standard_normal((len(CHANNELS), 512)), axis=1)
    there, here = slow[:, : 128 * 4 : 4], np.array([np.interp(np.arange(125) / 250,
                   np.arange(512) / 1024, row) for row in slow])  # fmt: skip
    assert abs(other.logits(there) - plain.logits(here)).max() < 0.05


@pytest.mark.parametrize("chunk", [4000, 37, 1])
def test_streaming_is_equal_to_a_batch(chunk):
    rng = np.random.default_rng(2)
    signal = np.cumsum(rng.standard_normal((9500, len(CHANNELS))), axis=0).astype(np.float32)
    markers = tuple(Marker(onset, "picture", {"trial": n}) for n, onset in
                    enumerate(range(900, 7000, 1000)))  # fmt: skip
    info = StreamInfo("s", 1000.0, CHANNELS, ("EEG",) * len(CHANNELS))
    recording = Recording(signal, info, markers, Provenance(("x",), "0", "test"))
    recipe = recipe_for(network("montagenet"), 1000.0, CHANNELS)
    batch, _, _ = windows_of(recording, recipe)
    assert batch.shape == (7, len(CHANNELS), 125)
    prepared, model = fit_preparation(batch), trained()
    expected = by_torch(model, batch, prepared).logits.numpy()
    decoder = MontageNet(CLASSES, **arrays(model, "sub-03", prepared))
    front, live = Windows(recipe, list(range(len(CHANNELS)))), []
    for item in recording.items(chunk):
        for window in front.push(item):
            assert window.x is not None
            live.append(decoder.logits(decoder_input(recipe, window.x, 0)))
    assert abs(np.array(live) - expected).max() < 1e-5


def test_a_decision_takes_less_than_two_milliseconds():
    names = tuple(f"E{n}" for n in range(122))
    x = windows(names, trials=30)
    decoder = MontageNet(CLASSES, **arrays(trained(names), "sub-02", fit_preparation(x)))
    live = x.astype(np.float64)
    medians = []
    for _ in range(5):  # in time of this thread, with neighbours on the same cores
        took = []
        for each in live:
            begin = time.thread_time()
            decoder.logits(each)
            took.append(time.thread_time() - begin)
        medians.append(np.median(took))
    assert min(medians) < 0.002
