"""One value for every recording: signal, index map, gaps, markers, information, provenance.

Every reader in ``rtbci.formats`` returns a ``Recording``; replay, calibration and evaluation
consume it without knowing which file it came from.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from rtbci.errors import BadInput
from rtbci.types import Array, Chunk, Gap, Marker, Provenance, Samples, StreamInfo


@dataclass(frozen=True)
class Recording:
    """A whole recording in memory.

    ``signal`` (rows, channels) float32 microvolts holds the samples that exist; ``gaps`` are the
    places at which rows and sample indices part: after a gap of n samples an index is n higher.
    ``epoch_rows`` is set for arrays of epochs, which hold nothing between their trials: rows per
    epoch, each after a gap. ``rtbci.signal.epoch_gaps`` makes one signal of them: ``bridged`` then
    holds the sample index at which each epoch begins; all other samples are not brain signal.
    """

    signal: Samples
    info: StreamInfo
    markers: tuple[Marker, ...]
    provenance: Provenance
    gaps: tuple[Gap, ...] = ()
    effective_rate: float | None = None  # Hz, measured from the stamps; None without stamps
    back_steps: int = 0  # stamps that step back
    t0: float | None = None  # stamp of sample index 0, s on the recording's own clock
    epoch_rows: int | None = None
    stamps: Array | None = None  # (rows,) s as the file has them, on the clock of ``t0``
    lead_in: int = 0  # rows before sample index 0 (of a recorded replay), left out
    runs: tuple[int, ...] = ()  # epochs a run, in order, if an array of epochs holds several
    bridged: tuple[int, ...] | None = None  # (epochs,) sample index at which each begins

    @property
    def segments(self) -> list[tuple[int, int, int]]:
        """``(first row, last row + 1, index of the first row)`` of every piece without a gap."""
        pieces, row, shift = [], 0, 0
        for gap in self.gaps:
            stop = gap.index - shift
            if stop > row:
                pieces.append((row, stop, row + shift))
            row, shift = stop, shift + gap.missing
        if len(self.signal) > row:
            pieces.append((row, len(self.signal), row + shift))
        return pieces

    @property
    def n_samples(self) -> int:
        """Samples from the first to the last, those lost in gaps included."""
        return len(self.signal) + sum(gap.missing for gap in self.gaps)

    @property
    def duration(self) -> float:
        """Seconds from the first to the last sample, gaps included."""
        return self.n_samples / self.info.rate

    @property
    def measured(self) -> Samples:
        """(rows, channels) that somebody measured: all, but for the bridges between epochs."""
        if self.bridged is None or self.epoch_rows is None:
            return self.signal
        index = np.concatenate([np.arange(i, i + b - a) for a, b, i in self.segments])
        starts = np.array(self.bridged)
        place = np.maximum(np.searchsorted(starts, index, side="right") - 1, 0)
        inside = (index >= starts[place]) & (index < starts[place] + self.epoch_rows)
        return self.signal[inside]

    @property
    def epoch_starts(self) -> tuple[int, ...]:
        """Sample index at which each epoch begins; empty for a continuous recording."""
        if self.bridged is not None or self.epoch_rows is None:
            return self.bridged or ()
        return tuple(range(0, self.n_samples, self.epoch_rows))

    @property
    def eeg_channels(self) -> tuple[str, ...]:
        """Names of the EEG electrodes; other types are in the recording but not decoded."""
        named = zip(self.info.channels, self.info.types, strict=True)
        return tuple(name for name, kind in named if kind == "EEG")

    def items(self, chunk: int = 1000) -> Iterator[Chunk | Marker | Gap]:
        """The recording as a live stream would bring it: chunks, gaps, markers by index.

        A marker comes before the chunk that holds its sample.
        """
        markers = iter(sorted(self.markers, key=lambda marker: marker.index))
        marker = next(markers, None)
        gaps = list(self.gaps)
        for first, last, index in self.segments:
            while gaps and gaps[0].index <= index:
                yield gaps.pop(0)
            for row in range(first, last, chunk):
                stop = min(row + chunk, last)
                while marker is not None and marker.index < index + stop - first:
                    yield marker
                    marker = next(markers, None)
                yield Chunk(index + row - first, self.signal[row:stop])
        while marker is not None:
            yield marker
            marker = next(markers, None)
        yield from gaps

    def pick(self, names: tuple[str, ...]) -> "Recording":
        """Only the channels ``names``, in that order; raises ``BadInput`` for one not there."""
        missing = [name for name in names if name not in self.info.channels]
        if missing:
            raise BadInput(
                f"no channel {', '.join(missing)} in {self.provenance.paths[0]}; "
                f"it has {', '.join(self.info.channels)} (rename with --rename FILE)"
            )
        columns = self.info.columns(names)
        info = replace(
            self.info,
            channels=tuple(names),
            types=tuple(self.info.types[column] for column in columns),
        )
        return replace(self, signal=self.signal[:, columns].copy(), info=info)
