"""Evoked response to a picture: waves common to all pictures and waves specific to each."""

from dataclasses import dataclass, replace

import numpy as np

from rtbci.types import Array, Samples
from sims.person.anatomy import DRIVERS
from sims.person.constants import (
    COMMON,
    INFORMATION,
    LOOKS,
    MEANING,
    PERSON_LATENCY_MS,
    SESSION_LATENCY_MS,
    TRIAL_GAIN,
    TRIAL_LATENCY_MS,
    WAVE_LATENCY_MS,
    Wave,
)

WAVES: tuple[Wave, ...] = (*COMMON, *INFORMATION)
COLUMNS = {"meaning": slice(0, MEANING), "looks": slice(MEANING, MEANING + LOOKS)}
assert DRIVERS.keys() == COLUMNS.keys()


@dataclass(frozen=True)
class Timing:
    """Amplitude and latency of a participant's responses, without trial variation."""

    gain: float
    peaks: Array  # (waves,), s

    @classmethod
    def of_person(cls, gain: float, rng: np.random.Generator) -> "Timing":
        """Timing drawn once per participant."""
        late = rng.normal(0, PERSON_LATENCY_MS) + rng.normal(0, WAVE_LATENCY_MS, len(WAVES))
        return cls(gain, (np.array([wave.peak for wave in WAVES]) + late) / 1000)

    def of_session(self, gain: float, rng: np.random.Generator) -> "Timing":
        """Timing of the same participant on another day."""
        late = rng.normal(0, SESSION_LATENCY_MS) / 1000
        return replace(self, gain=self.gain * gain, peaks=self.peaks + late)


@dataclass(frozen=True)
class Response:
    """Response model under one session's cap."""

    rate: float
    timing: Timing
    common: Array  # (waves of COMMON, electrodes), uV
    information: list[Array]  # one a wave of INFORMATION: (features of its driver, electrodes), uV
    pattern: float  # sd of what a trial adds to the features

    def draw(self, n: int, driven: Array | None, n_times: int, rng: np.random.Generator) -> Samples:
        """``(n, n_times, electrodes)`` uV from the onset on.

        ``driven`` (n, MEANING + LOOKS) are the features of the pictures; None where these do not
        matter: then nothing depends on them.
        """
        gains = self.timing.gain * rng.lognormal(0, TRIAL_GAIN, n)
        late = rng.normal(0, TRIAL_LATENCY_MS, (n, 1))
        late = (late + rng.normal(0, WAVE_LATENCY_MS, (n, len(WAVES)))) / 1000
        pattern = self.pattern * rng.normal(size=(n, MEANING + LOOKS))
        sizes = np.empty((n, len(WAVES), self.common.shape[1]), np.float32)
        sizes[:, : len(COMMON)] = self.common
        if driven is not None:
            pattern += driven
        for number, (wave, map_) in enumerate(
            zip(INFORMATION, self.information, strict=True), start=len(COMMON)
        ):
            sizes[:, number] = pattern[:, COLUMNS[wave.driver]] @ map_
        sizes *= gains[:, None, None].astype(np.float32)
        return bumps(self.timing.peaks + late, n_times, self.rate) @ sizes


def bumps(peaks: Array, n_times: int, rate: float) -> Samples:
    """Gaussians ``(n, n_times, waves)`` in time around ``peaks`` (n, waves), s."""
    time = np.arange(n_times) / rate
    widths = np.array([wave.width for wave in WAVES]) / 1000
    z = (time[:, None] - peaks[:, None]) / widths
    return np.exp(-0.5 * z**2).astype(np.float32)
