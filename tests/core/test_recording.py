"""The one value for every recording: pieces, order of items, choice of channels."""

import numpy as np
import pytest

from rtbci.errors import BadInput
from rtbci.signal.recording import Recording
from rtbci.types import Chunk, Gap, Marker, Provenance, StreamInfo


@pytest.fixture
def recording() -> Recording:
    """10 rows, 3 channels; 5 samples missing from index 4."""
    return Recording(
        signal=np.arange(30, dtype=np.float32).reshape(10, 3),
        info=StreamInfo("test", 10.0, ("Cz", "Pz", "AUX"), ("EEG", "EEG", "AUX")),
        markers=(Marker(2, "a"), Marker(9, "b"), Marker(14, "c")),
        provenance=Provenance(("x.xdf",), "0" * 64, "xdf"),
        gaps=(Gap(4, 5),),
    )


def test_a_gap_shifts_the_indices_behind_it(recording):
    assert recording.segments == [(0, 4, 0), (4, 10, 9)]
    assert recording.n_samples == 15
    assert recording.duration == 1.5


@pytest.mark.parametrize("chunk", [1, 3, 1000])
def test_items_bring_every_row_once_and_markers_before_their_sample(recording, chunk):
    items = list(recording.items(chunk))
    chunks = [item for item in items if isinstance(item, Chunk)]
    assert np.array_equal(np.concatenate([c.x for c in chunks]), recording.signal)
    indices = [c.index + i for c in chunks for i in range(len(c.x))]
    assert indices == [0, 1, 2, 3, 9, 10, 11, 12, 13, 14]
    for place, item in enumerate(items):
        if isinstance(item, Marker):
            assert all(c.index + len(c.x) <= item.index or c.index <= item.index
                       for c in items[:place] if isinstance(c, Chunk))  # fmt: skip
    assert [item.index for item in items if isinstance(item, Gap)] == [4]


def test_picked_channels_come_in_the_order_asked_for(recording):
    picked = recording.pick(("Pz", "Cz"))
    assert picked.info.channels == ("Pz", "Cz")
    assert picked.signal[1].tolist() == [4, 3]
    assert picked.signal.flags.c_contiguous


def test_a_channel_that_is_not_there_is_named_with_those_that_are(recording):
    with pytest.raises(BadInput, match=r"no channel Oz in x.xdf; it has Cz, Pz, AUX"):
        recording.pick(("Cz", "Oz"))


def test_only_electrodes_count_as_eeg(recording):
    assert recording.eeg_channels == ("Cz", "Pz")
