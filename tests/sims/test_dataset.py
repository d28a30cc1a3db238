"""The picture dataset on disk: both layouts, what is missing, and files that contradict."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from rtbci.errors import BadInput
from rtbci.formats import dataset, read
from rtbci.formats.dataset import CLASSES, find_runs, look
from rtbci.formats.runs import recording_of
from tests.core.test_info import parse

RNG = np.random.default_rng(1)
PREFIXES = (
    r"C:\Users\casia\Desktop\eeg_code_exp-info\pic_10000_resized",
    r"C:\Users\Huawei\Desktop\eeg_pascal_imagenet\pic_10000_resized",
    r"C:\Users\DELL\Desktop\eeg_code_exp-info\pic_10000_resized",
)
CAPTIONS = (
    "dataset\tcategory\timage_name\tabstracted\n"
    "Pascal\thorse\t000013\tHorse under a café’s green awning\n"
    "ImageNet\tcat\tn02123045_7\tCat, asleep on a sofa"
)  # no newline at the end
ORDER = [13, 7, 0, 19]  # horse, cat, aeroplane, tvmonitor


def run(root: Path, subject="sub-02", session=1, number=1, *, flat=True, labels=ORDER) -> Path:
    """The three files of a run of a few trials, byte for byte as the dataset has them."""
    name = f"{subject}_ses-{session:02d}_task-lowSpeed_run-{number:02d}"
    part = Path(subject, f"ses-{session:02d}")
    lists = root / "ds005589" / part
    arrays = lists if flat else root / "ds005589" / dataset.ARRAYS / part
    for folder in (lists, arrays):
        folder.mkdir(parents=True, exist_ok=True)
    path = arrays / f"{name}_1000Hz.npy"
    np.save(path, RNG.normal(0, 20, (len(labels), 500, 122)).astype("<f4"))
    path.with_suffix(".json").write_text(json.dumps(labels, indent=2))
    shown = {13: "000013", 7: "n02123045_7"}
    prefix = PREFIXES[(session + number) % 3]
    rows = [rf"{prefix}\{CLASSES[i]}\{shown.get(i, f'2010_00{i:04d}')}_resized.jpg" for i in labels]
    text = "FilePath\r\n" + "\r\n".join(rows) + "\r\n"
    (lists / f"{name}_image.csv").write_bytes(text.encode())
    return path


@pytest.fixture(params=[True, False], ids=["flat copy", "published layout"])
def root(request, tmp_path) -> Path:
    """Two subjects; the rapid task lies between the files."""
    for subject, session, number in [("sub-02", 1, 1), ("sub-02", 1, 2), ("sub-05", 2, 1)]:
        path = run(tmp_path, subject, session, number, flat=request.param)
        (path.parent / path.name.replace("lowSpeed", "rsvp")).write_bytes(b"truncated")
    run(tmp_path, "sub-05", 2, 2, flat=request.param)
    (tmp_path / "captions.txt").write_bytes(CAPTIONS.encode())
    return tmp_path


def test_both_layouts_give_the_same_runs(root):
    runs = find_runs(root)
    found = [(each.subject, each.session, each.number) for each in runs]
    assert found == [("sub-02", 1, 1), ("sub-02", 1, 2), ("sub-05", 2, 1), ("sub-05", 2, 2)]
    first = runs[0]
    assert first.labels == (13, 7, 0, 19)
    assert first.names == ("horse", "cat", "aeroplane", "tvmonitor")
    assert first.classes == CLASSES
    assert first.images == ("000013", "n02123045_7", "2010_000000", "2010_000019")
    assert first.captions[:2] == ("Horse under a café’s green awning", "Cat, asleep on a sofa")
    assert first.captions[2:] == (None, None)
    assert look(root / "ds005589").runs[0] == first  # captions.txt lies above


def test_a_run_becomes_a_recording_with_its_pictures(root):
    recording = recording_of(find_runs(root)[0])
    assert (recording.info.rate, recording.epoch_rows, recording.info.unit) == (1000, 500, "uV")
    assert [marker.label for marker in recording.markers] == [
        "horse", "cat", "aeroplane", "tvmonitor"
    ]  # fmt: skip
    assert recording.markers[1].index == 500
    assert recording.markers[1].fields == {
        "trial": 2, "image": "n02123045_7", "caption": "Cat, asleep on a sofa"
    }  # fmt: skip


def test_a_session_array_next_to_the_folder_takes_its_classes_from_it(root):
    runs = find_runs(root)[:2]
    x = np.concatenate([np.load(each.array) for each in runs])
    np.save(root / "sub-02_ses-01.npy", x.transpose(0, 2, 1))  # (epochs, channels, times)
    recording = read(root / "sub-02_ses-01.npy")
    assert np.array_equal(recording.signal, x.reshape(-1, 122))
    assert recording.runs == (4, 4)
    assert [marker.label for marker in recording.markers] == [*runs[0].names, *runs[1].names]
    assert recording.markers[4].fields["run"] == 2
    assert str(recording.markers[4].fields["caption"]).startswith("Horse")
    assert any("classes are taken from the lists" in note for note in recording.provenance.notes)
    (root / "sub-02_ses-01.json").write_text(json.dumps([0] * 8))
    with pytest.raises(BadInput, match="are of 8 trials, or of others"):
        read(root / "sub-02_ses-01.npy")


def test_missing_runs_are_reported_and_the_others_are_read(tmp_path):
    for session, number in [(1, 1), (1, 2), (1, 3), (2, 1), (2, 3)]:
        run(tmp_path, session=session, number=number)
    folder = tmp_path / "ds005589" / "sub-02"
    name = "sub-02_ses-01_task-lowSpeed_run-0"
    (folder / "ses-01" / f"{name}1_image.csv").unlink()
    (folder / "ses-01" / f"{name}2_1000Hz.json").unlink()
    (folder / "ses-01" / f"{name}3_1000Hz.npy").unlink()
    found = look(tmp_path)
    assert not found.wrong
    assert found.missing == (
        "sub-02 session 1 run 1 has no .csv",
        "sub-02 session 1 run 2 has no .json",
        "sub-02 session 1 run 3 has no .npy",
        "sub-02 session 2 run 2 is not there",
    )
    assert [(each.session, each.number) for each in found.runs] == [(1, 1), (1, 2), (2, 1), (2, 3)]
    assert found.runs[0].images == ()
    assert found.runs[1].labels == (13, 7, 0, 19)  # told by the folders of the images


def swap(text: str) -> str:
    """Another class in the second row."""
    return text.replace(r"\cat\n", r"\dog\n")


SPOILT = {
    "another class": (
        "_image.csv", swap, r"trial 2 has class 7 \(cat\) but shows an image of 'dog'",
    ),
    "a row less": (
        "_image.csv", lambda text: text.rsplit("C:", 1)[0], "4 trials, 4 class ids, 3 images",
    ),
    "no heading": ("_image.csv", lambda text: text[10:], "needs the line 'FilePath'"),
    "a bare name": ("_image.csv", lambda text: text + "x.jpg\r\n", "'x.jpg' names no category"),
    "no ids": ("_1000Hz.json", lambda _: '{"rate": 1000}', "is not a list of one class id a trial"),
    "no numbers": ("_1000Hz.json", lambda _: "[1, 2, true, 4]", "is not a list of one class id"),
    "id 99": ("_1000Hz.json", lambda _: "[13, 7, 0, 99]", "has class 99; the low-speed task has 0"),
}  # fmt: skip


@pytest.mark.parametrize("what", SPOILT)
def test_files_that_contradict_each_other_are_refused(tmp_path, what):
    suffix, spoil, said = SPOILT[what]
    array = run(tmp_path)
    file = next(array.parent.glob(f"*{suffix}"))
    file.write_bytes(spoil(file.read_bytes().decode()).encode())
    with pytest.raises(BadInput, match=said):
        find_runs(tmp_path)
    with pytest.raises(BadInput):
        read(array)


def test_a_truncated_array_is_refused_with_the_sizes(tmp_path):
    array = run(tmp_path)
    array.write_bytes(array.read_bytes()[:-1000])
    with pytest.raises(BadInput, match=r"\(4, 500, 122\) of float32 = 976000 bytes .* 975000"):
        find_runs(tmp_path)


def test_captions_are_refused_where_their_columns_or_names_are_odd(tmp_path):
    for text in (
        "category\tname\n",
        CAPTIONS + "\tmore",
        CAPTIONS + CAPTIONS[CAPTIONS.index("\n") :],
    ):
        (tmp_path / "captions.txt").write_text(text, encoding="utf-8")
        with pytest.raises(BadInput, match=r"needs the columns|names an image twice"):
            dataset.read_captions(tmp_path / "captions.txt")


def test_arrays_with_the_same_bytes_are_found(tmp_path):
    paths = [run(tmp_path, number=number) for number in (1, 2, 3)]
    assert dataset.twins(paths) == []
    shutil.copy(paths[0], paths[2])
    assert dataset.twins(paths) == [(paths[0], paths[2])]


def test_a_simulated_dataset_is_marked_and_names_its_electrodes(tmp_path):
    array = run(tmp_path)
    names = [f"E{i}" for i in range(122)]
    about = {"simulated": True, "rate": 1000, "channels": names, "strength": "clear"}
    (tmp_path / "simulated.json").write_text(json.dumps(about))
    recording = read(array)
    assert recording.info.channels == tuple(names)
    assert "simulated: no person" in recording.provenance.notes


def test_other_rates_and_montages_are_named_in_the_session_sidecar(tmp_path):
    array = run(tmp_path)
    x = RNG.normal(0, 20, (4, 125, 16)).astype("<f4")
    at = array.with_name(array.name.replace("1000Hz", "250Hz"))
    np.save(at, x)
    array.with_suffix(".json").rename(at.with_suffix(".json"))
    array.unlink()
    names = [f"E{i}" for i in range(16)]
    beside = array.with_name("sub-02_ses-01_channels.json")
    beside.write_text(json.dumps({"channels": names, "rate": 250}))
    (only,) = find_runs(tmp_path)
    recording = recording_of(only)
    assert (recording.info.rate, recording.epoch_rows) == (250, 125)
    assert recording.info.channels == tuple(names)
    assert recording.markers[0].label == "horse"


def test_a_dataset_is_shown_in_one_look(root, capsys, monkeypatch):
    from rtbci.commands import info

    monkeypatch.setenv("COLUMNS", "80")
    assert info.run(parse(root)) == 0
    out = capsys.readouterr().out
    assert "2 subjects, 4 runs, 16 trials, 16 with an image, 8 with a caption" in out
    assert "4 classes of 4 trials: aeroplane, cat, horse, tvmonitor" in out
    assert "session 1" in out
    assert out.count("2 x 4") == 2
    assert info.run(parse(root, "--json")) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["subjects"]["sub-05"] == {"02": {"01": 4, "02": 4}}
    assert (facts["trials"], facts["captions"], facts["missing"]) == (16, 8, [])
    (root / "ds005589" / "sub-05" / "ses-02").rename(root / "elsewhere")
    next(root.rglob("sub-02*run-02_1000Hz.npy")).write_bytes(b"")
    assert info.run(parse(root, "--json")) == 2
    facts = json.loads(capsys.readouterr().out)
    assert "is empty (0 bytes)" in facts["wrong"][0]


def test_a_folder_without_runs_is_refused(tmp_path):
    (tmp_path / "ds005589").mkdir()
    assert dataset.is_dataset(tmp_path)
    assert not dataset.is_dataset(tmp_path / "ds005589" / "nothing")
    with pytest.raises(BadInput, match="holds no run of the low-speed task"):
        find_runs(tmp_path)
