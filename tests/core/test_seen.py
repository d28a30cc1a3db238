"""A trial is known by its own samples, whatever file holds it."""

from dataclasses import replace

import numpy as np

from rtbci.decoding.trial_hashes import learnt, marks, shared
from rtbci.signal.epoch_gaps import bridge
from rtbci.signal.recording import Recording
from rtbci.types import Gap, Marker, Provenance, StreamInfo

RATE, N = 250.0, 6


def epochs(first: int, n: int, rows: int = 125) -> Recording:
    """``n`` of always the same epochs, from number ``first`` on."""
    x = np.random.default_rng(5).standard_normal((first + n, rows, 4))[first:].reshape(-1, 4)
    names = ("Oz", "O1", "O2", "EOG")
    return Recording(
        signal=np.ascontiguousarray(20 * x, np.float32),
        info=StreamInfo("cap", RATE, names, ("EEG", "EEG", "EEG", "EOG")),
        markers=tuple(Marker(i * rows, "dog") for i in range(n)),
        provenance=Provenance((f"{first}.npy",), str(first), "npy epochs"),
        gaps=tuple(Gap(i * rows, 0, "between epochs") for i in range(1, n)),
        epoch_rows=rows,
    )


def test_a_trial_has_the_same_mark_in_a_session_and_in_a_run():
    whole, part = marks(epochs(0, N)).split(), marks(epochs(2, 3)).split()
    assert len(set(whole)) == N
    assert part == whole[2:5]


def test_bridged_epochs_have_the_marks_of_the_array():
    assert marks(bridge(epochs(0, N))) == marks(epochs(0, N))


def test_names_auxiliary_channels_and_a_lost_sample_elsewhere_change_no_mark():
    found = epochs(0, N)
    other = found.signal.copy()
    other[:, 3] = 0
    renamed = replace(found.info, channels=("A", "B", "C", "D"))
    assert marks(replace(found, signal=other, info=renamed)) == marks(found)
    short = replace(found, signal=np.delete(found.signal, 100, axis=0),
                    gaps=(Gap(100, 1, "lost"), *found.gaps))  # fmt: skip
    assert marks(short) == marks(found)


def test_a_trial_without_a_living_signal_has_no_mark():
    found = epochs(0, N)
    still = found.signal.copy()
    still[:125] = 7.0
    assert marks(replace(found, signal=still)) == " ".join(marks(found).split()[1:])
    beyond = (*found.markers, Marker(len(found.signal) - 5, "dog"), Marker(-3, "dog"))
    assert marks(replace(found, markers=beyond)) == marks(found)
    assert marks(replace(found, signal=found.signal[:0], markers=())) == ""


def test_shared_trials_are_counted_and_their_file_is_named():
    files = learnt({"files": [{"name": "a.npy", "marks": marks(epochs(0, 3))}],
                    "earlier": [{"name": "b.npy", "marks": marks(epochs(3, 2))}]})  # fmt: skip
    assert shared(marks(epochs(2, 3)), files) == ("a.npy", 1)
    assert shared(marks(epochs(3, 3)), files) == ("b.npy", 2)
    assert shared(marks(epochs(5, 1)), files) is None
    assert shared("", files) is None
    assert learnt({}) == []
