"""Metrics of a decoder, each with what chance would have given: pure functions, and nothing else.

    predictions = Predictions(true, probabilities, blocks)
    for metric in TASK1: print(metric(predictions))

A metric turns ``Predictions`` into a ``Figure``: value, n, interval, chance, p, and how the null
was made. A task is a tuple of metrics. The null is the same for all: the labels shuffled within
blocks of time against predictions that stay as they are (Ojala and Garriga 2010); only the
calibration error has another null, described there.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from rtbci.statistics.predictions import AT_ONCE, Figure, Predictions
from rtbci.statistics.scores import SEED, Interval, p_from_null, share_intervals
from rtbci.types import Array

BINS = 10  # of confidences, with equal counts: decoders of 20 classes are rarely sure
LEAST = 1e-12  # probability; a decoder may call what happens impossible only once
NOWHERE = (math.nan, math.nan)
UNBOUNDED = {"itr_bits_per_trial", "itr_bits_per_minute", "log_loss"}  # above
FEWEST_PEOPLE = 3  # below, an interval over people is wider than the scale

Metric = Callable[[Predictions], Figure]


def accuracy(predictions: Predictions) -> Figure:
    """Share of trials whose likeliest class was the true one."""
    hits = np.eye(predictions.k)[predictions.predicted]  # (n, classes): a hit, were it that class
    return _share("accuracy", predictions, hits)


def top(rank: int) -> Metric:
    """The metric: share of trials whose true class was among the ``rank`` likeliest."""

    def among_likeliest(predictions: Predictions) -> Figure:
        order = np.argsort(-predictions.probabilities, axis=1, kind="stable")[:, :rank]
        hits = np.zeros(predictions.probabilities.shape)
        np.put_along_axis(hits, order, 1.0, axis=1)
        return _share(f"top_{rank}", predictions, hits)

    return among_likeliest


def balanced_accuracy(predictions: Predictions) -> Figure:
    """Mean recall over the classes that are there."""
    p = predictions
    diagonal = np.arange(p.k)
    weights = np.where(p.there, 1 / np.maximum(p.counts, 1), 0.0) / p.there.sum()
    value = float((p.table[diagonal, diagonal] * weights).sum())
    null = p.shuffled_tables[:, diagonal, diagonal] @ weights
    _, interval, how = share_intervals(p.table[diagonal, diagonal], p.counts)
    chance = p.n * p.expected(np.eye(p.k)[p.predicted] * weights)
    return Figure(
        "balanced_accuracy", value, p.n, interval, chance, p_from_null(value, null), p.null, how
    )


def macro_f1(predictions: Predictions) -> Figure:
    """Mean over the classes that are there of F1, the harmonic mean of precision and recall."""
    return _of_tables("macro_f1", predictions, lambda table: _f1(table, predictions.there))


def kappa(predictions: Predictions) -> Figure:
    """Cohen's kappa: agreement beyond that expected from the class counts; 1 is perfect."""
    return _of_tables("kappa", predictions, _kappa)


def itr(predictions: Predictions) -> Figure:
    """Information transfer rate of Wolpaw et al. 2000, bits a trial (doi 10.1109/TRE.2000.847807).

    It takes all classes as equally likely and all errors as equally frequent. Accuracies below
    chance count as 0 bits, so that even chance gives a little more than none on average.
    """
    return _bits("itr_bits_per_trial", predictions, 1.0)


def itr_per_minute(predictions: Predictions) -> Figure:
    """Information transfer rate, bits a minute; NaN if the duration of a trial is unknown."""
    if predictions.trial_s is None:
        why = "the time from onset to onset is not known"
        return Figure("itr_bits_per_minute", math.nan, predictions.n, NOWHERE, 0.0, math.nan, why,
                      "none")  # fmt: skip
    return _bits("itr_bits_per_minute", predictions, 60 / predictions.trial_s)


def log_loss(predictions: Predictions) -> Figure:
    """Mean surprise at the true class, nats; lower is better.

    Chance is ln(classes), what equal probabilities give: worse than that is being too sure.
    """
    p = predictions
    values = -np.log(np.maximum(p.probabilities, LEAST))
    losses = values[np.arange(p.n), p.true]
    value, null = float(losses.mean()), p.under_shuffles(values)
    observed = float(losses.astype(np.float32).mean(dtype=np.float64))  # as rounded as the null
    variance = sum(
        len(members) * float(losses[members].var(ddof=1)) / p.n**2
        for c in np.flatnonzero(p.there)
        if len(members := np.flatnonzero(p.true == c)) > 1
    )
    interval = _student(value, math.sqrt(variance), p.n - int(p.there.sum()))
    chance = math.log(int(p.there.sum()))
    how = "t, stratified by class"
    p_value = p_from_null(-observed, -null)
    return Figure("log_loss", value, p.n, interval, chance, p_value, p.null, how)


def calibration_error(predictions: Predictions) -> Figure:
    """Expected calibration error: how far confidence is from the share of hits, on average.

    Confidence is the probability of the likeliest class; bins hold equal numbers of trials. The
    null is a perfectly calibrated decoder with these very confidences: right as often as it
    claims, by the throw of a coin, and still its error is not 0. A small p means miscalibrated.
    """
    p = predictions
    confidence = p.probabilities.max(axis=1)
    order = np.argsort(confidence, kind="stable")
    confidence, hits = confidence[order], (p.predicted == p.true)[order].astype(np.float32)
    edges = bin_edges(p.n)
    value = float(_gap(hits[None], confidence, edges)[0])
    rng = np.random.default_rng(SEED)
    null = _in_pieces(
        p.shuffles, p.n, lambda m: _gap(_coins(rng, m, confidence), confidence, edges)
    )
    shares = np.add.reduceat(hits, edges) / np.diff([*edges, p.n])
    noisy = np.repeat(shares, np.diff([*edges, p.n]))
    again = _in_pieces(p.shuffles, p.n, lambda m: _gap(_coins(rng, m, noisy), confidence, edges))
    low, high = 2 * value - np.percentile(again, [97.5, 2.5])
    # noise lifts every estimate of a distance; reflecting the bootstrap takes that out again
    interval = (max(0.0, min(float(low), value)), max(float(high), value))
    said = f"{p.shuffles:,} draws of a perfectly calibrated decoder with these confidences"
    return Figure(
        "calibration_error", value, p.n, interval, float(null.mean()), p_from_null(value, null),
        said, "reflected bootstrap",
    )  # fmt: skip


TASK1: tuple[Metric, ...] = (
    accuracy, balanced_accuracy, top(1), top(3), top(5), macro_f1, kappa, itr, itr_per_minute,
    log_loss, calibration_error,
)  # fmt: skip


def measure(predictions: Predictions, task: Sequence[Metric] = TASK1) -> dict[str, Figure]:
    """Every figure of a task by its name."""
    found = [metric(predictions) for metric in task]
    return {figure.name: figure for figure in found}


def over_subjects(figures: Sequence[Figure]) -> Figure:
    """Mean of one metric over people, with the interval and p of people, not of trials.

    A t interval and a one-sided t test of the differences from each person's chance: they describe
    the next person to be expected. NaN for one person alone. Raises ``AssertionError`` where the
    figures are not of one metric.
    """
    assert len({figure.name for figure in figures}) == 1, "one metric at a time"
    name = figures[0].name
    values, chances = (np.array([getattr(f, key) for f in figures]) for key in ("value", "chance"))
    m, value, chance = len(values), float(values.mean()), float(chances.mean())
    if m < FEWEST_PEOPLE:
        alone = f"{m} subject says" if m == 1 else f"{m} subjects say"
        few = f"{alone} nothing about others, {FEWEST_PEOPLE} are needed"
        return Figure(name, value, m, NOWHERE, chance, math.nan, few, "none")
    error = float(values.std(ddof=1)) / math.sqrt(m)
    gain = float((values - chances).mean()) * (-1 if name == "log_loss" else 1)
    spread = float((values - chances).std(ddof=1)) / math.sqrt(m)
    p = math.nan
    if name != "calibration_error" and spread > 0:  # of an error without a better side
        from scipy.stats import t

        p = float(t.sf(gain / spread, m - 1))
    low, high = _student(value, error, m - 1)
    least, most = -1.0 if name == "kappa" else 0.0, math.inf if name in UNBOUNDED else 1.0
    interval = (max(low, least), min(high, most))  # a t interval does not know where shares end
    return Figure(name, value, m, interval, chance, p, f"t test over {m} subjects", "t")


def bin_edges(n: int) -> NDArray[np.int64]:
    """First trial of each bin, of ``n`` trials sorted by confidence."""
    return np.unique(np.linspace(0, n, min(BINS, n) + 1).astype(np.int64)[:-1])


def wolpaw(share: float | Array, k: int) -> Array:
    """Bits a trial of ``k`` classes at accuracy ``share``; 0 at chance and below."""
    p = np.clip(share, 1 / k, 1.0)
    wrong = np.maximum(1 - p, LEAST)
    bits = math.log2(k) + p * np.log2(p) + (1 - p) * np.log2(wrong / (k - 1))
    return np.maximum(bits, 0.0)


def _share(name: str, p: Predictions, hits: Array) -> Figure:
    """A share of hits; ``hits`` (n, classes) is 1 where the trial would be one, were it c."""
    right = hits[np.arange(p.n), p.true]
    by_class = np.bincount(p.true, right, minlength=p.k)
    interval, _, how = share_intervals(by_class.astype(np.int64), p.counts)
    value, null = float(right.mean()), p.under_shuffles(hits)
    # both are means of whole counts: in float32 they differ in the seventh digit only
    p_value = p_from_null(round(value * p.n), np.round(null * p.n))
    return Figure(name, value, p.n, interval, p.expected(hits), p_value, p.null, how)


def _of_tables(name: str, p: Predictions, of: Callable[[Array], Array]) -> Figure:
    """A figure that a confusion table determines; its chance is the mean of the shuffles."""
    value, null = float(of(p.table[None])[0]), of(p.shuffled_tables)
    low, high = np.percentile(of(p.resampled_tables), [2.5, 97.5])
    interval = (float(min(low, value)), float(max(high, value)))
    p_value = p_from_null(value, null)
    how = "stratified bootstrap"
    return Figure(name, value, p.n, interval, float(null.mean()), p_value, p.null, how)


def _f1(tables: Array, there: NDArray[np.bool_]) -> Array:
    """(m,) macro F1 of ``tables`` (m, classes, classes)."""
    hits = np.diagonal(tables, axis1=1, axis2=2)
    both = tables.sum(axis=1) + tables.sum(axis=2)
    return (2 * hits / np.maximum(both, LEAST))[:, there].mean(axis=1)


def _kappa(tables: Array) -> Array:
    """(m,) Cohen's kappa of ``tables`` (m, classes, classes)."""
    n = tables.sum(axis=(1, 2))
    agreed = np.trace(tables, axis1=1, axis2=2) / n
    by_luck = (tables.sum(axis=1) * tables.sum(axis=2)).sum(axis=1) / n**2
    return (agreed - by_luck) / np.maximum(1 - by_luck, LEAST)


def _bits(name: str, p: Predictions, factor: float) -> Figure:
    """Wolpaw's bits of the accuracy, its interval and its shuffles, times ``factor``."""
    k, share = max(2, int(p.there.sum())), accuracy(p)
    diagonal = np.trace(p.shuffled_tables, axis1=1, axis2=2) / p.n
    chance = factor * float(wolpaw(diagonal, k).mean())
    low, high = (factor * float(wolpaw(end, k)) for end in share.interval)
    value = factor * float(wolpaw(share.value, k))
    how = f"{share.interval_by} of accuracy"
    # more hits are more bits: the p-value is that of accuracy, also where both give 0 bits
    return Figure(name, value, p.n, (low, high), chance, share.p, share.null, how)


def _gap(hits: NDArray[np.float32], confidence: Array, edges: NDArray[np.int64]) -> Array:
    """(m,) expected calibration error of ``hits`` (m, n), sorted by ``confidence`` (n,)."""
    gaps = np.add.reduceat(hits - confidence.astype(np.float32), edges, axis=1)
    return np.abs(gaps).sum(axis=1, dtype=np.float64) / hits.shape[1]


def _coins(rng: np.random.Generator, m: int, chances: Array) -> NDArray[np.float32]:
    """(m, n) 1 with probability ``chances`` (n,), else 0."""
    drawn = rng.random((m, len(chances)), np.float32) < chances.astype(np.float32)
    return drawn.astype(np.float32)


def _in_pieces(count: int, n: int, make: Callable[[int], Array]) -> Array:
    """``make(m)`` until there are ``count`` values, few enough at once to fit in memory."""
    step = max(1, AT_ONCE // n)
    return np.concatenate([make(min(step, count - done)) for done in range(0, count, step)])


def _student(value: float, error: float, freedom: int) -> Interval:
    """95 % t interval."""
    if freedom < 1:
        return NOWHERE
    from scipy.stats import t

    half = float(t.ppf(0.975, freedom)) * error
    return value - half, value + half
