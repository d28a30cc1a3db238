"""The soak keeps what is done, goes on where it was, and cannot pass by running out of time."""

import time
from functools import partial

import pytest

from tests.soak import deep, live, run
from tests.soak.run import Result, Units


def test_finished_units_are_found_again(tmp_path):
    units = Units(tmp_path / "s" / "a.jsonl")
    units.add("noise/1", 0.25)
    units.add("fuzz/0", {"failures": {}})
    assert Units(tmp_path / "s" / "a.jsonl").done == units.done


@pytest.mark.parametrize("cut", range(1, 14))
def test_a_soak_killed_while_writing_loses_that_unit_only(tmp_path, cut):
    path = tmp_path / "a.jsonl"
    units = Units(path)
    units.add("a/1", 0.25)
    units.add("a/2", 0.5)
    path.write_bytes(path.read_bytes()[:-cut])
    again = Units(path)
    assert again.done["a/1"] == 0.25
    again.add("a/3", 0.75)
    assert Units(path).done == again.done


def square(seed: int) -> int:
    """A unit of work for a process."""
    return seed * seed


def test_units_run_in_processes_and_only_once(tmp_path):
    units = Units(tmp_path / "a.jsonl")
    units.add("square/2", "kept")
    assert units.in_processes("square", square, range(4))
    expected = {"square/0": 0, "square/1": 1, "square/2": "kept", "square/3": 9}
    assert units.done == expected
    assert Units(tmp_path / "a.jsonl").done == expected


def test_nothing_begins_when_the_time_is_used_up(tmp_path):
    units = Units(tmp_path / "a.jsonl", deadline=time.monotonic())
    assert not units.in_processes("square", square, range(4))
    assert units.done == {}
    assert deep.noise("noise", False, units).ok is None
    assert run.fuzzing("npy", units).ok is None


@pytest.mark.parametrize(
    ("p", "n", "ok"), [(0.5, 200, True), (0.5, 199, None), (0.01, 200, False), (0.01, 8, False)]
)
def test_noise_passes_only_when_whole_and_rarely_significant(tmp_path, p, n, ok):
    units = Units(tmp_path / "a.jsonl", deadline=time.monotonic())
    units.done = {f"noise/{seed}": p for seed in range(n)}
    assert deep.noise("noise", False, units).ok is ok


def test_a_failure_of_the_fuzz_test_names_its_seeds(tmp_path):
    units = Units(tmp_path / "a.jsonl", deadline=time.monotonic())
    part = {"counts": {"loaded": 99, "CRASH": 1}, "failures": {"42": "signal 11"}, "slowest": 1,
            "most": 90}  # fmt: skip
    units.done = {"fuzz npy/0": part}
    result = run.fuzzing("npy", units)
    assert result.ok is False
    assert "seeds 42 " in result.figure


RAN = {"sent": 9, "missing": 0, "undecoded": 0, "markers": 2, "misplaced": [], "model_ms": 1.0,
       "growth_mb": {"record": 19.0}, "windows": 30_000, "cpu_percent": 4.0}  # fmt: skip
LONG = [{**RAN, "blocks": [[0.3, 1.0]] * 3}] + [{**RAN, "windows": 10_000, "blocks": [[9, 9]]}] * 2
SLOW = [{**LONG[0], "blocks": [[0.31, 1.0]] * 3}, *LONG[1:]]
KILLED = {"seed": 1, "kills": [["decode", 3.4, 0.0], ["record", 2.9, 0.1]]}
LIVE = [  # check, its units, what they found, whether that is well
    ("same P300", "same P300", [["191"]] * 5, True),
    ("same P300", "same P300", [["191"]] * 4 + [["191", "event 3: label"]], False),
    ("first decision", "first", [3.6, 3.5, 5.0, 3.5, 3.5], True),
    ("first decision", "first", [3.6, 3.5, 5.1, 3.5, 3.5], False),
    ("recorder killed", "recorder", [{"seed": 1, "kills": [[0.02, 0.9], [0.1, 3.0]]}] * 5, True),
    ("recorder killed", "recorder", [{"seed": 1, "kills": [[0.02, 0.9], [0.2, 0.9]]}] * 5, False),
    ("boxes killed", "boxes", [KILLED] * 2, True),
    ("boxes killed", "boxes", [KILLED, {"seed": 2, "kills": [["decode", 15.0, 0]]}], False),
    ("boxes killed", "boxes", [KILLED, {"wrong": "an assertion failed"}], False),
    ("supervisor killed", "supervisor",
     [{"seed": 1, "lost": 0, "left": {"decode": 0.0, "record": 6.2}}] * 3, True),
    ("supervisor killed", "supervisor",
     [{"seed": 1, "lost": 1, "left": {"decode": 0.0, "record": 6.2}}] * 3, False),
    ("cut", "cut", [{"seed": 1, "tried": 250, "refused": 1}] * 4, True),
    ("cut", "cut", [{"seed": 1, "tried": 250, "refused": 1}] * 3 + [{"wrong": "cut at 7"}], False),
    ("peer", "peer", [[["CPU", 7.0, True], ["latency", 9.0, True]]], True),
    ("peer", "peer", [[["CPU", 7.0, True], ["latency", 7.0, False]]], False),
    ("loss", "long run", LONG, True),
    ("loss", "long run", [{**LONG[0], "misplaced": ["row 7: on rows []"]}, *LONG[1:]], False),
    ("loss", "long run", [{**LONG[0], "undecoded": 1}, *LONG[1:]], False),
    ("overhead", "long run", LONG, True),
    ("overhead", "long run", SLOW, False),
    ("overhead", "long run", [{**LONG[0], "windows": 29_999}, *LONG[1:]], False),
    ("cpu", "long run", LONG, True),
    ("cpu", "long run", [{**each, "cpu_percent": 4.1} for each in LONG], False),
]  # fmt: skip


@pytest.fixture
def late(tmp_path, monkeypatch) -> Units:
    """Units of a soak whose time is used up; there are recordings."""
    monkeypatch.setattr(live, "recordings", lambda: tmp_path)
    return Units(tmp_path / "a.jsonl", deadline=time.monotonic())


@pytest.mark.parametrize(("check", "unit", "found", "ok"), LIVE)
def test_a_live_check_passes_only_when_all_its_figures_keep_their_bounds(
    late, check, unit, found, ok
):
    late.done = {f"{unit}/{number}": each for number, each in enumerate(found)}
    assert live.CHECKS[check](late).ok is ok
    del late.done[f"{unit}/{len(found) - 1}"]
    assert live.CHECKS[check](late).ok is None


def test_every_live_check_is_judged_above():
    assert {check for check, *_ in LIVE} | {"same left-right"} == set(live.CHECKS)


def test_without_recordings_their_checks_are_reported_as_skipped(late, monkeypatch):
    monkeypatch.setattr(live, "recordings", lambda: None)
    for check in ("same P300", "first decision"):
        result = live.CHECKS[check](late)
        assert result.word == "skipped"
        assert "RTBCI_EEG_DATA" in result.figure


def test_a_failing_unit_is_kept_and_the_next_one_begins(tmp_path):
    def work(number: int) -> int:
        assert number != 1, "unit 1 is broken"
        return number

    units = Units(tmp_path / "a.jsonl")
    found = units.in_turn("c", work, range(3), 1.0)
    assert found is not None
    assert (found[0], found[2]) == (0, 2)
    assert found[1]["wrong"].startswith("AssertionError: unit 1 is broken")
    assert Units(tmp_path / "a.jsonl").in_turn("c", work, range(3), 1.0) == found


def test_a_unit_that_would_end_too_late_does_not_begin(tmp_path):
    units = Units(tmp_path / "a.jsonl", deadline=time.monotonic() + 50)
    assert units.in_turn("c", square, range(2), 60.0) is None
    assert units.in_turn("c", square, range(2), 1.0) == [0, 1]


def verdict(ok: bool | None, _units: Units) -> Result:
    """A check that has made up its mind."""
    return Result("figure", "bound", ok)


@pytest.mark.parametrize(("verdicts", "code"), [([True], 0), ([True, False], 1), ([None], 1)])
def test_the_exit_code_tells_whether_all_is_well(monkeypatch, capsys, tmp_path, verdicts, code):
    checks = {f"c{i}": partial(verdict, ok) for i, ok in enumerate(verdicts)}
    monkeypatch.setattr(run, "CHECKS", checks)
    assert run.main([], tmp_path) == code
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("budget 3600 s, 0 units done before")
    assert len([line for line in lines if "(bound: bound)" in line]) == len(verdicts)


def test_the_list_names_every_check(capsys, tmp_path):
    assert run.main(["--list"], tmp_path) == 0
    assert capsys.readouterr().out.split("\n")[:-1] == list(run.CHECKS)


def test_other_sources_are_another_soak(monkeypatch, tmp_path):
    (tmp_path / "rtbci").mkdir()
    (tmp_path / "rtbci" / "a.py").write_text("1")
    monkeypatch.setattr(run, "ROOT", tmp_path)
    monkeypatch.setattr(run, "SOURCES", ("rtbci",))
    before = run.sources_hash()
    assert run.sources_hash() == before
    (tmp_path / "rtbci" / "a.py").write_text("2")
    assert run.sources_hash() != before
