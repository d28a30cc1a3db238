"""Options that several commands share, and the types of their values."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from rtbci import subjects
from rtbci.errors import BadInput

LONGEST_NAME = 100  # characters of a marker or class
LARGEST = 10**6  # of counts and seeds

if TYPE_CHECKING:
    from rtbci.signal.recording import Recording


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


def add_lsl_options(parser: argparse.ArgumentParser) -> None:
    """Which part of the lab's streams a command sees; see ``rtbci.lsl.config.configure``."""
    group = parser.add_argument_group("lab streaming layer")
    group.add_argument("--lsl-session", metavar="ID", help="only streams of this LSL session")
    group.add_argument(
        "--lsl-scope", choices=("machine", "link", "site", "organization", "global"),
        help="how far to look for streams",
    )  # fmt: skip


def add_child_options(
    parser: argparse.ArgumentParser, end: str = "the end of stdin means stop"
) -> None:
    """``--control stdin`` and ``--json``; ``end`` says what happens when the parent is gone."""
    parser.add_argument("--control", choices=("stdin",), help=f"obey JSON lines; {end}")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def read_file(path: Path, args: argparse.Namespace, pick: bool = False) -> "Recording":
    """A file as the options say, with all its channels or (``pick``) those of ``--channels``.

    Raises ``BadInput`` for one that cannot be read.
    """
    from rtbci.formats import read

    return read(
        path,
        channels=args.channels if pick else None,
        rename=args.rename,
        trigger=args.trigger,
        rate=args.rate,
        unit=args.unit,
        stream=args.stream,
    )


def count(text: str) -> int:
    """A whole number from 1 on; raises ``ArgumentTypeError``."""
    return _whole(text, 1)


def seed(text: str) -> int:
    """A whole number from 0 on; raises ``ArgumentTypeError``."""
    return _whole(text, 0)


def _whole(text: str, least: int) -> int:
    if not text.isdecimal() or not least <= int(text[:9]) <= LARGEST:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {least} to {LARGEST:,}")
    return int(text)


def names(text: str) -> tuple[str, ...]:
    """``A,B`` as a tuple; raises ``ArgumentTypeError`` for an empty or repeated name."""
    found = tuple(part.strip() for part in text.split(","))
    if not all(found) or len(set(found)) != len(found):
        raise argparse.ArgumentTypeError(f"{text!r} is no list of different names, e.g. C3,C4")
    return found


def labels(text: str) -> dict[str, str]:
    """``CODE=NAME,...`` as a mapping, in order."""
    pairs = [part.split("=", 1) for part in text.split(",")]
    if any(len(pair) != 2 or not pair[0].strip() or not pair[1].strip() for pair in pairs):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no list of marker=class pairs, e.g. 1=house,2=face"
        )
    found = {code.strip(): name.strip() for code, name in pairs}
    if max(map(len, (*found, *found.values()))) > LONGEST_NAME:
        raise argparse.ArgumentTypeError(f"a name of more than {LONGEST_NAME} characters")
    if len(found) != len(pairs):
        raise argparse.ArgumentTypeError(f"{text!r} names a marker twice")
    return found


def subject_id(text: str) -> str:
    """A pseudonym as ``sub-...``; raises ``ArgumentTypeError`` for anything that may be a name."""
    try:
        return subjects.subject_id(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


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
