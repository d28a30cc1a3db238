"""The round trip through recorder and readers: ordinary files come back whole, losses are seen."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.soak import round_trip
from tests.soak.round_trip import BATCH, CASES, check, failures
from tests.soak.round_trip_cases import Case, draw
from tests.soak.round_trip_files import write
from tests.soak.round_trip_minimal import event, of_lsl, stream
from tests.soak.units import Units

ORDINARY = 32


@pytest.mark.usefixtures("quiet_pyxdf")
def test_ordinary_recordings_come_back_the_same_from_every_reader(tmp_path):
    for seed in range(ORDINARY):
        assert failures(draw(seed, ordinary=True), tmp_path) == {}, f"seed {seed}"


def test_a_seed_gives_the_same_case_again():
    for seed in (5, 6):
        one, other = draw(seed), draw(seed)
        assert [each.name for each in one.streams] == [each.name for each in other.streams]
        for mine, yours in zip(one.streams, other.streams, strict=True):
            assert np.array_equal(mine.stamps, yours.stamps, equal_nan=True)


def lost_row(case: Case) -> Case:
    """``case`` without the last sample of its first stream."""
    first = case.streams[0]
    short = replace(first, stamps=first.stamps[:-1], values=first.values[:-1], cuts=(9,))
    return replace(case, streams=(short, *case.streams[1:]))


def shifted_value(case: Case) -> Case:
    """``case`` with another value in its first sample."""
    first = case.streams[0]
    values = first.values.copy()
    values[0] += 1
    return replace(case, streams=(replace(first, values=values), *case.streams[1:]))


def shifted_stamp(case: Case) -> Case:
    """``case`` with its first stamp a microsecond later."""
    first = case.streams[0]
    stamps = first.stamps.copy()
    stamps[0] += 1e-6
    return replace(case, streams=(replace(first, stamps=stamps), *case.streams[1:]))


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lost_row, {"verify: another count of samples", "info: another count of samples",
                    "pyxdf: another count of samples"}),
        (shifted_value, {"pyxdf: other values"}),
        (shifted_stamp, {"pyxdf: other stamps"}),
    ],
)  # fmt: skip
def test_a_writer_that_changes_samples_is_seen(
    tmp_path, monkeypatch, damage: Callable[[Case], Case], expected
):
    case = of_lsl(stream(), event(1000.05))()

    def write_less(whole: Case, path: Path):
        _, refused = write(damage(whole), path)
        return list(whole.streams), refused

    assert failures(case, tmp_path) == {}
    monkeypatch.setattr(round_trip, "write", write_less)
    assert expected <= set(failures(case, tmp_path))


CLEAN = {"counts": {}, "seeds": {}, "samples": 9}
BROKEN = {"counts": {"verify: x": 2}, "seeds": {"verify: x": 17}, "samples": 9}


@pytest.mark.parametrize(
    ("last", "small", "ok"),
    [
        (CLEAN, {}, True),
        (None, {}, None),
        (BROKEN, {}, False),
        (CLEAN, {"257 streams": "x"}, False),
    ],
)
def test_the_check_passes_only_when_whole_and_without_a_failure(tmp_path, last, small, ok):
    units = Units(tmp_path / "a.jsonl", deadline=time.monotonic())
    units.done = {f"round trip/{first}": CLEAN for first in range(0, CASES - BATCH, BATCH)}
    units.done["round trip minimal/0"] = small
    if last is not None:
        units.done[f"round trip/{CASES - BATCH}"] = last
    result = check(units)
    assert result.ok is ok
    if last is BROKEN:
        assert "verify: x (2 files, e.g. seed 17)" in result.figure
