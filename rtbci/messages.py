"""Key names on the bus and in ``--json``: the only place that knows them."""

import json
import math
from collections.abc import Mapping
from functools import lru_cache

from rtbci.types import Decision

DIGITS = 9  # of figures in JSON
RESULTS = ("rtbci-decisions", "rtbci-probabilities")  # streams of ours that hold no events
LATE_START = "rtbci-start"  # a replay says by how much it runs behind its due times


def line(values: Mapping[str, object]) -> str:
    """One JSON object on one line; a number that is none becomes null."""
    return json.dumps(_plain(values), ensure_ascii=False, allow_nan=False)


def decision_json(decision: Decision, **more: object) -> dict[str, object]:
    """A decision as programs read it; ``index`` in samples, ``onset`` in seconds."""
    return {
        "event": "decision",
        "index": decision.index,
        "onset": decision.onset,
        "true": decision.true,
        "label": decision.label,
        "probabilities": dict(decision.probabilities),
        "flags": list(decision.flags),
        "rejected": decision.rejected,
        **more,
    }


def with_latency(text: str, transport: float, overhead: float, model: float, total: float) -> str:
    """The line of a decision with its latencies, milliseconds, put in at the last moment."""
    return (
        f'{text[:-1]}, "latency_ms": {{"transport": {transport:.3f}, "overhead": {overhead:.3f}, '
        f'"model": {model:.3f}, "total": {total:.3f}}}}}'
    )


def read_decision(values: Mapping[str, object]) -> Decision:
    """The decision that ``decision_json`` wrote; raises ``ValueError`` for anything else."""
    try:
        index, onset = values["index"], values["onset"]
        probabilities, flags = values["probabilities"], values["flags"]
        if not isinstance(index, int) or not isinstance(onset, int | float):
            raise TypeError("index and onset must be numbers")
        if not isinstance(probabilities, dict) or not isinstance(flags, list):
            raise TypeError("probabilities and flags must be an object and a list")
        return Decision(
            index=index,
            onset=float(onset),
            true=_text(values["true"]),
            label=_text(values["label"]),
            probabilities={str(name): float(p) for name, p in probabilities.items()},
            flags=tuple(map(str, flags)),
            rejected=_text(values["rejected"]),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"no decision: {error}") from error


def event(kind: str, box: str, **fields: object) -> dict[str, object]:
    """What a box says: "ready", "status", "alarm", "clear", "end", "done"."""
    return {"event": kind, "box": box, **fields}


def order(do: str, **fields: object) -> dict[str, object]:
    """What a box is told on its stdin: "finish", "stop", ..."""
    return {"do": do, **fields}


def decision_line(decision: Decision, stamp: float) -> str:
    """``line(decision_json(decision, stamp=stamp))``, fast enough for the live path."""
    d = decision
    odds = ", ".join([f"{_text_of(k)}: {round(v, DIGITS)}" for k, v in d.probabilities.items()])
    flags = ", ".join([_text_of(each) for each in d.flags])
    return (
        f'{{"event": "decision", "index": {d.index}, "onset": {round(d.onset, DIGITS)}, '
        f'"true": {_text_of(d.true)}, "label": {_text_of(d.label)}, "probabilities": {{{odds}}}, '
        f'"flags": [{flags}], "rejected": {_text_of(d.rejected)}, "stamp": {round(stamp, DIGITS)}}}'
    )


@lru_cache(256)
def _text_of(text: str | None) -> str:
    """JSON of one text."""
    return json.dumps(text, ensure_ascii=False)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return round(value, DIGITS) if math.isfinite(value) else None
    return value
