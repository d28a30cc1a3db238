"""EEG in BIDS: datasets written by MNE-BIDS are read back; damaged tables are one sentence."""

import json
import os
import shutil
import warnings
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pytest

from rtbci import cli
from rtbci.errors import BadInput, Missing, RtbciError
from rtbci.formats import bids, read
from rtbci.formats.bids_runs import bids_runs
from rtbci.formats.bids_tables import read_events, read_table
from rtbci.formats.dataset import find_runs
from rtbci.formats.runs import recording_of

mne_bids = pytest.importorskip(
    "mne_bids", reason="MNE-BIDS is not installed (pip install 'rtbci[bids]')"
)

RATE = 100.0  # Hz
SECONDS = 30
CHANNELS = ["Fz", "Cz", "Pz", "Oz", "EOG1"]
CLASSES = ("face", "house")
ONSETS = np.arange(1.0, 29.0, 2.0)  # s


def info() -> mne.Info:
    kinds: Any = ["eeg"] * 4 + ["eog"]
    return mne.create_info(CHANNELS, RATE, kinds)


def raw(seed: int = 0, first: int = 0) -> mne.io.RawArray:
    """Half a minute of noise with two kinds of events; ``first`` samples cut off the start."""
    x = 1e-5 * np.random.default_rng(seed).standard_normal((5, round(SECONDS * RATE)))
    made = mne.io.RawArray(x, info(), first_samp=first, verbose="ERROR")
    made.info["line_freq"] = 50
    names = [CLASSES[i % 2] for i in range(len(ONSETS))]
    made.set_annotations(mne.Annotations(ONSETS, 0.1, names), verbose="ERROR")
    return made


def write(root: Path, made: mne.io.BaseRaw, suffix: str = "EDF", **entities: str) -> Path:
    """One recording of the dataset ``root``; its path."""
    entities = {"subject": "01", "task": "look", **entities}
    where = mne_bids.BIDSPath(root=root, datatype="eeg", **entities)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        done = mne_bids.write_raw_bids(
            made, where, format=suffix, allow_preload=True, overwrite=True, verbose="ERROR"
        )
    return Path(done.fpath)


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    """Two subjects, two sessions, two runs, as MNE-BIDS writes them."""
    root = tmp_path_factory.mktemp("bids") / "dataset"
    for number, (subject, session, run) in enumerate(
        (s, n, r) for s in ("01", "02") for n in ("a", "b") for r in ("1", "2")
    ):
        write(root, raw(number), subject=subject, session=session, run=run)
    return root


@pytest.fixture
def single(tmp_path) -> Path:
    """A recording that is alone in its dataset."""
    return write(tmp_path / "dataset", raw())


def beside(path: Path, ending: str) -> Path:
    """The file of the same recording with another ending: ``events.tsv``."""
    return path.with_name(path.name.removesuffix(f"eeg{path.suffix}") + ending)


def table(path: Path, *rows: str) -> Path:
    """A table of BIDS; columns are parted by blanks here."""
    path.write_text("\n".join("\t".join(row.split(" ")) for row in rows) + "\n", encoding="utf-8")
    return path


def events_of(path: Path, *rows: str) -> Path:
    return table(beside(path, "events.tsv"), *rows)


def refused(path: Path, *words: str) -> None:
    """``read`` says one sentence with ``words`` and the name of the file."""
    with pytest.raises(BadInput) as said:
        read(path)
    text = str(said.value)
    assert "\n" not in text
    assert all(word in text for word in words), text


def test_a_run_comes_with_signal_types_and_events(written):
    recording = read(written / "sub-01/ses-a/eeg/sub-01_ses-a_task-look_run-1_eeg.edf")
    made = np.asarray(raw(0).get_data()).T * 1e6
    np.testing.assert_allclose(recording.signal, made, atol=0.01)  # EDF holds 16 bits
    assert recording.info.channels == tuple(CHANNELS)
    assert recording.info.types == ("EEG", "EEG", "EEG", "EEG", "EOG")
    assert [m.index for m in recording.markers] == [round(t * RATE) for t in ONSETS]
    assert [m.label for m in recording.markers][:3] == ["face", "house", "face"]
    assert recording.provenance.format == "edf (BIDS)"
    assert len(recording.provenance.paths) == 4  # the signal and three tables


def test_it_is_what_mne_bids_reads(written):
    path = written / "sub-02/ses-b/eeg/sub-02_ses-b_task-look_run-2_eeg.edf"
    recording = read(path)
    theirs = mne_bids.read_raw_bids(mne_bids.get_bids_path_from_fname(path), verbose="ERROR")
    np.testing.assert_allclose(recording.signal, np.asarray(theirs.get_data()).T * 1e6, atol=1e-3)
    assert [m.label for m in recording.markers] == list(theirs.annotations.description)
    at = theirs.time_as_index(theirs.annotations.onset, use_rounding=True)
    assert [m.index for m in recording.markers] == list(at)


def test_a_dataset_is_listed_in_order(written):
    names = [path.name for path in bids.files(written)]
    assert len(names) == 8
    assert names == sorted(names)
    assert len(bids.files(written / "sub-02")) == 4
    assert len(bids.files(written / "sub-02" / "ses-a" / "eeg")) == 2


def test_the_folder_of_one_recording_is_read(single):
    for folder in list(single.parents)[:3]:
        recording = read(folder)
        assert [m.label for m in recording.markers][:2] == ["face", "house"]
        assert recording.duration == pytest.approx(SECONDS)


def test_a_folder_of_several_is_refused_with_their_names(written):
    refused(written, "holds 8 recordings", "sub-01_ses-a_task-look_run-1_eeg.edf", "give one")


def test_a_dataset_without_eeg_is_a_sentence(tmp_path):
    (tmp_path / "dataset_description.json").write_text("{}")
    refused(tmp_path, "no EEG recording in BIDS")


def test_recordings_of_derivatives_are_their_own_dataset(single, tmp_path):
    root = tmp_path / "dataset"
    inner = root / "derivatives" / "clean"
    (inner / "sub-01" / "eeg").mkdir(parents=True)
    (inner / "dataset_description.json").write_text('{"DatasetType": "derivative"}')
    x = np.random.default_rng(0).standard_normal((6, 5, 50)) * 1e-5
    events = np.column_stack([np.arange(6) * 50, np.zeros(6, int), [1, 2, 1, 2, 1, 2]])
    made = mne.EpochsArray(x, info(), events, -0.1, {"face": 1, "house": 2}, verbose="ERROR")
    path = inner / "sub-01" / "eeg" / "sub-01_task-look_proc-clean_epo.fif"
    made.save(path, verbose="ERROR")
    assert bids.files(root) == [single.resolve()]
    assert bids.files(inner) == [path.resolve()]
    recording = read(inner)
    (run,) = bids_runs(inner)
    assert run.names == ("face", "house") * 3
    assert recording_of(run).markers == recording.markers
    assert recording.epoch_rows == 50
    assert [m.label for m in recording.markers] == ["face", "house"] * 3
    assert [m.index for m in recording.markers][:2] == [10, 60]
    np.testing.assert_allclose(
        recording.signal, 1e6 * x.transpose(0, 2, 1).reshape(300, 5), rtol=1e-5, atol=1e-5
    )


def test_a_dataset_gives_runs_as_the_pictures_do(written):
    runs = find_runs(written)
    assert [(run.subject, run.session, run.number) for run in runs] == [
        (subject, session, number)
        for subject in ("sub-01", "sub-02")
        for session in (1, 2)
        for number in (1, 2)
    ]
    assert {run.classes for run in runs} == {CLASSES}
    assert runs[0].names[:3] == ("face", "house", "face")
    assert [m.label for m in recording_of(runs[-1]).markers] == list(runs[-1].names)


def test_a_network_is_pretrained_on_a_dataset_in_bids(written, tmp_path):
    pytest.importorskip("torch", reason="torch is not installed (pip install 'rtbci[deep]')")
    out = tmp_path / "backbone"
    given = ["--sessions", "1/1/0", "--epochs", "1", "--no-text", "--json"]
    assert cli.main(["pretrain", "--data", str(written), "--out", str(out), *given]) == 0
    said = json.loads((out / "backbone.json").read_text())
    assert tuple(said["dims"]["classes"] if "dims" in said else said["classes"]) == CLASSES


def test_only_events_with_a_picture_are_trials_where_some_have_one(single):
    events_of(
        single,
        "onset duration trial_type stim_file caption",
        "1 0 horse a/horse_1.jpg a_horse",
        "2 0 press n/a n/a",
        "3 0 dog a/dog_2.jpg a_dog",
    )
    (run,) = bids_runs(single.parents[2])
    assert run.classes == ("dog", "horse")
    assert (run.labels, run.images) == ((1, 0), ("horse_1", "dog_2"))
    assert run.captions == ("a_horse", "a_dog")
    assert [m.index for m in recording_of(run).markers] == [100, 300]


def test_a_trial_outside_the_recording_is_not_lost_in_silence(single):
    events_of(single, "onset duration trial_type", "1 0 face", "99 0 house")
    (run,) = bids_runs(single.parents[2])
    with pytest.raises(BadInput, match="holds 1 of the 2 trials"):
        recording_of(run)


def test_runs_without_numbers_and_of_several_tasks_are_counted(single):
    root = single.parents[2]
    write(root, raw(1), task="hear")
    write(root, raw(2), session="post", task="look")
    write(root, raw(3), session="pre", task="look")
    keys = [(run.session, run.number, run.array.name) for run in bids_runs(root)]
    assert len({key[:2] for key in keys}) == 4
    assert [name for *_, name in keys][-2:] == [
        "sub-01_ses-post_task-look_eeg.edf",
        "sub-01_ses-pre_task-look_eeg.edf",
    ]


def test_a_dataset_without_events_has_no_runs(single):
    beside(single, "events.tsv").unlink()
    with pytest.raises(BadInput, match="holds no events"):
        find_runs(single.parents[2])


def test_a_file_said_to_hold_epochs_is_cut(single):
    about = beside(single, "eeg.json")
    said = json.loads(about.read_text())
    about.write_text(json.dumps({**said, "RecordingType": "epoched", "EpochLength": 2.0}))
    rows = [f"{2 * i} 2 {CLASSES[i % 2]}" for i in range(15)]
    events_of(single, "onset duration trial_type", *rows)
    recording = read(single)
    assert recording.epoch_rows == 200
    assert [m.fields["trial"] for m in recording.markers] == list(range(1, 16))
    assert len(recording.gaps) == 14
    theirs = mne_bids.read_epochs_bids(
        mne_bids.get_bids_path_from_fname(single), verbose="ERROR"
    ).get_data()
    ours = recording.signal.reshape(15, 200, 5).transpose(0, 2, 1)
    np.testing.assert_allclose(ours, theirs[:, :, :200] * 1e6, atol=1e-3)
    about.write_text(json.dumps({**said, "RecordingType": "epoched", "EpochLength": 0.77}))
    refused(single, "0.77 s", "does not divide")


def test_columns_of_the_events_become_fields(single):
    events_of(
        single,
        "onset duration trial_type value stim_file caption trial",
        "1.0 0.5 horse 7 images/horse_0012.jpg brown_horse 3",
        "3.0 0.5 horse 8 n/a n/a n/a",
    )
    first, second = read(single).markers
    assert (first.index, first.label, first.fields["image"]) == (100, "horse", "horse_0012")
    assert first.fields["trial"] == 3
    assert first.fields["caption"] == "brown_horse"
    assert (second.label, dict(second.fields)) == ("horse", {"value": "8"})


def test_a_value_names_an_event_without_a_type(single):
    events_of(single, "onset duration trial_type value", "1 0 n/a 7", "2 0 n/a n/a", "n/a 0 x 1")
    assert [m.label for m in read(single).markers] == ["7"]


def test_events_behind_the_end_are_left_out_with_a_note(single):
    events_of(single, "onset duration trial_type", "1 0 face", "29.999 0 house", "31 0 face",
              "-3 0 face")  # fmt: skip
    recording = read(single)
    assert [m.label for m in recording.markers] == ["face"]
    assert any("3 events" in note for note in recording.provenance.notes)


def test_a_break_in_the_events_is_a_gap(single):
    events_of(single, "onset duration trial_type", "0 0 New_Segment/", "1 0 face",
              "10 0 BAD_ACQ_SKIP", "12 0 face")  # fmt: skip
    recording = read(single)
    assert [gap.index for gap in recording.gaps] == [1000]
    assert [m.label for m in recording.markers] == ["New_Segment/", "face", "face"]


def test_without_events_the_markers_of_the_file_stay(single):
    beside(single, "events.tsv").unlink()
    recording = read(single)
    assert len(recording.markers) == len(ONSETS)
    assert any("no events.tsv" in note for note in recording.provenance.notes)


def test_the_events_of_another_run_are_not_borrowed(written, tmp_path):
    root = tmp_path / "copy"
    shutil.copytree(written, root)
    path = root / "sub-01/ses-a/eeg/sub-01_ses-a_task-look_run-1_eeg.edf"
    beside(path, "events.tsv").unlink()
    assert any("no events.tsv" in note for note in read(path).provenance.notes)
    bare = root / "sub-01/ses-a/eeg/sub-01_ses-a_task-look_eeg.edf"
    shutil.copy(path, bare)
    assert any("no events.tsv" in note for note in read(bare).provenance.notes)


def test_a_table_of_the_whole_dataset_is_inherited(single, tmp_path):
    shutil.move(beside(single, "channels.tsv"), tmp_path / "dataset" / "task-look_channels.tsv")
    rows = ["name type units status", "Fz EEG µV bad", "Cz EEG µV good", "Pz MISC µV good"]
    table(tmp_path / "dataset" / "task-look_channels.tsv", *rows, "Oz EEG µV good")
    recording = read(single)
    assert recording.info.types == ("EEG", "EEG", "MISC", "EEG", "EOG")
    assert any("marks as bad: Fz" in note for note in recording.provenance.notes)
    assert any("does not name 1 channels" in note for note in recording.provenance.notes)


def test_a_trigger_channel_is_no_signal(single):
    rows = ["name type units", "Fz EEG µV", "Cz EEG µV", "Pz EEG µV", "Oz EEG µV", "EOG1 TRIG n/a"]
    table(beside(single, "channels.tsv"), *rows)
    recording = read(single)
    assert recording.info.channels == ("Fz", "Cz", "Pz", "Oz")
    assert len(recording.markers) == len(ONSETS)


def test_another_rate_beside_is_noted(single):
    about = beside(single, "eeg.json")
    about.write_text(json.dumps({**json.loads(about.read_text()), "SamplingFrequency": 500}))
    assert any("states 500 Hz" in note for note in read(single).provenance.notes)


BAD_EVENTS = {
    "no onset": (b"duration\ttrial_type\n1\tface\n", "no column onset"),
    "a word for an onset": (b"onset\ttrial_type\nsoon\tface\n", "'soon' is no number"),
    "an endless onset": (b"onset\ttrial_type\ninf\tface\n", "'inf' is no number"),
    "commas": (b"onset,trial_type\n1,face\n", "no column onset"),
    "a short row": (b"onset\ttrial_type\n1\n", "line 2: 1 cells under 2 columns"),
    "a long row": (b"onset\ttrial_type\n1\tface\n2\ta\tb\n", "line 3: 3 cells under 2"),
    "twice": (b"onset\tonset\n1\t1\n", "all different"),
    "nameless": (b"onset\t\n1\t1\n", "all different"),
    "blank": (b"\n\n", "all different"),
    "empty": (b"", "empty (0 bytes)"),
    "not text": (b"onset\ttrial_type\n1\t\xff\xfe\xfa\n", "not text in UTF-8"),
    "wide": ("\t".join(f"c{i}" for i in range(99)).encode(), "1 to 64"),
}


@pytest.mark.parametrize("case", BAD_EVENTS)
def test_damaged_events_are_refused_in_a_sentence(single, case):
    content, words = BAD_EVENTS[case]
    beside(single, "events.tsv").write_bytes(content)
    refused(single, words, "_events.tsv")


@pytest.mark.parametrize(
    "content", ["{", "[1]", '{"a": NaN}', '{"a": 1, "a": 2}', "[" * 500 + "]" * 500, "\ufffe\0"]
)
def test_a_damaged_description_of_a_run_is_refused(single, content):
    beside(single, "eeg.json").write_text(content, encoding="utf-8")
    refused(single, "_eeg.json")


def test_a_name_that_is_no_bids_is_a_sentence(single):
    wrong = single.with_name("sub-01_foo-bar_eeg.edf")
    shutil.copy(single, wrong)
    refused(single.parent, "2 recordings", wrong.name)
    refused(wrong, "no name of BIDS", "foo")


def test_the_second_half_of_a_split_file_is_no_recording(single):
    for part in ("01", "02"):
        (single.parent / f"sub-01_task-look_split-{part}_raw.fif").touch()
    names = [path.name for path in bids.files(single.parent)]
    assert names == ["sub-01_task-look_eeg.edf", "sub-01_task-look_split-01_raw.fif"]


def test_a_recording_that_was_not_fetched_says_so(single):
    single.unlink()
    single.symlink_to("../../.git/annex/objects/nowhere")
    refused(single, "not here; fetch it")
    refused(single.parent, "not here; fetch it")


def brainvision(path: Path, samples: int = 2000) -> Path:
    """A header in place of ``path``, and data and tables that belong to it."""
    path.unlink()
    header = path.with_suffix(".vhdr")
    lines = [
        *("Brain Vision Data Exchange Header File Version 1.0", "[Common Infos]"),
        *(f"DataFile={path.stem}.eeg", "DataFormat=BINARY", "DataOrientation=MULTIPLEXED"),
        *("NumberOfChannels=5", f"SamplingInterval={1e6 / RATE:g}"),
        *("[Binary Infos]", "BinaryFormat=INT_16", "[Channel Infos]"),
        *(f"Ch{i + 1}={name},,0.1,µV" for i, name in enumerate(CHANNELS)),
    ]
    header.write_text("\n".join(lines) + "\n", encoding="utf-8")
    path.with_suffix(".eeg").write_bytes(np.arange(samples * 5, dtype="<i2").tobytes())
    return header


def test_brainvision_is_read_by_header_data_and_folder(single):
    header = brainvision(single)
    by_header = read(header)
    assert by_header.signal.shape == (2000, 5)
    assert by_header.markers[0].label == "face"
    for other in (header.with_suffix(".eeg"), single.parent):
        assert read(other).provenance.sha256 == by_header.provenance.sha256
    assert any("outside the recording" in note for note in by_header.provenance.notes)


def test_cut_data_are_refused_before_mne_sees_them(single):
    data = brainvision(single).with_suffix(".eeg")
    os.truncate(data, data.stat().st_size - 3)
    refused(single.parent, "no whole number of samples")


def test_a_file_outside_of_any_dataset_is_read_as_ever(single, tmp_path):
    for path in single.parent.glob("*_eeg.*"):
        shutil.copy(path, tmp_path / path.name)
    recording = read(tmp_path / single.name)
    assert recording.provenance.format == "edf"
    assert len(recording.provenance.paths) == 1


def test_without_mne_bids_the_signal_is_read_and_the_extra_is_named(single, monkeypatch):
    def gone():
        raise Missing("BIDS needs MNE-BIDS, pip install 'rtbci[bids]'")

    monkeypatch.setattr(bids, "_mne_bids", gone)
    recording = read(single)
    assert len(recording.markers) == len(ONSETS)
    assert any("rtbci[bids]" in note for note in recording.provenance.notes)
    with pytest.raises(Missing, match=r"rtbci\[bids\]"):
        bids.events_of(single)


def test_info_shows_a_dataset_and_refuses_a_damaged_one(single, capsys):
    assert cli.main(["info", "--json", str(single.parents[2])]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["markers"] == {"face": 7, "house": 7}
    events_of(single, "onset trial_type", "soon face")
    assert cli.main(["info", str(single.parents[2])]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.strip().splitlines()) == 1


def test_info_says_which_recordings_a_dataset_with_sessions_holds(written, capsys):
    assert cli.main(["info", str(written)]) == 2
    assert "sub-01_ses-a_task-look_run-1_eeg.edf" in capsys.readouterr().err
    assert cli.main(["info", str(bids.files(written)[0])]) == 0
    assert "edf (BIDS)" in capsys.readouterr().out


def test_tables_survive_anything(tmp_path):
    rng = np.random.default_rng(3)
    start = b"onset\tduration\ttrial_type\tvalue\n1.5\t0\tface\t1\n2\tn/a\thouse\t2\n"
    for number in range(300):
        content = bytearray(start)
        for _ in range(rng.integers(1, 6)):
            place = int(rng.integers(len(content)))
            content[place : place + int(rng.integers(3))] = rng.bytes(int(rng.integers(4)))
        path = tmp_path / f"{number}_events.tsv"
        path.write_bytes(bytes(content))
        try:
            events = read_events(path)
            assert len(events) <= len(read_table(path))
        except RtbciError as error:
            assert str(path) in str(error)  # noqa: PT017
