"""The shift of the latency gate as a flag of decisions: written, and read back.

A shifted decision carries the flag ``lag +102 ms``: the response came that much later after its
marker than in the calibration. The summaries of replay and live read these flags, so that they are
the same for decisions made in this process and in another one.
"""

from collections.abc import Iterable
from typing import NamedTuple

from rtbci.decoding.latency_gate import EVERY, NEAR
from rtbci.types import Decision


class Shift(NamedTuple):
    """By how much the decisions of a recording were shifted at last, and since when."""

    recording: int  # its place in the replay, from 1
    ms: float  # 0: back to the lag of the calibration
    from_event: int  # where the shift began, from 1, rejected events counted; it may have drifted
    from_s: float  # onset of that event


def flag(ms: float) -> str:
    """The flag of a shift."""
    return f"lag {ms:+.0f} ms"


def told(flags: Iterable[str]) -> float:
    """The shift in the flags of a decision, ms; 0 without one."""
    for each in flags:
        words = each.split(" ")
        if len(words) == 3 and words[0] == "lag" and words[2] == "ms":
            return float(words[1])
    return 0.0


def last_shifts(decisions: list[Decision], recordings: list[int]) -> list[Shift]:
    """The last shift of each recording in which there was one.

    ``recordings`` has the number of each decision's recording, from 0.
    """
    found: list[Shift] = []
    for number in dict.fromkeys(recordings):
        events = [d for d, of in zip(decisions, recordings, strict=True) if of == number]
        changes = _changes(events)
        if not any(ms for ms, _ in changes):
            continue
        last = len(changes) - 1
        began = last
        while began and changes[last][0] and _drifted(changes[began - 1][0], changes[began][0]):
            began -= 1
        event = changes[began][1]
        found.append(Shift(number + 1, changes[last][0], event, events[event - 1].onset))
    return found


def _changes(events: list[Decision]) -> list[tuple[float, int]]:
    """Shifts in milliseconds, each with the event (from 1) that was the first to have it.

    The gate keeps a shift for ``EVERY`` events at least: fewer unshifted ones at the end are
    windows that the end of the signal cuts short.
    """
    used = [(told(d.flags), place) for place, d in enumerate(events, 1) if d.label is not None]
    if len(used) >= EVERY and used[-EVERY][0]:
        while not used[-1][0]:
            used.pop()
    return [each for i, each in enumerate(used) if not i or each[0] != used[i - 1][0]]


def _drifted(before: float, after: float) -> bool:
    return before != 0 and abs(after - before) <= 1000 * NEAR


def sentence(ms: float) -> str:
    """Sentence for a person about a shift that has changed."""
    if not ms:
        return "responses come as long after their markers as in the calibration again"
    later = "later" if ms > 0 else "earlier"
    return (
        f"responses come {abs(ms):.0f} ms {later} after their markers than in the calibration; "
        "decisions allow for it. If that is news, look at the screen and at what sends the markers"
    )
