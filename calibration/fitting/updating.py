"""Update of an earlier bundle with a few minutes of fresh trials.

The old decoder was not trained on the fresh trials, so its log-odds of them are unbiased.
A closed form of the fresh trials alone is weighed against it by the log-loss of inner blocks; it
counts if the log-loss falls by more than two standard errors. Biases and the size of the log-odds
follow the fresh trials in any case: they are what changes first from week to week.
"""

from dataclasses import dataclass

import numpy as np

from calibration.fitting import evoked
from calibration.fitting.nested import inner_logits, losses
from calibration.fitting.stacking import spans, weigh
from rtbci.decoding.bundle import Bundle
from rtbci.decoding.decoders import UPDATED
from rtbci.decoding.decoders.evoked import STREAMS
from rtbci.decoding.decoders.updated import UpdatedDecoder
from rtbci.errors import BadInput
from rtbci.signal.recipe import Recipe
from rtbci.types import Array

BIAS_PENALTY = 20.0  # pseudo-trials per class that pull a bias towards 0


@dataclass(frozen=True)
class Updated:
    """An updated decoder, the old decoder's log-odds, and the reason for the weights."""

    decoder: UpdatedDecoder
    old: Array  # (trials, classes) log-odds of the old decoder for the fresh trials
    reason: str


def family_of(bundle: Bundle) -> str:
    """Family of the updated bundle; raises ``BadInput`` for a bundle that cannot be updated."""
    if bundle.paradigm != "evoked":
        raise BadInput(
            f"{bundle.path} decodes by {bundle.paradigm}; only bundles for evoked responses can be "
            "updated, calibrate this one anew"
        )
    return UPDATED + bundle.family


def fit_updated(x: Array, y: np.ndarray, recipe: Recipe, bundle: Bundle) -> Updated:
    """Updated decoder for fresh ``x`` (trials, streams, channels, times) and classes ``y``.

    ``recipe`` is the bundle's.
    """
    classes = bundle.decoder.classes
    seen = (max(recipe.look[0] + 0.1, recipe.window[0]), recipe.look[1])
    span = spans(recipe, seen, seen)[0]
    a, b = span.astype(int)
    windows = x[:, :STREAMS, :, a:b]
    old = np.stack([bundle.decoder.logits(each) for each in x])
    fresh = evoked.fit(windows, y, classes, recipe.decoder_rate)
    inner = inner_logits(windows, y, classes, recipe.decoder_rate)
    weights, reason = weigh(old, inner, y, ("old decoder", "fresh trials"))
    best = weights[0] * centred(old)
    if weights[1]:
        best += weights[1] * centred(inner)
    told = np.isfinite(best).all(axis=1)
    scale, bias = recalibrated(best[told], y[told])
    decoder = UpdatedDecoder(classes, bundle.decoder, fresh, scale * weights, bias, span)
    return Updated(decoder, old, f"update of {bundle.created or 'an earlier bundle'}: {reason}")


def recalibrated(logits: Array, y: np.ndarray) -> tuple[float, Array]:
    """Scale and biases (classes,) with which ``logits`` have the smallest log-loss."""
    from scipy.optimize import minimize

    k = logits.shape[1]

    def loss(free: Array) -> float:
        held = BIAS_PENALTY * float((free[1:] ** 2).mean()) / max(1, len(y) / k)
        return float(losses(free[0] * logits + free[1:], y).mean()) + held

    start = np.concatenate([[1.0], np.zeros(k)])
    found = minimize(loss, start, bounds=[(0.02, 20.0)] + [(-5.0, 5.0)] * k, method="L-BFGS-B").x
    return float(found[0]), np.asarray(found[1:])


def centred(logits: Array) -> Array:
    """Log-odds (trials, classes) with zero mean."""
    return logits - logits.mean(axis=1, keepdims=True)
