"""Evaluation of a backbone's text head: naming of classes and retrieval of captions.

The head turns a trial into a point of the text space that pretraining saw captions in. The nearest
class name is its answer, so that it can be asked for categories that were never in training: that,
and nothing else, is called zero-shot here.
"""

from collections.abc import Sequence
from itertools import permutations

import numpy as np

from calibration.evaluation.captions import retrieve
from calibration.evaluation.embedded import TRAINING, EmbeddedRun
from calibration.evaluation.refusals import check_classes, check_order
from calibration.evaluation.values import EvaluationPart, Retrieval, TrialTable, joined
from calibration.pretraining.corpus import CaptionPoints
from rtbci.decoding.scorer import softmax
from rtbci.errors import BadInput, Missing
from rtbci.statistics.predictions import SHUFFLES
from rtbci.statistics.scores import SEED, p_from_null
from rtbci.statistics.verdict import P_WRITTEN
from rtbci.types import Samples

PROMPT = "a picture of a {}"  # as for the teacher of pretraining
TAU = 0.07  # of cosines, as in pretraining's contrast
FEWEST = 20  # trials of categories that were held out
MOST_EXACT = 6  # categories whose names are dealt in every way: 720


def named_part(tested: Sequence[EmbeddedRun], classes: tuple[str, ...]) -> EvaluationPart:
    """Test trials classified by the nearest class name, for classes used in training."""
    return EvaluationPart(
        "class_names",
        "Named in words",
        "The text head, which learnt from captions and from no label, makes of each trial a point "
        "among sentences; the nearest class name is its answer. Not zero-shot: these classes were "
        "in training.",
        _nearest_name(tested, classes),
    )


def zero_shot_part(strange: Sequence[EmbeddedRun]) -> EvaluationPart | None:
    """Trials of untrained categories, classified by their names alone.

    None where there are fewer than two such categories, or too few trials. Raises ``BadInput``
    where their order forms class blocks.
    """
    held = tuple(sorted({name for each in strange for name in each.name.tolist()}))
    if len(held) < 2 or sum(len(each.true) for each in strange) < FEWEST:
        return None
    table = _nearest_name(strange, held)
    check_classes(table.true, held, "the part of strange categories")
    check_order(table.true, table.blocks, len(held), "the part of strange categories")
    return EvaluationPart(
        "zero_shot",
        "Zero-shot",
        f"Trials of {', '.join(held)}: categories of which no trial, picture or label was in "
        f"training. The answer is one of these {len(held)} names, the one nearest to the text "
        "head's point. What the network does with strange pictures may fit some of their names by "
        "luck, however many trials there are; so the names are dealt to the categories anew as "
        f"well, and that p counts too (five categories at least can make it {P_WRITTEN}).",
        table,
        held,
        names_p(table),
    )


def names_p(table: TrialTable) -> float:
    """p of balanced accuracy under permutations of the category names.

    All ways of up to six categories, of more as many as there are shuffles of labels.
    """
    p = table.predictions()
    recalls, numbers = p.table / np.maximum(p.counts, 1)[:, None], np.arange(p.k)
    observed = float(recalls[numbers, numbers].mean())
    if p.k <= MOST_EXACT:
        ways = np.array(list(permutations(numbers)))
        null = recalls[numbers, ways].mean(axis=1)  # the true way is among them
        return float((null >= observed - 1e-12).mean())
    rng = np.random.default_rng(SEED)
    ways = np.array([rng.permutation(p.k) for _ in range(SHUFFLES)])
    return p_from_null(observed, recalls[numbers, ways].mean(axis=1))


def strange_words(strange: Sequence[EmbeddedRun]) -> tuple[str, ...]:
    """Sentence on trials of classes that the backbone was not trained on."""
    if not strange:
        return ()
    names = sorted({name for each in strange for name in each.name.tolist()})
    n = sum(len(each.true) for each in strange)
    shown = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
    return (f"{n:,} trials show {shown}, which the backbone was never taught; its heads are not "
            "asked about them",)  # fmt: skip


def _nearest_name(runs: Sequence[EmbeddedRun], classes: tuple[str, ...]) -> TrialTable:
    points = CaptionPoints()(tuple(PROMPT.format(name) for name in classes))
    number = {name: k for k, name in enumerate(classes)}
    tables = []
    for each in runs:
        assert each.text is not None
        n, where = len(each.true), each.source
        tables.append(
            TrialTable(
                subject=np.full(n, where.subject),
                session=np.full(n, where.session),
                run=np.full(n, where.run),
                trial=each.trial,
                true=np.array([number[name] for name in each.name.tolist()], int),
                probabilities=softmax(each.text.astype(np.float64) @ points.T / TAU),
                image=each.image,
            )
        )
    return joined(tables)


def retrieval(tested: Sequence[EmbeddedRun], runs: Sequence[EmbeddedRun]) -> Retrieval | None:
    """Test trials against the captions of all test pictures; None where there are too few.

    ``runs`` are all that the backbone looked at, those of training among them.
    """
    rows: list[tuple[Samples, str, str]] = []
    for each in tested:
        assert each.text is not None
        captions = each.captions
        rows += [
            (point, caption, name)
            for point, caption, name in zip(each.text, captions, each.name.tolist(), strict=True)
            if caption
        ]
    category: dict[str, str] = {}
    for _, caption, name in rows:
        category.setdefault(caption, name)
    if not category:
        return None
    words, names = list(category), sorted(set(category.values()))
    place = {caption: number for number, caption in enumerate(words)}
    figures = retrieve(
        np.stack([point for point, _, _ in rows]),
        np.array([place[caption] for _, caption, _ in rows], int),
        CaptionPoints()(tuple(words)),
        np.array([names.index(category[caption]) for caption in words], int),
    )
    if not figures:
        return None
    trained = {c for each in runs if each.role == TRAINING for c in each.captions if c}
    return Retrieval(
        trials=len(rows),
        captions=len(words),
        trained=len(trained & set(words)),
        figures=figures,
    )


def of_words(
    tested: Sequence[EmbeddedRun],
    strange: Sequence[EmbeddedRun],
    runs: Sequence[EmbeddedRun],
    classes: tuple[str, ...],
) -> tuple[list[EvaluationPart], Retrieval | None, tuple[str, ...]]:
    """Parts and figures of the text head, and notes if it could not be evaluated.

    ``tested`` are the test runs of taught classes, ``strange`` the trials of others. Nothing where
    the backbone has no text head.
    """
    if not tested or tested[0].text is None:
        return [], None, ()
    parts, notes, found = [], [], None
    try:
        found = retrieval(tested, runs)
        parts.append(named_part(tested, classes))
        held = zero_shot_part(strange) if strange else None
        parts += [held] if held is not None else []
    except (BadInput, Missing, ImportError) as error:
        notes.append(f"the text head was not asked everything: {error}")
    return parts, found, tuple(notes)
