"""An amplifier and its markers in one process, for the storm.

Channel 0 counts; the stamp of number n is ``t0 + n / rate``. A marker ``m N`` carries the stamp of
number N. SIGUSR1 makes both streams silent: what falls into the silence is never sent. Each line on
stdout says what was sent (``sent FIRST LAST STAMP``, ``marker N``); SIGTERM ends with ``end T0``.
"""

import argparse
import random
import signal
import threading
import time

import numpy as np
import pylsl

from tests.support.lsl_source import CONFIG

CHUNK = 10
MARKER_S = 0.25
SILENCE_S = (0.3, 4.0)


def main() -> None:
    """Send until asked to end."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--session", required=True)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--labels", required=True)
    parser.add_argument("--seed", type=int, required=True)
    args = parser.parse_args()
    asked, silent = threading.Event(), threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: asked.set())
    signal.signal(signal.SIGUSR1, lambda *_: silent.set())
    pylsl.set_config_content(CONFIG.format(args.session))
    labels, dice = args.labels.split(","), random.Random(args.seed)
    info = pylsl.StreamInfo("storm", "EEG", len(labels), args.rate, pylsl.cf_float32, "storm-eeg")
    channels = info.desc().append_child("channels")
    for label in labels:
        channels.append_child("channel").append_child_value("label", label).append_child_value(
            "unit", "microvolts"
        )
    eeg = pylsl.StreamOutlet(info, CHUNK, max_buffered=360)
    about = pylsl.StreamInfo("storm-marks", "Markers", 1, 0, pylsl.cf_string, "storm-marks")
    marks = pylsl.StreamOutlet(about, 1, max_buffered=360)
    t0 = pylsl.local_clock()
    first, next_marker = 0, 100
    x = np.random.default_rng(args.seed).normal(0, 10, (CHUNK, len(labels))).astype(np.float32)
    while not asked.is_set():
        if silent.is_set():
            silent.clear()
            chunks = round(dice.uniform(*SILENCE_S) * args.rate / CHUNK)
            first += chunks * CHUNK
            next_marker = max(next_marker, first + 1)
        numbers = np.arange(first, first + CHUNK)
        time.sleep(max(t0 + (numbers[-1] + 1) / args.rate - pylsl.local_clock(), 0.0))
        x[:, 0] = numbers
        eeg.push_chunk(x, (t0 + numbers / args.rate).tolist())
        said = f"sent {first} {numbers[-1]} {t0 + numbers[-1] / args.rate!r}"
        first += CHUNK
        while next_marker < first:
            marks.push_sample([f"m {next_marker}"], t0 + next_marker / args.rate)
            said += f"\nmarker {next_marker}"
            next_marker += round(MARKER_S * args.rate) + dice.randrange(-9, 10)
        print(said, flush=True)
    print(f"end {t0!r}", flush=True)
    signal.pause()


if __name__ == "__main__":
    main()
