"""Whose silence it is: the stream's, or that of the process that reads it."""

from unittest.mock import Mock

import numpy as np
import pytest

from rtbci.lsl import follow
from rtbci.lsl.description import Description
from rtbci.lsl.resolve import DiscoveredStream

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
        self.nothing = self._rows(0)

    def _rows(self, count):
        return np.zeros((count, 4), np.float32), np.zeros(count)

    def open(self, timeout: float = 5.0) -> Description:
        return ABOUT

    def pull(self, timeout, at_most=None):
        self.clock.now += self.takes
        return self._rows(self.rows)


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(Ears, "clock", clock, raising=False)
    monkeypatch.setattr(follow, "Inlet", Ears)
    monkeypatch.setattr(follow, "StreamDiscovery", object)
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
