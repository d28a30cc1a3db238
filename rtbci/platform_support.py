"""Requirements of live work on the operating system, and the refusal of one that lacks any.

Work with recordings runs wherever Python does. Live commands need file locks, local sockets,
process groups and the signals of a terminal, which Linux has and Windows lacks. Modules may not
use any of these when they are imported: commands ask here first, when they run.
"""

import os
import signal
import socket
import sys
from importlib import import_module

from rtbci.errors import Missing


def absent() -> list[str]:
    """Names of the needed parts of the system that Python does not offer here."""
    found = {
        "fcntl": _can_import("fcntl"),
        "AF_UNIX": hasattr(socket, "AF_UNIX"),
        "SIGHUP": hasattr(signal, "SIGHUP"),
        "killpg": hasattr(os, "killpg"),
    }
    return [name for name, is_there in found.items() if not is_there]


def require_linux(command: str) -> None:
    """Raises ``Missing`` where the system cannot run ``command``, e.g. ``rtbci live``."""
    lacks = absent()
    if lacks:
        raise Missing(
            f"{command} needs Linux: Python offers no {', '.join(lacks)} on {sys.platform}; "
            "recordings can be worked with here (rtbci info, calibrate, replay --speed max)"
        )


def _can_import(name: str) -> bool:
    """Whether a module of the standard library is there."""
    try:
        import_module(name)
    except ImportError:
        return False
    return True
