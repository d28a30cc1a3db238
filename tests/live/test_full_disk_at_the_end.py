"""A disk that is full when a session ends: what waits in memory is kept, or its loss is said."""

import json
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyxdf

from rtbci import cli
from tests.soak import long_run
from tests.support.live_session import Box, only, pids, until
from tests.support.lsl_source import session, source

pytestmark = [
    pytest.mark.lsl,
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs limits of other processes"),
]
FREE = resource.RLIM_INFINITY


@contextmanager
def full(folder: Path, *words: object) -> Iterator[tuple[Box, Path, int]]:
    """A live session whose recorder cannot write any more: the session, its folder, the recorder's
    process id. The disk is a limit on the size of the recorder's files."""
    bus = session()
    sender = source(bus, channels=long_run.CHANNELS, labels=",".join(long_run.electrodes()))
    bundle = long_run.bundle().save(folder / "bundle")
    try:
        with Box(
            "live", "--bundle", bundle, "--every", 0.1, "--json", *words,
            "--out", folder / "sessions", "--lsl-session", bus, "--lsl-scope", "machine",
            runtime=folder,
        ) as live:  # fmt: skip
            live.until("decision", 30)
            path = only(folder / "sessions")
            recording = path / "recording.xdf"
            until(lambda: recording.is_file() and recording.stat().st_size > 500_000)
            pid = pids(path, "record")[-1]
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (recording.stat().st_size, FREE))
            until(lambda: any(each.get("code") == "disk-full" for each in events(path)))
            yield live, path, pid
    finally:
        sender.stop()


def events(path: Path) -> list[dict[str, Any]]:
    """Whole lines of a session's log."""
    lines = (path / "events.jsonl").read_bytes().split(b"\n")[:-1]
    return [json.loads(line) for line in lines]


def numbers(*files: Path) -> np.ndarray:
    """The number of each sample of the amplifier, in the order of the files."""
    found = []
    for file in files:
        streams, _ = pyxdf.load_xdf(str(file), dejitter_timestamps=False, verbose=False)
        found += [s["time_series"][:, 0] for s in streams if s["info"]["name"] == ["eeg"]]
    return np.round(np.concatenate(found)).astype(int)


def test_the_recorder_is_kept_until_there_is_room_for_what_it_holds(tmp_path):
    with full(tmp_path) as (live, path, pid):
        live.process.send_signal(signal.SIGTERM)
        until(lambda: "of the recording wait in memory" in live.stderr, 30)
        assert "Free some space there" in live.stderr
        with pytest.raises(AssertionError):  # longer than any process gets to end otherwise
            until(lambda: live.process.poll() is not None, 12)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (FREE, FREE))
        assert live.end(30) == 128 + signal.SIGTERM
    assert events(path)[-1]["event"] == "closed"
    assert events(path)[-1]["unsaved"] == 0
    assert (np.diff(numbers(path / "recording.xdf")) == 1).all()
    assert cli.main(["verify", str(path)]) == 0


def test_samples_that_are_given_up_are_counted_and_said(tmp_path, capsys):
    with full(tmp_path) as (live, path, _):
        live.process.send_signal(signal.SIGTERM)
        until(lambda: "of the recording wait in memory" in live.stderr, 30)
        live.process.send_signal(signal.SIGTERM)
        assert live.end(30) == 1
    lost = events(path)[-1]["unsaved"]
    assert events(path)[-1]["event"] == "closed"
    assert lost > 100_000
    assert f"{lost} bytes of the recording are LOST" in live.stderr
    assert (np.diff(numbers(path / "recording.xdf")) == 1).all()  # what is there is whole
    assert cli.main(["verify", str(path)]) == 1
    assert f"{lost} bytes of the recording were never saved" in capsys.readouterr().out


def test_the_recording_goes_on_in_the_second_folder(tmp_path):
    with full(tmp_path, "--spool", tmp_path / "second") as (live, path, pid):
        until(lambda: any(each["event"] == "part" for each in events(path)), 20)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (FREE, FREE))  # there is room there
        live.process.send_signal(signal.SIGTERM)
        assert live.end(30) == 128 + signal.SIGTERM
    closed = events(path)[-1]
    assert closed["unsaved"] == 0
    files = [Path(each) for each in closed["recordings"]]
    assert [file.parent for file in files] == [path, tmp_path / "second"]
    assert (np.diff(numbers(*files)) == 1).all()
