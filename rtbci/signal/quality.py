"""Which electrodes carry no brain: flat ones, and ones that hum on one frequency.

Mains hum outside the decoder's band does no harm (one person's P300 was decoded at .76 with 98 %
of an electrode's power at 50 Hz). A narrow line *inside* the band that is neither mains nor a
flicker frequency is an instrument, not a person: the decoder would learn it, or be drowned by it.
"""

import numpy as np

from rtbci.signal.recording import Recording
from rtbci.types import Array

PIECE = 8.0  # s, Welch pieces with half overlap: 0.125 Hz
NEAR, FAR = 0.375, 0.875  # Hz: a line is held against both sides at this distance
LINE_TIMES, FLICKER_TIMES = 7.0, 5.0  # power over the louder side; alpha is far wider than a line
FEW_PIECES = 20.0  # with n pieces a line must stand out 1 + 20 / n**2 times as much
LINE_SHARE, FLICKER_SHARE = 0.1, 0.01  # of the power in the band
# the second of each if narrow peaks are decoded (flicker)
LOWEST, HIGHEST = 4.0, 45.0  # Hz; below, slow waves are narrow too; above comes mains
MAINS = (50.0, 60.0)  # Hz
MAINS_WIDTH, FLICKER_WIDTH = 1.5, 0.4  # Hz around them that is not judged
SWINGS = (0.1, 1e5)  # uV in a second, median electrode; recordings with bad contact reach 4e3
FLAT_SHARE = 0.5  # of the samples that repeat the one before


def dead_electrodes(
    recording: Recording,
    names: tuple[str, ...],
    band: tuple[float, float],
    frequencies: tuple[float, ...] = (),
) -> dict[str, str]:
    """Electrode and reason for each of ``names`` that is flat most of the time, or hums."""
    dead: dict[str, str] = {}
    for name, column in zip(names, recording.info.columns(names), strict=True):
        x = recording.signal[:, column]
        with np.errstate(invalid="ignore"):
            still = ~np.isfinite(x[1:]) | (np.diff(x) == 0)
        if len(x) < 2 or still.mean() > FLAT_SHARE:
            dead[name] = "is flat"
    alive = tuple(name for name in names if name not in dead)
    return dead | humming(recording, alive, band, frequencies)


def humming(
    recording: Recording,
    names: tuple[str, ...],
    band: tuple[float, float],
    frequencies: tuple[float, ...] = (),
) -> dict[str, str]:
    """Electrode and reason for each of ``names`` with a foreign line in the decoder's band.

    ``band`` (Hz) is the decoder's, ``frequencies`` (Hz) are those of the responses.
    """
    columns = dict(zip(names, recording.info.columns(names), strict=True))
    lines = {
        name: find_line(recording, column, band, frequencies) for name, column in columns.items()
    }
    return {name: f"hums at {line:.1f} Hz" for name, line in lines.items() if line is not None}


def implausible(recording: Recording, names: tuple[str, ...]) -> str | None:
    """A sentence about a wrong unit, if the electrodes swing far less or more than any brain.

    The median over electrodes of the median swing in a second is held against ``SWINGS``.
    """
    length = max(2, round(recording.info.rate))
    signal = recording.measured
    whole = signal[: len(signal) // length * length]
    pieces = whole[:, recording.info.columns(names)].reshape(-1, length, len(names))
    pieces = pieces[np.isfinite(pieces).all(axis=(1, 2))]
    if not len(pieces):
        return None
    swing = float(np.median(np.ptp(pieces, axis=1)))
    if swing == 0 or SWINGS[0] <= swing <= SWINGS[1]:
        return None
    likely = "V" if swing < SWINGS[0] else "nV"
    return (
        f"swings by {swing:.3g} uV in a second, which no electrode on a head does: its unit "
        f"({recording.info.unit}, {recording.info.unit_from}) is wrong; try --unit {likely}"
    )


def find_line(
    recording: Recording,
    column: int,
    band: tuple[float, float],
    frequencies: tuple[float, ...] = (),
) -> float | None:
    """Frequency in Hz of a narrow foreign line inside ``band``, or None."""
    frequency, power = spectrum(recording, column)
    if not len(frequency):
        return None
    inside = (frequency >= max(band[0], LOWEST)) & (frequency <= band[1])
    judged = inside & (frequency <= HIGHEST)
    least, times = (FLICKER_SHARE, FLICKER_TIMES) if frequencies else (LINE_SHARE, LINE_TIMES)
    for mains in MAINS:
        judged &= abs(frequency - mains) > MAINS_WIDTH
    for flicker in frequencies:
        for harmonic in range(1, 5):
            judged &= abs(frequency - harmonic * flicker) > FLICKER_WIDTH
    # alpha can look as narrow by chance: in 10 of 120 simulated electrodes of 13 s, 3 of 32 s
    times *= 1 + FEW_PIECES / max(1, _pieces(recording)) ** 2
    near, far = (round(width * PIECE) for width in (NEAR, FAR))
    total = power[inside].sum()
    for at in np.flatnonzero(judged)[np.argsort(-power[judged])]:
        if at < far or at + far >= len(power) or total <= 0:
            continue
        sides = (power[at - far : at - near + 1], power[at + near : at + far + 1])
        louder = max(float(np.median(side)) for side in sides)
        share = power[at - 1 : at + 2].sum() / total
        if share < least:
            if 3 * power[at] / total < least:
                return None  # all that follow are weaker
            continue
        if power[at] >= times * louder:
            return float(frequency[at])
    return None


def spectrum(recording: Recording, column: int) -> tuple[Array, Array]:
    """Welch's power spectrum of one channel: frequencies in Hz and power, both (bins,).

    Empty if no piece without a gap is long enough, and for epochs, whose bridges are not signal.
    """
    if recording.epoch_rows is not None:
        return np.zeros(0), np.zeros(0)
    rate = recording.info.rate
    n = round(PIECE * rate)
    window = np.hanning(n)
    power, pieces = np.zeros(n // 2 + 1), 0
    for first, last, _ in recording.segments:
        for row in range(first, last - n + 1, n // 2):
            piece = recording.signal[row : row + n, column].astype(np.float64)
            if np.isfinite(piece).all():
                power += abs(np.fft.rfft((piece - piece.mean()) * window)) ** 2
                pieces += 1
    if not pieces:
        return np.zeros(0), np.zeros(0)
    return np.asarray(np.fft.rfftfreq(n, 1 / rate), np.float64), power / pieces


def _pieces(recording: Recording) -> int:
    """How many pieces ``spectrum`` averages, at most."""
    n = round(PIECE * recording.info.rate)
    return sum((last - first - n) // (n // 2) + 1 for first, last, _ in recording.segments
               if last - first >= n)  # fmt: skip


def mains_hum(recording: Recording, columns: list[int]) -> float | None:
    """50 or 60 Hz where the median electrode's power stands out tenfold there, else None."""
    best: tuple[float, float] | None = None
    spectra = [spectrum(recording, column) for column in columns]
    for mains in MAINS:
        ratios = []
        for frequency, power in spectra:
            peak = power[abs(frequency - mains) <= 0.5]
            sides = power[(abs(frequency - mains) > 1) & (abs(frequency - mains) <= 3)]
            if peak.size and sides.size and np.median(sides) > 0:
                ratios.append(float(peak.max() / np.median(sides)))
        if ratios and (best is None or np.median(ratios) > best[0]):
            best = (float(np.median(ratios)), mains)
    return best[1] if best is not None and best[0] >= 10 else None
