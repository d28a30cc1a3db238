"""Fits the oscillation decoder: label-free features once, then a small head for each feature kind.

``prepare`` needs no labels and does the slow part; ``Prepared.fit`` takes labels and is quick, so
that a permutation test repeats only the second. Both see training trials alone. The choice between
covariances and correlations is made inside ``Prepared.fit``, from contiguous blocks of the training
trials, and is reported in one sentence.
"""

import re
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from pyriemann.geometry.base import invsqrtm
from sklearn.linear_model import LogisticRegression

from rtbci.decoding.decoders.oscillation import (
    BandView,
    OscillationDecoder,
    correlations,
    log_covariances,
)
from rtbci.errors import BadInput
from rtbci.types import Array

HALF_WIDTH = 1.0  # Hz on each side of a flicker frequency; narrower filters ring longer
SUBBANDS_PER_OCTAVE = 1.5  # separates alpha, low beta and high beta
MAX_SUBBANDS = 5
MIN_SUBBAND = 2.0  # Hz; a narrower filter rings for most of a window
MAX_HARMONICS = 3  # of a flicker frequency; the brain hardly follows higher ones
MAX_FLICKER_BANDS = 8  # second harmonics get their own band up to this many bands
PIECE = 1.0  # s; covariances of pieces this long are averaged as logarithms
# Share of a channel's variance, about the sensor noise of a single electrode.
RIDGE = 0.03
AVERAGE_REFERENCE_FROM = 16  # electrodes; the mean of fewer is a poor reference
REGION_FROM = 8  # fewest electrodes of a region that is also decoded on its own
# Where the rhythm is likely to be found: sensorimotor cortex, and visual cortex for flicker.
CENTRAL = re.compile(r"(FC|CP|C)(Z|[1-6])$")
POSTERIOR = re.compile(r"(PO|P|O)(Z|\d{1,2})$")
BLOCKS = 3  # contiguous parts of the training trials used to compare the members
SURE = 2.0  # standard errors by which a member must be better to be used alone


def filter_bank(
    band: tuple[float, float], frequencies: tuple[float, ...] = ()
) -> list[tuple[float, float]]:
    """Pass bands in Hz, one for each stream; the first is ``band`` itself.

    With flicker ``frequencies`` one narrow band around each (and around its double, where that
    fits), otherwise sub-bands of equal ratio.
    """
    low, high = band
    if not frequencies:
        count = min(MAX_SUBBANDS, round(SUBBANDS_PER_OCTAVE * np.log2(high / low)))
        while count > 1 and low * (high / low) ** (1 / count) - low < MIN_SUBBAND:
            count -= 1
        if count < 2:
            return [band]
        edges = [float(edge) for edge in np.geomspace(low, high, count + 1)]
        return [band, *pairwise(edges)]
    for frequency in frequencies:
        if not low <= frequency <= high:
            raise BadInput(
                f"frequency {frequency:g} Hz lies outside the band {low:g}-{high:g} Hz; "
                "widen --band or correct --frequencies"
            )
    centres = list(frequencies)
    fits = 2 * max(frequencies) + HALF_WIDTH <= high
    if fits and 2 * len(centres) <= MAX_FLICKER_BANDS:
        centres += [2 * frequency for frequency in frequencies]
    around = [(max(f - HALF_WIDTH, f / 2), f + HALF_WIDTH) for f in centres]
    return [band, *around]


def harmonics(band: tuple[float, float], frequencies: tuple[float, ...]) -> int:
    """Number of harmonics per frequency, including the fundamental.

    The same number for all, below the top of ``band``: more sines correlate better with anything.
    """
    count = int(np.ceil(band[1] / max(frequencies))) - 1
    return min(MAX_HARMONICS, max(1, count))


def references(frequencies: tuple[float, ...], number: int, times: int, rate: float) -> Array:
    """Orthonormal centred sines and cosines (F, times, 2 number), sampled at ``rate`` Hz."""
    t = np.arange(times) / rate
    bases = []
    for frequency in frequencies:
        phase = 2 * np.pi * frequency * np.outer(t, np.arange(1, number + 1))
        waves = np.hstack([np.sin(phase), np.cos(phase)])
        bases.append(np.linalg.qr(waves - waves.mean(0))[0])
    return np.stack(bases)


def region(names: tuple[str, ...], pattern: re.Pattern[str]) -> list[int]:
    """Columns of the electrodes matching ``pattern``; [] if they are too few or nearly all."""
    labels = [name.strip(". ").upper() for name in names]
    columns = [column for column, label in enumerate(labels) if pattern.match(label)]
    return columns if REGION_FROM <= len(columns) <= 2 / 3 * len(names) else []


@dataclass(frozen=True)
class Features:
    """Centred and scaled features of the training trials, with their mean and scale."""

    z: Array  # (trials, features)
    mean: Array  # (features,)
    scale: Array  # (features,) z = (raw - mean) / scale


@dataclass(frozen=True)
class EvidenceHead:
    """Linear head: logits are ``raw @ weights.T + bias``."""

    weights: Array  # (K, features), for raw features
    bias: Array  # (K,)
    scores: Array  # (trials, K) logits of trials in a block that the head has not seen, or NaN


@dataclass(frozen=True)
class Prepared:
    """Label-free features of the training trials."""

    decoder: OscillationDecoder  # complete but for weights and bias
    regions: tuple[tuple[Features, tuple[BandView, ...]], ...]
    flicker: Features | None

    def evidence(self, x: Array) -> tuple[list[Array], Array | None]:
        """Label-free features of windows ``x`` (trials, streams, channels, times) for ``weigh``.

        Logarithms (trials, c, c) of every view, and correlations (trials, F).
        """
        views = tuple(view for _, views in self.regions for view in views)
        blank = replace(self.decoder, views=views)
        found = [blank.evidence(window) for window in x]
        logs = [np.stack(each) for each in zip(*(logs for logs, _ in found), strict=True)]
        if self.flicker is None:
            return logs, None
        return logs, np.stack([each for _, each in found if each is not None])

    def fit(self, y: NDArray[np.integer]) -> tuple[OscillationDecoder, str]:
        """Decoder for class indices ``y`` (trials,) in time order, and the reason for its parts."""
        y = np.asarray(y)
        count = len(self.decoder.classes)
        for number, name in enumerate(self.decoder.classes):
            if not (y == number).any():
                raise BadInput(f"no training trial of class {name!r}; record some or drop it")
        heads = [head(features, y, count) for features, _ in self.regions]
        scores = np.mean([h.scores for h in heads], 0)
        judged = bool(np.isfinite(scores).all())
        slope = temper(scores, y) if judged else 1.0
        if self.flicker is None:
            share, reason = 1.0, "covariances: no frequencies were given"
            return self._join(heads, slope, None, share), reason
        cca = head(self.flicker, y, count)
        cca_slope = temper(cca.scores, y) if judged else 1.0
        if judged:
            share, reason = choose(losses(scores * slope, y), losses(cca.scores * cca_slope, y), y)
        else:
            share, reason = 0.5, "average of covariances and CCA: too few trials to compare them"
        scaled = EvidenceHead(cca.weights * cca_slope, cca.bias * cca_slope, cca.scores)
        return self._join(heads, slope, scaled, share), reason

    def _join(
        self, heads: list[EvidenceHead], slope: float, cca: EvidenceHead | None, share: float
    ) -> OscillationDecoder:
        """Decoder that combines the mean of ``heads`` times ``slope`` with ``cca``."""
        bias, views = np.zeros(len(self.decoder.classes)), []
        if share > 0:
            factor = share * slope / len(heads)
            for h, (_, blank) in zip(heads, self.regions, strict=True):
                bias = bias + factor * h.bias
                start = 0
                for view in blank:
                    size = len(view.columns) * (len(view.columns) + 1) // 2
                    part = factor * h.weights[:, start : start + size]
                    views.append(replace(view, weights=symmetric(part, len(view.columns))))
                    start += size
        decoder = replace(self.decoder, views=tuple(views), bias=bias)
        if cca is None or share == 1:
            return replace(decoder, electrodes=None, references=None)
        return replace(
            decoder,
            bias=bias + (1 - share) * cca.bias,
            correlation_weights=(1 - share) * cca.weights,
        )


def prepare(
    x: Array,
    classes: tuple[str, ...],
    rate: float,
    band: tuple[float, float],
    frequencies: tuple[float, ...] = (),
    names: tuple[str, ...] = (),
) -> Prepared:
    """Label-free features of training trials ``x`` (trials, streams, channels, times).

    Streams are those of ``filter_bank(band, frequencies)``, ``rate`` is the one of ``x`` in Hz
    (after decimation) and ``names`` are channel labels: of a whole cap (10-05 labels) the central
    electrodes, or the posterior ones for flicker, are decoded once more by themselves, because few
    trials do not show which electrodes matter.
    """
    streams, channels, times = x.shape[1:]
    bank = filter_bank(band, frequencies)
    assert streams == len(bank), f"{streams} streams, the filter bank has {len(bank)}"
    inner = region(names, POSTERIOR if frequencies else CENTRAL)
    # narrow bands hold two numbers a second: nothing to gain from pieces
    pieces = 1 if frequencies else max(1, round(times / rate / PIECE))
    used = list(range(1, streams)) if frequencies else list(range(streams))
    # the full band weighs as much as its parts together
    shares = [1.0] * len(used) if frequencies else [max(1, streams - 1), *[1.0] * (streams - 1)]
    regions = []
    for columns in filter(None, (list(range(channels)), inner)):
        blocks, views = [], []
        for stream, share in zip(used, shares, strict=True):
            view, raw = whiten(x[:, stream, columns], stream, columns, pieces)
            views.append(view)
            blocks.append(standard(raw, share / sum(shares), each=False))
        regions.append((together(blocks), tuple(views)))
    decoder = OscillationDecoder(tuple(classes), times, pieces, np.zeros(len(classes)))
    if not frequencies:
        return Prepared(decoder, tuple(regions), None)
    waves = references(frequencies, harmonics(band, frequencies), times, rate)
    electrodes = np.array(inner or range(channels))
    found = np.stack([correlations(trial[0, electrodes], waves) for trial in x])  # (trials, F)
    decoder = replace(decoder, electrodes=electrodes, references=waves)
    return Prepared(decoder, tuple(regions), standard(found, 1.0, each=True))


def fit(
    x: Array,
    y: NDArray[np.integer],
    classes: tuple[str, ...],
    rate: float,
    band: tuple[float, float],
    frequencies: tuple[float, ...] = (),
    names: tuple[str, ...] = (),
) -> tuple[OscillationDecoder, str]:
    """Decoder and reason from trials ``x`` with class indices ``y``; see ``prepare``."""
    return prepare(x, classes, rate, band, frequencies, names).fit(y)


def whiten(x: Array, stream: int, columns: list[int], pieces: int) -> tuple[BandView, Array]:
    """Whitening by the mean covariance of ``x`` (trials, c, times); tangent vectors (trials, d)."""
    count = len(columns)
    spatial = np.eye(count)
    if count >= AVERAGE_REFERENCE_FROM:
        spatial -= 1 / count
    z = spatial @ (x - x.mean(-1, keepdims=True))
    deviation = np.sqrt((z**2).mean((0, 2)))
    alive = deviation > 1e-6 * deviation.max()
    # an electrode that was flat in training stays silent should it wake up later
    spatial = spatial * np.where(alive, 1 / np.where(alive, deviation, 1), 0)[:, None]
    ridge = RIDGE * np.eye(count)
    length = x.shape[-1] // pieces
    cut = x[..., : pieces * length].reshape(len(x), count, pieces, length)
    cut = spatial @ np.moveaxis(cut - cut.mean(-1, keepdims=True), 2, 1)
    mean = np.mean(cut @ cut.swapaxes(-1, -2), (0, 1)) / (length - 1) + ridge
    whitening = invsqrtm(mean)
    filters, floor = whitening @ spatial, whitening @ ridge @ whitening
    view = BandView(stream, np.array(columns), filters, floor, np.zeros((0, count, count)))
    logs = log_covariances(x, pieces, filters, floor)
    row, column = np.triu_indices(count)
    return view, logs[:, row, column] * np.where(row == column, 1, np.sqrt(2))


def symmetric(weights: Array, count: int) -> Array:
    """Weights (K, d) of a tangent vector as matrices (K, count, count) for the logarithm."""
    row, column = np.triu_indices(count)
    matrices = np.zeros((len(weights), count, count))
    matrices[:, row, column] = weights * np.where(row == column, 1, np.sqrt(0.5))
    matrices[:, column, row] = matrices[:, row, column]
    return matrices


def standard(raw: Array, share: float, each: bool) -> Features:
    """Centred features whose squared length is ``share`` on average, or 1 per feature (``each``).

    One common scale keeps the geometry of tangent vectors and makes the penalty of the head mean
    the same for 4 electrodes and for 64.
    """
    mean = raw.mean(0)
    squares = ((raw - mean) ** 2).mean(0)
    scale = np.sqrt(squares if each else np.full_like(squares, squares.sum() / share))
    scale = np.where(scale > 1e-12, scale, 1)
    return Features((raw - mean) / scale, mean, scale)


def together(blocks: list[Features]) -> Features:
    """Concatenated features."""
    return Features(
        np.hstack([block.z for block in blocks]),
        np.concatenate([block.mean for block in blocks]),
        np.concatenate([block.scale for block in blocks]),
    )


def head(features: Features, y: NDArray[np.integer], count: int) -> EvidenceHead:
    """Logistic regression with balanced classes, and its out-of-block logits.

    With fewer trials than features it is fitted in the space that the trials span, which gives
    the same solution sooner.
    """
    u, s, vt = np.linalg.svd(features.z, full_matrices=False)
    kept = s > 1e-9 * max(s[0], 1e-300)
    z = u[:, kept] * s[kept] if kept.any() else np.zeros((len(y), 1))
    axes = vt[kept] if kept.any() else vt[:1]
    scores = np.full((len(y), count), np.nan)
    for block in np.array_split(np.arange(len(y)), BLOCKS):
        seen = np.setdiff1d(np.arange(len(y)), block)
        if len(np.unique(y[seen])) < count:
            continue
        weights, bias = regress(z[seen], y[seen])
        scores[block] = z[block] @ weights.T + bias
    weights, bias = regress(z, y)
    weights = weights @ axes / features.scale  # (K, features)
    return EvidenceHead(weights, bias - weights @ features.mean, scores)


def regress(z: Array, y: NDArray[np.integer]) -> tuple[Array, Array]:
    """Weights (K, features) and bias (K,) of balanced multinomial logistic regression."""
    model = LogisticRegression(C=1.0, class_weight="balanced", tol=1e-6, max_iter=2000)
    model.fit(z, y)
    weights, bias = np.asarray(model.coef_), np.asarray(model.intercept_)
    if len(weights) == 1:  # two classes: one log-odds, shared between both
        half = np.array([-0.5, 0.5])
        return half[:, None] * weights, half * bias
    return weights, bias


def losses(scores: Array, y: NDArray[np.integer]) -> Array:
    """Log-loss (trials,) against softened targets.

    Targets as in Platt 1999, "Probabilistic Outputs for Support Vector Machines": a class seen n
    times is never held surer than (n + 1) / (n + 2).
    """
    shifted = scores - scores.max(1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    rest = 1 / (np.bincount(y, minlength=scores.shape[1])[y] + 2)  # (trials,)
    own = logs[np.arange(len(y)), y]
    others = (logs.sum(1) - own) / (scores.shape[1] - 1)
    return -(1 - rest) * own - rest * others


def balance(y: NDArray[np.integer]) -> Array:
    """Weights (trials,) that give every class the same total; their sum is 1."""
    weights = 1 / np.bincount(y)[y]
    return weights / weights.sum()


def temper(scores: Array, y: NDArray[np.integer]) -> float:
    """Factor on ``scores`` with the lowest balanced log-loss, which makes members comparable."""
    factors = np.geomspace(0.1, 30, 51)
    return float(min(factors, key=lambda factor: balance(y) @ losses(scores * factor, y)))


def choose(covariances: Array, cca: Array, y: NDArray[np.integer]) -> tuple[float, str]:
    """Share of the covariances (1, 0.5 or 0) by both members' losses (trials,), and the reason."""
    weights, gap = balance(y), cca - covariances
    mean = float(weights @ gap)
    error = float(np.sqrt(np.sum(weights**2 * (gap - mean) ** 2)))
    a, b = float(weights @ covariances), float(weights @ cca)
    if mean > SURE * error:
        return 1.0, f"covariances alone: inner log-loss {a:.2f} against {b:.2f} of CCA"
    if -mean > SURE * error:
        return 0.0, f"CCA alone: inner log-loss {b:.2f} against {a:.2f} of the covariances"
    return 0.5, (
        f"average of covariances and CCA: their inner log-losses {a:.2f} and {b:.2f} "
        "do not differ clearly"
    )
