"""What ``rtbci pretrain`` says before the work begins, and of what it did not use."""

import json
from pathlib import Path

import numpy as np
import pytest

from calibration.pretraining import PretrainingSettings, pretrain
from calibration.pretraining.loop import TrainingSettings
from rtbci import cli
from rtbci.errors import InUse
from rtbci.session.folder import Lock
from tests.support.picture_dataset import write_dataset

RUN = "ds005589/sub-02/ses-01/sub-02_ses-01_task-lowSpeed_run-01"


def silent(stage: str, done: int, of: int) -> None:
    """No progress."""


@pytest.fixture
def data(tmp_path) -> Path:
    return write_dataset(tmp_path / "data", subjects=(2,), trials=30)


def asked(data: Path, out: Path, *more: str) -> list[str]:
    return ["pretrain", "--data", str(data), "--out", str(out), "--sessions", "1/1/0",
            "--no-text", "--batch", "32", "--epochs", "1", "--json", *more]  # fmt: skip


def test_too_few_sessions_are_refused_before_a_window_is_cut(data, tmp_path, capsys):
    assert cli.main(asked(data, tmp_path / "out", "--sessions", "3/1/1")) == 2
    said = capsys.readouterr().err
    assert "sub-02 has 2 sessions, --sessions 3/1/1 needs 5" in said
    assert not (tmp_path / "out").exists()


def test_two_at_once_do_not_share_a_folder(data, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    lock = Lock(out / "pretrain.lock")
    plan = PretrainingSettings(
        data, out, sessions="1/1/0", text=False, settings=TrainingSettings(epochs=1, batch=32)
    )
    with pytest.raises(InUse, match="wait for it, or choose another folder"):
        pretrain(plan, silent)
    lock.close()
    assert pretrain(plan, silent).trials["training"] == 30


def test_trials_that_could_not_be_used_are_counted(data, tmp_path, capsys):
    path = data / f"{RUN}_250Hz.npy"
    x = np.load(path)
    x[:4, :, 1] = np.nan
    np.save(path, x)
    assert cli.main(asked(data, tmp_path / "out")) == 0
    notes = json.loads(capsys.readouterr().out)["notes"]
    assert any(each.startswith("4 trials were left out (") for each in notes)


def test_class_blocks_are_noted(data, tmp_path, capsys):
    assert cli.main(asked(data, tmp_path / "out")) == 0
    assert "class blocks" not in capsys.readouterr().out
    for path in data.rglob("*_250Hz.json"):
        order = np.argsort(json.loads(path.read_text()), kind="stable")
        labels = np.array(json.loads(path.read_text()))[order]
        path.write_text(json.dumps(labels.tolist()))
        images = path.with_name(path.name.replace("_250Hz.json", "_image.csv"))
        head, *lines = images.read_text().splitlines()
        images.write_text("\n".join([head, *(lines[i] for i in order)]) + "\n")
    assert cli.main(asked(data, tmp_path / "other")) == 0
    assert "forms class blocks" in capsys.readouterr().out


@pytest.mark.parametrize("content", ["{", "{}", "[1, 2]"])
def test_names_of_a_teacher_that_cannot_be_read_are_one_sentence(data, tmp_path, capsys, content):
    np.save(tmp_path / "t.npy", np.ones((3, 3)))
    (tmp_path / "t.json").write_text(content)
    words = asked(data, tmp_path / "out", "--teacher", str(tmp_path / "t.npy"))
    assert cli.main(words) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert "t.json" in said[0]


def test_a_seed_below_zero_is_refused(data, tmp_path, capsys):
    assert cli.main(asked(data, tmp_path / "out", "--seed", "-1")) == 2
    assert "'-1' is not a whole number from 0 to 1,000,000" in capsys.readouterr().err
