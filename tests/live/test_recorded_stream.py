"""One stream of a recording: its count of losses, its text, and its cost before it sends."""

import subprocess
import sys
import time
from contextlib import contextmanager

import numpy as np
import psutil
import pytest
import pyxdf

from rtbci.formats import read
from rtbci.lsl.description import Description
from rtbci.lsl.inlet import BUFFER_BYTES, BUFFER_S, buffer_seconds, bytes_a_second
from rtbci.recorder.track import RecordedStream
from tests.support.lsl_source import CONFIG, session, source, stop
from tests.support.record_box import Recorder

AMPLIFIER = Description("amp", "EEG", 1000.0, "float32", 4, "a", "u", "s", "h")
BIG = Description("big", "EEG", 50_000.0, "double64", 1024, "b", "u", "s", "h")


def missing_after(*jumps: float) -> int | None:
    """Samples counted as missing of a stream of 20 ms chunks; each of ``jumps`` (s) sets its stamps
    forward (or back), two seconds after the one before."""
    track, stamp = RecordedStream(1, AMPLIFIER, "amp", None), 100.0
    due = {100 * (i + 1): jump for i, jump in enumerate(jumps)}
    for k in range(100 * (len(jumps) + 1)):
        stamp += due.get(k, 0.0)
        stamps = stamp + np.arange(20) / 1000
        track.took(stamps, 10.0 + k * 0.02)
        stamp = float(stamps[-1]) + 0.001
    return track.missing


@pytest.mark.parametrize("clock", [3600.0, -3600.0, 600.5, -600.5, -30.0, -5.5])
def test_a_clock_that_is_set_leaves_the_losses_of_before(clock):
    assert missing_after(5.0, 0.0, 0.0, 0.0, 0.0, 0.0, clock) == 5000


def test_a_loss_after_a_set_clock_counts():
    assert missing_after(5.0, 3600.0, 0.2) == 5200


def test_stamps_that_ran_ahead_and_come_back_lost_nothing():
    assert missing_after(1.0, -1.0) == 0
    assert missing_after(2.0, -0.5, -0.5) == 1000


def test_an_outlet_that_only_declares_itself_is_buffered_for_less():
    assert buffer_seconds(AMPLIFIER, BUFFER_S, BUFFER_BYTES) == BUFFER_S
    assert buffer_seconds(BIG, BUFFER_S, BUFFER_BYTES) == 1
    assert bytes_a_second(BIG) == 50_000 * (16 + 8 * 1024)
    markers = Description("keys", "Markers", 0.0, "string", 1, "k", "u", "s", "h")
    assert buffer_seconds(markers, BUFFER_S, 0.0) == BUFFER_S


SLOW_SYNC = """
import os, time
fsync = os.fsync
def slow(file):
    time.sleep(6)
    fsync(file)
os.fsync = slow
"""


@contextmanager
def sender(bus: str, code: str):
    """A process that runs ``code`` on the bus, with ``pylsl`` at hand, until the context ends."""
    before = f"import pylsl, time\npylsl.set_config_content({CONFIG.format(bus)!r})\n"
    process = subprocess.Popen([sys.executable, "-c", before + code])
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


@pytest.mark.lsl
def test_markers_in_latin_1_keep_their_stamps_and_bytes(tmp_path):
    out, bus = tmp_path / "a.xdf", session()
    code = """
outlet = pylsl.StreamOutlet(pylsl.StreamInfo("keys", "Markers", 1, 0, "string", "keys"))
outlet.wait_for_consumers(20)
for k in range(1000):
    outlet.push_sample([b"gr\\xfcn" if k % 2 else "gr\u00fcn".encode()], pylsl.local_clock())
    time.sleep(0.05)
"""
    eeg = source(bus)
    with Recorder(bus, out) as box, sender(bus, code):
        box.has(1000)
        box.has(20, "keys")
        note = box.alarm("not-utf8 keys", "info")
        stop(eeg)
        box.say("finish")
        assert box.end() == 0
    assert "not UTF-8" in note["text"]
    assert len([e for e in box.all("alarm") if e["code"] == "not-utf8 keys"]) == 1
    raw = out.read_bytes()
    assert raw.count(b"gr\xfcn") >= 9
    assert raw.count("gr\u00fcn".encode()) >= 9
    streams, _ = pyxdf.load_xdf(str(out), verbose=False)
    (keys,) = (s for s in streams if s["info"]["name"] == ["keys"])
    assert (np.diff(keys["time_stamps"]) > 0.04).all()  # the sender's, not when they were read
    assert {marker.label for marker in read(out).markers} == {"gr\u00fcn"}


@pytest.mark.lsl
def test_a_disk_that_takes_six_seconds_to_sync_does_not_delay_the_first_sample(tmp_path):
    out, bus = tmp_path / "a.xdf", session()
    eeg = source(bus)
    with Recorder(bus, out, before=SLOW_SYNC) as box:
        found = box.until("stream")
        first = box.has(1)
        assert first["at"] - found["at"] < 2.0
        written = out.stat().st_size
        assert written > 8 * 4 * 100  # on its way to the disk, not in memory alone
        stop(eeg)
        box.say("finish")
        assert box.end(40) == 0
    assert first["missing"]["eeg"] == 0


@pytest.mark.lsl
def test_outlets_that_only_declare_themselves_do_not_fill_the_memory(tmp_path):
    out, bus = tmp_path / "a.xdf", session()
    code = """
infos = [pylsl.StreamInfo(f"big{k}", "EEG", 1024, 50000, "double64", f"big{k}") for k in range(3)]
outlets = [pylsl.StreamOutlet(info) for info in infos]
time.sleep(600)
"""
    eeg = source(bus)
    with Recorder(bus, out) as box:
        box.has(1000)
        process = psutil.Process(box.process.pid)
        before = process.memory_info().rss
        with sender(bus, code):
            for k in range(3):
                box.wait(lambda e, k=k: e.get("name") == f"big{k}")
            end = time.monotonic() + 2
            grown = 0
            while time.monotonic() < end:
                grown = max(grown, process.memory_info().rss - before)
                time.sleep(0.1)
        stop(eeg)
        box.say("finish")
        assert box.end() == 0
    assert grown < 60e6


@pytest.mark.lsl
def test_asking_for_streams_again_and_again_costs_no_memory():
    """pylsl leaks the XML of every header that it reads; the recorder asks four times a second."""
    bus = session()
    asking = f"""
import psutil, pylsl, time
from rtbci.lsl.config import configure
configure({bus!r}, "machine")
from rtbci.lsl.resolve import StreamDiscovery
names = [str(k) + "x" * 2000 for k in range(5)]
infos = [pylsl.StreamInfo(name, "Markers", 1, 0, "string", name[:1]) for name in names]
outlets = [pylsl.StreamOutlet(info) for info in infos]
discovery = StreamDiscovery()
until = time.monotonic() + 30
while len(discovery.found()) < 5 and time.monotonic() < until:
    time.sleep(0.05)
for turns in (500, 5000):
    before = psutil.Process().memory_info().rss
    for _ in range(turns):
        found = discovery.found()
print(len(found), psutil.Process().memory_info().rss - before)
"""
    done = subprocess.run(
        [sys.executable, "-c", asking], capture_output=True, text=True, timeout=90, check=True
    )
    count, grown = map(int, done.stdout.split())
    assert count == 5
    assert grown < 5e6  # 5,000 x 5 headers of 2 kB are 55 MB
