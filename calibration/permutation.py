"""What chance would have given: the null of balanced accuracy, labels shuffled within blocks.

Refitting every covariance for every shuffle would take many minutes, so the evoked decoder's
embedding (filters, xDAWN, tangent points, z-scores, LDA whitening) is frozen per outer part and
its heads are refitted for 1,000 shuffles at once: logistic regressions to convergence, LDA class
means. The oscillation decoder's features need no labels: everything else is repeated, the choice
between covariances and CCA included.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from calibration.oscillation import Prepared
from rtbci.decoders.evoked import EvokedDecoder
from rtbci.decoders.oscillation import OscillationDecoder
from rtbci.stats import SEED, balanced_accuracy, shuffle_within
from rtbci.types import Array

HEADS = 1000  # shuffles of refitted heads
REPEATS = 200  # shuffles of the whole choice
ROUNDS = 60  # accelerated gradient steps; log-odds then agree with scikit-learn's to about 1 %

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Part:
    """One outer part: decoder fitted on ``train``, to be tested on ``test`` (trial numbers)."""

    train: np.ndarray
    test: np.ndarray
    x_train: Array  # decoder windows, shifts applied
    x_test: Array
    decoder: EvokedDecoder | OscillationDecoder
    prepared: Prepared | None = None


def null_distribution(
    parts: list[Part], y: np.ndarray, blocks: np.ndarray, k: int, progress: Progress
) -> tuple[Array, str]:
    """Balanced accuracies under shuffled labels (shuffles,), and how they were made."""
    rng = np.random.default_rng(SEED)
    whole = isinstance(parts[0].decoder, OscillationDecoder)
    shuffles = np.stack(
        [shuffle_within(y, blocks, rng) for _ in range(REPEATS if whole else HEADS)]
    )
    predicted = np.zeros_like(shuffles)
    total = len(parts) * (len(shuffles) if whole else 1)
    for number, part in enumerate(parts):
        if whole:
            assert part.prepared is not None
            evidence = part.prepared.evidence(part.x_test)
            for at, labels in enumerate(shuffles):
                decoder, _ = part.prepared.fit(labels[part.train])
                predicted[at, part.test] = decoder.weigh(*evidence).argmax(axis=1)
                progress(number * len(shuffles) + at + 1, total)
        else:
            logits = _heads(part, y[part.train], shuffles[:, part.train], k)
            predicted[:, part.test] = logits.argmax(axis=2)
            progress(number + 1, total)
    scored = np.concatenate([part.test for part in parts])
    null = balanced_accuracy(shuffles[:, scored], predicted[:, scored], k)
    how = "the whole fit and its choice repeated" if whole else "heads refitted, embedding frozen"
    return null, f"{len(null)} shuffles within blocks, {how}"


def _heads(part: Part, y: np.ndarray, shuffled: np.ndarray, k: int) -> Array:
    """Mean log-odds (shuffles, test trials, classes) of refitted heads."""
    decoder = part.decoder
    assert isinstance(decoder, EvokedDecoder)
    x_train, x_test = decoder.limited(part.x_train), decoder.limited(part.x_test)
    features = [decoder.erp_features]
    if len(decoder.xdawn_filters):
        features.append(decoder.xdawn_features)
    members = [
        refit_logistic(each(x_train[:, 0]), shuffled, each(x_test[:, 0]), k) for each in features
    ]
    z_train, z_test = decoder.mean_features(x_train[:, 1]), decoder.mean_features(x_test[:, 1])
    members.append(_refit_lda(z_train, y, shuffled, z_test, k))
    return np.mean(members, axis=0)


def refit_logistic(train: Array, y: np.ndarray, test: Array, k: int) -> Array:
    """Log-odds (shuffles, test trials, classes) of balanced logistic regressions with C = 1.

    ``train`` (trials, features), ``y`` (shuffles, trials), ``test`` (trials, features). All
    shuffles share the features, so that one set of matrix products serves them all: accelerated
    gradient descent on principal axes, scaled by a bound of the curvature (Boehning 1992).
    """
    mean = train.mean(axis=0)
    u, s, vt = np.linalg.svd(train - mean, full_matrices=False)
    rank = max(1, int((s > 1e-9 * s[0]).sum()))
    z = (u[:, :rank] * s[:rank]).astype(np.float32)  # (trials, rank)
    z_test = ((test - mean) @ vt[:rank].T).astype(np.float32)
    n, shuffles = len(z), len(y)
    target = (np.arange(k)[:, None, None] == y.T).astype(np.float32)  # (classes, trials, shuffles)
    counts = np.maximum(target.sum(axis=1, keepdims=True), 1)
    weight = (target / counts).sum(axis=0) * np.float32(n / k)  # (trials, shuffles)
    penalty = 2.0 if k == 2 else 1.0  # scikit-learn penalises one row of two
    bound = 0.5 * weight.max(axis=0)  # (shuffles,)
    step_w = 1 / (bound * (s[:rank, None] ** 2) + penalty)  # (rank, shuffles)
    step_w, step_b = step_w.astype(np.float32), (1 / (bound * n)).astype(np.float32)
    w = np.zeros((k, rank, shuffles), np.float32)
    b = np.zeros((k, 1, shuffles), np.float32)
    ahead_w, ahead_b, momentum = w, b, 1.0
    for _ in range(ROUNDS):
        error = z @ ahead_w  # (classes, trials, shuffles), log-odds at first
        error += ahead_b
        error -= error.max(axis=0)
        np.exp(error, out=error)
        error /= error.sum(axis=0)
        error -= target
        error *= weight
        new_w = ahead_w - step_w * (z.T @ error + np.float32(penalty) * ahead_w)
        new_b = ahead_b - step_b * error.sum(axis=1, keepdims=True)
        following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        push = np.float32((momentum - 1) / following)
        ahead_w, ahead_b = new_w + push * (new_w - w), new_b + push * (new_b - b)
        w, b, momentum = new_w, new_b, following
    return np.moveaxis((z_test @ w + b).astype(np.float64), 0, 2).swapaxes(0, 1)


def _refit_lda(train: Array, y: np.ndarray, shuffled: np.ndarray, test: Array, k: int) -> Array:
    """Log-odds of LDA whose class means follow the shuffled labels; its covariance stays."""
    lda = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=np.full(k, 1 / k))
    covariance = lda.fit(train, y).covariance_
    whitened = np.linalg.solve(covariance, train.T)  # (features, trials)
    target = (shuffled.T[:, :, None] == np.arange(k)).astype(np.float64)
    target /= np.maximum(target.sum(axis=0, keepdims=True), 1)
    flat = target.reshape(len(train), -1)
    logits = (test @ whitened) @ flat
    self_match = ((train @ whitened) @ flat * flat).sum(axis=0)
    logits = (logits - self_match / 2).reshape(len(test), len(shuffled), k)
    return np.moveaxis(logits, 1, 0)
