"""Types of option values: functions from a word of the command line to a number, name or label.

All raise ``argparse.ArgumentTypeError`` with a message for an invalid word.
"""

import argparse
import math
import re
from collections.abc import Callable

from rtbci import subjects

LONGEST_NAME = 100  # characters of a marker, class or stream
LARGEST = 10**6  # limit of counts, seeds and rates
MAX_SPEED = math.inf  # ``--speed max``: a replay without the bus
FASTEST = 100.0  # largest speed over the bus, times real time


def number(text: str) -> float:
    """A finite number."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"expected a number, found {text!r}")
    return value


def numeric(parse: Callable[[str], float]) -> Callable[[str], float]:
    """Type that refuses words that are not numbers, and then applies ``parse``."""

    def both(text: str) -> float:
        number(text)
        return parse(text)

    return both


def within(least: float, most: float, complaint: str) -> Callable[[str], float]:
    """Type of a number from ``least`` to ``most``; the message is ``'9' is COMPLAINT``."""
    return _numbers(lambda value: least <= value <= most, complaint)


def above_zero(complaint: str, most: float = math.inf) -> Callable[[str], float]:
    """Type of a finite number above 0, at most ``most``."""
    return _numbers(lambda value: 0 < value <= most and value < math.inf, complaint)


def _numbers(fits: Callable[[float], bool], complaint: str) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not fits(value):
            raise argparse.ArgumentTypeError(f"{text!r} is {complaint}")
        return value

    return parse


seconds = above_zero("not a number of seconds above 0")
rate = above_zero("not a number above 0", LARGEST)


def whole(least: int, most: int) -> Callable[[str], int]:
    """Type of a whole number from ``least`` to ``most``."""

    def parse(text: str) -> int:
        if not text.isdecimal() or not least <= int(text[:9]) <= most:
            raise argparse.ArgumentTypeError(
                f"{text!r} is not a whole number from {least} to {most:,}"
            )
        return int(text)

    return parse


count = whole(1, LARGEST)
seed = whole(0, LARGEST)


def speed(text: str) -> float:
    """Speed of a replay; ``max`` is as fast as this computer decodes, without the bus."""
    if text == "max":
        return MAX_SPEED
    value = float(text) if re.fullmatch(r"[\d.]+", text) and text.count(".") < 2 else 0.0
    if not 0 < value <= FASTEST:
        raise argparse.ArgumentTypeError(
            f"{text!r}: expected max or a number above 0, at most {FASTEST:g}, e.g. --speed 8"
        )
    return value


def size(text: str) -> tuple[int, int]:
    """Width and height, pixels."""
    words = text.lower().split("x")
    if len(words) != 2 or not all(each.isdecimal() and 100 <= int(each) <= 9999 for each in words):
        raise argparse.ArgumentTypeError(f"{text!r} is not a size; expected e.g. 1280x720")
    return int(words[0]), int(words[1])


def names(text: str) -> tuple[str, ...]:
    """``A,B`` as a tuple without empty or repeated names."""
    found = tuple(part.strip() for part in text.split(","))
    if not all(found) or len(set(found)) != len(found):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of different names, e.g. C3,C4")
    return found


def stream_name(text: str) -> str:
    """A valid name of a stream."""
    if not text.strip() or not text.isprintable() or len(text) > LONGEST_NAME:
        raise argparse.ArgumentTypeError(
            f"{text[:LONGEST_NAME]!r} is not a stream name: 1 to {LONGEST_NAME} printable "
            "characters"
        )
    return text


def labels(text: str) -> dict[str, str]:
    """``CODE=NAME,...`` as a mapping, in order."""
    pairs = [part.split("=", 1) for part in text.split(",")]
    if any(len(pair) != 2 or not pair[0].strip() or not pair[1].strip() for pair in pairs):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a list of marker=class pairs, e.g. 1=house,2=face"
        )
    found = {code.strip(): name.strip() for code, name in pairs}
    if max(map(len, (*found, *found.values()))) > LONGEST_NAME:
        raise argparse.ArgumentTypeError(f"a name of more than {LONGEST_NAME} characters")
    if len(found) != len(pairs):
        raise argparse.ArgumentTypeError(f"{text!r} names a marker twice")
    return found


def subject_id(text: str) -> str:
    """A pseudonym as ``sub-...``; anything that may be a name is refused."""
    try:
        return subjects.subject_id(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def frequencies(text: str) -> tuple[float, ...]:
    """``30,20`` as floats above 0, Hz."""
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        found = ()
    if not found or not all(0 < value < 1000 for value in found) or len(set(found)) < len(found):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a list of different frequencies, e.g. 30,20"
        )
    return found


def microvolts(text: str) -> float | None:
    """Microvolts above 0, or None for ``none``."""
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
    known = {"average": "average", "none": None}
    return known[text] if text in known else names(text)
