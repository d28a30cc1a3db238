"""``rtbci stream`` as a process, read over the network by plain pylsl."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np
import psutil
import pytest

from rtbci import cli
from rtbci.recorder.xdf_writer import write_recording
from rtbci.types import Gap
from tests.support.counted import CHANNELS, TYPES, counted, counted_file
from tests.support.lsl_reader import Reader
from tests.support.lsl_source import ROOT, session
from tests.support.lsl_stream import Start, streams

pytestmark = pytest.mark.lsl
LEAVE_S = 3.0  # within which it must be gone


@pytest.fixture
def stream() -> Iterator[Start]:
    with streams() as start:
        yield start


def test_two_readers_get_every_sample_with_its_exact_stamp_at_speed_8(stream, tmp_path):
    path = counted_file(tmp_path, 20)
    played = stream(path, "--speed", "8", "--wait-for", "2")
    readers = [Reader(played.session, tmp_path), Reader(played.session, tmp_path)]
    ready = played.until("ready")
    assert (ready["samples"], ready["speed"], ready["rate"]) == (5000, 8, 250)
    assert ready["source_id"].endswith(f":{played.session}:eeg")
    assert played.until("end")["index"] == 5000
    for got in (reader.result() for reader in readers):
        np.testing.assert_array_equal(got.counter, np.arange(5000))
        assert got.t0 == ready["t0"]
        counted_stamps = got.stamps[-5000:]
        np.testing.assert_allclose(
            counted_stamps, got.t0 + np.arange(5000) / 250, rtol=0, atol=1e-9
        )
        lead = got.x[:-5000]
        assert len(lead) >= 0.5 * 8 * 250 - 1
        assert (lead == got.x[-5000]).all()
        texts = [text for text in got.texts if text.startswith("m")]
        assert texts == [f"m{i}" for i in range(100, 5000, 125)]
        stamps = got.text_stamps[-len(texts) :]
        np.testing.assert_allclose(
            stamps, got.t0 + np.arange(100, 5000, 125) / 250, rtol=0, atol=1e-9
        )
    assert played.rest() == 0
    done = played.all("done")[0]
    assert (done["samples"], done["markers"]) == (5000, 40)
    assert played.errors() == ""


def test_the_description_says_all_that_a_reader_needs(stream, tmp_path):
    played = stream(counted_file(tmp_path, 3), "--speed", "4", "--wait-for", "1", "--name", "amp")
    got = Reader(played.session, tmp_path, name="amp").result()
    channels = got.desc.findall("channels/channel")
    assert [each.findtext("label") for each in channels] == list(CHANNELS)
    assert [each.findtext("type") for each in channels] == list(TYPES)
    assert {each.findtext("unit") for each in channels} == {"microvolts"}
    assert [each.findtext("location/X") for each in channels] == ["-65", "0", "67", None]
    fields = {each.tag: each.text for each in got.desc if each.tag != "channels"}
    assert fields.pop("t0") == repr(played.until("ready")["t0"])
    assert len(str(fields.pop("recording"))) == 64
    assert fields == {
        "manufacturer": "rtbci stream", "speed": "4.0", "lead_in": "8.0", "stamps": "regular",
        "samples": "750", "rate": "250.0",
    }  # fmt: skip


def test_samples_come_when_they_are_due_and_never_early(stream, tmp_path):
    played = stream(counted_file(tmp_path, 3), "--wait-for", "1")
    got = Reader(played.session, tmp_path).result()
    late = played.until("start")["late"]
    counts = got.stamps >= got.t0 - 1e-9
    last_of_chunk = np.arange(2, counts.sum(), 5)
    age = (got.came - got.stamps - late)[counts]
    assert age.min() > -1e-3
    assert np.median(age) < 0.04  # chunks of 20 ms, and a reader that polls at 50 Hz
    assert len(last_of_chunk) == 150
    assert played.rest() == 0
    median, _ = played.all("done")[0]["late_ms"]
    assert median < 5


def test_in_a_gap_of_the_recording_nothing_is_sent_and_stamps_go_on(stream, tmp_path):
    path = tmp_path / "holed.xdf"
    write_recording(path, counted(gaps=(Gap(500, 600),)))
    played = stream(path, "--speed", "8", "--wait-for", "1")
    got = Reader(played.session, tmp_path).result()
    index = np.round((got.stamps - got.t0) * 250)
    keep = index >= 0
    np.testing.assert_array_equal(got.counter, index[keep])
    assert np.diff(index[keep]).max() == 601
    assert got.desc.findtext("samples") == "3100"


def test_it_waits_for_the_last_reader_and_says_how_late_it_starts(stream, tmp_path):
    path = counted_file(tmp_path, 2)
    played = stream(path, "--wait-for", "2", "--lead-in", "0.6", "--speed", "2")
    first = Reader(played.session, tmp_path)
    first.wait_open()
    waiting = played.until("waiting")
    while waiting["there"] < 1:
        waiting = played.until("waiting")
    assert waiting["wanted"] == 2
    second = Reader(played.session, tmp_path)
    late = played.until("start")["late"]
    assert late > 1
    for got in (first.result(), second.result()):
        np.testing.assert_array_equal(got.counter, np.arange(500))
        assert json.loads(got.texts[0]) == {"label": "rtbci-start", "late": late}
        assert got.text_stamps[0] < got.t0
        assert got.came[0] > got.t0  # nothing before everybody was there
        age = got.came[-1] - (got.t0 + (got.stamps[-1] - got.t0) / 2 + late)
        assert -1e-3 < age < 0.5


def test_a_frozen_sender_loses_nothing(stream, tmp_path):
    played = stream(counted_file(tmp_path, 6), "--wait-for", "1", "--speed", "2")
    reader = Reader(played.session, tmp_path, idle=3)
    played.until("start")
    time.sleep(0.8)  # into the replay; where exactly does not matter
    played.process.send_signal(signal.SIGSTOP)
    time.sleep(1.0)
    played.process.send_signal(signal.SIGCONT)
    got = reader.result()
    np.testing.assert_array_equal(got.counter, np.arange(1500))
    held = np.diff(got.came).max()
    assert held > 0.8


@pytest.mark.parametrize("kills", [False, True], ids=["one process", "lives"])
@pytest.mark.parametrize(
    ("how", "code"),
    [("SIGTERM", 143), ("SIGINT", 130), ("finish", 0), ("stop", 0), ("end of stdin", 0)],
)
def test_it_leaves_at_once_when_told(stream, tmp_path, how, code, kills):
    words = ["--control", "stdin", "--lead-in", "0.1"]
    if kills:
        script = tmp_path / "gone.toml"
        script.write_text('[[fault]]\nat = 9\ndo = "kill"\nfor = 0.5\n')
        words += ["--fault", str(script)]
    played = stream(counted_file(tmp_path, 10), *words)
    played.until("start")
    children = psutil.Process(played.process.pid).children()
    assert len(children) == 2 * kills
    began = time.monotonic()
    if how.startswith("SIG"):
        played.process.send_signal(signal.Signals[how])
    elif how == "end of stdin":
        assert played.process.stdin is not None
        played.process.stdin.close()
    else:
        played.order(how)
    assert played.rest() == code
    assert time.monotonic() - began < LEAVE_S
    assert played.all("done")
    assert psutil.wait_procs(children, timeout=0.5)[1] == []


def test_it_lingers_for_slow_readers_until_it_may_go(stream, tmp_path):
    path = counted_file(tmp_path, 1)
    played = stream(
        path, "--speed", "8", "--lead-in", "0.1", "--control", "stdin", "--linger", "60"
    )
    played.until("end")
    with pytest.raises(subprocess.TimeoutExpired):
        played.process.wait(0.5)
    played.order("finish")
    assert played.rest() == 0


def test_it_loads_nothing_heavy(tmp_path):
    path = counted_file(tmp_path, 0.5)
    code = f"""
import sys
from rtbci.cli import main
sys.argv = ["rtbci"]
assert main(["stream", {str(path)!r}, "--speed", "8", "--lead-in", "0.1", "--linger", "0",
             "--lsl-session", {session()!r}, "--lsl-scope", "machine"]) == 0
heavy = {{"scipy", "sklearn", "pyriemann", "mne", "torch", "matplotlib", "rich", "pyxdf"}}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60,
        check=True,
    )  # fmt: skip
    assert done.stdout == "[]\n"
    assert "125 samples and 1 markers were sent" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--stamps", "file"], "holds no time stamps of its own; play it with --stamps regular"),
        (["--speed", "0"], "'0' is not a speed"),
        (["--speed", "max"], "expected a number, found 'max'"),
        (["--wait-for", "-1"], "'-1' is not a whole number from 0 to 100"),
        (["--chunk", "0"], "'0' is not a whole number from 1 to 100,000"),
        (["--lead-in", "-1"], "'-1' is not between 0 and 3600 seconds"),
        (["--name", " "], "' ' is not a stream name"),
        (["--fault", "nowhere.toml"], "no file nowhere.toml; check the name"),
        (["--channels", "C3,Xx"], "no channel Xx in"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(tmp_path, capsys, words, said):
    path = counted_file(tmp_path, 1)
    assert cli.main(["stream", str(path), *words]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
