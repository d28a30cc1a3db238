"""Stream faults: the keys of each kind and its effect on samples and markers.

``at`` and ``for`` count recording seconds, so that a fault hits the same samples at every speed;
without ``for`` most last to the end. Every other key has a default: ``at`` and ``do`` are enough.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from rtbci.messages import FaultBegan
from rtbci.types import StreamInfo
from sims.schedule import MarkerPush, SamplePush

AWAY_S = 0.5  # how long a stream is gone that comes back changed, where the script does not say
PAUSE_S = 1.0  # the same of what cannot last for ever
FOREVER = float("inf")

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Labels = tuple[str, ...]


class Fault(BaseModel):
    """Base of all faults; ``rows`` and ``events`` are called for every push."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
    do: ClassVar[str]
    kills: ClassVar[bool] = False
    at: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    lasts: Seconds | None = Field(None, alias="for")

    @property
    def until(self) -> float:
        """End of the fault, recording seconds."""
        return self.at + (self.lasts or FOREVER)

    def began(self, index: int) -> FaultBegan:
        """Event that reports the begin of the fault, at sample ``index``."""
        given = self.model_dump(by_alias=True, exclude_unset=True)
        settings = {**given, "for": self.lasts}
        return FaultBegan(self.do, settings.pop("at"), settings, index)

    def first(self, rate: float) -> int:
        """First affected sample."""
        return _ceil(self.at * rate)

    def hit(self, indices: NDArray[np.int64], rate: float) -> NDArray[np.bool_]:
        """Mask of the samples within the fault."""
        times = indices / rate
        return (times >= self.at) & (times < self.until)

    def rows(self, item: SamplePush, info: StreamInfo) -> Iterator[SamplePush]:
        """Pushes sent in place of ``item``: whole, in pieces or none."""
        yield item

    def events(self, found: list[MarkerPush], rate: float) -> list[MarkerPush]:
        """Markers sent in place of the given ones."""
        return found


class Kill(Fault):
    """SIGKILL; back after ``for``, with whatever the other keys say until the next kill."""

    do = "kill"
    kills = True
    lasts: Seconds | None = Field(AWAY_S, alias="for")
    rate: Annotated[float, Field(gt=0, le=50_000)] | None = None  # Hz
    channels: Annotated[int, Field(ge=1)] | None = None  # number of channels that remain
    order: Literal["reverse", "shuffle"] | None = None
    unit: Literal["volts", "unknown"] | None = None  # values too, where it is known
    rename: dict[str, str] = Field(default_factory=dict)  # old name to new
    seed: int = 0


class _Lasting(Fault):
    lasts: Seconds | None = Field(PAUSE_S, alias="for")  # TOML knows no null: it ends


class Stall(_Lasting):
    """The amplifier stalls while its outlet stays: samples are lost, markers are not."""

    do = "stall"

    def rows(self, item: SamplePush, info: StreamInfo) -> Iterator[SamplePush]:
        keep = ~self.hit(_indices(item), info.rate)
        edges = np.flatnonzero(np.diff(keep)) + 1
        for piece in np.split(np.arange(len(keep)), edges):
            if keep[piece[0]]:
                stop = piece[-1] + 1
                yield SamplePush(
                    item.index + int(piece[0]), item.x[piece[0] : stop],
                    item.stamps[piece[0] : stop], item.due,
                )  # fmt: skip


class Burst(_Lasting):
    """Nothing is sent for ``for`` seconds, then everything at once; no sample is lost."""

    do = "burst"

    def rows(self, item: SamplePush, info: StreamInfo) -> Iterator[SamplePush]:
        yield replace(item, due=self._held(item.due))

    def events(self, found: list[MarkerPush], rate: float) -> list[MarkerPush]:
        return [replace(event, due=self._held(event.due)) for event in found]

    def _held(self, due: float) -> float:
        return self.until if self.at <= due < self.until else due


class Drop(Fault):
    """Whole pushes are lost, each with ``probability``."""

    do = "drop"
    probability: Annotated[float, Field(gt=0, le=1)] = 1.0
    seed: int = 0

    def rows(self, item: SamplePush, info: StreamInfo) -> Iterator[SamplePush]:
        within = self.at <= item.index / info.rate < self.until
        # by index, not in turn: the same pushes are lost whatever happened before
        lots = np.random.default_rng([self.seed, max(item.index, 0)])
        if not within or lots.random() >= self.probability:
            yield item


class _Values(Fault):
    """Base of faults that change the values of ``channels`` (default all)."""

    channels: Labels | None = None

    def rows(self, item: SamplePush, info: StreamInfo) -> Iterator[SamplePush]:
        hit = self.hit(_indices(item), info.rate)
        if not hit.any():
            yield item
            return
        names = info.channels if self.channels is None else self.channels
        columns = np.array([name in names for name in info.channels])
        place = np.ix_(hit, columns)
        x = item.x.copy()  # the recording itself stays whole
        x[place] = self.changed(x[place], _indices(item)[hit] / info.rate)
        yield replace(item, x=x)

    def changed(self, x: NDArray[np.float32], times: NDArray[np.float64]) -> NDArray[np.floating]:
        """New values for ``x`` (hit, columns) at ``times`` (hit,), recording seconds."""
        raise NotImplementedError


class NaN(_Values):
    """Samples are NaN."""

    do = "nan"

    def changed(self, x: NDArray[np.float32], times: NDArray[np.float64]) -> NDArray[np.floating]:
        return np.full_like(x, np.nan)


class Flat(_Values):
    """Constant signal at ``level`` microvolts."""

    do = "flat"
    level: Number = 0.0

    def changed(self, x: NDArray[np.float32], times: NDArray[np.float64]) -> NDArray[np.floating]:
        return np.full_like(x, self.level)


class Saturate(_Values):
    """Signal clipped at +- ``limit`` microvolts, after ``gain``."""

    do = "saturate"
    limit: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 100.0
    gain: Number = 1.0

    def changed(self, x: NDArray[np.float32], times: NDArray[np.float64]) -> NDArray[np.floating]:
        return np.clip(x * self.gain, -self.limit, self.limit)


class Hum(_Values):
    """Mains hum: an added sine of ``frequency`` Hz and ``amplitude`` microvolts."""

    do = "hum"
    frequency: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 50.0
    amplitude: Number = 100.0

    def changed(self, x: NDArray[np.float32], times: NDArray[np.float64]) -> NDArray[np.floating]:
        return x + (self.amplitude * np.sin(2 * np.pi * self.frequency * times))[:, None]


class ClockStep(Fault):
    """The sender's clock is set: stamps, those of markers too, are ``by`` s off from there on."""

    do = "clock_step"
    by: Number = 1.0

    def rows(self, item: SamplePush, info: StreamInfo) -> Iterator[SamplePush]:
        shift = np.where(self.hit(_indices(item), info.rate), self.by, 0.0)
        yield replace(item, stamps=item.stamps + shift)

    def events(self, found: list[MarkerPush], rate: float) -> list[MarkerPush]:
        later = self.hit(np.array([event.index for event in found], int), rate)
        return [
            replace(event, stamp=event.stamp + self.by) if is_later else event
            for event, is_later in zip(found, later, strict=True)
        ]


class Drift(Fault):
    """The sender's sampling clock is off by ``ppm`` millionths."""

    do = "drift"
    ppm: Annotated[float, Field(gt=-500_000, lt=500_000)] = 100.0

    def rows(self, item: SamplePush, info: StreamInfo) -> Iterator[SamplePush]:
        shift = self._shift(_indices(item) / info.rate)
        yield replace(item, stamps=item.stamps + shift, due=item.due + float(shift[-1]))

    def events(self, found: list[MarkerPush], rate: float) -> list[MarkerPush]:
        shifts = [float(self._shift(np.array([event.index / rate]))[0]) for event in found]
        return [
            replace(event, stamp=event.stamp + shift, due=event.due + shift)
            for event, shift in zip(found, shifts, strict=True)
        ]

    def _shift(self, times: NDArray[np.float64]) -> NDArray[np.float64]:
        return 1e-6 * self.ppm * (np.clip(times, self.at, self.until) - self.at)


class Delay(_Lasting):
    """Samples arrive ``by`` s late while markers are on time; stamps are right."""

    do = "delay"
    by: Seconds = 0.5

    def rows(self, item: SamplePush, info: StreamInfo) -> Iterator[SamplePush]:
        within = self.at <= item.due < self.until
        yield replace(item, due=item.due + self.by) if within else item


class _Markers(Fault):
    """Base of faults that affect every ``every``-th marker."""

    every: Annotated[int, Field(ge=1)] = 1

    def events(self, found: list[MarkerPush], rate: float) -> list[MarkerPush]:
        out: list[MarkerPush] = []
        met = 0
        for event in found:
            within = self.at <= event.index / rate < self.until
            met += within
            out += self.instead(event) if within and met % self.every == 0 else (event,)
        return out

    def instead(self, event: MarkerPush) -> Iterable[MarkerPush]:
        """Markers sent in place of ``event``."""
        raise NotImplementedError


class Duplicate(_Markers):
    """Marker sent twice with the same stamp."""

    do = "duplicate"

    def instead(self, event: MarkerPush) -> Iterable[MarkerPush]:
        return (event, event)


class MissingMarker(_Markers):
    """Marker not sent."""

    do = "missing"

    def instead(self, event: MarkerPush) -> Iterable[MarkerPush]:
        return ()


class Late(_Markers):
    """Marker sent ``by`` s late, with the right stamp."""

    do = "late"
    by: Seconds = 0.5

    def instead(self, event: MarkerPush) -> Iterable[MarkerPush]:
        return (replace(event, due=event.due + self.by),)


class Early(_Markers):
    """Marker sent ``by`` s early, with the right stamp."""

    do = "early"
    by: Seconds = 0.5

    def instead(self, event: MarkerPush) -> Iterable[MarkerPush]:
        return (replace(event, due=max(event.due - self.by, 0.0)),)


KINDS: dict[str, type[Fault]] = {
    kind.do: kind
    for kind in (
        Kill, Stall, Burst, Drop, NaN, Flat, Saturate, Hum, ClockStep, Drift, Delay, Duplicate,
        MissingMarker, Late, Early,
    )
}  # fmt: skip


def _indices(item: SamplePush) -> NDArray[np.int64]:
    return np.arange(item.index, item.index + len(item.x))


def _ceil(x: float) -> int:
    """``math.ceil`` with a tolerance for rounding errors."""
    return int(np.ceil(x - 1e-6))
