"""Permutation test of balanced accuracy: labels are shuffled within blocks.

A shuffle is only fair if no fixed part was fitted with the true labels. (With class averages
and xDAWN of the true labels frozen, refitted heads spread less than the decoder itself does on
noise with four classes: 0.040 against 0.048, too many false alarms.) Refitting all covariances a
thousand times would take many minutes. So the p-value of the evoked decoder is that of its heads
on features without labels: the grand average and its xDAWN filters in the place of the classes',
LDA with the covariance of all trials; true and shuffled labels are treated alike. A stacked
network adds a head on its embedding, which was trained on other participants only. The oscillation
decoder's features need no labels: everything else is repeated, the choice between covariances
and CCA included.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.covariance import ledoit_wolf

from calibration.fitting import evoked
from calibration.fitting.logistic import refit_least_squares, refit_logistic
from calibration.fitting.oscillation import Prepared
from rtbci.decoding.decoders.oscillation import OscillationDecoder
from rtbci.statistics.scores import SEED, balanced_accuracy, p_from_null, shuffle_within
from rtbci.types import Array, Decoder

HEADS = 1000  # shuffles of refitted heads
REPEATS = 200  # shuffles of the whole choice

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class OuterPart:
    """One outer fold: a decoder fitted on ``train``, to be tested on ``test`` (trial numbers)."""

    train: np.ndarray
    test: np.ndarray
    x_train: Array  # decoder windows, shifts applied
    x_test: Array
    decoder: Decoder
    prepared: Prepared | None = None
    # where a network is stacked: its (embedding, log-odds people share) of training and test
    network: tuple[tuple[Array, Array], tuple[Array, Array]] | None = None
    old: Array | None = None  # (test trials, classes) log-odds of an earlier decoder


def permutation_test(
    parts: list[OuterPart], y: np.ndarray, blocks: np.ndarray, rate: float, progress: Progress
) -> tuple[float, Array, str]:
    """p-value, balanced accuracies of the null (shuffles,), and a description of the test.

    ``rate`` of the decoder windows in Hz.
    """
    classes = parts[0].decoder.classes
    rng = np.random.default_rng(SEED)
    whole = isinstance(parts[0].decoder, OscillationDecoder)
    count = REPEATS if whole else HEADS
    labels = np.stack([y, *(shuffle_within(y, blocks, rng) for _ in range(count))])
    predicted = np.zeros_like(labels)
    for number, part in enumerate(parts):
        predict = _repeated if whole else _heads
        predicted[:, part.test] = predict(
            part,
            labels[:, part.train],
            classes,
            rate,
            lambda share, at=number: progress(round(100 * (at + share)), 100 * len(parts)),
        )
    scored = np.concatenate([part.test for part in parts])
    accuracies = balanced_accuracy(labels[:, scored], predicted[:, scored], len(classes))
    how = (
        "the whole fit and its choice repeated" if whole else "heads refitted, features unlabelled"
    )
    p = p_from_null(float(accuracies[0]), accuracies[1:])
    return p, accuracies[1:], f"{count} shuffles within blocks, {how}"


def _repeated(
    part: OuterPart,
    labels: np.ndarray,
    _: tuple[str, ...],
    __: float,
    step: Callable[[float], None],
) -> np.ndarray:
    """Predicted classes (labellings, test trials) of decoders fitted to each row of ``labels``."""
    assert part.prepared is not None
    evidence = part.prepared.evidence(part.x_test)
    predicted = []
    for number, each in enumerate(labels):
        decoder, _reason = part.prepared.fit(each)
        predicted.append(decoder.weigh(*evidence).argmax(axis=1))
        step((number + 1) / len(labels))
    return np.stack(predicted)


def _heads(
    part: OuterPart,
    labels: np.ndarray,
    classes: tuple[str, ...],
    rate: float,
    step: Callable[[float], None],
) -> np.ndarray:
    """Predicted classes (labellings, test trials) of heads on label-free features."""
    k = len(classes)
    nothing = np.zeros(len(part.train), int)
    filters = evoked.XDAWN_PER_CLASS * min(k, evoked.XDAWN_CLASSES)
    blank = evoked.embed(part.x_train, nothing, classes, rate, filters)
    train, test = blank.limited(part.x_train), blank.limited(part.x_test)
    refit = refit_logistic if k <= evoked.XDAWN_CLASSES else refit_least_squares
    members = []
    for features in (blank.erp_features, blank.xdawn_features):
        members.append(refit(features(train[:, 0]), labels, features(test[:, 0]), k))
        step(len(members) / 3)
    z_train, z_test = blank.mean_features(train[:, 1]), blank.mean_features(test[:, 1])
    members.append(_refit_lda(z_train, labels, z_test, k))
    step(1.0)
    logits = np.mean(members, axis=0)
    if part.network is not None:
        (z, _), (z_test, prior) = part.network
        level = float(z.std()) or 1.0
        own = refit(z / level, labels, z_test / level, k) + prior
        logits = _alike(logits) + _alike(own)
    if part.old is not None:
        logits = _alike(logits) + _alike(part.old[None])
    return logits.argmax(axis=2)


def _alike(logits: Array) -> Array:
    """Log-odds (labellings, trials, classes), centred and of unit variance, ready to be summed."""
    centred = logits - logits.mean(axis=2, keepdims=True)
    return centred / np.maximum(centred.std(axis=(1, 2), keepdims=True), 1e-12)


def _refit_lda(train: Array, y: np.ndarray, test: Array, k: int) -> Array:
    """Log-odds (labellings, test trials, classes) of LDA with the covariance of all trials.

    ``train`` (trials, features), ``y`` (labellings, trials). For two classes the direction is that
    of the covariance within classes.
    """
    covariance, _ = ledoit_wolf(train)
    whitened = np.linalg.solve(covariance, train.T)  # (features, trials)
    target = (np.arange(k)[:, None, None] == y.T).astype(np.float64)  # (classes, trials, rows)
    target /= np.maximum(target.sum(axis=1, keepdims=True), 1)
    logits = (test @ whitened) @ target  # (classes, test trials, rows)
    logits -= ((train @ whitened) @ target * target).sum(axis=1, keepdims=True) / 2
    return logits.transpose(2, 1, 0)
