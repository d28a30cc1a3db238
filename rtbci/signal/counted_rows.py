"""Sample clock of a live stream that counts rows: a causal fit separates losses from jitter.

The live form of ``rtbci.signal.timebase``. A row gets the index after that of the row before it,
unless its stamp is ahead of the fit by more than the stream's own jitter. Then rows are held until
the cause is clear: enough of them return to the fit (a late burst that caught up: they are
let go as they were counted), the stamps run on at their usual pace (a loss: a ``Gap``), or they
sink towards where they were (a long stall that is catching up: let go, and not learnt from).
Nothing but stamps and row numbers decides, so neither arrival times nor the cut into pushes matter.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rtbci.signal.sample_index import SampleIndex, StampLine
from rtbci.signal.timebase import BEHIND_S, EDGE_S, FARTHEST_S, FLOOR_S
from rtbci.types import Array

SIDE_S = 2.0  # seconds of rows that level and jitter are taken from
BLOCK_S = 0.25  # the fit is renewed at fixed row numbers, this many seconds of rows apart
SLOPE_BLOCKS = 240  # blocks (a minute) that the effective rate is taken from
HOLD_S = 0.5  # time for which rows are held to separate a loss from lateness: several packets
BACK = 0.05  # share of held rows that must not lie where they would without a loss
SPAN_BLOCKS = 40  # each slope is taken over ten seconds: a small step of the clock spoils few
RATE_OFF = 0.05  # no nominal rate is further off
RATE_PRIOR = 0.004  # usual error of a nominal rate; early jitter must not outweigh it
FAR = 1e15  # stamps beyond this, s, are invalid
START_S = 0.5  # s of rows; until then only jumps beyond EDGE_S count


class CountedRows:
    """``LiveTimeBase`` for stamps of unknown quality."""

    def __init__(self, rate: float, ledger: SampleIndex):
        self._rate = rate
        self._ledger = ledger
        self._floor = max(FLOOR_S, 0.75 / rate)
        self._block = max(round(BLOCK_S * rate), 4)
        self._held = np.empty(0)  # stamps of the rows that are not given out yet
        self._begin()

    def _begin(self) -> None:
        """Know nothing but the nominal rate; the next row that has a stamp starts a line."""
        self._ledger.line = None
        self._given = 0  # rows
        self._room = 1  # rows until the next fit
        self._new: list[tuple[Array, Array]] = []  # indices and stamps since the last fit
        self._recent = (np.empty(0), np.empty(0))  # indices and stamps of the last SIDE_S
        self._blocks = (np.empty(0), np.empty(0))  # index and stamp amid each block
        self._least = self._floor  # smaller shifts are jitter, s
        self._low = self._high = 0.0  # 10 % and 90 % of recent residuals, s
        self._up, self._down = EDGE_S, BEHIND_S  # residuals beyond are suspicious, s
        self._period = 1 / self._rate
        self._pace: Array = np.arange(float(self._block)) * self._period

    @property
    def effective_rate(self) -> float | None:
        """See ``LiveTimeBase``."""
        return 1 / self._period if self._given >= 5 * self._rate else None

    def push(self, stamps: Array) -> None:
        """See ``LiveTimeBase.push``."""
        if len(self._held):
            self._work(np.concatenate([self._held, stamps]), suspicious=True)
        else:
            self._work(stamps)

    def flush(self) -> None:
        """See ``LiveTimeBase.flush``."""
        self._work(self._held, suspicious=True, final=True)

    def _work(self, stamps: Array, suspicious: bool = False, final: bool = False) -> None:
        while len(stamps):
            if self._ledger.line is None and not self._start(stamps):
                self._give(len(stamps))
                break
            if suspicious:
                done = self._judge(stamps, final)
                if done is None:
                    self._held = stamps.copy()
                    return
                suspicious = False
            else:
                done, suspicious = self._take(stamps)
            stamps = stamps[done:]
        self._held = np.empty(0)

    def _start(self, stamps: Array) -> bool:
        """Begin the line at the first row that has a stamp; False where none has one."""
        stamped = np.flatnonzero(np.abs(stamps) < FAR)
        if len(stamped):
            head = self._ledger.head or 0
            at = float(stamps[stamped[0]])
            self._ledger.head = head
            self._ledger.line = StampLine(head, head + int(stamped[0]), at, self._period)
        return len(stamped) > 0

    def _residual(self, stamps: Array, pace: Array) -> Array:
        """Residuals of the next rows: stamp minus the fit, s."""
        line, head = self._ledger.line, self._ledger.head
        assert line is not None
        assert head is not None
        residual = stamps - pace
        residual -= line.stamp(head)
        return residual

    def _take(self, stamps: Array) -> tuple[int, bool]:
        """Give out rows up to the next fit or suspicion; (how many, whether one is suspicious)."""
        chunk = stamps[: self._room]
        n = len(chunk)
        residual = self._residual(chunk, self._pace[:n])
        if residual.max() <= self._up and residual.min() >= -self._down:
            self._learn(chunk)
            self._give(n)
            return n, False
        stamped = np.abs(chunk) < FAR
        bad = np.flatnonzero(stamped & ((residual > self._up) | (residual < -self._down)))
        n = int(bad[0]) if len(bad) else n
        self._learn(chunk[:n], stamped[:n])
        self._give(n)
        return n, len(bad) > 0

    def _give(self, n: int) -> None:
        """The next ``n`` rows get their indices; at fixed row numbers the fit is renewed."""
        while n:
            part = min(n, self._room)
            n -= part
            self._ledger.give(part)
            self._given += part
            self._room -= part
            if not self._room:
                self._fit()
                self._room = min(self._given, self._block)

    def _learn(self, stamps: Array, usable: NDArray[np.bool_] | slice = slice(None)) -> None:
        """Keep those of the next rows' ``stamps`` that the fit may use."""
        head = self._ledger.head or 0
        indices = np.arange(head, head + len(stamps), dtype=np.float64)
        self._new.append((indices[usable], stamps[usable].copy()))

    def _judge(self, stamps: Array, final: bool) -> int | None:
        """How many rows with ``stamps``, of which the first is suspicious, were given out; the
        others are to be judged again. None: more rows are needed.
        """
        stamps = stamps[: max(round(HOLD_S * self._rate), 4)]
        stamped = np.abs(stamps) < FAR
        residual = self._residual(stamps, np.arange(float(len(stamps))) * self._period)
        wide = float(residual[0])
        clock = wide < 0 or wide > FARTHEST_S
        hold = max(round((BLOCK_S if clock else HOLD_S) * self._rate), 4)
        back = residual <= self._high + self._floor / 2 if wide > 0 else residual >= -self._down
        enough = np.flatnonzero(np.cumsum(stamped[:hold] & back[:hold]) > BACK * hold)
        usable = stamped & (np.abs(residual) <= BEHIND_S)
        if len(enough):
            n = int(enough[0]) + 1
        elif len(stamps) < hold and not final:
            return None
        elif wide < 0 and self._given < SIDE_S * self._rate:
            self._begin()  # the first rows were late
            return 0
        else:
            n = min(len(stamps), hold)
            residual = residual[:n][stamped[:n]]
            third = -(-len(residual) // 3)
            pace = _median(residual[-third:]) - _median(residual[:third])
            sure = 2 * len(residual) >= max(n, 6) and (abs(wide) > EDGE_S or 4 * n >= hold)
            if (abs(pace) if wide < 0 else -pace) > self._floor + self._high - self._low:
                usable[:] = False  # catching up, or a sender that repeats one stamp
            elif sure and self._shifted(residual, clock):
                n, usable = 1, np.zeros(1, bool)  # at least one row, or this would never end
        self._learn(stamps[:n], usable[:n])
        self._give(n)
        return n

    def _shifted(self, residual: Array, clock: bool) -> bool:
        """Put a gap before held rows whose residuals stay shifted; False where they do not."""
        line, head = self._ledger.line, self._ledger.head
        assert line is not None
        assert head is not None
        if clock:
            shift = _median(residual)
            for _, stamps in (*self._new, self._recent, self._blocks):
                stamps += shift
            self._ledger.restart(replace(line, first=head, at=line.at + shift))
            return True
        shift = _middle(residual[: self._plateau(residual)])
        n = round(shift / self._period)
        if np.quantile(residual, BACK) <= self._high or shift <= self._least or n < 1:
            return False
        self._ledger.gap(n)
        return True

    def _plateau(self, residual: Array) -> int:
        """How many of the held rows lie before a further loss among them."""
        far = max(self._floor, self._high - self._low)
        for row in np.flatnonzero(np.diff(residual) > 0.5 * self._floor) + 1:
            before, behind = residual[:row], residual[row:]
            if np.quantile(behind, 0.1) - np.quantile(before, 0.9) > far:
                return int(row)
        return len(residual)

    def _fit(self) -> None:
        """Renew level, pace and tolerances with the rows given out since the last time."""
        line, head = self._ledger.line, self._ledger.head
        if line is None or head is None or not self._new:
            return
        new = [np.concatenate(part) for part in zip(*self._new, strict=True)]
        self._new = []
        keep = max(round(SIDE_S * self._rate), 16)
        self._recent = tuple(
            np.concatenate(both)[-keep:] for both in zip(self._recent, new, strict=True)
        )
        if len(new[0]) >= self._block // 2:
            amid = new[0][len(new[0]) // 2]
            point = (amid, _median(new[1] - (new[0] - amid) * self._period))
            self._blocks = tuple(
                np.append(old, value)[-SLOPE_BLOCKS:]
                for old, value in zip(self._blocks, point, strict=True)
            )
        indices, stamps = self._recent
        if not len(indices):
            return
        trust = self._slope()
        off = stamps - (indices - head) * self._period
        level = _middle(off)
        n = min(self._block, len(off))
        off = off[len(off) % n :].reshape(-1, n)  # jitter is that of most blocks, not of the one
        places = (n // 10, n // 2, n - 1 - n // 10)  # that holds a loss
        low, amid, high = np.partition(off, places, axis=1)[:, places].T
        self._low, self._high = _median(low - amid), _median(high - amid)
        wander = _median(np.abs(np.diff(amid))) if len(amid) > 2 else 0.0
        self._least = self._floor + 2 * wander
        self._ledger.line = StampLine(line.first, head, level, self._period)
        self._pace = np.arange(float(self._block)) * self._period
        if self._given >= START_S * self._rate:
            lag = float(head - indices[len(indices) // 2]) * self._period
            self._up = self._least + 2 * self._high + 3 * RATE_PRIOR * (1 - trust) * lag
            self._down = BEHIND_S + self._least - self._floor - self._low

    def _slope(self) -> float:
        """Set the seconds a row from medians of blocks; how far these are trusted, 0 to 1."""
        indices, stamps = self._blocks
        span = min(len(indices) // 2, SPAN_BLOCKS)
        if not span:
            return 0.0
        slope = _median((stamps[span:] - stamps[:-span]) / (indices[span:] - indices[:-span]))
        ratio = min(max(slope * self._rate, 1 - RATE_OFF), 1 + RATE_OFF)
        doubt = (self._high - self._low + 1e-4) / float(indices[-1] - indices[0]) * self._rate
        trust = 1 / (1 + (doubt / RATE_PRIOR) ** 2)
        self._period = (1 + trust * (ratio - 1)) / self._rate
        return trust


def _middle(x: Array) -> float:
    """Mean of ``x`` without its lowest and highest tenth."""
    edge = len(x) // 10
    part = np.partition(x, (edge, len(x) - 1 - edge)) if edge else x
    return float(part[edge : len(x) - edge].mean())


def _median(x: Array) -> float:
    """Middle of ``x``, the upper of two; a quarter of the time that numpy takes for few."""
    half = len(x) // 2
    return float(np.partition(x, half)[half])
