"""Facts about a session read from its folder: subject, kind, stream and calibration quality."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rtbci.errors import BadInput
from rtbci.session.spec import SessionConfig, read_config
from rtbci.statistics.verdict import UNTESTED, Verdict, stored


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
    verdict: Verdict = UNTESTED  # of the bundle's calibration


def read_about(folder: Path) -> About:
    """Facts from ``session.json`` and the bundle it names; missing entries stay unknown."""
    try:
        config = read_config(folder)
    except BadInput:
        config = SessionConfig()
    bundle = _json(Path(config.bundle or folder) / "subject.json")
    sure = _number(bundle.get("sure"))
    classes = bundle.get("classes")
    return About(
        subject=config.subject or str(bundle.get("subject") or ""),
        kind=config.kind,
        part=_part(config),
        speed=config.speed,
        recorded=config.record,
        stream=config.stream,
        markers=config.markers,
        unit=config.unit,
        lsl_session=config.lsl_session,
        lsl_scope=config.lsl_scope,
        classes=tuple(map(str, classes)) if isinstance(classes, list) else (),
        sure=sure if sure else None,
        verdict=stored(bundle),
    )


def _part(config: SessionConfig) -> str:
    """Source of the signal, for a person."""
    if config.kind != "replay":
        return f"LIVE {config.stream}" if config.stream else "LIVE"
    files = config.files
    return f"REPLAY of {files[0]}" if len(files) == 1 else f"REPLAY of {len(files)} files"


def _json(path: Path) -> Mapping[str, object]:
    try:
        return _mapping(json.loads(path.read_bytes()))
    except (OSError, ValueError):
        return {}


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _number(value: object) -> float | None:
    if isinstance(value, int | float) and math.isfinite(value):
        return float(value)
    return None
