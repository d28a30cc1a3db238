"""EDF, BDF, BrainVision, EEGLAB, FIF: units, types, markers, breaks, sizes that do not fit."""

import warnings
from typing import Any

import numpy as np
import pytest

from rtbci.errors import BadInput
from rtbci.formats import read
from rtbci.types import Gap

RNG = np.random.default_rng(0)


def edf(path, width=2, onsets=(0, 1, 2, 3, 4, 5), labels=("Fc5.", "Cz.."), kind="EDF+C", text="T1"):
    """100 Hz, records of 1 s, an annotation half a second into each; returns microvolts."""
    n, top, tal = len(labels) + 1, 2 ** (8 * width - 1) - 1, 60
    names = [*labels, ("EDF" if width == 2 else "BDF") + " Annotations"]

    def block(values, size):
        return b"".join(str(value).encode("latin-1").ljust(size) for value in values)

    head = (b"0       " if width == 2 else b"\xffBIOSEMI") + b" " * 160 + b"01.01.2001.01.01"
    head += block([256 * (n + 1)], 8) + kind.encode().ljust(44)
    head += block([len(onsets)], 8) + block([1], 8) + block([n], 4)
    head += block(names, 16) + b" " * 80 * n + block(["uV"] * (n - 1) + [""], 8)
    head += block([-1000] * n, 8) + block([1000] * n, 8) + block([-top - 1] * n, 8)
    head += block([top] * n, 8) + b" " * 80 * n + block([100] * (n - 1) + [tal], 8) + b" " * 32 * n
    x = RNG.normal(0, top / 40, (len(onsets) * 100, len(labels))).astype(int)
    x[x == 10], x[x == 13] = 11, 14
    data = head
    for record, onset in enumerate(onsets):
        for column in x[100 * record : 100 * record + 100].T:
            data += b"".join(int(v).to_bytes(width, "little", signed=True) for v in column)
        note = f"+{onset}\x14\x14\0+{onset}.5\x14{text}\x14\0".encode()
        data += note.ljust(tal * width, b"\0")
    path.write_bytes(data)
    return x * 2000 / (2 * top + 1)


@pytest.mark.parametrize(("suffix", "width"), [("edf", 2), ("bdf", 3)])
def test_edf_and_bdf_are_microvolts_with_markers(tmp_path, suffix, width):
    x = edf(tmp_path / f"a.{suffix}", width)
    recording = read(tmp_path / f"a.{suffix}")
    assert np.allclose(recording.signal, x, atol=0.05)
    assert recording.signal.flags.c_contiguous
    assert recording.signal.dtype == np.float32
    assert recording.info.channels == ("FC5", "Cz")
    assert (recording.info.unit, recording.info.unit_from) == ("uV", "stated")
    assert [(m.index, m.label) for m in recording.markers][:2] == [(50, "T1"), (150, "T1")]
    assert any("Fc5. became FC5" in note for note in recording.provenance.notes)


def test_records_that_lie_apart_are_gaps(tmp_path):
    edf(tmp_path / "a.edf", onsets=(0, 1, 5, 6), kind="EDF+D")
    recording = read(tmp_path / "a.edf")
    assert recording.gaps == (Gap(200, 300, "records lie apart"),)
    assert [m.index for m in recording.markers] == [50, 150, 550, 650]


def test_a_file_moved_in_text_mode_is_refused_and_the_reason_named(tmp_path):
    edf(tmp_path / "a.edf", text="T1\n\n\n\n\n")
    whole = (tmp_path / "a.edf").read_bytes()
    (tmp_path / "b.edf").write_bytes(whole.replace(b"\n", b"\r\n"))
    with pytest.raises(BadInput, match="text mode: get the file again as binary"):
        read(tmp_path / "b.edf")
    (tmp_path / "b.edf").write_bytes(whole[:-7])
    with pytest.raises(BadInput, match=r"declares 6 records .* it was cut or damaged"):
        read(tmp_path / "b.edf")


def brainvision(folder, marks, data="a.eeg"):
    RNG.normal(0, 200, (500, 3)).astype("<i2").tofile(folder / "a.eeg")
    (folder / "a.vhdr").write_text(
        "Brain Vision Data Exchange Header File Version 1.0\n[Common Infos]\nCodepage=UTF-8\n"
        f"DataFile={data}\nMarkerFile=a.vmrk\nDataFormat=BINARY\nDataOrientation=MULTIPLEXED\n"
        "NumberOfChannels=3\nSamplingInterval=4000\n[Binary Infos]\nBinaryFormat=INT_16\n"
        "[Channel Infos]\nCh1=Cz,,0.1,µV\nCh2=Pz,,0.1,µV\nCh3=HEOG,,0.1,µV\n", "utf-8")  # fmt: skip
    lines = "".join(f"Mk{i + 1}={mark}\n" for i, mark in enumerate(marks))
    (folder / "a.vmrk").write_text(
        "Brain Vision Data Exchange Marker File, Version 1.0\n[Common Infos]\nCodepage=UTF-8\n"
        f"DataFile=a.eeg\n[Marker Infos]\n{lines}", "utf-8")  # fmt: skip
    return folder / "a.vhdr"


def test_brainvision_labels_are_short_and_a_new_segment_is_a_gap(tmp_path):
    marks = ["New Segment,,1,1,0,20130321133406000000", "Stimulus,S  1,51,1,0",
             "New Segment,,201,1,0,20130321133506000000", "Response,R 12,301,1,0"]  # fmt: skip
    path = brainvision(tmp_path, marks)
    recording = read(path)
    assert [(m.index, m.label) for m in recording.markers] == [(50, "S1"), (300, "R12")]
    assert recording.markers[0].fields == {"description": "Stimulus/S 1"}
    assert recording.gaps == (Gap(200, 0, "new segment"),)
    assert recording.info.types == ("EEG", "EEG", "EOG")
    assert len(recording.provenance.paths) == 3
    assert np.array_equal(read(tmp_path / "a.eeg").signal, recording.signal)


def test_brainvision_refers_to_files_beside_it_only_and_of_the_right_size(tmp_path):
    for name in ("/etc/passwd", "../a.eeg", "C:\\a.eeg"):
        with pytest.raises(BadInput, match="only a file in the same folder"):
            read(brainvision(tmp_path, [], data=name))
    path = brainvision(tmp_path, [])
    (tmp_path / "a.eeg").write_bytes((tmp_path / "a.eeg").read_bytes()[:-1])
    with pytest.raises(BadInput, match="no whole number of samples of 3 channels"):
        read(path)


def test_fif_annotations_and_stim_channels_become_markers(tmp_path):
    import mne

    kinds: Any = ["eeg", "eeg", "stim"]
    info = mne.create_info(["Cz", "Pz", "STI 014"], 100.0, kinds)
    x = RNG.normal(0, 2e-5, (3, 1000))
    x[2] = 0
    x[2, 100:110], x[2, 110:120], x[2, 500] = 5, 6, 5
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        raw = mne.io.RawArray(x, info, first_samp=300, verbose="ERROR")
        raw.set_annotations(mne.Annotations([2.0], [0.0], ["blink"]))
        raw.save(tmp_path / "a_raw.fif", verbose="ERROR")
    recording = read(tmp_path / "a_raw.fif")
    assert recording.info.channels == ("Cz", "Pz")
    assert np.allclose(recording.signal, x[:2].T * 1e6, rtol=1e-5)
    found = [(m.index, m.label) for m in recording.markers]
    assert found == [(100, "5"), (110, "6"), (200, "blink"), (500, "5")]
    assert (recording.info.unit, recording.info.unit_from) == ("V", "stated")


def test_eeglab_real_data(eeg):
    recording = read(eeg / "eeglab/eeglab_data.set")
    assert recording.signal.shape == (30504, 32)
    assert [m.label for m in recording.markers].count("square") == 80
    assert recording.info.types.count("EOG") == 2
    assert 5 < np.median(recording.signal.std(axis=0)) < 100


def test_eeglab_sizes_must_fit(tmp_path, eeg):
    (tmp_path / "eeglab_data.set").write_bytes((eeg / "eeglab/eeglab_data.set").read_bytes())
    with pytest.raises(BadInput, match="no file"):
        read(tmp_path / "eeglab_data.set")
    data = (eeg / "eeglab/eeglab_data.fdt").read_bytes()
    (tmp_path / "eeglab_data.fdt").write_bytes(data[:-4])
    with pytest.raises(BadInput, match="32 channels x 30504 samples"):
        read(tmp_path / "eeglab_data.set")


def test_a_library_that_stumbles_gives_one_sentence(tmp_path):
    (tmp_path / "a_raw.fif").write_bytes(b"\0" * 500)
    with pytest.raises(BadInput, match="it is damaged or not what its name says") as error:
        read(tmp_path / "a_raw.fif")
    assert "\n" not in str(error.value)
