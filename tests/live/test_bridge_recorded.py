"""A replay of epochs that was recorded: the file says where the bridges are, and is read so."""

from dataclasses import replace

import numpy as np
import pytest

from calibration.fitting.settings import CalibrationSettings, plan_recipe
from calibration.fitting.trials import collect
from rtbci import cli
from rtbci.formats import read
from rtbci.formats.session import join
from rtbci.formats.xdf_replay import epochs, offset_of
from rtbci.recorder.xdf_writer import XdfWriter, marker_text
from rtbci.signal.epoch_gaps import bridge, run_starts
from rtbci.signal.recording import Recording
from rtbci.types import Gap, StreamInfo
from sims.changes import Guise, guise
from sims.fault_script import Kill
from sims.program import PlaybackSettings, Start, describe
from tests.core.test_replay_epochs import CLASSES, session
from tests.support.lsl_source import session as bus_name
from tests.support.lsl_stream import streams
from tests.support.record_box import Recorder

LABELS = {name: name for name in CLASSES}


@pytest.fixture(scope="module")
def played(tmp_path_factory) -> Recording:
    """Two runs of epochs, and the array that they came from beside it."""
    path = tmp_path_factory.mktemp("epochs") / "sub-02_ses-01.npy"
    session(path, 5, 24, (14, 10))
    return read(path)


def recorded(path, played: Recording, first: int = 0, stop: int | None = None) -> Recording:
    """A recorder's file of the replay of ``played``, from sample ``first`` to ``stop``."""
    signal = bridge(played)
    said = describe(signal, Guise(signal), PlaybackSettings(), Start(50.0))
    rate = signal.info.rate
    at = np.arange(first, len(signal.signal) if stop is None else stop)
    with XdfWriter(path) as writer:
        eeg = writer.add_stream(replace(signal.info, name="rtbci-eeg"), desc=said)
        marks = StreamInfo("rtbci-markers", 0.0, ("marker",), ("MARKER",), unit="")
        events = writer.add_stream(marks, kind="Markers", format="string")
        for stream in (eeg, events):
            writer.clock_offset(stream, 50.0, 3.0)
        if first <= 0:
            lead = np.arange(-20, 0)
            writer.samples(eeg, 50 + lead / rate, np.repeat(signal.signal[:1], 20, axis=0))
        writer.samples(eeg, 50 + at / rate, signal.signal[at])
        for marker in signal.markers:
            if at[0] <= marker.index <= at[-1]:
                writer.samples(events, [50 + marker.index / rate], [marker_text(marker)])
    return read(path)


def test_a_recorded_replay_knows_its_epochs_and_calibrates_as_the_array_does(
    played, tmp_path, capsys
):
    found, whole = recorded(tmp_path / "a.xdf", played), bridge(played)
    assert (found.epoch_rows, found.runs) == (played.epoch_rows, (14, 10))
    assert found.bridged == whole.bridged
    assert run_starts(found) == run_starts(whole)
    np.testing.assert_array_equal(found.measured, played.signal)
    assert bridge(found) is found
    plan = CalibrationSettings("sub-02", LABELS, reject=None)
    recipes = [plan_recipe([each], plan) for each in (found, played)]
    assert (recipes[0].window, recipes[0].look) == (recipes[1].window, recipes[1].look)
    cut = [collect([each], recipes[1], LABELS, CLASSES)[0] for each in (found, played)]
    assert len(cut[0]) == len(cut[1]) == 24
    for one, other in zip(cut[0].x, cut[1].x, strict=True):
        np.testing.assert_array_equal(one, other)
    assert cli.main(["info", str(tmp_path / "a.xdf")]) == 0
    said = capsys.readouterr().out
    assert "24 epochs of 0.5 s in 2 runs, bridges between them" in said
    assert "no brain there" in " ".join(said.split())


def test_a_recording_that_began_late_and_ended_early_holds_the_epochs_in_between(played, tmp_path):
    whole = bridge(played)
    assert whole.bridged is not None
    first, stop = whole.bridged[3] + 9, whole.bridged[16] + 60
    found = recorded(tmp_path / "a.xdf", played, first, stop)
    assert found.bridged == tuple(at - first for at in whole.bridged[4:16])
    assert found.runs == (10, 2)
    assert found.epoch_rows is not None
    np.testing.assert_array_equal(
        found.measured, played.signal[4 * found.epoch_rows : 16 * found.epoch_rows]
    )


def test_parts_of_a_recorded_replay_are_joined_with_their_epochs(played, tmp_path):
    whole = bridge(played)
    assert whole.bridged is not None
    stop, again = whole.bridged[9] + 200, whole.bridged[10] + 10
    one = recorded(tmp_path / "a.xdf", played, 0, stop)
    two = recorded(tmp_path / "a_part-02.xdf", played, again)
    found = join([one, two])
    assert found.bridged == tuple(at for at in whole.bridged if at != whole.bridged[10])
    assert found.runs == (10, 3, 10)
    assert found.gaps[-1].missing == again - stop
    assert len(found.measured) == 23 * (played.epoch_rows or 0)
    continuous = replace(two, bridged=None, epoch_rows=None, runs=())
    assert join([one, continuous]).bridged is None


def test_rows_that_are_lost_do_not_move_the_epochs_behind_them(played):
    whole = bridge(played)
    assert whole.bridged is not None
    hole = whole.bridged[2] - 100  # in a bridge
    signal = np.delete(whole.signal, slice(hole, hole + 50), axis=0)
    holed = replace(whole, signal=signal, gaps=(Gap(hole, 50),))
    np.testing.assert_array_equal(holed.measured, played.signal)


@pytest.mark.parametrize(
    "changes",
    [{"epochs": "1,x"}, {"epochs": ""}, {"epochs": "100,150"}, {"epoch_rows": "0"},
     {"epoch_rows": "-5"}, {"epoch_rows": "9" * 30}, {"epochs": "5,3"}, {"epochs": "\u0663"}],
    ids=str,
)  # fmt: skip
def test_a_description_of_epochs_that_makes_no_sense_means_nothing(changes):
    fields = {"epoch_rows": "125", "epochs": "100,500", **changes}
    assert epochs(fields, 0, 10_000) is None


def test_a_replay_that_begins_again_holds_its_epochs_again():
    fields = {"epoch_rows": "100", "epochs": "50,200,400", "runs": "2,1", "loop": "1000"}
    found = epochs(fields, 300, 1950)
    assert found is not None
    assert found.starts == (100, 750, 900, 1100, 1750)
    assert found.runs == (1, 2, 1, 1)
    strange = epochs({**fields, "runs": "2,2"}, 0, 1000)
    assert strange is not None
    assert strange.runs == ()
    assert epochs(fields, 0, 100) is None  # no whole one


def test_where_a_recording_begins_is_told_by_exact_stamps_only():
    fields = {"t0": "50.0", "rate": "250.0"}
    assert offset_of(fields, 50.4) == 100
    assert offset_of(fields, 50.402) is None  # half a sample off
    assert offset_of(fields, 49.0) is None
    assert offset_of({**fields, "stamps": "file"}, 50.4) is None
    assert offset_of({**fields, "t0": "soon"}, 50.4) is None


def test_a_stream_that_comes_back_with_another_rate_says_where_its_epochs_are_now(played):
    signal = bridge(played)
    assert signal.bridged is not None
    look = guise(signal, Kill.model_validate({"at": 1.0, "rate": 125.0}))
    said = describe(signal, look, PlaybackSettings(), Start(0.0))
    assert said["epoch_rows"] == str(round((signal.epoch_rows or 0) / 2))
    assert said["epochs"].split(",")[1] == str(round(signal.bridged[1] / 2))


@pytest.mark.lsl
@pytest.mark.slow
def test_what_travels_on_the_bus_says_so_too(played, tmp_path):
    bus, out = bus_name(), tmp_path / "recorded.xdf"
    with streams() as start, Recorder(bus, out) as recorder:
        box = start(
            played.provenance.paths[0], "--speed", "16", "--wait-for", "1", "--linger", "60",
            lsl=bus,
        )  # fmt: skip
        box.until("end")
        recorder.has(len(bridge(played).signal) + 1, "rtbci-eeg")
        recorder.wait(lambda e: e.get("samples", {}).get("rtbci-markers", 0) >= 24)
        recorder.say("finish")
        assert recorder.end() == 0, recorder.stderr
    found = read(out)
    assert found.bridged == bridge(played).bridged
    np.testing.assert_array_equal(found.measured, played.signal)
