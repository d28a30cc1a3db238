"""Silence, twins, a changed return, a wrong rate: told once, in a sentence, and when it is over."""

import pytest

from rtbci.engine.watchdog import Watchdog
from rtbci.process import Reporter


class Stream:
    """What the watchdog looks at, set by the test."""

    def __init__(self) -> None:
        self.age, self.limit, self.heard = 0.0, 0.5, True
        self.refused: str | None = None
        self.twins: tuple[str, ...] = ()
        self.measured_rate: float | None = None
        self.returns = 0
        self.rows = self.given = 0


class Told(Reporter):
    """A reporter that keeps what it is told."""

    def __init__(self) -> None:
        super().__init__("decode", True)
        self.lines: list[tuple[str, str | None]] = []

    def event(self, event, text=None):
        self.lines.append((event.kind, text))


@pytest.fixture
def told():
    teller = Told()
    yield teller
    teller.close()


def test_silence_is_amber_first_then_red_and_told_once_each(told):
    stream = Stream()
    dog = Watchdog("cap", 250.0, stream, told)
    for age in (0.1, 0.49, 0.51, 0.6, 1.0, 1.6, 2.0, 5.0):
        stream.age = age
        dog.look()
    assert [kind for kind, _ in told.lines] == ["alarm", "alarm"]
    assert told.alarms["stall"][0] == "red"
    stream.age = 0.0
    dog.look()
    assert told.lines[-1] == ("clear", "cap is back after 5.0 s")
    assert not told.alarms


def test_a_sender_that_waits_for_its_readers_is_not_called_silent(told):
    stream = Stream()
    stream.heard = False
    dog = Watchdog("cap", 250.0, stream, told)
    for age in (0.6, 1.6, 4.9):
        stream.age = age
        dog.look()
    assert not told.lines
    stream.age = 5.1
    dog.look()
    level, text = told.alarms["stall"]
    assert level == "red"
    assert text.startswith("no samples from cap for 5.1 s; nothing is decoded until it is there (")


def test_a_stream_of_rare_chunks_is_not_called_silent(told):
    stream = Stream()
    stream.limit = 3.0
    dog = Watchdog("cap", 250.0, stream, told)
    stream.age = 2.5
    dog.look()
    assert not told.lines


def test_a_changed_return_is_refused_in_a_sentence_until_it_is_right(told):
    stream = Stream()
    dog = Watchdog("cap", 250.0, stream, told)
    stream.refused = "it runs at 500 Hz"
    dog.look()
    assert told.alarms["refused"] == ("red", "cap came back changed: it runs at 500 Hz")
    stream.refused, stream.returns = None, 1
    dog.look()
    assert "refused" not in told.alarms
    assert told.lines[-1][0] == "returned"


def test_twins_are_named(told):
    stream = Stream()
    dog = Watchdog("cap", 250.0, stream, told)
    stream.twins = ("lab-1 aa", "lab-2 bb")
    dog.look()
    assert "lab-1 aa, lab-2 bb" in told.alarms["twins"][1]
    stream.twins = ()
    dog.look()
    assert "twins" not in told.alarms


@pytest.mark.parametrize(("measured", "word"), [(240.0, "long"), (256.0, "short")])
def test_a_rate_that_is_not_the_nominal_one_is_told(told, measured, word):
    stream = Stream()
    dog = Watchdog("cap", 250.0, stream, told)
    stream.measured_rate = measured
    dog.look()
    assert f"too {word}" in told.alarms["rate"][1]
    stream.measured_rate = 250.1
    dog.look()
    assert "rate" not in told.alarms


def test_samples_that_come_and_are_never_decoded_are_named_after_five_seconds(told):
    stream, now = Stream(), [100.0]
    dog = Watchdog("cap", 250.0, stream, told, lambda: now[0])
    for second in range(20):  # a pause: nothing comes
        now[0] = 100.0 + second
        dog.look()
    for second in range(10):
        now[0] = 120.0 + second
        stream.rows += 250
        dog.look()
        assert ("mute" in told.alarms) is (now[0] - 119.0 >= 5)
    level, text = told.alarms["mute"]
    assert level == "red"
    assert text.startswith("samples of cap come, and for 5 s none of them was decoded")
    stream.rows, stream.given = 10, 10  # another recording begins
    dog.look()
    assert "mute" not in told.alarms


def test_a_stream_that_is_decoded_is_not_called_mute(told):
    stream, now = Stream(), [100.0]
    dog = Watchdog("cap", 250.0, stream, told, lambda: now[0])
    for second in range(60):
        now[0] = 100.0 + second
        stream.rows += 250
        stream.given += 250 * (second % 4 == 0)  # rows that are held for a while
        dog.look()
    assert not told.lines
