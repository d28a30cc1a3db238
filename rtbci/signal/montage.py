"""Positions of electrodes of the 10-05 system on a head: millimetres, right, front, up.

The table holds MNE's standard_1005 template, rounded; a cap on a real head differs by centimetres.
"""

import json
from functools import cache
from pathlib import Path

Position = tuple[int, int, int]


def position(label: str) -> Position | None:
    """Place of an electrode by its name, in any case; None for a name that is not in the system."""
    return _table().get(label.strip().lower())


@cache
def _table() -> dict[str, Position]:
    places = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
    return {label.lower(): (x, y, z) for label, (x, y, z) in places.items()}
