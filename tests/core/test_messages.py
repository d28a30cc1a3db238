"""Messages on the wire: every class keeps its keys, and no foreign line breaks the parser."""

import dataclasses
import json
import math
import random
from collections.abc import Mapping

import pytest

from rtbci import messages
from rtbci.messages import (
    Alarm,
    DecisionMade,
    FaultBegan,
    GapFound,
    Latency,
    MarkerSet,
    Message,
    NoteWritten,
    OtherEvent,
    OtherOrder,
    Paused,
    ProcessReport,
    Ready,
    SessionReport,
    SetMarker,
    Status,
    line,
    parse,
    parse_order,
)
from rtbci.statistics import delays
from rtbci.types import Decision, Marker

LINES = {  # as they are on pipes, sockets and in recordings: keys, order and rounding stay
    "Ready": '{"event": "ready", "box": "a", "text": "it works"}',
    "Status": '{"event": "status", "box": "a"}',
    "Done": '{"event": "done", "box": "a", "text": "3 rows"}',
    "Alarm": '{"event": "alarm", "box": "decode", "level": "red", "code": "stall", "text": "no"}',
    "Clear": '{"event": "clear", "box": "decode", "code": "stall", "text": "back after 2.0 s"}',
    "Started": '{"event": "started", "box": "record", "pid": 71, "again": false}',
    "Ended": '{"event": "ended", "box": "record", "code": -9}',
    "Paused": '{"event": "pause"}',
    "Resumed": '{"event": "resume"}',
    "MarkerSet": '{"event": "marker", "text": "3", "stamp": 12.5, "index": 700}',
    "NoteWritten": '{"event": "note", "text": "cap moved"}',
    "TakenOver": '{"event": "taken over", "before": null}',
    "Closed": '{"event": "closed", "recordings": ["a.xdf", "b.xdf"]}',
    "SessionReport": '{"event": "session", "id": "sub-02", "folder": "/s/sub-02", "boxes": '
    '{"decode": {"pid": 72, "works": true}}, "decisions": 3, "alarms": [{"event": "alarm", "box": '
    '"decode", "level": "amber", "code": "rate", "text": "slow"}], "recordings": ["a.xdf"], '
    '"paused": false, "said": [{"event": "start", "box": "stream", "t0": 5.25, "late": 0.0}]}',
    "Refused": '{"error": "cannot fly"}',
    "WaitingForSignal": '{"event": "waiting", "box": "decode", "bundle": "b/sub-02"}',
    "DecoderReady": '{"event": "ready", "box": "decode", "text": "decoding cap", "stream": "cap", '
    '"uid": "aa", "markers": ["marks"], "settle": 1.5}',
    "DecoderStatus": '{"event": "status", "box": "decode", "decisions": 3, "rejected": 1, '
    '"skipped": 0, "duplicates": 0, "decoder_failures": {"ValueError": 1}}',
    "NothingDecoded": '{"event": "done", "box": "decode", "text": "t", "samples": 0, '
    '"decisions": 0}',
    "DecoderDone": '{"event": "done", "box": "decode", "text": "t", "decisions": 3, "rejected": 1, '
    '"skipped": 0, "duplicates": 0, "decoder_failures": {}, "samples": 500, "missing": 12, '
    '"gaps": 1, "returns": 0, "index": 512, "measured_rate": null, "latency_ms": {"total": '
    '{"p50": 1.5, "p95": null}}}',
    "GapFound": '{"event": "gap", "box": "decode", "index": 7, "missing": 2, "reason": "missing"}',
    "RecordingBegan": '{"event": "recording", "box": "decode"}',
    "SignalReturned": '{"event": "returned", "box": "decode"}',
    "DecisionMade": '{"event": "decision", "index": 9, "onset": 0.036, "true": null, "label": '
    '"face", "probabilities": {"face": 0.75, "house": 0.25}, "flags": ["unsure"], "rejected": '
    'null, "stamp": 5.286, "latency_ms": {"transport": 1.0, "overhead": 0.25, "model": 2.0, '
    '"total": 3.25}, "file": "run3.xdf"}',
    "RecorderReady": '{"event": "ready", "box": "record", "text": "t", "path": "a.xdf", '
    '"lsl_session": "default"}',
    "RecorderStatus": '{"event": "status", "box": "record", "path": "a.xdf", "samples": {"cap": 5, '
    '"marks": 1}, "missing": {"cap": 0, "marks": null}, "age_s": {"cap": 0.02, "marks": null}, '
    '"bytes": 900, "waiting_bytes": 0, "queue_s": 0.0, "disk_left_s": null, "clocks": '
    '{"lsl_clock": "5.3"}}',
    "RecorderDone": '{"event": "done", "box": "record", "text": "t", "path": "a.xdf", "samples": '
    '{}, "missing": {}, "age_s": {}, "bytes": 900, "waiting_bytes": 0, "queue_s": 0.0, '
    '"disk_left_s": 3600, "clocks": {}, "parts": ["a.xdf"], "lost_bytes": 0}',
    "StreamFound": '{"event": "stream", "box": "record", "number": 1, "name": "cap", "source_id": '
    '"s", "uid": "aa", "host": "lab", "channels": 4, "rate": 250.0}',
    "StreamBack": '{"event": "stream-back", "box": "record", "number": 1, "uid": "bb"}',
    "FileMoved": '{"event": "part", "box": "record", "path": "b.xdf"}',
    "PlayerReady": '{"event": "ready", "box": "stream", "text": "t", "t0": 5.25, "speed": 1.0, '
    '"samples": 500, "rate": 250.0, "channels": 4, "name": "cap", "markers": "marks", "source_id": '
    '"s", "session": "default"}',
    "WaitingForReaders": '{"event": "waiting", "box": "stream", "wanted": 2, "there": 1}',
    "ReplayStarted": '{"event": "start", "box": "stream", "t0": 5.25, "late": 0.1}',
    "PlayerStatus": '{"event": "status", "box": "stream", "index": 5, "samples": 5, "markers": 1}',
    "FaultBegan": '{"event": "fault", "box": "stream", "do": "flat", "at": 9.5, "for": 0.4, '
    '"channels": ["Cz"], "index": 2375}',
    "OutletsBack": '{"event": "back", "box": "stream", "at": 8.0, "index": 2000}',
    "ReplayEnded": '{"event": "end", "box": "stream", "index": 500, "stamp": 7.25}',
    "PartPlayed": '{"event": "part", "samples": 5, "markers": 1, "late_ms": [0.1, null]}',
    "PlayerDone": '{"event": "done", "box": "stream", "text": "t", "samples": 5, "markers": 1, '
    '"late_ms": [0.1, 0.2]}',
    "LifeClock": '{"event": "clock", "lsl": 5.25}',
    "LifeFailed": '{"event": "failed", "text": "why"}',
    "ParticipantReady": '{"event": "ready", "box": "participant", "text": "t", "name": "cap", '
    '"t0": 5.25, "subject": "sub-02", "session": 1, "rate": 250.0, "strength": "clear", '
    '"channels": 4, "seed": 0, "simulated": true}',
    "ParticipantStatus": '{"event": "status", "box": "participant", "samples": 5, "markers": 1, '
    '"late": 0}',
    "ParticipantDone": '{"event": "done", "box": "participant", "text": "t", "samples": 5, '
    '"markers": 1, "late": 0}',
    "MarkersHeard": '{"event": "listening", "box": "participant", "stream": "marks"}',
    "MarkerAnswered": '{"event": "evoked", "box": "participant", "label": "dog", "index": 5, '
    '"stamp": 5.27}',
    "MarkerLate": '{"event": "late", "box": "participant", "label": "dog", "late": 0.06}',
    "MarkerUnknown": '{"event": "unknown", "box": "participant", "label": "x", "how": "a code"}',
    "Finish": '{"do": "finish", "index": 500}',
    "Stop": '{"do": "stop"}',
    "Pause": '{"do": "pause"}',
    "Resume": '{"do": "resume"}',
    "SetDead": '{"do": "dead", "electrodes": {"Pz": "hums"}}',
    "Go": '{"do": "go", "t0": 5.25, "late": 0.0}',
    "AskReport": '{"do": "status"}',
    "Follow": '{"do": "follow"}',
    "SetMarker": '{"do": "marker", "text": "3", "stamp": 12.5, "index": 700}',
    "WriteNote": '{"do": "note", "text": "cap moved"}',
    "OtherEvent": '{"event": "hello", "box": "a", "words": ["x", {"y": 1}]}',
    "OtherOrder": '{"do": "fly", "high": true}',
}
FOREIGN = [  # values that the parser has to bear in any place
    *(None, True, -1, 0.5, "", "text", [], {}, [1], {"a": 1}, "\u0000", "\ud800", "ä" * 100),
    *(math.nan, math.inf, -math.inf, 10**400, -(10**25), 1e308, 2**63, [["x"]] * 3),
    *("event", {"event": "ready"}, {"do": "stop"}, [{"event": 3}], {"event": {"event": []}}),
]


def forms() -> list[type[Message]]:
    """Classes of messages that can be on the wire."""
    found = [cls for cls in vars(messages).values() if isinstance(cls, type)]
    bases = {Message, messages.Event, messages.Order}
    return [cls for cls in found if issubclass(cls, Message) and cls not in bases]


def nested(levels: int) -> str:
    return '{"event": "note", "text": ' + "[" * levels + "]" * levels + "}"


def is_finite(value: object) -> bool:
    """Whether no number in a value is beyond 64 bits, infinite or NaN."""
    if isinstance(value, Mapping):
        return all(map(is_finite, value.values()))
    if isinstance(value, list | tuple):
        return all(map(is_finite, value))
    if isinstance(value, float):
        return math.isfinite(value)
    return not isinstance(value, int) or abs(value) < 2**63


def test_every_message_has_an_example():
    assert {cls.__name__ for cls in forms()} == set(LINES)


@pytest.mark.parametrize("name", LINES)
def test_a_message_is_read_from_its_line_and_written_as_it_was(name):
    message = parse(LINES[name])
    assert message is not None
    assert type(message) is getattr(messages, name)
    assert not message.more or name.startswith("Other")
    assert line(message) == LINES[name]
    assert parse(line(message)) == message


def test_fields_have_the_types_that_they_declare():
    report = parse(LINES["SessionReport"])
    assert isinstance(report, SessionReport)
    assert report.boxes == {"decode": ProcessReport(72, True)}
    assert report.alarms == (Alarm("amber", "rate", "slow", box="decode"),)
    made = parse(LINES["DecisionMade"])
    odds = {"face": 0.75, "house": 0.25}
    decision = Decision(9, 0.036, None, "face", odds, ("unsure",))
    latency = Latency(1.0, 0.25, 2.0, 3.25)
    assert made == DecisionMade(decision, stamp=5.286, latency=latency, file="run3.xdf")
    fault = FaultBegan("flat", 9.5, {"for": 0.4, "channels": ["Cz"]}, 2375, box="stream")
    assert parse(LINES["FaultBegan"]) == fault


def test_keys_that_are_not_known_are_passed_on():
    text = '{"event": "gap", "box": "decode", "index": 7, "missing": 2, "reason": "m", "new": [1]}'
    gap = parse(text)
    assert isinstance(gap, GapFound)
    assert line(gap) == text


def test_a_known_kind_without_its_fields_is_an_event_of_its_base_or_another_one():
    assert parse('{"event": "ready", "box": "decode"}') == Ready(box="decode")
    assert type(parse('{"event": "status", "samples": "many"}')) is Status
    for text in (
        '{"event": "gap", "index": 7}',
        '{"event": "gap", "index": true, "missing": 1, "reason": "m"}',
    ):
        found = parse(text)
        assert isinstance(found, OtherEvent)
        assert line(found) == text


def test_an_optional_field_of_the_wrong_type_is_absent():
    assert parse('{"do": "marker", "text": "3", "stamp": NaN, "index": "x"}') == SetMarker("3")
    assert parse('{"event": "note", "text": "n", "stamp": []}') == NoteWritten("n")
    assert line(MarkerSet("3", stamp=12.5)) == '{"event": "marker", "text": "3", "stamp": 12.5}'


@pytest.mark.parametrize(
    "text",
    ["", "no json", "[1]", '"text"', "null", "3", "{}", '{"x": 1}', '{"event": 3}', '{"event": "a"',
     b"\xff\xfe{", nested(13), nested(5000), '{"event": "a", "x": "' + "y" * 2**20 + '"}'],
)  # fmt: skip
def test_what_is_not_a_message_is_none(text):
    assert parse(text) is None


def test_an_object_without_a_kind_is_an_order_that_nobody_knows():
    assert parse_order('{"x": 1}') == OtherOrder("None", more={"x": 1})
    assert parse_order('{"event": "pause", "do": "stop"}') == OtherOrder("stop")
    assert parse_order("[1]") is None
    assert parse_order(nested(5000)) is None


def test_numbers_that_are_not_finite_become_null():
    values = {"a": math.nan, "b": [math.inf, {"c": -math.inf}], "d": 1 / 3}
    assert line(values) == '{"a": null, "b": [null, {"c": null}], "d": 0.333333333}'


def test_foreign_objects_never_break_the_parser():
    chance = random.Random(7)
    read = 0
    for _ in range(2000):
        values = json.loads(LINES[chance.choice(list(LINES))])
        for _ in range(chance.randint(0, 4)):
            key = chance.choice([*values, "event", "do", "box", "more", "kind", "new"])
            if chance.random() < 0.3:
                values.pop(key, None)
            else:
                values[key] = chance.choice(FOREIGN)
        text = json.dumps(values, ensure_ascii=chance.random() < 0.5)
        if chance.random() < 0.1:
            text = text[: chance.randint(0, len(text))]
        message = parse(text)
        parse_order(text)
        if message is None:
            continue
        read += 1
        written = line(message)
        assert written.encode()
        assert is_finite(message.as_json()), text
        again = parse(written)
        assert again is not None, text
        assert line(again) == written, text
        assert isinstance(hash(message.kind), int)
    assert read > 1000


def test_messages_cannot_be_changed():
    for cls in forms():
        assert dataclasses.is_dataclass(cls)
        assert cls.__dataclass_params__.frozen, cls  # type: ignore[attr-defined]
    with pytest.raises(dataclasses.FrozenInstanceError):
        Paused().box = "decode"  # type: ignore[misc]


def test_delays_have_the_same_stages_everywhere():
    assert Latency._fields == delays.KEYS


def test_a_replay_reports_its_lateness_in_a_marker():
    fields = json.loads(messages.late_start_marker(0.25))
    assert fields == {"label": messages.LATE_START, "late": 0.25}
    assert messages.lateness(Marker(0, messages.LATE_START, fields)) == 0.25
    absurd = ("soon", True, -1.0, 1e300, float("nan"), float("inf"), 10**400, None)
    for late in absurd:
        assert messages.lateness(Marker(0, messages.LATE_START, {"late": late})) == 0.0
