"""Options shared by several commands, and the settings made from them."""

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

SESSIONS = Path("sessions")  # default folder of sessions
BUNDLES = Path("bundles")  # default folder of bundles
DECODER_OPTIONS = {  # options of a calibration with their defaults; a bundle overrides them
    "channels": None, "labels": None, "paradigm": None, "window": None, "band": None,
    "frequencies": (), "reject": REJECT, "line": "auto", "reference": None,
}  # fmt: skip


def add_reading_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for reading files."""
    group = parser.add_argument_group("reading of the files")
    group.add_argument("--channels", type=names, metavar="A,B", help="electrodes, by name")
    group.add_argument("--rename", type=Path, metavar="FILE", help="JSON or CSV of old,new names")
    group.add_argument(
        "--trigger", metavar="CHANNEL[:MASK]", help="markers from the rising edges of a channel"
    )
    group.add_argument("--rate", type=float, metavar="HZ", help="if the file does not state it")
    group.add_argument("--unit", metavar="uV|V", help="if the file does not state it")
    group.add_argument("--stream", metavar="NAME", help="the stream of an XDF file")


def reading_settings(args: argparse.Namespace) -> "ReadingSettings":
    """Reading settings from the options of ``add_reading_options``."""
    from rtbci.formats.reading import ReadingSettings

    return ReadingSettings(
        args.channels, args.rename, args.trigger, args.rate, args.unit, args.stream
    )


def add_decoder_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for the decoder of a command that calibrates."""
    group = parser.add_argument_group("decoder")
    group.add_argument("--paradigm", choices=("evoked", "oscillation"))
    group.add_argument(
        "--window", type=float, nargs=2, metavar=("A", "B"), help="s after the marker [0.1 0.8]"
    )
    group.add_argument(
        "--band", type=float, nargs=2, metavar=("LOW", "HIGH"), help="Hz [of the paradigm]"
    )
    group.add_argument(
        "--frequencies", type=frequencies, default=(), metavar="F,...",
        help="flicker frequency of each class, Hz, in the order of --labels",
    )  # fmt: skip
    group.add_argument(
        "--reject", type=microvolts, default=REJECT, metavar="UV|none",
        help="exclude trials beyond this from training, uV peak to peak [100]",
    )  # fmt: skip
    group.add_argument(
        "--line", type=mains, default="auto", metavar="50|60|auto|none",
        help="notch filter against mains hum that is within the band [auto]",
    )  # fmt: skip
    group.add_argument(
        "--reference", type=reference, metavar="average|A,B", help="re-reference [as recorded]"
    )


def calibration_settings(
    args: argparse.Namespace, subject: str, marker_labels: "Mapping[str, str]"
) -> "CalibrationSettings":
    """Calibration settings from ``add_decoder_options`` and ``--channels``."""
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
    """Names of decoder options that differ from their default, e.g. ``--band``."""
    return [
        f"--{name}" for name, default in DECODER_OPTIONS.items() if getattr(args, name) != default
    ]


def add_lsl_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for LSL session and scope; see ``rtbci.lsl.config.configure``."""
    group = parser.add_argument_group("lab streaming layer")
    group.add_argument("--lsl-session", metavar="ID", help="only streams of this LSL session")
    group.add_argument(
        "--lsl-scope", choices=("machine", "link", "site", "organization", "global"),
        help="how far to search for streams",
    )  # fmt: skip


def add_bundle_option(parser: argparse.ArgumentParser) -> None:
    """Add an optional ``--bundle``."""
    parser.add_argument(
        "--bundle", type=Path, metavar="DIR", help="a bundle, or a folder (its newest)"
    )


def add_session_folder_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--out``, the parent folder of a new session's folder."""
    parser.add_argument(
        "--out", type=Path, default=SESSIONS, metavar="DIR",
        help="parent of the session's folder [sessions]",
    )  # fmt: skip
    parser.add_argument(
        "--spool", type=Path, metavar="DIR", help="go on recording there when the disk is full"
    )


def add_child_options(
    parser: argparse.ArgumentParser, end: str = "the end of stdin means stop"
) -> None:
    """Add ``--control stdin`` and ``--json``; ``end`` describes the effect of the end of stdin."""
    parser.add_argument("--control", choices=("stdin",), help=f"take orders as JSON lines; {end}")
    parser.add_argument("--json", action="store_true", help="one JSON object per line")


def command_line(args: argparse.Namespace) -> "CommandLine":
    """Command and options as given, for ``session.json``."""
    from rtbci.session.kinds import CommandLine

    options = {name: value for name, value in vars(args).items() if name != "command"}
    return CommandLine(args.command, options)


def check_files(paths: list[Path]) -> None:
    """Raise ``BadInput`` if a file is named twice on the command line."""
    seen: set[Path] = set()
    for path in paths:
        resolved = path.resolve()
        if resolved in seen:
            raise BadInput(f"{path} is named twice; name every recording once")
        seen.add(resolved)


def check_out(folder: Path) -> None:
    """Raise ``BadInput`` if ``folder`` cannot be written to, before any work is done."""
    there = next((each for each in (folder, *folder.parents) if each.exists()), Path())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise BadInput(f"cannot write to {folder}; name another folder with --out")


def check_png(path: Path | None) -> None:
    """Raise ``BadInput`` if the name of a picture does not end in .png."""
    if path is not None and path.suffix.lower() != ".png":
        raise BadInput(f"{path} does not end in .png, the format of the picture")
