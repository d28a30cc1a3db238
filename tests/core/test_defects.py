"""The defects of real recordings, one by one: each is seen, and the right thing is said of it."""

import re
from pathlib import Path

import pytest

from rtbci.errors import BadInput
from rtbci.formats import read
from rtbci.formats.plausibility import contact, what_looks_wrong
from sims.generate import generate


def one(eeg: Path, pattern: str) -> Path:
    (path,) = sorted((eeg / "muse/visual").glob(pattern))
    return path


def notes(path: Path) -> str:
    return "; ".join(read(path).provenance.notes)


def test_a_copied_recording_has_the_hash_of_its_original(tmp_path, eeg):
    path = one(eeg, "N170/subject3/session2/*19.38.10.csv")
    (tmp_path / "session1.csv").write_bytes(path.read_bytes())
    assert read(tmp_path / "session1.csv").provenance.sha256 == read(path).provenance.sha256


@pytest.mark.parametrize(
    ("pattern", "n"),
    [
        ("N170/subject10/session1/*14.34*", 1),
        ("N170/subject10/session1/*15.06*", 28),
        ("N170/subject10/session2/*", 1),
        ("N170/subject10/session3/*", 1),
        ("N170/subject3/session3/*05-31*", 7),
    ],
)
def test_almost_no_markers_are_said(eeg, pattern, n):
    path = one(eeg, pattern)
    assert len(read(path).markers) == n
    assert "markers" in notes(path)


@pytest.mark.parametrize(("n", "said"), [(39, ["there are only 39 markers"]), (40, [])])
def test_too_few_markers_for_a_verdict_of_go_are_said(n, said):
    found = what_looks_wrong(generate(1, n_trials=n, soa=1.0, channels=4))
    assert [each.partition(":")[0] for each in found if "markers" in each] == said


@pytest.mark.parametrize(
    "pattern",
    [
        "P300/subject5/session1/*20.29*",
        "P300/subject5/session1/*20.33*",
        "P300/subject3/session1/*17.40*",
        "P300/subject3/session1/*17.52*",
        "N170/subject3/session3/*05-31*",
    ],
)
def test_bad_contact_is_said(eeg, pattern):
    assert "bad contact" in notes(one(eeg, pattern))


def test_good_recordings_are_not_accused(eeg):
    good = [path for name in ("N170/subject2", "P300/subject1", "left-right")
            for path in sorted((eeg / "muse/visual" / name).rglob("*.csv"))]  # fmt: skip
    assert len(good) >= 14
    for path in good:
        recording = read(path)
        assert contact(recording).pieces < 0.5, path.name
        said = "; ".join(recording.provenance.notes)
        assert not any(word in said for word in ("contact", "line", "markers")), said
    for path in sorted((eeg / "eegmmi").rglob("*.edf")):
        assert "contact" not in notes(path)


@pytest.mark.parametrize(
    ("pattern", "back_steps"),
    [
        ("N170/subject10/session1/*14.34*", 1662),
        ("N170/subject10/session1/*15.06*", 336),
        ("N170/subject11/session1/*", 1647),
        ("SSVEP/subject1/session1/*21.20*", 123),
        ("left-right/subject2/session1/*19.03*", 168),
        ("spatial_freq/subject1/session1/*22.54*", 284),
    ],
)
def test_stamps_that_step_back_are_counted_and_raise_no_false_alarm(eeg, pattern, back_steps):
    recording = read(one(eeg, pattern))
    assert recording.back_steps == back_steps
    assert recording.gaps == ()
    assert recording.effective_rate == pytest.approx(256, abs=0.06)


def test_a_recording_committed_in_text_mode_is_refused(tmp_path, eeg):
    whole = (eeg / "eegmmi/S001/S001R03.edf").read_bytes()
    (tmp_path / "a.edf").write_bytes(whole.replace(b"\n", b"\r\n"))
    with pytest.raises(BadInput, match="text mode"):
        read(tmp_path / "a.edf")
    recording = read(eeg / "eegmmi/S001/S001R03.edf")
    assert [m.label for m in recording.markers].count("T0") == 15
    assert len(recording.markers) == 30
    assert recording.markers[1].index == round(4.2 * 160)


def test_a_signal_replaced_by_a_line_is_said(eeg):
    for path in sorted((eeg / "muse/visual/SSVEP/subject3").glob("session[12]/*.csv")):
        assert re.search(r"hums at 16(\.1)? Hz, as no brain does: Right AUX", notes(path))
    for path in sorted((eeg / "muse/visual/SSVEP/subject1").rglob("*.csv")):
        assert "hums at" not in notes(path)  # a strong answer to flicker is no defect
