"""A storm loses nothing that a kill of the recorder does not explain, and its account is right."""

import time
from collections import Counter
from dataclasses import asdict, dataclass, field

import pytest

from tests.soak.storm import check, run
from tests.soak.storm_account import RATE, Account, account, is_good, told
from tests.soak.tiny_xdf import TinyStream
from tests.soak.units import Units
from tests.support.live_session import new_seed

EVENTS, SECONDS = 6, 24.0
T0 = 100.0


@dataclass
class Sky:
    """What a sender says: 10,000 numbers but for a silence, and a marker at each thousandth."""

    sent: list[range] = field(default_factory=lambda: [range(5000), range(6000, 10_000)])
    markers: list[int] = field(default_factory=lambda: [1000, 2000, 7000])
    t0: float | None = T0


def recorded(numbers: list[int], marks: list[int], off: float = 0.0) -> list[TinyStream]:
    """Streams that hold these, the last number ``off`` seconds late."""
    eeg = TinyStream("storm", "EEG", 1, "float32", "a", [T0 + n / RATE for n in numbers])
    eeg.values = list(map(float, numbers))
    eeg.stamps[-1] += off
    texts = TinyStream("storm-marks", "Markers", 1, "string", "b", [T0 + n / RATE for n in marks])
    texts.values = [f"m {n}" for n in marks]
    return [eeg, texts]


ALL = [*range(5000), *range(6000, 10_000)]
MARKS = [1000, 2000, 7000]


@pytest.mark.parametrize(
    ("numbers", "marks", "killed", "expected"),
    [
        (ALL, MARKS, [], {}),
        (ALL[10:], MARKS, [], {}),  # the recording began at 10
        ([n for n in ALL if n != 7], MARKS, [], {"unexplained": 1}),
        ([*ALL, 7], MARKS, [], {"doubled": 1}),
        (ALL[:4900] + ALL[5200:], MARKS, [4950], {"per_kill_s": [0.3]}),  # over the silence
        (ALL[:3000] + ALL[3600:], MARKS, [2000], {"unexplained": 600, "per_kill_s": [0.0]}),
        ([n for n in ALL if not 900 < n < 1500], [2000, 7000], [910],
         {"markers_in_kills": 1, "per_kill_s": [0.599]}),
        (ALL, [1000, 2000], [], {"markers_absent": 1}),
        (ALL, [*MARKS, 2000], [], {"markers_doubled": 1}),
    ],
)  # fmt: skip
def test_every_number_that_was_sent_is_accounted_for(numbers, marks, killed, expected):
    found = account(Sky(), recorded(numbers, marks), numbers[0], killed)
    plain = Account(found.sent, 0, 0, [0.0] * len(killed), 3, 0, 0, 0, 0)
    assert asdict(found) == {**asdict(plain), **expected}
    assert is_good(asdict(found)) is (not set(expected) - {"per_kill_s"})


def test_the_account_names_every_kind_of_event_with_its_number():
    found = account(Sky(), recorded(ALL, MARKS), 0, [], Counter({"silence": 2}))
    assert asdict(found)["events"] == {"silence": 2}
    assert "2 x silence" in told(asdict(found))


def test_a_sample_with_another_stamp_is_seen():
    found = account(Sky(), recorded(ALL, MARKS, off=1e-5), 0, [])
    assert found.misplaced == 1
    assert not is_good(asdict(found))


@pytest.mark.parametrize(("cost", "ok"), [(0.3, True), (0.31, False)])
def test_the_check_passes_only_when_a_kill_costs_little(tmp_path, cost, ok):
    units = Units(tmp_path / "a.jsonl", deadline=time.monotonic())
    assert check(units).ok is None
    units.done = {"storm/0": asdict(Account(9, 0, 0, [0.1, cost], 3, 0, 0, 0, 0))}
    assert check(units).ok is ok


@pytest.mark.lsl
@pytest.mark.slow
def test_a_short_storm_costs_only_what_kills_of_the_recorder_explain(tmp_path):
    seed = new_seed()
    found = run(tmp_path, EVENTS, SECONDS, seed)
    print(found)
    assert found.sent > 0.5 * SECONDS * RATE
    assert (found.unexplained, found.doubled, found.misplaced) == (0, 0, 0)
    assert (found.markers_absent, found.markers_doubled) == (0, 0)
