"""What ``rtbci streams`` says of the lab's streams, with real streams of another process."""

import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from rtbci.lsl.description import Description
from rtbci.lsl.survey import SurveyedStream, _flagged, rate_of

SENDERS = """
import sys, time
from rtbci.lsl import config
config.configure(sys.argv[1], "machine")
import pylsl

def outlet(name, rate, source, n=2, form="float32", kind="EEG", labels=True, unit="microvolts"):
    info = pylsl.StreamInfo(name, kind, n, rate, form, source)
    if labels:
        channels = info.desc().append_child("channels")
        for i in range(n):
            channel = channels.append_child("channel")
            channel.append_child_value("label", ("Fz", "Cz")[i])
            if unit:
                channel.append_child_value("unit", unit)
    return pylsl.StreamOutlet(info)

good = outlet("good", 250, "good-1")
wrong = outlet("wrong rate", 250, "wrong-1")
dumb = outlet("says nothing", 250, "dumb-1")
bare = outlet("bare", 100, "", labels=False)
nounit = outlet("no unit", 100, "nounit-1", unit=None)
twins = outlet("twin", 10, "twin"), outlet("twin", 10, "twin")
unix = outlet("unix clock", 100, "unix-1")
marks = outlet("marks", 0, "marks-1", 1, "string", "Markers", labels=False)
unreadable = outlet("a\\x07b", 100, "bell-1")
giant = pylsl.StreamInfo("giant", "EEG", 2, 10, "float32", "giant-1")
giant.desc().append_child_value("big", "x" * 17_000_000)
giant = pylsl.StreamOutlet(giant)
print("ready", flush=True)
begin, sent = pylsl.local_clock(), {}

def push(which, outlet, rate, offset=0.0):
    due = int((pylsl.local_clock() - begin) * rate)
    done = sent.get(which, 0)
    due -= due % 10  # in chunks: stamps of real amplifiers come in steps
    if due > done:
        outlet.push_chunk([[float(i), 0.0] for i in range(done, due)], begin + due / rate + offset)
        sent[which] = due

while True:
    push("good", good, 250)
    push("wrong", wrong, 200)
    push("bare", bare, 100)
    push("nounit", nounit, 100)
    push("unix", unix, 100, 1.7e9)
    push("giant", giant, 10)
    if sent.get("good", 0) % 100 == 0:
        marks.push_sample(["face"])
    time.sleep(0.01)
"""


@contextlib.contextmanager
def lab() -> Iterator[str]:
    """Streams of another process, good and odd ones; gives their LSL session."""
    session = f"test-{secrets.token_hex(6)}"
    child = subprocess.Popen(
        [sys.executable, "-c", SENDERS, session], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    try:
        assert child.stdout.readline() == "ready\n"
        yield session
    finally:
        child.kill()
        child.communicate()


def streams(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What ``rtbci streams`` says."""
    return subprocess.run(
        [sys.executable, "-m", "rtbci", "streams", "--lsl-scope", "machine", *options],
        capture_output=True, text=True, timeout=60, check=False, env=os.environ | environment,
    )  # fmt: skip


@pytest.mark.lsl
def test_every_stream_is_listed_with_what_is_odd_about_it():
    with lab() as session:
        began = time.monotonic()
        done = streams("--lsl-session", session, "--json")
        took = time.monotonic() - began
        table = streams("--lsl-session", session, "--seconds", "0.5")
    assert done.returncode == 0, done.stderr
    assert took < 12  # a stream that cannot be read must not cost more than its timeout
    seen = [json.loads(line) for line in done.stdout.splitlines()]
    by_name = {each["name"]: each for each in seen}
    assert [each["name"] for each in seen] == sorted(each["name"] for each in seen)
    assert len(seen) == 10
    assert all(each["session"] == session for each in seen)
    assert len({each["uid"] for each in seen}) == 10

    good = by_name["good"]
    assert good["flags"] == []
    assert good["labels"] == ["Fz", "Cz"]
    assert good["units"] == ["microvolts"]
    assert good["nominal_rate"] == 250
    assert good["measured_rate"] == pytest.approx(250, rel=0.01)
    assert 300 < good["samples"] < 700

    def flags(name: str) -> str:
        return " | ".join(by_name[name]["flags"])

    assert by_name["wrong rate"]["measured_rate"] == pytest.approx(200, rel=0.02)
    assert "says 250 Hz and stamps" in flags("wrong rate")
    assert by_name["says nothing"]["silent"]
    assert "sends nothing" in flags("says nothing")
    assert "no source_id" in flags("bare")
    assert "no labels" in flags("bare")
    assert by_name["bare"]["labels"] == []
    assert flags("no unit").startswith("it states no unit")
    assert "2 streams share its source_id" in flags("twin")
    assert "2 streams have its name" in flags("twin")
    assert "away from now" in flags("unix clock")
    assert by_name["marks"]["flags"] == []
    assert by_name["marks"]["measured_rate"] is None
    assert by_name["marks"]["samples"] > 0
    assert "header has 17" in flags("giant")
    assert not by_name["giant"]["answered"]
    assert "not listed: a stream's header is no XML" in done.stderr

    assert table.returncode == 0, table.stderr
    assert max(map(len, table.stdout.splitlines())) <= 100
    for word in ("good", "250", "this machine", "good-1", session, good["uid"], "silent", "!"):
        assert word in table.stdout
    assert "listening to 10 streams" in table.stderr


@pytest.mark.lsl
def test_an_empty_lab_is_said_with_where_was_looked_and_what_to_do():
    done = streams("--lsl-session", f"nobody-{secrets.token_hex(4)}")
    assert done.returncode == 3
    assert done.stdout == ""
    assert "no stream answered in LSL session 'nobody-" in done.stderr
    assert "scope machine" in done.stderr
    assert "rtbci doctor" in done.stderr


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "1e9"])
def test_an_absurd_time_to_listen_is_refused(seconds):
    done = streams("--seconds", seconds)
    assert done.returncode == 2
    assert "--seconds" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_library_that_cannot_be_loaded_is_one_sentence(tmp_path):
    broken = tmp_path / "liblsl.so"
    broken.write_text("this is no library")
    done = streams(PYLSL_LIB=str(broken))
    assert done.returncode == 3
    assert len(done.stderr.splitlines()) == 1
    assert "the LSL library cannot be loaded" in done.stderr
    assert str(broken) in done.stderr


def test_a_rate_is_measured_through_the_steps_of_chunks():
    # as a headset sends: twelve samples share the time at which their packet came
    stamps = np.repeat(np.arange(43) * 12 / 256, 12)
    rate, error = rate_of(stamps)
    assert rate is not None
    assert error is not None
    assert rate == pytest.approx(256, rel=0.005)
    assert abs(rate - 256) < 3 * error


def test_no_rate_is_made_up_where_there_is_none():
    assert rate_of(np.empty(0)) == (None, None)
    assert rate_of(np.zeros(100)) == (None, None)
    assert rate_of(np.arange(100)[::-1] / 100) == (None, None)


def seen(**changes: object) -> SurveyedStream:
    """A stream with which nothing is wrong."""
    about = Description(
        "a", "EEG", 100.0, "float32", 1, "id", "uid", "s", socket.gethostname(),
        ("Fz",), ("EEG",), ("microvolts",),
    )  # fmt: skip
    return SurveyedStream(replace(about, **changes), 200, 100.0, 0.01, 0.01, answered=True)  # type: ignore[arg-type]


def test_a_sound_stream_has_no_flags():
    assert _flagged(seen(), [seen()]).flags == ()


def test_a_stream_of_another_machine_is_said_to_be_unencrypted():
    other = seen(host="amp-pc")
    assert any("from amp-pc unencrypted" in flag for flag in _flagged(other, [other]).flags)


def test_jitter_is_not_called_a_wrong_rate():
    jittery = replace(seen(), rate=102.0, rate_error=1.5)
    assert _flagged(jittery, [jittery]).flags == ()
    sure = replace(seen(), rate=102.0, rate_error=0.2)
    assert any("stamps 102 Hz" in flag for flag in _flagged(sure, [sure]).flags)


def test_a_replay_at_speed_is_not_said_to_have_a_foreign_clock():
    fast = replace(seen(fields={"speed": "8.0"}), age=-400.0)
    assert _flagged(fast, [fast]).flags == ()
