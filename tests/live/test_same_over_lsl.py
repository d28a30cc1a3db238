"""A recording over the bus at speed 8 and in process at full speed: the same, sample for sample.

``prepare`` and ``differences`` serve ``make soak`` too, where it must hold five times in a row
with two busy loops beside it.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from calibration.fitting.training import CalibrationSettings, calibrate
from rtbci.formats import read
from rtbci.recorder.xdf_writer import write_recording
from rtbci.signal.recording import Recording
from sims.generate import generate
from tests.support.live_session import Box

pytestmark = pytest.mark.lsl
HEADSET = ("TP9", "AF7", "AF8", "TP10")
CLOSE = 1e-6  # of probabilities
SAME = ("index", "onset", "true", "label", "flags", "rejected")
MUSE = {  # folder below muse/visual, classes
    "P300": ("P300/subject1/session1", {"1": "non-target", "2": "target"}),
    "left-right": ("left-right/subject2/session1", {"1": "left", "2": "right"}),
}
SHORT = [  # recording, its first seconds, speed; stamps of the second one step back four times
    ("P300", 60.0, 8.0),
    ("left-right", None, 16.0),
]

Line = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A recording, a bundle for it, and what is decided in process."""

    file: Path
    bundle: Path
    expected: list[Line]
    gaps: int


def nothing(_stage: str, _done: int, _of: int) -> None:
    """Progress that nobody looks at."""


def prepare(eeg: Path, name: str, folder: Path, seconds: float | None = None) -> Case:
    """The fifth recording of a session (its first ``seconds``) and a bundle from three others."""
    where, classes = MUSE[name]
    files = sorted((eeg / "muse/visual" / where).glob("*.csv"))
    file = folder / f"{name}.csv"
    lines = files[4].read_text("utf-8").splitlines(keepends=True)
    rate = read(files[4]).info.rate
    file.write_text("".join(lines if seconds is None else lines[: round(seconds * rate) + 1]))
    plan = CalibrationSettings(name, classes, channels=HEADSET)
    trained = calibrate([read(path) for path in files[:3]], plan, nothing, permute=False)
    return in_process(file, trained.bundle.save(folder / "bundles"))


def in_process(file: Path, bundle: Path) -> Case:
    """What ``--speed max`` decides."""
    with Box("replay", file, "--bundle", bundle, "--speed", "max", "--json") as box:
        assert box.end(60) == 0, box.stderr
        return Case(file, bundle, box.all("decision"), box.all("summary")[0]["gaps"])


def differences(case: Case, folder: Path, speed: float = 8.0) -> list[str]:
    """Where a replay over the bus differs; ``folder`` is a new one for its session."""
    folder.mkdir()
    with Box(
        "replay", case.file, "--bundle", case.bundle, "--speed", speed, "--json", "--headless",
        "--out", folder / "sessions", runtime=folder,
    ) as box:  # fmt: skip
        assert box.end(180) == 0, box.stderr
        found, (summary,) = box.all("decision"), box.all("summary")
    wrong = []
    if len(found) != len(case.expected):
        wrong.append(f"{len(found)} events, {len(case.expected)} in process")
    for number, (one, other) in enumerate(zip(found, case.expected, strict=False)):
        wrong += [
            f"event {number}: {key} {one[key]!r}, in process {other[key]!r}"
            for key in SAME
            if one[key] != other[key]
        ]
        p, q = one["probabilities"], other["probabilities"]
        if list(p) != list(q) or any(abs(p[name] - q[name]) > CLOSE for name in p):
            wrong.append(f"event {number}: probabilities {p}, in process {q}")
    for key, value in (("lost_samples", 0), ("gaps", case.gaps)):
        if summary[key] != value:
            wrong.append(f"{key} {summary[key]}, in process {value}")
    return wrong


@pytest.mark.slow
@pytest.mark.parametrize(("name", "seconds", "speed"), SHORT)
def test_a_headset_over_the_bus_gives_the_same_events_as_in_process(
    eeg, tmp_path, name, seconds, speed
):
    case = prepare(eeg, name, tmp_path, seconds)
    assert sum(line["label"] is not None for line in case.expected) > 60
    assert differences(case, tmp_path / "run", speed) == []


def test_a_simulated_recording_with_jittering_events_gives_the_same(tmp_path):
    small = {"channels": 4, "soa": 0.4}
    trained = calibrate(
        [generate(1, n_trials=60, **small)],
        CalibrationSettings("sub-01", {"1": "house", "2": "face"}), nothing, permute=False,
    )  # fmt: skip
    recording: Recording = generate(2, n_trials=40, **small)
    # events as close as neighbouring samples, and two at the very end, cut short
    last = len(recording.signal) - 1
    markers = (*recording.markers, *(replace(m, index=m.index + 1) for m in recording.markers[:5]))
    markers += tuple(replace(recording.markers[0], index=last - n) for n in (0, 40))
    file = tmp_path / "simulated.xdf"
    write_recording(file, replace(recording, markers=tuple(sorted(markers, key=lambda m: m.index))))
    case = in_process(file, trained.bundle.save(tmp_path / "bundles"))
    assert len(case.expected) >= 42
    assert differences(case, tmp_path / "run") == []
