"""``rtbci calibrate``: recordings of one person in, a subject bundle and the truth about it out."""

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from rtbci.commands.options import (
    add_reading_options,
    check_files,
    check_out,
    labels,
    names,
    read_file,
    subject_id,
)
from rtbci.errors import BadInput, Missing
from rtbci.signal.limits import REJECT
from rtbci.subjects import same_subject, subject_of
from rtbci.terminal import progress_bar, say, stages

if TYPE_CHECKING:
    from calibration.fitting.training import CalibrationSettings, Result
    from calibration.pretraining import PretrainedBackbone
    from rtbci.decoding.bundle import Bundle
    from rtbci.statistics.scores import Scores

HELP = """Train a decoder for one person from recordings and count how good it is.

  rtbci calibrate --subject 02 --from run1.xdf run2.xdf --labels 1=house,2=face

Evoked responses (default): covariances of the trial beside class averages
and xDAWN, shrinkage LDA, 0.1 to 0.8 s. Oscillations (with --frequencies, or
a window of 1.5 s or more): filter-bank covariances and, for flicker,
canonical correlation. Accuracy is counted on blocks of time that nothing has
seen."""
MOST_NAMES = 16  # electrodes that are listed one by one
BUNDLES = Path("bundles")  # where bundles lie unless told otherwise


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Fill the parser of the command."""
    parser.add_argument("--headless", action="store_true", help="no window (there is none yet)")
    parser.add_argument(
        "--subject", type=subject_id, required=True, metavar="ID", help="pseudonym, e.g. 02"
    )
    parser.add_argument(
        "--from", dest="files", type=Path, nargs="+", action="extend", required=True,
        metavar="FILE",
        help="recordings, in the order in which they were made",
    )  # fmt: skip
    parser.add_argument(
        "--labels", type=labels, metavar="CODE=NAME,...",
        help="markers and classes; epochs with class names need none",
    )  # fmt: skip
    parser.add_argument(
        "--backbone", type=Path, metavar="DIR",
        help="a pretrained network (rtbci pretrain): fine-tuned, and stacked where it helps",
    )  # fmt: skip
    parser.add_argument(
        "--tune", choices=("quick", "heads", "trunk"), default="quick",
        help="of the backbone: a head at once; alignment and head by gradient (minutes); and the "
             "trunk [quick]",
    )  # fmt: skip
    parser.add_argument(
        "--update", type=Path, metavar="BUNDLE",
        help="an earlier bundle of this person: brought up to date with these fresh trials",
    )  # fmt: skip
    parser.add_argument(
        "--align", action="store_true",
        help="follow gains and cap of a session by its recent trials, without labels [off]",
    )  # fmt: skip
    add_decoder_options(parser)
    parser.add_argument(
        "--out", type=Path, default=BUNDLES, metavar="DIR", help="where bundles go [bundles]"
    )
    parser.add_argument("--json", action="store_true", help="the result as one JSON object")
    add_reading_options(parser)


def add_decoder_options(parser: argparse.ArgumentParser) -> None:
    """What is decoded, and how; ``rtbci replay`` takes the same when it has to calibrate."""
    group = parser.add_argument_group("what is decoded")
    group.add_argument("--paradigm", choices=("evoked", "oscillation"))
    group.add_argument(
        "--window", type=float, nargs=2, metavar=("A", "B"), help="s after the marker [0.1 0.8]"
    )
    group.add_argument(
        "--band", type=float, nargs=2, metavar=("LOW", "HIGH"), help="Hz [of the paradigm]"
    )
    group.add_argument(
        "--frequencies", type=numbers, default=(), metavar="F,...",
        help="Hz of the flicker of each class, in the order of --labels",
    )  # fmt: skip
    group.add_argument(
        "--reject", type=limit, default=REJECT, metavar="UV|none",
        help="training leaves out trials beyond this, uV peak to peak [100]",
    )  # fmt: skip
    group.add_argument(
        "--line", type=mains, default="auto", metavar="50|60|auto|none",
        help="notch against mains hum, where it reaches into the band [auto]",
    )  # fmt: skip
    group.add_argument(
        "--reference", type=reference, metavar="average|A,B", help="re-reference [as recorded]"
    )


def plan_of(
    args: argparse.Namespace,
    subject: str,
    marker_labels: dict[str, str],
    update: "Bundle | None" = None,
) -> "CalibrationSettings":
    """The plan that the options ask for; ``update`` is the earlier bundle, as ``earlier`` gives."""
    from calibration.fitting.training import CalibrationSettings

    backbone = None
    if getattr(args, "backbone", None):
        backbone = opened_backbone(args.backbone)
    elif getattr(args, "tune", "quick") != "quick":
        raise BadInput(f"--tune {args.tune} is how a network is fine-tuned; name one: --backbone")
    aligned = update is not None and update.align is not None
    return CalibrationSettings(
        subject=subject,
        labels=marker_labels,
        channels=args.channels,
        paradigm=args.paradigm,
        window=tuple(args.window) if args.window else None,
        band=tuple(args.band) if args.band else None,
        frequencies=args.frequencies,
        reject=args.reject,
        line=args.line,
        reference=args.reference,
        backbone=backbone,
        update=update,
        align=getattr(args, "align", False) or aligned,
        tune=getattr(args, "tune", "quick"),
    )


def opened_backbone(folder: Path) -> "PretrainedBackbone":
    """The pretrained network in ``folder``; raises ``Missing`` where torch is not installed."""
    if not (folder / "backbone.json").is_file():  # said at once: torch takes seconds to load
        raise BadInput(f"no pretrained backbone in {folder}; rtbci pretrain makes one")
    try:
        from calibration.pretraining import load_backbone
    except ImportError as error:
        raise Missing(
            f"--backbone needs torch, which does not load ({error}); pip install 'rtbci[deep]'"
        ) from error
    return load_backbone(folder)


def earlier(args: argparse.Namespace, subject: str) -> "Bundle":
    """The bundle to update; raises ``BadInput`` for options that would change what it is."""
    from rtbci.decoding.bundle import load_bundle

    bundle = load_bundle(args.update)
    if not same_subject(subject, bundle.subject):
        raise BadInput(f"{args.update} is of {bundle.subject}, not of {subject}; calibrate anew")
    given = {
        "backbone": args.backbone, "channels": args.channels, "paradigm": args.paradigm,
        "window": args.window, "band": args.band, "frequencies": args.frequencies,
        "reference": args.reference, "reject": args.reject != REJECT, "line": args.line != "auto",
        "tune": args.tune != "quick",
    }  # fmt: skip
    wrong = [f"--{name}" for name, value in given.items() if value]
    if wrong:
        raise BadInput(
            f"{', '.join(wrong)}: an update keeps how {args.update} decodes; leave them out, "
            "or calibrate anew without --update"
        )
    return bundle


def run(args: argparse.Namespace) -> int:
    """Calibrate, save the bundle, show the result."""
    from calibration.fitting.training import calibrate
    from calibration.fitting.trials import epoch_labels
    from rtbci.messages import line

    check_files(args.files)
    check_out(args.out)
    update = earlier(args, args.subject) if args.update else None
    recordings = [read_file(path, args) for path in args.files]
    known = args.labels or (dict(update.labels) if update else epoch_labels(recordings))
    plan = plan_of(args, args.subject, known, update)
    with progress_bar() as bar:
        result = calibrate(recordings, plan, stages(bar))
    left_out = {each.file for each in result.refused}
    for recording in recordings:
        if recording.provenance.paths[0] in left_out:
            continue
        path = Path(recording.provenance.paths[0])
        who = subject_of(path)
        if who is not None and not same_subject(who, args.subject):
            say(f"worth a look: {path.name}: names {who}, the bundle is of {args.subject}")
        for note in recording.provenance.notes:
            say(f"worth a look: {path.name}: {note}")
    for refused in result.refused:
        say(f"left out: {refused.file} {refused.reason}")
    for each in result.latency:
        if each["lag_ms"]:
            say(f"latency: {each['file']} shifted by {each['lag_ms']:+g} ms to fit the last one")
    folder = result.bundle.save(args.out)
    if args.json:
        print(line(result_json(result, folder)))
    else:
        show(result, folder)
    return 0


def result_json(result: "Result", folder: Path) -> dict[str, object]:
    """The result as programs read it."""
    from rtbci.statistics.scores import scores_json

    assert result.scores is not None
    return {
        "event": "calibrated",
        "verdict": result.verdict,
        "reason": result.reason,
        "n": result.scores.n,
        **scores_json(result.scores),
        "permutation": result.permutation,
        "trials": result.trials,
        "rejected": dict(result.rejected),
        "seen_in_pretraining": result.pretrained,
        "refused": [{"file": each.file, "reason": each.reason} for each in result.refused],
        "decoder": result.bundle.described,
        "paradigm": result.bundle.paradigm,
        "channels": list(result.bundle.recipe.channels),
        "settle_s": result.bundle.recipe.settle,
        "temperature": result.bundle.temperature,
        "latency": result.latency,
        "subject": result.bundle.subject,
        "bundle": str(folder),
    }


def show(result: "Result", folder: Path) -> None:
    """The result for a person, with the next step."""
    from rich.console import Console
    from rich.markup import escape
    from rich.panel import Panel
    from rich.table import Table

    scores = result.scores
    assert scores is not None
    console = Console(highlight=False)
    colour = {"GO": "green", "CAUTION": "yellow", "NO-GO": "red"}[result.verdict]
    console.print(
        Panel(f"[bold]{result.verdict}[/]  {escape(result.reason)}", border_style=colour, width=80)
    )
    seen = "every one in a block that its decoder has not seen"
    if result.pretrained:
        seen = f"of which the backbone has learnt from {result.pretrained}: these figures flatter"
    table = Table(box=None, padding=(0, 2), show_header=False)
    rows = [
        ("balanced accuracy", figure(scores.balanced_accuracy, scores.balanced_accuracy_ci95)),
        ("accuracy", figure(scores.accuracy, scores.accuracy_ci95)),
        ("AUC", f"{scores.auc:.3f}  [{scores.auc_ci95[0]:.3f}, {scores.auc_ci95[1]:.3f}]"),
        ("chance", chance(scores)),
        ("test trials", f"{scores.n}, {seen}"),
        ("p", f"{scores.p_value:.3g} ({result.permutation})"),
        ("trials", ", ".join(f"{name} {count}" for name, count in result.trials.items())),
        ("not trained on", ", ".join(f"{k}: {v}" for k, v in result.rejected.items()) or "none"),
        ("decoder", result.bundle.described),
        ("electrodes", listed(result.bundle.recipe.channels)),
        ("settling", f"{result.bundle.recipe.settle:.1f} s after a gap"),
    ]
    for name, value in rows:
        table.add_row(name, escape(value))
    console.print(table)
    console.print(f"  bundle: {escape(str(folder))}", soft_wrap=True)
    replay = f"rtbci replay FILE --bundle {shlex.quote(str(folder))} --speed max"
    advice, command = {
        "GO": ("decode another recording with it", replay),
        "CAUTION": ("record a few more minutes and add them with --from, or try it", replay),
        "NO-GO": (
            "look for bad electrodes and missing markers, then record more",
            "rtbci info FILE",
        ),
    }[result.verdict]
    if result.pretrained:
        who = result.bundle.subject.removeprefix("sub-")
        advice, command = "pretrain without this person", f"rtbci pretrain ... --leave-out {who}"
    console.print(f"\nnext: {advice}", style="dim")
    console.print(escape(f"  {command}"), soft_wrap=True)


def listed(channels: tuple[str, ...]) -> str:
    """All names of a small montage; how many, the first and the last of a large one."""
    if len(channels) <= MOST_NAMES:
        return ", ".join(channels)
    return f"{len(channels)}: {', '.join(channels[:4])}, ..., {channels[-1]}"


def chance(scores: "Scores") -> str:
    """The chance level, and what always naming the commonest class would reach."""
    text = f"{100 * scores.chance:.1f} % balanced"
    if scores.majority > scores.chance + 0.02:
        text += f"; always naming the commonest class: {100 * scores.majority:.1f} % accuracy"
    return text


def figure(value: float, interval: tuple[float, float]) -> str:
    """A share with its 95 % interval, in percent."""
    return f"{100 * value:.1f} %  [{100 * interval[0]:.1f}, {100 * interval[1]:.1f}]"


def numbers(text: str) -> tuple[float, ...]:
    """``30,20`` as floats above 0."""
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        found = ()
    if not found or not all(0 < value < 1000 for value in found) or len(set(found)) < len(found):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no list of different frequencies, e.g. 30,20"
        )
    return found


def limit(text: str) -> float | None:
    """Microvolts, or None for ``none``."""
    if text == "none":
        return None
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is neither microvolts above 0 nor none")
    return value


def mains(text: str) -> float | str | None:
    """50 or 60 Hz, ``auto`` or ``none``."""
    known = {"50": 50.0, "60": 60.0, "auto": "auto", "none": None}
    if text not in known:
        raise argparse.ArgumentTypeError(f"{text!r} is none of 50, 60, auto, none")
    return known[text]


def reference(text: str) -> str | tuple[str, ...] | None:
    """``average``, ``none`` or electrode names."""
    return (
        {"average": "average", "none": None}.get(text)
        if text in ("average", "none")
        else names(text)
    )
