"""Response template of the latency gate, and latency alignment of calibration recordings."""

import numpy as np

from calibration.fitting import evoked
from calibration.fitting.trials import Trials
from rtbci.decoding.latency_gate import LatencyGate, Template, lagged_bins, lags
from rtbci.decoding.scorer import decoder_input
from rtbci.signal.recipe import Recipe
from rtbci.types import Array, Samples

RIDGE = 1e-3  # of the mean variance, added to the noise
# Fewest trials of a template, and of a recording to be aligned.
FEWEST_TRIALS = 20
# Contiguous parts of the recording in which the mean response must replicate.
PARTS = 5
# Smallest replicated share of the response's power; below it no template is made.
AGREEMENT = 0.5


def aligned(
    trials: Trials, chosen: np.ndarray, cut: list[Samples], unshifted: Array, recipe: Recipe
) -> tuple[Array, Template | None, dict[int, int]]:
    """Decoder windows with every recording shifted to the last one's latency, and the template."""
    if recipe.lag == 0:
        return unshifted, None, {}
    projection = evoked.fit_projection(np.clip(unshifted[:, 0], -evoked.CLIP, evoked.CLIP))
    runs = by_run(trials, chosen, cut)
    found = align(recipe, list(runs.values()), projection)
    shifts = dict(zip(runs, found, strict=True))
    lags = [shifts[int(trials.run[i])] for i in chosen]
    x = at_lags(recipe, cut, lags, unshifted)
    return x, fit_template(recipe, cut, lags, projection), shifts


def as_before(
    trials: Trials,
    chosen: np.ndarray,
    cut: list[Samples],
    unshifted: Array,
    recipe: Recipe,
    template: Template | None,
) -> tuple[Array, dict[int, int]]:
    """Decoder windows with every recording shifted to the latency of an earlier calibration."""
    if template is None:
        return unshifted, {}
    runs = by_run(trials, chosen, cut)
    shifts = {run: shift_towards(recipe, x, template) for run, x in runs.items()}
    return at_lags(recipe, cut, [shifts[int(trials.run[i])] for i in chosen], unshifted), shifts


def by_run(trials: Trials, chosen: np.ndarray, cut: list[Samples]) -> dict[int, list[Samples]]:
    """Windows ``cut`` of the trials ``chosen``, grouped by recording."""
    runs: dict[int, list[Samples]] = {}
    for x, i in zip(cut, chosen, strict=True):
        runs.setdefault(int(trials.run[i]), []).append(x)
    return runs


def at_lags(recipe: Recipe, cut: list[Samples], lags: list[int], unshifted: Array) -> Array:
    """Decoder windows, each at its lag in samples; ``unshifted`` where all are 0."""
    if not any(lags):
        return unshifted
    return np.stack([shifted(recipe, each, lag) for each, lag in zip(cut, lags, strict=True)])


def shifted(recipe: Recipe, x: np.ndarray, lag: int) -> Array:
    """Decoder window at ``lag`` samples, or at 0 if the margin is incomplete."""
    window = decoder_input(recipe, x, lag)
    return window if np.isfinite(window).all() else decoder_input(recipe, x, 0)


def fit_template(
    recipe: Recipe, x: list[Samples], shifts: list[int], projection: Array
) -> Template | None:
    """Matched filter of the mean of aligned trials, in time order.

    ``x`` cut windows (streams, channels, times), ``shifts`` the lag of each in samples. None for
    fewer than 20 complete trials, or if parts of the calibration do not agree on any response.
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
    noise = noise_covariance(whole - mean)
    filtered = np.linalg.solve(noise, mean.ravel())
    power = float(mean.ravel() @ filtered)
    agreement = repeats(whole.reshape(len(whole), -1), noise)
    if agreement < AGREEMENT:
        return None
    weights = (filtered / np.sqrt(power)).reshape(mean.shape)
    return Template(weights, projection, agreement * float(np.sqrt(power)))


def repeats(x: Array, noise: Array) -> float:
    """Share (0 to 1) of the mean response's power that replicates across parts of the recording.

    ``x`` (trials, features) in time order, ``noise`` (features, features). Without a response the
    mean of few trials still has power, but it does not replicate in other parts.
    """
    whitened = np.linalg.solve(np.linalg.cholesky(noise), x.T).T
    power = float((whitened.mean(axis=0) ** 2).sum())
    if not power > 0:
        return 0.0
    total, n = whitened.sum(axis=0), len(whitened)
    shared = sum(
        float(part.sum(axis=0) @ (total - part.sum(axis=0))) / (n - len(part))
        for part in np.array_split(whitened, PARTS)
    )
    return float(np.clip(shared / n / power, 0, 1))


def noise_covariance(residuals: Array) -> Array:
    """Noise covariance ``(components * bins,) * 2`` of residuals (trials, components, bins).

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
    """Shift of each recording's kept trials to the last recording's latency, in samples.

    From the last one backwards, each is compared with the later ones, which are aligned already:
    neighbours in time differ least. The online rule is used; uncertain shifts stay at 0.
    """
    shifts = [0] * len(recordings)
    for number in range(len(recordings) - 2, -1, -1):
        later = range(number + 1, len(recordings))
        x = [trial for each in later for trial in recordings[each]]
        known = [shifts[each] for each in later for _ in recordings[each]]
        template = fit_template(recipe, x, known, projection)
        if template is None or len(recordings[number]) < FEWEST_TRIALS:
            continue
        shifts[number] = shift_towards(recipe, recordings[number], template)
    return shifts


def shift_towards(recipe: Recipe, x: list[Samples], template: Template) -> int:
    """Shift of one recording's kept trials to a template in samples, by the online rule."""
    gate = LatencyGate(recipe, template)
    for trial in x:
        gate.after(trial)
    return gate.estimate()
