"""Options that several commands share, and the values that are made of them."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from rtbci.commands.option_types import frequencies, mains, microvolts, names, reference
from rtbci.errors import BadInput
from rtbci.signal.limits import REJECT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from calibration.fitting.settings import CalibrationSettings
    from rtbci.formats.reading import ReadingSettings
    from rtbci.session.kinds import CommandLine

SESSIONS = Path("sessions")  # where sessions lie unless told otherwise
BUNDLES = Path("bundles")  # where bundles lie unless told otherwise
DECODER_OPTIONS = {  # of a calibration, and their defaults; a bundle overrides them
    "channels": None, "labels": None, "paradigm": None, "window": None, "band": None,
    "frequencies": (), "reject": REJECT, "line": "auto", "reference": None,
}  # fmt: skip


def add_reading_options(parser: argparse.ArgumentParser) -> None:
    """Options that say how a file is to be understood."""
    group = parser.add_argument_group("how to read the files")
    group.add_argument("--channels", type=names, metavar="A,B", help="electrodes, by name")
    group.add_argument("--rename", type=Path, metavar="FILE", help="JSON or CSV of old,new names")
    group.add_argument(
        "--trigger", metavar="CHANNEL[:MASK]", help="markers from the rising edges of a channel"
    )
    group.add_argument("--rate", type=float, metavar="HZ", help="where the file does not say")
    group.add_argument("--unit", metavar="uV|V", help="where the file does not say")
    group.add_argument("--stream", metavar="NAME", help="the stream of an XDF file")


def reading_settings(args: argparse.Namespace) -> "ReadingSettings":
    """How files are to be read, from ``add_reading_options``."""
    from rtbci.formats.reading import ReadingSettings

    return ReadingSettings(
        args.channels, args.rename, args.trigger, args.rate, args.unit, args.stream
    )


def add_decoder_options(parser: argparse.ArgumentParser) -> None:
    """Options that say what is decoded, and how, where a command calibrates."""
    group = parser.add_argument_group("what is decoded")
    group.add_argument("--paradigm", choices=("evoked", "oscillation"))
    group.add_argument(
        "--window", type=float, nargs=2, metavar=("A", "B"), help="s after the marker [0.1 0.8]"
    )
    group.add_argument(
        "--band", type=float, nargs=2, metavar=("LOW", "HIGH"), help="Hz [of the paradigm]"
    )
    group.add_argument(
        "--frequencies", type=frequencies, default=(), metavar="F,...",
        help="Hz of the flicker of each class, in the order of --labels",
    )  # fmt: skip
    group.add_argument(
        "--reject", type=microvolts, default=REJECT, metavar="UV|none",
        help="training leaves out trials beyond this, uV peak to peak [100]",
    )  # fmt: skip
    group.add_argument(
        "--line", type=mains, default="auto", metavar="50|60|auto|none",
        help="notch against mains hum, where it reaches into the band [auto]",
    )  # fmt: skip
    group.add_argument(
        "--reference", type=reference, metavar="average|A,B", help="re-reference [as recorded]"
    )


def calibration_settings(
    args: argparse.Namespace, subject: str, marker_labels: "Mapping[str, str]"
) -> "CalibrationSettings":
    """What a calibration is asked for, from ``add_decoder_options`` and ``--channels``."""
    from calibration.fitting.settings import CalibrationSettings

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
    )


def given_decoder_options(args: argparse.Namespace) -> list[str]:
    """Decoder options that are not as without them, e.g. ``--band``."""
    return [
        f"--{name}" for name, default in DECODER_OPTIONS.items() if getattr(args, name) != default
    ]


def add_lsl_options(parser: argparse.ArgumentParser) -> None:
    """Which part of the lab's streams a command sees; see ``rtbci.lsl.config.configure``."""
    group = parser.add_argument_group("lab streaming layer")
    group.add_argument("--lsl-session", metavar="ID", help="only streams of this LSL session")
    group.add_argument(
        "--lsl-scope", choices=("machine", "link", "site", "organization", "global"),
        help="how far to look for streams",
    )  # fmt: skip


def add_bundle_option(parser: argparse.ArgumentParser) -> None:
    """``--bundle``, where a command can do without one."""
    parser.add_argument(
        "--bundle", type=Path, metavar="DIR", help="a bundle, or a folder (its newest)"
    )


def add_session_folder_option(parser: argparse.ArgumentParser) -> None:
    """``--out``: where the folder of a new session goes."""
    parser.add_argument(
        "--out", type=Path, default=SESSIONS, metavar="DIR",
        help="where the session's folder goes [sessions]",
    )  # fmt: skip


def add_child_options(
    parser: argparse.ArgumentParser, end: str = "the end of stdin means stop"
) -> None:
    """``--control stdin`` and ``--json``; ``end`` says what happens when the parent is gone."""
    parser.add_argument("--control", choices=("stdin",), help=f"obey JSON lines; {end}")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def command_line(args: argparse.Namespace) -> "CommandLine":
    """The command as it was given, for ``session.json``."""
    from rtbci.session.kinds import CommandLine

    options = {name: value for name, value in vars(args).items() if name != "command"}
    return CommandLine(args.command, options)


def check_files(paths: list[Path]) -> None:
    """Raises ``BadInput`` for a file named twice on the command line."""
    seen: set[Path] = set()
    for path in paths:
        resolved = path.resolve()
        if resolved in seen:
            raise BadInput(f"{path} is named twice; name every recording once")
        seen.add(resolved)


def check_out(folder: Path) -> None:
    """Raises ``BadInput`` where nothing could be written there, before the work is done."""
    there = next((each for each in (folder, *folder.parents) if each.exists()), Path())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise BadInput(f"cannot write to {folder}; name another folder with --out")


def check_png(path: Path | None) -> None:
    """Raises ``BadInput`` for the name of a picture that does not end in .png."""
    if path is not None and path.suffix.lower() != ".png":
        raise BadInput(f"{path} is no .png; the picture is one")
