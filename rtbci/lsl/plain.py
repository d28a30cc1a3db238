"""What reading costs at least: pylsl alone, blocking on the sender's chunk, into one array."""

import time
from collections.abc import Callable

import numpy as np
import pylsl

from rtbci.lsl.resolve import DiscoveredStream

QUIET_S = 0.005  # without a row: the sender is between two chunks


def read(found: DiscoveredStream, chunk: int, take: Callable[[float, int], bool]) -> None:
    """Pull ``chunk`` rows at a time; ``take(stamp of the newest row, rows)`` is True to go on."""
    inlet = pylsl.StreamInlet(found.info, max_buflen=30, processing_flags=0)
    inlet.open_stream(5.0)
    buffer = np.empty((chunk, found.about.count), np.float32)
    inlet.pull_sample(5.0)
    until = time.perf_counter() + QUIET_S
    while time.perf_counter() < until:  # subscribed amid a chunk: begin at the next one
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
