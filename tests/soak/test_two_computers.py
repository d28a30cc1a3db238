"""Markers stay on their samples although they come from another computer over a bad network."""

import os
import random
import socket
import threading
import time
from contextlib import suppress
from dataclasses import asdict

import pytest

from tests.soak import two_computers, wire
from tests.soak.two_computers import CUT_S, NEAR_S, RATE, Found, check, decoded, is_good, run
from tests.soak.units import Units

SECONDS, CUT_AT_S = 32.0, 8.0
FINE = Found(True, 9, [], 5, 0, 1.9, 1.9, 2, 0, [4000])


@pytest.mark.parametrize(
    ("change", "ok"),
    [({}, True), ({"marker_ms": 2.1}, False), ({"absent": 1}, False), ({"clock_ms": 2.1}, False),
     ({"decoded_off": 3}, False), ({"undecoded": 1}, False), ({"gaps": [5, 5]}, False),
     ({"decoder_gaps": [1, 1]}, False)],
)  # fmt: skip
def test_the_check_passes_only_when_markers_are_near_and_gaps_few(
    tmp_path, monkeypatch, change, ok
):
    monkeypatch.setattr(two_computers, "unusable", lambda: None)
    units = Units(tmp_path / "a.jsonl", deadline=time.monotonic())
    assert check(units).ok is None
    units.done = {"two computers/0": {**asdict(FINE), **change}}
    assert check(units).ok is ok


def test_without_namespaces_the_check_is_skipped_with_the_reason(tmp_path, monkeypatch):
    monkeypatch.setattr(two_computers, "unusable", lambda: "ip not installed")
    result = check(Units(tmp_path / "a.jsonl"))
    assert (result.word, result.figure) == ("skipped", "ip not installed")


SENT = [100, 555, 930, 1366, 1796, 2159, 2593, 3002]


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([n - 777 for n in SENT], (0, 0)),
        ([n - 777 for n in SENT[2:]], (0, 0)),  # it came in later
        ([n - 777 + 3 * (n > 1500) for n in SENT], (3, 0)),
        ([n - 777 for n in SENT if n != 1366], (0, 1)),
        ([], (0, len(SENT))),
    ],
)
def test_events_of_a_decoder_are_compared_with_the_samples_of_their_markers(events, expected):
    assert decoded(events, SENT) == expected


def test_a_cable_is_late_loses_its_share_and_can_be_cut():
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    mine, yours = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    heard, told = os.pipe()
    cable = threading.Thread(
        target=wire.carry, args=((far.fileno(), mine.fileno()), 0.02, 0.5, random.Random(2), heard)
    )
    cable.start()
    yours.settimeout(0.2)
    try:
        began = time.monotonic()
        for n in range(40):
            near.send(b"%d" % n)
        found = [yours.recv(99)]
        assert time.monotonic() - began >= 0.02
        with suppress(TimeoutError):
            while True:
                found.append(yours.recv(99))
        assert 8 < len(found) < 32
        assert sorted(found, key=int) == found
        os.write(told, b"cut\n")
        time.sleep(0.05)
        for _ in range(40):
            near.send(b"x")
        with pytest.raises(TimeoutError):
            yours.recv(99)
        os.write(told, b"mend\n")
    finally:
        os.write(told, b"end\n")
        cable.join(5)
        for each in (near, far, mine, yours):
            each.close()
        os.close(heard)
        os.close(told)
    assert not cable.is_alive()


@pytest.mark.lsl
@pytest.mark.slow
def test_markers_from_another_computer_lie_on_their_samples(tmp_path):
    if (reason := two_computers.unusable()) is not None:
        pytest.skip(reason)
    found = run(tmp_path, SECONDS, CUT_AT_S)
    print(found)
    assert found.samples > (SECONDS - CUT_S) * RATE
    assert found.markers > 30
    assert found.marker_ms <= 1000 * NEAR_S
    assert is_good(asdict(found))
