"""Ten minutes of a session in which something is killed, stopped, full or silent all the time.

The recorder and the decoder are killed and stopped, the recorder's disk is full (a limit on the
size of its file, set from outside: writes end short, then fail with EFBIG), the streams fall
silent. A checker that shares no code with the product (``tiny_xdf``) then accounts for every number
that was sent.
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rtbci.bench.offline import synthetic_bundle
from tests.soak.storm_account import KILL_S, RATE, Account, account, is_good, told
from tests.soak.tiny_xdf import streams
from tests.soak.units import Result, Units
from tests.support.live_session import Box, new_seed, only, pids, runs, until
from tests.support.lsl_source import ROOT, session

EVENTS, SECONDS, CHANNELS = 100, 600.0, 32
BOUND = (
    f"0 samples unexplained, 0 doubled, every marker once, <= {KILL_S:g} s missing for each kill "
    "of the recorder"
)
KINDS = ("kill record", "stop record", "kill decode", "stop decode", "disk full", "silence")


class Weather:
    """The sender in a process of its own, and what it said that it sent."""

    def __init__(self, bus: str, labels: Iterable[str], seed: int) -> None:
        words = ["--session", bus, "--rate", str(RATE), "--labels", ",".join(labels),
                 "--seed", str(seed)]  # fmt: skip
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.soak.storm_sender", *words], cwd=ROOT, text=True,
            stdout=subprocess.PIPE,
        )  # fmt: skip
        self.sent, self.markers = list[range](), list[int]()
        self.t0: float | None = None
        self._ended = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def last(self) -> int:
        """The last number that was sent."""
        return self.sent[-1][-1] if self.sent else -1

    def end(self) -> None:
        """Send no more; the outlets stay until ``close``."""
        self.process.terminate()
        assert self._ended.wait(10), "the sender does not end"

    def close(self) -> None:
        """Kill the process."""
        self.process.kill()
        self.process.wait(10)
        self._reader.join(10)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            word, *rest = line.split()
            if word == "sent":
                self.sent.append(range(int(rest[0]), int(rest[1]) + 1))
            elif word == "marker":
                self.markers.append(int(rest[0]))
            else:
                self.t0 = float(rest[0])
                self._ended.set()


def run(folder: Path, events: int, seconds: float, seed: int) -> Account:
    """A session of ``seconds`` with as many events, at random moments drawn from ``seed``."""
    dice, bus = random.Random(seed), session()
    labels = tuple(f"E{i + 1:02d}" for i in range(CHANNELS))
    bundle = synthetic_bundle(RATE, labels, ("a", "b"), (0.0, 0.5)).save(folder / "bundle")
    weather = Weather(bus, labels, seed)
    killed, counts = list[int](), Counter[str]()
    try:
        with Box(
            "live", "--bundle", bundle, "--every", 0.1, "--json", "--out", folder / "sessions",
            "--stream", "storm", "--lsl-session", bus, "--lsl-scope", "machine", runtime=folder,
        ) as live:  # fmt: skip
            live.until("decision", 60)
            path = only(folder / "sessions")
            storm = Storm(path, weather, dice, killed)
            begun, began = begins(path), time.monotonic()
            for number in range(events):
                due = began + (number + dice.random()) * seconds / events
                time.sleep(max(due - time.monotonic(), 0.0))
                kind = dice.choice(KINDS)
                storm.strike(kind)
                counts[kind] += 1
                drain(live)
            time.sleep(max(began + seconds - time.monotonic(), 0.0))
            until(lambda: storm.alive("record"), 40)
            weather.end()
            time.sleep(2.0)  # for the recorder to take what is under way
            live.process.send_signal(signal.SIGTERM)
            assert live.end(60) == 128 + signal.SIGTERM, live.stderr
    finally:
        weather.close()
    assert weather.t0 is not None
    found = [streams(part)[0].values() for part in parts(path)]
    return account(weather, [each for part in found for each in part], begun, killed, counts, seed)


class Storm:
    """Strikes a session; ``killed`` gets the last number sent at each kill of the recorder."""

    def __init__(
        self, path: Path, weather: Weather, dice: random.Random, killed: list[int]
    ) -> None:
        self._path, self._weather, self._dice, self._killed = path, weather, dice, killed

    def alive(self, box: str) -> int:
        """Process id of a box that runs; 0 while it does not."""
        found = pids(self._path, box)
        return found[-1] if found and runs(found[-1]) else 0

    def strike(self, kind: str) -> None:
        """Let one thing happen, and end."""
        if kind == "silence":
            self._weather.process.send_signal(signal.SIGUSR1)
            return
        word, box = ("full", "record") if kind == "disk full" else kind.split()
        pid = until(lambda: self.alive(box), 40)
        if word == "kill":
            if box == "record":  # one that writes: what it costs to start is part of the kill
                until(lambda: grows(parts(self._path)[-1]), 40)
                self._killed.append(self._weather.last)
            count = len(parts(self._path))
            os.kill(pid, signal.SIGKILL)
            if box == "record":
                until(lambda: len(parts(self._path)) > count and grows(parts(self._path)[-1]), 40)
        elif word == "stop":
            self._for_a_while(pid, lambda: os.kill(pid, signal.SIGSTOP),
                              lambda: os.kill(pid, signal.SIGCONT))  # fmt: skip
        else:
            import resource

            room = self._dice.randrange(100_000)
            size = parts(self._path)[-1].stat().st_size
            soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            self._for_a_while(
                pid,
                lambda: resource.prlimit(pid, resource.RLIMIT_FSIZE, (size + room, hard)),
                lambda: resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard)),
            )

    def _for_a_while(
        self, pid: int, begin: Callable[[], object], end: Callable[[], object]
    ) -> None:
        begin()
        try:
            time.sleep(self._dice.uniform(0.1, 4.0))
        finally:
            with suppress(ProcessLookupError):
                end()


def parts(path: Path) -> list[Path]:
    """The files of a recording, in order."""
    return sorted(path.glob("recording*.xdf"), key=lambda each: (len(each.name), each.name))


def grows(part: Path) -> bool:
    """Whether samples come into a file: it is longer than its headers can be."""
    return part.stat().st_size > 60_000


def begins(path: Path) -> int:
    """The first number of the recording, once there is one; numbers before it are not asked for."""

    def first() -> list[float | str] | None:
        found = [each for part in parts(path)[:1] for each in streams(part)[0].values()]
        return next((each.values for each in found if each.name == "storm" and each.values), None)

    return int(float(until(first, 30)[0]))


def drain(box: Box) -> None:
    """Forget what a session said: it would fill this process."""
    now = time.monotonic()
    with suppress(AssertionError):
        box.wait(lambda event: event["at"] >= now, 5, len(box.events))
    box.events.clear()


def check(units: Units) -> Result:
    """A hundred events in ten minutes."""

    def work(_: int) -> dict[str, Any]:
        with tempfile.TemporaryDirectory(prefix="rtbci-soak-") as name:
            return asdict(run(Path(name), EVENTS, SECONDS, new_seed()))

    found = units.in_turn("storm", work, range(1), SECONDS + 180)
    if found is None:
        return Result("no time for all of it", BOUND, None)
    (each,) = found
    if "wrong" in each:
        return Result(each["wrong"], BOUND, False)
    return Result(told(each), BOUND, is_good(each))


CHECKS = {"storm": check}
