"""Orders to a session over its socket: what it answers, logs and passes on to followers."""

import json
from pathlib import Path

import pytest

from rtbci.decoding.offline import RunCounts
from rtbci.messages import Message, Order, SessionReport, line, parse_order
from rtbci.session.control import Request
from rtbci.session.folder import EVENTS, SessionFolder
from rtbci.session.over_bus import DecisionCollector, Session
from rtbci.session.processes import Bus
from rtbci.session.view import TerminalView

ANSWERS = {  # order and answer, as they are on the socket
    '{"do": "pause"}': '{"event": "pause"}',
    '{"do": "resume"}': '{"event": "resume"}',
    '{"do": "marker", "text": "3"}': '{"event": "marker", "text": "3"}',
    '{"do": "note", "text": "cap moved", "stamp": 12.5, "index": 700}':
        '{"event": "note", "text": "cap moved", "stamp": 12.5, "index": 700}',
    '{"do": "note", "text": "n", "stamp": NaN, "index": "x"}': '{"event": "note", "text": "n"}',
}  # fmt: skip
ABLE = "I can status, stop, pause, resume, marker, note"
REFUSALS = {
    '{"do": "fly"}': f"cannot 'fly'; {ABLE}",
    '{"do": "finish"}': f"cannot 'finish'; {ABLE}",
    '{"x": 1}': f"cannot 'None'; {ABLE}",
    '{"do": ["a"]}': f"cannot \"['a']\"; {ABLE}",
    '{"do": "' + 100 * "x" + '"}': f"cannot {40 * 'x'!r}; {ABLE}",
    '{"do": "marker"}': "cannot 'marker' without its text; send it as a string",
    '{"do": "note", "text": 5}': "cannot 'note' without its text; send it as a string",
}


@pytest.fixture
def session(tmp_path, monkeypatch):
    """A session without processes."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    folder = tmp_path / "sub-02_now"
    folder.mkdir()
    collector = DecisionCollector(RunCounts())
    with (
        SessionFolder(folder) as held,
        Session(held, Bus(), TerminalView(as_json=True), collector) as session,
    ):
        yield session


def ask(session: Session, text: str) -> Message:
    """Answer to an order."""
    answers: list[Message] = []
    order = parse_order(text)
    assert isinstance(order, Order)
    answers.append(session._handle(Request(order, answers.append)))
    return answers[0]


def logged(session: Session) -> list[dict[str, object]]:
    """Lines of the log without times and hashes."""
    path = Path(session.entry.folder) / EVENTS
    lines = [json.loads(each) for each in path.read_text("utf-8").splitlines()]
    return [
        {key: value for key, value in each.items() if key not in ("time", "monotonic", "previous")}
        for each in lines
    ]


@pytest.mark.parametrize("order", ANSWERS)
def test_an_order_of_a_person_is_answered_and_logged(session, order):
    assert line(ask(session, order)) == ANSWERS[order]
    assert logged(session) == [json.loads(ANSWERS[order])]


@pytest.mark.parametrize("order", REFUSALS)
def test_another_order_is_refused_in_a_sentence_and_not_logged(session, order):
    assert json.loads(line(ask(session, order))) == {"error": REFUSALS[order]}
    assert logged(session) == []


def test_a_report_has_the_pause_and_a_stop_asks_for_the_end(session):
    ask(session, '{"do": "pause"}')
    report = ask(session, '{"do": "status"}')
    assert isinstance(report, SessionReport)
    assert report.paused
    assert list(json.loads(line(report))) == [
        "event", "id", "folder", "boxes", "decisions", "alarms", "recordings", "paused", "said",
    ]  # fmt: skip
    assert session.stopped is None
    assert isinstance(ask(session, '{"do": "stop"}'), SessionReport)
    assert session.stopped == 0
