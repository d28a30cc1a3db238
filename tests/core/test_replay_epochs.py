"""Session files of epochs through the commands: calibrate and replay go over the same bridge."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rtbci import cli
from rtbci.recorder.xdf_writer import write_recording
from sims.generate import generate

ROOT = Path(__file__).resolve().parents[2]
CLASSES = ("cat", "dog")
Line = dict[str, Any]


def session(path: Path, seed: int, n: int = 80, runs: tuple[int, ...] = (20,) * 4, **more) -> None:
    """A simulated session as one array of epochs of 0.5 s, with its sidecar."""
    whole = generate(seed, n_trials=n, soa=2.0, channels=4, classes=CLASSES, **more)
    rows = round(0.5 * whole.info.rate)
    x = np.stack([whole.signal[m.index : m.index + rows] for m in whole.markers])
    np.save(path, x)
    side = {"rate": whole.info.rate, "channels": whole.info.channels, "unit": "uV",
            "axes": "epoch,time,channel", "labels": [m.label for m in whole.markers],
            "runs": runs, "images": [f"picture_{i}" for i in range(n)],
            "simulated": True}  # fmt: skip
    path.with_suffix(".json").write_text(json.dumps(side))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Two sessions of epochs, a short one, and a continuous recording."""
    folder = tmp_path_factory.mktemp("epochs")
    session(folder / "sub-02_ses-01.npy", 1)
    session(folder / "sub-02_ses-02.npy", 2)
    session(folder / "sub-02_ses-03.npy", 3, 12, (7, 5))
    continuous = generate(4, n_trials=60, soa=1.0, channels=4, classes=CLASSES)
    write_recording(folder / "sub-02_whole.xdf", continuous)
    return folder


@pytest.fixture
def run(folder, monkeypatch, capsys) -> Callable[..., tuple[int, str, str]]:
    """A command in this process: exit code, stdout, stderr."""
    monkeypatch.chdir(folder)

    def run(*words: str | Path) -> tuple[int, str, str]:
        code = cli.main(list(map(str, words)))
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture(scope="module")
def trained(folder) -> Path:
    """A bundle of the first session, made without a word about classes."""
    words = ["calibrate", "--subject", "02", "--from", str(folder / "sub-02_ses-01.npy"), "--json",
             "--out", str(folder / "trained")]  # fmt: skip
    assert cli.main(words) == 0
    return folder / "trained"


def parsed(text: str) -> tuple[list[Line], Line]:
    """Decisions and summary."""
    *decisions, summary = (json.loads(line) for line in text.splitlines())
    assert summary["event"] == "summary"
    return decisions, summary


def test_a_session_of_epochs_calibrates_itself_and_replays_its_last_run(run):
    code, out, err = run("replay", "sub-02_ses-01.npy", "--speed", "max", "--json")
    assert code == 0
    assert "holds 80 epochs and nothing between them: bridged by 3 s each" in err
    assert "no bundle: the first 3 of 4 runs calibrate (cat, dog), the rest is replayed" in err
    decisions, summary = parsed(out)
    assert len(decisions) == summary["n_decided"] == 20  # every event of the last run
    assert [each["true"] for each in decisions] == json.loads(
        Path("sub-02_ses-01.json").read_text()
    )["labels"][60:]
    assert summary["balanced_accuracy"] > 0.6
    assert np.diff([each["onset"] for each in decisions]) == pytest.approx(3.5)


def test_the_classes_of_epochs_need_not_be_named(trained, run):
    code, out, err = run("replay", "sub-02_ses-02.npy", "--bundle", trained, "--speed", "max",
                         "--json")  # fmt: skip
    decisions, summary = parsed(out)
    assert code == 0
    assert set(decisions[0]["probabilities"]) == set(CLASSES)
    assert len(decisions) == 80
    assert summary["balanced_accuracy"] > 0.6
    assert summary["verdict"] == "GO"
    assert not summary["rejected"]
    assert "decoding with bundle" in err


def test_a_bundle_of_epochs_decodes_a_continuous_recording_too(trained, run):
    words = ("replay", "sub-02_whole.xdf", "--bundle", trained, "--speed", "max", "--json")
    code, out, _ = run(*words)
    assert code == 0
    assert parsed(out)[1]["n_decided"] == 60


def test_epochs_that_are_too_short_for_a_bundle_are_refused(run, folder):
    words = ("calibrate", "--subject", "02", "--from", "sub-02_whole.xdf", "--json", "--out",
             folder / "long", "--labels", "cat=cat,dog=dog")  # fmt: skip
    assert run(*words)[0] == 0
    code, _, err = run("replay", "sub-02_ses-02.npy", "--bundle", folder / "long", "--speed", "max")
    assert code == 2
    assert "holds 0 to 0.5 s around each marker, but the bundle looks at -0.148 to 0.948 s" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("sub-02_whole.xdf",), "does not say which markers count; name the classes with"),
        (("sub-02_ses-01.npy", "--window", "0.1", "0.8"), "reaches outside the epochs"),
    ],
)
def test_what_cannot_be_calibrated_is_refused_with_the_next_step(run, words, said):
    code, _, err = run("calibrate", "--subject", "02", "--from", *words)
    assert code == 2
    assert said in err


def test_epochs_without_classes_are_refused(run, tmp_path):
    np.save(tmp_path / "a_250Hz.npy", np.random.default_rng(0).normal(0, 9, (40, 125, 4)))
    side = {"axes": "epoch,time,channel", "unit": "uV"}
    (tmp_path / "a_250Hz.json").write_text(json.dumps(side))
    for words in (("calibrate", "--subject", "1", "--from"), ("replay", "--speed", "max")):
        code, _, err = run(*words, tmp_path / "a_250Hz.npy")
        assert code == 2
        assert 'put a JSON file beside it with "labels"' in err


@pytest.mark.lsl
@pytest.mark.slow
def test_the_bus_plays_the_bridge_and_decides_the_same(trained, folder, tmp_path):
    words = ["replay", "sub-02_ses-03.npy", "--bundle", str(trained), "--json", "--headless"]
    over_bus = ["--speed", "8", "--out", str(tmp_path / "s")]
    done = [
        subprocess.run(
            [sys.executable, "-m", "rtbci", *words, *more], cwd=folder, capture_output=True,
            check=True, encoding="utf-8", timeout=100,
            env={**os.environ, "PYTHONPATH": str(ROOT), "XDG_RUNTIME_DIR": str(tmp_path / "run")},
        ).stdout
        for more in (["--speed", "max"], over_bus)
    ]  # fmt: skip
    (expected, fast), (decisions, summary) = map(parsed, done)
    for each in decisions:
        del each["stamp"], each["latency_ms"]
    assert len(expected) == 12
    assert decisions == expected
    assert (summary["lost_samples"], summary["gaps"]) == (0, 0)
    assert summary["accuracy"] == fast["accuracy"]
