"""Written datasets: every byte rule of the published files, completion, and the command."""

import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath

import numpy as np
import pytest

from rtbci import cli, stimuli
from rtbci.errors import BadInput
from rtbci.formats import read
from rtbci.formats.dataset import find_runs
from rtbci.formats.runs import recording_of
from sims import dataset
from sims.dataset import WrittenDataset, write
from sims.person.constants import CLEAR_CLASSES, PATH_PREFIXES
from tests.support.lsl_source import ROOT

SMALL = {"runs": 2, "trials": 20, "channels": 4, "rate": 250.0, "images": False}


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> WrittenDataset:
    """One session of two runs as the published files are, without pictures."""
    return write(tmp_path_factory.mktemp("sim") / "out", runs=2, images=False)


def session_folder(made: WrittenDataset, subject: str = "sub-02", session: int = 1) -> Path:
    return made.folder / "ds005589" / subject / f"ses-{session:02d}"


def files(folder: Path) -> dict[str, bytes]:
    """Everything below ``folder``, by relative path."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def test_a_session_folder_holds_three_files_a_run_and_nothing_else(published):
    base = "sub-02_ses-01_task-lowSpeed_run-{:02d}_{}"
    assert sorted(path.name for path in session_folder(published).iterdir()) == [
        base.format(run, end)
        for run in (1, 2)
        for end in ("1000Hz.json", "1000Hz.npy", "image.csv")
    ]


def test_an_array_has_the_published_header_size_and_order(published):
    for path in session_folder(published).glob("*.npy"):
        raw = path.read_bytes()
        header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (100, 500, 122), }"
        assert raw[:10] == b"\x93NUMPY\x01\x00\x76\x00"  # version 1.0, 118 bytes of header
        assert raw[10:128] == header.ljust(117) + b"\n"
        assert len(raw) == 24_400_128
        x = np.load(path)
        assert np.isfinite(x).all()
        assert 4 < x.std() < 120  # microvolts


def test_class_numbers_are_a_bare_indented_list_without_a_last_newline(published):
    for path in session_folder(published).glob("*.json"):
        labels = json.loads(path.read_bytes())
        assert path.read_bytes() == json.dumps(labels, indent=2).encode()
        assert not path.read_bytes().endswith(b"\n")
        assert b"\r" not in path.read_bytes()
        assert np.bincount(labels).tolist() == [5] * 20
        assert sum(a == b for a, b in itertools.pairwise(labels)) < 16  # no blocks


def test_the_image_list_is_one_column_of_windows_paths_with_crlf(published):
    for path in session_folder(published).glob("*.csv"):
        raw = path.read_bytes()
        assert raw.startswith(b"FilePath\r\n")
        assert raw.endswith(b"_resized.jpg\r\n")
        assert raw.count(b"\r\n") == raw.count(b"\n") == raw.count(b"\r") == 101
        assert b'"' not in raw
        assert not raw.startswith(b"\xef\xbb\xbf")
        rows = raw.decode().split("\r\n")[1:-1]
        assert raw == ("FilePath\r\n" + "\r\n".join(rows) + "\r\n").encode()
        labels = json.loads(
            path.with_name(path.name.replace("image.csv", "1000Hz.json")).read_text()
        )
        for row, label in zip(rows, labels, strict=True):
            assert PureWindowsPath(row).parts[-2] == stimuli.CATEGORIES[label]
        assert len(set(rows)) == 100  # no picture twice in a run


def test_one_of_three_prefixes_is_constant_within_a_session(tmp_path):
    small = {**SMALL, "trials": 4, "rate": 100.0, "merged": False}
    made = write(tmp_path / "out", subjects=4, sessions=5, **small)
    seen = set()
    for subject in made.settings.names:
        for session in range(1, 6):
            rows = [
                row
                for path in session_folder(made, subject, session).glob("*.csv")
                for row in path.read_bytes().decode().split("\r\n")[1:-1]
            ]
            (prefix,) = {str(PureWindowsPath(row).parents[1]) for row in rows}
            seen.add(prefix)
    assert seen == set(PATH_PREFIXES)


def test_captions_are_tab_separated_with_lf_and_no_last_newline(published):
    raw = (published.folder / "captions.txt").read_bytes()
    assert raw.startswith(b"dataset\tcategory\timage_name\tabstracted\n")
    assert not raw.endswith(b"\n")
    assert b"\r" not in raw
    rows = [row.split("\t") for row in raw.decode().split("\n")[1:]]
    assert len(rows) == 2000
    assert {len(row) for row in rows} == {4}
    names = [row[2] for row in rows]
    assert len(set(names)) == 2000
    assert not any("_resized" in name or "." in name for name in names)
    assert all(row[1] in row[3].lower() for row in rows[::50])


def test_a_session_shows_as_many_pictures_as_it_can(published):
    shown = [image for run in find_runs(published.folder) for image in run.images]
    assert len(set(shown)) == len(shown) == 200


def test_sessions_of_a_subject_share_no_picture(tmp_path):
    made = write(tmp_path / "out", sessions=3, **{**SMALL, "trials": 40, "merged": False})
    shown = [image for run in find_runs(made.folder) for image in run.images]
    assert len(set(shown)) == 3 * 2 * 40


def test_the_reader_of_real_files_reads_it(published):
    runs = find_runs(published.folder)
    assert [(run.subject, run.session, run.number) for run in runs] == [
        ("sub-02", 1, 1),
        ("sub-02", 1, 2),
    ]
    assert all(caption for run in runs for caption in run.captions)
    recording = recording_of(runs[0])
    assert (recording.epoch_rows, recording.info.rate) == (500, 1000.0)
    assert len(recording.markers) == 100
    assert recording.info.channels[64] == "Pz"


def test_the_session_file_holds_its_runs_and_a_complete_sidecar(published):
    (path,) = published.merged
    runs = [np.load(each) for each in sorted(session_folder(published).glob("*.npy"))]
    assert np.array_equal(np.load(path), np.concatenate(runs))
    side = json.loads(path.with_suffix(".json").read_text("utf-8"))
    assert side["simulated"] is True
    assert (side["rate"], side["unit"], side["axes"]) == (1000.0, "uV", "epoch,time,channel")
    assert side["runs"] == [100, 100]
    assert len(side["channels"]) == 122
    assert side["images"] == [i for run in find_runs(published.folder) for i in run.images]
    recording = read(path)
    assert recording.markers[0].label == side["labels"][0]
    assert len(recording.markers) == 200


def test_the_folder_states_that_it_is_simulated(published):
    about = json.loads((published.folder / "simulated.json").read_text("utf-8"))
    assert about["simulated"] is True
    assert "nobody was measured" in about["note"]
    assert "not of the published cap" in about["note"]
    assert (about["strength"], about["seed"], about["rate"]) == ("realistic", 0, 1000.0)
    assert len(about["channels"]) == 122


def test_subjects_are_called_as_in_the_course_copy_then_by_the_next_free_number():
    names = dataset.DatasetSettings(subjects=15).names
    assert names[:3] == ("sub-02", "sub-03", "sub-05")
    assert names[12:] == ("sub-29", "sub-01", "sub-04")
    assert dataset.DatasetSettings().names == ("sub-02",)


def test_another_cap_and_rate_are_named_in_the_sidecar(tmp_path):
    made = write(tmp_path / "out", **SMALL)
    folder = session_folder(made)
    x = np.load(folder / "sub-02_ses-01_task-lowSpeed_run-01_250Hz.npy")
    assert x.shape == (20, 125, 4)
    side = json.loads((folder / "sub-02_ses-01_channels.json").read_text("utf-8"))
    assert (side["channels"], side["rate"]) == (["TP9", "AF7", "AF8", "TP10"], 250.0)
    recording = recording_of(find_runs(made.folder)[0])
    assert recording.info.channels == ("TP9", "AF7", "AF8", "TP10")
    assert recording.info.rate == 250.0


def test_clear_shows_eight_classes_balanced_within_one_with_their_numbers_of_20(tmp_path):
    made = write(tmp_path / "out", **{**SMALL, "trials": 100}, strength="clear")
    for run in find_runs(made.folder):
        names, counts = np.unique(run.names, return_counts=True)
        assert tuple(names) == CLEAR_CLASSES
        assert set(counts.tolist()) == {12, 13}
        assert {run.classes[label] for label in run.labels} == set(CLEAR_CLASSES)


def test_pictures_are_stored_under_their_names(tmp_path):
    made = write(tmp_path / "out", **{**SMALL, "runs": 1, "images": True, "trials": 4})
    (run,) = find_runs(made.folder)
    found = files(made.folder / "images")
    assert set(found) == {f"{name}.jpg" for name in run.images}
    assert all(raw.startswith(b"\xff\xd8\xff") for raw in found.values())


def test_existing_files_are_kept_and_missing_ones_are_made_again(tmp_path):
    made = write(tmp_path / "out", sessions=2, **SMALL)
    assert (made.drawn, made.kept) == (4, 0)
    before = files(made.folder)
    assert not [name for name in before if "/." in name]
    gone = session_folder(made) / "sub-02_ses-01_task-lowSpeed_run-02_250Hz.npy"
    gone.unlink()
    cut = session_folder(made, session=2) / "sub-02_ses-02_task-lowSpeed_run-01_250Hz.npy"
    cut.write_bytes(cut.read_bytes()[:-4])
    (made.folder / "sub-02_ses-01.npy").unlink()
    again = write(tmp_path / "out", sessions=2, **SMALL)
    assert (again.drawn, again.kept) == (2, 2)
    assert files(made.folder) == before


def test_a_session_file_that_is_cut_is_made_again(tmp_path):
    made = write(tmp_path / "out", **SMALL)
    whole = made.merged[0].read_bytes()
    made.merged[0].write_bytes(whole[:-1])
    write(tmp_path / "out", **SMALL)
    assert made.merged[0].read_bytes() == whole


def test_a_folder_with_something_else_is_refused(tmp_path):
    write(tmp_path / "out", **SMALL)
    with pytest.raises(BadInput, match=r"other settings \(seed: 0 there, 1 asked for\)"):
        write(tmp_path / "out", seed=1, **SMALL)
    with pytest.raises(BadInput, match=r"channels: 4 of them there, 8 of them asked for"):
        write(tmp_path / "out", **{**SMALL, "channels": 8})
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_bytes(b"miaow")
    with pytest.raises(BadInput, match="no simulated dataset; name an empty folder"):
        write(tmp_path / "photos", **SMALL)
    with pytest.raises(BadInput, match="is a file; name a folder"):
        write(tmp_path / "photos" / "cat.jpg", **SMALL)
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["cat.jpg"]


@pytest.mark.parametrize("content", ["", "{", "[]", "null"])
def test_a_damaged_description_is_refused_and_nothing_is_written(tmp_path, content):
    (tmp_path / "simulated.json").write_text(content)
    with pytest.raises(BadInput, match=r"simulated\.json is (no JSON|empty)"):
        write(tmp_path, **SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["simulated.json"]


def test_two_processes_write_the_same_bytes(tmp_path):
    one = write(tmp_path / "one", sessions=2, **SMALL)
    two = write(tmp_path / "two", sessions=2, **SMALL, jobs=2)
    assert files(one.folder) == files(two.folder)
    assert two.drawn == 4


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"subjects": 0}, "0 subjects; expected 1 to 999"),
        ({"rate": 250.5}, "250.5 Hz; the dataset's file names hold whole numbers"),
        ({"classes": ("cat", "unicorn")}, "no class unicorn; the picture set has aeroplane"),
        ({"classes": ("cat",)}, "name two or more different classes"),
        ({"channels": ("Oz", "Oz")}, "name one or more different electrodes"),
        ({"channels": 5}, "no cap of 5 electrodes"),
        ({"trials": 201, "classes": ("cat", "dog")}, "201 trials a run; 2 classes have 200"),
        ({"seed": -1}, "seed -1; expected 0 or more"),
    ],
)
def test_settings_that_cannot_be_are_refused_before_a_folder_is_made(tmp_path, wrong, sentence):
    with pytest.raises(BadInput, match=sentence):
        write(tmp_path / "out", **{**SMALL, **wrong})
    assert not (tmp_path / "out").exists()


def test_a_full_disk_is_refused_before_anything_is_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr(dataset, "SPARE_BYTES", 10**18)
    with pytest.raises(BadInput, match=r"takes 0.0 GB, and [\d.]+ GB are free"):
        write(tmp_path / "out", **SMALL)


def test_progress_counts_runs_and_pictures(tmp_path):
    told = []
    write(
        tmp_path / "out", **{**SMALL, "images": True, "trials": 2}, sessions=2,
        progress=lambda *said: told.append(said),
    )  # fmt: skip
    assert told[:3] == [("drawing runs", 0, 4), ("drawing runs", 2, 4), ("drawing runs", 4, 4)]
    assert told[-1] == ("painting pictures", 8, 8)


WORDS = ("--channels", "4", "--rate", "250", "--runs", "1", "--trials", "20", "--no-images")


def test_the_command_prints_one_json_object(tmp_path, capsys):
    out = str(tmp_path / "out")
    assert cli.main(["simulate", "--out", out, *WORDS, "--jobs", "1", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["runs_drawn"], said["runs_kept"], said["rate"]) == (1, 0, 250)
    assert said["subjects"] == ["sub-02"]
    assert Path(said["session_files"][0]).exists()
    assert cli.main(["simulate", "--out", out, *WORDS]) == 0
    shown = capsys.readouterr()
    assert "1 x 1 x 1 x 20 trials of 20 classes, 4 channels, 250 Hz, realistic" in shown.out
    assert "1 of 1 runs were there already" in shown.err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "one of the arguments --out --live is required"),
        (("--out", "x", "--seconds", "3"), "--seconds belongs to --live"),
        (("--live", "--trials", "3"), "--trials belongs to --out"),
        (("--out", "x", "--channels", "7"), "no cap of 7 electrodes"),
        (("--out", "x", "--strength", "weak"), "expected one of realistic, clear"),
        (("--out", "x", "--runs", "0"), "'0' is not a whole number from 1"),
    ],
)
def test_the_command_refuses_with_a_sentence(words, sentence, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["simulate", *words]) == 2
    assert sentence in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_killed_run_leaves_nothing_that_looks_whole(tmp_path):
    out = tmp_path / "out"
    words = ("--out", out, "--channels", "32", "--no-images", "--sessions", "3", "--jobs", "1")
    child = subprocess.Popen(
        [sys.executable, "-m", "rtbci", "simulate", *map(str, words)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    with child:
        for _ in until(20):
            if list(out.glob("ds005589/*/*/*.npy")):
                break
        child.kill()
    size = 128 + 100 * 500 * 32 * 4
    there = list(out.rglob("*run-*.npy"))
    whole = [path for path in there if not path.name.startswith(".")]
    assert whole
    assert all(path.stat().st_size == size for path in whole)


def until(seconds: float) -> Iterator[None]:
    """Again and again for so long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
        time.sleep(0.01)
    raise AssertionError(f"not within {seconds} s")
