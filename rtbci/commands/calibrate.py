"""``rtbci calibrate``: trains and tests a decoder for one person, and stores it as a bundle."""

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rtbci.commands.option_types import labels, subject_id
from rtbci.commands.options import (
    BUNDLES,
    add_decoder_options,
    add_reading_options,
    calibration_settings,
    check_files,
    check_out,
    given_decoder_options,
    reading_settings,
)
from rtbci.errors import BadInput, Missing
from rtbci.subjects import same_subject, subject_of
from rtbci.terminal import progress_bar, say, stages

if TYPE_CHECKING:
    from calibration.fitting.settings import CalibrationSettings
    from calibration.pretraining import PretrainedBackbone
    from rtbci.decoding.bundle import Bundle

HELP = """Train a decoder for one person from recordings, and test it.

  rtbci calibrate --subject 02 --from run1.xdf run2.xdf --labels 1=house,2=face

Evoked responses (default): covariances of the trial together with class
averages and xDAWN, shrinkage LDA, 0.1 to 0.8 s. Oscillations (with
--frequencies, or a window of 1.5 s or more): filter-bank covariances and, for
flicker, canonical correlation. Accuracy is measured on blocks of time that are
not used for training."""


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
        help="markers and classes; not needed for epochs with class names",
    )  # fmt: skip
    parser.add_argument(
        "--backbone", type=Path, metavar="DIR",
        help="a pretrained network (rtbci pretrain) to fine-tune, and to stack if that helps",
    )  # fmt: skip
    parser.add_argument(
        "--tune", choices=("quick", "heads", "trunk"), default="quick",
        help="how to fine-tune the network: quick, a new head only (seconds); heads, alignment "
             "and head by gradient descent (minutes); trunk, these and the trunk [quick]",
    )  # fmt: skip
    parser.add_argument(
        "--update", type=Path, metavar="BUNDLE",
        help="an earlier bundle of this person to update with these new trials",
    )  # fmt: skip
    parser.add_argument(
        "--align", action="store_true",
        help="adapt to gains and cap of a session by its recent trials, without labels [off]",
    )  # fmt: skip
    add_decoder_options(parser)
    parser.add_argument(
        "--out", type=Path, default=BUNDLES, metavar="DIR", help="folder for bundles [bundles]"
    )
    parser.add_argument("--json", action="store_true", help="the result as one JSON object")
    add_reading_options(parser)


def settings_of(
    args: argparse.Namespace, marker_labels: Mapping[str, str], update: "Bundle | None"
) -> "CalibrationSettings":
    """Calibration settings from the options; ``update`` is the bundle from ``earlier``."""
    backbone = None
    if args.backbone:
        backbone = opened_backbone(args.backbone)
    elif args.tune != "quick":
        raise BadInput(f"--tune {args.tune} needs a network to fine-tune; name one: --backbone")
    aligned = update is not None and update.align is not None
    return replace(
        calibration_settings(args, args.subject, marker_labels),
        backbone=backbone, update=update, align=args.align or aligned, tune=args.tune,
    )  # fmt: skip


def opened_backbone(folder: Path) -> "PretrainedBackbone":
    """Pretrained network in ``folder``; raises ``Missing`` if torch is not installed."""
    if not (folder / "backbone.json").is_file():  # checked first: torch takes seconds to load
        raise BadInput(f"no pretrained backbone in {folder}; rtbci pretrain makes one")
    try:
        from calibration.pretraining import load_backbone
    except ImportError as error:
        raise Missing(
            f"--backbone needs torch, which does not load ({error}); pip install 'rtbci[deep]'"
        ) from error
    return load_backbone(folder)


def earlier(args: argparse.Namespace, subject: str) -> "Bundle":
    """Bundle to update; raises ``BadInput`` for options that an update cannot change."""
    from rtbci.decoding.bundle import load_bundle

    bundle = load_bundle(args.update)
    if not same_subject(subject, bundle.subject):
        raise BadInput(f"{args.update} is of {bundle.subject}, not of {subject}; calibrate anew")
    wrong = [
        *(["--backbone"] if args.backbone else []),
        *(each for each in given_decoder_options(args) if each != "--labels"),
        *(["--tune"] if args.tune != "quick" else []),
    ]
    if wrong:
        raise BadInput(
            f"{', '.join(wrong)}: an update keeps how {args.update} decodes; leave them out, "
            "or calibrate anew without --update"
        )
    return bundle


def run(args: argparse.Namespace) -> int:
    """Calibrate, save the bundle and show the result; returns the exit code."""
    from calibration.fitting.summary import result_json, show_result
    from calibration.fitting.training import calibrate
    from calibration.fitting.trials import epoch_labels
    from rtbci.messages import line

    check_files(args.files)
    check_out(args.out)
    update = earlier(args, args.subject) if args.update else None
    reading = reading_settings(args)
    recordings = [reading.read(path) for path in args.files]
    known = args.labels or (dict(update.labels) if update else epoch_labels(recordings))
    plan = settings_of(args, known, update)
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
        show_result(result, folder)
    return 0
