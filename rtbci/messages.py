"""Key names on the bus and in ``--json``: the only place that knows them."""

import json
import math
from collections.abc import Mapping
from dataclasses import fields

from rtbci.stats import Scores
from rtbci.types import Decision

DIGITS = 9  # of figures in JSON


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


def scores_json(scores: Scores | None) -> dict[str, object]:
    """The figures of a calibration or a replay; null where there was nothing to count."""
    return {f.name: getattr(scores, f.name, None) for f in fields(Scores) if f.name != "n"}


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return round(value, DIGITS) if math.isfinite(value) else None
    return value
