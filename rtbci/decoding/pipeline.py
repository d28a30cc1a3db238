"""The one path from microvolts to a decision: live, replay, calibration and evaluation use it.

    Pipeline(bundle, recording.info).push(chunk or marker or gap) -> decisions

It sees sample indices and never a clock, a file or a thread, so that a recording gives the same
decisions at any speed and in any cut.
"""

import math
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from rtbci.decoding import shifts
from rtbci.decoding.bundle import Bundle
from rtbci.decoding.scorer import Scorer, probabilities_of
from rtbci.signal.windows import MARKER_WAIT, Windows
from rtbci.types import Chunk, Decision, Gap, Marker, StreamInfo, Window

MOST_NAMES = 3  # electrodes that a flag names


class Pipeline:
    """Chunks, markers and gaps in, decisions out, in onset order. One thread.

    ``info`` describes the chunks (default: exactly the bundle's channels); another rate or
    unit, or more missing electrodes than can be spared, raise ``BadBundle``. ``every`` adds sliding
    windows, seconds apart. ``dead`` names electrodes known to carry no signal, each with the
    reason: they are estimated from the others where that can be, else windows are rejected.
    """

    def __init__(
        self,
        bundle: Bundle,
        info: StreamInfo | None = None,
        *,
        every: float | None = None,
        wait: float = MARKER_WAIT,
        dead: Mapping[str, str] | None = None,
    ) -> None:
        recipe, spare = bundle.recipe, bundle.spare
        columns = bundle.resolve(info) if info else list(range(len(recipe.channels)))
        dead = {name: why for name, why in (dead or {}).items() if name in recipe.channels}
        most = spare.most if spare else 0
        named_columns = zip(recipe.channels, columns, strict=True)
        without = [-1 if name in dead else column for name, column in named_columns]
        reasons = [f"{name} {why}" for name, why in dead.items()]
        self._dead = f"no reliable signal: {', '.join(reasons)}" if reasons else None
        if reasons and without.count(-1) <= most:
            self._dead, columns = None, without
        self.bundle = bundle
        self.windows = Windows(recipe, columns, frozenset(bundle.labels), wait, every, most)
        self._judge = Scorer(recipe, bundle.decoder, bundle.template, spare, bundle.align)

    def push(self, item: Chunk | Marker | Gap) -> list[Decision]:
        """The decisions that ``item`` completes."""
        self.learn()
        return [self._decide(window) for window in self.windows.push(item)]

    def learn(self) -> None:
        """Adapt to the last decisions; a live loop calls it once they are out."""
        self._judge.learn()

    @property
    def shift_ms(self) -> float:
        """Delay of the responses after their markers, against the calibration, so far."""
        return 1000 * self._judge.lag / self.bundle.recipe.rate

    def finish(self) -> list[Decision]:
        """The stream has ended; one decision for every event that still waits."""
        self.learn()
        return [self._decide(window) for window in self.windows.finish()]

    def run(self, items: Iterable[Chunk | Marker | Gap]) -> list[Decision]:
        """All decisions of a whole stream, e.g. of ``recording.items()``."""
        return [decision for item in items for decision in self.push(item)] + self.finish()

    def _decide(self, window: Window) -> Decision:
        bundle, label = self.bundle, window.marker.label if window.marker else None
        onset = window.index / bundle.recipe.rate
        true = bundle.labels[label] if label is not None else None
        rejected = window.rejected or self._dead
        if rejected or window.x is None:
            return Decision(window.index, onset, true, None, {}, window.flags, rejected)
        found, lag, kept, missing, embedding = self._judge(
            window.x, locked=window.marker is not None, peak=window.peak, missing=window.missing
        )
        logits = found.tolist()
        if not all(map(math.isfinite, logits)):
            rejected = "decoder gave no number"
            return Decision(window.index, onset, true, None, {}, window.flags, rejected)
        probabilities = probabilities_of(logits, bundle.temperature)
        flags = list(window.flags)
        if not kept:
            flags.append("amplitude")
        if missing is not None:
            flags.append(f"without {named(bundle.recipe.channels, missing)}")
        if lag:
            flags.append(shifts.flag(1000 * lag / bundle.recipe.rate))
        if max(probabilities) < bundle.sure:
            flags.append("unsure")
        classes = bundle.decoder.classes
        return Decision(
            index=window.index,
            onset=onset,
            true=true,
            label=classes[logits.index(max(logits))],
            probabilities=dict(zip(classes, probabilities, strict=True)),
            flags=tuple(flags),
            embedding=None if embedding is None or not np.isfinite(embedding).all() else embedding,
        )


def named(channels: tuple[str, ...], missing: NDArray[np.bool_]) -> str:
    """``P7, PO8``, or how many electrodes where they are many."""
    found = np.flatnonzero(missing)
    if len(found) > MOST_NAMES:
        return f"{len(found)} electrodes"
    return ", ".join(channels[i] for i in found)
