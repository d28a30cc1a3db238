"""Fault scripts: how they are read, and what each fault does to what goes out."""

from pathlib import Path

import numpy as np
import pytest

from rtbci.errors import BadInput
from rtbci.messages import FaultBegan
from rtbci.signal.recording import Recording
from rtbci.types import Gap
from sims.changes import guise
from sims.fault_script import check_script, read_script
from sims.faults import KINDS, Kill
from sims.lives import parts
from sims.program import OutletLife, PlaybackSettings, program
from sims.schedule import MarkerPush, Notice, SamplePush
from tests.support.counted import CHANNELS, counted


def script(folder: Path, text: str):
    """The faults of a script: ``at=1 do="nan"``, one a line."""
    path = folder / "script.toml"
    path.write_text("".join("[[fault]]\n" + line + "\n" for line in text.split(";")))
    return read_script(path)


def kill(**keys) -> Kill:
    """A kill with the keys of a script."""
    return Kill.model_validate(keys)


class Sent:
    """All that goes out."""

    def __init__(
        self, recording: Recording, faults, settings: PlaybackSettings | None = None
    ) -> None:
        items = list(program(recording, settings or PlaybackSettings(), faults, OutletLife()))
        assert [item.due for item in items] == sorted(item.due for item in items)
        self.rows = [item for item in items if isinstance(item, SamplePush)]
        self.events = [item for item in items if isinstance(item, MarkerPush)]
        self.notices = [item for item in items if isinstance(item, Notice)]
        self.x = np.concatenate([item.x for item in self.rows])
        self.stamps = np.concatenate([item.stamps for item in self.rows])
        self.indices = np.concatenate([item.index + np.arange(len(item.x)) for item in self.rows])
        self.due = np.concatenate([np.full(len(item.x), item.due) for item in self.rows])


@pytest.fixture
def sent(tmp_path):
    """Plays a script over a counted recording."""

    def play(text: str, recording: Recording | None = None) -> Sent:
        return Sent(recording or counted(), script(tmp_path, text))

    return play


@pytest.fixture
def whole() -> Sent:
    return Sent(counted(), ())


def test_without_a_fault_every_sample_and_marker_goes_out(whole):
    np.testing.assert_array_equal(whole.x[:, 0], np.arange(2500))
    np.testing.assert_array_equal(whole.stamps, np.arange(2500) / 250)
    assert [event.text for event in whole.events] == ["left", "right", "left"]
    assert [event.stamp for event in whole.events] == [0.4, 0.9, 1.4]


def test_a_stall_loses_samples_and_no_markers(sent, whole):
    got = sent("at=1.01\ndo='stall'\nfor=2")
    lost = np.setdiff1d(whole.indices, got.indices)
    np.testing.assert_array_equal(lost, np.arange(253, 753))
    np.testing.assert_array_equal(got.x[:, 0], got.indices)
    assert len(got.events) == 3
    assert got.notices[0].event == FaultBegan("stall", 1.01, {"for": 2.0}, 253)


def test_a_burst_loses_nothing_and_comes_at_once(sent, whole):
    got = sent("at=1\ndo='burst'\nfor=2")
    np.testing.assert_array_equal(got.stamps, whole.stamps)
    held = (whole.due >= 1) & (whole.due < 3)
    assert (got.due[held] == 3).all()
    np.testing.assert_array_equal(got.due[~held], whole.due[~held])
    assert [event.due for event in got.events] == [0.4, 0.9, 3.0]
    assert got.events[2].stamp == 1.4


def test_dropped_chunks_are_whole_and_the_same_every_time(sent):
    one, two = (sent("at=0\ndo='drop'\nprobability=0.2\nfor=8\nseed=3") for _ in range(2))
    np.testing.assert_array_equal(one.indices, two.indices)
    lost = np.setdiff1d(np.arange(2500), one.indices)
    assert len(lost) % 5 == 0
    assert 200 < len(lost) < 600
    assert lost.max() < 2000


@pytest.mark.parametrize(
    ("keys", "check"),
    [
        ("do='nan'", lambda x, _: np.isnan(x).all()),
        ("do='flat'\nlevel=7", lambda x, _: (x == 7).all()),
        ("do='saturate'\nlimit=5", lambda x, _: abs(x).max() == 5),
        ("do='hum'\namplitude=30\nfrequency=50", lambda x, was: abs(x - was).max() > 28),
    ],
)
def test_values_change_in_the_named_channels_while_it_lasts(sent, whole, keys, check):
    got = sent(f"at=1\nfor=2\nchannels=['Cz']\n{keys}")
    hit = (got.stamps >= 1) & (got.stamps < 3)
    assert check(got.x[hit, 1], whole.x[hit, 1])
    np.testing.assert_array_equal(got.x[~hit], whole.x[~hit])
    np.testing.assert_array_equal(got.x[:, [0, 2, 3]], whole.x[:, [0, 2, 3]])


def test_the_recording_itself_stays_whole(tmp_path):
    recording = counted()
    before = recording.signal.copy()
    Sent(recording, script(tmp_path, "at=0\ndo='nan'"))
    np.testing.assert_array_equal(recording.signal, before)


def test_without_a_length_it_lasts_to_the_end_in_all_channels(sent):
    got = sent("at=9\ndo='nan'")
    assert np.isnan(got.x[got.stamps >= 9]).all()
    assert np.isfinite(got.x[got.stamps < 9]).all()


def test_a_clock_step_moves_the_stamps_of_samples_and_markers(sent, whole):
    got = sent("at=0.5\ndo='clock_step'\nby=-5")
    np.testing.assert_allclose(got.stamps - whole.stamps, np.where(whole.stamps >= 0.5, -5, 0))
    np.testing.assert_array_equal(got.due, whole.due)
    assert [event.stamp for event in got.events] == pytest.approx([0.4, -4.1, -3.6])


def test_drift_keeps_markers_on_their_rows(sent):
    got = sent("at=1\ndo='drift'\nppm=1000")
    assert got.stamps[-1] == pytest.approx(2499 / 250 + 1e-3 * (2499 / 250 - 1))
    assert got.due[-1] == pytest.approx(got.stamps[-1])
    for event in got.events:
        assert event.stamp == pytest.approx(got.stamps[event.index], abs=1e-9)


def test_delay_makes_samples_late_against_markers(sent, whole):
    got = sent("at=0.3\ndo='delay'\nby=0.5\nfor=0.2")
    np.testing.assert_array_equal(got.stamps, whole.stamps)
    late = (whole.due >= 0.3) & (whole.due < 0.5)
    np.testing.assert_allclose(got.due[late], whole.due[late] + 0.5)
    assert [event.due for event in got.events] == [0.4, 0.9, 1.4]


@pytest.mark.parametrize(
    ("keys", "texts"),
    [
        ("do='duplicate'", "left left right right left left"),
        ("do='duplicate'\nevery=2", "left right right left"),
        ("do='missing'\nevery=3", "left right"),
        ("do='missing'\nfor=0.5", "right left"),
    ],
)
def test_markers_double_or_vanish(sent, keys, texts):
    assert " ".join(event.text for event in sent(f"at=0\n{keys}").events) == texts


def test_markers_come_late_or_early_with_the_right_stamp(sent):
    for keys, due in (
        ("do='late'\nby=0.7", [0.4, 1.4, 1.6]),
        ("do='early'\nby=0.3", [0.4, 0.6, 1.4]),
    ):
        got = sent(f"at=0.8\nfor=0.2\n{keys}")
        assert sorted(event.due for event in got.events) == pytest.approx(due)
        assert sorted(event.stamp for event in got.events) == [0.4, 0.9, 1.4]


def test_between_kills_lie_the_lives(tmp_path):
    faults = script(tmp_path, "at=5\ndo='kill'\nfor=3;at=1\ndo='nan';at=8\ndo='rate'\nrate=500")
    first, second, third = parts(faults)
    assert (first.since, first.until, first.kill) == (0, 5, None)
    assert (second.since, second.until) == (8, 8)
    assert (third.since, third.until) == (8.5, None)
    assert third.kill is not None
    assert third.kill.rate == 500
    assert first.samples(250) == (0, 1250)


def test_the_dead_send_nothing_and_the_next_life_goes_on_where_it_is_due():
    faults = (kill(at=1.0, lasts=0.5),)
    one, two = (
        list(program(counted(), PlaybackSettings(speed=8), faults, p)) for p in parts(faults)
    )
    rows = [item for item in one if isinstance(item, SamplePush)]
    assert rows[-1].index + len(rows[-1].x) == 250
    assert next(item for item in two if isinstance(item, SamplePush)).index == 375
    assert [e.index for e in one if isinstance(e, MarkerPush)] == [100, 225]
    assert [e.index for e in two if isinstance(e, MarkerPush)] == []


def test_a_stream_comes_back_in_another_guise():
    recording = counted()
    fewer = guise(recording, kill(at=0, channels=2)).recording
    assert fewer.info.channels == CHANNELS[:2]
    turned = guise(recording, kill(at=0, order="reverse")).recording
    np.testing.assert_array_equal(turned.signal, recording.signal[:, ::-1])
    assert turned.info.channels == CHANNELS[::-1]
    mixed = guise(recording, kill(at=0, order="shuffle", seed=2)).recording
    assert set(mixed.info.channels) == set(CHANNELS)
    assert mixed.info.channels != CHANNELS
    where = mixed.info.channels.index("C4")
    np.testing.assert_array_equal(mixed.signal[:, where], recording.signal[:, 2])
    named = guise(recording, kill(at=0, rename={"Cz": "E7"})).recording
    assert named.info.channels == ("C3", "E7", "C4", "EOG1")
    volts = guise(recording, kill(at=0, unit="volts"))
    assert (volts.unit, volts.factor) == ("volts", 1e-6)
    assert guise(recording, kill(at=0, unit="unknown")).unit == ""


@pytest.mark.parametrize("rate", [100.0, 500.0, 333.3])
def test_another_rate_keeps_the_seconds(rate):
    recording = counted(gaps=(Gap(1000, 300),))
    got = guise(recording, kill(at=0, rate=rate)).recording
    assert got.info.rate == rate
    assert got.duration == pytest.approx(recording.duration, abs=2 / rate)
    for first, last, index in got.segments:
        times = (index + np.arange(last - first)) / rate
        off = times - got.signal[first:last, 0] / 250
        assert off.min() > -1e-3
        assert off.max() < 1 / 250 + 1e-3
    assert len(got.segments) == 2


@pytest.mark.parametrize("do", KINDS)
def test_a_fault_needs_no_more_than_when_and_what(tmp_path, do):
    (tmp_path / "f.toml").write_text(f"[[fault]]\nat = 1.0\ndo = '{do}'\n")
    (fault,) = read_script(tmp_path / "f.toml")
    assert (fault.at, fault.do) == (1.0, do)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r"fault 1 does not say what to do; do is one of kill, stall, .*unit"),
        ("at=1\ndo='explode'", r"cannot do 'explode'; do is one of kill, "),
        ("do='nan'", r"fault 1 \(nan\) needs the key at"),
        ("at=-1\ndo='nan'", r"\(nan\) has at = -1: input should be greater than or equal to 0"),
        ("at=inf\ndo='nan'", r"\(nan\) has at = inf"),
        ("at=1\ndo='nan'\nlimit=3", r"has no key limit; it takes at, for, channels"),
        (
            "at=1\ndo='kill'\norder='up'",
            r"has order = 'up': input should be 'reverse' or 'shuffle'",
        ),
        ("at=1\ndo='rate'", r"fault 1 \(rate\) needs the key rate"),
        ("at=1\ndo='nan';at='x'\ndo='flat'", r"fault 2 \(flat\) has at = 'x'"),
    ],
)
def test_a_wrong_script_is_refused_in_a_sentence(tmp_path, text, said):
    with pytest.raises(BadInput, match=said):
        script(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = [", "is no TOML that can be read"),
        ("", "is empty"),
        ("# nothing", r"holds nothing; expected tables \[\[fault\]\] with at and do"),
        ("[fault]\nat=1", r"holds fault; expected tables \[\[fault\]\]"),
        ("fault = [1]", "fault 1 is no table"),
    ],
)
def test_an_invalid_script_is_refused(tmp_path, text, said):
    path = tmp_path / "script.toml"
    path.write_text(text)
    with pytest.raises(BadInput, match=said):
        read_script(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("at=10\ndo='nan'", r"'nan' at 10 s lies after the end of the recording \(10 s\)"),
        ("at=1\ndo='nan'\nchannels=['Pz']", r"names Pz; the recording has C3, Cz, C4, EOG1"),
        ("at=1\ndo='channels'\nchannels=5", r"keeps 5 channels; there are 4"),
        ("at=1\ndo='kill'\nrename={Oz='O'}", r"names Oz"),
        ("at=1\ndo='kill'\nfor=3;at=2\ndo='kill'", r"'kill' at 2 s falls into .*until 4 s"),
    ],
)
def test_a_script_for_another_recording_is_refused(tmp_path, text, said):
    recording = counted()
    with pytest.raises(BadInput, match=said):
        check_script(script(tmp_path, text), recording.info, recording.duration, loop=False)


def test_faults_of_a_resampled_stream_keep_their_seconds(tmp_path):
    faults = script(tmp_path, "at=5\ndo='rate'\nrate=100;at=6\ndo='nan'\nfor=1")
    part = parts(faults)[1]
    look = guise(counted(), part.kill).recording
    rows = [r for r in program(look, PlaybackSettings(), faults, part) if isinstance(r, SamplePush)]
    stamps = np.concatenate([r.stamps for r in rows])
    broken = np.isnan(np.concatenate([r.x for r in rows])).all(axis=1)
    np.testing.assert_array_equal(broken, (stamps >= 6) & (stamps < 7))
