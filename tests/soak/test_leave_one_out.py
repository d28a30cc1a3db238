"""The committed table of left-out people: a cell of it comes out again, and its words are true."""

import json

import pytest

from tests.soak import leave_one_out
from tests.soak.leave_one_out_table import table

CELL = "alone/clear/eegnet/0"


@pytest.fixture(scope="module")
def committed():
    return json.loads(leave_one_out.TABLE.read_text("utf-8"))["cells"]


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_cell_of_the_committed_table_comes_out_again(committed, tmp_path, monkeypatch):
    monkeypatch.setattr(leave_one_out, "STORE", tmp_path)
    monkeypatch.setattr(leave_one_out, "PEOPLE", 1)  # the first of the thirteen is the same person
    alone = leave_one_out.work(CELL)
    assert alone["network"] == pytest.approx(committed[CELL]["network"], abs=0.04)  # 4 of 110
    closed = leave_one_out.work("closed/clear/-/0")
    fold = committed["fold/clear/montagenet/0"]
    assert closed["closed"] == pytest.approx(fold["closed"], abs=0.02)  # 2 of 110


def test_every_cell_is_in_the_committed_table(committed):
    expected = {cell for cell in leave_one_out.cells() if not cell.startswith("windows/")}
    assert set(committed) == expected
    text = leave_one_out.TABLE.with_suffix(".md").read_text("utf-8")
    assert table(committed) in text


def test_the_interval_is_that_of_paired_differences():
    mean, low, high = leave_one_out.paired([0.01, 0.03, 0.02, 0.04])
    assert mean == pytest.approx(0.025)
    assert high - mean == pytest.approx(mean - low)
    assert low == pytest.approx(0.025 - 3.1824463 * 0.0129099 / 2, abs=1e-6)
