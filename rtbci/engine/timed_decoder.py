"""Decoder that is timed, and whose failures cannot end a session."""

import time
from collections import Counter, deque
from collections.abc import Callable

import numpy as np

from rtbci.process import Reporter
from rtbci.types import Answer, Array, Decoder

FAILURES = 3  # failures within FAILURES_S after which the decoder is loaded again
FAILURES_S = 10.0


class TimedDecoder:
    """Decoder that is timed, and whose failures cost one decision each."""

    def __init__(self, decoder: Decoder, reload: Callable[[], Decoder], tell: Reporter) -> None:
        self._decoder, self._reload, self._tell = decoder, reload, tell
        self.spent = 0.0  # s since it was last read
        self.failures: Counter[str] = Counter()
        self._recent: deque[float] = deque(maxlen=FAILURES)

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names."""
        return self._decoder.classes

    def arrays(self) -> dict[str, Array]:
        """Arrays of the decoder."""
        return self._decoder.arrays()

    @property
    def dimensions(self) -> int:
        """Length of an embedding; 0 without a text head."""
        return self._decoder.dimensions

    def logits(self, x: Array) -> Array:
        """Log-odds (classes,) without an embedding; NaN if the decoder failed, see ``answer``."""
        return self.answer(x).logits

    def answer(self, x: Array) -> Answer:
        """Log-odds (classes,) and embedding; NaN if the decoder failed: the pipeline rejects it."""
        began = time.perf_counter()
        try:
            return self._decoder.answer(x)
        except Exception as error:  # noqa: BLE001 no error of a decoder ends the session
            self._failed(error)
            return Answer(np.full(len(self.classes), np.nan))
        finally:
            self.spent += time.perf_counter() - began

    def _failed(self, error: Exception) -> None:
        kind = type(error).__name__
        self.failures[kind] += 1
        if self.failures[kind] == 1:
            self._tell.alarm(
                "red", f"decoder {kind}", f"the decoder failed ({kind}: {error}); no decision for "
                "this window, the recording is not affected",
            )  # fmt: skip
        now = time.monotonic()
        self._recent.append(now)
        if len(self._recent) == FAILURES and now - self._recent[0] < FAILURES_S:
            self._recent.clear()
            try:
                self._decoder = self._reload()
            except Exception as again:  # noqa: BLE001 the old one stays
                self._tell.alarm("red", "decoder reload", f"the bundle cannot be loaded: {again}")
            else:
                self._tell.alarm("amber", "decoder reload",
                                 f"the decoder failed {FAILURES} times in {FAILURES_S:g} s and "
                                 "was loaded anew")  # fmt: skip
