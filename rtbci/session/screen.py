"""Checks of the display, and the start of the operator's window, a process that may die.

Qt is not imported here. The window finds its session by itself (``rtbci gui``).
"""

import ctypes
import importlib.util
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from rtbci.terminal import say

ANSWER_S = 2.0  # longest wait for a display


def missing(environment: Mapping[str, str] = os.environ) -> str | None:
    """Reason why no window can be opened, as half a sentence, or None."""
    if importlib.util.find_spec("PySide6") is None:
        return "PySide6 is not installed (pip install 'rtbci[gui]')"
    if environment.get("QT_QPA_PLATFORM") or sys.platform in ("win32", "darwin"):
        return None
    x11, wayland = environment.get("DISPLAY"), environment.get("WAYLAND_DISPLAY")
    if not x11 and not wayland:
        return "there is no display (DISPLAY is not set)"
    if wayland or (x11 and _answers(x11)):
        return None
    return f"display {x11} does not answer"


def unusable(environment: Mapping[str, str] = os.environ) -> str | None:
    """Reason why Qt would abort on the display, as half a sentence, or None.

    Loads Qt's library for X11, as Qt does; not for a process that must stay light.
    """
    if environment.get("QT_QPA_PLATFORM", "xcb") != "xcb" or sys.platform != "linux":
        return None
    if environment.get("WAYLAND_DISPLAY"):
        return None
    found = importlib.util.find_spec("PySide6")
    places = found.submodule_search_locations if found else None
    for place in places or ():
        plugin = Path(place) / "Qt" / "plugins" / "platforms" / "libqxcb.so"
        if not plugin.exists():
            return None  # of a distribution, which installs its libraries too
        try:
            ctypes.CDLL(str(plugin))
        except OSError as error:
            library = str(error).partition(":")[0]
            return f"Qt needs {library}, which is not installed (apt install {_package(library)})"
    return None


def wants_window(headless: bool) -> bool:
    """Whether a session shall open its window; prints the reason if it cannot."""
    if headless:
        return False
    reason = missing({k: v for k, v in os.environ.items() if k != "QT_QPA_PLATFORM"})
    if reason is not None:
        say(f"{reason}: no window; --headless says that none is wanted")
    return reason is None


def open_window(session: str, logs: Path) -> None:
    """Start ``rtbci gui`` for a session, which does not depend on it."""
    words = [sys.executable, "-m", "rtbci", "gui", session]
    log = os.open(logs / "gui.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        window = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    except OSError as error:
        say(f"the window cannot be started: {error.strerror or error}")
        return
    finally:
        os.close(log)
    # Without a wait it would stay a zombie for the rest of the session.
    threading.Thread(target=window.wait, name="window", daemon=True).start()


def _package(library: str) -> str:
    """Debian package of a shared library: ``libxcb-cursor.so.0`` is in libxcb-cursor0."""
    name, _, version = library.partition(".so.")
    return f"{name}{version}" if version else name


def _answers(display: str) -> bool:
    """Whether an X server answers at ``display``; Qt would abort the process otherwise."""
    host, _, rest = display.rpartition(":")
    number = rest.partition(".")[0]
    if not number.isdigit():
        return False
    try:
        if host in ("", "unix"):
            with socket.socket(socket.AF_UNIX) as each:
                each.settimeout(ANSWER_S)
                each.connect(f"/tmp/.X11-unix/X{number}")
        else:
            socket.create_connection((host.strip("[]"), 6000 + int(number)), ANSWER_S).close()
    except OSError:
        return False
    return True
