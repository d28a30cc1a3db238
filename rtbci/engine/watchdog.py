"""Watchdog of the signal: LSL does not report silence, so the age of the data is checked."""

import time
from collections.abc import Callable
from typing import Protocol

from rtbci.messages import SignalReturned
from rtbci.process import Reporter
from rtbci.signal.liveness import FIRST_ROW_S, silence_level

MUTE_S = 5.0  # s in which samples come and none is decoded
OFF_NOMINAL = 0.01  # share by which the measured rate may miss the nominal one


class Watched(Protocol):
    """Signal as the watchdog sees it."""

    refused: str | None

    @property
    def age(self) -> float:
        """Seconds since the last sample."""
        ...

    @property
    def heard(self) -> bool:
        """Whether any sample has come."""
        ...

    @property
    def limit(self) -> float:
        """Longest normal time without a sample after the first one, s."""
        ...

    @property
    def twins(self) -> tuple[str, ...]:
        """Streams that claim to be the missing one."""
        ...

    @property
    def measured_rate(self) -> float | None:
        """Measured sampling rate, Hz; None before it is known."""
        ...

    @property
    def rows(self) -> int:
        """Number of rows read so far; it may start again."""
        ...

    @property
    def given(self) -> int:
        """Number of samples handed to the decoder so far."""
        ...

    @property
    def returns(self) -> int:
        """How often the stream came back from another process."""
        ...


class Watchdog:
    """Watchdog that reports each fault of a signal once, and its end."""

    def __init__(
        self,
        name: str,
        rate: float,
        watched: Watched,
        tell: Reporter,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name, self._rate, self._watched, self._tell = name, rate, watched, tell
        self._clock = clock
        self._given = (0, 0, clock())  # samples handed over; rows, and when, at the last of them
        self._worst = 0.0  # s, of the silence that lasts
        self._returns = 0
        self._checks: tuple[Callable[[], None], ...] = (
            self._age,
            self._back,
            self._doubt,
            self._mute,
        )

    def look(self) -> None:
        """Check everything; called every turn of the loop."""
        for check in self._checks:
            check()

    def _age(self) -> None:
        age, heard = self._watched.age, self._watched.heard
        level = silence_level(age, self._watched.limit if heard else FIRST_ROW_S)
        if level is not None:
            self._worst = max(self._worst, age)
            if level == self._tell.alarms.get("stall", ("", ""))[0]:
                return
            what = "nothing is decoded" if level == "red" else "waiting"
            self._tell.alarm(
                level, "stall", f"no samples from {self._name} for {age:.1f} s; {what} until it "
                f"is {'back' if heard else 'there'} (is the amplifier on, is its program running?)",
            )  # fmt: skip
        elif self._worst:
            self._tell.clear("stall", f"{self._name} is back after {self._worst:.1f} s")
            self._worst = 0.0

    def _back(self) -> None:
        refused, returns = self._watched.refused, self._watched.returns
        if refused:
            self._tell.alarm("red", "refused", f"{self._name} came back changed: {refused}")
        elif returns != self._returns:
            self._returns = returns
            self._tell.clear("refused", f"{self._name} is as it was")
            self._tell.event(SignalReturned(), f"{self._name} came back from a new process")
        if self._watched.twins:
            self._tell.alarm(
                "red", "twins", f"{len(self._watched.twins)} streams claim to be {self._name} "
                f"({', '.join(self._watched.twins)}); stop all but one",
            )  # fmt: skip
        else:
            self._tell.clear("twins", f"one {self._name} is left")

    def _doubt(self) -> None:
        measured = self._watched.measured_rate
        if measured is None:
            return
        off = measured / self._rate - 1
        if abs(off) > OFF_NOMINAL:
            self._tell.alarm(
                "amber", "rate", f"{self._name} says {self._rate:g} Hz and sends "
                f"{measured:.4g} Hz; windows are {100 * abs(off):.0f} % too "
                f"{'short' if off > 0 else 'long'} (check the amplifier's settings)",
            )  # fmt: skip
        elif abs(off) < OFF_NOMINAL / 2:
            self._tell.clear("rate", f"{self._name} sends at its nominal rate again")

    def _mute(self) -> None:
        """Samples that come and are never decoded: a description may place them anywhere."""
        given, rows = self._watched.given, self._watched.rows
        now = self._clock()
        if given != self._given[0] or rows == self._given[1]:
            self._given = given, rows, now
            self._tell.clear("mute", f"samples of {self._name} are decoded")
        elif now - self._given[2] >= MUTE_S:
            self._tell.alarm(
                "red", "mute", f"samples of {self._name} come, and for {MUTE_S:g} s none of them "
                "was decoded: by its description they lie before the start of a recording; "
                "restart its sender",
            )  # fmt: skip
