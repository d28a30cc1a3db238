"""How long decisions took, milliseconds: transport, our own overhead, the model, all together."""

from array import array
from collections.abc import Sequence

import numpy as np

KEYS = ("transport", "overhead", "model", "total")
PERCENTILES = (50, 95, 99)


class Delays:
    """Milliseconds of every decision.

    *transport* is from the moment at which the newest sample was due to its arrival, *overhead*
    from there to the decision being pushed, less *model*; *total* is their sum.
    """

    def __init__(self) -> None:
        self.values: dict[str, array[float]] = {key: array("d") for key in KEYS}

    def add(self, *each: float) -> None:
        """One decision, in the order of ``KEYS``."""
        for key, value in zip(KEYS, each, strict=True):
            self.values[key].append(value)

    def summary(self) -> dict[str, dict[str, float | None]]:
        """p50, p95, p99 of each; None where nothing was measured."""
        return {key: percentiles(values) for key, values in self.values.items()}


def percentiles(values: Sequence[float]) -> dict[str, float | None]:
    """``{"p50": ..., "p95": ..., "p99": ...}``; None without values."""
    found = np.asarray(values, np.float64)
    found = found[np.isfinite(found)]
    if not len(found):
        return {f"p{q}": None for q in PERCENTILES}
    return {
        f"p{q}": float(v)
        for q, v in zip(PERCENTILES, np.percentile(found, PERCENTILES), strict=True)
    }
