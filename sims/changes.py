"""Streams that return changed: other rate, channels, order, names or unit."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rtbci.signal.recording import Recording
from rtbci.types import Gap

if TYPE_CHECKING:
    from sims.faults import Kill

MICROVOLTS = ("microvolts", 1.0)
UNITS = {None: MICROVOLTS, "volts": ("volts", 1e-6), "unknown": ("", 1.0)}


@dataclass(frozen=True)
class Guise:
    """Appearance of an outlet: a recording, its unit ("" for none) and the scale factor."""

    recording: Recording
    unit: str = MICROVOLTS[0]
    factor: float = MICROVOLTS[1]


def guise(recording: Recording, kill: "Kill | None") -> Guise:
    """Appearance of ``recording`` after ``kill``, or unchanged without one."""
    if kill is None:
        return Guise(recording)
    names = recording.info.channels
    if kill.channels is not None:
        names = names[: kill.channels]
    if kill.order == "reverse":
        names = names[::-1]
    elif kill.order == "shuffle":
        names = tuple(np.random.default_rng(kill.seed).permutation(names).tolist())
    if names != recording.info.channels:
        recording = recording.pick(names)
    if kill.rename:
        renamed = tuple(kill.rename.get(name, name) for name in names)
        recording = replace(recording, info=replace(recording.info, channels=renamed))
    if kill.rate is not None:
        recording = at_rate(recording, kill.rate)
    return Guise(recording, *UNITS[kill.unit])


def at_rate(recording: Recording, rate: float) -> Recording:
    """Recording resampled to another rate by repeating the last row, without a filter."""
    old = recording.info.rate
    signal, gaps, end = [], list[Gap](), 0
    for first, last, index in recording.segments:
        start = -int(-(index * rate) // old)  # the first new sample within it
        stop = -int(-((index + last - first) * rate) // old)
        rows = (np.arange(start, stop) * (old / rate) - index).astype(int)
        signal.append(recording.signal[first + np.clip(rows, 0, last - first - 1)])
        if index:
            gaps.append(Gap(end, start - end))
        end = stop
    factor = rate / old
    markers = tuple(replace(m, index=round(m.index * factor)) for m in recording.markers)
    return replace(
        recording,
        signal=np.concatenate(signal),
        info=replace(recording.info, rate=rate),
        markers=markers,
        gaps=tuple(gaps),
        effective_rate=None,
        stamps=None,
    )
