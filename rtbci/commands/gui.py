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

replay and live open the window by themselves if there is a display. The session
goes on if the window is closed or killed; this command opens it again."""
THEMES = ("dark", "light")
wait = within(0.0, 3600.0, "not a number of seconds from 0 to 3600")
scale = within(0.75, 3.0, "not a font scale from 0.75 to 3")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Fill the parser of the command."""
    parser.add_argument(
        "session", nargs="?", metavar="SESSION", help="its name or folder, if several are running"
    )
    parser.add_argument("--theme", choices=THEMES, help="[as last time; initially dark]")
    parser.add_argument("--scale", type=scale, metavar="N", help="size of all text [as last time]")
    parser.add_argument("--size", type=size, metavar="WxH", help="of the window [as last time]")
    parser.add_argument(
        "--screenshot", type=Path, metavar="FILE.png", help="save a picture of the window and close"
    )
    parser.add_argument(
        "--after", type=wait, default=10.0, metavar="S", help="seconds until the screenshot [10]"
    )
    parser.add_argument(
        "--figures", type=Path, metavar="FILE.jsonl",
        help="write frames per second, stalls, CPU and memory every 10 s",
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
