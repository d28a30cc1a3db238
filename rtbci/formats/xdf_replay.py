"""What the recorded stream of a replay says of its rows: its lead-in, and where it starts anew.

``rtbci stream`` holds the first sample before sample index 0 and describes that under ``<desc>``
(docs/streams.md). A description that is absent, garbled or somebody else's means nothing here.
"""

import contextlib
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from rtbci.types import Array, Gap

SENDER = "rtbci stream"  # the manufacturer that it states
EXACT = 0.01  # of a period: rows of the lead-in lie exactly on t0 + index / rate
RESET = "reset in the recording"


def replay_fields(stream: Mapping[str, Any]) -> dict[str, str]:
    """The texts directly under ``<desc>`` of a stream (as pyxdf gives it); none unless it is a
    replay of ours."""
    found: Mapping[str, Any] = {}
    with contextlib.suppress(KeyError, IndexError, TypeError):
        found = stream["info"]["desc"][0]
    if not isinstance(found, Mapping):
        return {}
    firsts = {key: each[0] for key, each in found.items() if isinstance(each, list) and each}
    texts = {key: text for key, text in firsts.items() if isinstance(text, str)}
    return texts if texts.get("manufacturer") == SENDER else {}


def lead_in_rows(fields: Mapping[str, str], stamps: Callable[[float], Array]) -> int:
    """How many rows at the start come before sample index 0; 0 where that is not clear.

    ``stamps(until)`` gives the raw stamps (rows,) of the stream from its first row to beyond
    ``until``, seconds on its own clock.
    """
    t0, rate, seconds = (_number(fields.get(key)) for key in ("t0", "rate", "lead_in"))
    if t0 is None or not rate or not seconds or min(rate, seconds) < 0:
        return 0
    found = stamps(t0)
    if not len(found) or not np.isfinite(found).all():
        return 0
    if fields.get("stamps", "regular") == "regular":
        data = found >= t0 - 0.5 / rate
        n = int(np.argmax(data)) if data.any() else len(found)
    else:  # stamps of the first samples jitter around t0, those of the lead-in do not
        n = round(float(np.clip((t0 - found[0]) * rate, 0, len(found))))
        off = found[:n] - (t0 + np.arange(-n, 0) / rate)
        if n and np.abs(off).max() * rate > EXACT:
            return 0
    return n if n <= round(seconds * rate) else 0


def resets(fields: Mapping[str, str], first: int, last: int) -> list[Gap]:
    """Where the recording that was played starts anew without a hole, between two indices."""
    words = [word.strip() for word in fields.get("resets", "").split(",")]
    found = {int(word) for word in words if word.isdecimal() and len(word) < 16}
    return [Gap(index, 0, RESET) for index in sorted(found) if first < index <= last]


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None
