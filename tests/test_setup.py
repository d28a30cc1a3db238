"""What ``make`` says on a machine where the environment cannot be made."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent

NO_ENSUREPIP = """
import sys

class Hide:
    def find_spec(self, name, path=None, target=None):
        if name == "ensurepip":
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Hide())
"""


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A copy of what setup reads, and beside it ``bin``: a PATH with next to nothing on it."""
    checkout = tmp_path / "Ünï cödé" / "a b"
    shutil.copytree(CHECKOUT / "scripts", checkout / "scripts")
    shutil.copy(CHECKOUT / "pyproject.toml", checkout)
    (tmp_path / "bin").mkdir()
    for tool in ("sh", "dirname"):
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool) or "")
    return checkout


def program(bare: Path, name: str, body: str) -> None:
    """Put a shell script on the bare PATH."""
    file = bare.parent.parent / "bin" / name
    file.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    file.chmod(0o755)


def setup(bare: Path) -> tuple[int, str]:
    """Exit code of scripts/setup.sh on the bare PATH, and what it says."""
    clean = {name: value for name, value in os.environ.items() if name != "RTBCI_PYTHON"}
    done = subprocess.run(
        ["sh", "scripts/setup.sh"],
        cwd=bare,
        env={**clean, "PATH": str(bare.parent.parent / "bin")},
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=30,
    )
    assert done.stdout == ""
    return done.returncode, done.stderr


def test_without_python_setup_says_how_to_get_one(bare):
    code, said = setup(bare)
    assert code == 2
    assert "no Python 3.11 or newer" in said
    assert said.count("\n") == 1


def test_a_python_that_is_too_old_is_named(bare):
    program(bare, "python3", "echo old 3.9")
    code, said = setup(bare)
    assert code == 2
    assert "(python3 is 3.9)" in said


def test_a_stub_that_fails_is_not_taken_for_python(bare):
    program(bare, "python3.13", "exit 127")
    code, said = setup(bare)
    assert code == 2
    assert "no Python 3.11 or newer" in said


@pytest.mark.parametrize("apt", [None, "exit 100"], ids=["no apt-get", "apt-get fails"])
def test_a_python_without_ensurepip_names_the_package(bare, apt, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(NO_ENSUREPIP, encoding="utf-8")
    program(bare, "python3", f"PYTHONPATH='{tmp_path}' exec '{sys.executable}' \"$@\"")
    if apt:
        program(bare, "apt-get", apt)
        program(bare, "env", 'while case $1 in *=*) ;; *) false ;; esac; do shift; done; "$@"')
    code, said = setup(bare)
    assert code == 2
    assert f"python{sys.version_info.major}.{sys.version_info.minor}-venv" in said
    assert "Traceback" not in said
    assert not (bare / ".venv").exists()
