"""``rtbci doctor``: checks of this computer and its network before a participant arrives."""

import argparse
from collections.abc import Iterable
from pathlib import Path

from rtbci import messages
from rtbci.commands.options import add_lsl_options
from rtbci.doctor.check import Check, SessionPlace, exit_code
from rtbci.terminal import say

HELP = """Check Python, packages, the lab streaming layer, network, disk, power, screen,
clock and memory, and show how to solve problems. Nothing is changed; 50 MB are
written and removed.

Exit code: 0 no problems, 1 warnings, 2 failures."""
MARKS = {"ok": ("ok", "green"), "warn": ("warn", "yellow"), "fail": ("FAIL", "bold red")}
WIDTH = 100  # columns


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``doctor``."""
    parser.add_argument(
        "--folder", type=Path, default=Path("sessions"), metavar="DIR",
        help="folder of the recordings [sessions]",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    add_lsl_options(parser)


def run(args: argparse.Namespace) -> int:
    """Run and show the checks; returns 0, 1 with warnings or 2 with failures."""
    from rtbci.doctor.all_checks import LONGEST_S, examine

    place = SessionPlace(args.folder.absolute(), args.lsl_session, args.lsl_scope)
    say(f"checking this computer and its network, {LONGEST_S:.0f} s at most")
    checks = examine(place)
    if args.json:
        found = []
        for check in checks:
            say(f"{check.name}: {check.level}")  # stderr; stdout gets one line at the end
            found.append(check)
        print(messages.line(as_json(found)))
    else:
        found = show(checks)
    return exit_code(found)


def as_json(checks: list[Check]) -> dict[str, object]:
    """Result for ``--json``."""
    return {
        **messages.result_kind("doctor"),
        "checks": [
            {"name": c.name, "level": c.level, "found": c.found, "next": c.next_step}
            for c in checks
        ],
        "exit": exit_code(checks),
    }


def show(checks: Iterable[Check]) -> list[Check]:
    """Print each check when it is done; returns all of them."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    if not console.is_terminal or console.width > WIDTH:
        console = Console(highlight=False, width=WIDTH)
    found: list[Check] = []
    for check in checks:
        found.append(check)
        word, style = MARKS[check.level]
        line = Table.grid(padding=(0, 2, 0, 0))
        line.add_column(width=4, no_wrap=True)
        line.add_column(width=18, no_wrap=True)
        line.add_column(overflow="fold")
        text = Text(check.found)
        if check.next_step:
            text.append(f"; {check.next_step}", style="" if check.level == "ok" else "bold")
        line.add_row(Text(word, style), check.name, text)
        console.print(line)
    warned = sum(check.level == "warn" for check in found)
    failed = sum(check.level == "fail" for check in found)
    verdict = f"{failed} failed, {warned} warn" if failed or warned else "all is well"
    style = "bold red" if failed else "bold yellow" if warned else "bold green"
    console.print(Text(f"{len(found)} checks: {verdict}", style))
    return found
