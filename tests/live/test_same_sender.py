"""A late start counts only from the program that sends the decoded stream."""

from dataclasses import replace

import pytest

from rtbci.lsl.description import Description
from rtbci.lsl.pair import same_sender

EEG = Description("rtbci-eeg", "EEG", 250.0, "float32", 4, "rtbci:lab:s1:eeg", "u1", "s1", "lab")
MARKERS = Description(
    "rtbci-markers", "Markers", 0.0, "string", 1, "rtbci:lab:s1:markers", "u2", "s1", "lab"
)


def test_signal_and_markers_of_one_replay_have_one_sender():
    assert same_sender(MARKERS, EEG)


@pytest.mark.parametrize(
    "stranger",
    [
        {"host": "elsewhere"},
        {"source_id": "rtbci:lab:s2:markers"},
        {"source_id": "markers"},
        {"source_id": ""},
    ],
)
def test_a_stranger_that_claims_a_late_start_has_another_one(stranger):
    assert not same_sender(replace(MARKERS, **stranger), EEG)


def test_without_a_source_id_nothing_is_believed():
    assert not same_sender(replace(MARKERS, source_id=""), replace(EEG, source_id=""))
