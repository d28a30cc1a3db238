"""Muse CSV: one row a sample, ``timestamps,TP9,AF7,AF8,TP10,Right AUX,Marker0``, microvolts."""

import re
from pathlib import Path

import numpy as np

from rtbci.errors import BadInput
from rtbci.foreign_text import clean
from rtbci.formats.draft import Draft, row_indices
from rtbci.formats.events import rising
from rtbci.formats.source import ReadOptions, regular
from rtbci.formats.units import type_of
from rtbci.signal.timebase import from_stamps
from rtbci.types import Array, Gap, Marker

NOMINAL_HZ = 256.0
MARKER = "marker"  # columns whose name starts so hold markers: 0 is nothing, else the class
MAX_COLUMNS = 64
EMPTY = re.compile(r"(?<=,)(?=,|\r?\n|\r?$)")  # a cell without a character


def read_csv(path: Path, options: ReadOptions) -> Draft:
    """A recording in the layout that Muse recorders write; stamps in Unix or any other seconds.

    The first marker column gives the labels; further ones become fields of its markers. A value
    held over several rows is one marker, at the first of them.
    """
    regular(path)
    names = header(path)
    notes: list[str] = []
    table = _table(path, len(names), notes)
    stamps, x = table[:, 0], table[:, 1:]
    stamps, x = _usable_rows(stamps, x, notes, path)
    base = None
    gaps: tuple[Gap, ...] = ()
    nominal = options.rate or NOMINAL_HZ
    if len(stamps) > 1:
        stamps = _seconds(stamps, nominal, notes)
        base = from_stamps(stamps, nominal)
        gaps = base.gaps
        if options.rate is None and abs(base.rate / NOMINAL_HZ - 1) > 0.05:
            nominal = float(round(base.rate)) if base.rate >= 1 else base.rate
            notes.append(f"stamps advance at {base.rate:.4g} Hz, not at a Muse's 256 Hz")
    channels = names[1:]
    types = ["STIM" if name.lower().startswith(MARKER) else type_of(name) for name in channels]
    return Draft(
        format="muse csv",
        paths=[path],
        name=path.name,
        x=x,
        channels=channels,
        types=types,
        rate=nominal,
        units="uV",
        unit_from="assumed",
        markers=_markers(x, channels, types, gaps),
        gaps=gaps,
        effective_rate=base.rate if base else None,
        back_steps=base.back_steps if base else 0,
        t0=base.t0 if base else None,
        stamps=stamps if base else None,
        notes=notes,
        stim_read=True,
    )


def header(path: Path) -> list[str]:
    """Column names; raises ``BadInput`` where the first line is not a Muse header."""
    with open(path, "rb") as file:
        line = file.readline(10_000)
    try:
        names = [clean(name) for name in line.decode("utf-8-sig").strip().split(",")]
    except UnicodeDecodeError:
        names = []
    if len(names) < 2 or names[0].lower() not in ("timestamps", "timestamp") or not all(names):
        raise BadInput(
            f"{path} does not start with a Muse header; expected "
            "'timestamps,TP9,AF7,AF8,TP10,Right AUX,Marker0' or names like these"
        )
    if len(names) > MAX_COLUMNS:
        raise BadInput(f"{path} has {len(names)} columns; at most {MAX_COLUMNS} are read")
    if all(name.lower().startswith(MARKER) for name in names[1:]):
        raise BadInput(f"{path} has no signal column beside {', '.join(names)}")
    return names


def _table(path: Path, columns: int, notes: list[str]) -> Array:
    """(rows, columns) float64; raises ``BadInput`` naming the line that is wrong."""
    try:
        text = path.read_text(encoding="ascii")
        if ",," in text or ",\n" in text or ",\r" in text:
            text = EMPTY.sub("nan", text)  # how spreadsheets write that nothing was measured
        lines = text.split("\n")[1:]
        if lines and lines[-1] and lines[-1].count(",") != columns - 1:
            lines.pop()  # the recorder ended in the middle of a row
            notes.append("the last row is cut and was left out")
        if not any(lines):
            raise BadInput(f"{path} has a header and no rows; record it again")
        table = np.loadtxt(lines, delimiter=",", dtype=np.float64, ndmin=2, comments=None)
    except UnicodeDecodeError:
        raise BadInput(f"{path} holds bytes that are not text; copy or export it again") from None
    except ValueError as error:
        raise BadInput(
            f"{path} is not a table of numbers ({clean(str(error).partition(';')[0])}); "
            "export it again"
        ) from None
    if table.shape[1] != columns:
        raise BadInput(f"{path} has {columns} column names but {table.shape[1]} columns")
    return table


def _usable_rows(stamps: Array, x: Array, notes: list[str], path: Path) -> tuple[Array, Array]:
    """Rows with a stamp; a few without are left out, so that they become a gap."""
    good = np.isfinite(stamps)
    if good.all():
        return stamps, x
    bad = int((~good).sum())
    if bad > 0.1 * len(stamps):
        raise BadInput(f"{path}: {bad} of {len(stamps)} rows have no time stamp; export it again")
    notes.append(f"{bad} rows without a time stamp were left out")
    return stamps[good], x[good]


def _seconds(stamps: Array, nominal: float, notes: list[str]) -> Array:
    """Stamps in seconds, also where the recorder wrote milli-, micro- or nanoseconds."""
    span = (stamps[-1] - stamps[0]) / max(len(stamps) - 1, 1) * nominal
    for factor, name in ((1e3, "milliseconds"), (1e6, "microseconds"), (1e9, "nanoseconds")):
        if 0.7 < span / factor < 1.4:
            notes.append(f"stamps count {name}")
            return stamps / factor
    return stamps


def _markers(
    x: Array, channels: list[str], types: list[str], gaps: tuple[Gap, ...]
) -> list[Marker]:
    columns = [i for i, kind in enumerate(types) if kind == "STIM"]
    if not columns:
        return []
    indices = row_indices(len(x), gaps)
    first, *others = columns
    rows = np.arange(len(x))
    markers = []
    for found in rising(x[:, first], rows, None, channels[first]):
        fields = {channels[i]: float(x[found.index, i]) for i in others}
        markers.append(Marker(int(indices[found.index]), found.label, fields))
    return markers
