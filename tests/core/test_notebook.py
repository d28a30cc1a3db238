"""What a student pastes into a notebook works as it stands in docs/python.md."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import rtbci
from calibration.fitting.training import CalibrationSettings, calibrate
from rtbci.recorder.xdf_writer import write_recording
from sims.generate import generate

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
LABELS = {"1": "house", "2": "face"}


def nothing(_stage: str, _done: int, _of: int) -> None:
    """Progress that nobody looks at."""


def example() -> str:
    """The Python of the page."""
    page = (ROOT / "docs" / "python.md").read_text("utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.S)
    return code


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with the recording and the bundle that the example names."""
    folder = tmp_path_factory.mktemp("notebook")
    names = dict(re.findall(r'(load_bundle|read)\("([^"]+)"\)', example()))
    plan = CalibrationSettings("sub-01", LABELS)
    result = calibrate([generate(1, n_trials=60, soa=1.0, channels=4)], plan, nothing,
                       permute=False)  # fmt: skip
    result.bundle.save(folder / names["load_bundle"])
    write_recording(folder / names["read"], generate(2, n_trials=40, soa=1.0, channels=4))
    return folder


def test_the_public_names_are_there():
    from rtbci import Pipeline, load_bundle, read

    assert {Pipeline, load_bundle, read} == {getattr(rtbci, name) for name in rtbci.__all__
                                             if name != "__version__"}  # fmt: skip


def test_the_example_is_short_and_gives_decisions(folder):
    code = example()
    assert len(code.strip().splitlines()) <= 20
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=folder, capture_output=True, check=False,
        encoding="utf-8", timeout=60, env=ENVIRONMENT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert "Cz" in lines[0]
    assert "40 markers" in lines[0]
    decisions = [line for line in lines if "->" in line]
    assert len(decisions) >= 37  # those at the end come with finish()
    right, of = map(int, re.findall(r"(\d+) of (\d+) right, 0 rejected", done.stdout)[0])
    assert of == 40
    assert right >= 26


def test_importing_rtbci_loads_nothing_heavy_until_it_is_used(folder):
    code = "import sys, rtbci; assert 'numpy' not in sys.modules; rtbci.Pipeline; print('ok')"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, check=False,
        encoding="utf-8", timeout=60, env=ENVIRONMENT,
    )  # fmt: skip
    assert done.stdout == "ok\n", done.stderr
