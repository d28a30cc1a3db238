"""NumPy arrays: orientation, sidecars, the 122-channel dataset, sizes that do not fit."""

import json

import numpy as np
import pytest

from rtbci.errors import BadInput
from rtbci.formats import read
from rtbci.formats.dataset import CLASSES
from rtbci.types import Gap

RNG = np.random.default_rng(0)


def dataset(folder, order=("epoch", "time", "channel"), n=6):
    """The three files of a run, as they lie on disk; returns the array (n, 500, 122)."""
    x = RNG.normal(0, 20, (n, 500, 122)).astype("<f4")
    stem = "sub-02_ses-01_task-lowSpeed_run-01"
    turned = x if order[1] == "time" else np.ascontiguousarray(x.transpose(0, 2, 1))
    path = folder / f"{stem}_1000Hz.npy"
    np.save(path, turned)
    path.with_suffix(".json").write_text(json.dumps([9] * (n - 1) + [18], indent=2))
    rows = [rf"C:\Users\casia\Desktop\pic\cow\n0{i}_1_resized.jpg" for i in range(n - 1)]
    rows.append(r"C:\Users\casia\Desktop\pic\train\000332_resized.jpg")
    csv = "FilePath\r\n" + "\r\n".join(rows) + "\r\n"
    (folder / f"{stem}_image.csv").write_bytes(csv.encode())
    return path, x


@pytest.mark.parametrize("order", [("epoch", "time", "channel"), ("epoch", "channel", "time")])
def test_the_dataset_is_read_in_either_orientation(tmp_path, order):
    path, x = dataset(tmp_path, order)
    recording = read(path)
    assert np.array_equal(recording.signal, x.reshape(-1, 122))
    assert recording.signal.flags.c_contiguous
    assert (recording.info.rate, recording.epoch_rows) == (1000, 500)
    assert recording.info.channels[::121] == ("EEG001", "EEG122")
    assert (recording.info.unit, recording.info.unit_from) == ("uV", "assumed")
    assert recording.gaps[0] == Gap(500, 0, "between epochs")
    assert [(m.index, m.label) for m in recording.markers][-1] == (2500, "train")
    assert recording.markers[-1].fields == {"trial": 6, "image": "000332"}
    assert any("no signal between them" in note for note in recording.provenance.notes)


def session(folder, n=300, more=None):
    """An array of joined runs as others pass it on, with a list of class ids beside it."""
    x = RNG.normal(0, 20, (n, 500, 122)).astype("<f4")
    np.save(folder / "sub-02_ses-01.npy", x)
    beside = (np.arange(n) % 20).tolist() if more is None else more
    (folder / "sub-02_ses-01.json").write_text(json.dumps(beside))
    return folder / "sub-02_ses-01.npy"


def test_a_session_of_the_dataset_needs_no_more_than_its_class_ids(tmp_path):
    recording = read(session(tmp_path))
    assert (recording.info.rate, recording.epoch_rows, recording.runs) == (1000, 500, (100,) * 3)
    assert [m.label for m in recording.markers[:20]] == list(CLASSES)
    assert recording.markers[250].fields == {"trial": 251, "run": 3}
    for said in ("a rate of 1000 Hz is assumed", "runs of 100 epochs are assumed"):
        assert any(said in note for note in recording.provenance.notes)


def test_what_a_sidecar_says_of_a_session_is_not_assumed(tmp_path):
    n = 6
    side = {"rate": 250, "channels": [f"E{i}" for i in range(4)], "unit": "uV",
            "axes": "epoch,time,channel", "labels": ["dog", "cat"] * 3, "runs": [4, 2],
            "images": [f"00{i}" for i in range(n)], "captions": ["Hündchen"] * 5 + [None],
            "simulated": True, "seed": 7}  # fmt: skip
    np.save(tmp_path / "sub-02_ses-01.npy", RNG.normal(0, 20, (n, 125, 4)))
    (tmp_path / "sub-02_ses-01.json").write_text(json.dumps(side))
    recording = read(tmp_path / "sub-02_ses-01.npy")
    assert (recording.info.rate, recording.runs, len(recording.gaps)) == (250, (4, 2), 5)
    shown = {"trial": 5, "run": 2, "image": "004", "caption": "Hündchen"}
    assert recording.markers[4].fields == shown
    assert "caption" not in recording.markers[5].fields
    assert "simulated: no person" in recording.provenance.notes


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"labels": ["a"] * 5}, "has 5 labels for 6 epochs"),
        ({"images": ["a"] * 7}, "has 7 images for 6 epochs"),
        ({"runs": [3, 2]}, "has runs of 3, 2 epochs, 5 in all; the array has 6"),
        ({"runs": [6, 0]}, "runs.1"),
        ([0, 1, 2, 3, 4, 20], "has class 20; the low-speed task has 0 to 19"),
    ],
)
def test_lists_that_do_not_fit_the_epochs_are_refused(tmp_path, more, what):
    path = session(tmp_path, 6, more)
    with pytest.raises(BadInput, match=what):
        read(path)


def test_a_continuous_array_takes_what_its_sidecar_says(tmp_path):
    x = RNG.normal(0, 20e-6, (3, 1000))
    np.save(tmp_path / "a.npy", x)
    side = {"sfreq": 250, "channels": ["C3", "Cz", "EOG"], "unit": "V",
            "markers": [{"index": 250, "label": 1, "image": "cow"}]}  # fmt: skip
    (tmp_path / "a.json").write_text(json.dumps(side))
    recording = read(tmp_path / "a.npy")
    assert np.allclose(recording.signal, x.T * 1e6)
    assert recording.info.types == ("EEG", "EEG", "EOG")
    assert (recording.markers[0].label, recording.markers[0].fields) == ("1", {"image": "cow"})


def test_an_unstated_unit_is_inferred_and_said(tmp_path):
    for unit, scale in (("V", 1e-6), ("uV", 1.0)):
        np.save(tmp_path / "a.npy", RNG.normal(0, 20, (1000, 2)) * scale)
        recording = read(tmp_path / "a.npy", rate=250)
        assert (recording.info.unit, recording.info.unit_from) == (unit, "inferred")
        assert 15 < recording.signal.std() < 25
        assert any("inferred" in note for note in recording.provenance.notes)
    np.save(tmp_path / "a.npy", RNG.normal(0, 1e9, (1000, 2)))
    with pytest.raises(BadInput, match="give --unit"):
        read(tmp_path / "a.npy", rate=250)
    np.save(tmp_path / "a.npy", RNG.integers(-9, 9, (1000, 2)).astype("i2"))
    assert read(tmp_path / "a.npy", rate=250, unit="mV").signal.max() == 8000


def test_an_orientation_that_is_not_clear_is_refused_with_what_to_write(tmp_path):
    for shape in ((60, 50), (10, 64, 64), (10, 200, 30)):
        np.save(tmp_path / "a.npy", np.ones(shape, "f4"))
        with pytest.raises(BadInput, match=r"which axis is time; put a\.json beside it"):
            read(tmp_path / "a.npy", rate=100)
    (tmp_path / "a.json").write_text('{"axes": "epoch,channel,time", "labels": ["l", "r"]}')
    np.save(tmp_path / "a.npy", RNG.normal(0, 9, (2, 30, 200)))
    recording = read(tmp_path / "a.npy", rate=100)
    assert recording.signal.shape == (400, 30)
    assert [(m.index, m.label) for m in recording.markers] == [(0, "l"), (200, "r")]


def test_a_rate_that_nobody_states_is_asked_for(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((1000, 2), "f4"))
    with pytest.raises(BadInput, match="give --rate HZ"):
        read(tmp_path / "a.npy")


def test_sizes_are_checked_before_anything_is_allocated(tmp_path):
    path = tmp_path / "a_1000Hz.npy"
    np.save(path, np.ones((1000, 8), "f4"))
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"(1000, 8)", b"(9999999999999, 8)"))
    with pytest.raises(BadInput):
        read(path)
    path.write_bytes(whole[:-4])
    with pytest.raises(BadInput, match=r"declares .* but holds 31996; it was cut"):
        read(path)


def test_objects_and_odd_types_are_never_loaded(tmp_path):
    path = tmp_path / "a_1000Hz.npy"
    np.save(path, np.ones((1000, 2), "f8"))
    path.write_bytes(path.read_bytes().replace(b"'<f8',", b"'|O', ", 1))
    with pytest.raises(BadInput, match="holds object"):
        read(path)
    np.save(path, np.ones((1000, 2), "c16"))
    with pytest.raises(BadInput, match="expected one of f4, f8, i2, i4"):
        read(path)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('{"rate": NaN}', "NaN"),
        ('{"rate": 100, "rate": 200}', "twice"),
        ("[" * 5000 + "]" * 5000, "nested"),
        ('{"rate": -1}', "rate"),
        ('{"channels": ["a"]}', "names 1 channels, the array has 2"),
        ('{"markers": [{"index": 1000, "label": "x"}]}', "behind the last sample"),
        ("[1, 2]", "one continuous signal"),
        ("{", "no JSON"),
    ],
)
def test_a_sidecar_that_makes_no_sense_is_refused(tmp_path, text, what):
    np.save(tmp_path / "a_100Hz.npy", np.ones((1000, 2), "f4"))
    (tmp_path / "a_100Hz.json").write_text(text)
    with pytest.raises(BadInput, match=what) as error:
        read(tmp_path / "a_100Hz.npy")
    assert "\n" not in str(error.value)


def test_a_rate_at_which_nothing_is_sampled_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((500, 3), np.float32))
    (tmp_path / "a.json").write_text('{"rate": 1e-308, "unit": "uV"}')
    with pytest.raises(BadInput, match="rate of 1e-308 Hz"):
        read(tmp_path / "a.npy")
