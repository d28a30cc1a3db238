"""What a recording becomes on its way out: indices, stamps, due times, lead-in, loops."""

from dataclasses import replace
from itertools import takewhile

import numpy as np
import pytest

from rtbci.errors import BadInput
from rtbci.formats import read
from rtbci.signal.montage import position
from rtbci.signal.recording import Recording
from rtbci.signal.timebase import CLOCK_RESET
from rtbci.types import Gap, Marker
from sims import schedule
from sims.changes import guise
from sims.program import OutletLife, PlaybackSettings, Start, describe, program
from sims.schedule import MarkerPush, SamplePush, Timeline
from tests.support.counted import counted

HOLED = counted(gaps=(Gap(500, 250), Gap(1750, 0, CLOCK_RESET)))


def rows_of(recording: Recording, **more) -> list[SamplePush]:
    """All pushes of a recording in chunks of 7."""
    return list(schedule.rows(Timeline(recording), 7, **more))


def test_after_a_gap_indices_and_stamps_continue_and_no_chunk_spans_it():
    rows = rows_of(HOLED)
    for each in rows:
        np.testing.assert_array_equal(each.x[:, 0], each.index + np.arange(len(each.x)))
        np.testing.assert_array_equal(each.stamps, each.x[:, 0].astype(float) / 250)
        assert each.due == each.stamps[-1]
    assert sum(len(each.x) for each in rows) == 2500
    assert {749, 1749} & {each.index for each in rows} == set()
    assert {750, 1750} <= {each.index for each in rows}


def test_resets_without_a_hole_are_in_the_description():
    fields = describe(HOLED, guise(HOLED, None), PlaybackSettings(speed=8.0), Start(123.456789))
    assert fields["resets"] == "1750"
    assert fields["samples"] == "2750"
    assert (fields["t0"], fields["speed"], fields["lead_in"]) == ("123.456789", "8.0", "16.0")
    assert fields["stamps"] == "regular"
    plain = describe(counted(), guise(counted(), None), PlaybackSettings(loop=True), Start(1.0))
    assert "resets" not in plain
    assert plain["loop"] == "2750"


@pytest.mark.parametrize(("since", "until"), [(0, 400), (333, 900), (600, 800), (1000, None)])
def test_a_part_holds_exactly_its_samples(since, until):
    got = np.concatenate([[], *(each.x[:, 0] for each in rows_of(HOLED, since=since, until=until))])
    every = HOLED.signal[:, 0]
    np.testing.assert_array_equal(
        got, every[(every >= since) & (every < (2750 if until is None else until))]
    )


def test_a_loop_leaves_a_hole_of_a_second_and_repeats_markers():
    items = program(counted(), PlaybackSettings(loop=True), (), OutletLife())
    some = list(takewhile(lambda item: item.due < 25, items))
    indices = np.concatenate(
        [r.index + np.arange(len(r.x)) for r in some if isinstance(r, SamplePush)]
    )
    jumps = np.flatnonzero(np.diff(indices) != 1)
    assert [(indices[j], indices[j + 1]) for j in jumps] == [(2499, 2750), (5249, 5500)]
    assert [e.index for e in some if isinstance(e, MarkerPush)] == [
        *(100, 225, 350), *(2850, 2975, 3100), *(5600, 5725, 5850)
    ]  # fmt: skip


def test_a_part_of_a_later_turn_starts_there():
    first = next(schedule.rows(Timeline(counted()), 5, since=5501, loop=True))
    assert first.index == 5501
    assert first.x[0, 0] == 1


def test_markers_go_before_their_rows_and_ahead_only_when_accelerated():
    for speed, due in ((1.0, 0.4), (8.0, 0.0)):
        items = list(program(counted(), PlaybackSettings(speed=speed), (), OutletLife()))
        place = next(i for i, item in enumerate(items) if isinstance(item, MarkerPush))
        event = items[place]
        assert isinstance(event, MarkerPush)
        assert (event.index, event.stamp, event.due) == (100, 0.4, due)
        later = [item for item in items[place:] if isinstance(item, SamplePush)]
        assert later[0].index <= 100


def test_markers_at_one_row_keep_their_order():
    texts = ("b", "a", "c", "a")
    recording = counted(markers=tuple((300, text) for text in texts))
    events = schedule.events(Timeline(recording))
    assert tuple(event.text for event in events) == texts


def test_fields_of_a_marker_travel_as_json():
    recording = replace(counted(), markers=(Marker(10, "face", {"image": "a.png"}),))
    (event,) = schedule.events(Timeline(recording))
    assert event.text == '{"label": "face", "image": "a.png"}'


def test_the_lead_in_holds_the_first_sample_on_negative_indices():
    recording = counted()
    rows = list(schedule.lead_in(recording, 0.5, 7))
    indices = np.concatenate([each.index + np.arange(len(each.x)) for each in rows])
    np.testing.assert_array_equal(indices, np.arange(-125, 0))
    for each in rows:
        assert (each.x == recording.signal[0]).all()
        np.testing.assert_array_equal(each.stamps, (each.index + np.arange(len(each.x))) / 250)


def stamped(recording: Recording, stamps: np.ndarray, t0: float = 5000.0) -> Recording:
    """As a reader gives a file with stamps."""
    return replace(recording, stamps=stamps + t0, t0=t0, effective_rate=250.0)


def test_stamps_of_the_file_go_out_as_they_are_and_rows_when_they_say():
    jitter = np.random.default_rng(0).normal(0, 0.02, 2500)
    stamps = np.arange(2500) / 250 + jitter
    items = list(
        program(stamped(counted(), stamps), PlaybackSettings(file_stamps=True), (), OutletLife())
    )
    rows = [item for item in items if isinstance(item, SamplePush)]
    np.testing.assert_allclose(np.concatenate([r.stamps for r in rows]), stamps, atol=1e-9)
    due = np.array([each.due for each in rows])
    assert (np.diff(due) >= 0).all()
    assert all(each.due >= each.stamps.max() - 1e-9 for each in rows)
    for event in (item for item in items if isinstance(item, MarkerPush)):
        assert event.stamp == pytest.approx(event.index / 250, abs=0.004)  # not the jittered one


def test_playback_does_not_wait_for_a_clock_step():
    stamps = np.arange(2500) / 250 + np.where(np.arange(2500) >= 1000, 3600.0, 0)
    recording = stamped(replace(counted(), gaps=(Gap(1000, 0, CLOCK_RESET),)), stamps)
    rows = list(schedule.rows(Timeline(recording, from_file=True), 5))
    assert rows[-1].stamps[-1] == pytest.approx(3609.996)
    assert rows[-1].due == pytest.approx(9.996)


def test_a_marker_in_a_gap_is_placed_by_the_rows_before_it():
    stamps = np.arange(2500) / 250
    stamps[1000:] += 1.0
    recording = stamped(counted(markers=((1100, "x"),), gaps=(Gap(1000, 250),)), stamps)
    (event,) = schedule.events(Timeline(recording, from_file=True))
    assert event.stamp == pytest.approx(1100 / 250)


def test_a_file_without_stamps_cannot_be_played_with_its_own():
    with pytest.raises(BadInput, match=r"holds no time stamps of its own; .*--stamps regular"):
        Timeline(counted(), from_file=True)


def test_muse_files_and_xdf_keep_the_stamps_they_have(tmp_path):
    path = tmp_path / "muse.csv"
    stamps = 1.7e9 + np.arange(600) / 256
    lines = [f"{s:.6f},1.0,2.0,3.0,{i % 7}.5,0,0" for i, s in enumerate(stamps)]
    path.write_text("timestamps,TP9,AF7,AF8,TP10,Right AUX,Marker0\n" + "\n".join(lines) + "\n")
    recording = read(path)
    assert recording.stamps is not None
    np.testing.assert_allclose(recording.stamps, stamps, atol=1e-5)
    from rtbci.recorder.xdf_writer import write_recording

    write_recording(tmp_path / "a.xdf", counted())
    again = read(tmp_path / "a.xdf")
    assert again.stamps is not None
    assert len(again.stamps) == len(again.signal) == 2500
    assert again.pick(("Cz",)).stamps is again.stamps


def test_due_times_never_decrease():
    rows = [
        SamplePush(i, np.zeros((1, 1), np.float32), np.zeros(1), due)
        for i, due in enumerate((1, 3, 2, 4))
    ]
    assert [each.due for each in schedule.in_order(rows)] == [1, 3, 3, 4]


def test_electrodes_are_found_in_any_case():
    cz, oz, left = position("CZ"), position(" oz "), position("tp9")
    assert cz is not None
    assert oz is not None
    assert left is not None
    assert cz[2] > 90
    assert oz[1] < -90
    assert left[0] < -60
    assert position("T3") == position("T7")
    assert position("EEG001") is None
