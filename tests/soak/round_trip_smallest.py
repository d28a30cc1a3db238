"""``python -m tests.soak.round_trip_smallest SEED``: the failures of a seed, each in the smallest
case that still shows it."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tests.soak.round_trip import failures, scratch, silence_pyxdf
from tests.soak.round_trip_cases import Case, Stream, draw

MOST_TRIES = 200  # cases looked at for the smallest one
SHOWN = 400  # characters of a stream


def smallest(case: Case, wanted: str, folder: Path) -> Case:
    """The smallest case found that still fails in the same way."""
    tries = 0
    is_smaller = True
    while is_smaller and tries < MOST_TRIES:
        is_smaller = False
        for other in simpler(case):
            tries += 1
            if wanted in failures(other, folder):
                case, is_smaller = other, True
                break
    return case


def simpler(case: Case) -> Sequence[Case]:
    """Cases with less in them, to look for the smallest that still fails."""
    found: list[Case] = []
    streams = case.streams
    half = len(streams) // 2
    found += [replace(case, streams=part) for part in (streams[:half], streams[half:]) if part]
    for i, stream in enumerate(streams[:8]):
        if len(streams) > 1:
            found.append(replace(case, streams=streams[:i] + streams[i + 1 :]))
        n, changes = len(stream.stamps), list[dict[str, Any]]()
        for rows in (slice(0, n // 2), slice(n // 2, n), slice(1, n), slice(0, n - 1)):
            kept = len(stream.stamps[rows])
            if 0 < kept < n:
                changes.append({"stamps": stream.stamps[rows], "values": stream.values[rows],
                                "cuts": (kept,)})  # fmt: skip
        if len(stream.labels) > 1:
            changes.append({"labels": stream.labels[:1], "values": stream.values[:, :1]})
        if len(stream.cuts) > 1:
            changes.append({"cuts": stream.cuts[-1:]})
        labels = tuple(f"c{k}" for k in range(len(stream.labels)))
        plain = {"offsets": (), "depth": 0, "remark": 0, "name": f"s{i}", "unit": "microvolts",
                 "labels": labels}  # fmt: skip
        changes += [{key: v} for key, v in plain.items() if getattr(stream, key) != v]
        found += [
            replace(case, streams=(*streams[:i], replace(stream, **each), *streams[i + 1 :]))
            for each in changes
        ]
    return found


def shown(stream: Stream) -> str:
    """A stream in one line."""
    with np.printoptions(threshold=6, edgeitems=2):
        said = (
            f"{stream.format} {stream.values.shape}, {stream.rate:g} Hz, type {stream.kind!r}, "
            f"name {stream.name!r}, labels {stream.labels[:2]!r}, unit {stream.unit!r}, "
            f"{stream.depth} levels, stamps {stream.stamps}, values {stream.values}, offsets "
            f"{stream.offsets}"
        )
    return " ".join(said.split())[:SHOWN]


def main(words: list[str]) -> None:
    """Show the case of a seed."""
    silence_pyxdf()
    for word in words:
        case = draw(int(word))
        with scratch() as folder:
            for each, said in failures(case, folder).items():
                small = smallest(case, each, folder)
                by = "our own description" if small.own else "LSL's description"
                print(
                    f"seed {case.seed}: {each}\n    said: {said[:SHOWN]}\n    by {by}, {small.odd}"
                )
                for stream in small.streams[:3]:
                    print(f"    {shown(stream)}")
                if len(small.streams) > 3:
                    print(f"    and {len(small.streams) - 3} more streams")


if __name__ == "__main__":
    main(sys.argv[1:])
