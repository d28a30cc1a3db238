"""``rtbci record`` against real streams: everything that was sent is in the file, or it says so."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pylsl
import pytest
import pyxdf

from rtbci import cli
from tests.support.lsl_source import CONFIG, markers, session, source, stop
from tests.support.record_box import Recorder

pytestmark = pytest.mark.lsl


def streams(path: Path) -> list[dict]:
    """What plain pyxdf reads, stamps as they were sent."""
    found, _ = pyxdf.load_xdf(
        str(path), dejitter_timestamps=False, synchronize_clocks=False, verbose=False
    )
    return found


def one(path: Path, name: str = "eeg") -> dict:
    """The only stream of that name."""
    (found,) = [s for s in streams(path) if s["info"]["name"] == [name]]
    return found


def counted(stream: dict) -> np.ndarray:
    """The number of each sample, after checking that its stamp belongs to it."""
    numbers = np.round(stream["time_series"][:, 0]).astype(int)
    steps = np.diff(stream["time_stamps"]) - np.diff(numbers) / 1000
    assert np.abs(steps[np.diff(numbers) > 0]).max() < 1e-6
    return numbers


def whole(numbers: np.ndarray) -> bool:
    """Whether no number is missing, doubled or out of order."""
    return bool((np.diff(numbers) == 1).all())


def test_every_stream_is_recorded_as_it_was_sent_and_late_ones_too(tmp_path):
    out, bus = tmp_path / "Ünï cödé 研究" / "a b.xdf", session()
    eeg = source(bus)
    with Recorder(bus, out) as box:
        ready = box.until("ready")
        assert ready["path"] == str(out)
        box.has(1000)
        late = markers(bus)
        wide = source(bus, name="gaze", source_id="gaze", channels=3, format="int16", rate=60)
        box.has(20, "marks")
        box.has(60, "gaze")
        last, stamp = stop(eeg)
        marks, _ = stop(late)
        stop(wide)
        time.sleep(0.3)
        box.say("finish")
        assert box.end() == 0
        done = box.events[-1]
    found = one(out)
    numbers = counted(found)
    assert whole(numbers)
    assert numbers[-1] == last
    assert found["time_stamps"][-1] == pytest.approx(stamp, abs=1e-9)
    assert found["time_series"].dtype == np.float32
    assert np.array_equal(found["time_series"][:, 4], (numbers + 0.5).astype(np.float32))
    labels = found["info"]["desc"][0]["channels"][0]["channel"]
    assert [each["label"][0] for each in labels] == [f"c{i}" for i in range(8)]
    assert found["info"]["source_id"] == ["amp"]
    texts = one(out, "marks")["time_series"]
    assert texts[-1] == [f"{marks} é研"]
    assert one(out, "gaze")["time_series"].dtype == np.int16
    # clocks: raw stamps, and an offset of next to nothing within one computer
    assert len(found["clock_values"]) >= 1
    assert np.abs(found["clock_values"]).max() < 0.002
    assert abs(found["clock_times"][0] - found["time_stamps"][0]) < 10
    assert done["event"] == "done"
    assert done["samples"]["eeg"] == len(numbers) == int(found["footer"]["info"]["sample_count"][0])
    assert done["missing"]["eeg"] == 0
    _, header = pyxdf.load_xdf(str(out), verbose=False)
    assert header["info"]["session"] == [bus]
    assert float(header["info"]["lsl_clock"][0]) == pytest.approx(found["time_stamps"][0], abs=20)
    assert header["info"]["datetime"][0].startswith("20")


def test_named_streams_are_waited_for_and_no_other_is_recorded(tmp_path):
    bus = session()
    other, eeg = source(bus, name="other", source_id="x"), None
    with Recorder(bus, tmp_path / "a.xdf", "--stream", "amp", "--stream", "absent") as box:
        waiting = box.wait(
            lambda e: e["event"] == "alarm" and e["code"] == "waiting" and "'other'" in e["text"]
        )
        assert waiting["level"] == "amber"
        assert "streams 'amp', 'absent'" in waiting["text"]
        eeg = source(bus)
        box.has(500)
        box.wait(lambda e: e.get("code") == "waiting" and "stream 'absent'" in e["text"])
        box.say("stop")
        assert box.end() == 0
    stop(other)
    stop(eeg)
    assert [s["info"]["name"][0] for s in streams(tmp_path / "a.xdf")] == ["eeg"]


def test_a_stream_that_was_gone_for_three_seconds_goes_on_in_its_place(tmp_path):
    bus = session()
    first = source(bus)
    marks = markers(bus)
    with Recorder(bus, tmp_path / "a.xdf") as box:
        box.has(2000)
        box.has(20, "marks")
        last, _ = stop(first)
        stop(marks)
        gone = time.monotonic()
        box.alarm("silent eeg", "amber")
        assert time.monotonic() - gone < 1.5
        box.alarm("silent eeg", "red")
        time.sleep(max(gone + 3 - time.monotonic(), 0))
        second = source(bus)
        marks = markers(bus)
        back = box.wait(lambda e: e["event"] == "clear" and e["code"] == "silent eeg")
        assert "is back after" in back["text"]
        box.wait(lambda e: e.get("missing", {}).get("eeg", 0) > 2000)
        box.wait(lambda e: e["event"] == "stream-back" and e["number"] == 2)
        end, _ = stop(second)
        stop(marks)
        time.sleep(0.3)
        box.process.terminate()
        assert box.end() == 143
    found = streams(tmp_path / "a.xdf")
    assert len(found) == 2
    numbers = counted(one(tmp_path / "a.xdf"))
    (back_at,) = np.flatnonzero(np.diff(numbers) < 0)
    assert whole(numbers[: back_at + 1])
    assert whole(numbers[back_at + 1 :])
    assert numbers[back_at] == last
    assert numbers[-1] == end
    print(f"back within {numbers[back_at + 1]} ms of the outlet's return")
    assert numbers[back_at + 1] < 2000
    texts = [int(row[0].split()[0]) for row in one(tmp_path / "a.xdf", "marks")["time_series"]]
    assert np.count_nonzero(np.diff(texts) != 1) == 1


def test_a_stream_that_comes_back_different_becomes_another_stream_of_the_file(tmp_path):
    bus = session()
    with Recorder(bus, tmp_path / "a.xdf") as box:
        wanted = [
            ({}, ""),
            ({"channels": 4}, "4 instead of 8 channels"),
            ({"channels": 4, "rate": 500}, "500 instead of 1000 Hz"),
            ({"channels": 4, "rate": 500, "labels": "d,c,b,a"}, "other channel labels"),
            ({"channels": 4, "rate": 500, "labels": "a,b,c,d"}, "its channels in another order"),
        ]
        for number, (options, text) in enumerate(wanted, start=1):
            sender = source(bus, **options)
            box.wait(lambda e, n=number: e["event"] == "stream" and e["number"] == n)
            box.has(200, "eeg" if number == 1 else f"eeg ({number})")
            last, _ = stop(sender)
            if text:
                box.wait(lambda e, t=text: e["event"] == "alarm" and t in e["text"])
            wanted[number - 1][0]["last"] = last
        time.sleep(0.3)
        box.say("finish")
        assert box.end() == 0
    found = streams(tmp_path / "a.xdf")
    assert len(found) == len(wanted)
    for stream, (options, _) in zip(found, wanted, strict=True):
        numbers = np.round(stream["time_series"][:, 0]).astype(int)
        assert whole(numbers)
        assert numbers[-1] == options["last"]
        assert stream["info"]["channel_count"] == [str(options.get("channels", 8))]


def test_twins_are_told_and_each_is_recorded_on_its_own(tmp_path):
    bus = session()
    one_, two = source(bus), source(bus)
    with Recorder(bus, tmp_path / "a.xdf") as box:
        told = box.alarm("twins eeg", "red")
        assert "each is recorded on its own" in told["text"]
        box.wait(lambda e: min(e.get("samples", {}).values(), default=0) > 1000)
        lasts = [stop(one_)[0]]
        time.sleep(2.5)  # LSL takes the dead one's inlet over to the living one
        lasts.append(stop(two)[0])
        time.sleep(0.3)
        box.say("finish")
        assert box.end() == 0
    found = streams(tmp_path / "a.xdf")
    assert len(found) == 2
    assert all(whole(counted(stream)) for stream in found)
    assert sorted(counted(stream)[-1] for stream in found) == sorted(lasts)


def test_a_malformed_stream_stops_nothing(tmp_path):
    bus = session()
    plain = source(bus, name="plain", source_id="p", labels="none", rate=100, nominal=0)
    eeg = source(bus)
    code = f"""
import pylsl, time
pylsl.set_config_content({CONFIG.format(bus)!r})
giant = pylsl.StreamInfo("giant", "X", 1, 100, "float32", "g")
giant.desc().append_child_value("blob", "x" * 17_000_000)
many = pylsl.StreamInfo("many", "X", 2000, 100, "float32", "m")
outlets = [pylsl.StreamOutlet(giant), pylsl.StreamOutlet(many)]
time.sleep(60)
"""
    odd = subprocess.Popen([sys.executable, "-c", code])
    try:
        with Recorder(bus, tmp_path / "a.xdf") as box:
            box.has(500)
            box.has(100, "plain")
            box.wait(lambda e: e.get("level") == "red" and "2000 channels" in e["text"])
            box.wait(lambda e: e.get("level") == "red" and "'giant'" in e["text"])
            box.say("finish")
            assert box.end() == 0
    finally:
        odd.kill()
        odd.wait()
        stop(plain)
        stop(eeg)
    assert {s["info"]["name"][0] for s in streams(tmp_path / "a.xdf")} == {"plain", "eeg"}
    assert whole(counted(one(tmp_path / "a.xdf")))


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="nothing can be frozen here")
def test_frozen_for_five_seconds_it_loses_nothing(tmp_path):
    bus = session()
    eeg = source(bus, channels=122)
    with Recorder(bus, tmp_path / "a.xdf") as box:
        box.has(500)
        os.kill(box.process.pid, signal.SIGSTOP)
        time.sleep(5)
        os.kill(box.process.pid, signal.SIGCONT)
        assert "held the recorder up for 5" in box.alarm("held-up", "amber")["text"]
        at = len(box.events)
        box.wait(lambda e: e.get("samples", {}).get("eeg", 0) > 5500, since=at)
        last, _ = stop(eeg)
        time.sleep(0.2)
        box.process.send_signal(signal.SIGINT)
        assert box.end() == 130
        assert not any(e.get("code") == "silent eeg" for e in box.events[: at + 2])
    numbers = counted(one(tmp_path / "a.xdf"))
    assert whole(numbers)
    assert numbers[-1] == last


def test_it_ends_after_its_duration_counted_from_the_first_sample(tmp_path):
    bus = session()
    with Recorder(bus, tmp_path / "a.xdf", "--duration", 2) as box:
        box.until("status")
        eeg = source(bus)
        assert box.end(15) == 0
    stop(eeg)
    length = len(counted(one(tmp_path / "a.xdf")))
    assert 1900 < length < 2600


def test_without_its_parent_it_goes_on_until_everything_is_silent(tmp_path):
    bus = session()
    eeg = source(bus)
    with Recorder(bus, tmp_path / "a.xdf", "--idle", 2) as box:
        box.has(500)
        assert box.process.stdin is not None
        box.process.stdin.close()
        box.until("status", since=len(box.events))
        box.has(2000)
        last, _ = stop(eeg)
        began = time.monotonic()
        assert box.end() == 0
        assert 1.5 < time.monotonic() - began < 5
    assert counted(one(tmp_path / "a.xdf"))[-1] == last


def test_nothing_is_overwritten_and_a_further_part_may_be_asked_for(tmp_path):
    bus, out = session(), tmp_path / "a.xdf"
    out.write_text("precious")
    with Recorder(bus, out) as box:
        assert box.end() == 2
        assert "exists already" in box.stderr
    eeg = source(bus)
    for part in ("a_part-02.xdf", "a_part-03.xdf"):
        with Recorder(bus, out, "--continue", "--duration", 0.5) as box:
            ready = box.until("ready")
            assert ready["path"] == str(tmp_path / part)
            assert box.end() == 0
    stop(eeg)
    assert out.read_text() == "precious"
    assert whole(counted(one(tmp_path / "a_part-03.xdf")))


def test_without_any_stream_it_says_what_it_looked_for_and_leaves_no_file(tmp_path):
    with Recorder(session(), tmp_path / "a.xdf", "--stream", "amp", "--idle", 1) as box:
        assert box.end() == 3
        assert "for stream 'amp'; there is none in the LSL session" in box.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--out", "a.npy"], "does not end in .xdf"),
        (["--out", "a.xdf", "--duration", "0"], "above 0"),
        (["--out", "a.xdf", "--idle", "nan"], "above 0"),
        (["--out", "file/a.xdf"], "a file is in its place"),
        (["--out", "a.xdf", "--fallback", "file"], "a file is in its place"),
    ],
)
def test_what_cannot_be_is_refused_before_anybody_sits_down(
    tmp_path, monkeypatch, capsys, words, said
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    assert cli.main(["record", *words]) == 2
    assert said in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_recorder_loads_nothing_heavy(tmp_path):
    before = """
import atexit, sys
heavy = {"scipy", "sklearn", "pyriemann", "mne", "torch", "matplotlib", "rich", "pandas"}
atexit.register(lambda: print(sorted(heavy & set(sys.modules)), file=sys.stderr))
"""
    bus = session()
    eeg = source(bus)
    with Recorder(bus, tmp_path / "a.xdf", "--duration", 0.5, before=before) as box:
        assert box.end() == 0
        assert box.stderr == "[]\n"
    stop(eeg)


def test_pylsl_tells_what_we_build_on():
    # an inlet that LSL takes over to another outlet says so; see rtbci/recorder/streams.py
    assert hasattr(pylsl.StreamInlet, "was_clock_reset")
