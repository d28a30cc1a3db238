"""Calibration: from recordings to a participant's bundle with cross-validated figures.

Everything is fitted and chosen on training trials only. The figures are counted on unseen blocks
of time, decoded by the same code as live.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from calibration.fitting import evoked, latency_template, oscillation, stacking, updating
from calibration.fitting.interpolation_weights import fit_interpolation
from calibration.fitting.permutation import OuterPart, permutation_test
from calibration.fitting.settings import CalibrationSettings, check_settings, plan_recipe
from calibration.fitting.trials import RefusedRecording, Trials, collect
from calibration.fitting.validation import FEWEST_KEPT, fit_temperature, outer_parts, time_blocks
from rtbci.decoding.bundle import Bundle
from rtbci.decoding.decoders.stacked import StackedDecoder
from rtbci.decoding.decoders.updated import UpdatedDecoder
from rtbci.decoding.interpolation import Interpolation
from rtbci.decoding.latency_gate import Template
from rtbci.decoding.recentering import reference
from rtbci.decoding.scorer import Scorer, decoder_input, softmax, whole
from rtbci.decoding.trial_hashes import learnt, marks
from rtbci.errors import BadInput, NoUsableSignal
from rtbci.signal.recipe import Recipe
from rtbci.signal.recording import Recording
from rtbci.statistics.class_blocks import forms_class_blocks
from rtbci.statistics.scores import Scores, score
from rtbci.statistics.verdict import UNTESTED, Verdict, calibrated
from rtbci.statistics.verdict import refused as refused_verdict
from rtbci.subjects import same_subject
from rtbci.types import Array, Decoder, Samples

Progress = Callable[[str, int, int], None]  # stage, done, of


@dataclass(frozen=True)
class Fitted:
    """A fitted decoder with its template, features and interpolation."""

    decoder: Decoder
    template: Template | None
    prepared: oscillation.Prepared | None
    reason: str
    x: Array  # the decoder windows it was trained on
    shifts: dict[int, int]  # recording to shift, samples
    spare: Interpolation | None = None
    family: str = "evoked"  # a key of rtbci.decoding.decoders.FAMILIES
    tuned: stacking.Tuned | None = None


@dataclass(frozen=True)
class Result:
    """An unsaved bundle and its cross-validated results."""

    bundle: Bundle
    scores: Scores | None  # None where labels were not shuffled
    verdict: Verdict
    permutation: str
    trials: dict[str, int]  # class to number
    rejected: Mapping[str, int]
    refused: list[RefusedRecording]
    latency: list[dict[str, object]]  # file, lag_ms
    held_out: tuple[np.ndarray, Array]  # true class and probabilities of every test trial
    pretrained: int = (
        0  # number of these trials the backbone was trained on; if any, there is no valid test
    )


def calibrate(
    recordings: list[Recording],
    plan: CalibrationSettings,
    progress: Progress,
    *,
    permute: bool = True,
) -> Result:
    """Fit a decoder on ``recordings`` (in time order) and count how good it is.

    Without ``permute`` the p-value and the verdict, which take most of the time, are left out.
    Raises ``BadInput`` for settings that do not fit, ``NoUsableSignal`` if no trial is left.
    """
    check_settings(plan)
    recipe = plan_recipe(recordings, plan)
    progress("cutting trials", 0, 1)
    trials, used, refused = collect(
        recordings, recipe, plan.labels, plan.classes, plan.frequencies,
        learnt(plan.update.training) if plan.update else (),
    )  # fmt: skip
    progress("cutting trials", 1, 1)
    check_trials(trials, refused, plan)
    everything = np.flatnonzero(trials.kept)
    final = fit(trials, everything, recipe, plan)
    blocks = time_blocks(trials.run)
    parts, logits = test_blocks(trials, blocks, recipe, plan, progress)
    temperature = fit_temperature(logits, trials.y)
    probabilities = softmax(logits / temperature)
    scores, verdict, how = None, UNTESTED, "none"
    own = [marks(each) for each in used]
    known = pretrained_on(own, plan)
    if permute:
        p, null, how = permutation_test(
            parts,
            trials.y,
            blocks,
            recipe.decoder_rate,
            lambda done, of: progress("shuffling labels", done, of),
        )
        scores = score(trials.y, softmax(logits), p, len(null))
        low = scores.balanced_accuracy_ci95[0]
        verdict = calibrated(scores.p_value, low, scores.chance, scores.n)
        if known:
            verdict = refused_verdict(
                f"no test: the backbone has learnt from {known} of these trials; calibrate on "
                f"another session, or pretrain with --leave-out {plan.subject.removeprefix('sub-')}"
            )
    names = [Path(each.provenance.paths[0]).name for each in used]
    return Result(
        bundle=Bundle(
            subject=plan.subject,
            paradigm=plan.kind,
            family=final.family,
            described=final.reason,
            labels=dict(plan.labels),
            frequencies=plan.frequencies,
            recipe=recipe,
            decoder=final.decoder,
            template=final.template,
            spare=final.spare,
            align=then(final, plan),
            temperature=temperature,
            sure=float(np.median(probabilities.max(axis=1))),
            verdict=verdict,
            training=_provenance(used, own, trials, scores, how) | earlier(plan),
        ),
        scores=scores,
        verdict=verdict,
        permutation=how,
        trials={name: int((trials.y == i).sum()) for i, name in enumerate(plan.classes)},
        rejected=trials.rejected,
        refused=refused,
        latency=[
            {"file": names[run], "lag_ms": round(1000 * shift / recipe.rate, 1)}
            for run, shift in final.shifts.items()
        ],
        held_out=(trials.y, probabilities),
        pretrained=known,
    )


def check_trials(
    trials: Trials, refused: list[RefusedRecording], plan: CalibrationSettings
) -> None:
    """Check the trials; raises ``NoUsableSignal`` or ``BadInput`` if too few are usable."""
    said = "; ".join(f"{each.file} {each.reason}" for each in refused)
    if not len(trials):
        raise NoUsableSignal(said or "no trials at all")
    for number, name in enumerate(plan.classes):
        usable = int((trials.kept & (trials.y == number)).sum())
        if usable < FEWEST_KEPT:
            whole = int((trials.y == number).sum())
            raise NoUsableSignal(
                f"class {name} has {usable} usable trials of {whole}, at least {FEWEST_KEPT} are "
                f"needed; record more" + (f" ({said})" if said else "")
            )
    if forms_class_blocks(trials.y, trials.run, len(plan.classes)):
        raise BadInput(
            "the order of trials forms class blocks, so that a decoder could learn the time "
            "instead of the class and no accuracy would be honest; record with classes intermixed"
        )


def fit(trials: Trials, chosen: np.ndarray, recipe: Recipe, plan: CalibrationSettings) -> Fitted:
    """Decoder fitted to the trials ``chosen`` (numbers, in time order)."""
    y = trials.y[chosen]
    spare = fit_interpolation(
        recipe, [trials.x[i] for i in chosen], [trials.missing[i] for i in chosen]
    )
    cut = [mended(recipe, spare, trials, i) for i in chosen]
    unshifted = np.stack([decoder_input(recipe, each, 0) for each in cut])
    if plan.kind == "oscillation":
        prepared = oscillation.prepare(
            unshifted,
            plan.classes,
            recipe.decoder_rate,
            recipe.bands[0],
            plan.frequencies,
            recipe.channels,
        )
        decoder, reason = prepared.fit(y)
        return Fitted(decoder, None, prepared, reason, unshifted, {}, spare, "oscillation")
    if plan.update is not None:
        template = plan.update.template
        x, shifts = latency_template.as_before(trials, chosen, cut, unshifted, recipe, template)
        new = updating.fit_updated(x, y, recipe, plan.update)
        family = updating.family_of(plan.update)
        return Fitted(new.decoder, template, None, new.reason, x, shifts, spare, family)
    x, template, shifts = latency_template.aligned(trials, chosen, cut, unshifted, recipe)
    if plan.backbone is None:
        decoder = evoked.fit(x, y, plan.classes, recipe.decoder_rate)
        return Fitted(decoder, template, None, evoked.NAME, x, shifts, spare)
    found = stacking.fit_stacked(
        x, y, plan.classes, recipe, plan.backbone, member_spans(recipe, plan), plan.tune
    )
    return Fitted(
        found.decoder, template, None, found.reason, x, shifts, spare, "stacked", found.tuned
    )


def then(fitted: Fitted, plan: CalibrationSettings) -> Array | None:
    """Covariance reference for re-centring recent trials, if requested."""
    return reference(fitted.x) if plan.align else None


def member_spans(recipe: Recipe, plan: CalibrationSettings) -> Array:
    """Samples ``(2, 2)`` of the decoder's window used by closed form and network."""
    assert plan.backbone is not None
    return stacking.spans(recipe, (recipe.look[0] + 0.1, recipe.look[1]), plan.backbone.window)


def mended(recipe: Recipe, spare: Interpolation | None, trials: Trials, i: int) -> Samples:
    """Window of trial ``i`` as cut, with bad electrodes interpolated."""
    if spare is None:
        return trials.x[i]
    return whole(recipe, spare, trials.x[i], recipe.first, None, trials.missing[i])[0]


def test_blocks(
    trials: Trials,
    blocks: np.ndarray,
    recipe: Recipe,
    plan: CalibrationSettings,
    progress: Progress,
) -> tuple[list[OuterPart], Array]:
    """Outer parts with their decoders, and out-of-block log-odds (trials, classes)."""
    logits = np.zeros((len(trials), len(plan.classes)))
    parts: list[OuterPart] = []
    outer = outer_parts(trials, blocks, recipe.last - recipe.first)
    for number, (train, test) in enumerate(outer):
        progress("testing on unseen blocks", number, len(outer))
        counts = np.bincount(trials.y[train], minlength=len(plan.classes))
        if counts.min() < 2:
            name = plan.classes[int(counts.argmin())]
            raise NoUsableSignal(
                f"class {name} has only {counts.min()} usable trials outside one block of time; "
                "record more, with classes intermixed"
            )
        fitted = fit(trials, train, recipe, plan)
        judge = Scorer(recipe, fitted.decoder, fitted.template, fitted.spare, then(fitted, plan))
        windows = []
        for i in test:
            logits[i], lag, *_ = judge(trials.x[i], missing=trials.missing[i])
            windows.append(
                latency_template.shifted(recipe, mended(recipe, fitted.spare, trials, i), lag)
            )
        parts.append(part_of(fitted, train, test, np.stack(windows)))
    progress("testing on unseen blocks", len(outer), len(outer))
    return parts, logits


def part_of(fitted: Fitted, train: np.ndarray, test: np.ndarray, x: Array) -> OuterPart:
    """Input of the permutation test for one outer part; ``x`` the decoder windows of ``test``."""
    decoder, tuned = fitted.decoder, fitted.tuned
    if isinstance(decoder, UpdatedDecoder):
        a, b = decoder.span.astype(int)
        closed = [each[:, : stacking.STREAMS, :, a:b] for each in (fitted.x, x)]
        old = np.stack([decoder.old.logits(each) for each in x])
        return OuterPart(train, test, closed[0], closed[1], decoder.fresh, None, None, old)
    if tuned is None:
        return OuterPart(train, test, fitted.x, x, decoder, fitted.prepared)
    assert isinstance(decoder, StackedDecoder)
    a, b = decoder.spans.astype(int)
    closed = [each[:, : stacking.STREAMS, :, a[0] : a[1]] for each in (fitted.x, x)]
    unseen = tuned.look(x[:, -1, :, b[0] : b[1]])
    return OuterPart(train, test, closed[0], closed[1], decoder.closed, None, (tuned.known, unseen))


def earlier(plan: CalibrationSettings) -> dict[str, object]:
    """Training runs of the bundle or backbone used, so that none of them is taken for a test."""
    found = learnt(plan.update.training) if plan.update else []
    if plan.backbone is not None:
        runs = plan.backbone.runs("training", "validation")
        found += [each for each in runs if same_subject(each["name"].split("_")[0], plan.subject)]
    return {"earlier": found} if found else {}


def pretrained_on(own: list[str], plan: CalibrationSettings) -> int:
    """Number of the trial hashes ``own`` that the backbone was trained on, for any subject."""
    if plan.backbone is None:
        return 0
    runs = plan.backbone.runs("training", "validation")
    known = {mark for each in runs for mark in each["marks"].split()}
    return sum(mark in known for each in own for mark in each.split())


def _provenance(
    used: list[Recording], own: list[str], trials: Trials, scores: Scores | None, how: str
) -> dict[str, object]:
    """Training record stored in the bundle; file names without their folders."""
    files = [
        {
            "name": Path(each.provenance.paths[0]).name,
            "sha256": each.provenance.sha256,
            "marks": own[number],
            "trials": int((trials.run == number).sum()),
            "used_for_training": int(((trials.run == number) & trials.kept).sum()),
        }
        for number, each in enumerate(used)
    ]
    known: dict[str, object] = {"files": files, "permutation": how}
    if scores is not None:
        known |= {
            "n": scores.n,
            "accuracy": scores.accuracy,
            "balanced_accuracy": scores.balanced_accuracy,
            "balanced_accuracy_ci95": list(scores.balanced_accuracy_ci95),
            "auc": scores.auc,
            "auc_ci95": list(scores.auc_ci95),
            "chance": scores.chance,
            "p_value": scores.p_value,
        }
    return known
