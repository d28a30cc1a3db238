"""Decisions on the wire: one tuple of keys, and two writers that a test holds together.

``decision_line`` is the writer of the live path, ``DecisionMade`` that of everything else.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import ClassVar, NamedTuple, Self

from rtbci.messages.events import Event
from rtbci.messages.wire import DIGITS, Values
from rtbci.types import Decision

KIND = "decision"
KEYS = ("index", "onset", "true", "label", "probabilities", "flags", "rejected")
STAMP, LATENCY, FILE = "stamp", "latency_ms", "file"


class Latency(NamedTuple):
    """Delays of one decision, milliseconds; see ``rtbci.statistics.delays``."""

    transport: float
    overhead: float
    model: float
    total: float


_LINE = (
    f'{{"event": "{KIND}", ' + ", ".join(f'"{key}": %s' for key in (*KEYS, STAMP)) + "}"
)  # values in order
_WITH_LATENCY = (
    f'%s, "{LATENCY}": {{' + ", ".join(f'"{key}": %.3f' for key in Latency._fields) + "}}"
)


@dataclass(frozen=True)
class DecisionMade(Event):
    """A decision, the LSL ``stamp`` of its onset, and its delays, as far as known.

    ``file`` is the recording's name, in a replay of several.
    """

    KIND: ClassVar[str] = KIND
    decision: Decision
    stamp: float | None = field(default=None, kw_only=True)
    latency: Latency | None = field(default=None, kw_only=True)
    file: str | None = field(default=None, kw_only=True)

    def as_json(self) -> Values:
        """JSON object; ``index`` in samples, ``onset`` in seconds."""
        values: Values = {self.FIRST: KIND, **{key: getattr(self.decision, key) for key in KEYS}}
        if self.stamp is not None:
            values[STAMP] = self.stamp
        if self.latency is not None:
            values[LATENCY] = self.latency._asdict()
        if self.file is not None:
            values[FILE] = self.file
        return values

    @classmethod
    def from_json(cls, values: Values) -> Self:
        """Decision of a JSON object; raises ``ValueError`` for anything else."""
        if missing := [key for key in KEYS if key not in values]:
            raise ValueError(f"{missing[0]} is missing")
        index, onset, true, label, probabilities, flags, rejected = (values[key] for key in KEYS)
        if not isinstance(index, int) or isinstance(index, bool):
            raise ValueError("index is a whole number")
        if not isinstance(probabilities, dict) or not isinstance(flags, list):
            raise ValueError("probabilities are an object, flags a list")
        decision = Decision(
            index=index,
            onset=_number(onset),
            true=_text(true),
            label=_text(label),
            probabilities={name: _number(p) for name, p in probabilities.items()},
            flags=tuple(map(str, flags)),
            rejected=_text(rejected),
        )
        stamp, file = values.get(STAMP), values.get(FILE)
        return cls(
            decision,
            stamp=None if stamp is None else _number(stamp),
            latency=_latency(values.get(LATENCY)),
            file=_text(file),
        )


def decision_line(decision: Decision, stamp: float) -> str:
    """``line(DecisionMade(decision, stamp=stamp))``, fast enough for the live path."""
    d = decision
    odds = ", ".join([f"{_json_of(k)}: {round(v, DIGITS)}" for k, v in d.probabilities.items()])
    flags = ", ".join([_json_of(each) for each in d.flags])
    return _LINE % (
        d.index, round(d.onset, DIGITS), _json_of(d.true), _json_of(d.label),
        f"{{{odds}}}", f"[{flags}]", _json_of(d.rejected), round(stamp, DIGITS),
    )  # fmt: skip


def with_latency(text: str, transport: float, overhead: float, model: float, total: float) -> str:
    """Line of a decision with its delays, milliseconds, put in at the last moment."""
    return _WITH_LATENCY % (text[:-1], transport, overhead, model, total)


def _latency(value: object) -> Latency | None:
    """Delays of a JSON object, or None if one is missing or not a number."""
    if not isinstance(value, Mapping):
        return None
    try:
        return Latency(*(_number(value[stage]) for stage in Latency._fields))
    except (KeyError, ValueError):
        return None


def _number(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError(f"a number was expected, not {type(value).__name__}")
    return float(value)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


@lru_cache(256)
def _json_of(text: str | None) -> str:
    """JSON of one text."""
    return json.dumps(text, ensure_ascii=False)
