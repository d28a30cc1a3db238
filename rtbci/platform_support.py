"""What live work asks of the operating system, and the refusal of a system that lacks some of it.

Work with recordings runs wherever Python does. Live commands need file locks, local sockets,
process groups and the signals of a terminal, which Linux has and Windows has not. Modules may not
touch any of these when they are imported: the commands ask here first, when they run.
"""

import importlib.util
import os
import signal
import socket
import sys

from rtbci.errors import Missing


def absent() -> list[str]:
    """Names of the needed parts of the system that Python does not offer here."""
    found = {
        "fcntl": _has_module("fcntl"),
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


def _has_module(name: str) -> bool:
    """Whether a module of the standard library can be imported."""
    try:
        return importlib.util.find_spec(name) is not None
    except ValueError:  # it was taken out of sys.modules by hand
        return False
