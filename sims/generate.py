"""A small simulated recording in microvolts: background, rhythm, blinks, hum, evoked responses.

All of it is simulated; ``sim-01`` is a seed, not a person. Electrodes lie on a flat head,
sources are blobs on it. It shows that the chain works, and nothing of how well people decode.
"""

import hashlib
from collections.abc import Mapping

import numpy as np

from rtbci.signal.recording import Recording
from rtbci.types import Array, Marker, Provenance, Samples, StreamInfo

Rng = np.random.Generator

# Flat positions seen from above, right and front positive, the rim of the head at distance 1;
# the first n spread over the head for every n.
POSITIONS: Mapping[str, tuple[float, float]] = {
    "Cz": (0, 0), "Pz": (0, -0.5), "Oz": (0, -1), "Fz": (0, 0.5),
    "PO7": (-0.59, -0.81), "PO8": (0.59, -0.81), "P7": (-0.81, -0.59), "P8": (0.81, -0.59),
    "C3": (-0.5, 0), "C4": (0.5, 0), "Fp1": (-0.31, 0.95), "Fp2": (0.31, 0.95),
    "P3": (-0.38, -0.52), "P4": (0.38, -0.52), "F3": (-0.38, 0.52), "F4": (0.38, 0.52),
    "T7": (-1, 0), "T8": (1, 0), "O1": (-0.31, -0.95), "O2": (0.31, -0.95),
    "F7": (-0.81, 0.59), "F8": (0.81, 0.59), "CP1": (-0.25, -0.25), "CP2": (0.25, -0.25),
    "FC1": (-0.25, 0.25), "FC2": (0.25, 0.25), "CP5": (-0.75, -0.28), "CP6": (0.75, -0.28),
    "FC5": (-0.75, 0.28), "FC6": (0.75, 0.28), "POz": (0, -0.75), "Fpz": (0, 1),
}  # fmt: skip
STRENGTHS = {"clear": 8.0, "weak": 3.0, "none": 0.0}  # uV that a class adds to the common response
COMMON = ((0.10, 0.03, 3.0, "Oz"), (0.17, 0.04, -5.0, "PO8"), (0.36, 0.11, 6.0, "Pz"))
BACKGROUND_UV = 7.0  # rms of the 1/f part; EEG without alpha has 5 to 15
ALPHA_UV = 5.0  # rms over the back of the head
SENSOR_UV = 0.7  # rms of what each electrode adds by itself
HUM_UV = 1.0
BLINK_UV, BLINK_EVERY_S = 140.0, 8.0  # at the eyes; two thirds of it at the forehead
RESPONSE_S = 0.8  # length of an evoked response
LEAD_S, TAIL_S = 4.0, 2.5  # before the first and after the last onset


def generate(
    seed: int,
    *,
    n_trials: int = 120,
    classes: tuple[str, ...] = ("1", "2"),
    channels: int | tuple[str, ...] = 8,
    rate: float = 250.0,
    strength: str = "clear",
    soa: float = 1.5,
    jitter: float = 0.2,
    line: float = 50.0,
    person: int = 1,
    t0: float = 0.0,
) -> Recording:
    """A recording of ``n_trials`` onsets ``soa`` s apart, each up to ``jitter`` s early or late.

    ``classes`` are the marker texts; ``channels`` names from ``POSITIONS``, or how many of them.
    ``strength`` "clear", "weak" or "none"; with "none" the signal is drawn without a look at the
    classes. ``person`` chooses latencies, gain and alpha, ``seed`` all that differs from recording
    to recording. The mains hum at ``line`` Hz. The same arguments give the same bits.
    """
    names = tuple(POSITIONS)[:channels] if isinstance(channels, int) else channels
    places = np.array([POSITIONS[name] for name in names], float)  # (channels, 2)
    own = np.random.default_rng([20, person])
    signal_rng, order_rng = np.random.default_rng([seed, 1]), np.random.default_rng([seed, 2])
    times = LEAD_S + np.arange(n_trials) * soa + signal_rng.uniform(-jitter, jitter, n_trials)
    onsets = np.round(times * rate).astype(int)
    n = round((LEAD_S + n_trials * soa + jitter + TAIL_S) * rate)
    order = balanced_order(n_trials, len(classes), order_rng)

    x = _background(n, places, rate, own.uniform(9.2, 10.8), signal_rng)
    responses = _responses(places, len(classes), rate, STRENGTHS[strength], own)
    shown = order if STRENGTHS[strength] else np.zeros(n_trials, int)
    gains = signal_rng.uniform(0.6, 1.4, n_trials).astype(np.float32)
    lags = np.round(signal_rng.normal(0, 0.008, n_trials) * rate).astype(int)
    for onset, lag, gain, which in zip(onsets, lags, gains, shown, strict=True):
        x[onset + lag :][: responses.shape[1]] += gain * responses[which]
    blink = BLINK_UV * np.hanning(round(0.35 * rate))[:, None] * _blob(places, (0, 1.2), 0.6)
    blinks = signal_rng.poisson(n / rate / BLINK_EVERY_S)
    for start in signal_rng.integers(0, n - len(blink), blinks):
        x[start:][: len(blink)] += (signal_rng.uniform(0.7, 1.3) * blink).astype(np.float32)
    if line < rate / 2:
        phase = 2 * np.pi * line * np.arange(n)[:, None] / rate
        x += (HUM_UV * own.uniform(0.3, 1.7, len(names)) * np.sin(phase)).astype(np.float32)

    name = f"sim-{person:02d}"
    markers = tuple(Marker(int(i), classes[k]) for i, k in zip(onsets, order, strict=True))
    digest = hashlib.sha256(x.tobytes() + repr((names, rate, markers)).encode()).hexdigest()
    return Recording(
        signal=x,
        info=StreamInfo(name, rate, names, ("EEG",) * len(names)),
        markers=markers,
        provenance=Provenance((f"{name} (simulated, seed {seed})",), digest, "simulated"),
        t0=t0,
    )


def balanced_order(n_trials: int, n_classes: int, rng: Rng) -> np.ndarray:
    """(n_trials,) class indices: shuffled blocks of four trials a class, the last one cut."""
    block = np.repeat(np.arange(n_classes), 4)
    n_blocks = -(-n_trials // len(block))
    whole = rng.permuted(np.tile(block, (n_blocks, 1)), axis=1)
    rest = n_trials - (n_blocks - 1) * len(block)  # of the last block, as balanced as can be
    last = rng.permutation(np.resize(rng.permutation(n_classes), rest))
    return np.concatenate([whole[:-1].ravel(), last])


def _background(n: int, places: Array, rate: float, peak: float, rng: Rng) -> Samples:
    """Background (n, channels): spatially correlated 1/f noise, waxing alpha and sensor noise."""
    size = 2 ** int(np.ceil(np.log2(n)))
    hertz = np.fft.rfftfreq(size, 1 / rate)
    pink = 1 / np.maximum(hertz, 0.3)
    pink[0] = 0
    distance = np.linalg.norm(places[:, None] - places, axis=2)
    near = 0.9 * np.exp(-((distance / 0.7) ** 2)) + 0.1 * np.eye(len(places))
    mixing = (BACKGROUND_UV * np.linalg.cholesky(near)).astype(np.float32)  # (channels, sources)
    x = _noise(pink, size, n, len(places), rng) @ mixing.T
    wave = np.exp(-(((hertz - peak) / 0.6) ** 2))  # so narrow a band waxes over a second or two
    back = np.stack([_blob(places, (side, -0.9), 0.6) for side in (-0.4, 0.4)])
    x += ALPHA_UV * _noise(wave, size, n, 2, rng) @ back.astype(np.float32)
    x += SENSOR_UV * rng.standard_normal(x.shape, np.float32)
    return x


def _noise(power: Array, size: int, n: int, count: int, rng: Rng) -> Samples:
    """(n, count) of Gaussian noise with the given spectrum (size // 2 + 1,) and an rms of 1."""
    scale = np.sqrt(power / (2 * power[1:].sum())) * size / np.sqrt(2)
    spectrum = rng.standard_normal((count, len(power), 2), np.float32).view(np.complex64)[..., 0]
    spectrum *= scale.astype(np.float32)
    return np.fft.irfft(spectrum, size, axis=1)[:, :n].T.astype(np.float32)


def _responses(places: Array, n_classes: int, rate: float, amplitude: float, own: Rng) -> Samples:
    """(classes, times, channels): a visual response, and what each class adds to it."""
    times = np.arange(round(RESPONSE_S * rate)) / rate
    late, gain = own.uniform(-0.02, 0.02), own.uniform(0.9, 1.1)
    common = np.zeros((len(times), len(places)))
    for peak, width, height, where in COMMON:
        wave = gain * height * np.exp(-(((times - peak - late) / width) ** 2))
        common += wave[:, None] * _blob(places, POSITIONS[where], 0.6)
    turn = own.uniform(0, 2 * np.pi)
    found = [common] * n_classes
    for k in range(n_classes if amplitude else 0):
        angle = turn + 2 * np.pi * k / n_classes
        topography = _blob(places, (0.6 * np.cos(angle), 0.6 * np.sin(angle)), 0.5)
        peaks = (0.17 + late, 0.25 + late + 0.3 * ((k * 0.618) % 1))
        wave = sum(np.exp(-(((times - peak) / 0.05) ** 2)) for peak in peaks)
        found[k] = common + amplitude * np.outer(wave, topography / topography.max())
    fade = np.minimum(1, (RESPONSE_S - times) / 0.1)[:, None]
    return (np.stack(found) * fade).astype(np.float32)


def _blob(places: Array, centre: tuple[float, float], width: float) -> Array:
    """Spatial weight (channels,) of a source at ``centre`` on each electrode."""
    return np.exp(-((np.linalg.norm(places - centre, axis=1) / width) ** 2))
