"""Without what only Linux has, every module imports and work with recordings goes on."""

import subprocess
import sys
from pathlib import Path

import pytest

from rtbci.recorder.xdf_writer import write_recording
from sims.generate import generate

ROOT = Path(__file__).resolve().parents[2]
WITHOUT_LINUX = """
import asyncio, psutil, subprocess, tempfile  # these have Linux and Windows versions of their own
import os, signal, socket, sys

for module, names in (
    (signal, ("SIGHUP", "SIGKILL", "SIGSTOP", "SIGUSR1")),
    (os, ("killpg", "getpgid", "setsid", "fork", "getuid", "pread", "pwrite", "fdatasync")),
    (socket, ("AF_UNIX",)),
):
    for name in names:
        delattr(module, name)
for name in ("fcntl", "termios"):
    sys.modules[name] = None  # an import of it fails
"""
IMPORT_ALL = """
import importlib, pkgutil

failed = []
for package in ("rtbci", "calibration", "gui", "sims"):
    found = importlib.import_module(package)
    for each in pkgutil.walk_packages(found.__path__, package + "."):
        if each.name.endswith("__main__"):
            continue
        try:
            importlib.import_module(each.name)
            print(each.name)
        except ModuleNotFoundError as error:  # an extra that is not installed here is no matter
            root = str(error.name).partition(".")[0]
            if root in sys.stdlib_module_names or root in ("rtbci", "calibration", "gui", "sims"):
                failed.append(f"{each.name}: {error}")
        except Exception as error:
            failed.append(f"{each.name}: {type(error).__name__}: {error}")
print(*failed, sep="\\n", file=sys.stderr)
sys.exit(bool(failed))
"""
COMMAND = """
from rtbci.cli import main
sys.exit(main(sys.argv[1:]))
"""
LIVE = {
    "live": ("live", "--bundle", "b"),
    "live --attach": ("live", "--attach", "s"),
    "record": ("record", "--out", "new.xdf"),
    "decode": ("decode", "--bundle", "b"),
    "stream": ("stream", "run.xdf"),
    "stop": ("stop",),
    "gui": ("gui",),
    "simulate --live": ("simulate", "--live"),
    "replay": ("replay", "run.xdf", "--labels", "1=house,2=face"),
}


def without_linux(code: str, *words: object, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run ``code`` in an interpreter that lost what Windows does not have."""
    return subprocess.run(
        [sys.executable, "-c", f"{WITHOUT_LINUX}\nsys.path.insert(0, {str(ROOT)!r})\n{code}",
         *map(str, words)],
        cwd=folder, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """One short run of a simulated person."""
    folder = tmp_path_factory.mktemp("portable")
    write_recording(folder / "run.xdf", generate(1, n_trials=60, channels=4, soa=0.6))
    return folder


def test_every_module_of_the_four_packages_imports(tmp_path):
    done = without_linux(IMPORT_ALL, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    imported = done.stdout.split()
    assert len(imported) > 150
    assert {"rtbci.session.supervisor", "rtbci.session.folder", "sims.lives"} <= set(imported)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("--help",), "usage:"),
        (("info", "run.xdf"), "sample"),
        (("replay", "run.xdf", "--labels", "1=house,2=face", "--speed", "max"), "accuracy"),
        (("calibrate", "--subject", "02", "--from", "run.xdf", "--labels", "1=a,2=b"), "bundle: "),
    ],
)
def test_offline_commands_run(folder, words, found):
    done = without_linux(COMMAND, *words, folder=folder)
    assert done.returncode == 0, done.stderr
    assert found in done.stdout


@pytest.mark.parametrize("name", LIVE)
def test_live_commands_say_in_one_sentence_that_they_need_linux(folder, name):
    done = without_linux(COMMAND, *LIVE[name], folder=folder)
    assert (done.returncode, done.stdout) == (3, "")
    (sentence,) = done.stderr.splitlines()
    assert "needs Linux: Python offers no fcntl, AF_UNIX, SIGHUP, killpg" in sentence
