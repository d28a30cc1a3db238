"""Who an outlet is, when it is silent and whether it is trusted: one rule each, for all readers."""

import ast
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest

from rtbci.lsl.description import Description
from rtbci.recorder import streams
from rtbci.recorder.record import MOST_DRAIN_S, Recorder
from rtbci.recorder.track import RecordedStream
from rtbci.signal import liveness
from rtbci.signal.liveness import (
    DOUBT_S,
    FIRST_ROW_S,
    Liveness,
    StreamIdentity,
    claimants,
    is_doubted,
    is_repeated_silence,
    silence_code,
    silence_level,
)

ROOT = Path(__file__).resolve().parents[2]
CAP = StreamIdentity("cap", "EEG", "cap-1", "lab", "uid-1")
NAMELESS = replace(CAP, source_id="")
ABOUT = Description("cap", "EEG", 250.0, "float32", 4, "cap-1", "uid-1", "", "lab")


def arrivals(*times: float) -> Liveness:
    """A stream whose rows arrived at ``times``."""
    known = Liveness(0.0)
    for at in times:
        known = known.after_rows(at)
    return known


def every(interval: float, count: int) -> Liveness:
    """A stream whose rows arrived ``count`` times."""
    return arrivals(*(interval * number for number in range(1, count + 1)))


@pytest.mark.parametrize("change", [{"uid": "uid-2"}, {"uid": "uid-2", "host": "other"}])
def test_a_restart_changes_the_uid_and_perhaps_the_host_of_a_source(change):
    assert CAP.is_source_of(replace(CAP, **change))


@pytest.mark.parametrize("change", [{"source_id": "cap-2"}, {"name": "x"}, {"kind": "Markers"}])
def test_an_outlet_of_another_source_id_name_or_kind_is_another_source(change):
    assert not CAP.is_source_of(replace(CAP, **change))


def test_an_outlet_without_a_source_id_is_the_same_only_on_its_own_host():
    assert NAMELESS.is_source_of(replace(NAMELESS, uid="uid-2"))
    assert not NAMELESS.is_source_of(replace(NAMELESS, uid="uid-2", host="other"))
    assert not NAMELESS.is_source_of(CAP)


def test_a_source_id_that_spells_a_host_is_not_that_host():
    assert not NAMELESS.is_source_of(replace(CAP, source_id=NAMELESS.host))


def test_a_process_that_answers_alone_is_read_on():
    found = claimants(CAP, [CAP, replace(CAP, name="other", uid="uid-9")])
    assert found.is_alone
    assert (found.heir, found.twins) == (None, ())


def test_a_process_that_does_not_answer_is_not_read_on():
    assert not claimants(CAP, []).is_alone


def test_one_other_outlet_is_an_heir_and_two_are_twins():
    second, third = replace(CAP, uid="uid-2"), replace(CAP, uid="uid-3")
    heir = claimants(CAP, [second])
    assert (heir.answers, heir.is_alone, heir.heir, heir.twins) == (False, False, second, ())
    both = claimants(CAP, [CAP, second])
    assert (both.answers, both.is_alone, both.heir) == (True, False, second)
    twins = claimants(CAP, [second, CAP, third])
    assert (twins.is_alone, twins.heir, twins.twins) == (False, None, (second, third))


def test_a_newcomer_is_doubted_for_longer_than_a_dead_outlet_is_listed():
    assert liveness.LISTED_S < DOUBT_S < liveness.UNCONFIRMED_S < liveness.LEFT_S
    assert is_doubted(10.0, 10.0 + DOUBT_S)
    assert not is_doubted(10.0, 10.01 + DOUBT_S)


def test_silence_is_counted_from_the_last_row():
    known = arrivals(1.0, 1.02, 1.04)
    assert not known.is_silent(1.54)
    assert known.is_silent(1.55)
    assert known.age(3.04) == pytest.approx(2.0)


def test_before_the_first_row_only_the_time_is_counted():
    known = Liveness(5.0)
    assert not known.heard
    assert known.age(7.0) == 2.0
    assert known.after_rows(5.3) == Liveness(5.3, heard=True)  # and nothing is learned from it


def test_the_usual_interval_follows_the_arrivals_slowly():
    assert arrivals(1.0, 1.3).interval == pytest.approx(0.1 + 0.05 * 0.2)
    assert every(0.4, 200).interval == pytest.approx(0.4, abs=0.001)


def test_a_stream_of_rare_chunks_may_be_silent_for_three_intervals():
    known = every(0.4, 200)
    assert known.limit == pytest.approx(1.2, abs=0.003)
    assert not known.is_silent(known.arrived + 1.1)
    assert known.may_have_moved(known.arrived + 0.51)  # LSL does not know that it is slow


def test_nothing_is_learned_from_a_silence():
    known = every(0.02, 100)
    again = known.after_rows(known.arrived + 30.0)
    assert again.interval == known.interval
    assert again.arrived == known.arrived + 30.0


def test_the_readers_own_sleep_is_no_silence_but_a_gap():
    known = every(0.02, 100).excuse(2.0).excuse(1.0)
    now = known.arrived + 3.1
    assert known.age(now) == pytest.approx(0.1)
    assert known.gap(now) == pytest.approx(3.1)
    assert not known.is_silent(now)
    assert known.after_rows(now).excused == 0.0


def test_an_heir_is_waited_for_from_the_moment_it_is_accepted():
    known = every(0.02, 100).excuse(1.0).waiting_since(50.0)
    assert (known.age(50.2), known.heard) == (pytest.approx(0.2), True)


def test_silence_is_amber_first_and_red_later():
    assert [silence_level(age, 0.5) for age in (0.5, 0.51, 1.5, 1.51)] == [
        None, "amber", "amber", "red",
    ]  # fmt: skip


def test_a_silence_beyond_a_long_limit_is_red_at_once():
    assert [silence_level(age, 2.4) for age in (2.4, 2.41)] == [None, "red"]
    assert [silence_level(age, FIRST_ROW_S) for age in (4.9, 5.1)] == [None, "red"]


def test_only_the_recorders_silence_of_the_decoded_stream_is_a_repetition():
    code = silence_code("cap")
    assert is_repeated_silence("record", code, "cap")
    assert not is_repeated_silence("record", code, "other")
    assert not is_repeated_silence("decode", code, "cap")
    assert not is_repeated_silence("record", "waiting", "cap")
    assert not is_repeated_silence("record", silence_code("None"), None)


class Inlet:
    """Rows that wait behind a silence."""

    waiting = 5

    def was_reset(self) -> bool:
        return False

    def close(self) -> None:
        pass

    def pull(self):
        count, self.waiting = self.waiting, 0
        return np.zeros((count, 4), np.float32), 10.0 + np.arange(count) / 250


@pytest.fixture
def recording(monkeypatch):
    """Streams of a recorder in which one fell silent for 2 s, and discovery that knows nothing."""
    monkeypatch.setattr(streams, "StreamDiscovery", lambda: Mock(found=lambda *_: []))
    found = streams.Streams((), Mock(), lambda _: None)
    track = RecordedStream(1, ABOUT, "cap", Inlet())  # type: ignore[arg-type]
    track.took(np.array([9.0]), 100.0)
    found.tracks.append(track)
    yield found
    found.close(1.0)


def test_the_recorder_leaves_rows_unread_until_their_sender_is_confirmed(recording, monkeypatch):
    assert recording.pull(102.0, lambda: False) == 0
    here = Mock(about=ABOUT)
    monkeypatch.setattr(recording._doubts[1], "found", lambda: [here])
    assert recording.pull(102.3, lambda: False) == 5


def test_the_recorder_takes_unconfirmed_rows_rather_than_none(recording):
    assert recording.pull(102.0, lambda: False) == 0
    assert recording.pull(102.0 + liveness.UNCONFIRMED_S, lambda: False) == 5


def test_the_end_lifts_no_doubt(recording):
    # LSL may have gone over to a twin: its rows must not end the stream of a dead one
    assert recording.pull(102.0, lambda: False) == 0
    recording.adopt_all(102.1)
    assert recording.pull(102.1, lambda: False) == 0


def test_the_end_forgets_no_confirmation(recording, monkeypatch):
    assert recording.pull(102.0, lambda: False) == 0
    monkeypatch.setattr(recording._doubts[1], "found", lambda: [Mock(about=ABOUT)])
    recording.adopt_all(102.1)
    assert recording.pull(102.1, lambda: False) == 5


def test_the_end_waits_for_rows_whose_sender_is_still_to_be_confirmed():
    began, taken = time.monotonic(), []

    def is_confirmed() -> bool:
        return time.monotonic() - began > 0.3

    def pull() -> int:
        rows = 5 if is_confirmed() and not taken else 0
        taken.extend(range(rows))
        return rows

    held = SimpleNamespace(adopt_all=lambda _: None, is_holding=True)
    drained = SimpleNamespace(_is_due=lambda: False, _pull=pull, _streams=held, _now=began)
    Recorder._drain(drained)  # type: ignore[arg-type]
    assert len(taken) == 5
    assert time.monotonic() - began < MOST_DRAIN_S


def test_a_slow_stream_is_away_for_the_recorder_only_after_its_own_limit(recording):
    (track,) = recording.tracks
    recording._seen = {ABOUT.uid: Mock()}
    track.liveness = every(0.4, 200)
    assert not recording._is_away(track, track.liveness.arrived + 1.1)
    assert recording._is_away(track, track.liveness.arrived + 1.3)


def constants(path: Path) -> set[str]:
    """Names in capitals that a module assigns."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id.isupper()
    }


def test_limits_of_silence_and_doubt_are_named_in_one_file():
    here = Path(liveness.__file__)
    mine = constants(here)
    assert {"SILENT_S", "DOUBT_S", "INTERVAL_SMOOTHING"} <= mine
    words = {"SILENT", "SMOOTHING", "OVERSLEPT", "UNCONFIRMED"}
    wrong = [
        f"{path.relative_to(ROOT)}: {name}"
        for room in ("rtbci", "gui")
        for path in (ROOT / room).rglob("*.py")
        if path != here
        for name in constants(path)
        if name in mine or words & set(name.split("_"))
    ]
    assert not wrong, wrong
