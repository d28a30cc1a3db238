"""Live benchmark: cost of the engine over plain pylsl, compared with MNE-LSL's StreamLSL.

There is one sender and one process per receiver. The receivers take turns: while one is
subscribed, the others sleep. Ratios are medians over the rounds of one run.
"""

import json
import os
import queue
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Self, TypeVar

import numpy as np
import psutil

from rtbci.bench.offline import BenchResult, synthetic_bundle
from rtbci.bench.receivers import (
    CHANNELS,
    CHUNK,
    NAME,
    RATE,
    RECEIVERS,
    WARM_UP_S,
    names,
)  # fmt: skip
from rtbci.errors import Missing
from rtbci.messages import DecoderDone, DecoderReady, Event, Finish, Order, from_json, line

ROUNDS = 3
# Length of one turn in the long and in the short form, s.
LONG_S, SHORT_S = 3.0, 1.0
# Measurement of the whole engine, at the end, s; 2 s in the short form.
DECODE_S = 7.0
# Smallest --seconds for the long form.
ENOUGH_S = 30.0
# Time limit for a child to import its libraries, s.
START_S = 45.0
# Time limit for one turn, in addition to its length, s.
TURN_S = 30.0
OURS, FLOOR = "rtbci", "pylsl"
E = TypeVar("E", bound=Event)
PEER = "StreamLSL"
LIBRARY = "mne-lsl"
EXPLAINED = {
    "rtbci": "rtbci: inlet, time base, filters, 0.5 s window",
    "pylsl": "plain pylsl, blocking on the chunk: no filter, no window",
    "StreamLSL 1 ms": "MNE-LSL StreamLSL, 4 s buffer, same filters, acquisition_delay 1 ms",
    "StreamLSL 20 ms": "MNE-LSL StreamLSL, 4 s buffer, same filters, acquisition_delay 20 ms",
}


@dataclass(frozen=True)
class Turn:
    """One measurement of one receiver."""

    ms: tuple[float, ...]  # from push until the window is available
    cpu_percent: float  # of one core
    rows_per_s: float
    lost: int


class BenchProcess:
    """Child process that is controlled and answers by JSON lines."""

    def __init__(self, name: str, command: list[str], environment: dict[str, str]) -> None:
        self.name = name
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  # closed in __exit__
        self._process = subprocess.Popen(
            command, env=environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors,
        )  # fmt: skip
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._errors):
            if pipe is not None:
                pipe.close()

    def answer(self, timeout: float) -> dict[str, Any]:
        """Next line; raises ``Missing`` if there is none in time or if it reports an error."""
        try:
            line = self._lines.get(timeout=timeout)
        except queue.Empty:
            line = b""
        if not line:
            self._errors.seek(0)
            said = self._errors.read().decode("utf-8", "replace").strip().splitlines()
            raise Missing(f"{self.name} did not answer; last output: {(said or ['none'])[-1]}")
        values = json.loads(line)
        if "error" in values:
            raise Missing(f"{self.name}: {values['error']}")
        return values

    def until(self, kind: type[E], timeout: float) -> E:
        """Next event of a kind; raises as ``answer``."""
        until = time.monotonic() + timeout
        while True:
            event = from_json(self.answer(max(0.0, until - time.monotonic())))
            if isinstance(event, kind):
                return event

    def tell(self, values: Mapping[str, object] | Order) -> None:
        """Send an order, or the settings of a receiver."""
        assert self._process.stdin is not None
        self._process.stdin.write(line(values).encode() + b"\n")
        self._process.stdin.flush()

    def clocks(self) -> tuple[float, float]:
        """Wall clock and CPU time of the process so far, s."""
        times = psutil.Process(self._process.pid).cpu_times()
        return time.perf_counter(), times.user + times.system

    def _read(self) -> None:
        assert self._process.stdout is not None
        with suppress(ValueError):  # closed while it was read
            for line in self._process.stdout:
                self._lines.put(line)
        self._lines.put(b"")


def receiver(role: str, session: str, environment: dict[str, str]) -> BenchProcess:
    """Process of ``rtbci.bench.receivers``."""
    command = [sys.executable, "-m", "rtbci.bench.receivers", role, session]
    return BenchProcess(f"{role} of the benchmark", command, environment)


def measure(child: BenchProcess, seconds: float) -> Turn:
    """Run one turn of a receiver and return its measurement."""
    child.tell({"seconds": seconds})
    values = child.answer(seconds + TURN_S)
    return Turn(**{**values, "ms": tuple(values["ms"])})


def live(seconds: float, progress: Callable[[str], None] = lambda _: None) -> Iterator[BenchResult]:
    """Latency, CPU and loss of each receiver, and their ratios.

    Takes about 80 s, or 15 s if ``seconds`` is below 30.
    """
    rounds, turn = (ROUNDS, LONG_S) if seconds >= ENOUGH_S else (1, SHORT_S)
    session = f"rtbci-bench-{secrets.token_hex(4)}"
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rtbci-bench-")))
        config = folder / "lsl_api.cfg"
        config.write_text(
            # The peer's LSL is older and needs the address of this computer to find its streams.
            f"[ports]\nPortRange = 128\n[lab]\nSessionID = {session}\nKnownPeers = {{127.0.0.1}}\n"
            "[multicast]\nResolveScope = machine\n[log]\nlevel = -3\n",
            encoding="utf-8",
        )
        environment = {**os.environ, "LSLAPICFG": str(config), "OPENBLAS_NUM_THREADS": "1"}
        stack.enter_context(sender := receiver("sender", session, environment))
        sender.answer(START_S)
        children: dict[str, BenchProcess] = {}
        missing: list[str] = []
        for role in RECEIVERS:  # one after the other, because they import large libraries
            progress(f"starting {role}")
            child = stack.enter_context(receiver(role, session, environment))
            if "missing" in child.answer(START_S):
                missing.append(role)
            else:
                children[role] = child
        turns: dict[str, list[Turn]] = {role: [] for role in children}
        for number in range(1, rounds + 1):
            for role, child in children.items():
                progress(f"{role}, round {number} of {rounds}")
                turns[role].append(measure(child, turn))
        progress("rtbci decode, with a model and everything")
        decoded = decode(folder, session, environment, DECODE_S if rounds > 1 else 2.0)
    yield from figures(turns, missing)
    yield from decoded


def decode(
    folder: Path, session: str, environment: dict[str, str], seconds: float
) -> list[BenchResult]:
    """Overhead and CPU of ``rtbci decode`` with a decision every ``CHUNK`` samples."""
    bundle = synthetic_bundle(RATE, names(), ("a", "b", "c", "d")).save(folder / "bundles")
    command = [
        *(sys.executable, "-m", "rtbci", "decode", "--bundle", str(bundle), "--stream", NAME),
        *("--every", str(CHUNK / RATE), "--lsl-session", session, "--lsl-scope", "machine"),
        *("--json", "--control", "stdin"),
    ]
    with BenchProcess("rtbci decode", command, environment) as child:
        child.until(DecoderReady, START_S)
        began = child.clocks()
        time.sleep(WARM_UP_S + seconds)
        used = [now - then for now, then in zip(child.clocks(), began, strict=True)]
        child.tell(Finish())
        delays = {
            stage: {name: float("nan") if ms is None else ms for name, ms in each.items()}
            for stage, each in child.until(DecoderDone, TURN_S).latency_ms.items()
        }
    what = f"rtbci decode, 4 classes, a decision every {1000 * CHUNK / RATE:g} ms: overhead"
    total = {"cpu_percent": 100 * used[1] / used[0], "p95_ms": delays["overhead"]["p95"]}
    total |= {f"{key}_p50_ms": delays[key]["p50"] for key in ("transport", "model", "total")}
    return [
        BenchResult("live", what, delays["overhead"]["p50"], "ms median", 0.3, more=total),
        BenchResult("live", what, delays["overhead"]["p99"], "ms p99", 1.0),
    ]


def figures(turns: dict[str, list[Turn]], missing: list[str]) -> Iterator[BenchResult]:
    """Results of all turns; ``turns[role][i]`` is the turn of a role in round ``i``."""
    floor = [median(turn.ms) for turn in turns[FLOOR]]
    for role, found in turns.items():
        ms = np.concatenate([turn.ms for turn in found])
        excess = _excess(found, floor)
        more = {
            "p95_ms": float(np.quantile(ms, 0.95)),
            "p99_ms": float(np.quantile(ms, 0.99)),
            "cpu_percent": median(turn.cpu_percent for turn in found),
            "rows_per_s": median(turn.rows_per_s for turn in found),
            "rows_lost": float(sum(turn.lost for turn in found)),
            "windows": float(len(ms)),
        }
        if role != FLOOR:
            more["over_pylsl_ms"] = median(excess)
        yield BenchResult("live", EXPLAINED[role], float(np.median(ms)), "ms median", more=more)
    for role in missing:
        what = f"{EXPLAINED[role]}: not installed (pip install {LIBRARY})"
        yield BenchResult("live", what, float("nan"), "")
    what = f"CPU of rtbci without a model, {CHANNELS} channels at {RATE:g} Hz, chunks of {CHUNK}"
    cpu = [turn.cpu_percent for turn in turns[OURS]]
    yield BenchResult("live", what, median(cpu), "% of a core", 4.0)
    yield BenchResult(
        "live", "largest channels x Hz that one core could process at this cost",
        CHANNELS * RATE * 100 / median(cpu) / 1e6, "million samples/s",
    )  # fmt: skip
    yield from _ratios(turns, floor)


def _excess(turns: list[Turn], floor: list[float]) -> list[float]:
    """Median latency of each round above that of plain pylsl in the same round, ms."""
    return [median(turn.ms) - least for turn, least in zip(turns, floor, strict=True)]


def _ratios(turns: dict[str, list[Turn]], floor: list[float]) -> Iterator[BenchResult]:
    """Ratios to the better of the peer's two settings for each figure; ``more`` has both."""
    ours = turns[OURS]
    # If the added latency is within the noise, 1 us is used, the resolution of the clock.
    mine = [max(each, 0.001) for each in _excess(ours, floor)]
    less_cpu, less_latency = {}, {}
    for role, found in turns.items():
        if role.startswith(PEER):
            pairs = zip(found, ours, strict=True)
            less_cpu[role] = median(a.cpu_percent / b.cpu_percent for a, b in pairs)
            pairs = zip(_excess(found, floor), mine, strict=True)
            less_latency[role] = median(a / b for a, b in pairs)
    if less_cpu:
        for what, ratios, bound in (
            ("less CPU", less_cpu, 6.0), ("less latency over pylsl", less_latency, 8.0)
        ):  # fmt: skip
            what = f"{what} than {PEER} at its better setting"
            yield BenchResult("live", what, min(ratios.values()), "x less", bound, True, ratios)
