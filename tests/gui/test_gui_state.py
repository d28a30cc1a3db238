"""State of a session in the window, from events that are made up, under a clock that is held."""

import json
from typing import Any

import numpy as np
import pytest

from gui.operator.about import About, read_about
from gui.operator.keys import KEYS, DoublePress
from gui.operator.losses import Losses
from gui.operator.measure import band_power, readings
from gui.operator.session_state import CardText, SessionState
from gui.operator.signal_feed import DrawnSamples, ShownChannels
from rtbci.messages import (
    Alarm,
    Clear,
    DecisionMade,
    DecoderReady,
    Ended,
    GapFound,
    Latency,
    Paused,
    ProcessReport,
    Ready,
    RecorderStatus,
    ReplayEnded,
    ReplayStarted,
    Resumed,
    SessionReport,
    SignalReturned,
    Started,
)
from rtbci.statistics.verdict import UNTESTED, Verdict
from rtbci.types import Chunk, Decision, Gap, StreamInfo

LIVE = About(
    kind="live", recorded=True, classes=("face", "house"), sure=0.7, verdict=Verdict("GO", "", True)
)


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def known(clock: Clock, about: About = LIVE) -> SessionState:
    """Of a session that records and decodes."""
    found = SessionState(about, clock)
    found.answer(report())
    return found


def report(works: bool = True, **more: Any) -> SessionReport:
    """Report of a session whose recorder and decoder run."""
    boxes = {name: ProcessReport(7, works) for name in ("record", "decode")}
    values = {"boxes": boxes, "decisions": 0, "alarms": (), "recordings": (), "paused": False,
              "said": (), **more}  # fmt: skip
    return SessionReport("sub-07_run", "/sessions/sub-07_run", **values)


def decision(
    label: str | None = "face", p: float = 0.9, ms: float = 4.0, **more: Any
) -> DecisionMade:
    """An event of the decoder."""
    odds = {"face": p, "house": 1 - p} if label == "face" else {"face": 1 - p, "house": p}
    values = {"probabilities": odds, **more}
    return DecisionMade(Decision(250, 1.0, None, label, **values), latency=Latency(ms, ms, ms, ms))


def status(received: int, missing: int = 0) -> RecorderStatus:
    """An event of the recorder."""
    return RecorderStatus(
        path="recording.xdf", samples={"cap": received, "marks": 3},
        missing={"cap": missing, "marks": None}, age_s={"cap": 0.1, "marks": None}, bytes=1,
        waiting_bytes=0, queue_s=0.0, disk_left_s=None, clocks={}, box="record",
    )  # fmt: skip


def alarm(code="stall", level="red", text="no samples from cap") -> Alarm:
    return Alarm(level, code, text, box="decode")


def test_unmeasured_values_are_unknown_and_not_zero(clock):
    fresh = SessionState(About(), clock)
    assert fresh.session_s() is fresh.stream_s() is fresh.file_mb() is fresh.growing() is None
    assert fresh.loss_rows() == [
        (name, None, None) for name in ("session", "stream", "10 s", "1 min", "10 min")
    ]
    assert set(fresh.latencies().values()) == {(None, None)}
    assert fresh.card().label is None
    assert fresh.lamps()["decode"] == ("off", "off")


def test_losses_are_shown_for_the_session_the_stream_and_the_last_seconds(clock):
    session = known(clock)
    for second in range(121):
        session.hear(status(250 * second, 50 if second >= 115 else 0))
        clock.wait(1)
    clock.wait(-1)
    rows = {name: (lost, expected) for name, lost, expected in session.loss_rows()}
    assert rows["session"] == rows["stream"] == rows["10 min"] == (50, 30_050)
    assert rows["10 s"] == (50, 2550)
    assert rows["1 min"] == (50, 15_050)
    for second in range(121, 140):
        clock.wait(1)
        session.hear(status(250 * second, 50))
    assert {r[0]: r[1:] for r in session.loss_rows()}["10 s"] == (0, 2500)


def test_a_stream_that_came_back_is_counted_anew_and_the_session_is_not(clock):
    session = known(clock)
    session.hear(status(1000, 7))
    clock.wait(1)
    session.hear(SignalReturned(box="decode"))
    session.hear(status(1250, 7))
    rows = {name: (lost, expected) for name, lost, expected in session.loss_rows()}
    assert rows["session"] == (7, 1257)
    assert rows["stream"] == (0, 250)


@pytest.mark.parametrize(
    ("missing", "words"), [(1, "1 sample missing"), (74, "74 samples missing")]
)
def test_a_gap_is_counted_in_good_grammar(clock, missing, words):
    session = known(clock)
    session.hear(GapFound(box="decode", index=250, missing=missing, reason="missing samples"))
    assert session.log[-1] == ("amber", f"gap: {words}; filters start anew")


def test_a_recorder_that_was_started_anew_loses_no_count():
    losses = Losses()
    for at, received, lost in ((0, 500, 0), (1, 750, 2), (2, 100, 0), (3, 350, 1)):
        losses.count(at, received, lost)
    assert losses.rows(3)[0] == ("session", 3, 1103)


def test_without_a_recorder_the_window_counts_for_itself(clock):
    session = known(clock, About(kind="live", recorded=False))
    session.count(500, 2)
    assert session.loss_rows()[0] == ("session", 2, 502)
    assert SessionState(About(recorded=False), clock).recording() == "no recording"
    with_recorder = known(clock)
    with_recorder.count(500, 2)
    assert with_recorder.loss_rows()[0] == ("session", None, None)


def test_two_timers_run_for_the_session_and_for_a_stream_without_loss(clock):
    session = known(clock)
    session.rate = 250.0
    session.begin(seconds_ago=30)
    session.hear(status(0))
    clock.wait(10)
    session.hear(status(2500))
    assert (session.session_s(), session.stream_s()) == (40, 10)
    session.hear(status(2750, 100))
    session.hear(status(3250, 100))
    assert session.stream_s() == 2


def test_the_timer_of_a_replay_counts_seconds_of_the_wall(clock):
    session = known(clock, About(kind="replay", speed=4.0, recorded=True))
    session.rate = 250.0
    session.hear(status(0))
    session.hear(status(4000))
    assert session.stream_s() == 4


def test_a_recording_grows_or_does_not(clock):
    session = known(clock)
    session.file(1_000_000)
    assert session.growing() is None
    for size in (1_500_000, 2_000_000):
        clock.wait(1)
        session.file(size)
    assert (session.recording(), session.file_mb(), session.growing()) == ("REC", 2.0, True)
    clock.wait(5)
    session.file(2_000_000)
    assert session.growing() is False


def test_a_recorder_that_died_is_lost_until_it_is_back(clock):
    session = known(clock)
    session.hear(Ended(-9, box="record"))
    assert session.recording() == "lost"
    assert session.lamps()["record"] == ("gone", "gone")
    session.hear(Started(8, True, box="record"))
    session.hear(Ready(text="recording to part-02", box="record"))
    assert session.recording() == "REC"
    assert session.lamps()["record"] == ("works", "works")


def test_a_silent_process_is_late(clock):
    session = known(clock)
    session.hear(status(1))
    clock.wait(3)
    assert session.lamps()["record"] == ("late", "late")
    session.hear(status(2))
    assert session.lamps()["record"] == ("works", "works")


def test_the_most_urgent_alarm_is_shown_until_it_is_understood_or_over(clock):
    session = known(clock)
    session.hear(alarm("markers", "amber", "no marker stream"))
    session.hear(alarm("hint", "info", "a new version"))
    clock.wait(1)
    session.hear(alarm())
    assert [each.level for each in session.alarms()] == ["red", "amber", "info"]
    shown = session.banner()
    assert shown is not None
    assert shown.text == "no samples from cap"
    session.understood(shown)
    shown = session.banner()
    assert shown is not None
    assert shown.code == "markers"
    session.hear(Clear("markers", "markers came", box="decode"))
    assert session.banner() is None  # information is for the log
    session.hear(alarm(text="no samples from cap for a minute"))
    assert session.banner() is not None  # it says something else now
    session.hear(Clear("stall", "cap is back", box="decode"))
    session.hear(alarm())
    assert session.banner() is not None  # and it is another time
    assert [text for _, text in session.log][-2:] == ["cap is back", "no samples from cap"]


def test_a_late_window_receives_earlier_events(clock):
    session = SessionState(LIVE, clock)
    ready = DecoderReady("cap", "aa", ("marks",), 1.5, text="decoding cap", box="decode")
    session.answer(report(alarms=(alarm(),), paused=True, said=(ready, status(5000, 3))))
    assert session.paused
    assert session.loss_rows()[0] == ("session", 3, 5003)
    assert [each.code for each in session.alarms()] == ["stall"]
    session.answer(report())
    assert session.alarms() == []


def test_a_decision_is_shown_only_as_far_as_it_may_be(clock):
    session = known(clock)
    assert session.card().note == "no decision"
    session.hear(decision(p=0.9))
    assert (session.card().label, session.card().confidence) == ("face", 0.9)
    session.hear(decision(p=0.6, flags=("late marker", "unsure")))
    assert session.card() == CardText(None, 0.6, "no decision", ("unsure", "late marker"))
    session.hear(decision(label=None, rejected="settling", probabilities={}))
    assert session.card() == CardText(None, None, "no decision", ("settling",))
    session.hear(decision(p=0.9))
    clock.wait(12)
    assert session.card().flags == ("12 s ago",)
    clock.wait(60)
    assert (session.card().label, session.card().note) == (None, "no decision")


@pytest.mark.parametrize(
    ("above_chance", "label", "note"),
    [(True, "face", ""), (False, None, "not above chance"),
     (None, "face", "calibration was not tested")],
)  # fmt: skip
def test_a_decoder_that_is_not_above_chance_never_shows_a_class(clock, above_chance, label, note):
    session = known(clock, About(kind="live", recorded=True, verdict=Verdict("", "", above_chance)))
    session.hear(decision(p=0.99))
    assert (session.card().label, session.card().note) == (label, note)


def test_a_pause_is_shown_and_ends(clock):
    session = known(clock)
    session.hear(decision())
    session.hear(Paused())
    assert session.card().note == "paused"
    assert session.lamps()["decode"] == ("works", "paused")
    session.hear(Resumed())
    assert session.card().label == "face"


def test_latencies_are_those_of_the_last_minute(clock):
    session = known(clock)
    session.hear(decision())
    clock.wait(61)
    for ms in range(1, 101):
        session.hear(decision(ms=float(ms)))
    p50, p95 = session.latencies()["total"]
    assert (p50, p95) == (50.5, pytest.approx(95.05))


@pytest.mark.parametrize(
    ("word", "p", "above"),
    [
        ("GO", 0.004, True), ("NO-GO", 0.0005, False), ("NO-GO", 0.3, False),
        ("CAUTION", 0.03, False), ("CAUTION", 0.004, True), ("not tested", None, None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("stored", [True, False])
def test_facts_on_screen_come_from_the_session_folder(tmp_path, word, p, above, stored):
    training = {"p_value": p, "balanced_accuracy_ci95": [0.6, 0.9], "chance": 0.5}
    bundle = {"subject": "sub-02", "classes": ["face", "house"], "sure": 0.8, "verdict": word}
    bundle |= {"above_chance": above} if stored else {"training": training}  # as before
    (tmp_path / "subject.json").write_text(json.dumps(bundle))
    config = {"kind": "replay", "bundle": str(tmp_path), "lsl_session": "rtbci-1",
              "options": {"files": ["/run3.xdf"], "speed": 4.0, "no_record": False}}  # fmt: skip
    (tmp_path / "session.json").write_text(json.dumps(config))
    about = read_about(tmp_path)
    assert (about.part, about.speed, about.recorded) == ("REPLAY of run3.xdf", 4.0, True)
    assert (about.classes, about.sure) == (("face", "house"), 0.8)
    assert (about.verdict.word, about.verdict.above_chance) == (word, above)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"options": 3, "bundle": null}'])
def test_a_damaged_folder_leaves_things_unknown(tmp_path, text):
    (tmp_path / "session.json").write_text(text)
    about = read_about(tmp_path)
    assert (about.recorded, about.verdict, about.classes) == (None, UNTESTED, ())


def test_electrodes_are_judged_by_their_signal():
    rng = np.random.default_rng(1)
    t = np.arange(500) / 250
    x = rng.normal(0, 10, (500, 6)).astype(np.float32)
    x[:, 1] = 3.0
    x[:, 2] = np.clip(1e6 * np.sin(2 * np.pi * 3 * t), -187_000, 187_000)
    x[:, 3] += (60 * np.sin(2 * np.pi * 50 * t)).astype(np.float32)
    x[:, 4] *= 30
    x[7, 5] = np.nan
    found = readings(x, "abcdef", 250.0)
    assert [each.state for each in found] == [
        "good", "flat", "railed", "doubtful", "doubtful", "doubtful",
    ]  # fmt: skip
    assert found[0].value == pytest.approx(10, rel=0.1)
    assert "mains" in found[3].hint
    assert {each.state for each in readings(x[:50], "abcdef", 250.0)} == {"unknown"}


def test_band_power_is_that_of_the_rhythm():
    t = np.arange(500) / 250
    x = np.repeat(20 * np.sin(2 * np.pi * 10 * t)[:, None], 3, axis=1).astype(np.float32)
    found = band_power(x, 250.0)
    assert found["alpha"] == pytest.approx(200, rel=0.02)  # amplitude squared, halved
    assert found["beta"] is not None
    assert found["beta"] < 1
    assert set(band_power(x[:100], 250.0).values()) == {None}
    slow = band_power(x[::4], 62.5)
    assert (slow["gamma"], slow["alpha"]) == (None, pytest.approx(200, rel=0.02))


def test_escape_counts_only_twice_within_two_seconds():
    twice = DoublePress(2.0)
    assert [twice(at) for at in (0.0, 3.0, 4.5, 5.0, 5.1)] == [False, False, True, False, True]


def test_no_key_does_two_things():
    keys = [key for each in KEYS for key in each.keys]
    assert len(keys) == len(set(keys))
    assert len({each.action for each in KEYS}) == len(KEYS)


def test_electrodes_are_unknown_when_nothing_came_since_the_last_look():
    shown = ShownChannels(StreamInfo("cap", 250.0, ("Cz", "aux"), ("EEG", "AUX")), (0,))
    x = np.random.default_rng(0).normal(0, 10, (500, 2)).astype(np.float32)
    drawn = shown.push(Chunk(0, x))
    assert isinstance(drawn, DrawnSamples)
    assert drawn.x.tolist() == x[:, :1].tolist()
    x[:] = 0  # the inlet reuses its memory
    assert drawn.x.any()
    assert [each.state for each in shown.quality().electrodes] == ["good"]
    assert [each.state for each in shown.quality().electrodes] == ["unknown"]
    assert set(shown.quality().bands.values()) == {None}
    shown.push(Gap(500, 100))
    shown.push(Chunk(600, x[:50]))
    assert [each.state for each in shown.quality().electrodes] == ["unknown"]


def test_silence_before_and_after_a_replay_is_no_alarm(clock):
    session = known(clock, About(kind="replay", recorded=True))
    session.hear(alarm())
    assert session.alarms() == []
    session.hear(alarm("markers", "amber", "no marker stream"))
    assert [each.code for each in session.alarms()] == ["markers"]
    session.hear(ReplayStarted(12.5, 0.0, box="stream"))
    session.hear(alarm())
    assert [each.code for each in session.alarms()] == ["stall", "markers"]
    session.hear(Clear("stall", "back", box="decode"))
    session.hear(ReplayEnded(4000, 28.5, box="stream"))
    session.hear(alarm())
    assert [each.code for each in session.alarms()] == ["markers"]
