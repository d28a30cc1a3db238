"""``rtbci replay``: recordings decoded as if they were live."""

import argparse
import math
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rtbci.commands import calibrate
from rtbci.errors import BadInput
from rtbci.options import (
    add_reading_options,
    check_files,
    labels,
    progress_bar,
    read_file,
    same_subject,
    say,
    stages,
    subject_of,
)

if TYPE_CHECKING:
    from rtbci.bundle import Bundle
    from rtbci.recording import Recording
    from rtbci.replay import Tally

HELP = """Decode recordings as if they were live, one after the other.

  rtbci replay run3.xdf --bundle bundles/sub-02 --speed max

Without --bundle the newest bundle of the subject that the path names is
taken, from ./bundles. Without one, or with --labels, the first 60 % of the
runs calibrate and the rest is replayed."""
CALIBRATED_SHARE = 0.6  # of the runs, where there is no bundle
DECODER_OPTIONS = {  # and their defaults; a bundle overrides them
    "channels": None, "labels": None, "paradigm": None, "window": None, "band": None,
    "frequencies": (), "reject": 100.0, "line": "auto", "reference": None,
}  # fmt: skip
FEWEST_OF_A_LABEL = 10  # markers that make a class, where nobody named the classes
MOST_LABELS = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Fill the parser of the command."""
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="recordings, in order")
    parser.add_argument(
        "--bundle", type=Path, metavar="DIR", help="a bundle, or a folder (its newest)"
    )
    parser.add_argument("--speed", type=speed, default=None, metavar="max", help="only max yet")
    parser.add_argument("--headless", action="store_true", help="no window (there is none yet)")
    parser.add_argument("--picture", type=Path, metavar="FILE.png", help="draw the session")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument(
        "--labels", type=labels, metavar="CODE=NAME,...", help="classes, where it must calibrate"
    )
    calibrate.add_decoder_options(parser)
    add_reading_options(parser)


def run(args: argparse.Namespace) -> int:
    """Replay every file, print decisions and the summary."""
    from rtbci.messages import decision_json, line
    from rtbci.replay import Tally, replay, scores_of, speed_reached, summary

    check_files(args.files)
    bundle, files, first, said = choose(args)
    (say if args.json else print)(said)
    if args.picture and args.picture.suffix.lower() != ".png":
        raise BadInput(f"{args.picture} is no .png; the picture is one")
    warn(args, bundle)
    tally = Tally()
    began = time.perf_counter()
    with progress_bar() as bar:
        task = bar.add_task("replaying", total=len(files))
        for number, path in enumerate(files):
            if number == 0 and first is not None:
                recording, after = first
            else:
                recording, after = read_file(path, args), None
            more = {"file": path.name} if len(files) > 1 else {}
            for decision in replay(recording, bundle, tally, after):
                if args.json:
                    print(line(decision_json(decision, **more)), flush=True)
            bar.update(task, advance=1)
    wall = time.perf_counter() - began
    scores = scores_of(tally, bundle)
    result = summary(tally, bundle, scores)
    result["real_time_factor"] = speed_reached(tally.seconds, wall)
    if not tally.decisions:
        known = ", ".join(bundle.labels)
        say(f"no event to decode: none of the markers is one of {known} (see rtbci info FILE)")
    for each in tally.dead:
        say(f"no reliable signal in {each}; its events were not decoded")
    for name in tally.seen:
        say(f"{name} was used to train this bundle: its figures are no test")
    if args.json:
        print(line(result), flush=True)
        say(f"{tally.seconds:.0f} s replayed in {wall:.2f} s: {tally.seconds / wall:.0f} x")
    else:
        show(result, tally, wall)
    if args.picture:
        from rtbci.picture import session_picture

        what = files[0].name if len(files) == 1 else f"{len(files)} recordings"
        title = f"{bundle.subject}: {what}"
        session_picture(args.picture, tally.decisions, scores, title, bundle.decoder.classes)
        say(f"picture: {args.picture}")
    return 0


Start = tuple["Recording", int | None]  # a recording, and the first onset that counts


def choose(args: argparse.Namespace) -> "tuple[Bundle, list[Path], Start | None, str]":
    """The bundle, the files to replay, the first of them if it is read already, and a sentence."""
    from rtbci.bundle import load_bundle, newest_bundle

    if args.bundle:
        bundle = load_bundle(args.bundle)
        return bundle, args.files, None, f"decoding with {describe(bundle)}"
    subject = subject_of(args.files[0].absolute())
    if subject and not args.labels:
        for home in sorted(calibrate.BUNDLES.glob("*")):
            if same_subject(home.name, subject) and newest_bundle(home):
                bundle = load_bundle(home)
                return bundle, args.files, None, f"decoding with the newest {describe(bundle)}"
    return from_first_runs(args, subject or "sub-unnamed")


def warn(args: argparse.Namespace, bundle: "Bundle") -> None:
    """Say what a person may not expect: options that a bundle overrides, another subject."""
    if bundle.path is None:
        return
    given = {name: getattr(args, name) for name in DECODER_OPTIONS}
    ignored = [f"--{name}" for name, value in given.items() if value != DECODER_OPTIONS[name]]
    if ignored:
        say(f"{', '.join(ignored)}: not used, the bundle says how to decode")
    strangers = {subject_of(path) for path in args.files} - {None}
    for each in sorted(strangers, key=str):
        if not same_subject(str(each), bundle.subject):
            say(f"the path names {each}, the bundle is of {bundle.subject}")


def from_first_runs(
    args: argparse.Namespace, subject: str
) -> "tuple[Bundle, list[Path], Start | None, str]":
    """Calibrate on the first 60 % of the runs (of the events, where there is one run only)."""
    from calibration.training import calibrate as train
    from calibration.trials import EPOCHS
    from rtbci.recipe import Recipe

    count = len(args.files)
    n = min(count - 1, math.ceil(CALIBRATED_SHARE * count)) if count > 1 else 1
    recordings = [read_file(path, args) for path in args.files[:n]]
    for recording in recordings:
        if recording.epoch_rows is not None:
            raise BadInput(f"{recording.provenance.paths[0]} {EPOCHS}")
    marker_labels = args.labels or guess_labels(recordings)
    start: Start | None = None
    if count == 1:
        recording = recordings[0]
        events = sorted(m.index for m in recording.markers if m.label in marker_labels)
        cut = math.ceil(CALIBRATED_SHARE * len(events))
        if cut >= len(events):
            raise BadInput(f"{args.files[0]} has {len(events)} events; too few to calibrate")
        early = tuple(m for m in recording.markers if m.index < events[cut])
        recordings = [replace(recording, markers=early)]
        start = (recording, events[cut])
    plan = calibrate.plan_of(args, subject, marker_labels)
    with progress_bar() as bar:
        result = train(recordings, plan, stages(bar), permute=False)
    recipe: Recipe = result.bundle.recipe
    if start is not None and start[1] is not None:  # windows that share signal are no test
        start = (start[0], start[1] + recipe.last - recipe.first)
    for refused in result.refused:
        say(f"left out: {refused.file} {refused.reason}")
    what = f"the first {n} of {count} runs" if count > 1 else "the first 60 % of the events"
    classes = ", ".join(f"{code}={name}" for code, name in marker_labels.items())
    sentence = f"no bundle: {what} calibrate ({classes}), the rest is replayed"
    return result.bundle, args.files[n:] if count > 1 else args.files, start, sentence


def guess_labels(recordings: "list[Recording]") -> dict[str, str]:
    """Every marker text that occurs ten times is a class; raises ``BadInput`` for fewer than 2."""
    counts = Counter(marker.label for each in recordings for marker in each.markers)
    found = sorted(label for label, count in counts.items() if count >= FEWEST_OF_A_LABEL)
    if not 2 <= len(found) <= MOST_LABELS:
        shown = ", ".join(f"{label} ({count})" for label, count in counts.most_common(8)) or "none"
        raise BadInput(
            f"cannot tell the classes from the markers: {shown}; name them with --labels, "
            "e.g. --labels 1=house,2=face, or give a --bundle"
        )
    return {label: label for label in found}


def describe(bundle: "Bundle") -> str:
    """One line about a bundle."""
    classes = ", ".join(bundle.decoder.classes)
    return f"bundle {bundle.path} of {bundle.subject} ({classes}; {bundle.verdict})"


def show(result: dict[str, object], tally: "Tally", wall: float) -> None:
    """The summary for a person."""
    from rich.console import Console
    from rich.markup import escape
    from rich.panel import Panel
    from rich.table import Table

    from rtbci.replay import reasons

    console = Console(highlight=False)
    colour = {"GO": "green", "CAUTION": "yellow"}.get(str(result["verdict"]), "red")
    text = escape(str(result["reason"]))
    console.print(Panel(text, border_style=colour, width=80))
    table = Table(box=None, padding=(0, 2), show_header=False)
    events = f"{result['n_events']}, {result['n_decided']} decided, {result['n_rejected']} rejected"
    rows = [("events", events)]
    rows += [("  rejected", f"{why}: {n}") for why, n in sorted(reasons(tally).items())]
    for key, name in (
        ("balanced_accuracy", "balanced accuracy"), ("accuracy", "accuracy"), ("auc", "AUC"),
    ):  # fmt: skip
        rows.append((name, shown(result[key], result[f"{key}_ci95"], percent=key != "auc")))
    rows += [
        ("chance", shown(result["chance"])),
        ("p", "-" if result["p_value"] is None else f"{result['p_value']:.3g}"),
        ("when sure", f"{shown(result['accuracy_when_sure'])} of the surer "
                      f"{shown(result['share_sure'])} of decisions"),
        ("gaps", str(result["gaps"])),
        ("speed", f"{tally.seconds:.0f} s in {wall:.1f} s, {tally.seconds / wall:.0f} x real time"),
    ]  # fmt: skip
    for name, value in rows:
        table.add_row(name, escape(value))
    console.print(table)


def shown(value: object, interval: object = None, percent: bool = True) -> str:
    """A share with its interval, or ``-`` for what was not measured."""
    if not isinstance(value, float):
        return "-"
    text = f"{100 * value:.1f} %" if percent else f"{value:.3f}"
    if isinstance(interval, tuple):
        low, high = interval
        text += (
            f"  [{100 * low:.1f}, {100 * high:.1f}]" if percent else f"  [{low:.3f}, {high:.3f}]"
        )
    return text


def speed(text: str) -> str:
    """``max`` is the only speed until the live bus is there."""
    if text != "max":
        raise argparse.ArgumentTypeError(
            f"{text!r}: only max is there yet, as fast as this computer decodes"
        )
    return text
