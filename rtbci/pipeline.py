"""The one path from microvolts to a decision: live, replay, calibration and evaluation use it.

    Pipeline(bundle, recording.info).push(chunk or marker or gap) -> decisions

It sees sample indices and never a clock, a file or a thread, so that a recording gives the same
decisions at any speed and in any cut.
"""

import math
from collections.abc import Iterable, Mapping

from rtbci.bundle import Bundle
from rtbci.judge import Judge, probabilities_of
from rtbci.types import Chunk, Decision, Gap, Marker, StreamInfo, Window
from rtbci.windows import MARKER_WAIT, Windows


class Pipeline:
    """Chunks, markers and gaps in, decisions out, in onset order. One thread.

    ``info`` says what the chunks hold (default: exactly the bundle's channels); another rate,
    unit or a missing electrode raises ``BadBundle``. ``every`` adds sliding windows, seconds
    apart. ``dead`` names electrodes known to carry no signal, each with the reason: windows are
    then rejected instead of decoded.
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
        recipe = bundle.recipe
        columns = bundle.resolve(info) if info else list(range(len(recipe.channels)))
        self.bundle = bundle
        self.windows = Windows(recipe, columns, frozenset(bundle.labels), wait, every)
        self._judge = Judge(recipe, bundle.decoder, bundle.template)
        reasons = [f"{name} {why}" for name, why in (dead or {}).items() if name in recipe.channels]
        self._dead = f"no reliable signal: {', '.join(reasons)}" if reasons else None

    def push(self, item: Chunk | Marker | Gap) -> list[Decision]:
        """The decisions that ``item`` completes."""
        self.learn()
        return [self._decide(window) for window in self.windows.push(item)]

    def learn(self) -> None:
        """Adapt to what was decided last; a live loop calls it once its decisions are out."""
        self._judge.learn()

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
        found, lag, kept = self._judge(window.x, locked=window.marker is not None, peak=window.peak)
        logits = found.tolist()
        if not all(map(math.isfinite, logits)):
            rejected = "decoder gave no number"
            return Decision(window.index, onset, true, None, {}, window.flags, rejected)
        probabilities = probabilities_of(logits, bundle.temperature)
        flags = list(window.flags)
        if not kept:
            flags.append("amplitude")
        if lag:
            flags.append(f"lag {1000 * lag / bundle.recipe.rate:+.0f} ms")
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
        )
