"""EEG background of a simulated cap: brain, eyes, muscles, mains and bad contacts.

Continuous parts (drifts, hum) are functions of the run's clock; the rest is drawn
for each piece of signal directly in the frequency domain, so that half a second costs half a
second's work wherever in the run it lies.
"""

from dataclasses import dataclass, replace

import numpy as np

from rtbci.types import Array, Samples
from sims.person.anatomy import Anatomy
from sims.person.constants import (
    ALPHA_HZ,
    ALPHA_HZ_SPREAD,
    ALPHA_SPREAD,
    ALPHA_UV,
    ALPHA_WIDTH_HZ,
    BAD_SHARE,
    BAD_UV,
    BAND_EDGE_HZ,
    BAND_HZ,
    BLINK_MS,
    BLINK_UV,
    BLINKS_PER_S,
    COMPONENTS,
    DEAD_UV,
    DRIFT_UV,
    EYE_REACH,
    EYES_MM,
    HUM_HZ,
    HUM_UV,
    MUSCLE_HZ,
    MUSCLE_PER_S,
    MUSCLE_REACH,
    MUSCLE_S,
    MUSCLE_UV,
    POP_S,
    POP_UV,
    POPS_PER_S,
    SENSOR_UV,
    SLOPE,
    SLOW_HZ,
    SLOW_WAVES,
)
from sims.person.head import lead_field, outward, reach

Rng = np.random.Generator
FULL = 122  # electrodes for which the rate of pops is given
LONGEST_PERIOD_S = 2.0  # of what is drawn for each piece: 1 / SLOW_HZ


@dataclass(frozen=True)
class Background:
    """Background of one session; ``draw`` returns pieces of a run."""

    rate: float
    mixing: Array  # (components, electrodes), uV rms of the part above SLOW_HZ
    slow: Array  # (components, electrodes), uV rms of the part below
    alpha: Array  # (2 hemispheres, electrodes), uV rms
    alpha_hz: float
    blink: Array  # (electrodes,), uV at its top
    muscles: Array  # (sites, electrodes), uV rms at a burst's middle
    sensor: Array  # (electrodes,), uV rms of white noise
    drift: Array  # (electrodes,), uV rms of own slow potentials
    hum: Array  # (electrodes,), uV amplitude
    hum_phase: float
    alive: Array  # (electrodes,) 1, or nearly 0 without contact

    def draw(self, starts: Array, n_times: int, clocked: "SlowDrifts", rng: Rng) -> Samples:
        """Pieces ``(starts, n_times, electrodes)`` uV from seconds ``starts`` of the run's clock.

        ``clocked`` are the run's slow waves; pieces that overlap share only those.
        """
        x = self.fresh(len(starts), n_times, rng)
        x += self.steady(starts, n_times, clocked)
        return x

    def fresh(self, n: int, n_times: int, rng: Rng) -> Samples:
        """Independent background of ``n`` pieces: ``(n, n_times, electrodes)``."""
        size = fft_size(max(n_times, round(LONGEST_PERIOD_S * self.rate)))
        hertz = frequencies(size, self.rate)
        pink = np.zeros(len(hertz))
        pink[1:] = hertz[1:] ** -SLOPE
        pink *= band(hertz) * (hertz > SLOW_HZ)
        x = noise(pink, size, n, n_times, len(self.mixing), rng) @ f32(self.mixing)
        wave = np.exp(-0.5 * ((hertz - self.alpha_hz) / ALPHA_WIDTH_HZ) ** 2)
        wave[0] = 0
        x += noise(wave, size, n, n_times, len(self.alpha), rng) @ f32(self.alpha)
        short = fft_size(n_times)
        white = band(frequencies(short, self.rate))
        x += noise(white, short, n, n_times, len(self.sensor), rng) * f32(self.sensor)
        self._add_blinks(x, rng)
        self._add_muscles(x, rng)
        self._add_pops(x, rng)
        return x

    def steady(self, starts: Array, n_times: int, clocked: "SlowDrifts") -> Samples:
        """Background that continues through the run:

        drifts and hum, ``(starts, n_times, electrodes)``.
        """
        clock = np.asarray(starts)[:, None] + np.arange(n_times) / self.rate
        waves = clocked.waves(clock)  # (starts, times, 2 * SLOW_WAVES)
        if self.rate / 2 > HUM_HZ:
            turn = 2 * np.pi * HUM_HZ * clock[..., None] + self.hum_phase
            waves = np.concatenate([waves, np.sin(turn).astype(np.float32)], axis=2)
            return waves @ np.concatenate([clocked.weights, f32(self.hum)[None]])
        return waves @ clocked.weights

    def run(self, rng: Rng) -> "SlowDrifts":
        """New slow drifts for a run."""
        hertz = np.exp(rng.uniform(np.log(BAND_HZ[0]), np.log(SLOW_HZ), SLOW_WAVES))
        # equal steps of log f: power per wave falls with f ** (1 - SLOPE)
        share = np.sqrt(hertz ** (1 - SLOPE) / (hertz ** (1 - SLOPE)).sum())[:, None]
        parts = []
        for _ in range(2):  # cosine and sine
            common = rng.normal(size=(SLOW_WAVES, len(self.slow))) @ self.slow
            own = rng.normal(size=(SLOW_WAVES, len(self.drift))) * self.drift
            parts.append(share * (common + own))
        return SlowDrifts(hertz, f32(np.concatenate(parts)))

    def _add_blinks(self, x: Samples, rng: Rng) -> None:
        """Add blinks that begin before or during each piece."""
        n, n_times, _ = x.shape
        length = round(BLINK_MS / 1000 * self.rate)
        shape = np.hanning(length + 2)[1:-1]
        counts = rng.poisson(BLINKS_PER_S * (n_times + length) / self.rate, n)
        for piece in np.repeat(np.arange(n), counts):
            first, size = int(rng.integers(1 - length, n_times)), rng.lognormal(0, 0.25)
            a, b = max(first, 0), min(first + length, n_times)
            x[piece, a:b] += f32(size * shape[a - first : b - first, None] * self.blink)

    def _add_muscles(self, x: Samples, rng: Rng) -> None:
        """Add bursts of muscle noise at one site each."""
        n, n_times, _ = x.shape
        counts = rng.poisson(MUSCLE_PER_S * (n_times / self.rate + 2 * MUSCLE_S), n)
        pieces = np.repeat(np.arange(n), counts)
        if not len(pieces):
            return
        size = fft_size(n_times)
        hertz = frequencies(size, self.rate)
        power = ((hertz > MUSCLE_HZ[0]) & (hertz < MUSCLE_HZ[1])).astype(float)
        bursts = noise(power, size, len(pieces), n_times, 1, rng)[..., 0]
        time = np.arange(n_times) / self.rate
        for piece, burst in zip(pieces, bursts, strict=True):
            middle = rng.uniform(-MUSCLE_S, n_times / self.rate + MUSCLE_S)
            width = MUSCLE_S * rng.uniform(0.3, 1.0)
            site = self.muscles[rng.integers(len(self.muscles))]
            shape = burst * np.exp(-0.5 * ((time - middle) / width) ** 2)
            x[piece] += f32(rng.lognormal(0, 0.4) * shape[:, None] * site)

    def _add_pops(self, x: Samples, rng: Rng) -> None:
        """Add electrode pops: steps of one electrode that decay."""
        n, n_times, n_channels = x.shape
        counts = rng.poisson(POPS_PER_S * n_channels / FULL * (n_times / self.rate + POP_S), n)
        for piece in np.repeat(np.arange(n), counts):
            since = np.arange(n_times) / self.rate - rng.uniform(-POP_S, n_times / self.rate)
            size = rng.choice([-1, 1]) * POP_UV * rng.lognormal(0, 1)
            shape = np.where(since >= 0, size * np.exp(-np.maximum(since, 0) / POP_S), 0)
            electrode = rng.integers(n_channels)
            x[piece, :, electrode] += f32(shape * self.alive[electrode])


@dataclass(frozen=True)
class SlowDrifts:
    """Drifts of one run: random sinusoids, identical at the same second."""

    hertz: Array  # (SLOW_WAVES,)
    weights: Samples  # (2 * SLOW_WAVES, electrodes), uV

    def waves(self, clock: Array) -> Samples:
        """Cosines and sines ``(..., 2 * SLOW_WAVES)`` at seconds ``clock`` (...)."""
        turn = 2 * np.pi * clock[..., None] * self.hertz
        return np.concatenate([np.cos(turn), np.sin(turn)], axis=-1).astype(np.float32)


@dataclass(frozen=True)
class Habits:
    """Background parameters of a participant that are stable across sessions."""

    alpha_hz: float
    alpha_uv: float
    level: float  # median sd of a channel, uV

    @classmethod
    def of_person(cls, level: float, rng: Rng) -> "Habits":
        """Parameters drawn once per participant."""
        alpha_hz = float(np.clip(rng.normal(ALPHA_HZ, ALPHA_HZ_SPREAD), 8, 12.5))
        return cls(alpha_hz, ALPHA_UV * float(rng.lognormal(0, ALPHA_SPREAD)), level)

    def louder(self, factor: float) -> "Habits":
        """Same parameters at another overall level."""
        return replace(self, level=factor * self.level)


def of_session(
    anatomy: Anatomy, habits: Habits, cap: Array, gains: Array, rate: float, rng: Rng
) -> Background:
    """Background under one cap; ``gains`` (electrodes,) of the contacts."""
    n = len(gains)
    covariance = lead_field(cap, *anatomy.cortex)
    values, vectors = np.linalg.eigh(covariance @ covariance.T)
    keep = slice(-min(COMPONENTS, n), None)
    mixing = (vectors[:, keep] * np.sqrt(np.maximum(values[keep], 0))).T
    fast = fast_share(rate)
    full = np.sqrt((mixing**2).sum(axis=0))
    mixing *= habits.level / np.median(full)
    occipital = [anatomy.places["early"], anatomy.places["parietal"]]
    alpha = _alpha(cap, occipital) * habits.alpha_uv
    impedance = rng.lognormal(0, 0.35, n)
    sensor, drift = SENSOR_UV * np.sqrt(impedance), DRIFT_UV * impedance
    bad, kind = rng.random(n) < BAD_SHARE, rng.integers(0, 3, n)
    sensor = np.where(bad & (kind == 0), BAD_UV * rng.uniform(0.3, 1.5, n), sensor)
    drift = np.where(bad & (kind == 1), BAD_UV * rng.uniform(1, 3, n), drift)
    alive = np.where(bad & (kind == 2), 0.02, 1.0)
    seen = alive * gains
    sensor, drift = (
        np.where(bad & (kind == 2), DEAD_UV, each) for each in (sensor, drift)
    )  # no contact: nothing but the amplifier
    sites = rng.normal(size=(24, 3)) * (1, 0.6, 0.15) + (0, 0.1, -0.35)
    sites /= np.linalg.norm(sites, axis=1, keepdims=True)
    muscles = np.stack([reach(cap, site, MUSCLE_REACH) for site in sites])
    return Background(
        rate=rate,
        mixing=np.sqrt(fast) * mixing * seen,
        slow=np.sqrt(1 - fast) * mixing * seen,
        alpha=alpha * seen,
        alpha_hz=habits.alpha_hz,
        blink=BLINK_UV * reach(cap, outward(np.array([EYES_MM]))[0], EYE_REACH) * seen,
        muscles=MUSCLE_UV * muscles * seen,
        sensor=sensor,
        drift=drift,
        hum=HUM_UV * np.sqrt(2) * impedance,
        hum_phase=float(rng.uniform(0, 2 * np.pi)),
        alive=alive,
    )


def _alpha(cap: Array, places: list[Array]) -> Array:
    """Topographies ``(2, electrodes)`` of the two hemispheres, 1 at the strongest electrode."""
    where = np.concatenate(places)
    field = np.stack([
        lead_field(cap, where[side], where[side] / np.linalg.norm(where[side], axis=1)[:, None])
        .sum(axis=1) for side in (where[:, 0] > 0, where[:, 0] <= 0)
    ])  # fmt: skip
    return field / np.abs(field).max()


def fast_share(rate: float) -> float:
    """Share of the 1/f variance that lies above ``SLOW_HZ``."""
    top = min(BAND_HZ[1], rate / 2)
    parts = np.array([BAND_HZ[0], SLOW_HZ, top]) ** (1 - SLOPE)
    return float((parts[1] - parts[2]) / (parts[0] - parts[2]))


def frequencies(size: int, rate: float) -> Array:
    """Frequencies of a real transform of ``size`` samples, Hz: (size // 2 + 1,)."""
    return np.fft.rfftfreq(size, 1 / rate).astype(np.float64)


def band(hertz: Array) -> Array:
    """Power response of the published low-pass filter at ``hertz`` of any shape."""
    edge = np.clip((hertz - BAND_HZ[1]) / BAND_EDGE_HZ, 0, 1)
    return np.where(hertz > 0, (0.5 + 0.5 * np.cos(np.pi * edge)) ** 2, 0.0)


def noise(power: Array, size: int, n: int, n_times: int, count: int, rng: Rng) -> Samples:
    """Gaussian noise ``(n, n_times, count)`` with the spectrum ``power`` and an rms of 1."""
    total = 2 * power.sum()
    used = np.flatnonzero(power)
    scale = f32(size * np.sqrt(power[used] / total / 2))
    spectrum = np.zeros((n, len(power), count), np.complex64)
    drawn = rng.standard_normal((n, len(used), count, 2), np.float32).view(np.complex64)[..., 0]
    spectrum[:, used] = drawn * scale[:, None]
    return np.fft.irfft(spectrum, size, axis=1)[:, :n_times].astype(np.float32, copy=False)


def fft_size(n: int) -> int:
    """Next length with a fast transform: 2 ** a times 1, 3 or 5."""
    return min(f * 2 ** max(0, int(np.ceil(np.log2(n / f)))) for f in (1, 3, 5))


def f32(x: Array) -> Samples:
    """Array converted to single precision."""
    return np.asarray(x, np.float32)
