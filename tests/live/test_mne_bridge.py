"""mne-realtime runs on our live streams and cuts the same epochs; a gap never hides in one."""

import secrets
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from rtbci import mne_bridge
from rtbci.bench.offline import HEADSET, HEADSET_RATE, synthetic_recording, write_headset_csv
from rtbci.errors import BadInput, Missing
from rtbci.formats import read
from rtbci.mne_bridge import Client, mne_info, rt_epochs
from rtbci.types import Chunk, Gap, Marker, Samples, StreamInfo

pytest.importorskip("mne_realtime", reason="mne-realtime is not installed (extra mne)")

READER = """
import sys, warnings
import numpy as np
warnings.filterwarnings("ignore", "MNE-realtime is discontinued")
from rtbci import mne_bridge
with mne_bridge.connect({"1": 1, "2": 2}, session=sys.argv[1], scope="machine") as client:
    epochs = mne_bridge.rt_epochs(
        client, -0.1, 0.5, baseline=None, isi_max=2.5, sleep_time=0.02, verbose="ERROR"
    )
    epochs.start()
    seen = [epoch for epoch in epochs]
    epochs.stop()
    np.savez(sys.argv[2], seen=seen, data=epochs.get_data(), events=epochs.events,
             names=epochs.ch_names, lost=client.lost, late=client.late)
"""
RATE = 100.0
INFO = StreamInfo("cap", RATE, ("Fp1", "cz", "HEOG", "Nowhere"), ("EEG", "EEG", "EOG", "EEG"))


@dataclass
class Played:
    """A source that brings the items it was given, one a pull; stamps are sample indices."""

    info: StreamInfo
    items: list[Chunk | Gap]
    refused: str | None = None
    ended: bool = False
    pulls: int = 0

    def pull(self, timeout: float) -> list[Chunk | Gap]:
        self.pulls += 1
        return [self.items.pop(0)] if self.items else []

    def index_at(self, stamp: float) -> int | None:
        return round(stamp) if self.pulls else None


def signal(n: int, channels: int = len(INFO.channels)) -> Samples:
    return np.random.default_rng(0).normal(0, 20, (n, channels)).astype(np.float32)


def chunks(x: Samples, size: int = 7, first: int = 0) -> list[Chunk | Gap]:
    return [Chunk(first + row, x[row : row + size]) for row in range(0, len(x), size)]


def client(items: list[Chunk | Gap], events: dict[int, str], **more: object) -> Client:
    waiting = [(float(at), Marker(0, label)) for at, label in events.items()]

    def markers() -> list[tuple[float, Marker]]:
        out = list(waiting)
        waiting.clear()
        return out

    return Client(Played(INFO, items), markers, {"a": 1, "b": 2}, marker_wait_s=0.0, **more)  # type: ignore[arg-type]


def run(one: Client, turns: int = 1000) -> None:
    source = one._source
    assert isinstance(source, Played)
    while source.items and (turns := turns - 1):
        one.turn()
    one.turn()


def epochs_of(one: Client, tmin: float = -0.1, tmax: float = 0.3):
    epochs = rt_epochs(one, tmin, tmax, baseline=None, verbose="ERROR")
    one.register_receive_callback(epochs._process_raw_buffer)
    return epochs


def test_mne_is_told_names_types_and_the_places_that_are_known(caplog):
    caplog.set_level("INFO", "rtbci.mne_bridge")
    info = mne_info(INFO, "STI 014")
    assert info["ch_names"] == ["Fp1", "cz", "HEOG", "Nowhere", "STI 014"]
    assert info.get_channel_types() == ["eeg", "eeg", "eog", "eeg", "stim"]
    assert info["sfreq"] == RATE
    places = {each["ch_name"]: each["loc"][:3] for each in info["chs"]}
    assert places["Fp1"][1] > 0.05  # m: at the front
    assert abs(places["cz"][0]) < 0.01
    assert np.isnan(places["Nowhere"]).all()
    assert "no position for Nowhere" in caplog.text


def test_without_any_known_label_there_is_no_montage():
    assert mne_info(StreamInfo("box", 250.0, ("E1", "A1x"), ("EEG", "EEG"))).get_montage() is None


def test_what_is_no_voltage_is_not_scaled():
    info = StreamInfo("cap", RATE, ("Cz", "ACC", "COUNT"), ("EEG", "AUX", "MISC"))
    assert mne_info(info).get_channel_types() == ["eeg", "misc", "misc"]
    assert mne_bridge.to_volts(info).tolist() == [1e-6, 1.0, 1.0]


@pytest.mark.parametrize("size", [1, 7, 10, 400], ids=["ones", "ragged", "even", "whole"])
def test_epochs_are_the_samples_around_each_event_however_the_signal_is_cut(size):
    x = signal(400)
    events = {50: "a", 120: "b", 121: "other", 127: "a", 349: "b", 369: "a"}
    one = client(chunks(x, size), events)
    epochs = epochs_of(one)
    run(one)
    expected = [(50, 1), (120, 2), (127, 1), (349, 2)]  # the last one is cut by the end
    assert [(at, number) for at, _, number in epochs.events] == expected
    for got, (at, number) in zip(epochs.get_data(), expected, strict=True):
        np.testing.assert_allclose(got[:4], x[at - 10 : at + 31].T * 1e-6, rtol=1e-6)
        assert got[4, 10] == number


def test_no_epoch_spans_a_gap_and_indices_go_on_behind_it():
    before, behind = signal(200), signal(200) + 5
    items = [*chunks(before), Gap(200, 30, "lost"), *chunks(behind, first=230)]
    events = {50: "a", 180: "a", 210: "b", 235: "b", 260: "b"}
    one = client(items, events)
    epochs = epochs_of(one)
    run(one)
    assert epochs.events[:, 0].tolist() == [50, 260]
    np.testing.assert_allclose(epochs.get_data()[1][:4], behind[20:61].T * 1e-6, rtol=1e-6)
    assert one.lost == 3  # cut by its start, in the gap, and one that begins in it
    assert [(gap.index, gap.missing) for gap in one.gaps] == [(200, 30)]


def test_a_gap_in_the_first_buffer_leaves_the_next_ones_in_step():
    x = signal(300)
    items = [*chunks(x[:5]), Gap(5, 0, "reset"), *chunks(x[5:], first=5)]
    one = client(items, {100: "a", 200: "b"})
    epochs = epochs_of(one)
    run(one)
    assert epochs.events[:, 0].tolist() == [100, 200]
    np.testing.assert_allclose(epochs.get_data()[0][:4], x[90:131].T * 1e-6, rtol=1e-6)


def test_a_marker_may_come_behind_its_data_and_one_that_is_too_late_is_counted(caplog):
    x, now = signal(300), [0.0]
    waiting: list[tuple[float, Marker]] = []

    def markers() -> list[tuple[float, Marker]]:
        out = list(waiting)
        waiting.clear()
        return out

    source = Played(INFO, chunks(x, 10))
    one = Client(source, markers, {"a": 1}, marker_wait_s=0.5, clock=lambda: now[0])
    epochs = epochs_of(one)
    for turn in range(30):
        now[0] = turn / 10  # 0.1 s of signal each 0.1 s
        if turn == 15:
            waiting += [(float(at), Marker(0, "a")) for at in (20, 105)]  # 1.3 s and 0.4 s old
        one.turn()
    now[0] += 5.0
    one.turn()
    assert epochs.events[:, 0].tolist() == [105]
    assert one.late == 1
    assert "marker 'a' of sample 20 came too late" in caplog.text


def test_two_events_at_one_sample_cannot_both_be_told(caplog):
    x = signal(100)
    one = Client(
        Played(INFO, chunks(x)),
        iter([[(50.0, Marker(0, "a")), (50.0, Marker(0, "b"))], *[[]] * 100]).__next__,
        {"a": 1, "b": 2},
        marker_wait_s=0.0,
    )
    epochs = epochs_of(one)
    run(one)
    assert len(epochs.events) == 1
    assert one.lost == 1
    assert "two markers at sample 50: 'b' is left out" in caplog.text


def test_a_stream_that_cannot_be_used_any_more_ends_the_wait_with_a_sentence():
    source = Played(INFO, chunks(signal(100)), refused=None)
    one = Client(source, list, {"a": 1}, marker_wait_s=0.0)
    epochs = rt_epochs(one, -0.1, 0.3, baseline=None, verbose="ERROR")
    epochs.start()
    source.refused = "500 Hz now, and 1000 Hz before"
    with pytest.raises(RuntimeError, match="not receiving epochs"):
        next(epochs)
    with pytest.raises(BadInput, match="cannot be used: 500 Hz now"):
        epochs.stop()
    one.close()


def test_what_came_before_another_recording_is_still_cut():
    x = signal(200)
    one = client(chunks(x), {50: "a", 150: "b"})
    one._wait = 9.0
    epochs = epochs_of(one)
    run(one)
    assert len(epochs.events) == 0  # all is kept back still
    one._source.ended = True
    with pytest.raises(BadInput, match="another recording; connect again"):
        one.turn()
    assert epochs.events[:, 0].tolist() == [50, 150]


@pytest.mark.parametrize("event_id", [{}, {"a": 0}, {"a": 1, "b": 1}, {"a": -3}])
def test_numbers_that_a_stim_channel_cannot_carry_are_refused(event_id):
    with pytest.raises(BadInput, match="its own number from 1 on"):
        Client(Played(INFO, []), list, event_id)


def test_a_stream_with_a_stim_channel_of_its_own_keeps_it():
    info = StreamInfo("cap", RATE, ("Cz", "STI 014"), ("EEG", "STIM"))
    one = Client(Played(info, []), list, {"a": 1})
    assert one.get_measurement_info()["ch_names"] == ["Cz", "STI 014", "STI 014 of rtbci"]


def test_without_mne_realtime_a_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "mne_realtime", None)
    with pytest.raises(Missing, match=r"pip install 'rtbci\[mne\]'"):
        rt_epochs(Client(Played(INFO, []), list, {"a": 1}), 0.0, 0.5)


def test_nothing_else_of_the_core_loads_the_bridge():
    code = (
        "import sys, rtbci.engine.engine, rtbci.lsl.signal\n"
        "print([m for m in sys.modules if 'mne' in m])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.lsl
def test_epochs_of_a_live_stream_are_slices_of_the_file(tmp_path: Path):
    file, out = tmp_path / "run.csv", tmp_path / "epochs.npz"
    write_headset_csv(file, synthetic_recording(HEADSET_RATE, HEADSET, 16.0, 1.0, ("1", "2")))
    session = f"rtbci-test-{secrets.token_hex(4)}"
    words = ["stream", str(file), "--speed", "4", "--wait-for", "1", "--lsl-session", session]
    with (
        subprocess.Popen(
            [sys.executable, "-m", "rtbci", *words, "--lsl-scope", "machine", "--json"],
            stdout=subprocess.DEVNULL,
        ) as sender,
        subprocess.Popen([sys.executable, "-c", READER, session, str(out)]) as reader,
    ):
        try:
            assert reader.wait(60) == 0
        finally:
            sender.kill()
            reader.kill()
    recording, found = read(file), np.load(out)
    columns = recording.info.columns(HEADSET)
    onsets = [(marker.index, int(marker.label)) for marker in recording.markers]
    assert [(at, number) for at, _, number in found["events"].tolist()] == onsets
    assert found["names"].tolist() == [*recording.info.channels, "STI 014"]
    assert (found["lost"], found["late"]) == (0, 0)
    first, last = round(-0.1 * HEADSET_RATE), round(0.5 * HEADSET_RATE)
    assert len(found["seen"]) == len(onsets)
    np.testing.assert_array_equal(found["seen"], found["data"])
    for epoch, (at, number) in zip(found["data"], onsets, strict=True):
        cut = recording.signal[at + first : at + first + epoch.shape[1], columns].T
        assert epoch.shape[1] == last - first + 1
        np.testing.assert_allclose(epoch[columns] * 1e6, cut, rtol=1e-6)
        assert epoch[-1, -first] == number
