"""Arrays of epochs as one continuous signal: pauses that were not stored are bridged for filters.

An array of epochs holds nothing between its trials. A causal filter that is restarted at every
epoch sees its first sample instead of the past; one that runs over concatenated epochs sees a step
at every seam. So the pause between two epochs is filled with the most probable course of a signal
like an EEG: the conditional mean given both shores (kriging with a constant
but unknown level). Its weights are fixed numbers: nothing is fitted to the recording, every
electrode is bridged alike, and the same file gives the same bits.

Information that reaches a decoder: of the next epoch only the first ``SHORE_AHEAD`` is used,
before any picture reaches the cortex; of the one before, no more than its filters remember in
a continuous recording. Calibration, replay and the outlet of a replay all call ``bridge``.

How it was chosen: continuous simulated signals (1/f to 1/f^2, with drift, high-passed at 0.1 Hz
without phase as the dataset is) were cut into epochs of 0.5 s every 3.8 s. Correlation of the
filtered epochs (0.1 to 0.5 s) with the filtered continuous signal in the streams 0.1-20, 0.3-20 and
1-30 Hz (4 seeds, 16 channels, 150 epochs each):

                                                 1/f, high-passed    1/f^2
    epochs laid end to end                       .73 .79 .86        -.07 .21 .33
    filters restarted at each epoch              .74 .86 .92         .56 .67 .84
    levels joined by a raised cosine, 1 s        .73 .82 .93        -.05 .37 .79
    the same, 3 s                                .74 .88 .94         .75 .65 .84
    odd mirror images, crossfaded, 1 s           .51 .63 .77         .07 .38 .68
    even mirror images, crossfaded, 3 s          .77 .89 .92         .61 .61 .73
    this bridge, 1 s                             .72 .85 .94        -.08 .43 .80
    this bridge, 3 s                             .78 .89 .94         .72 .67 .83

A pause as long as the one that was left out matters most: a filter of 0.1 Hz remembers seconds.
A trial's response leaves in the window of the next one 4 and 3 % of its amplitude (0.1 and
0.3 Hz), against 6 and 2 % in a continuous signal of the same rhythm, and 23 and 18 % over 1 s.
"""

import math
from bisect import bisect_right
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rtbci.errors import BadInput
from rtbci.signal.recording import Recording
from rtbci.types import Array, Marker, Samples

PAUSE = 3.0  # s between two epochs; 0.5 s epochs then come every 3.5 s (dataset: median 3.58 s)
REST = 8.0  # s between two runs and before the first: the slowest chain (0.1 Hz) settles in 7.9 s
SHORE_BEHIND = 0.5  # s of the epoch before that are looked at
SHORE_AHEAD = 0.05  # s of the epoch to come: the cortex has not seen the picture yet
ROUGHNESS = 0.4  # the variogram grows as lag ** ROUGHNESS: 0 is 1/f, 1 is 1/f^2 (Brownian)
NUGGET = 0.02  # variance of one sample's own noise, in units of the variogram at 1 s
GROWTH = 1.5  # shores are averaged in bins, each wider by this factor than the one nearer the seam


def bridge(recording: Recording) -> Recording:
    """One continuous recording of an array of epochs; any other recording as it is.

    Markers move with their samples, and a note is added; nothing else changes.
    """
    if recording.epoch_rows is None or recording.bridged is not None:
        return recording
    rows, rate = recording.epoch_rows, recording.info.rate
    epochs = recording.signal.reshape(-1, rows, recording.signal.shape[1])
    pauses = _pauses(recording, len(epochs))
    starts = np.cumsum(pauses) + rows * np.arange(len(epochs))
    signal = np.empty((int(starts[-1]) + rows, epochs.shape[2]), np.float32)
    behind: Samples | None = None
    for start, pause, epoch in zip(starts.tolist(), pauses, epochs, strict=True):
        signal[start - pause : start] = span_of(behind, epoch, pause, rate)
        signal[start : start + rows] = behind = epoch
    shift = (starts - rows * np.arange(len(epochs))).tolist()
    markers = tuple(
        Marker(each.index + shift[each.index // rows], each.label, each.fields)
        for each in recording.markers
    )
    note = f"{PAUSE:g} s of a bridge between epochs, {REST:g} s before each run: no brain there"
    provenance = replace(recording.provenance, notes=(*recording.provenance.notes, note))
    return replace(
        recording,
        signal=signal,
        markers=markers,
        gaps=(),
        bridged=tuple(starts.tolist()),
        provenance=provenance,
        stamps=None,
    )


def held(recording: Recording, labels: Collection[str] | None = None) -> tuple[int, int] | None:
    """First sample, and the one after the last, that every epoch holds around its marker.

    Of markers named in ``labels`` (None: of all). None for a continuous recording, and where no
    marker lies in an epoch.
    """
    starts, rows = recording.epoch_starts, recording.epoch_rows
    if not starts or rows is None:
        return None
    offsets = set[int]()
    for marker in recording.markers:
        if labels is None or marker.label in labels:
            place = bisect_right(starts, marker.index) - 1
            if place >= 0 and marker.index < starts[place] + rows:
                offsets.add(marker.index - starts[place])
    return (-min(offsets), rows - max(offsets)) if offsets else None


def held_by_all(
    recordings: Sequence[Recording], labels: Collection[str] | None = None
) -> tuple[float, float] | None:
    """Seconds around the marker that all epochs of ``recordings`` hold; None for no epochs.

    Raises ``BadInput`` where they have nothing in common.
    """
    found = [(each, held(each, labels)) for each in recordings]
    spans = [(a / each.info.rate, b / each.info.rate) for each, span in found if span
             for a, b in [span]]  # fmt: skip
    if not spans:
        return None
    first, last = max(a for a, _ in spans), min(b for _, b in spans)
    if first >= last:
        raise BadInput("the epochs of these files have no time in common around their markers")
    return first, last


def window_inside(
    span: tuple[float, float],
    asked: tuple[float, float] | None,
    default: tuple[float, float],
    shortest: float,
) -> tuple[float, float]:
    """The window to decode of epochs that hold ``span``, all in s around the marker.

    The default is cut to fit; raises ``BadInput`` where ``asked`` reaches outside, and where less
    than ``shortest`` is left.
    """
    a, b = asked or (max(default[0], span[0]), min(default[1], span[1]))
    if not (span[0] - 1e-9 <= a and b <= span[1] + 1e-9):
        raise BadInput(
            f"window {a:g} to {b:g} s reaches outside the epochs, which hold {span[0]:g} to "
            f"{span[1]:g} s around their marker; choose --window inside"
        )
    if b - a < shortest:
        raise BadInput(
            f"the epochs hold {span[0]:g} to {span[1]:g} s around their marker; a decoder needs "
            f"{shortest:g} s or more from {default[0]:g} s on, or name others with --window"
        )
    return a, b


def run_starts(recording: Recording) -> tuple[int, ...]:
    """Sample index at which each run begins; one run if the file does not state any."""
    starts = recording.epoch_starts
    if not starts:
        return (0,)
    return tuple(starts[place] for place in _first_epochs(recording))


def span_of(behind: Samples | None, ahead: Samples, pause: int, rate: float) -> Array:
    """``(pause, channels)`` between the epochs ``behind`` (or None) and ``ahead``.

    Both (times, channels), microvolts; ``pause`` in samples, ``rate`` in Hz. A sample that is not
    finite counts as the nearest finite one.
    """
    n_behind = 0 if behind is None else min(len(behind), max(1, round(SHORE_BEHIND * rate)))
    n_ahead = min(len(ahead), max(1, round(SHORE_AHEAD * rate)))
    weights = _weights(n_behind, n_ahead, pause, rate)
    shores = [_binned(_measured(ahead), n_ahead)]
    if behind is not None:
        shores.insert(0, _binned(_measured(behind[::-1]), n_behind))
    return weights @ np.concatenate(shores)


def _pauses(recording: Recording, n: int) -> list[int]:
    """Samples of bridge before each of ``n`` epochs."""
    pauses = [max(1, round(PAUSE * recording.info.rate))] * n
    for place in _first_epochs(recording):
        pauses[place] = max(1, math.ceil(REST * recording.info.rate))
    return pauses


def _first_epochs(recording: Recording) -> list[int]:
    """Number of the first epoch of each run."""
    return [0, *np.cumsum(recording.runs[:-1], dtype=int).tolist()]


def _edges(n: int) -> NDArray[np.int64]:
    """Bin edges from 0 to ``n``, wider and wider."""
    edges, width = [0], 1.0
    while edges[-1] < n:
        edges.append(min(n, edges[-1] + round(width)))
        width *= GROWTH
    return np.array(edges)


def _binned(x: Array, n: int) -> Array:
    """``(bins, channels)`` means of the ``n`` samples nearest the seam; ``x[0]`` lies at it."""
    edges = _edges(n)
    return np.add.reduceat(x[:n], edges[:-1], axis=0) / np.diff(edges)[:, None]


def _measured(x: Samples) -> Array:
    """``x`` (times, channels) in float64; values that are not finite are held, or 0."""
    out: Array = x.astype(np.float64)
    good = np.isfinite(out)
    at = np.arange(len(out))
    for column in np.flatnonzero(~good.all(axis=0)):
        whole = good[:, column]
        out[:, column] = np.interp(at, at[whole], out[whole, column]) if whole.any() else 0
    return out


@lru_cache(maxsize=16)
def _weights(n_behind: int, n_ahead: int, pause: int, rate: float) -> Array:
    """``(pause, bins)``: each sample of the bridge as a mean of the bins of both shores.

    Rows add up to 1, so that a constant is bridged by itself (ordinary kriging; Cressie 1993,
    section 3.2). Bins count as a sample at their middle whose own noise is averaged away.
    """
    behind, ahead = _edges(n_behind), _edges(n_ahead)
    middles = [-(behind[1:] + behind[:-1] + 1) / 2, pause + (ahead[1:] + ahead[:-1] - 1) / 2]
    widths = np.concatenate([np.diff(behind), np.diff(ahead)])
    at = np.concatenate(middles) / rate
    there = np.arange(pause) / rate
    n = len(at)
    system = np.ones((n + 1, n + 1))
    system[:n, :n] = np.diag(NUGGET / widths) - np.abs(at[:, None] - at) ** ROUGHNESS
    system[n, n] = 0
    wanted = np.ones((n + 1, pause))
    wanted[:n] = -(np.abs(at[:, None] - there) ** ROUGHNESS)
    return np.asarray(np.linalg.solve(system, wanted)[:n].T, np.float64, order="C")
