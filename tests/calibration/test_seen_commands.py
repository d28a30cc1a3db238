"""No command calls a trial a test that the decoder, or what it builds on, has learnt from.

One simulated person without any class information: whatever is above chance here is a leak.
"""

import json
import shutil
from pathlib import Path

import pytest

from calibration.pretraining.loop import TrainingSettings
from rtbci import cli
from sims import dataset

CLASSES = ("bird", "car", "flower", "train")
RUN = "ds005589/sub-02/ses-0{}/sub-02_ses-0{}_task-lowSpeed_run-01_250Hz.npy"


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Three sessions of two runs, merged and single."""
    folder = tmp_path_factory.mktemp("data")
    dataset.write(
        folder, sessions=3, runs=2, trials=40, strength="none", channels=16, rate=250.0,
        classes=CLASSES, images=False,
    )  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def bundles(data, tmp_path_factory) -> Path:
    """Of the first session."""
    out = tmp_path_factory.mktemp("bundles")
    words = ["calibrate", "--subject", "02", "--from", str(session(data, 1)), "--out", str(out)]
    assert cli.main(words) == 0
    return out


@pytest.fixture(scope="module")
def backbone(data, tmp_path_factory) -> Path:
    """It has learnt from the first two sessions."""
    pytest.importorskip("torch")
    from calibration.pretraining import PretrainingSettings, pretrain

    out = tmp_path_factory.mktemp("model")
    settings = TrainingSettings(epochs=1)
    pretrain(
        PretrainingSettings(data, out, sessions="2/0/1", text=False, settings=settings),
        lambda *_: None,
    )
    return out


def session(data: Path, number: int) -> Path:
    """A merged session."""
    return data / f"sub-02_ses-0{number}.npy"


def run_of(data: Path, number: int) -> Path:
    """The first run of a session."""
    return data / RUN.format(number, number)


@pytest.fixture
def said(capsys):
    def run(*words: object) -> tuple[int, dict, str]:
        capsys.readouterr()
        code = cli.main([*map(str, words), "--json"])
        out, err = capsys.readouterr()
        return code, json.loads(out.splitlines()[-1]) if out else {}, err

    return run


def test_a_run_of_a_session_that_is_there_too_is_left_out(data, tmp_path, said):
    code, found, _ = said("calibrate", "--subject", "02", "--out", tmp_path,
                          "--from", session(data, 1), run_of(data, 1))  # fmt: skip
    assert code == 0
    assert found["n"] == 80
    (refused,) = found["refused"]
    assert refused["file"] == str(run_of(data, 1))
    assert refused["reason"] == f"holds 40 trials that {session(data, 1)} holds too"


def test_a_replay_of_a_training_run_is_no_test_whatever_its_name(data, bundles, tmp_path, said):
    own = tmp_path / "anything.npy"
    shutil.copy(session(data, 1), own)
    shutil.copy(session(data, 1).with_suffix(".json"), own.with_suffix(".json"))
    for path in (own, run_of(data, 1)):
        code, found, err = said("replay", path, "--bundle", bundles, "--speed", "max")
        assert code == 0, err
        assert (found["verdict"], found["seen_in_training"]) == ("NO-GO", [str(path)])
        assert "its figures are no test" in err
    code, found, _ = said("replay", run_of(data, 2), "--bundle", bundles, "--speed", "max")
    assert code == 0
    assert found["seen_in_training"] == []


def test_an_update_takes_fresh_trials_only(data, bundles, tmp_path, said):
    words = ("calibrate", "--subject", "02", "--update", bundles, "--out", tmp_path)
    code, found, err = said(*words, "--from", session(data, 1))
    assert (code, found) == (2, {})
    assert "holds 80 trials that the bundle was trained on (sub-02_ses-01.npy)" in err
    code, found, err = said(*words, "--from", session(data, 2))
    assert code == 0, err
    assert found["verdict"] == "NO-GO"
    for number, seen in ((1, True), (2, True), (3, False)):
        path = run_of(data, number)
        code, found, _ = said("replay", path, "--bundle", tmp_path, "--speed", "max")
        assert bool(found["seen_in_training"]) == seen


@pytest.mark.slow
def test_calibration_on_trials_of_pretraining_is_not_a_valid_test(data, backbone, tmp_path, said):
    words = ("calibrate", "--subject", "02", "--backbone", backbone, "--out", tmp_path)
    code, found, _ = said(*words, "--from", session(data, 1))
    assert code == 0
    assert found["verdict"] == "NO-GO"
    assert found["reason"].startswith("no test: the backbone has learnt from 80 of these trials")
    assert found["seen_in_pretraining"] == 80
    code, found, err = said(*words, "--from", session(data, 3))
    assert code == 0, err
    assert "no test" not in found["reason"]
    assert found["seen_in_pretraining"] == 0
    code, found, _ = said("replay", run_of(data, 2), "--bundle", tmp_path, "--speed", "max")
    assert found["seen_in_training"] == [str(run_of(data, 2))]  # the backbone's
    code, found, err = said("evaluate", "--data", data, "--model", tmp_path)
    assert code == 2
    assert "the bundle was trained on it" in err
