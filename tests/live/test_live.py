"""Sessions over the bus, end to end: the same decisions, nothing lost, nobody left behind."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from calibration.fitting.training import CalibrationSettings, calibrate
from rtbci.recorder.xdf_writer import write_recording
from rtbci.session.folder import verify_events
from rtbci.session.processes import Bus, decode_process, private_bus
from rtbci.types import Gap
from sims.generate import generate
from tests.support.live_session import only, pids, until

pytestmark = [pytest.mark.lsl, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
LABELS = {"1": "house", "2": "face"}
BUS = {"lost_samples", "latency_ms", "recording"}

Line = dict[str, Any]


def nothing(_stage: str, _done: int, _of: int) -> None:
    """Progress that nobody looks at."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A bundle, a run with a hole, one that hums, a long one, and one that does not fit."""
    folder = tmp_path_factory.mktemp("live")
    small = {"channels": 4, "soa": 0.6}
    trained = generate(1, n_trials=60, **small)
    result = calibrate([trained], CalibrationSettings("sub-07", LABELS), nothing, permute=False)
    result.bundle.save(folder / "trained")
    recording = generate(2, n_trials=40, **small)
    signal = np.delete(recording.signal, np.r_[3000:3400], axis=0)
    holed = replace(recording, signal=signal, gaps=(Gap(3000, 400),))
    write_recording(folder / "sub-07_holed.xdf", holed)
    humming = generate(3, n_trials=10, **small)
    t = np.arange(len(humming.signal)) / 250
    humming.signal[:, 1] += (60 * np.sin(2 * np.pi * 16 * t)).astype(np.float32)
    write_recording(folder / "sub-07_humming.xdf", humming)
    write_recording(folder / "sub-07_long.xdf", generate(4, n_trials=120, **small))
    write_recording(folder / "sub-07_fast.xdf", generate(5, n_trials=10, rate=500.0, **small))
    return folder


@pytest.fixture
def start(folder, tmp_path, monkeypatch) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Start a command in ``folder``, with a run-time folder of this test's own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "RTBCI_RECORDER_IDLE": "6"}
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    environment["XDG_RUNTIME_DIR"] = str(tmp_path / "run")
    for display in ("DISPLAY", "WAYLAND_DISPLAY"):  # none is needed
        environment.pop(display, None)
    started: list[subprocess.Popen[str]] = []

    def start(*words: object) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-m", "rtbci", *map(str, words)], cwd=folder, env=environment,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=20)


def ended(process: "subprocess.Popen[str]", seconds: float = 60) -> tuple[list[Line], Line, str]:
    """Decisions, summary and stderr of a command that ends by itself."""
    out, err = process.communicate(timeout=seconds)
    *decisions, summary = [json.loads(line) for line in out.splitlines()]
    assert summary["event"] == "summary", err
    return decisions, summary, err


def first_decision(process: "subprocess.Popen[str]") -> Line:
    """Wait for a line."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.communicate()[1]
    return json.loads(line)


def events(path: Path) -> list[Line]:
    """What happened in a session."""
    return [json.loads(line) for line in (path / "events.jsonl").read_text("utf-8").splitlines()]


def everybody(path: Path) -> list[int]:
    """Process ids of all boxes."""
    return pids(path, "record", "decode", "stream")


def size(path: Path) -> int:
    """Bytes of a file; 0 where there is none."""
    return path.stat().st_size if path.exists() else 0


def rows(path: Path) -> int:
    """Samples of the EEG in all parts of a recording."""
    import pyxdf

    count = 0
    for part in sorted(path.glob("recording*.xdf")):
        streams, _ = pyxdf.load_xdf(str(part), synchronize_clocks=False, dejitter_timestamps=False)
        count += sum(len(each["time_stamps"]) for each in streams if is_eeg(each))
    return count


def is_eeg(stream: Any) -> bool:
    """Whether a stream of an XDF is the signal."""
    return stream["info"]["type"][0] == "EEG"


def same(decisions: list[Line]) -> list[Line]:
    """Decisions without what only the bus knows."""
    return [{k: v for k, v in d.items() if k not in ("stamp", "latency_ms")} for d in decisions]


def test_the_bus_decides_as_the_process_does_and_loses_nothing(start, tmp_path):
    words = ("replay", "sub-07_holed.xdf", "sub-07_humming.xdf", "--bundle", "trained", "--json")
    expected, fast, _ = ended(start(*words, "--speed", "max"))
    process = start(*words, "--speed", "8", "--out", tmp_path / "s", "--headless")
    decisions, summary, err = ended(process)
    assert process.returncode == 0
    assert same(decisions) == expected
    assert {each["file"] for each in decisions} == {"sub-07_holed.xdf", "sub-07_humming.xdf"}
    assert all(each.keys() - expected[0].keys() == {"stamp", "latency_ms"} for each in decisions)
    assert summary.keys() == fast.keys() | BUS
    different = {key for key in fast if fast[key] != summary[key]}
    assert different == {"real_time_factor"}
    assert (summary["lost_samples"], summary["gaps"]) == (0, 1)
    assert summary["real_time_factor"] == 8.0
    for stage in ("transport", "overhead", "model", "total"):
        assert 0 <= summary["latency_ms"][stage]["p50"] <= summary["latency_ms"][stage]["p99"]
    assert err.startswith("decoding with bundle ")
    assert "no reliable signal in sub-07_humming.xdf: Pz hums at 16.0 Hz" in err

    path = only(tmp_path / "s")
    assert path.stat().st_mode & 0o777 == 0o700
    assert Path(summary["recording"]).samefile(path / "recording.xdf")
    assert verify_events(path / "events.jsonl").whole
    config = json.loads((path / "session.json").read_text("utf-8"))
    assert config["lsl_session"].startswith("rtbci-")
    assert config["lsl_scope"] == "machine"
    assert set(config["bundle_sha256"]) == {"subject.json", "weights.safetensors"}
    assert not any(map(psutil.pid_exists, everybody(path)))
    assert list((tmp_path / "run" / "rtbci").iterdir()) == []


def test_a_signal_stops_safely_and_soon_with_a_summary(start, tmp_path):
    running = {  # two sessions at the same time: neither sees the other
        number: start("replay", "sub-07_long.xdf", "--bundle", "trained", "--json",
                      "--out", tmp_path / number.name)
        for number in (signal.SIGINT, signal.SIGTERM)
    }  # fmt: skip
    for number, process in running.items():
        first_decision(process)
        path = only(tmp_path / number.name)
        process.send_signal(number)
        began = time.monotonic()
        until(lambda path=path: events(path)[-1]["event"] == "closed", 5.0)
        assert time.monotonic() - began < 3.5
        _, summary, _ = ended(process)
        assert process.returncode == 128 + number
        assert summary["n_events"] >= 1
        assert summary["recordings"] == 0  # none to its end
        assert rows(path) > 250
        assert not any(map(psutil.pid_exists, everybody(path)))


def test_killed_boxes_come_back_and_the_recording_goes_on(start, tmp_path):
    process = start("replay", "sub-07_long.xdf", "--bundle", "trained", "--json", "--speed", "8",
                    "--out", tmp_path / "s")  # fmt: skip
    first_decision(process)
    path = only(tmp_path / "s")
    os.kill(pids(path, "record")[-1], signal.SIGKILL)
    began = time.monotonic()
    until(lambda: size(path / "recording_part-02.xdf") > 1000, 5.0)
    assert time.monotonic() - began < 3.0
    os.kill(pids(path, "decode")[-1], signal.SIGKILL)
    decisions, summary, err = ended(process)
    assert process.returncode == 0
    assert len(pids(path, "record")) == len(pids(path, "decode")) == 2
    assert "record was killed (signal 9); it is started again now" in err
    assert "decode is back" in err
    assert (
        decisions[-1]["index"] == generate(4, n_trials=120, channels=4, soa=0.6).markers[-1].index
    )
    assert summary["recordings"] == 1
    assert {Path(file).name for file in events(path)[-1]["recordings"]} == {
        "recording.xdf", "recording_part-02.xdf",
    }  # fmt: skip


def test_nothing_outlives_a_killed_supervisor_but_the_recorder_which_can_be_stopped(
    start, tmp_path
):
    process = start("replay", "sub-07_long.xdf", "--bundle", "trained", "--json",
                    "--out", tmp_path / "s")  # fmt: skip
    first_decision(process)
    path = only(tmp_path / "s")
    recorder = pids(path, "record")[0]
    process.kill()
    others = pids(path, "decode") + pids(path, "stream")
    until(lambda: not any(map(psutil.pid_exists, others)), 5.0)
    if psutil.pid_exists(recorder):  # it may have ended by itself: 6 s of silence
        stop = start("stop", "--json")
        out, err = stop.communicate(timeout=20)
        assert stop.returncode == 0, err
        (saved,) = json.loads(out)["recordings"]
        assert Path(saved["file"]).name == "recording.xdf"
    until(lambda: not psutil.pid_exists(recorder), 15.0)
    assert rows(path) > 250
    none = start("stop")
    assert none.communicate(timeout=20)[1] == "rtbci stop: no session is running\n"
    assert none.returncode == 3


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        (("sub-07_fast.xdf",), "runs at 500 Hz, the bundle of sub-07 was made for 250 Hz"),
        (("nowhere.xdf",), "nowhere.xdf"),
        (("sub-07_long.xdf", "sub-07_fast.xdf"), "runs at 500 Hz"),  # before the first is played
    ],
)
def test_what_does_not_fit_is_one_sentence_and_leaves_no_session(start, tmp_path, files, sentence):
    process = start("replay", *files, "--bundle", "trained", "--json", "--out", tmp_path / "s")
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (2, "")
    assert sentence in err.splitlines()[-1]
    assert "Traceback" not in err
    assert not list((tmp_path / "s").glob("*"))


def test_a_live_session_is_followed_orphaned_taken_over_and_stopped(start, tmp_path):
    bus = ("--lsl-session", uuid.uuid4().hex, "--lsl-scope", "machine")
    start("stream", "sub-07_long.xdf", "--loop", "--wait-for", "2", *bus)
    live = start("live", "--bundle", "trained", "--out", tmp_path / "s", "--json", *bus)
    assert first_decision(live)["label"] in ("house", "face")
    path = only(tmp_path / "s")

    follower = start("live", "--attach", path.name, "--json")
    assert first_decision(follower).keys() >= {"index", "stamp", "latency_ms"}
    follower.send_signal(signal.SIGINT)
    assert "goes on without this terminal" in follower.communicate(timeout=10)[1]
    assert live.poll() is None

    second = start("replay", "sub-07_fast.xdf", "--attach")  # an option that replay does not have
    assert second.wait(20) == 2
    recorder = pids(path, "record")[0]
    live.kill()
    heir = start("live", "--attach", path, "--json")
    first_decision(heir)
    assert psutil.pid_exists(recorder)
    os.kill(recorder, signal.SIGKILL)
    until(lambda: size(path / "recording_part-02.xdf") > 1000, 5.0)

    stop = start("stop", path.name)
    out, err = stop.communicate(timeout=20)
    assert stop.returncode == 0, err
    assert "is stopped" in out
    assert "recording_part-02.xdf" in out
    decisions, summary, _ = ended(heir)
    assert heir.returncode == 0
    assert summary["n_events"] == len(decisions) + 1
    assert verify_events(path / "events.jsonl").whole
    # Orphans of the killed supervisor are reaped by the system's first process, when it likes.
    until(lambda: not any(map(psutil.pid_exists, everybody(path))), 5.0)


def test_live_without_a_stream_waits_and_says_so_until_its_time_is_over(start, tmp_path):
    words = ("--lsl-session", uuid.uuid4().hex, "--lsl-scope", "machine", "--duration", "12")
    live = start("live", "--bundle", "trained", "--json", "--out", tmp_path / "s", *words)
    _, err = live.communicate(timeout=60)
    assert live.returncode == 3
    said = [line for line in err.splitlines() if "no EEG stream yet; no other stream is" in line]
    assert len(said) == 2  # while it waited, and at the end
    assert said[-1].startswith("rtbci live: ")


def test_twins_are_hardly_looked_for_where_there_can_be_none():
    own = decode_process(private_bus(), Path("b")).command
    assert own[own.index("--look") + 1] == "0.2"
    assert "--look" not in decode_process(Bus("lab-3", "machine"), Path("b")).command


@pytest.mark.parametrize(
    ("words", "why"),
    [(("--rename", "none.csv"), "no file none.csv"), (("--unit", "parsec"), "'parsec' is unknown")],
)
@pytest.mark.parametrize("command", ["live", "decode"])
def test_what_no_stream_could_mend_is_refused_before_one_is_waited_for(start, command, words, why):
    box = start(command, "--bundle", "trained", *words)
    _, err = box.communicate(timeout=20)
    assert box.returncode == 2
    assert why in err
