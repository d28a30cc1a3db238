"""Where every number is that was sent in a storm, from files that ``tiny_xdf`` has read."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from tests.soak.tiny_xdf import TinyStream

RATE = 1000.0
KILL_S = 0.3  # of signal that a kill of the recorder may cost
NEAR_S = 0.5  # a loss that a kill explains begins so near to it
EXACT = 1e-6  # s between a stamp and the one that was sent


class Sent(Protocol):
    """What was sent: numbers in ranges, markers by number, the stamp of number 0."""

    sent: list[range]
    markers: list[int]
    t0: float | None


@dataclass(frozen=True)
class Account:
    """Where the numbers are that were sent."""

    sent: int
    unexplained: int  # absent samples, but for those that a kill of the recorder explains
    doubled: int
    per_kill_s: list[float]  # absent at each kill
    markers: int
    markers_absent: int  # outside of what a kill cost
    markers_in_kills: int  # absent within it
    markers_doubled: int
    misplaced: int  # samples and markers with another stamp than was sent
    events: dict[str, int] = field(default_factory=dict)
    seed: int = 0


def account(
    weather: Sent, found: Sequence[TinyStream], begun: int, killed: list[int],
    events: dict[str, int] | None = None, seed: int = 0,
) -> Account:  # fmt: skip
    """Where everything is that ``weather`` sent from number ``begun`` on."""
    t0 = weather.t0
    assert t0 is not None
    sent = [n for each in weather.sent for n in each if n >= begun]
    rows = [(int(n), stamp) for each in found if each.name == "storm"
            for n, stamp in zip(each.values, each.stamps, strict=True)]  # fmt: skip
    texts = [(int(str(text).split()[1]), stamp) for each in found if each.name == "storm-marks"
             for text, stamp in zip(each.values, each.stamps, strict=True)]  # fmt: skip
    seen = {n for n, _ in rows}
    costs, unexplained, lost = [0.0] * len(killed), 0, set[int]()
    for run_of in absent_runs(sent, seen):
        near = [i for i, last in enumerate(killed)
                if run_of[0] - NEAR_S * RATE <= last <= run_of[-1] + NEAR_S * RATE]  # fmt: skip
        if near:
            costs[near[0]] += len(run_of) / RATE
            lost.update(range(run_of[0], run_of[-1] + 1))
        else:
            unexplained += len(run_of)
    marked = [n for n, _ in texts]
    absent = {n for n in weather.markers if n >= begun} - set(marked)
    off = sum(abs(stamp - (t0 + n / RATE)) > EXACT for n, stamp in (*rows, *texts))
    return Account(
        sent=len(sent), unexplained=unexplained, doubled=len(rows) - len(seen),
        per_kill_s=costs, markers=len(weather.markers), markers_absent=len(absent - lost),
        markers_in_kills=len(absent & lost), markers_doubled=len(marked) - len(set(marked)),
        misplaced=off, events=dict(events or {}), seed=seed,
    )  # fmt: skip


def absent_runs(sent: list[int], seen: set[int]) -> list[list[int]]:
    """Numbers that were sent and not seen, in runs without a seen one between them."""
    found, is_open = list[list[int]](), False
    for n in sent:
        if n in seen:
            is_open = False
        elif is_open:
            found[-1].append(n)
        else:
            found.append([n])
            is_open = True
    return found


def told(each: dict[str, Any]) -> str:
    """An account in words."""
    costs = each["per_kill_s"] or [0.0]
    events = ", ".join(f"{n} x {kind}" for kind, n in each["events"].items())
    return (
        f"{each['sent']} samples: {each['unexplained']} unexplained, {each['doubled']} doubled, "
        f"{each['misplaced']} stamps off; {len(each['per_kill_s'])} kills of the recorder cost "
        f"{min(costs):.2f} to {max(costs):.2f} s (median {statistics.median(costs):.2f}); "
        f"{each['markers']} markers: {each['markers_absent']} absent, {each['markers_in_kills']} "
        f"absent within the cost of kills, {each['markers_doubled']} doubled; {events}; seed "
        f"{each['seed']}"
    )


def is_good(each: dict[str, Any]) -> bool:
    """Whether an account keeps the bound."""
    exact = ("unexplained", "doubled", "misplaced", "markers_absent", "markers_in_kills",
             "markers_doubled")  # fmt: skip
    return not any(each[key] for key in exact) and max(each["per_kill_s"], default=0.0) <= KILL_S
