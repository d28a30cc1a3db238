"""kill -9 of every process of a session, at random moments: what it costs, and who stays behind.

``kill_boxes`` and ``kill_supervisor`` serve ``make soak`` too, which kills more often.
"""

import os
import random
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyxdf

from tests.soak import long_run
from tests.support.live_session import IDLE_S, Box, new_seed, only, pids, runs, until
from tests.support.lsl_source import Sender, session, source

pytestmark = [pytest.mark.lsl, pytest.mark.slow]
TAIL_S, PART_S = 0.1, 3.0  # what a kill of the recorder may cost, and how soon it writes again
BACK_S = 3.0  # how soon samples are decoded again, beside settling and window
GONE_S = 5.0  # behind the end of the stream, by then nothing runs
WITHIN_S = 2.0  # a kill comes at a random moment of as many seconds
EVERY_S = 0.1  # between decisions
BEGUN = 100_000  # bytes: the headers of 122 channels are less than half of it
LONG_S = 10.0  # of the stream whose supervisor is killed


@dataclass(frozen=True)
class Kill:
    """What one kill cost."""

    box: str
    back_s: float  # until the recorder's next part held samples, or the engine decided again
    tail_s: float = 0.0  # of stream, lost between two parts of the recording but for the pause


@dataclass(frozen=True)
class Orphaned:
    """What a session made of its supervisor's death."""

    missing: int  # samples, in the recording
    misplaced: list[str]  # markers
    left: dict[str, float]  # s from the stream's end until each box was gone, 0 where before


def kill_boxes(boxes: Sequence[str], seed: int, folder: Path) -> list[Kill]:
    """Kill these boxes of one session, each at a random moment of its life; the parts must open.

    More than five kills of one box in a minute make the supervisor slow on purpose.
    """
    dice, bus, found = random.Random(seed), session(), list[Kill]()
    pushed = list[float]()  # stamp of the last sample pushed when a recorder was killed
    bundle = long_run.bundle()
    labels = ",".join(long_run.electrodes())
    sender = source(bus, channels=long_run.CHANNELS, rate=long_run.RATE, labels=labels)
    try:
        with Box(
            "live", "--bundle", bundle.save(folder / "bundle"), "--every", EVERY_S, "--json",
            "--out", folder / "sessions", "--lsl-session", bus, "--lsl-scope", "machine",
            runtime=folder,
        ) as live:  # fmt: skip
            live.until("decision", 30)
            path = only(folder / "sessions")
            until(lambda: any(map(begun, parts(path))))
            for box in boxes:
                time.sleep(dice.uniform(0, WITHIN_S))
                if box == "record":
                    back_s, stamp = _kill_recorder(path, sender)
                    pushed.append(stamp)
                    found.append(Kill(box, back_s))
                else:
                    found.append(Kill(box, _kill_engine(path, sender, live)))
            live.process.send_signal(signal.SIGTERM)
            assert live.end() == 128 + signal.SIGTERM, live.stderr
    finally:
        sender.stop()
    lost = iter(_tails(parts(path), pushed))
    return [Kill(k.box, k.back_s, next(lost)) if k.box == "record" else k for k in found]


def _kill_recorder(path: Path, sender: Sender) -> tuple[float, float]:
    """Seconds until the next part holds samples, and the stamp of the last sample pushed."""
    count = len(parts(path))
    os.kill(pids(path, "record")[-1], signal.SIGKILL)
    killed, (_, stamp) = time.monotonic(), sender.pushed
    until(lambda: len(parts(path)) > count and begun(parts(path)[count]))
    return time.monotonic() - killed, stamp


def _kill_engine(path: Path, sender: Sender, live: Box) -> float:
    """Seconds until something is decided from samples that were sent behind the kill."""
    since = len(live.events)
    os.kill(pids(path, "decode")[-1], signal.SIGKILL)
    killed, (_, stamp) = time.monotonic(), sender.pushed
    again = live.wait(
        lambda e: e["event"] == "decision" and e["stamp"] > stamp and e["label"] is not None,
        since=since,
    )
    return again["at"] - killed


def parts(path: Path) -> list[Path]:
    """The files of a session's recording, in order."""
    return sorted(path.glob("recording*.xdf"), key=lambda each: (len(each.name), each.name))


def begun(part: Path) -> bool:
    """Whether samples lie in a file that is being written."""
    return part.is_file() and part.stat().st_size > BEGUN


def _tails(files: Sequence[Path], pushed: Sequence[float]) -> list[float]:
    """Seconds that each killed recorder lost; plain pyxdf finds no hole inside a part."""
    assert len(files) == len(pushed) + 1
    signals = list(map(eeg, files))
    for each in signals:
        assert (np.diff(each["time_series"][:, 0]) == 1).all()
    for one, other in pairwise(signals):
        assert other["time_series"][0, 0] > one["time_series"][-1, 0]
    return [
        stamp - float(each["time_stamps"][-1]) for stamp, each in zip(pushed, signals, strict=False)
    ]


def eeg(path: Path) -> dict[str, Any]:
    """The signal of an XDF, as pyxdf reads it."""
    streams = pyxdf.load_xdf(
        str(path), dejitter_timestamps=False, synchronize_clocks=False, verbose=False
    )[0]
    (found,) = [each for each in streams if each["info"]["type"] == ["EEG"]]
    return found


def kill_supervisor(seed: int, folder: Path, seconds: float = LONG_S) -> Orphaned:
    """Kill it at a random moment of a stream of ``seconds``; its recorder must go on to the end."""
    file = long_run.counter_file(folder, seconds)
    bundle = long_run.bundle().save(folder / "bundle")
    bus = ("--json", "--lsl-session", session(), "--lsl-scope", "machine")
    sessions = folder / "sessions"
    try:
        with Box("stream", file, "--wait-for", 2, "--control", "stdin", *bus) as stream:
            stream.until("ready")
            with Box("live", "--bundle", bundle, "--out", sessions, *bus, runtime=folder) as live:
                stream.until("start", 30)
                time.sleep(random.Random(seed).uniform(0, seconds / 2))
                live.process.kill()
            ended = stream.until("end", seconds + 20)
            assert stream.end() == 0, stream.stderr
        path = only(sessions)
        left = {box: _gone(pids(path, box), ended["at"]) for box in ("decode", "record")}
    finally:
        _end_everybody(sessions)
    (sent,) = stream.all("done")
    missing, misplaced = long_run.compare(
        path / "recording.xdf", sent["samples"], file.with_suffix(".json")
    )
    return Orphaned(missing, misplaced, left)


def _gone(processes: Sequence[int], since: float) -> float:
    """Seconds from ``since`` (monotonic) until none of them runs."""
    assert processes
    if any(map(runs, processes)):
        until(lambda: not any(map(runs, processes)), 20)
        return time.monotonic() - since
    return 0.0


def _end_everybody(sessions: Path) -> None:
    for path in sessions.iterdir() if sessions.is_dir() else ():
        for pid in filter(runs, pids(path, "record", "decode")):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def limit(box: str) -> float:
    """Seconds within which a killed box works again."""
    if box == "record":
        return PART_S
    return BACK_S + long_run.bundle().recipe.settle + long_run.WINDOW_S[1]


@pytest.fixture
def seed() -> int:
    seed = new_seed()
    print("seed", seed)
    return seed


def test_killed_recorders_and_engines_come_back_and_lose_next_to_nothing(tmp_path, seed):
    found = kill_boxes(["record", "decode"] * 3, seed, tmp_path)
    print(*found, sep="\n")
    for kill in found:
        assert kill.back_s <= limit(kill.box)
        assert kill.tail_s <= TAIL_S


def test_a_killed_supervisor_costs_no_sample_and_nobody_stays_behind(tmp_path, seed):
    found = kill_supervisor(seed, tmp_path)
    print(found)
    assert (found.missing, found.misplaced) == (0, [])
    assert found.left["decode"] <= GONE_S
    assert IDLE_S - 0.5 <= found.left["record"] <= GONE_S + IDLE_S
