"""Facts about a session read from its folder: subject, kind, stream and calibration quality."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rtbci.session.folder import CONFIG

ABOVE_CHANCE_P = 0.01  # permutation p of the calibration


@dataclass(frozen=True)
class About:
    """Facts that do not change while a session runs."""

    subject: str = ""
    kind: str = ""  # "replay" or "live"
    part: str = ""  # description of the played or read stream
    speed: float | None = None  # of a replay, seconds of the recording per second
    recorded: bool | None = None  # whether there should be a recording
    stream: str | None = None  # name of the EEG stream, if one was given
    markers: tuple[str, ...] = ()
    unit: str | None = None  # if the stream does not state one
    lsl_session: str | None = None
    lsl_scope: str | None = None
    classes: tuple[str, ...] = ()
    sure: float | None = None  # decision threshold on the probability; None if unknown
    above_chance: bool | None = None  # None if the calibration was not tested


def read_about(folder: Path) -> About:
    """Facts from ``session.json`` and the bundle it names; missing entries stay unknown."""
    config = _json(folder / CONFIG)
    options = _mapping(config.get("options"))
    bundle = _json(Path(str(config.get("bundle") or folder)) / "subject.json")
    kind = str(config.get("kind") or "")
    files, stream = options.get("files"), options.get("stream")
    played = [Path(str(each)).name for each in files] if isinstance(files, list) else []
    if kind == "replay":
        part = f"REPLAY of {played[0]}" if len(played) == 1 else f"REPLAY of {len(played)} files"
    else:
        part = f"LIVE {stream}" if stream else "LIVE"
    sure = _number(bundle.get("sure"))
    p = _number(_mapping(bundle.get("training")).get("p_value"))
    classes, markers = bundle.get("classes"), options.get("markers")
    return About(
        subject=str(config.get("subject") or bundle.get("subject") or ""),
        kind=kind,
        part=part,
        speed=_number(options.get("speed")),
        recorded=None if "no_record" not in options else not options["no_record"],
        stream=str(stream) if kind == "live" and stream else None,
        markers=tuple(map(str, markers)) if isinstance(markers, list) else (),
        unit=str(options["unit"]) if kind == "live" and options.get("unit") else None,
        lsl_session=_text(config.get("lsl_session")),
        lsl_scope=_text(config.get("lsl_scope")),
        classes=tuple(map(str, classes)) if isinstance(classes, list) else (),
        sure=sure if sure else None,
        above_chance=None if p is None else p <= ABOVE_CHANCE_P,
    )


def _json(path: Path) -> Mapping[str, object]:
    try:
        return _mapping(json.loads(path.read_bytes()))
    except (OSError, ValueError):
        return {}


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _number(value: object) -> float | None:
    if isinstance(value, int | float) and math.isfinite(value):
        return float(value)
    return None
