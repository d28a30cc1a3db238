"""Options and progress that several commands share: how recordings are read and shown."""

import argparse
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rtbci.errors import BadInput

LONGEST_NAME = 100  # characters of a marker or class
LARGEST = 10**6  # of counts and seeds
REJECT = 100.0  # uV peak to peak, beyond which a trial trains nothing unless told otherwise

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.progress import Progress, TaskID

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
    bare = re.sub(r"^sub(ject)?([-_]|(?=\d))", "", text)
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,40}", bare):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no pseudonym: letters, digits, - and _ only, e.g. 02 or sub-02 "
            "(no names or e-mail addresses: brain data is personal)"
        )
    return text if text.startswith("sim-") else f"sub-{bare}"


def subject_of(path: Path) -> str | None:
    """The subject that a path names, nearest first.

    ``sub-02_ses-01.npy``, ``subject1/...``, ``S001/S001R03.edf``.
    """
    for part in reversed(path.parts):
        if re.fullmatch(r"S\d{3}", part):
            return f"sub-{part}"
        found = re.match(r"(?:sub(?:ject)?|sim)(?:[-_]|(?=\d))([A-Za-z0-9]+)", part)
        if found:
            return f"sim-{found[1]}" if part.startswith("sim") else f"sub-{found[1]}"
    return None


def same_subject(one: str, other: str) -> bool:
    """Whether two ids differ in leading zeros and case only."""
    first, second = (each.split("-", 1)[-1].lstrip("0").lower() for each in (one, other))
    return first == second


def progress_bar() -> "Progress":
    """A bar with the time left, on stderr, only where a person is looking."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Left

    console = Console(stderr=True)
    columns = (TextColumn("{task.description:<26}"), BarColumn(), MofNCompleteColumn(), Left())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def stages(bar: "Progress") -> "Callable[[str, int, int], None]":
    """A progress function that gives ``bar`` a line for every stage."""
    tasks: dict[str, TaskID] = {}

    def progress(stage: str, done: int, of: int) -> None:
        if stage not in tasks:
            tasks[stage] = bar.add_task(stage, total=of)
        bar.update(tasks[stage], completed=done, total=of)

    return progress


def say(text: str) -> None:
    """One line for the person, on stderr; stdout carries results."""
    print(text, file=sys.stderr, flush=True)


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
