"""Settings of a calibration, and the signal recipe derived from them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from calibration.fitting import oscillation
from rtbci.decoding.bundle import RATE_TOLERANCE, Bundle
from rtbci.errors import BadInput
from rtbci.signal.epoch_gaps import held_by_all, window_inside
from rtbci.signal.limits import REJECT
from rtbci.signal.quality import mains_hum
from rtbci.signal.recipe import EVOKED_BANDS, EVOKED_WINDOW, Recipe, make_recipe
from rtbci.signal.recording import Recording

if TYPE_CHECKING:
    from calibration.pretraining.folder import PretrainedBackbone

LONG_WINDOW = 1.5  # s; windows at least this long are taken to hold an oscillation
OSCILLATION_WINDOW = (0.15, 3.0)  # s
OSCILLATION_BAND, FLICKER_BAND = (8.0, 30.0), (6.0, 55.0)  # Hz
EARLIEST, LATEST = -5.0, 30.0  # s, of any window
SHORTEST = {"evoked": 0.05, "oscillation": 0.25}  # s


@dataclass(frozen=True)
class CalibrationSettings:
    """Settings requested for a calibration; None selects the default."""

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
    backbone: "PretrainedBackbone | None" = (
        None  # a pretrained network, to be fine-tuned and stacked
    )
    tune: str = "quick"  # a key of calibration.fitting.finetuning.TUNINGS
    align: bool = False  # undo electrode drift with recent trials by Riemannian re-centring
    update: Bundle | None = None  # earlier calibration of this participant to be updated

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names without repeats, in the order given; in the bundle's, for an update."""
        if self.update is not None:
            return self.update.decoder.classes
        return tuple(dict.fromkeys(self.labels.values()))

    @property
    def kind(self) -> str:
        """Paradigm: as requested, otherwise oscillation for flicker and long windows."""
        long = self.window is not None and self.window[1] - self.window[0] >= LONG_WINDOW
        return self.paradigm or ("oscillation" if self.frequencies or long else "evoked")


def check_settings(plan: CalibrationSettings) -> None:
    """Check settings; raises ``BadInput`` for contradictory labels, windows or frequencies."""
    if len(plan.classes) < 2:
        count = f"{len(plan.classes)} class{'' if len(plan.classes) == 1 else 'es'}"
        raise BadInput(f"--labels names {count}; a decoder needs two, e.g. 1=house,2=face")
    if plan.frequencies and len(plan.frequencies) != len(plan.classes):
        n = len(plan.frequencies)
        raise BadInput(
            f"{n} frequenc{'y' if n == 1 else 'ies'} for {len(plan.classes)} classes "
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
    if plan.backbone is not None and plan.kind != "evoked":
        why = "--paradigm" if plan.paradigm else "--frequencies" if plan.frequencies else "--window"
        raise BadInput(
            f"--backbone belongs to evoked responses, and {why} asks for an oscillation; leave one "
            "of them out"
        )


def plan_recipe(recordings: list[Recording], plan: CalibrationSettings) -> Recipe:
    """Label-free signal recipe; raises ``BadInput`` if the recordings differ too much."""
    if not recordings:
        raise BadInput("no recording given; name one or more with --from")
    if plan.update is not None:
        for each in recordings:
            plan.update.resolve(each.info)
        named = set(plan.labels.values())
        if named != set(plan.classes):
            raise BadInput(
                f"the bundle decodes {', '.join(plan.classes)}, --labels names "
                f"{', '.join(sorted(named))}; an update keeps the classes"
            )
        return plan.update.recipe
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
        look = (window[0] - 0.1, window[1])
    else:
        band = plan.band or (FLICKER_BAND if plan.frequencies else OSCILLATION_BAND)
        bands = tuple(oscillation.filter_bank(band, plan.frequencies))
        window = look = plan.window or OSCILLATION_WINDOW
    if plan.backbone is not None:
        bands = (*bands, plan.backbone.band)
        seen = plan.backbone.window
        window = min(window[0], seen[0]), max(window[1], seen[1])
    held = held_by_all(recordings, plan.labels)
    if held is not None:
        window = window_inside(held, plan.window, window, SHORTEST[plan.kind])
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
        look=look,
        line=line,
        reference=plan.reference,
        held=held,
    )
