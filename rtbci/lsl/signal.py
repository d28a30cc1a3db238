"""Signal stream as chunks with absolute sample indices, across jitter, loss and return.

    signal = SignalStream(found, accept)
    for item in signal.pull(0.1): pipeline.push(item)

When a stream returns, its description is checked first: its channels are matched by name, or it is
refused with a reason.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from rtbci.errors import RtbciError
from rtbci.lsl.description import Description
from rtbci.lsl.follow import StreamFollower
from rtbci.lsl.inlet import clock
from rtbci.lsl.resolve import DiscoveredStream
from rtbci.signal.live_timebase import LiveTimeBase
from rtbci.signal.sample_index import IndexedRows
from rtbci.types import Array, Chunk, Gap, Samples, StreamInfo

# Arrivals after which the size of the sender's chunks is known.
LEARNED = 12
# While the size is being estimated, rows within this time belong to one chunk, s.
PIECE_S = 0.005
# Number of waiting chunks from which all are read at once.
BEHIND = 8
RESET = "reset in the recording"

# The stream as the pipeline needs it, and the factor to microvolts.
Layout = tuple[StreamInfo, float]


@dataclass
class Counts:
    """Totals of one signal stream so far."""

    samples: int = 0  # from sample index 0 on
    missing: int = 0  # in gaps, by the stamps
    gaps: int = 0
    returns: int = 0  # times that another process took over


class SignalStream:
    """One signal stream. One thread.

    ``accept(description)`` returns its layout, or raises ``RtbciError`` with the reason why it
    cannot be used; it is called at the start and after every return. ``ended`` is True after the
    pull that returned the last rows of a recording, if the sender has started another one. Sample
    indices then start again.
    """

    def __init__(
        self, found: DiscoveredStream, accept: Callable[[Description], Layout], buffer_s: int = 360
    ) -> None:
        self._accept = accept
        self.follower = StreamFollower(found, buffer_s)
        self.about = self.follower.about
        self.info, self._factor = accept(self.about)  # the layout of all chunks
        self.counts = Counts()
        self.refused: str | None = None  # why a stream that returned is not read
        self.ended = False
        self.arrived = 0.0  # clock() at which the newest rows arrived
        self.late = 0.0  # delay of a replay to its schedule, s, as its player reports
        self.offset = 0.0  # s, from the stream's clock to ours
        self._columns: list[int] | None = None  # set if the order of channels differs
        self._begin()

    def _begin(self) -> None:
        self.t0, self.speed = self.about.t0, self.about.speed
        if self.about.fields.get("stamps", "regular") != "regular":
            self._stamps0 = None
        else:
            self._stamps0 = self.t0
        self.rate = self.about.sample_rate
        self.base = LiveTimeBase(self.rate, self._stamps0)
        self._shift: int | None = 0 if self.t0 is None or self._stamps0 is not None else None
        self._resets = deque(self.about.resets)
        self._held: deque[tuple[int, Samples]] = deque()  # first row, rows
        self._row = 0  # rows read so far
        self._sizes: list[int] = []
        self.chunk: int | None = None  # rows in a chunk of the sender, when known
        self.newest = float("nan")  # raw stamp of the newest row

    def pull(self, timeout: float) -> list[Chunk | Gap]:
        """Chunks and gaps that arrived within ``timeout`` s, in index order.

        Rows before sample index 0 are left out. The samples are valid until the next pull.
        """
        if self.ended:
            self.ended = False
            self._begin()
        values, stamps = self.follower.pull(timeout, self.chunk or 1)
        self.arrived = self.follower.arrived if len(stamps) else clock()
        if self.follower.newcomer is not None:
            return self._came_back()
        if not len(stamps):
            return self._items(self.base.flush()) if self.follower.watch else []
        if self.chunk is None:
            values, stamps = self._learn(values, stamps)
        else:
            late = self.arrived - self.due(float(stamps[-1]))
            if late * self.speed * self.rate > BEHIND * self.chunk:
                values, stamps = self._backlog(values, stamps)
        self.newest = float(stamps[-1])
        if self._shift is None:  # stamps of the file, whose lead-in comes first
            assert self.t0 is not None
            self._shift = round((float(stamps[0]) - self.t0) * self.rate)
        x, row = self._microvolts(values), self._row
        self._row += len(stamps)
        pieces = self.base.push(stamps)
        if not self._held and len(pieces) == 1:
            only = pieces[0]  # the usual case: all rows that arrived, in one piece
            if isinstance(only, IndexedRows) and (only.first, only.stop) == (row, self._row):
                return list(self._pieces(only.index + (self._shift or 0), x))
        self._held.append((row, x.copy()))  # the next pull overwrites x
        return self._items(pieces)

    @property
    def age(self) -> float:
        """Seconds since the last sample."""
        return self.follower.age

    @property
    def heard(self) -> bool:
        """Whether a sample ever arrived."""
        return self.follower.heard

    @property
    def limit(self) -> float:
        """Longest normal time between samples, s, after the first has arrived."""
        return self.follower.limit

    @property
    def twins(self) -> tuple[str, ...]:
        """Streams with the identity of this one while it is missing, as host and uid."""
        return tuple(f"{each.about.host} {each.about.uid}" for each in self.follower.twins)

    @property
    def measured_rate(self) -> float | None:
        """Rate of the rows by their stamps, Hz; None while unknown."""
        return self.base.effective_rate

    @property
    def rows(self) -> int:
        """Number of rows read since the sender's start."""
        return self._row

    @property
    def given(self) -> int:
        """Number of samples given out."""
        return self.counts.samples

    @property
    def returns(self) -> int:
        """Number of times that another process took over."""
        return self.counts.returns

    @property
    def head(self) -> int:
        """Sample index after the newest row."""
        return (self.base.head or 0) + (self._shift or 0)

    def index_at(self, stamp: float) -> int | None:
        """Sample index nearest to a stamp of the stream's clock; None before the first row."""
        index = self.base.index_at(stamp)
        return None if index is None or self._shift is None else index + self._shift

    def stamp_at(self, index: int) -> float:
        """Stamp of a sample index, in the stream's clock."""
        return self.base.stamp_at(index - (self._shift or 0))

    def due(self, stamp: float) -> float:
        """Time at which a row with ``stamp`` was due, on our clock."""
        if self.t0 is None:
            return stamp + self.offset
        return self.t0 + (stamp - self.t0) / self.speed + self.late + self.offset

    def _learn(self, values: np.ndarray, stamps: Array) -> tuple[np.ndarray, Array]:
        """Rows extended by the rest of their chunk, whose size is used to estimate ``chunk``."""
        parts, times = [values.copy()], [stamps.copy()]
        until = clock() + PIECE_S / max(self.speed, 1.0)
        while True:
            values, stamps = self.follower.pull(0.0)
            if len(stamps):
                parts.append(values.copy())
                times.append(stamps.copy())
            if not len(stamps) and clock() >= until:
                break
        self.arrived = clock()
        self._sizes.append(sum(map(len, times)))
        if len(self._sizes) >= LEARNED:
            self.chunk = max(1, int(np.median(self._sizes)))
        return np.concatenate(parts), np.concatenate(times)

    def _backlog(self, values: np.ndarray, stamps: Array) -> tuple[np.ndarray, Array]:
        """Rows extended by all that are waiting, if at least ``BEHIND`` chunks are waiting."""
        assert self.chunk is not None
        if self.follower.inlet.waiting < BEHIND * self.chunk:
            return values, stamps
        first, first_stamps = values.copy(), stamps.copy()
        more, more_stamps = self.follower.pull(0.0)
        self.arrived = clock()
        return np.concatenate([first, more]), np.concatenate([first_stamps, more_stamps])

    def _microvolts(self, values: np.ndarray) -> Samples:
        if self._columns is not None:
            values = values[:, self._columns]
        x = values.astype(np.float32, copy=False)
        return x if self._factor == 1.0 else x * np.float32(self._factor)

    def _items(self, pieces: list) -> list[Chunk | Gap]:
        out: list[Chunk | Gap] = []
        for piece in pieces:
            index = piece.index + (self._shift or 0)
            if isinstance(piece, Gap):
                self.counts.gaps += 1
                self.counts.missing += piece.missing
                out.append(replace(piece, index=index))
                continue
            for at, x in self._rows(index, piece.first, piece.stop):
                out += self._pieces(at, x)
        return out

    def _rows(self, index: int, first: int, stop: int) -> Iterator[tuple[int, Samples]]:
        """Held rows ``first`` to ``stop``; these and all earlier ones are removed."""
        while self._held and first < stop:
            row, x = self._held[0]
            if row + len(x) <= first:
                self._held.popleft()
                continue
            part = x[first - row : stop - row]
            yield index, part
            first, index = first + len(part), index + len(part)
            if row + len(x) <= first:
                self._held.popleft()

    def _pieces(self, index: int, x: Samples) -> Iterator[Chunk | Gap]:
        """A chunk without the lead-in, split at resets of the recording."""
        if index < 0:
            x, index = x[-index:], 0
        self.counts.samples += len(x)
        while self._resets and self._resets[0] < index + len(x):
            at = self._resets.popleft()
            if at < index:
                continue
            if at > index:
                yield Chunk(index, x[: at - index])
            yield Gap(at, 0, RESET)
            x, index = x[at - index :], at
        if len(x):
            yield Chunk(index, x)

    def _came_back(self) -> list[Chunk | Gap]:
        """Switch to the newcomer if it is accepted; returns the last items of the old sender."""
        newcomer = self.follower.newcomer
        assert newcomer is not None
        about = newcomer.about
        try:
            info, factor = self._accept(about)
            columns = self._resolve(info)
        except RtbciError as error:
            self.refused = str(error)
            self.follower.refuse()
            return []
        items = self._items(self.base.flush())
        self.follower.accept()
        self.counts.returns += 1
        self.refused = None
        anew = (about.fields.get("t0"), about.fields.get("recording")) != (
            self.about.fields.get("t0"), self.about.fields.get("recording"),
        )  # fmt: skip
        self.about, self._factor, self._columns = about, factor, columns
        self.chunk, self._sizes = None, []
        self.ended = anew
        return items

    def _resolve(self, info: StreamInfo) -> list[int] | None:
        """Columns of the newcomer in our order; a channel that is not decoded may be missing."""
        if info.channels == self.info.channels:
            return None
        where = {name: column for column, name in enumerate(info.channels)}
        return [where.get(name, 0) for name in self.info.channels]
