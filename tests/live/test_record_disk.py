"""The way to the disk: full, slow, failing or missing disks cost nothing that was received."""

import errno
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import pyxdf

from rtbci.errors import BadInput
from rtbci.process import Reporter
from rtbci.recorder import disk as recorder_disk
from rtbci.recorder import xdf_pack
from rtbci.recorder.disk import PendingChunk, Spool, parts, prepare
from rtbci.recorder.space import DiskSpace
from rtbci.recorder.verify import holes, look

ROOT = Path(__file__).resolve().parents[2]
HEADER = (
    b"<info><name>eeg</name><type>EEG</type><channel_count>2</channel_count>"
    b"<nominal_srate>1000</nominal_srate><channel_format>float32</channel_format></info>"
)


class Told(Reporter):
    """A reporter that remembers."""

    def __init__(self) -> None:
        super().__init__("record", False)
        self.said = list[tuple[str, ...]]()

    def alarm(self, level: str, code: str, text: str) -> None:
        self.said.append((level, code, text))
        super().alarm(level, code, text)

    def clear(self, code: str, text: str) -> None:
        if code in self.alarms:
            self.said.append(("clear", code, text))
        super().clear(code, text)

    def levels(self, code: str) -> list[str]:
        """Levels told under a code, in order, each once in a row."""
        found = [said[0] for said in self.said if said[1] == code]
        return [level for i, level in enumerate(found) if i == 0 or level != found[i - 1]]


def spool(path: Path, told: Reporter, **options) -> Spool:
    made = Spool(path, told, header=xdf_pack.file_header({}), **options)
    made.put(PendingChunk(xdf_pack.stream_header(1, HEADER), time.monotonic(), 1, is_header=True))
    return made


def feed(to: Spool, first: int, count: int) -> None:
    """Chunks of ten samples whose first channel counts."""
    for n in range(first, first + count, 10):
        numbers = np.arange(n, n + 10)
        data = xdf_pack.samples(1, "float32", 2, numbers / 1000, np.stack([numbers] * 2, 1))
        to.put(PendingChunk(data, time.monotonic(), 1, 10, n / 1000, (n + 9) / 1000))


def numbers(path: Path) -> list[int]:
    """What channel 0 counts in a file, by pyxdf."""
    (stream,), _ = pyxdf.load_xdf(str(path), dejitter_timestamps=False)
    return stream["time_series"][:, 0].astype(int).tolist()


def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "never happened"
        time.sleep(0.01)


def test_what_is_put_is_written_in_order_with_footers(tmp_path):
    to = spool(tmp_path / "a.xdf", told := Told())
    feed(to, 0, 5000)
    to.finish()
    feed(to, 9000, 10)  # too late
    assert to.wait(10)
    assert numbers(tmp_path / "a.xdf") == list(range(5000))
    report = look(tmp_path / "a.xdf")
    assert report.footers
    assert not report.problems
    assert not told.said


class Disk:
    """Stands before ``os.write`` and ``os.fsync``: room for so many bytes, and a pace."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.room, self.where = {}, {}
        self.fsync_s = self.write_s = 0.0
        self._write, self._fsync = os.write, os.fsync
        patch.setattr(os, "write", self.write)
        patch.setattr(os, "fsync", self.fsync)

    def write(self, number: int, data) -> int:
        path = Path(f"/proc/self/fd/{number}").resolve()
        if path.suffix != ".xdf":
            return self._write(number, data)
        time.sleep(self.write_s)
        room = self.room.get(path.parent.name, 10**12)
        if room <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        n = self._write(number, data[:room])  # a short write comes first
        self.room[path.parent.name] = room - n
        return n

    def fsync(self, number: int) -> None:
        time.sleep(self.fsync_s)
        self._fsync(number)


@pytest.fixture
def disk(monkeypatch):
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("no /proc here")
    return Disk(monkeypatch)


def test_a_full_disk_is_told_and_tried_again_and_nothing_is_lost(tmp_path, disk):
    (tmp_path / "main").mkdir()
    to = spool(tmp_path / "main" / "a.xdf", told := Told())
    feed(to, 0, 1000)
    until(lambda: not to.waiting)
    disk.room["main"] = 2000
    feed(to, 1000, 3000)
    until(lambda: to.failing)
    assert 1000 <= len(numbers(to.path)) < 1200  # valid while it is full
    assert not look(to.path).problems
    assert to.waiting > 30_000
    until(lambda: to.age() > 1.0)
    disk.room["main"] = 10**9
    until(lambda: not to.waiting)
    feed(to, 4000, 1000)
    to.finish()
    assert to.wait(10)
    assert numbers(to.path) == list(range(5000))
    assert told.levels("disk-full") == ["red", "clear"]
    sentence = next(said[2] for said in told.said if said[0] == "red")
    assert "No space left" in sentence
    assert "1024 MB wait in memory" in sentence


def test_a_second_folder_takes_over_when_the_first_stays_full(tmp_path, disk, monkeypatch):
    monkeypatch.setattr(recorder_disk, "ELSEWHERE_S", 0.3)
    monkeypatch.setattr(recorder_disk, "RETRY_S", 0.05)
    (tmp_path / "main").mkdir()
    to = spool(tmp_path / "main" / "a.xdf", told := Told(), fallback=tmp_path / "other")
    feed(to, 0, 1000)
    until(lambda: not to.waiting)
    disk.room["main"] = 2000
    feed(to, 1000, 2000)
    until(lambda: not to.waiting)
    disk.room.update(main=10**9, other=3000)  # and back, when the second is full too
    feed(to, 3000, 2000)
    to.finish()
    assert to.wait(10)
    assert [path.relative_to(tmp_path).as_posix() for path in to.parts] == [
        "main/a.xdf", "other/a_part-02.xdf", "main/a_part-03.xdf",
    ]  # fmt: skip
    found = [n for path in to.parts for n in numbers(path)]
    assert found == list(range(5000))
    assert told.alarms["moved"][0] == "amber"
    reports = [look(path) for path in to.parts]
    assert not any(report.problems for report in reports)
    assert [hole.missing for hole in holes(reports)] == [0, 0]


def test_what_a_full_disk_never_takes_is_not_said_to_be_written(tmp_path, disk):
    (tmp_path / "main").mkdir()
    to = spool(tmp_path / "main" / "a.xdf", Told())
    feed(to, 0, 1000)
    until(lambda: not to.waiting)
    disk.room["main"] = 0
    feed(to, 1000, 1000)
    to.finish()
    assert not to.wait(0.8)
    to.give_up()
    assert to.wait(5)
    assert to.waiting > 10_000
    assert numbers(to.path) == list(range(1000))


@pytest.mark.parametrize("slow", ["fsync_s", "write_s"])
def test_a_slow_disk_is_told_with_its_age_and_loses_nothing(tmp_path, disk, monkeypatch, slow):
    monkeypatch.setattr(recorder_disk, "SYNC_S", 0.1)
    monkeypatch.setattr(recorder_disk, "SLOW_S", 0.5)
    to = spool(tmp_path / "a.xdf", told := Told())
    feed(to, 0, 1000)
    until(lambda: not to.waiting)
    setattr(disk, slow, 1.5)
    feed(to, 1000, 10)
    until(lambda: to.age() > 0.2)
    feed(to, 1010, 1990)
    if slow == "fsync_s":  # writing goes on while the disk is asked to keep what it has
        until(lambda: not to.waiting, 1.0)
    until(lambda: (to.watch(), told.levels("disk-slow"))[1], 3.0)
    setattr(disk, slow, 0.0)
    until(lambda: (to.watch(), told.levels("disk-slow") == ["amber", "clear"])[1], 5.0)
    to.finish()
    assert to.wait(10)
    assert numbers(to.path) == list(range(3000))
    assert re.search(r"taken nothing for \d+ s", told.said[0][2])


def test_a_file_at_the_limit_of_the_system_goes_on_once_the_limit_is_raised(tmp_path):
    code = f"""
import resource, sys, time
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from tests.live.test_record_disk import Told, feed, spool, until
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
to = spool(Path(sys.argv[1]), told := Told())
feed(to, 0, 3000)
until(lambda: to.failing)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
to.finish()
print(to.wait(10), told.levels("disk-full"))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.xdf")], capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip
    assert done.stdout == "True ['red', 'clear']\n", done.stderr
    assert "File too large" in done.stderr
    assert numbers(tmp_path / "a.xdf") == list(range(3000))


def test_a_small_real_disk_that_fills_up_and_is_freed(tmp_path):
    mount = f"mount -t tmpfs -o size=1m none {tmp_path}"
    if (
        not shutil.which("unshare")
        or subprocess.run(
            ["unshare", "-rm", "sh", "-c", mount], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("user namespaces are not allowed here")
    code = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from tests.live.test_record_disk import Told, feed, numbers, spool, until
folder = Path(sys.argv[1])
(folder / "filler").write_bytes(bytes(900_000))
to = spool(folder / "a.xdf", told := Told())
feed(to, 0, 20_000)
until(lambda: to.failing)
(folder / "filler").unlink()
to.finish()
print(to.wait(10), told.levels("disk-full"), numbers(folder / "a.xdf") == list(range(20_000)))
"""
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", f'{mount} && exec "$@"', "sh", sys.executable, "-c", code,
         str(tmp_path)], capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.stdout == "True ['red', 'clear'] True\n", done.stderr
    assert "No space left on device" in done.stderr


def test_a_thread_that_breaks_hands_its_error_on(tmp_path):
    to = spool(tmp_path / "a.xdf", Told())
    to.put(PendingChunk("no bytes", time.monotonic()))  # type: ignore[arg-type]
    assert to.wait(5)
    assert isinstance(to.error, TypeError)


def test_a_disk_that_cannot_sync_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(recorder_disk, "SYNC_S", 0.05)
    to = spool(tmp_path / "a.xdf", told := Told())

    def broken(_number: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    feed(to, 0, 100)
    until(lambda: "disk-failing" in told.alarms)
    assert "Input/output error" in told.alarms["disk-failing"][1]
    monkeypatch.undo()
    to.finish()
    assert to.wait(5)


def test_folders_that_cannot_be_written_are_refused_with_path_and_fix(tmp_path):
    prepare(tmp_path / "Ünï cödé 研究" / "a b")
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(BadInput, match=r"file.*(choose another|permissions)"):
            prepare(folder)
    with pytest.raises(BadInput, match=r"too long.*choose another"):
        prepare(tmp_path / ("x" * 300))


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_refused_with_path_and_fix(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(BadInput, match="cannot be written to; change its permissions"):
            prepare(tmp_path)
        with pytest.raises(BadInput, match="cannot make the folder"):
            prepare(tmp_path / "new")
    finally:
        tmp_path.chmod(0o700)


def test_parts_are_numbered_and_none_is_overwritten(tmp_path):
    names = parts(tmp_path / "a_part-02.xdf")
    assert [next(names).name for _ in range(3)] == ["a_part-02.xdf"] * 2 + ["a_part-03.xdf"]
    for name in ("a.xdf", "a_part-02.xdf", "a_part-03.xdf"):
        to = spool(tmp_path / "a.xdf", Told(), go_on=True)
        assert to.path.name == name
        to.finish()
        assert to.wait(5)
    with pytest.raises(BadInput, match="exists already"):
        spool(tmp_path / "a.xdf", Told())


def test_the_space_left_is_told_before_it_matters(tmp_path):
    now, free, told = [0.0], [10**9], Told()
    space = DiskSpace(told, 600.0, free=lambda _: free[0], clock=lambda: now[0])
    space.plan(tmp_path, 10**6)  # 600 MB needed, 1000 are there: not twice
    assert "600 MB" in told.alarms["space-planned"][1]
    written = 0
    for free[0], level in ((10**9, None), (500 * 10**6, "amber"), (100 * 10**6, "red")):
        for _ in range(5):
            now[0] += 2.5
            written += 2_500_000
            space.check(tmp_path, written, 5.0)
        assert told.alarms.get("space", (None,))[0] == level
    free[0] = 10**10
    now[0] += 2.5
    space.check(tmp_path, written, 5.0)
    assert "space" not in told.alarms


@pytest.mark.usefixtures("quiet_pyxdf")
def test_no_sector_ends_where_pyxdf_cannot_bear_it(tmp_path):
    to = spool(tmp_path / "a.xdf", Told())
    for n in range(0, 3000, 10):
        feed(to, n, 10)
        to.put(PendingChunk(xdf_pack.clock_offset(1, n / 1000, 0.001), time.monotonic(), 1))
    to.finish()
    assert to.wait(5)
    data = to.path.read_bytes()
    ends = range(xdf_pack.SECTOR, len(data), xdf_pack.SECTOR)
    for end in ends:
        cut = tmp_path / "cut.xdf"
        cut.write_bytes(data[:end])
        pyxdf.load_xdf(str(cut), dejitter_timestamps=False, synchronize_clocks=False)
    assert len(ends) > 100


def test_many_threads_may_hand_over_at_once(tmp_path):
    to = spool(tmp_path / "a.xdf", Told())
    threads = [threading.Thread(target=feed, args=(to, n, 1000)) for n in range(0, 8000, 1000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    to.finish()
    assert to.wait(10)
    assert sorted(numbers(to.path)) == list(range(8000))
