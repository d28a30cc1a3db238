"""Picture retrieval: embedded trials are compared with the captions of the test pictures.

Every caption of the test pictures is a candidate, and the same words are one candidate. A picture
that was shown often, or to many people, is still one picture: the null deals the captions to the
pictures anew (1,000 times, all trials of a picture together), and the interval is a bootstrap over
pictures. Many alike captions make the right one hard to name and the right category easy, hence
figures both over all candidates and over those of one category.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from rtbci.statistics.predictions import RESAMPLES, SHUFFLES, Figure
from rtbci.statistics.scores import SEED, Interval, p_from_null, wilson
from rtbci.types import Array, Samples

FEWEST = 20  # captions, below which nothing is asked
AT_ONCE = 512  # trials held against all captions
SAME = "two_way_same_category"


def retrieve(
    said: Samples, caption: NDArray[np.int64], captions: Samples, category: NDArray[np.int64]
) -> dict[str, Figure]:
    """Figures of trials ``said`` (n, d) that showed ``caption`` (n,) of ``captions`` (m, d).

    All rows are of unit length; every caption was shown; ``category`` (m,) is that of each.
    ``two_way`` and ``ten_way``: the right caption is nearer than one, or nine, drawn from the
    others, exactly and without drawing; ``SAME`` draws within the category; ``caption_top_1`` and
    ``caption_top_5`` are among all ``m``. Empty where there are too few captions.
    """
    n, m = len(said), len(captions)
    if m < FEWEST:
        return {}
    won = {name: np.zeros((m, m)) for name in _scorers(m)}  # picture, caption: sum over trials
    won[SAME] = np.zeros((m, m))
    members = [np.flatnonzero(category == c) for c in np.unique(category)]
    members = [each for each in members if len(each) > 1]
    inside = np.zeros(m, bool)
    inside[np.concatenate([np.zeros(0, int), *members])] = True
    for first in range(0, n, AT_ONCE):
        rows = slice(first, first + AT_ONCE)
        scores = said[rows] @ captions.T
        beaten = rankdata(scores, axis=1) - 1  # (trials, m) candidates below; ties count half
        for name, scorer in _scorers(m).items():
            np.add.at(won[name], caption[rows], scorer(beaten))
        for each in members:
            own = np.isin(caption[rows], each)
            ranks = rankdata(scores[own][:, each], axis=1) - 1
            np.add.at(won[SAME], np.ix_(caption[rows][own], each), _n_way(ranks, len(each), 2))
    shown = np.bincount(caption, minlength=m)
    rng = np.random.default_rng(SEED)
    everywhere = np.array([rng.permutation(m) for _ in range(SHUFFLES)])
    figures = {
        name: _figure(name, table, shown, everywhere) for name, table in won.items() if name != SAME
    }
    if inside.any():
        within = np.tile(np.arange(m), (SHUFFLES, 1))
        for each in members:
            within[:, each] = rng.permuted(within[:, each], axis=1)
        figures[SAME] = _figure(SAME, won[SAME], np.where(inside, shown, 0), within)
    return figures


def _scorers(m: int) -> dict[str, Callable[[Array], Array]]:
    """Score of one trial for each figure, by the number of ``m`` candidates beaten."""
    return {
        "two_way": lambda beaten: _n_way(beaten, m, 2),
        "ten_way": lambda beaten: _n_way(beaten, m, 10),
        "caption_top_1": lambda beaten: (beaten >= m - 1).astype(float),
        "caption_top_5": lambda beaten: (beaten >= m - 5).astype(float),
    }


def _n_way(beaten: Array, m: int, n: int) -> Array:
    """Chance that a candidate beating ``beaten`` of ``m - 1`` beats ``n - 1`` drawn from them."""
    steps = np.arange(n - 1)
    return np.prod([np.clip(beaten - k, 0, None) / (m - 1 - k) for k in steps], axis=0)


def _figure(name: str, won: Array, shown: NDArray[np.int64], dealt: NDArray[np.int64]) -> Figure:
    """Of ``won`` (pictures, captions), the sum over the ``shown`` (pictures,) trials of each.

    ``dealt`` (shuffles, pictures): the caption of each picture under the null.
    """
    n, pictures = int(shown.sum()), np.arange(len(won))
    hits = np.where(shown > 0, won[pictures, pictures], 0.0)
    value = float(hits.sum()) / n
    null = won[pictures, dealt].sum(axis=1) / n
    how = f"{len(dealt):,} shuffles of the captions between {int((shown > 0).sum()):,} pictures"
    if name == SAME:
        how += " of the same category"
    chance = 0.5 if name == SAME else float(won.sum()) / n / len(won)
    interval = _interval(hits, shown)
    return Figure(
        name, value, n, interval, chance, p_from_null(value, null), how, "bootstrap over pictures"
    )


def _interval(hits: Array, shown: NDArray[np.int64]) -> Interval:
    """95 % interval of ``hits.sum() / shown.sum()`` by a bootstrap over pictures."""
    hits, shown = hits[shown > 0], shown[shown > 0]
    m, value = len(hits), float(hits.sum() / shown.sum())
    drawn = np.random.default_rng(SEED).multinomial(m, np.full(m, 1 / m), RESAMPLES)
    low, high = np.percentile((drawn @ hits) / (drawn @ shown), [2.5, 97.5])
    if high - low < 1e-9:  # always or never right: nothing to resample
        return wilson(round(value * m), m)
    return float(low), float(high)
