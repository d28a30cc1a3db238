"""One contract for everything that brings a recording, whatever file it came from."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rtbci.formats import read
from rtbci.signal.recording import Recording
from rtbci.types import Chunk, Gap, Marker
from sims.generate import generate
from tests.soak import fuzz

FILES = {
    "npy": fuzz.npy_seed,
    "npy with sidecar": fuzz.sidecar_seed,
    "csv": fuzz.csv_seed,
    "xdf": fuzz.xdf_seed,
    "edf": fuzz.edf_seed,
    "bdf": lambda: fuzz.edf_seed("a.bdf"),
    "brainvision": fuzz.brainvision_seed,
    "eeglab": fuzz.eeglab_seed,
}
REAL = (
    "muse/visual/N170/subject11/session1/recording_2018-06-06-18.42.19.csv.csv",
    "xdf_converted/N170_subject3_session2_data_2018-05-14-19.38.10.xdf",
    "xdf/clock_resets.xdf",
    "eegmmi/S001/S001R03.edf",
    "eeglab/eeglab_data.set",
    "sleep/data_resting_EO_200Hz_raw.fif",
)


def with_a_gap() -> Recording:
    """A simulated recording that lost 100 samples and restarted once."""
    whole = generate(3, n_trials=20)
    kept = np.delete(whole.signal, slice(1000, 1100), axis=0)
    gaps = (Gap(1000, 100), Gap(2000, 0, "clock reset"))
    return replace(whole, signal=np.ascontiguousarray(kept), gaps=gaps)


@pytest.fixture(params=[*FILES, "generated", "with a gap", *REAL], ids=lambda name: Path(name).name)
def recording(request, tmp_path) -> Recording:
    if request.param == "generated":
        return generate(1, n_trials=20)
    if request.param == "with a gap":
        return with_a_gap()
    if request.param in REAL:
        return read(request.getfixturevalue("eeg") / request.param)
    files, main = FILES[request.param]()
    return read(fuzz.write(files, tmp_path) / main)


def test_the_signal_is_what_the_information_says(recording):
    assert recording.signal.dtype == np.float32
    assert recording.signal.flags.c_contiguous
    assert recording.signal.shape[1] == len(recording.info.channels) == len(recording.info.types)
    assert len(set(recording.info.channels)) == len(recording.info.channels)
    assert recording.info.rate > 0
    assert len(recording.provenance.sha256) == 64


@pytest.mark.parametrize("chunk", [97, 1000, 10**9])
def test_items_bring_every_row_once_and_in_order(recording, chunk):
    rows, head = [], 0
    for item in recording.items(chunk):
        if isinstance(item, Chunk):
            assert item.index == head, "indices follow each other except at announced gaps"
            assert 0 < len(item.x) <= chunk
            head += len(item.x)
            rows.append(item.x)
        elif isinstance(item, Gap):
            assert item.index == head
            head += item.missing
    assert head == recording.n_samples
    np.testing.assert_array_equal(np.concatenate(rows), recording.signal)


def test_markers_come_in_order_and_not_behind_their_chunk(recording):
    head, last, seen = 0, -1, 0
    for item in recording.items(50):
        if isinstance(item, Marker):
            assert item.index >= max(last, head), "a marker comes before the chunk that holds it"
            last, seen = item.index, seen + 1
        elif isinstance(item, Chunk):
            head = item.index + len(item.x)
    assert seen == len(recording.markers)
    assert all(0 <= marker.index < recording.n_samples for marker in recording.markers)


def test_items_leave_the_recording_as_it_was(recording):
    before = recording.signal.copy()
    list(recording.items(10))
    np.testing.assert_array_equal(recording.signal, before)
