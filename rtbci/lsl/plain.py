"""Baseline reader of the benchmark: pylsl and one array, nothing else."""

import time
from collections.abc import Callable

import numpy as np
import pylsl

from rtbci.lsl.resolve import DiscoveredStream

QUIET_S = 0.005  # time without a row that separates two chunks, s


def read(found: DiscoveredStream, chunk: int, take: Callable[[float, int], bool]) -> None:
    """Pull ``chunk`` rows at a time while ``take(stamp of the newest row, rows)`` returns True."""
    inlet = pylsl.StreamInlet(found.info, max_buflen=30, processing_flags=0)
    inlet.open_stream(5.0)
    buffer = np.empty((chunk, found.about.count), np.float32)
    inlet.pull_sample(5.0)
    until = time.perf_counter() + QUIET_S
    while time.perf_counter() < until:  # skip the rest of the chunk in which reading began
        if inlet.pull_chunk(0.0, max_samples=chunk, dest_obj=buffer)[1]:
            until = time.perf_counter() + QUIET_S
    going = True
    while going:
        _, stamps = inlet.pull_chunk(1.0, max_samples=chunk, dest_obj=buffer)
        if stamps:
            going = take(stamps[-1], len(stamps))
        else:
            going = take(float("nan"), 0)
    inlet.close_stream()
