"""The soak keeps what is done, goes on where it was, and cannot pass by running out of time."""

import time
from functools import partial

import pytest

from tests import soak
from tests.soak import Result, Units


def test_what_is_done_is_found_again(tmp_path):
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
    assert soak.noise(units).ok is None
    assert soak.fuzzing("npy", units).ok is None


@pytest.mark.parametrize(
    ("p", "n", "ok"), [(0.5, 200, True), (0.5, 199, None), (0.01, 200, False), (0.01, 8, False)]
)
def test_noise_passes_only_when_whole_and_rarely_significant(tmp_path, p, n, ok):
    units = Units(tmp_path / "a.jsonl", deadline=time.monotonic())
    units.done = {f"noise/{seed}": p for seed in range(n)}
    assert soak.noise(units).ok is ok


def test_a_failure_of_the_fuzz_test_names_its_seeds(tmp_path):
    units = Units(tmp_path / "a.jsonl", deadline=time.monotonic())
    part = {"counts": {"loaded": 99, "CRASH": 1}, "failures": {"42": "signal 11"}, "slowest": 1,
            "most": 90}  # fmt: skip
    units.done = {"fuzz npy/0": part}
    result = soak.fuzzing("npy", units)
    assert result.ok is False
    assert "seeds 42 " in result.figure


def verdict(ok: bool | None, _units: Units) -> Result:
    """A check that has made up its mind."""
    return Result("figure", "bound", ok)


@pytest.mark.parametrize(("verdicts", "code"), [([True], 0), ([True, False], 1), ([None], 1)])
def test_the_exit_code_tells_whether_all_is_well(monkeypatch, capsys, tmp_path, verdicts, code):
    checks = {f"c{i}": partial(verdict, ok) for i, ok in enumerate(verdicts)}
    monkeypatch.setattr(soak, "CHECKS", checks)
    assert soak.main([], tmp_path) == code
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("budget 3600 s, 0 units done before")
    assert len([line for line in lines if "(bound: bound)" in line]) == len(verdicts)


def test_the_list_names_every_check(capsys, tmp_path):
    assert soak.main(["--list"], tmp_path) == 0
    assert capsys.readouterr().out.split("\n")[:-1] == list(soak.CHECKS)


def test_other_sources_are_another_soak(monkeypatch, tmp_path):
    (tmp_path / "rtbci").mkdir()
    (tmp_path / "rtbci" / "a.py").write_text("1")
    monkeypatch.setattr(soak, "ROOT", tmp_path)
    monkeypatch.setattr(soak, "SOURCES", ("rtbci",))
    before = soak.sources_hash()
    assert soak.sources_hash() == before
    (tmp_path / "rtbci" / "a.py").write_text("2")
    assert soak.sources_hash() != before
