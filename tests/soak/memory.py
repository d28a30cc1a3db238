"""Memory of every process of a session over a quarter of an hour: it must stand still.

122 channels at 1 kHz are played, recorded and decoded under a supervisor, and four more streams are
recorded. What is counted is memory that belongs to a process alone (RssAnon: resident, without
pages of files, which the system takes back), and in the short form the blocks that its interpreter
holds, in which a leak shows within a minute.
"""

import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.soak.long_run import CHANNELS, RATE, bundle, counter_file
from tests.soak.units import Result, Units
from tests.support.live_session import Box, only, pids, until
from tests.support.lsl_source import markers, session, source

SECONDS, WARM_S = 900.0, 180.0
EVERY_S = 0.1  # between decisions
MB_AN_HOUR = 5.0
BOUND = f"slope <= {MB_AN_HOUR:g} MB an hour for each process, after {WARM_S:g} s"
PAUSE_S = 0.5  # between two looks
BLOCK_S = 5.0  # samples of so many seconds give one value: their median
MEGABYTE = 2**20
SAMPLER = """
import threading

def sample():
    import os, sys, time
    place = os.path.join(os.environ["RTBCI_BLOCKS"], f"{os.getpid()}.txt")
    with open(place, "a") as file:
        while True:
            time.sleep(0.5)
            print(time.monotonic(), sys.getallocatedblocks(), file=file, flush=True)

threading.Thread(target=sample, daemon=True).start()
"""  # run by every interpreter of the session at its start


@dataclass(frozen=True)
class Held:
    """What one process held: when (monotonic s), bytes of its own, blocks of its interpreter."""

    times: list[float] = field(default_factory=list)
    bytes: list[float] = field(default_factory=list)
    block_times: list[float] = field(default_factory=list)
    blocks: list[float] = field(default_factory=list)


def run(folder: Path, seconds: float) -> dict[str, Held]:
    """Play, record and decode for ``seconds`` with four more streams; what each process held."""
    counts = folder / "counts"
    counts.mkdir()
    (folder / "path").mkdir()
    (folder / "path" / "sitecustomize.py").write_text(SAMPLER)
    variables = {"PYTHONPATH": str(folder / "path"), "RTBCI_BLOCKS": str(counts)}
    file, bus = counter_file(folder, seconds), session()
    words = ("--json", "--lsl-session", bus, "--lsl-scope", "machine")
    with ExitStack() as stack:
        for name, rate, channels in (("gaze", 60.0, 3), ("motion", 100.0, 9), ("aux", 500.0, 8)):
            options = {
                "name": name,
                "source_id": name,
                "kind": "Misc",
                "chunk": 5,
                "labels": "none",
            }
            stack.callback(source(bus, rate=rate, channels=channels, **options).stop)
        stack.callback(markers(bus).stop)
        live = stack.enter_context(_watched(
            variables, "live", "--bundle", bundle().save(folder / "bundle"),
            "--stream", "rtbci-eeg", "--every", EVERY_S, "--out", folder / "out", *words,
            runtime=folder,
        ))  # fmt: skip
        until(lambda: (folder / "out").is_dir() and any((folder / "out").iterdir()))
        stream = stack.enter_context(_watched(variables, "stream", file, "--wait-for", 2, *words))
        stream.until("start", 60)
        live.until("decision", 60)
        path = only(folder / "out")
        every = {"live": live.process.pid, "stream": stream.process.pid}
        every |= {name: pids(path, name)[-1] for name in ("record", "decode")}
        held = _watch(every, seconds, (live, stream))
        live.process.send_signal(signal.SIGTERM)
        live.end(60)
    for name, pid in every.items():
        for line in (counts / f"{pid}.txt").read_text().splitlines():
            with suppress(ValueError):  # the last line may be cut
                when, blocks = map(float, line.split())
                held[name].block_times.append(when)
                held[name].blocks.append(blocks)
    return held


def _watched(variables: dict[str, str], *words: object, **more: Any) -> Box:
    """``rtbci WORDS`` in which, and in whose children, the sampler runs."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        return Box(*words, **more)


def _watch(every: dict[str, int], seconds: float, boxes: Sequence[Box]) -> dict[str, Held]:
    """What the processes hold, twice a second; what they say is dropped."""
    held = {name: Held() for name in every}
    end = time.monotonic() + seconds - 5.0  # before the stream is over
    while (now := time.monotonic()) < end:
        for name, pid in every.items():
            held[name].times.append(now)
            held[name].bytes.append(own_bytes(pid))
        for box in boxes:  # take what was said, or it fills this process
            box.wait(lambda event: event["at"] >= now, 30, len(box.events))
            box.events.clear()
        time.sleep(PAUSE_S)
    return held


def own_bytes(pid: int) -> float:
    """Resident memory of a process that is no page of a file."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return 1024.0 * int(line.split()[1])
    raise AssertionError(f"process {pid} has ended")


def slope(times: Sequence[float], values: Sequence[float], warm: float) -> float:
    """Growth a second after ``warm`` s: the median of the slopes between all pairs of medians."""
    t, y = np.asarray(times), np.asarray(values)
    t, y = t[t >= t[0] + warm], y[t >= t[0] + warm]
    number = ((t - t[0]) // BLOCK_S).astype(int)
    points = [(float(np.median(t[number == n])), float(np.median(y[number == n])))
              for n in range(number[-1] + 1) if (number == n).any()]  # fmt: skip
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for i, a in enumerate(points) for b in points[i + 1 :]]
    return statistics.median(slopes)


def check(units: Units) -> Result:
    """A quarter of an hour."""
    if not sys.platform.startswith("linux"):
        return Result("RssAnon is known on Linux only", BOUND, None, absent=True)

    def work(_: int) -> dict[str, Any]:
        with tempfile.TemporaryDirectory(prefix="rtbci-soak-") as name:
            held = run(Path(name), SECONDS)
        return {
            process: {
                "mb_an_hour": 3600 * slope(each.times, each.bytes, WARM_S) / MEGABYTE,
                "blocks_a_second": slope(each.block_times, each.blocks, WARM_S),
                "mb": each.bytes[-1] / MEGABYTE,
            }
            for process, each in held.items()
        }

    found = units.in_turn("memory", work, range(1), SECONDS + 120)
    if found is None:
        return Result("no time for all of it", BOUND, None)
    (each,) = found
    if "wrong" in each:
        return Result(each["wrong"], BOUND, False)
    said = f"{CHANNELS} channels at {RATE:g} Hz and four streams, {SECONDS:g} s: "
    said += ", ".join(
        f"{process} {one['mb_an_hour']:+.1f} MB an hour ({one['mb']:.0f} MB, "
        f"{one['blocks_a_second']:+.1f} blocks a second)"
        for process, one in each.items()
    )
    return Result(said, BOUND, all(one["mb_an_hour"] <= MB_AN_HOUR for one in each.values()))


CHECKS = {"memory": check}
