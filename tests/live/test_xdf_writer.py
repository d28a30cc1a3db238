"""XDF files survive whatever ends them: a kill, a full disk, a cut at any byte."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import pyxdf

from rtbci.errors import BadInput
from rtbci.formats import read
from rtbci.recorder.xdf_writer import SYNC_S, XdfWriter, marker_text, write_recording
from rtbci.signal.recording import Recording
from rtbci.types import Gap, Marker, Provenance, StreamInfo

EEG = StreamInfo("cap", 250.0, ("Cz", "Pz µ<&>"), ("EEG", "EEG"))
EVENTS = StreamInfo("cap-markers", 0.0, ("marker",), ("MARKER",), unit="")


def recording(n: int = 5000, **more) -> Recording:
    x = np.random.default_rng(1).normal(0, 20, (n, 2)).astype(np.float32)
    markers = (
        Marker(7, "2"),
        Marker(500, "left hand"),
        Marker(500, "2.0"),
        Marker(1234, "face", {"image": "a.png", "valid": True, "x": 0.25}),
        Marker(4000, "{not json"),
        Marker(n - 1, "öl 研究"),
    )
    return Recording(x, EEG, markers, Provenance(("here",), "0", "test"), **more)


def streams(path: Path, **options) -> dict[str, dict]:
    """pyxdf's view, by stream name, samples as they lie in the file."""
    found, _ = pyxdf.load_xdf(path, dejitter_timestamps=False, verbose=False, **options)
    return {stream["info"]["name"][0]: stream for stream in found}


def test_a_recording_reads_back_the_same(tmp_path):
    original = recording(t0=1000.0)
    write_recording(tmp_path / "a.xdf", original)
    again = read(tmp_path / "a.xdf")
    assert np.array_equal(again.signal, original.signal)
    assert again.info == original.info
    assert again.markers == original.markers
    assert again.t0 == pytest.approx(1000.0, abs=1e-6)
    assert again.gaps == ()


def test_pyxdf_reads_the_same_samples_and_times(tmp_path):
    original = recording(t0=1000.0)
    write_recording(tmp_path / "a.xdf", original)
    for clocks in (True, False):
        found = streams(tmp_path / "a.xdf", synchronize_clocks=clocks)
        assert np.array_equal(found["cap"]["time_series"], original.signal)
        assert found["cap"]["time_series"].dtype == np.float32
        np.testing.assert_allclose(found["cap"]["time_stamps"], 1000 + np.arange(5000) / 250)
        events = found["cap-markers"]
        expected = [1000 + marker.index / 250 for marker in original.markers]
        np.testing.assert_allclose(events["time_stamps"], expected)
        assert events["time_series"][1] == ["left hand"]
    described = found["cap"]["info"]["desc"][0]["channels"][0]["channel"]
    assert [channel["label"][0] for channel in described] == ["Cz", "Pz µ<&>"]
    assert [channel["unit"][0] for channel in described] == ["microvolts"] * 2


def test_a_gap_shows_in_the_stamps(tmp_path):
    original = recording(gaps=(Gap(2500, 300),), t0=5.0)
    write_recording(tmp_path / "a.xdf", original)
    again = read(tmp_path / "a.xdf")
    assert again.gaps == original.gaps
    assert np.array_equal(again.signal, original.signal)


def test_what_was_recorded_in_volts_is_written_in_microvolts(tmp_path):
    original = recording()
    info = StreamInfo("cap", 250.0, EEG.channels, EEG.types, unit="V")
    write_recording(
        tmp_path / "a.xdf", Recording(original.signal, info, (), original.provenance, t0=3.0)
    )
    assert np.array_equal(read(tmp_path / "a.xdf").signal, original.signal)


def test_markers_are_plain_text_unless_a_reader_would_change_them():
    assert marker_text(Marker(0, "left hand")) == "left hand"
    assert marker_text(Marker(0, "2.0")) == '{"label": "2.0"}'
    assert marker_text(Marker(0, "face", {"trial": 3})) == '{"label": "face", "trial": 3}'


@pytest.mark.parametrize("format", ["float32", "double64", "int8", "int16", "int32", "int64"])
def test_every_number_format_comes_back(tmp_path, format):
    values = np.array([[1, -2], [3, 120]])
    with XdfWriter(tmp_path / "a.xdf") as writer:
        writer.samples(writer.add_stream(EEG, format=format), [1.0, 2.0], values)
    found = streams(tmp_path / "a.xdf")["cap"]
    assert np.array_equal(found["time_series"], values)
    assert found["info"]["channel_format"] == [format]


def test_streams_may_come_late_and_bring_their_own_header(tmp_path):
    header = (
        b"<info><name>late</name><type>Gaze</type><channel_count>1</channel_count>"
        b"<nominal_srate>0</nominal_srate><channel_format>string</channel_format></info>"
    )
    with XdfWriter(tmp_path / "a.xdf", about={"session": "x"}) as writer:
        eeg = writer.add_stream(EEG, desc={"t0": "1.5"}, about={"source_id": "me"})
        writer.samples(eeg, [1.0], [[1, 2]])
        late = writer.add_header(header, 1, "string")
        writer.samples(late, [1.1, 1.2], ["a" * 300, ""])
        writer.samples(late, [1.3], [["b"]])
        writer.samples(late, [], [])
        writer.samples(eeg, [1.4], [[3, 4]])
    found = streams(tmp_path / "a.xdf")
    assert found["late"]["time_series"] == [["a" * 300], [""], ["b"]]
    assert found["cap"]["time_series"].tolist() == [[1, 2], [3, 4]]
    assert found["cap"]["info"]["source_id"] == ["me"]
    assert found["cap"]["info"]["desc"][0]["t0"] == ["1.5"]
    assert found["cap"]["footer"]["info"]["sample_count"] == ["2"]


def test_clock_offsets_move_the_stamps(tmp_path):
    with XdfWriter(tmp_path / "a.xdf") as writer:
        eeg = writer.add_stream(EEG)
        for second in range(5):
            writer.clock_offset(eeg, second, 100.0)
            writer.samples(eeg, [second, second + 0.5], np.zeros((2, 2)))
    np.testing.assert_allclose(streams(tmp_path / "a.xdf")["cap"]["time_stamps"][0], 100.0)


def test_samples_of_another_shape_are_a_mistake(tmp_path):
    with XdfWriter(tmp_path / "a.xdf") as writer:
        eeg = writer.add_stream(EEG)
        with pytest.raises(AssertionError, match="takes"):
            writer.samples(eeg, [1.0], [[1, 2, 3]])


def test_a_name_that_xml_cannot_hold_still_makes_a_file(tmp_path):
    odd = StreamInfo("a\x00b\ud800", 250.0, ("\x01", "]]>"), ("EEG", "EEG"))
    with XdfWriter(tmp_path / "a.xdf") as writer:
        writer.samples(writer.add_stream(odd), [1.0, 2.0], np.ones((2, 2)))
    assert "a b " in streams(tmp_path / "a.xdf")


def test_a_file_that_exists_is_never_overwritten(tmp_path):
    (tmp_path / "a.xdf").write_text("precious")
    with pytest.raises(BadInput, match="exists already"):
        XdfWriter(tmp_path / "a.xdf")
    assert (tmp_path / "a.xdf").read_text() == "precious"


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(BadInput, match="nowhere"):
        XdfWriter(tmp_path / "nowhere" / "a.xdf")


def test_cut_anywhere_every_whole_chunk_is_read(tmp_path):
    ends = []  # (bytes, rows) behind each chunk of samples
    whole = tmp_path / "whole.xdf"
    values = np.arange(80, dtype=np.float32).reshape(40, 2)
    with XdfWriter(whole) as writer:
        eeg = writer.add_stream(EEG)
        events = writer.add_stream(EVENTS, kind="Markers", format="string")
        ends.append((whole.stat().st_size, 0))
        for start in range(0, 40, 4):
            writer.samples(eeg, np.arange(start, start + 4) / 250, values[start : start + 4])
            ends.append((whole.stat().st_size, start + 4))
            writer.samples(events, [start / 250], ["go"])
            writer.boundary()
    data = whole.read_bytes()
    cut = tmp_path / "cut.xdf"
    for size in range(ends[0][0], len(data) + 1):
        cut.write_bytes(data[:size])
        rows = max(rows for end, rows in ends if end <= size)
        if any(
            size == end for end, _ in ends
        ):  # all that a kill leaves; pyxdf trips over a tag cut
            assert np.array_equal(streams(cut)["cap"]["time_series"][:rows], values[:rows])
        if rows == 0:
            with pytest.raises(BadInput, match="no samples"):
                read(cut)
            continue
        assert np.array_equal(read(cut).signal, values[:rows])


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_a_killed_writer_loses_nothing_it_had_acknowledged(tmp_path):
    path = tmp_path / "killed.xdf"
    child = subprocess.Popen(
        [sys.executable, "-c", WRITE_FOR_EVER, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    told = [child.stdout.readline() for _ in range(50)]
    child.kill()
    told += child.stdout.read().splitlines()
    child.stdout.close()
    child.wait(10)
    assert len(read(path).signal) >= int(told[-1])


WRITE_FOR_EVER = textwrap.dedent("""
    import itertools, sys
    import numpy as np
    from rtbci.types import StreamInfo
    from rtbci.recorder.xdf_writer import XdfWriter
    writer = XdfWriter(sys.argv[1])
    eeg = writer.add_stream(StreamInfo("cap", 250.0, ("a", "b"), ("EEG", "EEG")))
    for n in itertools.count(0, 10):
        writer.samples(eeg, np.arange(n, n + 10) / 250, np.ones((10, 2)))
        print(f"{n + 10:012d}", flush=True)
""")


def test_a_full_disk_leaves_whole_chunks_and_writing_goes_on_once_there_is_room(
    tmp_path, monkeypatch
):
    room, real = [10**9], os.write

    def write(file: int, data: memoryview) -> int:
        if file != writer_file[0]:
            return real(file, data)
        if not room[0]:
            raise OSError(28, "No space left on device")
        n = real(file, data[: room[0]])  # a short write comes first
        room[0] -= n
        return n

    writer_file = [-1]
    with XdfWriter(tmp_path / "a.xdf") as writer:
        eeg = writer.add_stream(EEG)
        writer_file[0] = writer._file
        monkeypatch.setattr(os, "write", write)
        writer.samples(eeg, [0.0, 0.004], [[1, 2], [3, 4]])
        room[0] = 20
        with pytest.raises(BadInput, match=r"No space left.*can be read; free some space"):
            writer.samples(eeg, [0.008], [[5, 6]])
        assert len(read(tmp_path / "a.xdf").signal) == 2
        room[0] = 10**9
        writer.samples(eeg, [0.012], [[7, 8]])
    assert read(tmp_path / "a.xdf").signal.tolist() == [[1, 2], [3, 4], [7, 8]]


@pytest.mark.skipif(sys.platform == "win32", reason="no limit of the size of files there")
def test_a_short_write_at_the_limit_of_the_system_is_no_silent_loss(tmp_path):
    code = """
import resource, sys
import numpy as np
from rtbci.errors import BadInput
from rtbci.types import StreamInfo
from rtbci.recorder.xdf_writer import XdfWriter
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
writer = XdfWriter(sys.argv[1])
eeg = writer.add_stream(StreamInfo("cap", 250.0, ("a", "b"), ("EEG", "EEG")))
try:
    for n in range(0, 10**6, 100):
        writer.samples(eeg, np.arange(n, n + 100) / 250, np.ones((100, 2)))
except BadInput as error:
    print(n, error)
"""
    path = tmp_path / "a.xdf"
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    rows, sentence = done.stdout.split(" ", 1)
    assert sentence.startswith(f"cannot write {path} (File too large)")
    again = read(path)
    assert len(again.signal) == int(rows) > 0
    assert not any("damaged" in note for note in again.provenance.notes)


def test_the_disk_is_asked_once_a_second_and_every_chunk_is_there_at_once(tmp_path, monkeypatch):
    now, synced = [0.0], []
    monkeypatch.setattr(os, "fsync", lambda _: synced.append(now[0]))
    writer = XdfWriter(tmp_path / "a.xdf", clock=lambda: now[0])
    eeg = writer.add_stream(EEG)
    synced.clear()
    for tick in range(100):
        now[0] = tick * 0.1
        before = (tmp_path / "a.xdf").stat().st_size
        writer.samples(eeg, [now[0]], [[1, 2]])
        assert (tmp_path / "a.xdf").stat().st_size > before  # nothing waits in a buffer
    assert len(synced) == 9
    assert np.diff(synced).min() >= SYNC_S - 1e-9
    writer.close()
    writer.close()


def test_a_recording_is_its_owners_alone(tmp_path):
    XdfWriter(tmp_path / "a.xdf").close()
    if os.name == "posix":
        assert (tmp_path / "a.xdf").stat().st_mode & 0o777 == 0o600


def test_an_error_inside_the_block_keeps_what_was_written(tmp_path):
    def break_down() -> None:
        with XdfWriter(tmp_path / "a.xdf") as writer:
            writer.samples(writer.add_stream(EEG), [1.0, 1.004], np.ones((2, 2)))
            raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        break_down()
    assert len(read(tmp_path / "a.xdf").signal) == 2
