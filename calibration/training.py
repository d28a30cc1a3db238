"""From recordings to a subject bundle and the truth about it.

Everything that is fitted or chosen sees training trials only. The figures are counted on blocks
of time that nothing has seen, decoded by the same code as live.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from calibration import evoked, latency, oscillation
from calibration.permutation import Part, permutation_test
from calibration.trials import Refused, Trials, collect
from calibration.validation import (
    FEWEST_KEPT,
    fit_temperature,
    forms_class_blocks,
    outer_parts,
    time_blocks,
)
from rtbci.bundle import RATE_TOLERANCE, Bundle
from rtbci.decoders.evoked import EvokedDecoder
from rtbci.decoders.oscillation import OscillationDecoder
from rtbci.errors import BadInput, NoUsableSignal
from rtbci.judge import Judge, decoder_input, softmax
from rtbci.latency import Template
from rtbci.quality import mains_hum
from rtbci.recipe import EVOKED_BANDS, EVOKED_WINDOW, Recipe, make_recipe
from rtbci.recording import Recording
from rtbci.stats import Scores, score, verdict
from rtbci.types import Array

LONG_WINDOW = 1.5  # s, from which a window is taken to hold an oscillation
OSCILLATION_WINDOW = (0.15, 3.0)  # s
OSCILLATION_BAND, FLICKER_BAND = (8.0, 30.0), (6.0, 55.0)  # Hz
EARLIEST, LATEST = -5.0, 30.0  # s, of any window
SHORTEST = {"evoked": 0.05, "oscillation": 0.25}  # s
REJECT = 100.0  # uV peak to peak, in training

Progress = Callable[[str, int, int], None]  # stage, done, of


@dataclass(frozen=True)
class Plan:
    """What a person asked for; None where the default is to be taken."""

    subject: str
    labels: Mapping[str, str]  # marker text to class, in the order given
    channels: tuple[str, ...] | None = None
    paradigm: str | None = None  # "evoked" or "oscillation"
    window: tuple[float, float] | None = None
    band: tuple[float, float] | None = None
    frequencies: tuple[float, ...] = ()
    reject: float | None = REJECT
    line: float | str | None = "auto"  # Hz, "auto" or None
    reference: str | tuple[str, ...] | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names without repeats, in the order given."""
        return tuple(dict.fromkeys(self.labels.values()))

    @property
    def kind(self) -> str:
        """The paradigm: as asked, else an oscillation for flicker and for long windows."""
        long = self.window is not None and self.window[1] - self.window[0] >= LONG_WINDOW
        return self.paradigm or ("oscillation" if self.frequencies or long else "evoked")


@dataclass(frozen=True)
class Fitted:
    """A decoder and all that was learnt beside it."""

    decoder: EvokedDecoder | OscillationDecoder
    template: Template | None
    prepared: oscillation.Prepared | None
    reason: str
    x: Array  # the decoder windows it was trained on
    shifts: dict[int, int]  # recording to shift, samples


@dataclass(frozen=True)
class Result:
    """A bundle that is not saved yet, and what is known about it."""

    bundle: Bundle
    scores: Scores | None  # None where labels were not shuffled
    verdict: str
    reason: str
    permutation: str
    trials: dict[str, int]  # class to number
    rejected: Mapping[str, int]
    refused: list[Refused]
    latency: list[dict[str, object]]  # file, lag_ms
    held_out: tuple[np.ndarray, Array]  # true class and probabilities of every test trial


def calibrate(
    recordings: list[Recording], plan: Plan, progress: Progress, *, permute: bool = True
) -> Result:
    """Fit a decoder on ``recordings`` (in time order) and count how good it is.

    Without ``permute`` the p-value and the verdict, which take most of the time, are left out.
    Raises ``BadInput`` for a plan that does not fit, ``NoUsableSignal`` where nothing is left.
    """
    check_plan(plan)
    recipe = plan_recipe(recordings, plan)
    progress("cutting trials", 0, 1)
    trials, used, refused = collect(recordings, recipe, plan.labels, plan.classes, plan.frequencies)
    progress("cutting trials", 1, 1)
    check_trials(trials, refused, plan)
    everything = np.flatnonzero(trials.kept)
    final = fit(trials, everything, recipe, plan)
    blocks = time_blocks(trials.run)
    parts, logits = test_blocks(trials, blocks, recipe, plan, progress)
    temperature = fit_temperature(logits, trials.y)
    probabilities = softmax(logits / temperature)
    scores, said, reason, how = None, "not tested", "no labels were shuffled", "none"
    if permute:
        p, null, how = permutation_test(
            parts,
            trials.y,
            blocks,
            recipe.decoder_rate,
            lambda done, of: progress("shuffling labels", done, of),
        )
        scores = score(trials.y, softmax(logits), p, len(null))
        said, reason = verdict(scores)
    names = [Path(each.provenance.paths[0]).name for each in used]
    return Result(
        bundle=Bundle(
            subject=plan.subject,
            paradigm=plan.kind,
            family=plan.kind,
            described=final.reason,
            labels=dict(plan.labels),
            frequencies=plan.frequencies,
            recipe=recipe,
            decoder=final.decoder,
            template=final.template,
            temperature=temperature,
            sure=float(np.median(probabilities.max(axis=1))),
            verdict=said,
            training=_provenance(used, trials, scores, how),
        ),
        scores=scores,
        verdict=said,
        reason=reason,
        permutation=how,
        trials={name: int((trials.y == i).sum()) for i, name in enumerate(plan.classes)},
        rejected=trials.rejected,
        refused=refused,
        latency=[
            {"file": names[run], "lag_ms": round(1000 * shift / recipe.rate, 1)}
            for run, shift in final.shifts.items()
        ],
        held_out=(trials.y, probabilities),
    )


def check_plan(plan: Plan) -> None:
    """Raises ``BadInput`` for labels, windows or frequencies that contradict each other."""
    if len(plan.classes) < 2:
        raise BadInput(
            f"--labels names {len(plan.classes)} class; a decoder needs two, e.g. 1=house,2=face"
        )
    if plan.frequencies and len(plan.frequencies) != len(plan.classes):
        raise BadInput(
            f"{len(plan.frequencies)} frequencies for {len(plan.classes)} classes "
            f"({', '.join(plan.classes)}); give one for each, in the order of --labels"
        )
    if plan.window is not None:
        a, b = plan.window
        shortest = SHORTEST[plan.kind]
        if not EARLIEST <= a < b <= LATEST or b - a < shortest:
            raise BadInput(
                f"window {a:g} to {b:g} s does not fit: begin and end lie between {EARLIEST:g} and "
                f"{LATEST:g} s after the marker, {shortest:g} s or more apart"
            )
    if plan.frequencies and plan.kind == "evoked":
        raise BadInput("--frequencies belong to --paradigm oscillation; leave one of them out")


def plan_recipe(recordings: list[Recording], plan: Plan) -> Recipe:
    """The label-free recipe for a plan; raises ``BadInput`` where recordings differ too much."""
    if not recordings:
        raise BadInput("no recording given; name one or more with --from")
    first = recordings[0]
    channels = plan.channels or first.eeg_channels
    if not channels:
        raise BadInput(
            f"{first.provenance.paths[0]} has no EEG channel, only "
            f"{', '.join(first.info.channels)}; name the electrodes with --channels"
        )
    for other in recordings:
        if abs(other.info.rate / first.info.rate - 1) > RATE_TOLERANCE:
            raise BadInput(
                f"{other.provenance.paths[0]} runs at {other.info.rate:g} Hz, "
                f"{first.provenance.paths[0]} at {first.info.rate:g} Hz; calibrate on one rate"
            )
        missing = [name for name in channels if name not in other.info.channels]
        if missing:
            raise BadInput(
                f"{other.provenance.paths[0]} has no channel {', '.join(missing)}; it has "
                f"{', '.join(other.info.channels)} (choose with --channels, map with --rename)"
            )
    if isinstance(plan.reference, tuple):
        strange = [name for name in plan.reference if name not in channels]
        if strange:
            raise BadInput(f"reference {', '.join(strange)} is none of {', '.join(channels)}")
    if plan.kind == "evoked":
        bands = (plan.band, plan.band) if plan.band else EVOKED_BANDS
        window = plan.window or EVOKED_WINDOW
    else:
        band = plan.band or (FLICKER_BAND if plan.frequencies else OSCILLATION_BAND)
        bands = tuple(oscillation.filter_bank(band, plan.frequencies))
        window = plan.window or OSCILLATION_WINDOW
    line = plan.line
    if line == "auto":
        hum = mains_hum(first, first.info.columns(channels))
        line = hum if hum is not None and hum <= max(high for _, high in bands) else None
    assert not isinstance(line, str)
    return make_recipe(
        first.info.rate,
        channels,
        bands=bands,
        window=window,
        gate=plan.kind == "evoked",
        reject=plan.reject,
        line=line,
        reference=plan.reference,
    )


def check_trials(trials: Trials, refused: list[Refused], plan: Plan) -> None:
    """Raises ``NoUsableSignal`` or ``BadInput`` where no honest decoder can come of the trials."""
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


def fit(trials: Trials, chosen: np.ndarray, recipe: Recipe, plan: Plan) -> Fitted:
    """A decoder from the trials ``chosen`` (numbers, in time order)."""
    y = trials.y[chosen]
    if recipe.lag == 0:
        x = np.stack([decoder_input(recipe, trials.x[i], 0) for i in chosen])
        prepared = oscillation.prepare(
            x,
            plan.classes,
            recipe.decoder_rate,
            recipe.bands[0],
            plan.frequencies,
            recipe.channels,
        )
        decoder, reason = prepared.fit(y)
        return Fitted(decoder, None, prepared, reason, x, {})
    unshifted = np.stack([decoder_input(recipe, trials.x[i], 0) for i in chosen])
    projection = evoked.fit_projection(np.clip(unshifted[:, 0], -evoked.CLIP, evoked.CLIP))
    runs = list(dict.fromkeys(trials.run[chosen].tolist()))
    by_run = [[trials.x[i] for i in chosen if trials.run[i] == run] for run in runs]
    shifts = dict(zip(runs, latency.align(recipe, by_run, projection), strict=True))
    lags = [shifts[int(trials.run[i])] for i in chosen]
    x = unshifted
    if any(lags):
        x = np.stack(
            [shifted(recipe, trials.x[i], lag) for i, lag in zip(chosen, lags, strict=True)]
        )
    decoder = evoked.fit(x, y, plan.classes, recipe.decoder_rate)
    template = latency.fit_template(recipe, [trials.x[i] for i in chosen], lags, projection)
    return Fitted(decoder, template, None, evoked.NAME, x, shifts)


def shifted(recipe: Recipe, x: np.ndarray, lag: int) -> Array:
    """The decoder window at ``lag`` samples, or at 0 where the margin is not there."""
    window = decoder_input(recipe, x, lag)
    return window if np.isfinite(window).all() else decoder_input(recipe, x, 0)


def test_blocks(
    trials: Trials, blocks: np.ndarray, recipe: Recipe, plan: Plan, progress: Progress
) -> tuple[list[Part], Array]:
    """The outer parts with their decoders, and log-odds (trials, classes) of every trial."""
    logits = np.zeros((len(trials), len(plan.classes)))
    parts: list[Part] = []
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
        judge = Judge(recipe, fitted.decoder, fitted.template)
        windows = []
        for i in test:
            logits[i], lag, _ = judge(trials.x[i])
            windows.append(shifted(recipe, trials.x[i], lag))
        parts.append(
            Part(train, test, fitted.x, np.stack(windows), fitted.decoder, fitted.prepared)
        )
    progress("testing on unseen blocks", len(outer), len(outer))
    return parts, logits


def _provenance(
    used: list[Recording], trials: Trials, scores: Scores | None, how: str
) -> dict[str, object]:
    """What the bundle remembers of its training; file names without their folders."""
    files = [
        {
            "name": Path(each.provenance.paths[0]).name,
            "sha256": each.provenance.sha256,
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
