"""Whose silence it is: the stream's, or that of the process that reads it."""

from dataclasses import replace
from unittest.mock import Mock

import numpy as np
import pytest

from rtbci.lsl import follow
from rtbci.lsl.description import Description
from rtbci.lsl.resolve import DiscoveredStream
from rtbci.signal.liveness import DOUBT_S

ABOUT = Description("cap", "EEG", 250.0, "float32", 4, "cap-1", "uid-1", "", "lab")


class Clock:
    """Seconds, set by the test."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Ears:
    """An inlet whose pulls take as long as the test says, and give as many rows."""

    clock: Clock
    takes, rows = 0.0, 0

    def __init__(self, found: DiscoveredStream, buffer_s: int) -> None:
        self.about, self.nothing = found.about, self._rows(0)

    def _rows(self, count):
        return np.zeros((count, 4), np.float32), np.zeros(count)

    def open(self, timeout: float = 5.0) -> Description:
        return self.about

    def close(self) -> None:
        pass

    def pull(self, timeout, at_most=None):
        self.clock.now += self.takes
        return self._rows(self.rows)


class Discovery:
    """What LSL lists, set by the test."""

    listed: tuple[Description, ...] = ()

    def found(self) -> list[DiscoveredStream]:
        return [DiscoveredStream(about, Mock()) for about in self.listed]


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(Ears, "clock", clock, raising=False)
    monkeypatch.setattr(follow, "Inlet", Ears)
    monkeypatch.setattr(follow, "StreamDiscovery", Discovery)
    return clock


@pytest.fixture
def follower(clock, monkeypatch):
    follower = follow.StreamFollower(DiscoveredStream(ABOUT, Mock()), now=clock)
    monkeypatch.setattr(Ears, "takes", 0.02)
    monkeypatch.setattr(Ears, "rows", 5)
    assert not follower.heard
    for _ in range(10):
        follower.pull(0.1)
    assert follower.heard
    monkeypatch.setattr(Ears, "rows", 0)
    return follower


def test_a_reader_that_was_frozen_does_not_blame_the_stream(follower, monkeypatch):
    monkeypatch.setattr(Ears, "takes", 3.0)
    follower.pull(0.1)
    assert follower.age == pytest.approx(0.1)
    assert follower.watch is not None  # but it asks who is there now


def test_silence_is_the_streams_where_the_reader_was_awake(follower, monkeypatch):
    monkeypatch.setattr(Ears, "takes", 0.1)
    for _ in range(5):
        follower.pull(0.1)
    assert follower.watch is None
    follower.pull(0.1)
    assert follower.age == pytest.approx(0.6)
    assert follower.watch is not None


def test_a_busy_computer_hides_no_silence(follower, monkeypatch):
    monkeypatch.setattr(Ears, "takes", 0.19)  # every pull ends late, none very late
    for _ in range(3):
        follower.pull(0.1)
    assert follower.age == pytest.approx(0.57)
    assert follower.age > follower.limit


@pytest.fixture
def silent(follower, monkeypatch):
    """The follower while its stream is silent and discovery is asked."""
    monkeypatch.setattr(Ears, "takes", 0.6)
    follower.pull(0.6)
    assert follower.watch is not None
    return follower


def test_rows_stay_unread_until_the_process_that_sent_them_answers(silent, monkeypatch):
    monkeypatch.setattr(Ears, "rows", 5)
    assert len(silent.pull(0.0)[1]) == 0
    monkeypatch.setattr(Discovery, "listed", [ABOUT])
    assert len(silent.pull(0.0)[1]) == 5
    assert silent.watch is None


def test_an_heir_is_opened_and_shown_but_not_read(silent, monkeypatch):
    monkeypatch.setattr(Ears, "rows", 5)
    monkeypatch.setattr(Discovery, "listed", [replace(ABOUT, uid="uid-2")])
    assert len(silent.pull(0.0)[1]) == 0
    assert silent.newcomer.about.uid == "uid-2"
    assert silent.about.uid == "uid-1"


@pytest.mark.parametrize("change", [{"name": "other"}, {"kind": "Markers"}])
def test_another_stream_with_the_same_source_id_is_no_heir(silent, monkeypatch, change):
    monkeypatch.setattr(Discovery, "listed", [replace(ABOUT, uid="uid-2", **change)])
    silent.pull(0.0)
    assert silent.newcomer is None
    assert not silent.twins


def test_without_a_source_id_only_an_outlet_of_the_same_host_is_an_heir(silent, monkeypatch):
    silent.about = replace(ABOUT, source_id="")
    heir = replace(silent.about, uid="uid-2")
    monkeypatch.setattr(Discovery, "listed", [replace(heir, host="elsewhere")])
    silent.pull(0.0)
    assert silent.newcomer is None
    monkeypatch.setattr(Discovery, "listed", [heir])
    silent.pull(0.0)
    assert silent.newcomer is not None


def test_twins_are_forgotten_once_the_process_that_was_read_answers_alone(silent, monkeypatch):
    two = [replace(ABOUT, uid=uid) for uid in ("uid-2", "uid-3")]
    monkeypatch.setattr(Discovery, "listed", two)
    silent.pull(0.0)
    assert [each.about.uid for each in silent.twins] == ["uid-2", "uid-3"]
    assert silent.newcomer is None
    monkeypatch.setattr(Discovery, "listed", [ABOUT])
    silent.pull(0.0)
    assert not silent.twins


def test_a_suspected_stream_is_trusted_only_after_the_doubt(follower, clock, monkeypatch):
    monkeypatch.setattr(Discovery, "listed", [ABOUT])
    follower.suspect(Discovery())
    clock.now += DOUBT_S
    follower.trust()
    assert follower.watch is not None
    clock.now += 0.01
    follower.trust()
    assert follower.watch is None


def test_an_heir_that_was_refused_is_not_looked_at_again(silent, monkeypatch):
    monkeypatch.setattr(Discovery, "listed", [replace(ABOUT, uid="uid-2")])
    silent.pull(0.0)
    silent.refuse()
    silent.pull(0.0)
    assert silent.newcomer is None
