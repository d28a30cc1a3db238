"""The decode process without a bus: orders, failures, hurry, and the same decisions as offline."""

import io
import json
from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from calibration.fitting.training import CalibrationSettings, calibrate
from rtbci.decoding.bundle import Bundle
from rtbci.decoding.pipeline import Pipeline
from rtbci.engine.engine import Engine
from rtbci.engine.timed_decoder import FAILURES
from rtbci.messages import Finish, Pause, Resume, SetDead, Stop
from rtbci.process import ControlInput, Reporter
from rtbci.signal.recording import Recording
from rtbci.types import Answer, Array, Chunk, Decoder, Gap, Marker
from sims.generate import generate


class Played:
    """A source whose items lie ready; its clock is the sample index."""

    def __init__(self, recording: Recording, chunk: int = 20, late: float = 0.0) -> None:
        self.info, self.rate, self.speed = recording.info, recording.info.rate, 1.0
        self.refused: str | None = None
        self.ended = False
        self.late, self.newest, self.arrived = 0.0, float("nan"), 0.0
        self.head = 0
        self._behind = late
        self._items = deque(recording.items(chunk))
        self.markers: list[tuple[float, Marker]] = []

    def pull(self, timeout: float) -> list[Chunk | Gap]:
        while self._items:
            item = self._items.popleft()
            if isinstance(item, Marker):
                self.markers.append((self.stamp_at(item.index), item))
                continue
            self.head = item.index + (len(item.x) if isinstance(item, Chunk) else item.missing)
            self.newest = self.stamp_at(self.head - 1)
            self.arrived = self.newest + self._behind
            return [item]
        return []

    def take(self) -> list[tuple[float, Marker]]:
        found, self.markers = self.markers, []
        return found

    def due(self, stamp: float) -> float:
        return stamp + self.late

    def index_at(self, stamp: float) -> int | None:
        return round((stamp - 100.0) * self.rate)

    def stamp_at(self, index: int) -> float:
        return 100.0 + index / self.rate


class Failing:
    """A decoder that fails whenever it is told to."""

    def __init__(self, decoder: Decoder, fails: Iterable[bool]) -> None:
        self.classes, self.arrays, self.dimensions = decoder.classes, decoder.arrays, 0
        self._answer, self._fails = decoder.answer, iter(fails)

    def answer(self, x: Array) -> Answer:
        if next(self._fails, False):
            raise RuntimeError("no luck")
        return self._answer(x)

    def logits(self, x: Array) -> Array:
        return self.answer(x).logits


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    plan = CalibrationSettings("sub-01", {"1": "house", "2": "face"})
    recording = generate(1, n_trials=80, soa=1.0, channels=4)
    return calibrate([recording], plan, lambda *_: None, permute=False).bundle


@pytest.fixture(scope="module")
def recording() -> Recording:
    return generate(2, n_trials=30, soa=1.0, channels=4)


class Session:
    """An engine, what it published, and what it said."""

    def __init__(
        self, bundle: Bundle, recording: Recording, monkeypatch: pytest.MonkeyPatch,
        *, late: float = 0.0, every: float | None = None, reload: Decoder | None = None,
    ) -> None:  # fmt: skip
        self.out = io.StringIO()
        monkeypatch.setattr("sys.stdout", self.out)
        self.source = Played(recording, late=late)
        self.published: list[dict[str, Any]] = []
        self.tell = Reporter("decode", True)
        self.control = ControlInput(False)
        self.reloads = 0

        def load() -> Decoder:
            self.reloads += 1
            return reload or bundle.decoder

        self.engine = Engine(
            bundle, self.source, self.source.take,
            lambda _, text, __: self.published.append(json.loads(text)),
            self.tell, self.control, reload=load, every=every, clock=lambda: self.source.arrived,
        )  # fmt: skip

    def play(self, turns: int | None = None) -> "Session":
        self.engine._obey(Finish(index=self.source.head + 10**9))
        for _ in range(turns or len(self.source._items)):
            self.engine.turn()
        self.engine._obey(Stop())
        self.engine.run()
        self.tell.close()
        return self

    @property
    def said(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.getvalue().splitlines()]


def plain(values: dict[str, Any]) -> tuple[object, ...]:
    return tuple(values[key] for key in ("index", "label", "true", "rejected", "flags"))


def test_the_engine_decides_as_the_pipeline_does(bundle, recording, monkeypatch):
    session = Session(bundle, recording, monkeypatch).play()
    expected = Pipeline(bundle, recording.info).run(recording.items())
    assert [each["index"] for each in session.published] == [each.index for each in expected]
    for one, other in zip(session.published, expected, strict=True):
        assert one["label"] == other.label
        assert one["probabilities"] == pytest.approx(dict(other.probabilities), abs=1e-8)
        assert one["stamp"] == pytest.approx(100.0 + other.index / recording.info.rate)
        assert set(one["latency_ms"]) == {"transport", "overhead", "model", "total"}


def test_what_is_published_is_also_said(bundle, recording, monkeypatch):
    session = Session(bundle, recording, monkeypatch).play()
    decisions = [each for each in session.said if each["event"] == "decision"]
    assert decisions == session.published


def test_a_decoder_that_fails_costs_one_decision_and_is_told_once(bundle, recording, monkeypatch):
    failing = replace(bundle, decoder=Failing(bundle.decoder, [False, True, False, True]))
    session = Session(failing, recording, monkeypatch).play()
    reasons = [each["rejected"] for each in session.published]
    assert reasons[:4] == [None, "decoder gave no number", None, "decoder gave no number"]
    assert not any(reasons[4:])
    alarms = [each for each in session.said if each["event"] == "alarm"]
    assert len(alarms) == 1
    assert "RuntimeError: no luck" in alarms[0]["text"]
    assert session.engine.counters().decoder_failures == {"RuntimeError": 2}


def test_a_decoder_that_keeps_failing_is_loaded_anew(bundle, recording, monkeypatch):
    failing = replace(bundle, decoder=Failing(bundle.decoder, [True] * 100))
    session = Session(failing, recording, monkeypatch, reload=bundle.decoder).play()
    assert session.reloads == 1
    labels = [each["label"] for each in session.published]
    assert labels[:FAILURES] == [None] * FAILURES
    assert all(labels[FAILURES:])


def test_an_engine_behind_skips_sliding_windows_but_never_an_event(bundle, recording, monkeypatch):
    on_time = Session(bundle, recording, monkeypatch, every=0.1).play()
    behind = Session(bundle, recording, monkeypatch, every=0.1, late=3.0).play()

    def events(session: Session) -> list[tuple[object, ...]]:
        return [plain(each) for each in session.published if each["true"] is not None]

    assert events(behind) == events(on_time)
    assert len(behind.published) == len(events(behind))
    slid = len(on_time.published) - len(events(on_time))
    assert behind.engine.counters().skipped == slid > 100


def test_a_pause_publishes_nothing_and_loses_no_sample(bundle, recording, monkeypatch):
    session = Session(bundle, recording, monkeypatch)
    session.engine._obey(Pause())
    for _ in range(200):
        session.engine.turn()
    assert not session.published
    session.engine._obey(Resume())
    session.play()
    expected = Pipeline(bundle, recording.info).run(recording.items())
    after = [each.label for each in expected][-len(session.published) :]
    assert [each["label"] for each in session.published] == after


def test_electrodes_known_to_be_dead_reject_every_window(bundle, recording, monkeypatch):
    session = Session(bundle, recording, monkeypatch)
    name = bundle.recipe.channels[0]
    session.engine._obey(SetDead({name: "hums"}))
    session.play()
    assert {each["rejected"] for each in session.published} == {f"no reliable signal: {name} hums"}


def test_a_replay_that_starts_late_says_so_and_is_not_blamed(bundle, recording, monkeypatch):
    session = Session(bundle, recording, monkeypatch, late=0.3)
    late = Marker(0, "rtbci-start", {"label": "rtbci-start", "late": 0.3})
    session.source.markers.append((99.0, late))
    session.play()
    transport = [each["latency_ms"]["transport"] for each in session.published]
    assert max(map(abs, transport)) < 1e-6


def test_a_marker_before_the_first_sample_waits_for_it(bundle, recording, monkeypatch):
    session = Session(bundle, recording, monkeypatch)
    real, known = session.source.index_at, []
    session.source.index_at = lambda stamp: real(stamp) if known else None  # type: ignore[method-assign]
    first = recording.markers[0]
    session.engine._event(session.source.stamp_at(first.index), first)
    known.append(True)
    session.play()
    assert session.published[0]["index"] == first.index


def test_the_next_recording_starts_at_index_0_with_a_new_pipeline(bundle, recording, monkeypatch):
    session = Session(bundle, recording, monkeypatch)
    session.source._items.extend(recording.items(20))
    first = sum(not isinstance(item, Marker) for item in recording.items(20))
    for _ in range(first - 1):
        session.engine.turn()
    session.source.ended = True
    session.engine.turn()
    session.source.ended = False
    once = len(session.published)
    session.play()
    assert [plain(each) for each in session.published[once:]] == [
        plain(each) for each in session.published[:once]
    ]
    assert once == len(recording.markers)


def test_numbers_that_were_not_measured_are_null(bundle, recording, monkeypatch):
    session = Session(bundle, recording, monkeypatch)
    assert session.engine.delays.summary()["total"] == {"p50": None, "p95": None, "p99": None}
    session.play()
    total = session.engine.delays.summary()["total"]
    assert all(isinstance(value, float) and np.isfinite(value) for value in total.values())


def test_a_marker_without_a_stamp_blocks_none_that_came_before_the_first_sample(
    bundle, recording, monkeypatch
):
    session = Session(bundle, recording, monkeypatch)
    place, began = session.source.index_at, [False]

    def index_at(stamp: float) -> int | None:
        return place(stamp) if began[0] and abs(stamp) < 1e15 else None

    monkeypatch.setattr(session.source, "index_at", index_at)
    engine, pushed = session.engine, list[str]()
    monkeypatch.setattr(engine.pipeline, "push", lambda marker: pushed.append(marker.label) or [])
    for stamp in (float("nan"), 101.0, float("inf"), 1e300):
        session.source.markers.append((stamp, Marker(0, "good" if stamp == 101.0 else "odd")))
    engine._look_for_markers()
    assert pushed == []
    began[0] = True
    for _ in range(20_000):
        session.source.markers.append((float("nan"), Marker(0, "odd")))
    engine._look_for_markers()
    assert pushed == ["good"]
    assert engine._early == []
    assert engine.unplaced == 20_003
    engine._tell_unplaced()
    level, text = engine._tell.alarms["unplaced"]
    assert (level, text.split(" markers ")[0]) == ("amber", "20003")
