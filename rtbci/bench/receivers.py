"""Processes of the live benchmark: one sender, and receivers that do the same work.

    python -m rtbci.bench.receivers ROLE SESSION

Each prints ``{"ready": true}`` once it is ready and then follows the lines on its stdin. After
``{"seconds": S}`` it subscribes, warms up, measures for S seconds, unsubscribes and prints one
line. The sender stamps each chunk just before pushing it; latency is the time from the stamp until
the filtered window that ends with that chunk is available.
"""

import gc
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import numpy as np

from rtbci.errors import Missing

CHANNELS, RATE, CHUNK = 122, 1000.0, 20
NAME = "rtbci-bench"
WINDOW_S = 0.5
# Pass band and mains frequency, Hz, and quality factor of the notch.
BAND, LINE, QUALITY = (1.0, 40.0), 50.0, 30.0
WARM_UP_S = 1.0
FIND_S = 10.0
PEER_BUFFER_S = 4.0
Measured = dict[str, object]


def names() -> tuple[str, ...]:
    """Names of the electrodes."""
    return tuple(f"E{i + 1:03d}" for i in range(CHANNELS))


class LatencyTape:
    """Latencies of one measurement, without those of the first second (warm-up)."""

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._from = clock() + WARM_UP_S
        self._until = self._from + seconds
        self._latencies: list[float] = []
        self._rows = 0
        self._first: float | None = None  # stamp before the first counted row
        self._newest = float("nan")
        self._started: tuple[float, float] | None = None  # wall and CPU, s
        self._spent = (0.0, 0.0)  # wall and CPU since then, s

    def take(self, stamp: float, rows: int) -> bool:
        """Register a window that ends at the row with ``stamp``; returns True to go on."""
        now = self._clock()
        if now < self._from:
            self._newest = stamp
            return True
        if self._started is None:
            self._started = time.perf_counter(), time.process_time()
            self._first = self._newest
        self._latencies.append(now - stamp)
        self._rows += rows
        self._newest = stamp
        if now < self._until:
            return True
        # Taken before unsubscribing, which takes half a second.
        wall, cpu = self._started
        self._spent = time.perf_counter() - wall, time.process_time() - cpu
        return False

    def result(self) -> Measured:
        """Latencies in ms, CPU in percent of a core, and rows missing according to the stamps."""
        if self._started is None or self._first is None or len(self._latencies) < 2:
            raise Missing(f"no samples came from {NAME!r} (rtbci doctor)")
        wall, cpu = self._spent
        expected = round((self._newest - self._first) * RATE / CHUNK) * CHUNK
        return {
            "ms": [round(1000 * each, 4) for each in self._latencies],
            "cpu_percent": 100 * cpu / wall,
            "rows_per_s": self._rows / wall,
            "lost": max(0, expected - self._rows),
        }


def send(orders: Iterator[Any]) -> None:
    """Push chunks of ``CHUNK`` rows in real time until stdin ends."""
    from rtbci.lsl.config import source_id
    from rtbci.lsl.outlet import Outlet, clock

    rng = np.random.default_rng(0)
    offsets = rng.normal(0, 50, CHANNELS)
    pieces = [(rng.normal(0, 20, (CHUNK, CHANNELS)) + offsets).astype(np.float32) for _ in range(9)]
    before = np.arange(1 - CHUNK, 1) / RATE
    outlet = Outlet(
        NAME, source_id("bench"), kind="EEG", rate=RATE, channels=names(),
        types=("EEG",) * CHANNELS, unit="microvolts",
    )  # fmt: skip
    say({"ready": True})
    import threading

    ended = threading.Event()
    threading.Thread(target=lambda: [*orders, ended.set()], daemon=True).start()
    start = clock()
    for turn in count(1):
        if ended.wait(max(0.0, start + turn * CHUNK / RATE - clock())):
            return
        outlet.push(pieces[turn % len(pieces)], clock() + before)


def ours() -> Callable[[float], Measured]:
    """Receiver rtbci: the engine's own inlet, time base, filters and window."""
    from rtbci.lsl.description import signal
    from rtbci.lsl.inlet import clock
    from rtbci.lsl.signal import SignalStream
    from rtbci.signal.recipe import make_recipe
    from rtbci.signal.windows import Windows
    from rtbci.types import Chunk

    found = find()
    recipe = make_recipe(
        RATE, names(), bands=(BAND,), line=LINE, window=(0.0, WINDOW_S), gate=False, reject=None
    )

    def measure(seconds: float) -> Measured:
        source = SignalStream(found, signal)
        windows = Windows(recipe, list(range(CHANNELS)), frozenset(), 0.0, every=CHUNK / RATE)
        gc.collect()
        gc.freeze()  # as the engine does
        tape, rows, going = LatencyTape(seconds, clock), 0, True
        while going:
            for item in source.pull(0.1):
                rows += len(item.x) if isinstance(item, Chunk) else 0
                if windows.push(item):
                    going, rows = tape.take(source.newest, rows), 0
        source.follower.close()
        return tape.result()

    return measure


def plain() -> Callable[[float], Measured]:
    """Receiver pylsl: no filter, no window."""
    from rtbci.lsl.inlet import clock
    from rtbci.lsl.plain import read

    found = find()

    def measure(seconds: float) -> Measured:
        tape = LatencyTape(seconds, clock)
        read(found, CHUNK, tape.take)
        return tape.result()

    return measure


def peer(delay: float) -> Callable[[float], Measured]:
    """Receiver MNE-LSL: StreamLSL with a 4 s buffer and the same filters, polled for new rows."""
    from mne_lsl import set_log_level
    from mne_lsl.lsl import local_clock
    from mne_lsl.stream import StreamLSL

    set_log_level("ERROR")
    notch = {"order": 1, "ftype": "butter", "output": "sos"}
    poll = min(delay, 0.005)

    def connected() -> Any:
        for left in (2, 1, 0):
            try:
                return StreamLSL(PEER_BUFFER_S, name=NAME).connect(delay, timeout=FIND_S / 2)
            except RuntimeError:
                # It looks for streams once only and may find none on a busy computer.
                if not left:
                    raise
        return None

    def measure(seconds: float) -> Measured:
        stream = connected()
        stream.filter(*BAND, iir_params={**notch, "order": 4}, verbose="ERROR")
        stream.notch_filter(LINE, notch_widths=LINE / QUALITY, iir_params=notch, verbose="ERROR")
        tape, going = LatencyTape(seconds, local_clock), True
        while going:
            rows = stream.n_new_samples
            if not rows:
                time.sleep(poll)
                continue
            _, stamps = stream.get_data(WINDOW_S)
            going = tape.take(float(stamps[-1]), rows)
        stream.disconnect()
        return tape.result()

    return measure


def find() -> Any:
    """The sender's stream; raises ``Missing`` if it is not found."""
    from rtbci.lsl.resolve import look, matches

    until = time.monotonic() + FIND_S
    while time.monotonic() < until:
        for each in look(0.5):
            if matches(each, NAME):
                return each
    raise Missing(
        f"a process of this computer sends {NAME!r}, but LSL does not find it (rtbci doctor)"
    )


RECEIVERS: dict[str, Callable[[], Callable[[float], Measured]]] = {
    "rtbci": ours,
    "pylsl": plain,
    "StreamLSL 1 ms": lambda: peer(0.001),
    "StreamLSL 20 ms": lambda: peer(0.020),
}


def say(values: Measured) -> None:
    """Print one line for the benchmark."""
    print(json.dumps(values), flush=True)


def main(role: str, session: str) -> int:
    """Run one role of the benchmark; errors are printed as a line too."""
    orders = (json.loads(line) for line in sys.stdin)
    # StreamLSL has its own liblsl, which is configured by a file.
    if not role.startswith("StreamLSL"):
        from rtbci.lsl.config import configure

        configure(session, "machine")
    try:
        if role == "sender":
            send(orders)
            return 0
        measure = RECEIVERS[role]()
        say({"ready": True})
        for order in orders:
            say(measure(order["seconds"]))
    except ModuleNotFoundError as error:
        say({"missing": error.name})
    except (Missing, RuntimeError) as error:
        say({"error": str(error)})
    return 0


if __name__ == "__main__":
    code = main(*sys.argv[1:3])
    sys.stdout.flush()
    os._exit(code)  # LSL threads of StreamLSL may abort at exit
