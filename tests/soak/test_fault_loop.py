"""Every call that writes is refused in turn; what is wrong afterwards is no more than is known."""

import errno
import os
import time
from contextlib import suppress

import pytest

from rtbci.errors import BadInput
from rtbci.recorder.xdf_file import XdfFile
from tests.soak.fault_loop import KNOWN, check, once, run
from tests.soak.fault_scenarios import SCENARIOS
from tests.soak.refusals import FOR_EVER, Refusal, Refusing
from tests.soak.units import Units


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_refused_call_breaks_no_more_than_is_known(scenario):
    tried, found = run(scenario)
    assert tried > 10
    assert {kind: cases for kind, cases in found.items() if kind not in KNOWN} == {}


def test_a_recorder_that_forgets_a_refused_chunk_is_seen(tmp_path, monkeypatch):
    append = XdfFile.append

    def forgetful(self: XdfFile, chunk: bytes) -> None:
        with suppress(BadInput):
            append(self, chunk)

    refusal = Refusal("write", 4)
    (tmp_path / "a").mkdir()
    assert once("recorder", tmp_path / "a", refusal) == []
    monkeypatch.setattr(XdfFile, "append", forgetful)
    (tmp_path / "b").mkdir()
    assert "chunks are doubled, absent or out of order" in once("recorder", tmp_path / "b", refusal)


def test_a_refusal_takes_the_calls_that_are_meant_and_no_others(tmp_path):
    for refusal, outcomes in (
        (Refusal("write", 2), [None, errno.ENOSPC, None]),
        (Refusal("write", 2, FOR_EVER, errno.EIO), [None, errno.EIO, errno.EIO]),
        (Refusal("any", 4), [None, None, errno.ENOSPC]),  # the first call opens the file
        (Refusal("half a write", 1), [None, errno.ENOSPC, None]),
    ):
        path = tmp_path / "inside" / "a"
        path.parent.mkdir(exist_ok=True)
        with Refusing(path.parent, refusal) as refusing:
            file, found = os.open(path, os.O_WRONLY | os.O_CREAT), list[int | None]()
            for _ in range(3):
                try:
                    os.write(file, b"12")
                except OSError as error:
                    found.append(error.errno)
                else:
                    found.append(None)
            (tmp_path / "outside").write_bytes(b"1")
        assert found == outcomes, refusal
        assert refusing.refused["write"] == sum(each is not None for each in found)
        expected = {"write": 2 * found.count(None), "half a write": 3, "any": 4}
        assert path.stat().st_size == expected[refusal.operation]
        path.unlink()


@pytest.mark.parametrize(("found", "ok"), [({}, True), ({"x: y": ["write 1 once (EIO)"]}, False)])
def test_the_check_passes_only_when_whole_and_without_a_failure(tmp_path, found, ok):
    units = Units(tmp_path / "a.jsonl", deadline=time.monotonic())
    units.done = {f"fault loop/{name}": {"tried": 9, "found": {}} for name in SCENARIOS}
    units.done["fault loop/bundle"] = {"tried": 9, "found": found}
    assert check(units).ok is ok
    del units.done["fault loop/session"]
    assert check(units).ok is (None if ok else False)
