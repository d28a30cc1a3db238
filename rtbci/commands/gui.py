"""``rtbci gui``: the operator's window of a running session."""

import argparse
from pathlib import Path

from rtbci.commands.option_types import size, within
from rtbci.commands.options import check_png
from rtbci.errors import Missing
from rtbci.platform_support import require_linux

HELP = """Show a running session: traces, electrodes, decisions, losses, alarms.

  rtbci gui
  rtbci gui sub-02_2026-11-21_103015

replay and live open it by themselves where there is a display. Closing it, or
killing it, changes nothing for the session; this command brings it back."""
THEMES = ("dark", "light")
wait = within(0.0, 3600.0, "no number of seconds from 0 to 3600")
scale = within(0.75, 3.0, "no font scale from 0.75 to 3")


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
        "--after", type=wait, default=10.0, metavar="S", help="seconds until the picture [10]"
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

    check_png(args.screenshot)
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
