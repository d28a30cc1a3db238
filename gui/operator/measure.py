"""Signal quality of each electrode and band power, from one or two seconds of EEG.

Pure numbers: microvolts in, judgements out. Nothing here decides what is decoded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rtbci.signal.quality import MAINS
from rtbci.types import Samples

FLAT_UV = 0.5  # uV peak to peak, below which an electrode is flat
# Share of samples equal to the one before, above which an electrode is flat.
STILL_SHARE = 0.5
# Share of samples at the minimum or maximum, above which an electrode is railed.
RAILED_SHARE = 0.1
# Peak to peak below which repeated extremes only reflect coarse resolution.
RAILED_UV = 150.0
LOUD_UV = 100.0  # rms without the mean, above which an electrode is doubtful
# Share of the power above 1 Hz at the mains frequency that makes an electrode doubtful.
HUM_SHARE = 0.6
BANDS = {  # Hz
    "delta": (1.0, 4.0), "theta": (4.0, 8.0), "alpha": (8.0, 13.0), "beta": (13.0, 30.0),
    "gamma": (30.0, 45.0),
}  # fmt: skip


@dataclass(frozen=True)
class ElectrodeReading:
    """Electrode quality: ``state`` good, doubtful, flat, railed or unknown; ``value`` uV rms."""

    name: str
    state: str
    value: float | None
    hint: str


def readings(x: Samples, names: Sequence[str], rate: float) -> list[ElectrodeReading]:
    """Quality of each column of ``x`` (times, channels) in uV; needs half a second or more."""
    if len(x) < max(4, 0.5 * rate):
        return [ElectrodeReading(name, "unknown", None, "no signal yet") for name in names]
    whole = np.isfinite(x).all(axis=0)
    x = np.where(whole, x, 0)
    low, high = x.min(axis=0), x.max(axis=0)
    still = np.mean(x[1:] == x[:-1], axis=0)
    at_rail = np.maximum(np.mean(x == low, axis=0), np.mean(x == high, axis=0))
    rms = np.sqrt(np.mean((x - x.mean(axis=0)) ** 2, axis=0))
    hum = _hum(x, rate)
    judged = (whole, high - low, still, at_rail, rms, hum)
    columns = (np.asarray(each).tolist() for each in judged)
    return [_reading(*each) for each in zip(names, *columns, strict=True)]


def _reading(
    name: str, whole: bool, swing: float, still: float, at_rail: float, rms: float, hum: float
) -> ElectrodeReading:
    if not whole:
        return ElectrodeReading(name, "doubtful", None, "some samples are not numbers")
    if swing < FLAT_UV or (still > STILL_SHARE and at_rail < 1 and swing < RAILED_UV):
        return ElectrodeReading(name, "flat", rms, "flat: no contact, or its cable is off")
    if at_rail > RAILED_SHARE and swing >= RAILED_UV:
        return ElectrodeReading(name, "railed", rms, f"railed {100 * at_rail:.0f} % of the time")
    if hum > HUM_SHARE:
        return ElectrodeReading(
            name, "doubtful", rms, f"{100 * hum:.0f} % of its power is mains hum"
        )
    if rms > LOUD_UV:
        return ElectrodeReading(
            name, "doubtful", rms, f"loud: {rms:.0f} uV rms; poor contact or movement"
        )
    return ElectrodeReading(name, "good", rms, f"{rms:.1f} uV rms")


def band_power(x: Samples, rate: float) -> Mapping[str, float | None]:
    """Power (uV2) in each band, the median over columns of ``x`` (times, channels).

    None for all where there is less than a second, and for bands beyond half the rate.
    """
    if len(x) < rate or not np.isfinite(x).all():
        return dict.fromkeys(BANDS)
    power, frequencies = _power(x, rate)
    found: dict[str, float | None] = {}
    for name, (low, high) in BANDS.items():
        inside = (frequencies >= low) & (frequencies < high)
        fits = high <= rate / 2 and bool(inside.any())
        found[name] = float(np.median(power[inside].sum(axis=0))) if fits else None
    return found


def _hum(x: Samples, rate: float) -> np.ndarray:
    """Share of each column's power above 1 Hz that lies within 1 Hz of the louder mains."""
    power, frequencies = _power(x, rate)
    above = power[frequencies >= 1].sum(axis=0)
    shares = [
        power[abs(frequencies - mains) <= 1].sum(axis=0) / np.maximum(above, 1e-12)
        for mains in MAINS
    ]
    return np.max(shares, axis=0)


def _power(x: Samples, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Power of each frequency (bins, channels), uV2, and the frequencies (bins,), Hz."""
    window = np.hanning(len(x)).astype(np.float32)[:, None]
    spectrum = np.fft.rfft((x - x.mean(axis=0)) * window, axis=0)
    scale = 2 / (len(x) * float((window**2).sum()))
    return np.abs(spectrum) ** 2 * scale, np.fft.rfftfreq(len(x), 1 / rate)
