"""``rtbci calibrate`` as a person runs it: recordings in, a bundle and the truth about it out."""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calibration.fitting import permutation
from rtbci import cli
from rtbci.commands.option_types import (
    frequencies,
    labels,
    mains,
    microvolts,
    names,
    reference,
    subject_id,
)
from rtbci.decoding.bundle import load_bundle
from rtbci.messages import line
from rtbci.recorder.xdf_writer import write_recording
from rtbci.signal.recording import Recording
from sims.generate import generate

ROOT = Path(__file__).resolve().parents[2]
FIGURES = ("accuracy", "balanced_accuracy", "auc")
ASKED = {"verdict", *FIGURES, *(f"{name}_ci95" for name in FIGURES), "chance", "p_value", "n",
         "trials", "rejected", "decoder", "bundle"}  # fmt: skip
MORE = {"event", "reason", "majority", "permutations", "interval", "permutation", "refused",
        "paradigm", "channels", "settle_s", "temperature", "latency", "subject",
        "seen_in_pretraining"}  # fmt: skip


def made(seed: int, **more) -> Recording:
    """A small recording of one person."""
    return generate(seed, **{"n_trials": 60, "soa": 1.0, "channels": 4, **more})


def child(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """``python -m rtbci`` in a process of its own, warnings being errors."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "rtbci", *map(str, words)],
        cwd=cwd, capture_output=True, check=False, encoding="utf-8", timeout=100,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Recordings to calibrate on."""
    folder = tmp_path_factory.mktemp("recordings")
    write_recording(folder / "run1.xdf", made(1))
    write_recording(folder / "run2.xdf", made(2))
    return folder


@pytest.fixture(scope="module")
def calibrated(folder) -> subprocess.CompletedProcess[str]:
    """The command of the issue, once."""
    return child("calibrate", "--headless", "--subject", "02", "--from", "run1.xdf", "run2.xdf",
                 "--labels", "1=house,2=face", "--json", cwd=folder)  # fmt: skip


@pytest.fixture
def run(folder, monkeypatch, capsys) -> Callable[..., tuple[int, str, str]]:
    """The command in this process, with few shuffles: exit code, stdout, stderr."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(permutation, "HEADS", 50)

    def run(*words: str | Path) -> tuple[int, str, str]:
        code = cli.main(["calibrate", *map(str, words)])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_one_json_object_with_the_promised_keys(calibrated):
    assert calibrated.returncode == 0, calibrated.stderr
    (told,) = calibrated.stdout.splitlines()
    result = json.loads(told)
    assert result.keys() == ASKED | MORE
    assert result["event"] == "calibrated"
    assert (result["verdict"], result["n"], result["chance"]) == ("GO", 120, 0.5)
    assert result["trials"] == {"house": 60, "face": 60}
    for name in FIGURES:
        low, high = result[f"{name}_ci95"]
        assert 0.5 < low < result[name] < high <= 1
    assert result["p_value"] == pytest.approx(1 / 1001)
    assert result["permutations"] == 1000
    assert result["permutation"].startswith("1000 shuffles within blocks")
    assert result["refused"] == []
    assert [each["lag_ms"] for each in result["latency"]] == [0, 0]
    assert calibrated.stderr == ""


def test_the_bundle_is_at_the_reported_path_and_holds_the_same_figures(calibrated, folder):
    result = json.loads(calibrated.stdout)
    path = folder / result["bundle"]
    assert path.parent == folder / "bundles" / "sub-02"
    bundle = load_bundle(path)
    assert bundle.subject == result["subject"] == "sub-02"
    assert bundle.verdict.word == "GO"
    assert bundle.training["p_value"] == pytest.approx(result["p_value"])
    assert bundle.training["auc"] == pytest.approx(result["auc"])
    files = bundle.training["files"]
    assert isinstance(files, list)
    assert [each["name"] for each in files] == ["run1.xdf", "run2.xdf"]


def test_a_person_sees_the_verdict_the_figures_and_the_next_step(run, tmp_path):
    code, out, err = run("--subject", "sub-03", "--from", "run1.xdf", "--labels", "1=house,2=face",
                         "--out", tmp_path)  # fmt: skip
    assert (code, err) == (0, "")
    for word in ("CAUTION", "GO", "balanced accuracy", "AUC", "chance", "50.0 % balanced",
                 "house 30, face 30", "60, every one in a block", "settling"):  # fmt: skip
        if word not in ("CAUTION", "GO"):
            assert word in " ".join(out.split()), word
    assert "GO" in out or "CAUTION" in out
    assert "next: " in out
    assert "rtbci replay FILE --bundle" in out
    assert "Traceback" not in out


def test_noise_is_called_noise_in_the_first_line(run, folder, tmp_path):
    write_recording(folder / "noise.xdf", made(9, strength="none"))
    code, out, _ = run("--subject", "4", "--from", "noise.xdf", "--labels", "1=a,2=b",
                       "--out", tmp_path)  # fmt: skip
    assert code == 0
    assert "NO-GO  not above chance" in out
    assert "GO" not in out.replace("NO-GO", "")


def test_options_reach_the_bundle(run, tmp_path):
    code, out, _ = run("--subject", "5", "--from", "run1.xdf", "--labels", "2=face,1=house",
                       "--channels", "Oz,Cz,Pz", "--window", "0", "0.6", "--band", "0.5", "15",
                       "--reject", "none", "--line", "none", "--reference", "Cz", "--out", tmp_path,
                       "--json")  # fmt: skip
    assert code == 0
    bundle = load_bundle(json.loads(out)["bundle"])
    recipe = bundle.recipe
    assert bundle.decoder.classes == ("face", "house")
    assert recipe.channels == ("Oz", "Cz", "Pz")
    assert (recipe.window, recipe.bands[0]) == ((0.0, 0.6), (0.5, 15.0))
    assert (recipe.reject, recipe.line, recipe.reference) == (None, None, ("Cz",))


def test_dropped_and_shifted_trials_are_reported(run, folder, tmp_path):
    late = made(3)
    markers = tuple(replace(marker, index=marker.index - 13) for marker in late.markers)
    write_recording(folder / "late.xdf", replace(late, markers=markers))
    (folder / "copy.xdf").write_bytes((folder / "run1.xdf").read_bytes())
    write_recording(folder / "few.xdf", replace(made(4), markers=made(4).markers[:5]))
    files = ["late.xdf", "run1.xdf", "copy.xdf", "few.xdf", "run2.xdf"]
    code, out, err = run("--subject", "6", "--from", *files, "--labels", "1=a,2=b",
                         "--out", tmp_path, "--json")  # fmt: skip
    assert code == 0
    result = json.loads(out)
    assert result["refused"] == [
        {"file": "copy.xdf", "reason": "is byte for byte the same file as run1.xdf"},
        {"file": "few.xdf", "reason": "has almost no markers: 5, at least 10 are needed"},
    ]
    first, *others = err.splitlines()
    assert first == "left out: copy.xdf is byte for byte the same file as run1.xdf"
    assert others[0].startswith("left out: few.xdf has almost no markers")
    assert others[1].startswith("latency: late.xdf shifted by +")
    lags = {each["file"]: each["lag_ms"] for each in result["latency"]}
    assert 30 <= lags["late.xdf"] <= 72
    assert lags["run1.xdf"] == lags["run2.xdf"] == 0


def test_a_foreign_file_is_reported(run, folder, tmp_path):
    for name in ("sub-06_run-1.xdf", "sub-07_run-2.xdf"):
        (folder / name).write_bytes((folder / f"run{name[-5]}.xdf").read_bytes())
    code, _, err = run("--subject", "6", "--from", "sub-06_run-1.xdf", "sub-07_run-2.xdf",
                       "--labels", "1=a,2=b", "--out", tmp_path, "--json")  # fmt: skip
    assert code == 0
    found = [each for each in err.splitlines() if "the bundle is of" in each]
    assert found == ["worth a look: sub-07_run-2.xdf: names sub-07, the bundle is of sub-6"]


GOOD = ("--headless", "--subject", "7", "--from", "run1.xdf", "--labels", "1=house,2=face")
WRONG: dict[str, tuple[tuple[str, ...], str]] = {
    "no such file": (("--from", "nowhere.xdf"), "nowhere.xdf"),
    "a file twice": (("--from", "run1.xdf", "./run1.xdf"), "named twice"),
    "no recording": (("--from", "notes.txt"), "notes.txt"),
    "a name": (("--subject", "Jane Doe"), "no pseudonym"),
    "an address": (("--subject", "a@b.org"), "no pseudonym"),
    "a way out": (("--subject", "../x"), "no pseudonym"),
    "labels without names": (("--labels", "1,2"), "not a list of marker=class pairs"),
    "one marker twice": (("--labels", "1=a,1=b"), "names a marker twice"),
    "one class": (("--labels", "1=a"), "names 1 class; a decoder needs two"),
    "markers that are not there": (("--labels", "7=a,8=b"), "no markers named 7, 8; found: "),
    "an electrode that is not there": (("--channels", "Cz,XX"), "no channel XX"),
    "a frequency too few": (("--frequencies", "20"), "1 frequency for 2 classes"),
    "a frequency twice": (("--frequencies", "20,20"), "not a list of different frequencies"),
    "a window turned round": (("--window", "0.8", "0.1"), "window 0.8 to 0.1 s "),
    "a band beyond the rate": (("--band", "1", "300"), "choose another --band"),
    "a tuning of nothing": (("--tune", "heads"), "name one: --backbone"),
    "no network": (("--backbone", "nowhere"), "no pretrained backbone in nowhere"),
    "no limit": (("--reject", "-5"), "neither microvolts above 0 nor none"),
    "another mains": (("--line", "55"), "none of 50, 60, auto, none"),
    "another paradigm": (("--paradigm", "telepathy"), "evoked, oscillation"),
    "a word": (("--window", "a", "b"), "expected a number"),
    "an unknown option": (("--magic",), "no option --magic"),
    "a place that is a file": (("--out", "notes.txt"), "cannot write to notes.txt"),
}


@pytest.mark.parametrize("what", WRONG)
def test_bad_input_is_one_sentence_and_exit_2(what, run, folder):
    (folder / "notes.txt").write_text("a shopping list")
    words, sentence = WRONG[what]
    option = words[0]
    rest = [*GOOD]
    if option in rest:
        at = rest.index(option)
        del rest[at : at + 2]
    code, out, err = run(*rest, *words)
    assert code == 2
    assert out == ""
    assert sentence in err
    assert err.startswith("rtbci calibrate: ")
    assert len(err.splitlines()) == 1
    assert "Traceback" not in err


def test_bad_input_of_a_real_process_is_one_sentence_and_exit_2(folder):
    done = child("calibrate", *GOOD, "--out", "/dev/null/x", cwd=folder)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("rtbci calibrate: cannot write to /dev/null/x; ")
    assert "--out" in done.stderr


@pytest.mark.parametrize(
    ("function", "text", "value"),
    [
        (frequencies, "30,20", (30.0, 20.0)),
        (microvolts, "none", None),
        (microvolts, "75.5", 75.5),
        (mains, "auto", "auto"),
        (mains, "none", None),
        (mains, "60", 60.0),
        (reference, "average", "average"),
        (reference, "none", None),
        (reference, "M1,M2", ("M1", "M2")),
        (labels, "T1=left fist, T2 = right", {"T1": "left fist", "T2": "right"}),
        (labels, "1=a=b,2=c", {"1": "a=b", "2": "c"}),
        (names, "Cz, Right AUX", ("Cz", "Right AUX")),
        (subject_id, "02", "sub-02"),
        (subject_id, "sub-02", "sub-02"),
        (subject_id, "subject1", "sub-1"),
        (subject_id, "S001", "sub-S001"),
        (subject_id, "sim-01", "sim-01"),
    ],
)
def test_options_are_understood(function: Callable[[str], Any], text, value):
    assert function(text) == value


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (frequencies, ""), (frequencies, "a"), (frequencies, "0"),
        (frequencies, "-1,2"), (frequencies, "nan"), (frequencies, "inf"),
        (microvolts, "0"), (microvolts, "nan"), (microvolts, "inf"),
        (mains, ""), (names, "a,,b"), (names, "a,a"), (labels, ""), (labels, "=a"),
        (labels, "a="), (subject_id, ""), (subject_id, "sub-"), (subject_id, "a/b"),
        (subject_id, "x" * 41),
    ],
)  # fmt: skip
def test_options_that_make_no_sense_are_refused(function: Callable[[str], Any], text):
    with pytest.raises(argparse.ArgumentTypeError):
        function(text)


def test_a_nan_becomes_null():
    told = line({"a": float("nan"), "b": [np.inf, 1.0]})
    assert json.loads(told) == {"a": None, "b": [None, 1.0]}
