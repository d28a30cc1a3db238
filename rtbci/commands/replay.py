"""``rtbci replay``: recordings decoded as if they were live."""

import argparse
import contextlib
import math
import re
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rtbci.commands import calibrate
from rtbci.commands.options import (
    add_lsl_options,
    add_reading_options,
    check_files,
    labels,
    read_file,
)
from rtbci.errors import BadInput
from rtbci.platform_support import require_linux
from rtbci.subjects import same_subject, subject_of
from rtbci.terminal import progress_bar, say, stages

if TYPE_CHECKING:
    from rtbci.decoding.bundle import Bundle
    from rtbci.decoding.offline import RunCounts
    from rtbci.session.over_bus import SessionResult
    from rtbci.session.replay import Source
    from rtbci.signal.recording import Recording

HELP = """Decode recordings as if they were live, one after the other.

  rtbci replay run3.xdf --bundle bundles/sub-02
  rtbci replay run3.xdf --bundle bundles/sub-02 --speed max

At a speed the recording goes through the real processes (stream, record,
decode) on the lab's bus, where nobody else sees it without --public. At max
the same decisions are made in this process.

Without --bundle the newest bundle of the subject that the path names is
taken, from ./bundles. Without one, or with --labels, the first 60 % of the
runs calibrate and the rest is replayed."""
CALIBRATED_SHARE = 0.6  # of the runs, where there is no bundle
DECODER_OPTIONS = {  # and their defaults; a bundle overrides them
    "channels": None, "labels": None, "paradigm": None, "window": None, "band": None,
    "frequencies": (), "reject": 100.0, "line": "auto", "reference": None,
}  # fmt: skip
SESSIONS = Path("sessions")  # where sessions lie unless told otherwise
MAX = math.inf  # speed without the bus
FASTEST = 100.0  # times real time, over the bus
FEWEST_OF_A_LABEL = 10  # markers that make a class, where nobody named the classes
MOST_LABELS = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Fill the parser of the command."""
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="recordings, in order")
    parser.add_argument(
        "--bundle", type=Path, metavar="DIR", help="a bundle, or a folder (its newest)"
    )
    parser.add_argument(
        "--speed", type=speed, default=1.0, metavar="N|max",
        help="times real time, over the bus; max: as fast as possible, in process [1]",
    )  # fmt: skip
    parser.add_argument("--no-record", action="store_true", help="write no recording")
    parser.add_argument(
        "--out", type=Path, default=SESSIONS, metavar="DIR",
        help="where the session's folder goes [sessions]",
    )  # fmt: skip
    parser.add_argument(
        "--public", action="store_true", help="let other programs of the lab see the streams"
    )
    parser.add_argument("--headless", action="store_true", help="open no window")
    parser.add_argument("--picture", type=Path, metavar="FILE.png", help="draw the session")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument(
        "--labels", type=labels, metavar="CODE=NAME,...", help="classes, where it must calibrate"
    )
    calibrate.add_decoder_options(parser)
    add_reading_options(parser)
    add_lsl_options(parser)


def run(args: argparse.Namespace) -> int:
    """Replay every file, print decisions and the summary."""
    from rtbci.decoding.offline import RunCounts, scores_of, summary
    from rtbci.messages import line
    from rtbci.report.terminal_summary import show
    from rtbci.session.over_bus import failed

    check_files(args.files)
    check_options(args)
    if args.speed != MAX:
        require_linux("rtbci replay at a speed other than max")
    bundle, files, first, said = choose(args)
    (say if args.json else print)(said)
    warn(args, bundle)
    tally, sources = RunCounts(), sources_of(args, files, first)
    began = time.perf_counter()
    played = over_bus(args, bundle, sources, tally) if args.speed != MAX else None
    if played is None:
        in_process(args, bundle, sources, tally)
    elif played.failure is not None and not tally.decisions:
        raise failed(played.failure)
    wall = max(time.perf_counter() - began, 1e-9)
    scores = scores_of(tally, bundle)
    result = {**summary(tally, bundle, scores), **reached(args, played, tally, wall)}
    remark(tally, bundle)
    how = f"{tally.seconds:.0f} s in {wall:.1f} s, {tally.seconds / wall:.0f} x real time"
    if args.json:
        print(line(result), flush=True)
        say(f"{tally.seconds:.0f} s replayed in {wall:.2f} s: {tally.seconds / wall:.0f} x")
    else:
        show(result, tally, ("speed", how), *(rows(result) if played else ()))
    if args.picture:
        from rtbci.report.session_picture import session_picture

        what = files[0].name if len(files) == 1 else f"{len(files)} recordings"
        title = f"{bundle.subject}: {what}"
        session_picture(args.picture, tally.decisions, scores, title, bundle.decoder.classes)
        say(f"picture: {args.picture}")
    return played.exit_code() if played else 0


def check_options(args: argparse.Namespace) -> None:
    """Raises ``BadInput`` for options that make no sense together."""
    if args.picture and args.picture.suffix.lower() != ".png":
        raise BadInput(f"{args.picture} is no .png; the picture is one")
    if args.speed == MAX:
        only = {"public": args.public, "no-record": args.no_record, "out": args.out != SESSIONS,
                "lsl-session": args.lsl_session, "lsl-scope": args.lsl_scope}  # fmt: skip
        wrong = [f"--{name}" for name, given in only.items() if given]
        if wrong:
            raise BadInput(
                f"{', '.join(wrong)}: --speed max does not use the bus; "
                "give a number, e.g. --speed 8"
            )
    if args.public and args.lsl_session:
        raise BadInput("--public is LSL's own session; leave out --lsl-session or --public")


def sources_of(
    args: argparse.Namespace, files: list[Path], first: "Start | None"
) -> "list[Source]":
    """Every file with a function that reads it; the first may be read already."""

    def reader(path: Path) -> "Source":
        return path, lambda: (whole_signal(path, args), None)

    sources = [reader(path) for path in files]
    if first is not None:
        sources[0] = (files[0], lambda: first)
    return sources


def in_process(
    args: argparse.Namespace, bundle: "Bundle", sources: "list[Source]", tally: "RunCounts"
) -> None:
    """As fast as this computer decodes."""
    from rtbci.decoding.offline import replay
    from rtbci.messages import decision_json, line

    with progress_bar() as bar:
        task = bar.add_task("replaying", total=len(sources))
        for path, read in sources:
            recording, after = read()
            more = {"file": path.name} if len(sources) > 1 else {}
            for decision in replay(recording, bundle, tally, after):
                if args.json:
                    print(line(decision_json(decision, **more)), flush=True)
            bar.update(task, advance=1)


def over_bus(
    args: argparse.Namespace, bundle: "Bundle", sources: "list[Source]", tally: "RunCounts"
) -> "SessionResult":
    """Through the real processes."""
    from rtbci.session.over_bus import config_of
    from rtbci.session.processes import Bus, private_bus
    from rtbci.session.replay import ReplaySetup, play
    from rtbci.session.screen import wants_window
    from rtbci.session.view import TerminalView

    bus = private_bus(args.lsl_scope)
    if args.public or args.lsl_session:
        scope = args.lsl_scope if args.public else args.lsl_scope or bus.scope
        bus = Bus(args.lsl_session, scope)
    setup = ReplaySetup(
        args.out, bus, args.speed, not args.no_record, reading_words(args),
        wants_window(args.headless),
    )  # fmt: skip
    with contextlib.closing(TerminalView(args.json, bar=True)) as view:
        return play(setup, bundle, sources, tally, view, config_of(args, bus, bundle))


def reading_words(args: argparse.Namespace) -> tuple[str, ...]:
    """The options by which the file is read here, for the outlet that reads it too."""
    given = {name: getattr(args, name) for name in ("rename", "trigger", "rate", "unit", "stream")}
    return tuple(f"--{name}={value}" for name, value in given.items() if value is not None)


def reached(
    args: argparse.Namespace, played: "SessionResult | None", tally: "RunCounts", wall: float
) -> dict[str, object]:
    """What the summary says of speed, loss and delay."""
    from rtbci.decoding.offline import speed_reached

    if played is None:
        return {"real_time_factor": speed_reached(tally.seconds, wall)}
    return {"real_time_factor": args.speed, **played.fields()}


def rows(result: "Mapping[str, object]") -> list[tuple[str, str]]:
    """Loss, delay and recording for a person."""
    from rtbci.report.terminal_summary import delay

    return [
        ("lost samples", str(result["lost_samples"])),
        ("delay", delay(result["latency_ms"])),
        ("recording", str(result["recording"] or "none (--no-record)")),
    ]


def remark(tally: "RunCounts", bundle: "Bundle") -> None:
    """What a person should know before believing the figures."""
    if not tally.decisions:
        known = ", ".join(bundle.labels)
        say(f"no event to decode: none of the markers is one of {known} (see rtbci info FILE)")
    for each in tally.dead:
        say(f"no reliable signal in {each}; its events were not decoded")
    for name in tally.seen:
        say(f"{name} was used to train this bundle: its figures are no test")


Start = tuple["Recording", int | None]  # a recording, and the first onset that counts


def choose(args: argparse.Namespace) -> "tuple[Bundle, list[Path], Start | None, str]":
    """The bundle, the files to replay, the first of them if it is read already, and a sentence."""
    from rtbci.decoding.bundle import load_bundle, newest_bundle

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
    from calibration.fitting.training import calibrate as train

    count = len(args.files)
    n = min(count - 1, math.ceil(CALIBRATED_SHARE * count)) if count > 1 else 1
    read = whole_signal if count == 1 else read_file  # several are bridged one after the other
    recordings = [read(path, args) for path in args.files[:n]]
    marker_labels = args.labels or guess_labels(recordings)
    what, cut, recording = f"the first {n} of {count} runs", None, recordings[0]
    if count == 1:
        cut, what = first_tested(recording, marker_labels)
        early = tuple(m for m in recording.markers if m.index < cut)
        recordings = [replace(recording, markers=early)]
    plan = calibrate.plan_of(args, subject, marker_labels)
    with progress_bar() as bar:
        result = train(recordings, plan, stages(bar), permute=False)
    for refused in result.refused:
        say(f"left out: {refused.file} {refused.reason}")
    pairs = marker_labels.items()
    classes = ", ".join(name if name == code else f"{code}={name}" for code, name in pairs)
    sentence = f"no bundle: {what} calibrate ({classes}), the rest is replayed"
    if cut is None:
        return result.bundle, args.files[n:], None, sentence
    if recording.epoch_rows is None:  # windows that share signal are no test
        recipe = result.bundle.recipe
        cut += recipe.last - recipe.first
    return result.bundle, args.files, (recording, cut), sentence


def first_tested(recording: "Recording", marker_labels: "Mapping[str, str]") -> tuple[int, str]:
    """Sample index from which on the one recording is replayed, and what lies before it.

    Whole runs where a file of epochs holds several, else a share of the events. Raises
    ``BadInput`` where nothing would be left.
    """
    from rtbci.signal.epoch_gaps import run_starts

    runs = run_starts(recording)
    if len(runs) > 1:
        n = min(len(runs) - 1, math.ceil(CALIBRATED_SHARE * len(runs)))
        return runs[n], f"the first {n} of {len(runs)} runs"
    events = sorted(m.index for m in recording.markers if m.label in marker_labels)
    cut = math.ceil(CALIBRATED_SHARE * len(events))
    if cut >= len(events):
        name = recording.provenance.paths[0]
        raise BadInput(f"{name} has {len(events)} events; too few to calibrate")
    return events[cut], "the first 60 % of the events"


def whole_signal(path: Path, args: argparse.Namespace) -> "Recording":
    """The file as one signal: epochs are bridged, and that is said."""
    from rtbci.signal.epoch_gaps import PAUSE, bridge

    recording = bridge(read_file(path, args))
    if recording.bridged is not None:
        say(
            f"{path.name} holds {len(recording.bridged)} epochs and nothing between them: bridged "
            f"by {PAUSE:g} s each, for the filters; no brain was there"
        )
    return recording


def guess_labels(recordings: "list[Recording]") -> dict[str, str]:
    """Every marker text that occurs ten times is a class, and every one of an array of epochs.

    Raises ``BadInput`` for fewer than 2.
    """
    from calibration.fitting.trials import epoch_labels

    if all(each.epoch_rows is not None for each in recordings):
        return epoch_labels(recordings)
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


def speed(text: str) -> float:
    """``max`` is as fast as this computer decodes, without the bus."""
    if text == "max":
        return MAX
    value = float(text) if re.fullmatch(r"[\d.]+", text) and text.count(".") < 2 else 0.0
    if not 0 < value <= FASTEST:
        raise argparse.ArgumentTypeError(
            f"{text!r}: expected max or a number above 0, at most {FASTEST:g}, e.g. --speed 8"
        )
    return value
