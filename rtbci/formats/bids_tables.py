"""The tables of BIDS: text with tabs, one name a column, read strictly.

A table that is damaged is refused with its line, not half believed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from rtbci.errors import BadInput
from rtbci.foreign_text import clean
from rtbci.formats.source import regular

TABLE_BYTES = 32 * 2**20
COLUMNS = 64  # of a table
NOTHING = ("", "n/a", "N/A", "nan", "NaN")
LONGEST = 1e9  # s; an onset beyond is invalid
# MNE's names for a break in a recording, as MNE-BIDS writes them into events.tsv
BREAK = re.compile(r"^(new segment|boundary|(bad|edge)[ _]boundary|bad_acq_skip)", re.IGNORECASE)
_OURS = ("onset", "duration", "trial_type", "sample")  # columns that do not become marker fields


@dataclass(frozen=True)
class BidsEvent:
    """One row of ``events.tsv``."""

    onset: float  # s after the first sample
    label: str
    fields: Mapping[str, object]


def read_events(path: Path) -> list[BidsEvent]:
    """The rows of an ``events.tsv`` in the order of their onsets.

    The label is the ``trial_type``, or without one the ``value``; other columns become
    fields, and ``stim_file`` the name of the image too. Rows without onset or label cannot
    be decoded and are left out.
    """
    found = []
    for number, row in enumerate(read_table(path), start=1):
        if "onset" not in row:
            raise BadInput(f"{path} has no column onset but {clean(', '.join(row))}")
        stated = (row.get("trial_type", ""), row.get("value", ""))
        label = next((text for text in stated if text not in NOTHING), "")
        if row["onset"] in NOTHING or not label:
            continue
        try:
            onset = float(row["onset"])
        except ValueError:
            onset = float("nan")
        if not abs(onset) < LONGEST:
            raise BadInput(
                f"{path}, event {number}: onset {clean(row['onset'])!r} is no number of seconds"
            )
        found.append(BidsEvent(onset, clean(label), _fields(row)))
    return sorted(found, key=lambda event: event.onset)


def read_table(path: Path) -> list[dict[str, str]]:
    """The rows of a table with tabs, by column; raises ``BadInput`` for one that is damaged."""
    if regular(path) > TABLE_BYTES:
        raise BadInput(f"{path} has more than {TABLE_BYTES} bytes; a table of BIDS is short")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except ValueError:
        raise BadInput(f"{path} is not text in UTF-8") from None
    lines = re.split(r"\r\n|\r|\n", text)
    columns = [name.strip() for name in lines[0].split("\t")]
    if len(columns) > COLUMNS or len(set(columns)) < len(columns) or "" in columns:
        raise BadInput(f"{path} does not begin with 1 to {COLUMNS} names of columns, all different")
    rows = []
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        cells = [cell.strip() for cell in line.split("\t")]
        if len(cells) != len(columns):
            raise BadInput(
                f"{path}, line {number}: {len(cells)} cells under {len(columns)} columns; "
                "they are set apart by tabs, save the table again"
            )
        rows.append(dict(zip(columns, cells, strict=True)))
    return rows


def _fields(row: Mapping[str, str]) -> dict[str, object]:
    fields: dict[str, object] = {
        clean(name): int(cell) if name == "trial" and cell.isdecimal() else clean(cell)
        for name, cell in row.items()
        if name not in _OURS and cell not in NOTHING
    }
    if isinstance(fields.get("stim_file"), str):
        fields.setdefault("image", PurePosixPath(str(fields["stim_file"])).stem)
    return fields
