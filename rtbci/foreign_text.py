"""Text of unknown origin made safe: labels without control characters, JSON without surprises."""

import json
from typing import Any

JSON_DEPTH = 32
TEXT_CHARS = 1000  # a longer label or name is cut


def clean(text: str) -> str:
    """``text`` without control characters, of bounded length: fit to be a label or a name."""
    kept = "".join(c if c.isprintable() else " " for c in text[: 4 * TEXT_CHARS])
    return " ".join(kept.split())[:TEXT_CHARS]


def parse_json(text: str) -> Any:
    """The value of ``text``; raises ``ValueError`` for depth, NaN, infinities, double keys."""
    depth = deepest = 0
    quoted = escaped = False
    for c in text:
        if escaped:
            escaped = False
        elif quoted:
            escaped, quoted = c == "\\", c != '"'
        elif c == '"':
            quoted = True
        elif c in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif c in "]}":
            depth -= 1
    if deepest > JSON_DEPTH:
        raise ValueError(f"nested {deepest} deep, at most {JSON_DEPTH} are read")
    return json.loads(text, parse_constant=_no_constant, object_pairs_hook=_unique)


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key appears twice in one object")
    return found
