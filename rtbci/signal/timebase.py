"""Sample clock of a recording: from time stamps to absolute sample indices, gaps told from jitter.

Stamps of real recordings jitter, come in bursts and step back; none of that loses a sample. After a
loss, however, stamps STAY ahead of the number of rows. So every row gets a residual (its stamp
minus the time that the rows before it account for at the effective rate), and a jump is a gap if
the residuals of the two seconds after it are above those of the two seconds before it: the 10 %
quantile after it above the 90 % quantile before it. A late burst that catches up does not pass,
because the shift must last at least twice as long as the jump is wide. Stamps that stay late, or
jump further than FARTHEST_S, mean that a clock was set: the number of missing samples is then
unknown.
"""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtbci.errors import BadInput
from rtbci.types import Array, Gap

SIDE_S = 2.0  # seconds compared on either side of a jump
FLOOR_S = 0.010  # a smaller shift may be an adjusted clock; a shift is at least 1 sample, too
EDGE_S = (
    0.1  # less than half a second from an end, where little can be compared, a jump must be wider
)
BEHIND_S = 0.2  # stamps late by more mean a clock set back; by less, a late start of a side
FARTHEST_S = 600.0  # a jump further ahead is a clock that was set, not a loss
FARTHEST_SAMPLES = 2.0**53  # from the recording; a stamp further away counts as that far
KNOT_S = 2.0  # spacing of the smoothed time base that markers are placed on
PASSES = 5  # a large shift can hide a small one close to it; the next pass finds it
CLOCK_RESET = "clock reset"


@dataclass(frozen=True)
class TimeBase:
    """Rate, gaps, indices and smoothed stamps of a recording's rows."""

    rate: float  # effective rate, Hz
    gaps: tuple[Gap, ...]
    back_steps: int  # stamps that are not later than the one before
    t0: float  # smoothed stamp of sample index 0, s
    indices: NDArray[np.int64]  # (rows,) absolute sample index of each row
    times: Array  # (rows,) smoothed stamp of each row, s, in the recording's own clock

    def index_at(self, stamps: Array) -> NDArray[np.int64]:
        """Sample index nearest to each of ``stamps`` (seconds, same clock); may lie in a gap or
        outside the recording (negative, or beyond the last index)."""
        found = np.empty(len(stamps), np.int64)
        for place, stamp in enumerate(stamps):
            found[place] = self._nearest(float(stamp))
        return found

    def _nearest(self, stamp: float) -> int:
        # Where a clock was set back two rows can carry one time: the piece that holds it wins.
        best, distance = 0, np.inf
        for first, last in self._pieces:
            times = self.times[first:last]
            row = int(np.searchsorted(times, stamp))
            near = min(row, len(times) - 1)
            if 0 < row < len(times) and stamp - times[row - 1] <= times[row] - stamp:
                near -= 1
            off = stamp - times[near]
            if abs(off) < distance:
                outside = near in (0, len(times) - 1)
                distance = abs(off)
                samples = min(max(off * self.rate, -FARTHEST_SAMPLES), FARTHEST_SAMPLES)
                best = int(self.indices[first + near]) + (round(samples) if outside else 0)
        return best

    @property
    def _pieces(self) -> list[tuple[int, int]]:
        """Rows of each piece without a gap."""
        rows = [0] + [int(np.searchsorted(self.indices, gap.index)) for gap in self.gaps]
        rows = sorted({*rows, len(self.indices)})
        return [(a, b) for a, b in itertools.pairwise(rows) if b > a]


def from_stamps(stamps: Array, nominal: float | None = None) -> TimeBase:
    """The time base of rows stamped ``stamps`` (rows,), seconds; ``nominal`` Hz helps the search.

    Raises ``BadInput`` where the stamps are not numbers or do not advance.
    """
    stamps = np.asarray(stamps, np.float64)
    if len(stamps) < 2 or not np.isfinite(stamps).all() or np.abs(stamps).max() > 1e15:
        raise BadInput("the time stamps are not finite numbers; count rows with --rate HZ instead")
    period, lost, scatter = _search(stamps, _period(stamps, nominal))
    if nominal is not None and abs(period * nominal - 1) > 0.003:
        # Losses every second or two look like a slower clock; the nominal rate then explains more.
        other = _search(stamps, 1 / nominal, trusted=True)
        if other[2] < 0.5 * scatter:
            period, lost, scatter = other
    gaps, indices = _number(len(stamps), lost)
    times = _smooth(stamps, indices, gaps, period)
    return TimeBase(
        rate=1 / period,
        gaps=gaps,
        back_steps=int((np.diff(stamps) <= 0).sum()),
        t0=float(times[0]),
        indices=indices,
        times=times,
    )


def _search(
    stamps: Array, period: float, trusted: bool = False
) -> tuple[float, dict[int, int], float]:
    """Seconds a row, ``{first row after: samples lost, 0 for a reset}``, scatter of the residuals.

    Starts from ``period`` and repeats: find shifts, take them out, fit the slope again. A
    ``trusted`` period is fitted at the end only, through all rows: pieces may be short.
    """
    rows: list[int] = []
    lost: dict[int, int] = {}
    drift = stamps - stamps[0]
    for turn in range(PASSES):
        new = _shifts(drift - np.arange(len(drift)) * period, period)
        if not new and turn:
            break
        rows = sorted({*rows, *new})
        for _ in range(2):  # sizes depend on the slope a little, and the slope on the sizes
            lost, drift = _take_out(stamps, rows, period)
            period = period if trusted else _fit(drift, rows, period)
        lost, drift = _take_out(stamps, rows, period)
    if trusted:
        period = _fit(drift, [row for row in rows if not lost.get(row)], period)
    left = drift - np.arange(len(drift)) * period
    return period, lost, float(np.median(np.abs(left - np.median(left))))


def _take_out(stamps: Array, rows: list[int], period: float) -> tuple[dict[int, int], Array]:
    """How many samples are lost at each of ``rows``, and stamps (rows,) without these shifts."""
    side = max(round(SIDE_S / period), 16)
    drift = stamps - stamps[0]
    residual = drift - np.arange(len(drift)) * period
    edges = [0, *rows, len(drift)]
    lost: dict[int, int] = {}
    for before, row, after in zip(edges, edges[1:], edges[2:], strict=False):
        behind = np.median(residual[row : min(after, row + side)])
        shift = float(behind - np.median(residual[max(before, row - side) : row]))
        n = max(round(shift / period), 0) if shift <= FARTHEST_S else 0
        if n or shift < -BEHIND_S or shift > FARTHEST_S:
            lost[row] = n
        drift[row:] -= n * period if n else shift
    return lost, drift


def _period(stamps: Array, nominal: float | None) -> float:
    """Seconds from row to row: the median slope over ten seconds, blind to gaps and to jitter."""
    step = (
        (np.median(np.diff(stamps)) or np.mean(np.diff(stamps))) if nominal is None else 1 / nominal
    )
    if not step > 0:
        raise BadInput("the time stamps do not advance; count rows with --rate HZ instead")
    block = int(min(max(0.5 / step, 1), max(len(stamps) // 8, 1)))
    n = len(stamps) // block
    middles = np.median(stamps[: n * block].reshape(n, block), axis=1)
    span = min(20, max(n // 6, 1))
    period = float(np.median(middles[span:] - middles[:-span])) / (span * block)
    if not period > 0:
        raise BadInput("the time stamps do not advance; count rows with --rate HZ instead")
    return period


def _shifts(residual: Array, period: float) -> list[int]:
    """Every row from which the residuals (rows,) stay shifted."""
    side = max(round(SIDE_S / period), 16)
    floor = max(FLOOR_S, 0.75 * period)
    jumps = np.flatnonzero(np.abs(np.diff(residual)) > 0.5 * floor) + 1
    edge = np.minimum(jumps, len(residual) - jumps)
    sure = np.abs(residual[jumps] - residual[jumps - 1]) > EDGE_S
    kept = jumps[(edge >= side // 4) | (sure & (edge >= 3))]
    rows = np.array(list(_separated(residual, kept, side, floor)), int)
    found: list[int] = []
    for group in np.split(rows, np.flatnonzero(np.diff(rows) > side // 4) + 1):
        if len(group):
            row = _sharpest(residual, int(group[0]), int(group[-1]), side)
            if _stays(residual, row, side, period):
                found.append(row)
    return found


def _separated(residual: Array, rows: NDArray[np.int64], side: int, floor: float) -> list[int]:
    """Those of ``rows`` whose two sides hardly overlap."""
    passed: list[int] = []
    for row in rows:
        before = residual[max(row - side, 0) : row]
        behind = residual[row : row + side]
        shift = behind[len(behind) // 2] - before[len(before) // 2]  # cheap: most rows end here
        if abs(shift) < 0.3 * floor:
            continue
        low, high = _quantiles(before), _quantiles(behind)
        if (high[1] - low[1] > floor and high[0] > low[2]) or (
            low[1] - high[1] > floor and high[2] < low[0]
        ):
            passed.append(int(row))
    return passed


def _quantiles(x: Array) -> tuple[float, float, float]:
    """10 %, 50 % and 90 % of ``x``."""
    a, b, c = len(x) // 10, len(x) // 2, len(x) - 1 - len(x) // 10
    part = np.partition(x, (a, b, c))
    return float(part[a]), float(part[b]), float(part[c])


def _sharpest(residual: Array, first: int, last: int, side: int) -> int:
    """The row at which one step explains the residuals around ``first``..``last`` best."""
    start, stop = max(first - side, 0), min(last + side, len(residual))
    x = residual[start:stop]
    before, behind = np.median(residual[start:first]), np.median(residual[last:stop])
    left = np.concatenate([[0.0], np.cumsum(np.abs(x - before))])
    right = np.concatenate([[0.0], np.cumsum(np.abs(x - behind))])
    cost = left + (right[-1] - right)
    return start + int(np.argmin(cost[first - start : last - start + 1])) + first - start


def _stays(residual: Array, row: int, side: int, period: float) -> bool:
    """Whether the residuals stay shifted from ``row`` on for twice as long as the jump is wide."""
    before = residual[max(row - side, 0) : row]
    behind = residual[row : row + side]
    was, now = float(np.median(before)), float(np.median(behind))
    away = np.abs(behind - was) if now > was else np.abs(before - now)
    span = max(side, int(min(2 * float(away.max()) / period, len(residual))))
    if now > was:  # late samples that catch up come down to where they were
        return _quantiles(residual[row : row + span])[0] > _quantiles(before)[2]
    longer = residual[max(row - span, 0) : row]  # and the end of their lateness sets no clock
    return _quantiles(longer)[0] > _quantiles(behind)[2] and was - now > BEHIND_S


def _fit(drift: Array, rows: list[int], period: float) -> float:
    """Seconds a row: the weighted median of slopes within pieces, between medians of blocks."""
    block = max(round(0.25 / period), 1)
    slopes, weights = [], []
    edges = [0, *rows, len(drift)]
    for first, last in itertools.pairwise(edges):
        n = (last - first) // block
        if n < 2:
            continue
        middles = np.median(drift[first : first + n * block].reshape(n, block), axis=1)
        span = n // 2
        slopes.append((middles[span:] - middles[:-span]) / (span * block))
        weights.append(np.full(n - span, float(span) ** 2))
    if not slopes:
        return period
    slope, weight = np.concatenate(slopes), np.concatenate(weights)
    order = np.argsort(slope)
    half = np.searchsorted(np.cumsum(weight[order]), 0.5 * weight.sum())
    found = float(slope[order][half])
    return found if found > 0 else period


def _number(n_rows: int, lost: dict[int, int]) -> tuple[tuple[Gap, ...], NDArray[np.int64]]:
    """Gaps and the sample index of each row."""
    indices = np.arange(n_rows, dtype=np.int64)
    gaps: list[Gap] = []
    for row, n in sorted(lost.items()):
        gaps.append(Gap(int(indices[row]), n, "missing samples" if n else CLOCK_RESET))
        indices[row:] += n
    return tuple(gaps), indices


def _smooth(
    stamps: Array, indices: NDArray[np.int64], gaps: tuple[Gap, ...], period: float
) -> Array:
    """Stamps without jitter, (rows,): medians of blocks, joined by lines, piece by piece."""
    block = max(round(KNOT_S / period), 2)
    starts = [int(np.searchsorted(indices, gap.index + gap.missing)) for gap in gaps]
    edges = [0, *starts, len(stamps)]
    times = np.empty_like(stamps)
    for first, last in itertools.pairwise(edges):
        if last == first:
            continue
        line = np.arange(last - first) * period
        off = stamps[first:last] - line
        n = max((last - first) // block, 1)
        pieces = np.array_split(off, n)
        sizes = np.cumsum([0] + [len(piece) for piece in pieces])
        centres = (sizes[:-1] + sizes[1:] - 1) / 2
        knots = np.array([np.median(piece) for piece in pieces])
        smooth = line + np.interp(np.arange(last - first), centres, knots)
        times[first:last] = np.maximum.accumulate(smooth)
    return times
