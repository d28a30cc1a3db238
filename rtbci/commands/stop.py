"""``rtbci stop``: ends a running session on this computer safely."""

import argparse
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from rtbci.errors import InUse
from rtbci.platform_support import require_linux
from rtbci.terminal import say

if TYPE_CHECKING:
    from rtbci.session.control import SessionEntry

HELP = """End a running session after its last decisions, and close the recording.

  rtbci stop
  rtbci stop sessions/sub-02_2026-11-21_103015

If only the recorder of a session is left, it is asked to close its file."""
WAIT_S = 15.0  # time limit for a session to end
POLL_S = 0.05


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Fill the parser of the command."""
    parser.add_argument(
        "session", nargs="?", metavar="SESSION", help="its name or folder, if several are running"
    )
    parser.add_argument("--json", action="store_true", help="the result as one JSON object")


def run(args: argparse.Namespace) -> int:
    """Stop the session and show what was saved; returns the exit code."""
    require_linux("rtbci stop")
    from rtbci.messages import line, result_kind
    from rtbci.session.control import find, running

    entry = find(args.session, running())
    if entry.alive:
        stop_supervisor(entry)
    else:
        stop_recorder(entry)
    saved = [
        {"file": str(path), "bytes": path.stat().st_size}
        for path in sorted(Path(entry.folder).glob("recording*.xdf"))
    ]
    if args.json:
        print(line({**result_kind("stopped"), "session": entry.id, "folder": entry.folder,
                    "recordings": saved}), flush=True)  # fmt: skip
    else:
        print(f"{entry.id} is stopped; {entry.folder}")
        for each in saved:
            print(f"  {Path(each['file']).name}  {each['bytes'] / 1e6:.1f} MB")
        if not saved:
            print("  nothing was recorded")
    return 0


def stop_supervisor(entry: "SessionEntry") -> None:
    """Ask it over its socket, and wait; raises ``InUse`` where it does not end."""
    from rtbci.messages import Stop
    from rtbci.session.control import ask, is_listed

    ask(entry, Stop())
    wait(lambda: not entry.alive or not is_listed(entry), entry, entry.pid)
    if not entry.alive and entry.recorder_alive:
        stop_recorder(entry)


def stop_recorder(entry: "SessionEntry") -> None:
    """End the recorder of a session without supervisor; on SIGTERM it closes its file."""
    from rtbci.session.control import unregister

    assert entry.recorder_pid is not None
    say(f"the supervisor of {entry.id} is gone; its recorder is asked to end")
    os.kill(entry.recorder_pid, signal.SIGTERM)
    wait(lambda: not entry.recorder_alive, entry, entry.recorder_pid)
    unregister(entry)


def wait(over: Callable[[], bool], entry: "SessionEntry", pid: int) -> None:
    """Wait until ``over`` returns True; raises ``InUse`` after ``WAIT_S``."""
    end = time.monotonic() + WAIT_S
    while not over():
        if time.monotonic() > end:
            raise InUse(
                f"{entry.id} did not end within {WAIT_S:g} s; look at process {pid}, "
                f"its logs are in {Path(entry.folder) / 'logs'}"
            )
        time.sleep(POLL_S)
