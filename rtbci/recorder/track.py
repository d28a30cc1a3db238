"""State of one recorded stream: counts, arrival times, and losses according to its stamps."""

from dataclasses import dataclass

from rtbci.lsl.description import Description
from rtbci.lsl.inlet import Inlet
from rtbci.signal.liveness import Liveness
from rtbci.types import Array

JUMP_S = 0.05  # stamps may run ahead of their number by less without a loss
CLOCK_SET_S = 600.0  # a larger jump is a clock that was set and tells nothing of losses
EVENED_OUT_S = 10.0  # stamps that ran ahead may come back within this; later a clock was set


@dataclass
class RecordedStream:
    """One stream of the file, which may come from several outlets in turn."""

    number: int
    about: Description
    label: str  # its name, or name and number if two streams share a name
    inlet: Inlet | None  # None while its outlet is gone
    samples: int = 0
    last: float = 0.0  # stamp of the newest sample, s
    liveness: Liveness | None = None  # by the recorder's clock; None before the first data
    silent_for: float = 0.0  # length of the latest silence, s
    held: float | None = None  # time since which data after a silence wait to be read
    doubles: bool = False  # whether its next rows may have been read by another inlet already
    moved: bool = False  # whether LSL switched its inlet to another outlet
    _missing: float = 0.0
    _ahead: float = 0.0  # part of ``_missing`` that stamps which come back would still even out
    _ahead_at: int = 0  # count of samples at the last jump ahead

    @property
    def is_regular(self) -> bool:
        """Whether it has a rate; silence of an irregular stream is not a fault."""
        return self.about.rate > 0

    @property
    def missing(self) -> int | None:
        """Samples lost according to the stamps; None for an irregular stream."""
        return max(round(self._missing), 0) if self.is_regular else None

    @property
    def bytes_a_second(self) -> float:
        """Bytes per second on disk; 0 for an irregular stream."""
        width = {"double64": 8, "int64": 8, "int16": 2, "int8": 1}.get(self.about.format, 4)
        return self.about.rate * (9 + width * self.about.count)

    def took(self, stamps: Array, now: float) -> None:
        """Count samples that arrived at ``now``."""
        n, rate = len(stamps), self.about.rate
        if self.liveness is not None:
            ahead = (float(stamps[-1]) - self.last) * rate - n
            if abs(ahead) > max(JUMP_S * rate, 3):
                self._jump(ahead)
        self.samples += n
        self.last = float(stamps[-1])
        self.liveness = (self.liveness or Liveness(now)).after_rows(now)

    def _jump(self, ahead: float) -> None:
        """Count what a jump of the stamps by ``ahead`` samples means; a set clock means nothing."""
        rate = self.about.rate
        if self.samples - self._ahead_at > EVENED_OUT_S * rate:
            self._ahead = 0.0
        if abs(ahead) >= CLOCK_SET_S * rate:
            self._ahead = 0.0
        elif ahead > 0:
            self._missing += ahead
            self._ahead, self._ahead_at = self._ahead + ahead, self.samples
        elif -ahead <= self._ahead + max(JUMP_S * rate, 3):
            back = min(-ahead, self._ahead)
            self._missing, self._ahead = self._missing - back, self._ahead - back

    def age(self, now: float) -> float | None:
        """Seconds of silence, without suspensions of the recorder; None before the first data."""
        return None if self.liveness is None else self.liveness.age(now)

    def is_silent(self, now: float) -> bool:
        """Whether a regular stream has been silent for longer than is normal for it."""
        return self.is_regular and self.liveness is not None and self.liveness.is_silent(now)

    def excuse(self, seconds: float) -> None:
        """Exclude ``seconds`` from the silence, in which the recorder itself did not read."""
        if self.liveness is not None:
            self.liveness = self.liveness.excuse(seconds)


def difference(old: Description, new: Description) -> str:
    """First difference between two descriptions, as text: why ``new`` cannot continue ``old``."""
    if new.count != old.count:
        return f"{new.count} instead of {old.count} channels"
    if new.rate != old.rate:
        return f"{new.rate:g} instead of {old.rate:g} Hz"
    if new.format != old.format:
        return f"{new.format} instead of {old.format} values"
    if sorted(new.channels) == sorted(old.channels) and new.channels != old.channels:
        return "its channels in another order"
    if new.channels != old.channels:
        return "other channel labels"
    if new.units != old.units:
        return f"{new.units[0] or 'no unit'} instead of {old.units[0] or 'no unit'}"
    return "another description"
