"""Everything without labels between microvolts and a decoder's window, as one frozen value.

The same recipe cuts the windows of calibration, replay and live decoding; it is stored in the
subject bundle, filters included, so that nothing is designed again on the live path.
"""

from dataclasses import dataclass
from functools import cached_property

from rtbci.errors import BadInput
from rtbci.signal.preprocess import Filter, design, settling

EVOKED_BANDS = ((0.1, 20.0), (0.3, 20.0))  # Hz; streams A and B of the measured mix
EVOKED_WINDOW = (0.1, 0.8)  # s after the onset
CHECK_BAND = (1.0, 30.0)  # Hz; for the amplitude limit and the latency gate only
LONGEST_LAG = 0.148  # s, how far the latency gate looks to either side
DECODER_RATE = 250.0  # Hz; faster streams are decimated towards it, from the onset on


@dataclass(frozen=True)
class Recipe:
    """Channels, filters, window. Times are seconds after the onset, amplitudes microvolts."""

    rate: float  # nominal rate of the stream, Hz
    channels: tuple[str, ...]  # electrodes by name, in the decoder's order
    reference: str | tuple[str, ...] | None  # None as recorded, "average", or electrodes
    line: float | None  # mains notch, Hz
    bands: tuple[tuple[float, float], ...]  # one a stream, Hz
    filters: tuple[Filter, ...]  # one a stream
    streams: int  # number of streams that go to the decoder, from the first on
    check: int  # the stream to which the amplitude limit and the latency template apply
    window: tuple[float, float]  # s after the onset: the decoder's
    look: tuple[float, float]  # s after the onset: of the amplitude limit and the latency gate
    lag: float  # furthest shift of the latency gate to either side, s; 0 without a gate
    decimation: int
    reject: float | None  # peak to peak; drops trials in training, flags them live
    settle: float  # s after a reset until the chain is settled

    def samples(self, seconds: float) -> int:
        """The nearest whole number of samples."""
        return round(seconds * self.rate)

    @cached_property
    def first(self) -> int:
        """First sample of a cut window, relative to the onset; lags to the left included."""
        return self.samples(min(self.window[0], self.look[0])) - self.samples(self.lag)

    @cached_property
    def last(self) -> int:
        """One after the last sample of a cut window, lags to the right included."""
        return self.samples(max(self.window[1], self.look[1])) + self.samples(self.lag)

    @cached_property
    def unlocked_first(self) -> int:
        """First sample of a sliding window, which is locked to no event: there is no lag.

        It ends with the decoder's window: later samples depend on how chunks are cut.
        """
        return self.samples(min(self.window[0], self.look[0]))

    @property
    def decoder_rate(self) -> float:
        """Rate of the windows that the decoder sees, Hz."""
        return self.rate / self.decimation


def make_recipe(
    rate: float,
    channels: tuple[str, ...],
    *,
    bands: tuple[tuple[float, float], ...],
    window: tuple[float, float],
    gate: bool,
    reject: float | None,
    look: tuple[float, float] | None = None,
    line: float | None = None,
    reference: str | tuple[str, ...] | None = None,
    held: tuple[float, float] | None = None,
) -> Recipe:
    """Design the filters of a recipe; raises ``BadInput`` for what does not fit the rate.

    With ``gate`` a stream of ``CHECK_BAND`` is added after the decoder's; without it the first
    serves the amplitude limit. Both see ``look`` (s after the onset; default: the window, and
    with ``gate`` 0.1 s before it). ``held`` is what epochs hold, s around the marker: nothing
    beyond is looked at, and the gate has no room to shift.
    """
    if not window[0] < window[1]:
        raise BadInput(f"window {window[0]:g} to {window[1]:g} s is empty; give begin and end")
    if gate:
        all_bands = (*bands, (CHECK_BAND[0], min(CHECK_BAND[1], 0.45 * rate)))
    else:
        all_bands = bands
    try:
        filters = tuple(design(low, high, rate, line) for low, high in all_bands)
    except ValueError as error:
        raise BadInput(f"{error}; choose another --band") from error
    look = look or ((window[0] - 0.1, window[1]) if gate else window)
    if held is not None:
        look = (max(look[0], held[0]), min(look[1], held[1]))
    return Recipe(
        rate=rate,
        channels=channels,
        reference=reference,
        line=line,
        bands=all_bands,
        filters=filters,
        streams=len(bands),
        check=len(bands) if gate else 0,
        window=window,
        look=look,
        lag=LONGEST_LAG if gate and held is None else 0.0,
        decimation=max(1, int(rate // max(DECODER_RATE, 2.5 * max(high for _, high in bands)))),
        reject=reject,
        settle=settling(filters, rate),
    )
