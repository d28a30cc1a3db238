"""Decisions on the bus: JSON text for people and scripts, numbers for everything that plots."""

import pylsl

from rtbci.lsl.config import source_id, stream_name

BUFFERED = 60  # hundreds of decisions kept for a slow reader


class Results:
    """The streams ``rtbci-decisions`` (text) and ``rtbci-probabilities`` (one channel a class)."""

    def __init__(self, classes: tuple[str, ...]) -> None:
        text = pylsl.StreamInfo(
            stream_name("decisions"), "Decisions", 1, 0, pylsl.cf_string, source_id("decisions")
        )
        text.set_channel_labels(["decision"])
        numbers = pylsl.StreamInfo(
            stream_name("probabilities"), "Probabilities", len(classes), 0, pylsl.cf_float32,
            source_id("probabilities"),
        )  # fmt: skip
        numbers.set_channel_labels(list(classes))
        numbers.set_channel_types("Probability")
        numbers.set_channel_units("1")
        self._nothing = [float("nan")] * len(classes)
        self._text = pylsl.StreamOutlet(text, max_buffered=BUFFERED)
        self._numbers = pylsl.StreamOutlet(numbers, max_buffered=BUFFERED)

    def push(self, probabilities: list[float] | None, text: str, stamp: float) -> None:
        """One decision, stamped in the clock of the EEG; without probabilities NaN is sent."""
        self._numbers.push_sample(probabilities or self._nothing, stamp)
        self._text.push_sample([text], stamp)
