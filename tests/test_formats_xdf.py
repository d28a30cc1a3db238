"""XDF: clock offsets, resets, empty streams, cut tails, markers of every kind, session folders."""

import json
import struct

import numpy as np
import pytest

from rtbci.errors import BadInput
from rtbci.formats import read
from rtbci.types import Gap


def chunk(tag: int, content: bytes) -> bytes:
    body = struct.pack("<H", tag) + content
    return b"\x04" + struct.pack("<I", len(body)) + body


def header(number, name, kind, channels, rate, form, labels=()):
    desc = "".join(
        f"<channel><label>{label}</label><unit>{unit}</unit><type>{what}</type></channel>"
        for label, unit, what in labels
    )
    return chunk(2, struct.pack("<I", number) + (
        f"<info><name>{name}</name><type>{kind}</type><channel_count>{channels}</channel_count>"
        f"<nominal_srate>{rate}</nominal_srate><channel_format>{form}</channel_format>"
        f"<desc><channels>{desc}</channels></desc></info>").encode())  # fmt: skip


def samples(number, stamps, rows):
    body = b"\x04" + struct.pack("<I", len(stamps))
    for stamp, row in zip(stamps, rows, strict=True):
        body += b"\x08" + struct.pack("<d", stamp)
        if isinstance(row, str):
            text = row.encode()
            body += b"\x04" + struct.pack("<I", len(text)) + text
        else:
            body += np.asarray(row, "<f4").tobytes()
    return chunk(3, struct.pack("<I", number) + body)


LABELS = (("C3", "millivolts", "EEG"), ("Cz", "mV", "EEG"), ("VEOG", "uV", ""))
X = np.random.default_rng(0).normal(0, 0.02, (1000, 3)).astype("<f4")
STAMPS = 50 + np.arange(1000) / 100


def build(path, markers=((52.0, "left"),), rows=slice(None), offset=0.0, start=0.0, more=b""):
    """An EEG stream of 10 s at 100 Hz and a marker stream whose clock runs ``offset`` behind."""
    data = b"XDF:" + chunk(1, b"<info><version>1.0</version></info>")
    data += header(1, "Amp", "EEG", 3, 100, "float32", LABELS)
    data += header(2, "Keys", "Markers", 1, 0, "string") + more
    x, stamps = X[rows], STAMPS[rows] + start
    for at in range(0, len(x), 50):
        data += samples(1, stamps[at : at + 50], x[at : at + 50])
    for stamp, text in markers:
        data += samples(2, [stamp + start - offset], [text])
    for at in range(0, 10, 5):
        data += chunk(4, struct.pack("<Idd", 2, 50 + start - offset + at, offset))
    path.write_bytes(data)
    return path


def test_channels_units_and_types_come_from_the_description(tmp_path):
    recording = read(build(tmp_path / "a.xdf"))
    assert recording.info.channels == ("C3", "Cz", "VEOG")
    assert recording.info.types == ("EEG", "EEG", "EOG")
    assert (recording.info.unit, recording.info.unit_from) == ("mV", "stated")
    assert np.allclose(recording.signal, X * [1000, 1000, 1], rtol=1e-6)
    assert recording.t0 == pytest.approx(50)


def test_markers_are_placed_after_their_clock_is_corrected(tmp_path):
    text = json.dumps({"label": "face", "image": "n01", "trial": 3})
    marks = ((52.0, "left"), (53.004, "2.000"), (54.0, text), (55.0, "{broken"))
    recording = read(build(tmp_path / "a.xdf", marks, offset=1234.5))
    found = [(m.index, m.label) for m in recording.markers]
    assert found == [(200, "left"), (300, "2"), (400, "face"), (500, "{broken")]
    assert recording.markers[2].fields == {"image": "n01", "trial": 3}


def test_lost_samples_are_a_gap_and_markers_keep_their_time(tmp_path):
    rows = np.r_[0:400, 600:1000]
    recording = read(build(tmp_path / "a.xdf", ((57.0, "x"), (99.0, "late")), rows))
    assert recording.gaps == (Gap(400, 200),)
    assert [m.index for m in recording.markers] == [700]
    assert any("1 markers lie before" in note for note in recording.provenance.notes)


def test_a_file_cut_at_any_byte_gives_what_is_whole(tmp_path):
    whole = build(tmp_path / "a.xdf").read_bytes()
    for size in np.linspace(len(whole) // 2, len(whole) - 1, 25).astype(int):
        (tmp_path / "cut.xdf").write_bytes(whole[:size])
        recording = read(tmp_path / "cut.xdf")
        assert np.array_equal(recording.signal[:, 2], X[: len(recording.signal), 2])
        assert len(recording.signal) >= 400


def test_several_eeg_streams_need_a_name(tmp_path):
    more = header(3, "Other", "EEG", 3, 100, "float32", LABELS) + samples(3, [50.0, 50.01], X[:2])
    path = build(tmp_path / "a.xdf", more=more)
    with pytest.raises(BadInput, match=r"2 streams of type EEG; choose with --stream NAME.*'Amp'"):
        read(path)
    assert len(read(path, stream="Amp").signal) == 1000
    with pytest.raises(BadInput, match="no signal stream is named 'Amq'"):
        read(path, stream="Amq")


def test_declared_sizes_are_bounded(tmp_path):
    for channels, rate in ((5000, 100), (3, 1e6), (0, 100)):
        data = b"XDF:" + header(1, "A", "EEG", channels, rate, "float32")
        (tmp_path / "a.xdf").write_bytes(data)
        with pytest.raises(BadInput, match="declares"):
            read(tmp_path / "a.xdf")
    bomb = b"XDF:" + header(1, "A", "EEG", 3, 100, "float32")
    bomb += chunk(3, struct.pack("<I", 1) + b"\x08" + struct.pack("<Q", 2**60))
    (tmp_path / "a.xdf").write_bytes(bomb)
    with pytest.raises(BadInput, match="no samples"):
        read(tmp_path / "a.xdf")


def test_a_session_folder_is_one_recording_with_a_gap_where_it_restarted(tmp_path):
    build(tmp_path / "run.xdf")
    build(tmp_path / "run_part-02.xdf", start=12.0)
    (tmp_path / "events.jsonl").write_text("{}")
    recording = read(tmp_path)
    assert len(recording.signal) == 2000
    assert recording.gaps == (Gap(1000, 200, "recorder restarted"),)
    assert [m.index for m in recording.markers] == [200, 1400]
    assert len(recording.provenance.paths) == 2
    build(tmp_path / "other.xdf")
    with pytest.raises(BadInput, match=r"holds 2 recordings \(other.xdf, run.xdf\)"):
        read(tmp_path)


def test_a_converted_recording_equals_its_csv(eeg):
    for path in sorted((eeg / "xdf_converted").glob("*.xdf")):
        csv = next((eeg / "muse/visual/N170/subject3/session2").glob(f"*{path.stem[-8:]}.csv"))
        a, b = read(path), read(csv)
        assert np.allclose(a.signal, b.signal, atol=2e-5)
        assert [(m.index, m.label) for m in a.markers] == [(m.index, m.label) for m in b.markers]
        assert a.info.types == b.info.types


def test_a_restarted_clock_and_empty_streams_are_no_trouble(eeg):
    reset = read(eeg / "xdf/clock_resets.xdf")
    assert [g.index for g in reset.gaps if g.reason == "clock reset"] != []
    assert len(reset.markers) == 175
    assert (reset.info.unit, reset.info.unit_from) == ("mV", "inferred")
    empty = read(eeg / "xdf/empty_streams.xdf")
    assert len(empty.signal) == 10
    assert sum("is empty" in note for note in empty.provenance.notes) == 2
