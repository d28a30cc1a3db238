"""Doctor's checks of the computer: Python, packages, disk, power, screen, clock, memory."""

import hashlib
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from rtbci.doctor.check import Answer, Check, NoAnswer, SessionPlace, Task, TooSlow, ask

NEEDED = ("numpy", "scipy", "sklearn", "pyriemann", "mne", "pyxdf", "pydantic", "safetensors",
          "rich", "psutil", "matplotlib")  # fmt: skip
# From this version of PySide6 on, with Python before 3.12, the window aborts within seconds.
BAD_PYSIDE = (6, 12)
# Recording of 122 channels at 1 kHz, float32, with one stamp per row.
BYTES_AN_HOUR = (122 * 4 + 8) * 1000 * 3600
# Ten times the rate of such a stream, so that other programs can write too.
NEEDED_MBS = 5.0
SLOW_SYNC_S = 0.5
FEW_HOURS, HARDLY_ANY_HOURS = 2.0, 0.5
LITTLE_MEMORY, HARDLY_ANY_MEMORY = 2**30, 2**28  # bytes
# Load average per processor above which the computer is busy.
BUSY = 1.5
# Path in the package -> its SHA-256. Nothing is packaged yet.
WEIGHTS: dict[str, str] = {}
PACKAGE = Path(__file__).resolve().parent.parent  # rtbci/
CPU = Path("/sys/devices/system/cpu")
POWER = Path("/sys/class/power_supply")
CLOCK_SOURCE = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")
SLOW_CLOCKS = ("acpi_pm", "hpet", "jiffies", "pit", "refined-jiffies")
EARLIEST_YEAR = 2025


def python(_: SessionPlace) -> list[Check]:
    """Check the version of Python, and of PySide6 for it."""
    version = platform.python_version()
    old = sys.version_info < (3, 11)
    checks = [
        Check("Python", "fail" if old else "ok", f"{version} on {platform.system()}",
              "install Python 3.11 or newer" if old else ""),
    ]  # fmt: skip
    try:
        pyside = importlib.metadata.version("PySide6")
    except importlib.metadata.PackageNotFoundError:
        pyside = None
    return [*checks, pair(sys.version_info[:2], pyside)]


def pair(version: tuple[int, int], pyside: str | None) -> Check:
    """Check that this Python and this PySide6 work together."""
    name = "Python and PySide6"
    if pyside is None:
        return Check(name, "ok", "PySide6 is not installed; nothing here opens a window yet")
    found = f"Python {version[0]}.{version[1]} with PySide6 {pyside}"
    numbers = tuple(int(part) for part in pyside.split(".")[:2] if part.isdigit())
    if version < (3, 12) and numbers >= BAD_PYSIDE:
        return Check(name, "fail", f"{found}: it aborts after seconds of drawing",
                     "pip install 'PySide6>=6.10,<6.12', or use Python 3.12 or newer")  # fmt: skip
    return Check(name, "ok", found)


def packages(_: SessionPlace) -> list[Check]:
    """Check that all packages that rtbci needs can be imported."""
    try:
        answer = ask("rtbci.doctor.machine", "import_all", *NEEDED, timeout=13)
    except TooSlow as error:
        if any(importlib.util.find_spec(name) is None for name in NEEDED):
            raise
        found = f"all are installed; importing them {error}"
        return [Check("packages", "warn", found, "close other programs, and run this again")]
    broken = answer["broken"]
    assert isinstance(broken, dict)
    if broken:
        said = "; ".join(f"{name}: {why}" for name, why in broken.items())
        return [Check("packages", "fail", said, "install rtbci anew: pip install --upgrade rtbci")]
    versions = answer["versions"]
    assert isinstance(versions, dict)
    return [Check("packages", "ok", ", ".join(f"{name} {v}" for name, v in versions.items()))]


def import_all(*names: str) -> Answer:
    """Versions of the packages that can be imported, and errors of those that cannot.

    Runs in a child process, because these packages are large.
    """
    versions, broken = dict[str, str](), dict[str, str]()
    for name in names:
        try:
            module = importlib.import_module(name)
            versions[name] = str(getattr(module, "__version__", "") or _version(name))
        except Exception as error:  # noqa: BLE001 a broken package may raise anything
            broken[name] = " ".join(f"{type(error).__name__}: {error}".split())[:200]
    return {"versions": versions, "broken": broken}


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "?"


def disk(place: SessionPlace) -> list[Check]:
    """Check write speed and free space of the recordings' folder."""
    name, folder = "disk", place.folder
    try:
        answer = ask("rtbci.doctor.disk", "measure", str(folder), timeout=11)
    except NoAnswer as error:
        step = "choose a folder on a local disk that you may write to"
        if isinstance(error, TooSlow):
            step = "reconnect a network disk that is gone, or close other programs; run this again"
        return [Check(name, "fail", f"{folder}: {error}", step)]
    figures = [answer[key] for key in ("free", "mb_s", "worst_sync", "written_mb")]
    free, speed, worst, written = (float(x) for x in figures if isinstance(x, int | float))
    hours = free / BYTES_AN_HOUR
    found = (
        f"{folder}: {speed:.0f} MB/s, worst sync {1000 * worst:.0f} ms over {written:.0f} MB, "
        f"room for {hours:.1f} h of 122 channels at 1 kHz"
    )
    if hours < FEW_HOURS:
        level = "fail" if hours < HARDLY_ANY_HOURS else "warn"
        return [Check(name, level, found, "free some space, or record to another disk")]
    if speed < NEEDED_MBS or worst > SLOW_SYNC_S:
        return [Check(name, "warn", found,
                      "slow: record to a local disk, not to a network or USB stick")]  # fmt: skip
    return [Check(name, "ok", found)]


def power(_: SessionPlace) -> list[Check]:
    """Check power saving of the processor, and whether the computer runs on battery."""
    governors = {_read(path) for path in sorted(CPU.glob("cpu[0-9]*/cpufreq/scaling_governor"))}
    saving = sorted(governors & {"powersave", "conservative"})
    # With these drivers "powersave" scales on demand, like "schedutil" with others.
    active = _read(CPU / "cpu0/cpufreq/scaling_driver") in ("intel_pstate", "amd-pstate-epp")
    battery = any(_read(path) == "Discharging" for path in POWER.glob("*/status"))
    wrong: list[tuple[str, str]] = []
    if saving and not active:
        wrong.append((f"processors save power ({', '.join(saving)})",
                      "sudo cpupower frequency-set -g performance"))  # fmt: skip
    if battery:
        wrong.append(("the computer runs on battery", "plug it in"))
    if wrong:
        return [Check("power", "warn", "; ".join(what for what, _ in wrong),
                      "; ".join(step for _, step in wrong))]  # fmt: skip
    if not governors - {""}:
        return [Check("power", "ok", "not checked: the system does not show how it saves power")]
    return [Check("power", "ok", f"processors: {', '.join(sorted(governors - {''}))}")]


def screen(_: SessionPlace) -> list[Check]:
    """Check that a window could open and draw."""
    display = os.environ.get("WAYLAND_DISPLAY") or os.environ.get("DISPLAY")
    window = importlib.util.find_spec("PySide6") is not None
    if not display and sys.platform.startswith("linux"):
        step = "work at the machine itself, or use the commands without a window" if window else ""
        checks = [Check("display", "warn" if window else "ok",
                        "none: recording, decoding and replay need none", step)]  # fmt: skip
        return [*checks, Check("OpenGL", "ok", "not checked: there is no display")]
    checks = [Check("display", "ok", display or "the system's own")]
    if not window:
        return [*checks, Check("OpenGL", "ok", "not checked: PySide6 is not installed")]
    try:
        answer = ask("rtbci.doctor.machine", "opengl", timeout=9)
    except NoAnswer as error:
        step = "install the graphics driver; windows fall back to slow drawing"
        return [*checks, Check("OpenGL", "warn", str(error), step)]
    return [*checks, Check("OpenGL", "ok", str(answer["version"]))]


def opengl() -> Answer:
    """Version of OpenGL that Qt gets; in a child process, which a broken driver may abort."""
    # Not an import statement, because only gui imports PySide6.
    gui = importlib.import_module("PySide6.QtGui")
    application = gui.QGuiApplication([])
    context, surface = gui.QOpenGLContext(), gui.QOffscreenSurface()
    surface.create()
    if not context.create() or not context.makeCurrent(surface):
        raise RuntimeError("Qt gets no OpenGL context")
    major, minor = context.format().version()
    name = application.platformName()
    return {"version": f"{major}.{minor} on {name}"}


def gpu(_: SessionPlace) -> list[Check]:
    """Report the graphics card; none is required."""
    name, tool = "GPU", shutil.which("nvidia-smi")
    if tool is None:
        return [Check(name, "ok", "none found, none needed")]
    query = [tool, "--query-gpu=name,memory.used,memory.total", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=6, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return [Check(name, "warn", "nvidia-smi does not answer", "restart before the session")]
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())[:200]
        return [Check(name, "warn", f"nvidia-smi: {said}", "none is needed; see to its driver")]
    cards = [" ".join(line.replace(",", " ").split()) for line in done.stdout.splitlines()]
    torch = "" if importlib.util.find_spec("torch") else "; torch is not installed, nothing uses it"
    return [Check(name, "ok", "; ".join(cards) + torch)]


def weights(_: SessionPlace) -> list[Check]:
    """Check that packaged weights are unchanged (SHA-256)."""
    if not WEIGHTS:
        return [Check("packaged weights", "ok", "none packaged yet")]
    wrong = [
        path for path, sha256 in WEIGHTS.items()
        if not (PACKAGE / path).is_file() or _sha256(PACKAGE / path) != sha256
    ]  # fmt: skip
    if wrong:
        return [Check("packaged weights", "fail", f"missing or changed: {', '.join(wrong)}",
                      "install rtbci anew: pip install --force-reinstall rtbci")]  # fmt: skip
    return [Check("packaged weights", "ok", f"{len(WEIGHTS)} files are as they should be")]


def clock(_: SessionPlace) -> list[Check]:
    """Check date, time zone and clock source."""
    now = datetime.now().astimezone()
    found = f"{now:%Y-%m-%d %H:%M} {now.tzname()} (UTC{now:%z})"
    source = _read(CLOCK_SOURCE)
    resolution = time.get_clock_info("monotonic").resolution
    if now.year < EARLIEST_YEAR:
        return [Check("clock", "warn", f"{found}: that is long ago",
                      "set the date; recordings carry it in their names")]  # fmt: skip
    if source in SLOW_CLOCKS or resolution > 1e-4:
        return [Check("clock", "warn", f"{found}, slow source {source or resolution}",
                      "choose the source tsc in the system's boot options")]  # fmt: skip
    return [Check("clock", "ok", found + (f", source {source}" if source else ""))]


def memory(_: SessionPlace) -> list[Check]:
    """Check free memory and load."""
    import psutil

    free, cores = psutil.virtual_memory().available, os.cpu_count() or 1
    load = psutil.getloadavg()[0]
    found = f"{free / 2**30:.1f} GiB of memory free, {cores} processors, load {load:.1f}"
    step = "close other programs"
    if free < LITTLE_MEMORY:
        level = "fail" if free < HARDLY_ANY_MEMORY else "warn"
        return [Check("memory and load", level, found, step)]
    if load > BUSY * cores:
        return [Check("memory and load", "warn", f"{found}: busy", step)]
    return [Check("memory and load", "ok", found)]


def sessions(_: SessionPlace) -> list[Check]:
    """Check for sessions of rtbci that already run on this computer."""
    from rtbci.session.control import running

    entries = running()
    if not entries:
        return [Check("running sessions", "ok", "none")]
    listed = ", ".join(entry.id for entry in entries)
    return [Check("running sessions", "warn", f"{len(entries)}: {listed}",
                  "stop what you do not need: rtbci stop NAME")]  # fmt: skip


def _read(path: Path) -> str:
    """Content of a one-line system file, or "" if it cannot be read."""
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


TASKS: Sequence[Task] = (
    Task("Python", python),
    Task("packages", packages, timeout=14),
    Task("disk", disk, timeout=12),
    Task("power", power),
    Task("display", screen),
    Task("GPU", gpu),
    Task("packaged weights", weights),
    Task("clock", clock),
    Task("memory and load", memory),
    Task("running sessions", sessions),
)
