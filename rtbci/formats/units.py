"""Factors from any unit to microvolts, and channel types from names."""

import re

import numpy as np

from rtbci.errors import BadInput
from rtbci.types import Array, Samples

MICROVOLTS = {"V": 1e6, "mV": 1e3, "uV": 1.0, "nV": 1e-3}
_SPELLINGS = {
    "v": "V", "volt": "V", "volts": "V",
    "mv": "mV", "millivolt": "mV", "millivolts": "mV",
    "uv": "uV", "µv": "uV", "μv": "uV", "microvolt": "uV", "microvolts": "uV", "10^-6 v": "uV",
    "nv": "nV", "nanovolt": "nV", "nanovolts": "nV",
}  # fmt: skip
# Range of the median standard deviation of EEG channels, microvolts, that a unit must lead to:
# real caps give 5 to 120, one bad contact of a dry headset 1,000.
PLAUSIBLE_UV = (0.5, 5000.0)

_BY_NAME = (
    (re.compile(r"^(h|v)?eog|eog$", re.I), "EOG"),
    (re.compile(r"^e[ck]g|e[ck]g$", re.I), "ECG"),
    (re.compile(r"^emg|emg$", re.I), "EMG"),
    (re.compile(r"aux|^acc|^gyro|^(gsr|eda|ppg|resp|temp|spo2|sao2)", re.I), "AUX"),
    (
        re.compile(r"^(status|trig|trigger|sti ?\d*|stim|marker|markers|event|events)\d*$", re.I),
        "STIM",
    ),
    (re.compile(r"^(counter|packet ?counter|timestamps?|battery|validity)", re.I), "MISC"),
)
TYPES = ("EEG", "EOG", "EMG", "ECG", "AUX", "MISC", "STIM")


def type_of(name: str, stated: str = "") -> str:
    """Upper-case channel type: as stated if it is a known one, else by the name."""
    word = stated.strip().upper()
    if word == "REF":
        return "MISC"
    if word in TYPES and word != "EEG":
        return word
    for pattern, found in _BY_NAME:
        if pattern.search(name.strip()):
            return found
    return "EEG" if word in ("", "EEG") else "MISC"


def named(unit: str | None) -> str | None:
    """``unit`` as one of V, mV, uV, nV; None where it is missing or no voltage."""
    word = (unit or "").strip()
    if word == "MV":  # no brain makes megavolts
        return "mV"
    return _SPELLINGS.get(word.lower())


def wanted(unit: str) -> str:
    """The unit that a user gave; raises ``BadInput`` if it is not a voltage."""
    found = named(unit)
    if found is None:
        raise BadInput(f"unit {unit!r} is unknown; use one of {', '.join(MICROVOLTS)}")
    return found


def infer(x: Array | Samples) -> str:
    """The unit that makes the EEG ``x`` (rows, channels) look like EEG; raises ``BadInput``."""
    step = max(len(x) // 200_000, 1)
    part = np.asarray(x[::step], np.float64)
    part = part[np.isfinite(part).all(axis=1)]
    spread = 1.4826 * np.median(np.abs(part - np.median(part, axis=0)), axis=0) if len(part) else []
    alive = [value for value in np.atleast_1d(spread) if value > 0]
    typical = float(np.median(alive)) if alive else 0.0
    for unit in ("uV", "V", "mV", "nV"):
        if PLAUSIBLE_UV[0] <= typical * MICROVOLTS[unit] <= PLAUSIBLE_UV[1]:
            return unit
    if not alive:
        return "uV"  # a flat line is a flat line in every unit
    raise BadInput(
        f"no unit is stated and a typical deviation of {typical:.3g} fits no voltage; "
        "give --unit V, mV, uV or nV"
    )
