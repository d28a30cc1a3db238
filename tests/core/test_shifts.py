"""What is told of the latency gate: flags, the summary of a replay, an alarm of a live session."""

import pytest

from calibration.fitting.training import CalibrationSettings, calibrate
from rtbci.decoding import shifts
from rtbci.decoding.bundle import Bundle
from rtbci.decoding.offline import RunCounts, replay, summary
from rtbci.report.terminal_summary import shifted
from rtbci.types import Decision
from tests.core.test_latency import JUMP, LABELS, RATE, later, made, nothing
from tests.live.test_engine import Session


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    """Trained on two stable recordings."""
    return calibrate(
        [made(1), made(2)], CalibrationSettings("sub-01", LABELS), nothing, permute=False
    ).bundle


def decision(event: int, ms: float = 0.0, *, rejected: bool = False) -> Decision:
    """A decision that tells a shift."""
    told = ("settling", shifts.flag(ms)) if ms else ()
    return Decision(event, event / RATE, None, None if rejected else "a", {}, told)


def test_a_flag_tells_the_shift_and_other_flags_tell_none():
    assert shifts.told(("amplitude", shifts.flag(-101.6), "unsure")) == -102
    assert shifts.told(("late marker", "without TP9", "lag")) == 0


def test_the_summary_has_the_last_shift_of_each_recording_that_had_one():
    first = [decision(i) for i in range(20)]
    second = [decision(i, -102 if i >= 8 else 0, rejected=i == 8) for i in range(20)]
    third = [decision(i, 62 if 5 <= i < 12 else 0) for i in range(20)]
    numbers = [0] * 20 + [1] * 20 + [2] * 20
    found = shifts.last_shifts([*first, *second, *third], numbers)
    assert found == [(2, -102, 10, 9 / RATE), (3, 0, 13, 12 / RATE)]


def test_a_shift_that_drifts_began_where_it_came():
    drifting = [0] * 6 + [-109] * 6 + [-94] * 6 + [-86] * 6
    part = [decision(i, ms) for i, ms in enumerate(drifting)]
    assert shifts.last_shifts(part, [0] * len(part)) == [(1, -86, 7, 6 / RATE)]
    jumping = [decision(i, ms) for i, ms in enumerate([70] * 6 + [-62] * 6)]
    assert shifts.last_shifts(jumping, [0] * 12) == [(1, -62, 7, 6 / RATE)]


def test_windows_cut_short_at_the_end_are_not_the_end_of_a_shift():
    part = [decision(i, 102 if 4 <= i < 18 else 0) for i in range(20)]
    assert shifts.last_shifts(part, [0] * 20) == [(1, 102, 5, 4 / RATE)]


def test_a_replay_says_in_which_recording_the_delay_changed(bundle):
    tally = RunCounts()
    stable, late = made(30, n_trials=60), later(made(31, n_trials=60), JUMP)
    for recording in (stable, late):
        for _ in replay(recording, bundle, tally):
            pass
    told = summary(tally, bundle, None)["latency_shift_ms"]
    assert isinstance(told, list)
    (one,) = told
    assert one["recording"] == 2
    assert one["ms"] == pytest.approx(1000 * JUMP, abs=17)
    assert 20 < one["from_event"] < 50
    ((name, text),) = shifted(told)
    assert name == "latency shift"
    assert text.startswith(f"{one['ms']:+.0f} ms from event {one['from_event']} of recording 2 on")


def test_a_live_session_is_told_once_that_the_delay_has_changed(bundle, monkeypatch):
    session = Session(bundle, later(made(32, n_trials=60), JUMP), monkeypatch).play()
    told = [e for e in session.said if e["event"] == "alarm" and e["code"] == "latency"]
    assert 1 <= len(told) <= 3  # and again where it drifts
    assert all(e["level"] == "amber" for e in told)
    assert "ms later after their markers than in the calibration" in str(told[-1]["text"])
