"""``rtbci gui``: the operator's window of a running session."""

import argparse
import math
from pathlib import Path

from rtbci.errors import BadInput, Missing
from rtbci.platform_support import require_linux

HELP = """Show a running session: traces, electrodes, decisions, losses, alarms.

  rtbci gui
  rtbci gui sub-02_2026-11-21_103015

replay and live open it by themselves where there is a display. Closing it, or
killing it, changes nothing for the session; this command brings it back."""
SCALES = (0.75, 3.0)  # smallest and largest font
THEMES = ("dark", "light")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Fill the parser of the command."""
    parser.add_argument(
        "session", nargs="?", metavar="SESSION", help="its name or folder, where several run"
    )
    parser.add_argument("--theme", choices=THEMES, help="[as last time, at first dark]")
    parser.add_argument("--scale", type=scale, metavar="N", help="size of all text [as last time]")
    parser.add_argument("--size", type=size, metavar="WxH", help="of the window [as last time]")
    parser.add_argument(
        "--screenshot", type=Path, metavar="FILE.png", help="save a picture of it, and close"
    )
    parser.add_argument(
        "--after", type=seconds, default=10.0, metavar="S", help="seconds until the picture [10]"
    )
    parser.add_argument(
        "--figures", type=Path, metavar="FILE.jsonl",
        help="write pictures a second, stalls, CPU and memory every 10 s",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Open the window; returns when it is closed."""
    require_linux("rtbci gui")
    from rtbci.session import screen
    from rtbci.session.control import find, running

    if args.screenshot and args.screenshot.suffix.lower() != ".png":
        raise BadInput(f"{args.screenshot} is no .png; the picture is one")
    reason = screen.missing() or screen.unusable()
    if reason is not None:
        raise Missing(f"{reason}; the session needs none, and rtbci stop ends it")
    entry = find(args.session, running())
    try:
        from gui.operator.app import WindowOptions, show
    except ImportError as error:
        raise Missing(f"the window cannot be loaded: {error} (rtbci doctor)") from error
    options = WindowOptions(
        args.theme, args.scale, args.size, args.screenshot, args.after, args.figures
    )
    return show(entry, options)


def scale(text: str) -> float:
    """A font scale; raises ``ArgumentTypeError``."""
    return number(text, *SCALES, "font scale")


def seconds(text: str) -> float:
    """Seconds, up to an hour; raises ``ArgumentTypeError``."""
    return number(text, 0.0, 3600.0, "number of seconds")


def size(text: str) -> tuple[int, int]:
    """Width and height, pixels; raises ``ArgumentTypeError``."""
    words = text.lower().split("x")
    if len(words) != 2 or not all(each.isdecimal() and 100 <= int(each) <= 9999 for each in words):
        raise argparse.ArgumentTypeError(f"{text!r} is no size; expected e.g. 1280x720")
    return int(words[0]), int(words[1])


def number(text: str, least: float, most: float, what: str) -> float:
    """A number within bounds; raises ``ArgumentTypeError``."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not least <= value <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is no {what} from {least:g} to {most:g}")
    return value
