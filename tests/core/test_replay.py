"""``rtbci replay``: the same bytes every time, and no figure that is no test."""

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
from sklearn.metrics import accuracy_score, balanced_accuracy_score, roc_auc_score

from calibration.fitting.first_runs import guess_labels
from calibration.fitting.training import CalibrationSettings, calibrate
from rtbci import cli
from rtbci.decoding.offline import speed_reached
from rtbci.errors import BadInput
from rtbci.recorder.xdf_writer import write_recording
from rtbci.signal.recording import Recording
from rtbci.subjects import subject_of
from rtbci.types import Gap
from sims.generate import generate

ROOT = Path(__file__).resolve().parents[2]
LABELS = {"1": "house", "2": "face"}
DECISION = {"event", "index", "onset", "true", "label", "probabilities", "flags", "rejected"}
FIGURES = ("accuracy", "balanced_accuracy", "auc")
SUMMARY = {"event", "n_events", "n_decided", "n_rejected", *FIGURES,
           *(f"{name}_ci95" for name in FIGURES), "chance", "p_value", "accuracy_when_sure",
           "share_sure", "gaps", "real_time_factor"}  # fmt: skip
MORE = {"verdict", "reason", "rejected", "seen_in_training", "recordings", "majority",
        "permutations", "interval", "n_duplicates", "latency_shift_ms"}  # fmt: skip

Line = dict[str, Any]


def nothing(_stage: str, _done: int, _of: int) -> None:
    """Progress that nobody looks at."""


def made(seed: int, **more) -> Recording:
    """A small recording of one person."""
    return generate(seed, **{"n_trials": 60, "soa": 1.0, "channels": 4, **more})


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Three runs, and a bundle of the first."""
    folder = tmp_path_factory.mktemp("replay")
    for number in (1, 2, 3):
        write_recording(folder / f"sub-07_run-{number}.xdf", made(number))
    from rtbci.formats import read

    recording = read(folder / "sub-07_run-1.xdf")
    result = calibrate([recording], CalibrationSettings("sub-07", LABELS), nothing, permute=False)
    result.bundle.save(folder / "trained")
    return folder


@pytest.fixture
def run(folder, monkeypatch, capsys) -> Callable[..., tuple[int, str, str]]:
    """The command in this process, without the bus: exit code, stdout, stderr."""
    monkeypatch.chdir(folder)

    def run(*words: str | Path) -> tuple[int, str, str]:
        fast = [] if "--speed" in words else ["--speed", "max"]
        code = cli.main(["replay", *map(str, words), *fast])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def parsed(text: str) -> tuple[list[Line], Line]:
    """Decisions and summary."""
    *decisions, summary = (json.loads(line) for line in text.splitlines())
    assert all(each["event"] == "decision" for each in decisions)
    assert summary["event"] == "summary"
    return decisions, summary


@pytest.fixture(scope="module")
def twice(folder) -> list[subprocess.CompletedProcess[str]]:
    """The same replay in two processes of their own."""
    words = ["replay", "sub-07_run-2.xdf", "--bundle", "trained", "--speed", "max", "--headless",
             "--json"]  # fmt: skip
    return [
        subprocess.run(
            [sys.executable, "-W", "error", "-m", "rtbci", *words], cwd=folder,
            capture_output=True, check=False, encoding="utf-8", timeout=100,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed},
        )
        for seed in ("1", "2")
    ]  # fmt: skip


def test_the_same_replay_twice_gives_the_same_bytes(twice):
    one, other = twice
    assert one.returncode == other.returncode == 0, one.stderr
    assert len(one.stdout.splitlines()) == 61
    assert one.stdout == other.stdout


def test_one_object_a_line_with_the_promised_keys(twice):
    decisions, summary = parsed(twice[0].stdout)
    onsets = [marker.index for marker in made(2).markers]
    labels = [LABELS[marker.label] for marker in made(2).markers]
    assert [each["index"] for each in decisions] == onsets
    assert [each["true"] for each in decisions] == labels
    for each in decisions:
        assert each.keys() == DECISION
        assert each["onset"] == each["index"] / 250
        assert set(each["probabilities"]) == {"house", "face"}
        assert each["label"] == max(each["probabilities"], key=each["probabilities"].get)
    assert summary.keys() == SUMMARY | MORE


def test_the_summary_counts_what_the_lines_say(twice):
    decisions, summary = parsed(twice[0].stdout)
    true = np.array([each["true"] == "face" for each in decisions])
    named = np.array([each["label"] == "face" for each in decisions])
    p = [each["probabilities"]["face"] for each in decisions]
    sure = np.array(["unsure" not in each["flags"] for each in decisions])
    assert (summary["n_events"], summary["n_decided"], summary["n_rejected"]) == (60, 60, 0)
    assert summary["accuracy"] == pytest.approx(accuracy_score(true, named))
    assert summary["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(true, named))
    assert summary["auc"] == pytest.approx(roc_auc_score(true, p))
    assert summary["accuracy_when_sure"] == pytest.approx((true == named)[sure].mean())
    assert summary["share_sure"] == pytest.approx(sure.mean())
    assert summary["chance"] == 0.5
    assert summary["p_value"] <= 0.01
    assert summary["verdict"] == "GO"
    assert summary["gaps"] == 0


def test_what_happened_is_told_on_stderr(twice):
    first, last = twice[0].stderr.splitlines()
    assert first.startswith("decoding with bundle ")
    assert "of sub-07 (house, face; not tested)" in first
    assert "replayed in" in last


def test_a_person_sees_the_summary(run):
    code, out, err = run("sub-07_run-2.xdf", "--bundle", "trained")
    assert (code, err) == (0, "")
    assert out.startswith("decoding with bundle ")
    for word in ("above chance", "60, 60 decided, 0 rejected", "balanced accuracy", "AUC", "chance",
                 "when sure", "real time"):  # fmt: skip
        assert word in out, word


def test_without_a_bundle_the_first_runs_calibrate_and_the_rest_is_replayed(run):
    runs = [f"sub-07_run-{number}.xdf" for number in (1, 2, 3)]
    code, out, err = run(*runs, "--labels", "1=house,2=face", "--json")
    assert code == 0
    assert err.splitlines()[0].endswith(
        "the first 2 of 3 runs calibrate (1=house, 2=face), the rest is replayed"
    )
    decisions, summary = parsed(out)
    assert [each["index"] for each in decisions] == [marker.index for marker in made(3).markers]
    assert (summary["n_events"], summary["recordings"]) == (60, 1)
    assert summary["seen_in_training"] == []
    code, out, _ = run(*runs[:2])
    assert code == 0
    assert "the first 1 of 2 runs calibrate (1, 2)" in out.splitlines()[0]


def test_of_one_run_the_first_events_calibrate_and_later_ones_are_the_test(run):
    code, out, err = run("sub-07_run-1.xdf", "--json")
    assert code == 0
    assert "the first 60 % of the events calibrate" in err.splitlines()[0]
    decisions, summary = parsed(out)
    onsets = [marker.index for marker in made(1).markers]
    window = 274  # samples that windows of the gate span: no test trial shares signal
    expected = [onset for onset in onsets if onset > onsets[35] + window]
    found = [each["index"] for each in decisions]
    assert found == expected or found == expected[1:]
    assert 20 <= summary["n_events"] <= 24
    assert summary["seen_in_training"] == []


def test_the_newest_bundle_of_the_person_that_the_path_names_is_taken(run, folder, tmp_path,
                                                                      monkeypatch):  # fmt: skip
    (tmp_path / "bundles").mkdir()
    (tmp_path / "bundles/sub-07").symlink_to(folder / "trained/sub-07")
    monkeypatch.chdir(tmp_path)
    code, out, _ = run(folder / "sub-07_run-2.xdf")
    assert code == 0
    assert out.startswith("decoding with the newest bundle bundles/sub-07/")


def test_several_files_are_replayed_one_after_the_other(run):
    code, out, _ = run("sub-07_run-3.xdf", "sub-07_run-2.xdf", "--bundle", "trained", "--json")
    assert code == 0
    decisions, summary = parsed(out)
    assert [each["file"] for each in decisions] == ["sub-07_run-3.xdf"] * 60 + [
        "sub-07_run-2.xdf"
    ] * 60
    assert all(each.keys() == DECISION | {"file"} for each in decisions)
    assert (summary["n_events"], summary["recordings"]) == (120, 2)
    _, alone, _ = run("sub-07_run-2.xdf", "--bundle", "trained", "--json")
    again = [{k: v for k, v in each.items() if k != "file"} for each in decisions[60:]]
    assert parsed(alone)[0] == again  # nothing is carried from one recording to the next


def test_a_file_that_was_trained_on_is_no_test(run):
    code, out, err = run("sub-07_run-1.xdf", "--bundle", "trained", "--json")
    assert code == 0
    _, summary = parsed(out)
    assert summary["seen_in_training"] == ["sub-07_run-1.xdf"]
    assert summary["verdict"] == "NO-GO"
    assert "no test" in summary["reason"]
    assert "sub-07_run-1.xdf was used to train this bundle: its figures are no test" in err


def test_gaps_and_dead_electrodes_are_counted_and_told(run, folder):
    recording = made(4)
    signal = np.delete(recording.signal, np.r_[5000:5500], axis=0)
    write_recording(folder / "holed.xdf", replace(recording, signal=signal, gaps=(Gap(5000, 500),)))
    t = np.arange(len(recording.signal)) / 250
    humming = recording.signal.copy()
    humming[:, 1] += (40 * np.sin(2 * np.pi * 16 * t)).astype(np.float32)
    write_recording(folder / "humming.xdf", replace(recording, signal=humming))
    code, out, _ = run("holed.xdf", "--bundle", "trained", "--json")
    decisions, summary = parsed(out)
    assert code == 0
    assert summary["gaps"] == 1
    assert summary["n_events"] == len(decisions) == 60
    assert summary["n_rejected"] + summary["n_decided"] == 60
    assert set(summary["rejected"]) == {"gap", "settling"}
    assert sum(summary["rejected"].values()) == summary["n_rejected"] > 5
    code, out, err = run("humming.xdf", "--bundle", "trained", "--json")
    decisions, summary = parsed(out)
    assert code == 0
    assert {each["label"] for each in decisions} == {None}
    assert {each["rejected"] for each in decisions} == {"no reliable signal: Pz hums at 16.0 Hz"}
    assert (summary["n_decided"], summary["n_rejected"]) == (0, 60)
    for name in FIGURES:
        assert summary[name] is None
        assert summary[f"{name}_ci95"] is None
    assert summary["p_value"] is None
    assert summary["verdict"] == "NO-GO"
    assert "no reliable signal in humming.xdf: Pz hums at 16.0 Hz" in err
    code, out, _ = run("humming.xdf", "--bundle", "trained")
    assert code == 0
    assert "60, 0 decided, 60 rejected" in out


def test_the_wrong_recording_says_what_does_not_fit(run, folder):
    write_recording(folder / "fast.xdf", made(5, rate=500.0))
    write_recording(folder / "three.xdf", made(5, channels=3))
    for name, sentence in (
        ("fast.xdf", "runs at 500 Hz, the bundle of sub-07 was made for 250 Hz"),
        ("three.xdf", "has no electrode Fz"),
    ):
        code, out, err = run(name, "--bundle", "trained", "--json")
        assert code == 2
        assert out == ""
        assert sentence in err
        assert "Traceback" not in err


WRONG: dict[str, tuple[tuple[str, ...], str]] = {
    "no such file": (("nowhere.xdf", "--bundle", "trained"), "nowhere.xdf"),
    "no bundle there": (("sub-07_run-2.xdf", "--bundle", "nowhere"), "no bundle in nowhere"),
    "a file twice": (("sub-07_run-2.xdf", "./sub-07_run-2.xdf"), "named twice"),
    "no speed": (("sub-07_run-2.xdf", "--speed", "0"), "expected max or a number above 0"),
    "no number": (("sub-07_run-2.xdf", "--speed", "fast"), "expected max or a number above 0"),
    "the bus at max": (("sub-07_run-2.xdf", "--public", "--speed", "max"), "does not use the bus"),
    "whose session": (
        ("sub-07_run-2.xdf", "--public", "--lsl-session", "x", "--speed", "1"),
        "leave out --lsl-session or --public",
    ),
    "labels that are not there": (("sub-07_run-2.xdf", "--labels", "8=a,9=b"), "events"),
    "no file": ((), "FILE is missing"),
}


@pytest.mark.parametrize("what", WRONG)
def test_bad_input_is_one_sentence_and_exit_2(what, run):
    words, sentence = WRONG[what]
    code, out, err = run(*words, "--json")
    assert code == 2
    assert out == ""
    last = err.splitlines()[-1]
    assert last.startswith("rtbci replay: ")
    assert sentence in last
    assert "Traceback" not in err


def test_classes_are_guessed_from_markers_that_come_often():
    recording = made(1)
    rare = replace(recording.markers[0], label="button", index=recording.markers[0].index + 40)
    assert guess_labels([replace(recording, markers=(*recording.markers, rare))]) == {
        "1": "1", "2": "2",
    }  # fmt: skip
    few = [replace(recording, markers=tuple(m for m in recording.markers if m.label == "1")[:9])]
    with pytest.raises(BadInput, match=r"cannot tell the classes .*: 1 \(9\); .*--labels"):
        guess_labels(few)


@pytest.mark.parametrize(
    ("path", "subject"),
    [
        ("sub-02_ses-01.npy", "sub-02"),
        ("subject3/session1/x.csv", "sub-3"),
        ("data/sub-11/sub-12_run-1.xdf", "sub-12"),
        ("sim-01/replay.xdf", "sim-01"),
        ("eegmmi/S001/S001R03.edf", "sub-S001"),
        ("substance/run.xdf", None),
        ("run.xdf", None),
    ],
)
def test_a_path_names_the_person_or_nobody(path, subject):
    assert subject_of(Path(path)) == subject


def test_the_speed_for_programs_is_one_that_was_reached_for_sure():
    assert speed_reached(120, 0.5) == speed_reached(120, 0.01) == 50
    assert speed_reached(120, 3.0) == 10
    assert speed_reached(0, 0) == 1
