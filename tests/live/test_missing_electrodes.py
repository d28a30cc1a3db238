"""A cap of 122 electrodes loses 20 of them on the bus, and decoding goes on without retraining."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from calibration.fitting.settings import CalibrationSettings, plan_recipe
from calibration.fitting.training import fit
from calibration.fitting.trials import collect
from rtbci.decoding.bundle import Bundle
from rtbci.decoding.pipeline import Pipeline
from sims.person import Person
from sims.person.head import montage
from tests.soak.deep import CLASSES, GONE, shown
from tests.support.boxes_on_bus import write
from tests.support.lsl_source import ROOT

RATE = 250.0
LABELS = {name: name for name in CLASSES}


@pytest.fixture(scope="module")
def person():
    return Person(3, 2, montage(122), RATE, "clear")


@pytest.fixture(scope="module")
def bundle(person) -> Bundle:
    recording = person.session(1).continuous(shown(100, 1), soa=1.1)
    plan = CalibrationSettings("sub-02", LABELS)
    recipe = plan_recipe([recording], plan)
    trials, _, refused = collect([recording], recipe, LABELS, CLASSES)
    assert not refused
    found = fit(trials, np.flatnonzero(trials.kept), recipe, plan)
    return Bundle("sub-02", "evoked", found.family, "", LABELS, recipe, found.decoder,
                  template=found.template, spare=found.spare)  # fmt: skip


@pytest.fixture(scope="module")
def cut(person):
    """Half a minute with 102 of the 122 electrodes."""
    recording = person.session(1).continuous(shown(24, 2), run=2, soa=1.1)
    gone = np.random.default_rng(0).choice(person.channels, GONE, replace=False)
    return recording.pick(tuple(name for name in person.channels if name not in gone))


@pytest.mark.lsl
def test_a_live_stream_without_twenty_electrodes_is_decoded_as_in_process(bundle, cut, tmp_path):
    folder = bundle.save(tmp_path / "bundles")
    file = write(cut, tmp_path)
    words = ["replay", file, "--bundle", folder, "--speed", "8", "--headless", "--no-record",
             "--json", "--out", tmp_path / "sessions"]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "rtbci", *map(str, words)], cwd=ROOT, text=True, timeout=100,
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    live = [each for each in lines if each["event"] == "decision"]
    offline = Pipeline(bundle, cut.info).run(cut.items())
    assert len(live) == len(offline) == 24
    for one, other in zip(live, offline, strict=True):
        assert one["index"] == other.index
        assert one["label"] == other.label is not None
        assert one["flags"] == list(other.flags)
        (said,) = [flag for flag in one["flags"] if flag.startswith("without")]
        assert int(said.split()[1]) >= GONE  # and what popped or moved in this window
        assert list(one["probabilities"].values()) == pytest.approx(
            list(other.probabilities.values()), abs=1e-6
        )


def test_an_electrode_that_goes_flat_in_between_is_estimated_from_there_on(bundle, person):
    recording = person.session(1).continuous(shown(12, 2), run=2, soa=1.1)
    whole = Pipeline(bundle, recording.info).run(recording.items())
    at = recording.info.channels.index("PO7")
    dead_from = recording.markers[6].index
    signal = recording.signal.copy()
    signal[dead_from:, at] = signal[dead_from, at]
    broken = Pipeline(bundle, recording.info).run(replace(recording, signal=signal).items())
    named = [any(flag.startswith("without") for flag in each.flags) for each in broken]
    assert named == [each.index + bundle.recipe.last > dead_from + 0.25 * RATE for each in broken]
    assert all(each.label is not None for each in broken)
    for before, after in list(zip(whole, broken, strict=True))[:5]:
        assert before.probabilities == after.probabilities
