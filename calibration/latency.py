"""Template of the latency gate, and the alignment of calibration recordings to the last one."""

import numpy as np

from rtbci.latency import FEWEST_TRIALS, LatencyGate, Template, lagged_bins, lags
from rtbci.recipe import Recipe
from rtbci.types import Array, Samples

RIDGE = 1e-3  # of the mean variance, added to the noise


def fit_template(
    recipe: Recipe, x: list[Samples], shifts: list[int], projection: Array
) -> Template | None:
    """Matched filter of the mean of aligned trials; None for fewer than 20 whole trials.

    ``x`` cut windows (streams, channels, times), ``shifts`` the lag of each in samples.
    """
    tried = lags(recipe)
    bins = [
        lagged_bins(recipe, trial, projection)[int(np.argmin(abs(tried - shift)))]
        for trial, shift in zip(x, shifts, strict=True)
    ]
    whole = np.array([each for each in bins if np.isfinite(each).all()])
    if len(whole) < FEWEST_TRIALS:
        return None
    mean = whole.mean(axis=0)  # (components, bins)
    filtered = np.linalg.solve(noise_covariance(whole - mean), mean.ravel())
    power = float(mean.ravel() @ filtered)
    if not power > 0:
        return None
    return Template((filtered / np.sqrt(power)).reshape(mean.shape), projection)


def noise_covariance(residuals: Array) -> Array:
    """``(components * bins,) * 2`` of residuals (trials, components, bins).

    Stationary noise: block-Toeplitz over time, lags tapered linearly (the biased estimate, which
    is positive definite).
    """
    n, components, times = residuals.shape
    at_lag = np.stack(
        [
            np.einsum("nit,njt->ij", residuals[:, :, lag:], residuals[:, :, : times - lag])
            for lag in range(times)
        ]
    ) / (n * times)
    full = np.empty((components, times, components, times))
    for t in range(times):
        for u in range(times):
            full[:, t, :, u] = at_lag[t - u] if t >= u else at_lag[u - t].T
    full = full.reshape(components * times, components * times)
    full += np.eye(len(full)) * (RIDGE * np.trace(full) / len(full))
    return full


def align(recipe: Recipe, recordings: list[list[Samples]], projection: Array) -> list[int]:
    """Shift of each recording's kept trials towards the last recording's, in samples.

    The same rule as live: 0 unless the evidence is strong.
    """
    template = fit_template(recipe, recordings[-1], [0] * len(recordings[-1]), projection)
    shifts: list[int] = []
    for trials in recordings[:-1]:
        lag = 0
        if template is not None:
            gate = LatencyGate(recipe, template)
            for trial in trials:
                gate.after(trial)
            lag = gate.estimate()
        shifts.append(lag)
    return [*shifts, 0]
