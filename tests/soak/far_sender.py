"""An amplifier and its markers on another computer, whose clock is ahead and runs fast.

    python -m tests.soak.far_sender --session ID --ahead 3.2 --drift 50e-6 --library clock.so

It moves into a time namespace that is ``ahead`` s in front, and loads a library that makes the
monotonic clock run faster. Channel 0 counts. Lines on stdout: ``clock LSL WALL``, one and the same
moment by LSL's clock of here and by the wall clock, which all computers share; ``marker N``.
"""

import argparse
import math
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from tests.soak.wire import leave

CLONE_NEWTIME = 0x80
CHUNK, MARKER_S = 20, 0.4
LABELS = ("a", "b")
CLOCK = r"""
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t id, struct timespec *t) {
    static long long base = 0;
    static double drift = 0;
    long result = syscall(SYS_clock_gettime, id, t);
    if (result == 0 && id == CLOCK_MONOTONIC) {
        long long now = t->tv_sec * 1000000000LL + t->tv_nsec;
        if (!base) { char *s = getenv("CLOCK_DRIFT"); drift = s ? atof(s) : 0; base = now; }
        now += (long long)((now - base) * drift);
        t->tv_sec = now / 1000000000LL; t->tv_nsec = now % 1000000000LL;
    }
    return (int)result;
}
"""
CONFIG = (
    "[lab]\nSessionID={}\n[multicast]\nResolveScope=link\n[ports]\nPortRange=128\nIPv6=disable\n"
    "[log]\nlevel=-3\n"
)


def build(compiler: str, folder: Path) -> Path:
    """The library that makes a clock drift."""
    source, library = folder / "clock.c", folder / "clock.so"
    source.write_text(CLOCK)
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(source)], check=True
    )
    return library


def begin_elsewhere(ahead: float, drift: float, library: str) -> None:
    """Start this program again in a namespace whose clock is ahead, and end with it."""
    leave(CLONE_NEWTIME)
    part, whole = math.modf(ahead)
    offset = f"{int(whole)} {round(part * 1e9)}\n"
    Path("/proc/self/timens_offsets").write_text(f"monotonic {offset}boottime {offset}")
    environment = {**os.environ, "FAR_SENDER": "1", "CLOCK_DRIFT": repr(drift)}
    if library:
        environment["LD_PRELOAD"] = library
    child = subprocess.Popen([sys.executable, "-m", "tests.soak.far_sender", *sys.argv[1:]],
                             env=environment)  # fmt: skip
    signal.signal(signal.SIGTERM, lambda *_: child.kill())
    sys.exit(child.wait())


def main() -> None:
    """Send until asked to end."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--session", required=True)
    parser.add_argument("--rate", type=float, default=1000.0)
    parser.add_argument("--labels", required=True)
    parser.add_argument("--ahead", type=float, required=True)
    parser.add_argument("--drift", type=float, default=0.0)
    parser.add_argument("--library", default="")
    args = parser.parse_args()
    if "FAR_SENDER" not in os.environ:
        begin_elsewhere(args.ahead, args.drift, args.library)
    send(args.session, args.labels.split(","), args.rate)


def send(session: str, labels: list[str], rate: float) -> None:
    """Samples and markers for ever."""
    import numpy as np
    import pylsl

    pylsl.set_config_content(CONFIG.format(session))
    asked = threading.Event()
    signal.signal(signal.SIGUSR1, lambda *_: asked.set())
    info = pylsl.StreamInfo("far", "EEG", len(labels), rate, pylsl.cf_float32, "far-eeg")
    channels = info.desc().append_child("channels")
    for label in labels:
        channel = channels.append_child("channel")
        channel.append_child_value("label", label).append_child_value("unit", "microvolts")
    eeg = pylsl.StreamOutlet(info, CHUNK, max_buffered=360)
    marks = pylsl.StreamOutlet(
        pylsl.StreamInfo("far-marks", "Markers", 1, 0, pylsl.cf_string, "far-marks"), 1, 360
    )
    dice, t0 = random.Random(1), pylsl.local_clock()
    x = np.random.default_rng(1).normal(0, 10, (CHUNK, len(labels))).astype(np.float32)
    first, next_marker = 0, 100
    while True:
        numbers = np.arange(first, first + CHUNK)
        time.sleep(max(t0 + (numbers[-1] + 1) / rate - pylsl.local_clock(), 0.0))
        x[:, 0] = numbers
        eeg.push_chunk(x, (t0 + numbers / rate).tolist())
        first += CHUNK
        while next_marker < first and not asked.is_set():
            marks.push_sample([dice.choice(LABELS)], t0 + next_marker / rate)
            print(f"marker {next_marker}", flush=True)
            next_marker += round(MARKER_S * rate) + dice.randrange(-90, 90)
        before, wall, after = pylsl.local_clock(), time.time(), pylsl.local_clock()
        if after - before < 1e-4 and first % (50 * CHUNK) == 0:
            print(f"clock {(before + after) / 2!r} {wall!r} {t0!r}", flush=True)


if __name__ == "__main__":
    main()
