"""The line of a decision that the live path writes is the one that everybody else reads."""

import json

import pytest

from rtbci import messages
from rtbci.types import Decision

DECISIONS = {
    "decided": Decision(
        7, 0.1234567890123, "face", "house", {"face": 1 / 3, 'a "b"\n': 1e-12, "häuser": 1.0},
        ("unsure", "lag +8 ms"),
    ),
    "rejected": Decision(0, 0.0, None, None, {}, (), "gap"),
}  # fmt: skip


@pytest.mark.parametrize("kind", DECISIONS)
def test_the_live_line_of_a_decision_is_the_json_of_the_decision(kind):
    decision = DECISIONS[kind]
    expected = messages.line(messages.DecisionMade(decision, stamp=12345.678901234567))
    line = messages.decision_line(decision, 12345.678901234567)
    assert line == expected
    with_latency = json.loads(messages.with_latency(line, 1.0, 0.25, 2.0, 3.25))
    assert with_latency.pop("latency_ms") == {
        "transport": 1.0, "overhead": 0.25, "model": 2.0, "total": 3.25,
    }  # fmt: skip
    assert with_latency == json.loads(expected)
