"""Negative controls of a decoder: noise, shuffled labels and the time before the onset.

Each gives a ``ControlAnalysis`` with balanced accuracy, which must be at chance.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from calibration.evaluation.values import ControlAnalysis, TrialTable
from rtbci.signal.recording import Recording
from rtbci.statistics.metrics import balanced_accuracy
from rtbci.statistics.predictions import Figure, Predictions
from rtbci.types import Marker, Samples

NOISE, SHUFFLED, BEFORE = "Noise", "Shuffled labels", "Before the onset"
SEED = 5
FEWEST = 20  # trials, below which a control is not made
BRIDGED = (
    "the window that ends where the picture appears; epochs hold no signal there, so this is the "
    "bridge between trials, which must not carry the class either"
)
EARLIER = "the window that ends where the picture appears"


def control(name: str, how: str, table: TrialTable | None, k: int) -> ControlAnalysis:
    """Control made of these predictions, or the reason why there is none."""
    if table is None or len(table) < FEWEST:
        n = 0 if table is None else len(table)
        return ControlAnalysis(
            name, how, None, f"{n} windows could be decoded, {FEWEST} are needed"
        )
    if len(np.unique(table.true)) < k:
        return ControlAnalysis(name, how, None, "a class has no window that could be decoded")
    return ControlAnalysis(name, how, balanced_accuracy(table.predictions()))


def shuffled_labels(predictions: Predictions) -> ControlAnalysis:
    """Control with labels shuffled within runs: the expected accuracy under chance."""
    diagonal = np.arange(predictions.k)
    there = predictions.there
    recalls = predictions.shuffled_tables[:, diagonal, diagonal][:, there]
    values = (recalls / predictions.counts[there]).mean(axis=1)
    low, high = np.percentile(values, [2.5, 97.5])
    figure = Figure(
        "balanced_accuracy", float(values.mean()), predictions.n, (float(low), float(high)),
        balanced_accuracy(predictions).chance, float("nan"), predictions.null,
        "range of 95 % of the shuffles",
    )  # fmt: skip
    how = "the test trials, their predictions held against shuffled labels; the range is of luck"
    return ControlAnalysis(SHUFFLED, how, figure)


def noise(recording: Recording, seed: int = SEED) -> Recording:
    """Phase-randomised surrogate with the same spectra and electrode correlations.

    Nothing in it is locked to a marker; markers and gaps stay (Prichard and Theiler 1994,
    doi 10.1103/PhysRevLett.73.951).
    """
    rng = np.random.default_rng(seed)
    signal = np.nan_to_num(recording.signal)
    n = len(signal)
    turn = np.exp(2j * np.pi * rng.random(n // 2 + 1)).astype(np.complex64)
    turn[0] = 1  # the level stays
    if n % 2 == 0:
        turn[-1] = 1
    out = np.empty_like(signal)
    for column in range(signal.shape[1]):  # one at a time: a run of 122 electrodes is large
        spectrum = np.fft.rfft(signal[:, column])
        out[:, column] = np.fft.irfft(spectrum * turn, n)
    return replace(recording, signal=out)


def noise_windows(x: Samples, seed: int = SEED) -> Samples:
    """Windows (trials, channels, times) with the spectra of other trials and random phases.

    All electrodes of a trial turn alike, so that they stay as correlated as they were. The
    spectra change places, because a trial's own level, power and correlations may tell its class.
    """
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft(x[rng.permutation(len(x))], axis=2)
    turn = np.exp(2j * np.pi * rng.random((len(x), 1, spectrum.shape[2])))
    turn[:, :, 0] = 1
    return np.fft.irfft(spectrum * turn, x.shape[2], axis=2).astype(np.float32)


def earlier(recording: Recording, samples: int) -> Recording:
    """Recording with its markers ``samples`` earlier; those before its start are dropped."""
    markers = tuple(
        Marker(each.index - samples, each.label, each.fields)
        for each in recording.markers
        if each.index >= samples
    )
    return replace(recording, markers=markers)


def before_words(recordings_are_bridged: bool) -> str:
    """Description of the control before the onset."""
    return BRIDGED if recordings_are_bridged else EARLIER


def shuffled_within_blocks(
    true: NDArray[np.int64], blocks: np.ndarray, seed: int = SEED
) -> NDArray[np.int64]:
    """Labels shuffled within blocks, for training a head that cannot learn anything."""
    from rtbci.statistics.predictions import shuffle_labels

    return shuffle_labels(true, blocks, 1, seed)[0].astype(np.int64)
