"""Measurements of the lab streaming layer for the doctor, each in a separate process.

The functions return values that JSON can hold: numbers in seconds, names, counts.
"""

import socket
import time
from collections import Counter

import pylsl

from rtbci.lsl import config
from rtbci.lsl.header_text import xml_of
from rtbci.lsl.inlet import Inlet
from rtbci.lsl.resolve import DiscoveredStream, look, twins

PINGS = 500  # single samples, for the transit time
BURST = 5000  # samples in chunks, for the loss
CHUNK = 20
CHANNELS = 8
RATE = 1000.0  # Hz
FEW_S = 5.0  # time limit to find and open one of our own streams


def library() -> dict[str, object]:
    """Version and origin of liblsl."""
    version = pylsl.library_version()
    return {
        "version": f"{version // 100}.{version % 100}",
        "info": pylsl.library_info(),
        "pylsl": pylsl.__version__,
        "encrypts": "security" in pylsl.library_info().lower(),
    }


def loopback() -> dict[str, object]:
    """Discovery time, transit times, loss and clock offset of an outlet of this process."""
    config.configure(config.new_session(), "machine")
    info = pylsl.StreamInfo("rtbci-doctor", "EEG", CHANNELS, RATE, pylsl.cf_float32, "rtbci-doctor")
    began = time.perf_counter()
    outlet = pylsl.StreamOutlet(info)
    answered = pylsl.resolve_byprop("source_id", "rtbci-doctor", 1, FEW_S)
    if not answered:
        return {"found": None}
    found_after = time.perf_counter() - began
    about = look_of(answered[0])
    inlet = Inlet(about, buffer_s=60)
    inlet.open(FEW_S)
    opened_after = time.perf_counter() - began
    transits, late = _pings(outlet, inlet)
    lost = late + _burst(outlet, inlet)
    began = time.perf_counter()
    offset = inlet.offset(3.0)
    clock_after = time.perf_counter() - began
    transits.sort()
    return {
        "found": found_after,
        "opened": opened_after,
        "pings": len(transits) + late,
        "burst": BURST,
        "lost": lost,
        "median": transits[len(transits) // 2] if transits else None,
        "p99": transits[int(0.99 * len(transits))] if transits else None,
        "offset": offset,
        "clock_after": clock_after,
    }


def look_of(info: pylsl.StreamInfo) -> DiscoveredStream:
    """A resolved stream as ``Inlet`` takes it."""
    from rtbci.lsl.description import parse

    return DiscoveredStream(parse(xml_of(info)), info)


def _pings(outlet: pylsl.StreamOutlet, inlet: Inlet) -> tuple[list[float], int]:
    """Seconds from push to pull of single samples, and the number lost."""
    transits: list[float] = []
    lost = 0
    end = time.monotonic() + FEW_S
    for number in range(PINGS):
        began = time.perf_counter()
        outlet.push_sample([float(number)] * CHANNELS)
        values, _ = inlet.pull(1.0, at_most=1)
        if len(values) == 1 and values[0, 0] == number:
            transits.append(time.perf_counter() - began)
        else:
            lost += 1
        if time.monotonic() > end:
            break
    return transits, lost


def _burst(outlet: pylsl.StreamOutlet, inlet: Inlet) -> int:
    """Number of samples lost of a burst, by a counter in the first channel."""
    for first in range(0, BURST, CHUNK):
        chunk = [[float(first + row)] * CHANNELS for row in range(CHUNK)]
        outlet.push_chunk(chunk)
    due, missing = 0, 0
    end = time.monotonic() + FEW_S
    while due < BURST and time.monotonic() < end:
        values, _ = inlet.pull(0.1)
        for number in values[:, 0]:
            missing += max(0, int(number) - due)
            due = int(number) + 1
    return missing + BURST - due


def ports(count: str) -> dict[str, object]:
    """Number of outlets created and found, out of ``count`` in one process."""
    config.configure(config.new_session(), "machine")
    wanted = int(count)
    outlets = []
    failed = ""
    for number in range(wanted):
        try:
            info = pylsl.StreamInfo(f"p{number}", "X", 1, 0, pylsl.cf_float32, f"doctor-{number}")
            outlets.append(pylsl.StreamOutlet(info))
        except (RuntimeError, OSError) as error:
            failed = str(error)
    began = time.perf_counter()
    seen = {each.about.source_id for each in look(1.0)}
    if len(seen) < len(outlets):  # a busy computer answers late
        seen |= {each.about.source_id for each in look(2.0)}
    return {
        "made": len(outlets),
        "seen": len(seen),
        "seconds": time.perf_counter() - began,
        "failed": failed,
    }


def lab(session: str, scope: str) -> dict[str, object]:
    """The lab's streams as a session would find them; "" for LSL's default session or scope."""
    config.configure(session or None, scope or None)
    refused: dict[str, str] = {}
    began = time.perf_counter()
    found = look(1.0, refused)
    seconds = time.perf_counter() - began
    names = Counter(each.about.name for each in found)
    here = socket.gethostname()
    return {
        "session": config.session_id(),
        "seconds": seconds,
        "streams": [each.about.name for each in found],
        "hosts": sorted({each.about.host for each in found if each.about.host != here}),
        "twins": {
            source: sorted({f"{each.about.name} on {each.about.host}" for each in group})
            for source, group in twins(found).items()
        },
        "nameless": [each.about.name for each in found if not each.about.source_id],
        "same_name": sorted(name for name, times in names.items() if times > 1),
        "refused": sorted(refused.values()),
    }
