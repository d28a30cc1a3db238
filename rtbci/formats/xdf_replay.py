"""Facts in the recorded stream of a replay about its rows: lead-in, resets, epochs and bridges.

``rtbci stream`` holds the first sample before sample index 0 and describes that under ``<desc>``
(docs/streams.md). A description that is absent, garbled or somebody else's means nothing here.
"""

import contextlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from rtbci.types import Array, Gap

SENDER = "rtbci stream"  # the manufacturer that it states
EXACT = 0.01  # of a period: rows of the lead-in lie exactly on t0 + index / rate
DIGITS = 13  # of a sample index, fewer than
LAST = 10.0**DIGITS
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
    """Resets without a hole in the recording that was played, between two indices."""
    words = [word.strip() for word in fields.get("resets", "").split(",")]
    found = {int(word) for word in words if word.isdecimal() and len(word) < 16}
    return [Gap(index, 0, RESET) for index in sorted(found) if first < index <= last]


@dataclass(frozen=True)
class Epochs:
    """Epochs of a replay, in sample indices of the recording; all other samples are bridges."""

    rows: int  # of each
    starts: tuple[int, ...]
    runs: tuple[int, ...]  # epochs a run; empty if not stated

    @property
    def note(self) -> str:
        """Sentence about the epochs for a person."""
        return (
            f"a replay of {len(self.starts)} epochs of {self.rows} samples with a bridge before "
            "each: no brain there"
        )


def epochs(fields: Mapping[str, str], offset: int, n: int) -> Epochs | None:
    """The whole epochs among ``n`` samples from index ``offset`` of the replay on, counted from
    there; None if it was not clearly a replay of epochs."""
    rows, starts = _whole(fields.get("epoch_rows", "")), _whole(fields.get("epochs", ""))
    if len(rows) != 1 or rows[0] < 1 or not starts:
        return None
    if any(b - a < rows[0] for a, b in pairwise(starts)):
        return None
    counts = _whole(fields.get("runs", ""))
    run = np.repeat(np.arange(len(counts)), counts) if sum(counts) == len(starts) else None
    period = _whole(fields.get("loop", ""))
    turns = 1
    if len(period) == 1 and period[0] >= starts[-1] + rows[0]:
        turns = (offset + n) // period[0] + 1
    at = np.concatenate([np.array(starts) + turn * (period or [0])[0] for turn in range(turns)])
    kept = (at >= offset) & (at + rows[0] <= offset + n)
    runs: tuple[int, ...] = ()
    if run is not None:
        every = np.concatenate([run + turn * len(counts) for turn in range(turns)])[kept]
        runs = tuple(np.unique(every, return_counts=True)[1].tolist())
    return Epochs(rows[0], tuple((at[kept] - offset).tolist()), runs) if kept.any() else None


def offset_of(fields: Mapping[str, str], first: float) -> int | None:
    """Sample index of the first row of a recording without a lead-in, whose raw stamp is ``first``.

    None if the stamps do not show it.
    """
    t0, rate = _number(fields.get("t0")), _number(fields.get("rate"))
    if t0 is None or not rate or fields.get("stamps", "regular") != "regular":
        return None
    index = (first - t0) * rate
    return round(index) if -0.5 <= index < LAST and abs(index - round(index)) <= EXACT else None


def _whole(text: str) -> list[int]:
    """The numbers of ``3,12,40``; empty if one of them is not a whole number."""
    words = text.split(",")
    fine = all(word.isdecimal() and word.isascii() and len(word) < DIGITS for word in words)
    return [int(word) for word in words] if fine else []


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None
