"""Doubts about a recording, one sentence each, from at most ten minutes of it."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from rtbci.signal.quality import find_line
from rtbci.signal.recording import Recording
from rtbci.statistics.verdict import is_few
from rtbci.types import Array

MAX_PIECES = 600  # of one second, spread over the recording
MAX_VALUES = 10_000_000  # in all pieces; large caps at high rates are looked at in fewer of them
CONTACT_UV = 100.0  # peak to peak, 1 to 30 Hz
CONTACT_SHARE = 0.5  # of pieces beyond it, in any electrode: bad contact
FEW_MARKERS = 10  # of a class
FLAT_UV = 0.1  # peak to peak of an electrode that records nothing
RAIL_SHARE = 0.01  # of samples at one extreme value
LINE_BAND_HZ = (4.0, 45.0)  # where decoders look; mains lies above
MANY = 8  # electrodes; a larger cap is judged against itself
MANY_UV = 300.0  # the most that a large cap may swing
RATE_OFF = 0.005


@dataclass(frozen=True)
class Contact:
    """Share of one-second pieces that swing too far, peak to peak from 1 to 30 Hz."""

    limit: float  # microvolts; 100 for a small montage
    pieces: float  # 0..1, spoilt ones
    each: dict[str, float]  # electrode -> share


def what_looks_wrong(recording: Recording) -> tuple[str, ...]:
    """One sentence for each thing a careful person would ask about."""
    return (
        *_markers(recording),
        *_stamps(recording),
        *_values(recording),
        *_contact(recording),
        *_lines(recording),
    )


def contact(recording: Recording) -> Contact:
    """How often the EEG electrodes swing further than a brain does.

    A large cap has a distant reference: the median of its electrodes is taken off, the limit is
    three times its own typical swing (100 to 300 uV), a quarter of them must swing in a second.
    """
    names = recording.eeg_channels
    pieces = _pieces(recording, 1.0, recording.info.columns(names))
    if not pieces.size:
        return Contact(CONTACT_UV, 0.0, dict.fromkeys(names, 0.0))
    many = len(names) > MANY
    if many:
        pieces = pieces - np.median(pieces, axis=2, keepdims=True)
    swing = np.ptp(_band(pieces, recording.info.rate), axis=1)  # (pieces, channels)
    limit = float(np.clip(3 * np.median(swing), CONTACT_UV, MANY_UV)) if many else CONTACT_UV
    wide = swing > limit
    bad = wide.mean(axis=1) >= 0.25 if many else wide.any(axis=1)
    each = dict(zip(names, (float(share) for share in wide.mean(axis=0)), strict=True))
    return Contact(limit, float(bad.mean()), each)


def _pieces(recording: Recording, seconds: float, columns: list[int]) -> Array:
    """(pieces, times, channels) whole pieces without gaps or numbers that are not finite."""
    length = max(int(seconds * recording.info.rate), 2)
    if recording.epoch_rows is not None:
        length = min(length, recording.epoch_rows)
    signal, pieces, rows = recording.measured, recording.segments, recording.epoch_rows
    if recording.bridged is not None and rows is not None:  # a bridge says nothing of contact
        pieces = [(row, row + rows, row) for row in range(0, len(signal) - rows + 1, rows)]
    starts = [row for first, last, _ in pieces for row in range(first, last - length + 1, length)]
    most = min(MAX_PIECES, max(1, MAX_VALUES // (length * max(1, len(columns)))))
    if len(starts) > most:
        starts = [starts[i] for i in np.linspace(0, len(starts) - 1, most).astype(int)]
    if not starts or not columns:
        return np.zeros((0, length, len(columns)))
    cut = np.stack([signal[row : row + length][:, columns] for row in starts]).astype(np.float64)
    whole: Array = cut[np.isfinite(cut).all(axis=(1, 2))]
    return whole


def _band(pieces: Array, rate: float) -> Array:
    """``pieces`` (pieces, times, channels) without their line, above 30 Hz and below 1 Hz."""
    n = pieces.shape[1]
    if not pieces.size or n < 3:
        return pieces
    time = np.linspace(-1, 1, n)
    centred = pieces - pieces.mean(axis=1, keepdims=True)
    slope = np.einsum("t,ptc->pc", time, centred) / (time @ time)
    spectrum = np.fft.rfft(centred - time[None, :, None] * slope[:, None, :], axis=1)
    spectrum[:, np.fft.rfftfreq(n, 1 / rate) > 30] = 0
    return np.fft.irfft(spectrum, n, axis=1)


def _markers(recording: Recording) -> list[str]:
    counts = Counter(marker.label for marker in recording.markers)
    if not counts:
        return ["there are no markers: nothing to calibrate on"]
    total = sum(counts.values())
    shown = _list([f"{label!r} {n} times" for label, n in counts.most_common()])
    if total < FEW_MARKERS:
        return [f"there are almost no markers: {shown}"]
    if is_few(total):
        return [f"there are only {total} markers: {shown}"]
    few = [f"{label!r} {n} times" for label, n in counts.most_common() if n < FEW_MARKERS]
    return [f"some classes are rare: {_list(few)}"] if few else []


def _stamps(recording: Recording) -> list[str]:
    notes = []
    effective = recording.effective_rate
    if effective is not None and abs(effective / recording.info.rate - 1) > RATE_OFF:
        notes.append(
            f"samples come at {effective:.2f} Hz, "
            f"{100 * (effective / recording.info.rate - 1):+.1f} % off the nominal "
            f"{recording.info.rate:g} Hz"
        )
    if recording.back_steps:
        notes.append(
            f"stamps step back or repeat {recording.back_steps} times; rows were counted instead"
        )
    missing = sum(gap.missing for gap in recording.gaps)
    if missing > 0.01 * recording.n_samples:
        notes.append(f"{100 * missing / recording.n_samples:.1f} % of the samples are missing")
    return notes


def _values(recording: Recording) -> list[str]:
    """Flat, railed and missing values, electrode by electrode."""
    notes: list[str] = []
    bad = 1 - float(np.isfinite(recording.signal).mean())
    if bad:
        notes.append(f"{100 * bad:.2g} % of the values are not finite numbers")
    names = recording.eeg_channels
    flat, railed = [], []
    for name, column in zip(names, recording.info.columns(names), strict=True):
        x = recording.signal[:, column]
        x = x[np.isfinite(x)]
        if not len(x):
            continue
        low, high = float(x.min()), float(x.max())
        if high - low < FLAT_UV:
            flat.append(name)
        elif max(np.mean(x == low), np.mean(x == high)) > RAIL_SHARE:
            railed.append(name)
    if flat:
        notes.append(f"flat: {_list(flat)}")
    if railed:
        notes.append(f"at the end of the range more than 1 % of the time: {_list(railed)}")
    return notes


def _contact(recording: Recording) -> list[str]:
    found = contact(recording)
    worst = sorted(found.each, key=lambda name: -found.each[name])
    bad = [f"{name} {100 * found.each[name]:.0f} %" for name in worst if found.each[name] > 0.2]
    if found.pieces < CONTACT_SHARE:
        single = [name for name in worst if found.each[name] >= CONTACT_SHARE]
        return [f"bad contact at single electrodes: {_list(single)}"] if single else []
    return [
        f"bad contact or movement: {100 * found.pieces:.0f} % of the seconds swing more than "
        f"{found.limit:.0f} uV" + (f" ({_list(bad)})" if bad else "")
    ]


def _lines(recording: Recording) -> list[str]:
    """Narrow lines that no brain makes, in channels of any type."""
    if recording.epoch_rows is not None:
        return []
    lines: dict[float, list[str]] = {}
    for column, name in enumerate(recording.info.channels):
        line = find_line(recording, column, LINE_BAND_HZ)
        if line is not None:
            lines.setdefault(round(line, 1), []).append(name)
    return [
        f"hums at {hz:g} Hz, as no brain does: {_list(who)}" for hz, who in sorted(lines.items())
    ]


def _list(names: list[str]) -> str:
    shown = ", ".join(names[:6])
    return shown if len(names) <= 6 else f"{shown} and {len(names) - 6} more"
