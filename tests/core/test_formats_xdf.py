"""XDF: clock offsets, resets, empty streams, cut tails, markers of every kind, session folders."""

import json
import struct
from dataclasses import replace

import numpy as np
import pytest

from rtbci.errors import BadInput
from rtbci.formats import read
from rtbci.formats.stream_header import DEEPEST_HEADER, LARGEST_HEADER
from rtbci.recorder.verify import look, recover
from rtbci.recorder.xdf_writer import write_recording
from rtbci.report.recording_summary import recording_json, show_recording
from rtbci.types import Gap
from sims.generate import generate
from tests.support.lsl_source import session
from tests.support.lsl_stream import streams
from tests.support.record_box import Recorder


def chunk(tag: int, content: bytes) -> bytes:
    body = struct.pack("<H", tag) + content
    return b"\x04" + struct.pack("<I", len(body)) + body


def header(number, name, kind, channels, rate, form, labels=(), said=""):
    desc = "".join(
        f"<channel><label>{label}</label><unit>{unit}</unit><type>{what}</type></channel>"
        for label, unit, what in labels
    )
    return chunk(2, struct.pack("<I", number) + (
        f"<info><name>{name}</name><type>{kind}</type><channel_count>{channels}</channel_count>"
        f"<nominal_srate>{rate}</nominal_srate><channel_format>{form}</channel_format>"
        f"<desc>{said}<channels>{desc}</channels></desc></info>").encode())  # fmt: skip


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


def build(
    path, markers=((52.0, "left"),), rows=slice(None), offset=0.0, start=0.0, more=b"", said=""
):
    """An EEG stream of 10 s at 100 Hz and a marker stream whose clock runs ``offset`` behind."""
    data = b"XDF:" + chunk(1, b"<info><version>1.0</version></info>")
    data += header(1, "Amp", "EEG", 3, 100, "float32", LABELS, said)
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
    assert any("1 marker lies before" in note for note in recording.provenance.notes)


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
        with pytest.raises(BadInput, match="are read"):
            read(tmp_path / "a.xdf")
    bomb = b"XDF:" + header(1, "A", "EEG", 3, 100, "float32")
    bomb += chunk(3, struct.pack("<I", 1) + b"\x08" + struct.pack("<Q", 2**60))
    (tmp_path / "a.xdf").write_bytes(bomb)
    with pytest.raises(BadInput, match="no samples"):
        read(tmp_path / "a.xdf")


DEEP = f"{'<a>' * 300}{'</a>' * 300}"
WIDE = "<note>" + "\u00e4" * (LARGEST_HEADER // 2) + "</note>"


@pytest.mark.parametrize(
    ("odd", "why"),
    [
        (header(7, "odd", "EEG", 4, 250, "float32", said=DEEP), "levels deep"),
        (header(7, "odd", "EEG", 4, 250, "float32", said=WIDE), "bytes"),
        (header(7, "odd", "EEG", 5000, 250, "float32"), "5000 channels"),
        (header(7, "odd", "EEG", 4, 250, "undefined"), "'undefined'"),
        (chunk(2, struct.pack("<I", 7) + b"<info><name>odd"), "no XML"),
    ],
)
def test_a_header_that_cannot_be_read_costs_its_own_stream_only(tmp_path, odd, why):
    more = odd + samples(7, STAMPS[:50], np.zeros((50, 4)))
    path = build(tmp_path / "a.xdf", more=more)
    recording = read(path)
    assert len(recording.signal) == 1000
    assert [(m.index, m.label) for m in recording.markers] == [(200, "left")]
    (note,) = (note for note in recording.provenance.notes if "stream 7 cannot be read" in note)
    assert why in note
    report = look(path)
    assert [stream.samples for stream in report.streams] == [1000, 1]
    assert (report.torn, report.damaged) == (0, ())
    assert [why in problem for problem in report.problems] == [True]
    copied, _ = recover(path)
    assert copied is not None
    assert look(copied).problems == ()
    assert np.array_equal(read(copied).signal, recording.signal)


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf, 1e300])
def test_a_reading_of_a_clock_that_is_no_time_is_left_out(tmp_path, odd):
    more = chunk(4, struct.pack("<Idd", 1, 50, odd)) + chunk(4, struct.pack("<Idd", 1, odd, 0.5))
    recording = read(build(tmp_path / "a.xdf", more=more))
    assert len(recording.signal) == 1000
    assert [(m.index, m.label) for m in recording.markers] == [(200, "left")]
    assert any(note.startswith("2 readings of a clock") for note in recording.provenance.notes)
    assert look(tmp_path / "a.xdf").problems == ()


def test_a_deep_description_that_the_recorder_takes_is_read(tmp_path):
    levels = DEEPEST_HEADER - 3
    said = f"{'<a>' * levels}{'</a>' * levels}"
    more = header(7, "deep", "EEG", 4, 250, "float32", said=said)
    path = build(tmp_path / "a.xdf", more=more + samples(7, STAMPS[:50], np.zeros((50, 4))))
    assert look(path).problems == ()
    assert len(read(path, stream="Amp").signal) == 1000


def test_a_thousand_streams_fit_into_one_file(tmp_path):
    many = b"".join(header(n, f"s{n}", "Markers", 1, 0, "string") for n in range(10, 1010))
    path = build(tmp_path / "a.xdf", more=many)
    report = look(path)
    assert len(report.streams) == 1002
    assert report.problems == ()
    assert len(read(path).signal) == 1000


@pytest.mark.parametrize("stamp", [-1e18, 1e18, 1.8e18, -1e300, 1e300, np.inf, np.nan, 60.02])
def test_a_marker_stamped_far_away_is_left_out_and_counted(tmp_path, stamp):
    recording = read(build(tmp_path / "a.xdf", ((52.0, "left"), (stamp, "odd"))))
    assert len(recording.signal) == 1000
    assert [(m.index, m.label) for m in recording.markers] == [(200, "left")]
    assert any(note.startswith("1 marker") for note in recording.provenance.notes)


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


REPLAY = {"manufacturer": "rtbci stream", "t0": "51.0", "rate": "100.0", "lead_in": "2.0"}


def described(**changes):
    """What a replay says of itself under ``<desc>``; fields that are None are left out."""
    fields = {**REPLAY, **changes}
    return "".join(f"<{k}>{v}</{k}>" for k, v in fields.items() if v is not None)


def test_the_lead_in_of_a_recorded_replay_is_left_out(tmp_path, capsys):
    marks = ((50.99, '{"label": "rtbci-start", "late": 0.5}'), (51.0, "first"), (52.0, "left"))
    recording = read(build(tmp_path / "a.xdf", marks, said=described(resets="300,99999")))
    assert recording.lead_in == 100
    assert np.array_equal(recording.signal[:, 2], X[100:, 2])
    assert recording.t0 == pytest.approx(51.0)
    assert [(m.index, m.label) for m in recording.markers] == [(0, "first"), (100, "left")]
    assert recording.gaps == (Gap(300, 0, "reset in the recording"),)
    assert not any("lie before the first" in note for note in recording.provenance.notes)
    assert recording_json(recording)["lead_in"] == 100
    show_recording(recording)
    assert "100 rows before the first sample, left out" in capsys.readouterr().out


def test_the_lead_in_is_told_by_the_senders_clock_and_not_by_the_recorders(tmp_path):
    path = build(tmp_path / "a.xdf", said=described())
    offset = chunk(4, struct.pack("<Idd", 1, 50, 1234.5)) + chunk(
        4, struct.pack("<Idd", 1, 55, 1234.5)
    )
    path.write_bytes(path.read_bytes() + offset)
    recording = read(path)
    assert (recording.lead_in, recording.t0) == (100, pytest.approx(51.0 + 1234.5))


@pytest.mark.parametrize(
    "changes",
    [{"t0": "soon"}, {"t0": "nan"}, {"t0": None}, {"rate": "-100"}, {"rate": "0"}, {"rate": None},
     {"lead_in": "inf"}, {"lead_in": None}, {"lead_in": "0.5"}, {"manufacturer": "somebody else"},
     {"t0": "-1e300"}, {"t0": "1e300"}, {"t0": "<a>51.0</a>"}, {"stamps": "file", "t0": "51.004"},
     {"stamps": "file", "t0": "1e300"}],
    ids=str,
)  # fmt: skip
def test_a_description_that_is_absent_garbled_or_foreign_leaves_every_row(tmp_path, changes):
    recording = read(build(tmp_path / "a.xdf", said=described(**changes)))
    assert (recording.lead_in, len(recording.signal)) == (0, 1000)
    assert [m.index for m in recording.markers] == [200]


def test_a_replay_that_was_stopped_before_its_first_sample_is_refused(tmp_path):
    path = build(tmp_path / "a.xdf", said=described(t0="60.5", lead_in="20.0"))
    with pytest.raises(BadInput, match="all 1000 rows are the lead-in of a replay"):
        read(path)


def test_what_was_decided_during_a_recording_is_no_event(tmp_path):
    more = header(3, "rtbci-decisions", "Decisions", 1, 0, "string")
    more += samples(3, [53.0], ['{"event": "decision", "label": "face"}'])
    recording = read(build(tmp_path / "a.xdf", more=more))
    assert [m.label for m in recording.markers] == ["left"]


@pytest.mark.lsl
@pytest.mark.parametrize("stamps", ["regular", "file"])
def test_a_replay_that_was_recorded_reads_as_the_file_that_was_played(tmp_path, stamps):
    made = generate(3, n_trials=12, soa=0.6, channels=3)
    keep = np.r_[0:700, 900 : len(made.signal)]
    markers = (*made.markers[:-1], replace(made.markers[-1], fields={"trial": 12}))
    held = replace(made, signal=made.signal[keep], gaps=(Gap(700, 200),), markers=markers)
    write_recording(tmp_path / "played.xdf", held)
    bus, out = session(), tmp_path / "recorded.xdf"
    with streams() as start, Recorder(bus, out) as recorder:
        box = start(
            tmp_path / "played.xdf", "--speed", "8", "--wait-for", "1", "--stamps", stamps,
            "--linger", "60", lsl=bus,
        )  # fmt: skip
        box.until("end")
        recorder.has(len(held.signal) + 1, "rtbci-eeg")
        recorder.wait(lambda e: e.get("samples", {}).get("rtbci-markers", 0) >= len(markers))
        recorder.say("finish")
        assert recorder.end() == 0, recorder.stderr
    played, recorded = read(tmp_path / "played.xdf"), read(out)
    assert recorded.lead_in > 0
    assert np.array_equal(recorded.signal, played.signal)
    assert recorded.gaps == played.gaps == held.gaps
    assert recorded.markers == played.markers
    assert recorded.info.channels == played.info.channels


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
