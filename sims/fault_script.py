"""Fault scripts: TOML files with the faults of a stream and their times.

    [[fault]]
    at = 5.0        # recording seconds after the first sample
    do = "kill"     # the outlet's process, without a farewell
    for = 3.0       # recording seconds until it is back

``sims.faults`` lists what can be done, each class its keys. ``channels``, ``order``, ``rate`` and
``unit`` may also follow ``do``: a short kill, after which the stream comes back so.
"""

import tomllib
from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from rtbci.errors import BadInput
from rtbci.foreign_text import clean
from rtbci.formats.source import regular
from rtbci.types import StreamInfo
from sims.faults import KINDS, Fault, Kill

LARGEST_SCRIPT = 2**20  # bytes
CHANGES = ("rate", "channels", "order", "unit")  # each alone: a short kill, back with this key


def read_script(path: Path) -> tuple[Fault, ...]:
    """The faults in a TOML file, in order of time; raises ``BadInput``."""
    if regular(path) > LARGEST_SCRIPT:
        raise BadInput(f"{path} has more than {LARGEST_SCRIPT} bytes; a fault script is short")
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path} is no TOML that can be read ({clean(str(error))})") from None
    faults = table.get("fault")
    if set(table) - {"fault"} or not isinstance(faults, list) or not faults:
        found = ", ".join(clean(key) for key in table) or "nothing"
        raise BadInput(f"{path} holds {found}; expected tables [[fault]] with at and do")
    read = [_fault(each, f"{path}: fault {n}") for n, each in enumerate(faults, start=1)]
    return tuple(sorted(read, key=lambda fault: fault.at))


def check_script(faults: Iterable[Fault], info: StreamInfo, seconds: float, loop: bool) -> None:
    """Check names, times and overlaps against the recording; raises ``BadInput``."""
    back, last = 0.0, ""
    for fault in faults:
        what = f"the fault {fault.do!r} at {fault.at:g} s"
        if fault.at >= seconds and not loop:
            raise BadInput(f"{what} lies after the end of the recording ({seconds:g} s)")
        if isinstance(fault, Kill):
            if fault.at < back:
                raise BadInput(f"{what} falls into {last}, which lasts until {back:g} s")
            back, last = fault.until, what
            if fault.channels is not None and fault.channels > len(info.channels):
                raise BadInput(
                    f"{what} keeps {fault.channels} channels; there are {len(info.channels)}"
                )
        named = fault.rename if isinstance(fault, Kill) else getattr(fault, "channels", None)
        unknown = [name for name in named or () if name not in info.channels]
        if unknown:
            raise BadInput(
                f"{what} names {', '.join(map(clean, unknown))}; the recording has "
                f"{', '.join(info.channels[:20])}"
            )


def _fault(table: object, where: str) -> Fault:
    if not isinstance(table, dict):
        raise BadInput(f"{where} is no table; write [[fault]] with at and do")
    fields = {key: value for key, value in table.items() if key != "do"}
    do = table.get("do")
    known = (*KINDS, *CHANGES)
    if do not in known:
        found = "does not say what to do" if do is None else f"cannot do {clean(str(do))!r}"
        raise BadInput(f"{where} {found}; do is one of {', '.join(known)}")
    if do in CHANGES and do not in fields:
        raise BadInput(f"{where} ({do}) needs the key {do}: with what the stream comes back")
    kind = KINDS.get(do, Kill)
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        raise BadInput(f"{where} ({do}) {_said(error, kind)}") from None


def _said(error: ValidationError, kind: type[Fault]) -> str:
    """First validation error, phrased as the rest of a sentence."""
    first = error.errors(include_url=False)[0]
    key = clean(".".join(str(part) for part in first["loc"]))
    if first["type"] == "missing":
        return f"needs the key {key}"
    if first["type"] == "extra_forbidden":
        keys = [field.alias or name for name, field in kind.model_fields.items()]
        return f"has no key {key}; it takes {', '.join(keys)}"
    found = clean(repr(first["input"]))[:80]
    return f"has {key} = {found}: {first['msg'][:1].lower()}{first['msg'][1:]}"
