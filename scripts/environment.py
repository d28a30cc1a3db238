"""Make ``.venv`` hold the project and all it needs; do nothing where it does already.

Run by scripts/setup.sh with the interpreter it found; only the standard library is there. A stamp
inside ``.venv`` is written last and names what the environment was made from: an interrupted,
moved or outdated one is made anew, never mended. With ``--check``: exit code 0 if ``.venv`` is
ready, 1 if not, and nothing is changed.
"""

import ctypes
import fcntl
import hashlib
import importlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "rtbci-ready"
EXTRAS = "all,test"
LIBRARIES = {  # shared library the wheels expect of the system -> Debian's package
    "libstdc++.so.6": "libstdc++6",
    # of Qt: the window itself ...
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libxkbcommon.so.0": "libxkbcommon0",
    # ... and on an X display, real or virtual
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
}
PROGRAMS = {"Xvfb": "xvfb", "openbox": "openbox", "xdotool": "xdotool"}  # a screen for tests


class SetupError(Exception):
    """Something this script cannot mend; says what to do."""


def main() -> int:
    """Prepare ``.venv``; returns the exit code."""
    if "--check" in sys.argv[1:]:
        return 0 if is_ready() else 1
    try:
        prepare()
    except SetupError as error:
        print(f"rtbci: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nrtbci: setup interrupted; the next run starts it afresh", file=sys.stderr)
        return 130
    return 0


def prepare() -> None:
    """Build the environment unless it is ready, one process at a time."""
    lock = os.open(ROOT, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("waiting for another setup in this folder")
        fcntl.flock(lock, fcntl.LOCK_EX)
    if is_ready():
        return
    start = time.monotonic()
    require_system()
    say("preparing .venv (takes a minute or two, once)")
    if VENV.is_symlink():
        VENV.unlink()
    shutil.rmtree(VENV, ignore_errors=True)
    call("could not create .venv", lock, sys.executable, "-m", "venv", str(VENV))
    install = [str(PYTHON), "-m", "pip", "install", "--no-input", "--progress-bar=off"]
    call("could not install the packages", lock, *install, "--editable", f".[{EXTRAS}]")
    point_at_checkout()
    call("the installed packages do not work", lock, str(PYTHON), "-I", "-c", "import rtbci")
    partial = STAMP.with_name(f"{STAMP.name}.partial")
    partial.write_text(key(), encoding="utf-8")
    partial.replace(STAMP)
    say(f"environment ready after {time.monotonic() - start:.0f} s")


def point_at_checkout() -> None:
    """Let the environment find the project by a relative path.

    pip wrote the absolute one; before 3.13 no Python starts from it that has another locale than
    the path needs (LC_ALL=C and a folder called Müller).
    """
    for place in VENV.glob("lib/python*/site-packages"):
        for pointer in place.glob("*rtbci*.pth"):
            pointer.write_text(f"{os.path.relpath(ROOT, place)}\n", encoding="ascii")


def key() -> str:
    """What the environment depends on: dependencies, interpreter, place, and this script."""
    parts = [
        (ROOT / "pyproject.toml").read_bytes(),
        Path(__file__).read_bytes(),
        sys.version.encode(),
        os.fsencode(ROOT),
    ]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def is_ready() -> bool:
    """True if ``.venv`` was finished for exactly this state of the project."""
    try:
        return STAMP.read_text(encoding="utf-8") == key() and os.access(PYTHON, os.X_OK)
    except (OSError, ValueError):
        return False


def require_system() -> None:
    """Install the system packages that are missing, or say which."""
    wanted = [package for library, package in LIBRARIES.items() if not can_load(library)]
    if not has_ensurepip():
        wanted.append(f"python{sys.version_info.major}.{sys.version_info.minor}-venv")
    if wanted:
        install_system(wanted)
    useful = [package for name, package in PROGRAMS.items() if shutil.which(name) is None]
    if useful:
        try:
            install_system(useful)
        except SetupError as error:
            say(f"{error}; without them tests of the window are skipped")
    if not wanted:
        return
    importlib.invalidate_caches()
    if not has_ensurepip():
        raise SetupError(
            f"{sys.executable} has no ensurepip, so it cannot make an environment; install its "
            "venv package, or name another interpreter: RTBCI_PYTHON=/path/to/python"
        )


def has_ensurepip() -> bool:
    """True if this Python can make environments; Debian ships that half apart."""
    try:
        importlib.import_module("ensurepip")
    except ImportError:
        return False
    return True


def can_load(library: str) -> bool:
    """True if the dynamic loader finds ``library``."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def install_system(packages: list[str]) -> None:
    """``apt-get install`` as root or through sudo without a password; else a list and exit 2."""
    command = f"apt-get install {' '.join(packages)}"
    by_hand = f"these system packages are missing: {', '.join(packages)}; install them (Debian, "
    by_hand += f"Ubuntu: sudo {command}) and run this again"
    if shutil.which("apt-get") is None:
        raise SetupError(by_hand)
    become: list[str] = []
    if os.geteuid() != 0:
        become = ["sudo", "-n"]
        silent = shutil.which("sudo") and subprocess.run([*become, "true"], check=False)
        if not silent or silent.returncode:
            raise SetupError(by_hand)
    say(f"{command} (needed once)")
    apt = [*become, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "--quiet"]
    quietly(None, *apt, "update")  # a foreign source that fails must not matter
    install = [*apt, "install", "--yes", "--no-install-recommends", *packages]
    call(f"could not install {', '.join(packages)}", None, *install)


def call(failure: str, lock: int | None, *command: str) -> None:
    """Run ``command`` silently; where it fails, show the end of what it said."""
    done = quietly(lock, *command)
    if done.returncode:
        print("\n".join(done.stdout.splitlines()[-30:]), file=sys.stderr)
        raise SetupError(f"{failure} ({' '.join(command)} ended with {done.returncode}, see above)")


def quietly(lock: int | None, *command: str) -> subprocess.CompletedProcess[str]:
    """Run ``command`` and keep what it says."""
    # the child shares the lock: should we be killed, nobody starts beside a pip still at work
    return subprocess.run(
        command,
        cwd=ROOT,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=() if lock is None else (lock,),
        env={**os.environ, "PIP_USER": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        encoding="utf-8",
        errors="replace",
    )


def say(sentence: str) -> None:
    """One line of progress."""
    print(f"rtbci: {sentence}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
