"""Pretraining on data that changed: windows are cut again, a run that was begun does not go on."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calibration.pretraining import PretrainingSettings, pretrain
from calibration.pretraining.corpus import collect
from calibration.pretraining.loop import TrainingSettings
from calibration.pretraining.origin import speaking_of
from rtbci import cli
from rtbci.errors import BadInput
from rtbci.formats.dataset import find_runs
from rtbci.networks import network
from tests.support.picture_dataset import write_dataset

RUN = "sub-02_ses-01_task-lowSpeed_run-01"


def silent(stage: str, done: int, of: int) -> None:
    """No progress."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("data"), subjects=(2, 3), trials=30)


@pytest.fixture
def data(whole, tmp_path) -> Path:
    """A copy that may be changed."""
    return shutil.copytree(whole, tmp_path / "data")


def home(data: Path) -> Path:
    return data / "ds005589" / "sub-02" / "ses-01"


def correct(data: Path) -> None:
    """The class of the first trial is another one, and so is its picture."""
    path = home(data) / f"{RUN}_250Hz.json"
    labels = json.loads(path.read_text())
    labels[0] = 7 if labels[0] != 7 else 13
    path.write_text(json.dumps(labels))
    images = home(data) / f"{RUN}_image.csv"
    lines = images.read_text().splitlines()
    kind = {7: "cat", 13: "horse"}[labels[0]]
    lines[1] = f"C:\\pictures\\{kind}\\new_resized.jpg"
    images.write_text("\n".join(lines) + "\n")


def windows(data: Path, folder: Path) -> dict[str, int]:
    """When the windows of each run were written, after they were asked for."""
    corpus = collect(find_runs(data), network("montagenet"), folder, (1, 1, 0), lambda _: None,
                     silent)  # fmt: skip
    return {each.path.name: each.path.stat().st_mtime_ns for each in corpus.cuts}


def changed(before: dict[str, int], after: dict[str, int]) -> list[str]:
    return [name for name in before if after[name] != before[name]]


def test_a_folder_that_did_not_change_is_not_cut_again(data, tmp_path):
    before = windows(data, tmp_path / "w")
    (data / "notes.json").write_text("{}")  # says nothing of a run
    (home(data) / "sub-02_ses-01_task-lowSpeed_run-02_image.csv").write_text("another run's")
    (home(data) / "sub-02_ses-01_task-lowSpeed_run-02_image.csv").unlink()
    assert changed(before, windows(data, tmp_path / "w")) == []
    moved = data.rename(tmp_path / "moved")
    assert changed(before, windows(moved, tmp_path / "w")) == []


@pytest.mark.parametrize("what", ["labels", "array", "electrodes", "header"])
def test_a_run_that_changed_is_cut_again_and_no_other(what, data, tmp_path):
    before = windows(data, tmp_path / "w")
    if what == "labels":
        correct(data)
    elif what == "array":
        path = home(data) / f"{RUN}_250Hz.npy"
        np.save(path, 2 * np.load(path))
    elif what == "electrodes":
        names = [f"E{n}" for n in range(14)]
        beside = home(data) / "sub-02_ses-01_channels.json"
        beside.write_text(json.dumps({"channels": names, "rate": 250, "unit": "uV"}))
    else:
        header = tmp_path / "w" / "sub-02_ses-01_run-01.json"
        document = json.loads(header.read_text())
        document["recipe"] = "that of another version"
        header.write_text(json.dumps(document))
    after = windows(data, tmp_path / "w")
    assert changed(before, after) == ["sub-02_ses-01_run-01.npy"]
    assert changed(after, windows(data, tmp_path / "w")) == []


def test_sidecars_of_a_run_are_found_by_name(tmp_path):
    folder = tmp_path / "study" / "sub-1" / "ses-a" / "eeg"
    folder.mkdir(parents=True)
    stem = "sub-1_ses-a_task-x_run-2"
    for path in (
        *(folder / f"{stem}_{end}" for end in ("eeg.vhdr", "eeg.eeg", "events.tsv")),
        *(folder / f"sub-1_ses-a_task-x_run-1_{end}" for end in ("eeg.vhdr", "events.tsv")),
        folder / "sub-1_ses-a_electrodes.tsv", tmp_path / "study" / "task-x_eeg.json",
        tmp_path / "study" / "task-y_eeg.json", tmp_path / "study" / "participants.tsv",
        tmp_path / "task-x_eeg.json",
    ):  # fmt: skip
        path.write_text("")
    found = [path.name for path in speaking_of(folder / f"{stem}_eeg.vhdr")]
    assert found == ["sub-1_ses-a_electrodes.tsv", f"{stem}_eeg.eeg", f"{stem}_events.tsv",
                     "task-x_eeg.json"]  # fmt: skip


def test_a_run_that_was_begun_does_not_go_on_with_other_labels(data, tmp_path, capsys):
    out = tmp_path / "out"
    plan = PretrainingSettings(
        data, out, sessions="1/1/0", text=False, settings=TrainingSettings(epochs=1, batch=32)
    )
    pretrain(plan, silent)
    words = ["pretrain", "--data", str(data), "--out", str(out), "--sessions", "1/1/0",
             "--no-text", "--batch", "32", "--epochs", "1", "--json"]  # fmt: skip
    assert cli.main(words) == 0
    assert json.loads(capsys.readouterr().out)["resumed"] == 1
    correct(data)
    weights = (out / "weights.safetensors").read_bytes()
    assert cli.main(words) == 2
    said = capsys.readouterr().err
    assert "belongs to a run with other labels, pictures, and training cannot" in said
    assert "delete it to begin anew, or name another folder" in said
    assert (out / "weights.safetensors").read_bytes() == weights
    (out / "checkpoint.safetensors").unlink()
    assert cli.main(words) == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"settings": TrainingSettings(epochs=1, batch=16)}, "other options, and"),
        ({"subjects": ("sub-02",)}, "other people or sessions, signals"),
        ({"sessions": "1/0/1"}, "other people or sessions, and"),
    ],
    ids=["settings", "subjects", "sessions"],
)
def test_other_differences_are_named(whole, tmp_path, change, said):
    plan = PretrainingSettings(whole, tmp_path, sessions="1/1/0", text=False,
                settings=TrainingSettings(epochs=1, batch=32))  # fmt: skip
    pretrain(plan, silent)
    with pytest.raises(BadInput, match=said):
        pretrain(replace(plan, **change), silent)


def test_windows_that_a_full_disk_cut_short_are_cut_again(data, tmp_path):
    before = windows(data, tmp_path)
    cut = tmp_path / sorted(before)[0]
    whole = cut.read_bytes()
    for length in (len(whole) // 2, 40, 0):
        cut.write_bytes(whole[:length])
        assert changed(before, windows(data, tmp_path)) == [cut.name]
        assert cut.read_bytes() == whole
