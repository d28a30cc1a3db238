"""Messages as JSON objects on one line: the writer, and a parser that no foreign line can break.

    line(GapFound(index=250, missing=12, reason="missing samples", box="decode"))
    parse(text)      the message, or None

A message is a frozen dataclass whose fields are the keys of its object, in that order, after the
key ``event`` or ``do`` with the kind. A field with a default is left out while it has it. Several
classes may share a kind (``done`` of the recorder and of the decoder): a line is read as the first
of them whose required fields it has, with the right types, and otherwise as ``OtherEvent`` or
``OtherOrder``. Keys that the class does not have are kept in ``more``, so that an event can be
passed on without loss.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from functools import cache
from types import NoneType
from typing import Any, ClassVar, Self, TypeVar, get_args, get_origin, get_type_hints

DIGITS = 9  # of figures in JSON
LONGEST = 2**20  # characters of a line that is parsed
DEEPEST = 12  # levels of nesting that are parsed
LARGEST = 2**63  # bound of whole numbers that are parsed

Values = dict[str, object]
Read = Callable[[object], object]  # raises ValueError


@dataclass(frozen=True)
class Message:
    """Base of all messages; ``more`` holds keys of a parsed line that its class does not have."""

    FIRST: ClassVar[str] = ""  # key of the kind: "event" or "do"
    KIND: ClassVar[str] = ""
    more: Mapping[str, object] = field(default_factory=dict, kw_only=True)

    def __init_subclass__(cls, **given: Any) -> None:
        super().__init_subclass__(**given)
        if cls.KIND:
            # A class that adds fields to another one of its kind is defined later and tried first.
            _FORMS.setdefault((cls.FIRST, cls.KIND), []).insert(0, cls)

    @property
    def kind(self) -> str:
        """Kind of the message, as in its JSON object."""
        return self.KIND

    def as_json(self) -> Values:
        """JSON object of the message; optional fields without a value are left out."""
        values: Values = {self.FIRST: self.kind}
        for each in _keys(type(self)):
            value = getattr(self, each.name)
            if not each.optional or value != each.default:
                values[each.name] = value
        return {**values, **self.more}

    @classmethod
    def from_json(cls, values: Values) -> Self:
        """Message of a JSON object; raises ``ValueError`` for one of another class."""
        given: dict[str, Any] = {}
        rest = {key: value for key, value in values.items() if key != cls.FIRST}
        for each in _keys(cls):
            if each.name not in rest:
                if not each.optional:
                    raise ValueError(f"{each.name} is missing")
                continue
            try:
                given[each.name] = each.read(rest[each.name])
            except ValueError:
                if not each.optional:
                    raise
            del rest[each.name]
        return cls(**given, more=rest)


M = TypeVar("M", bound=Message)

_FORMS: dict[tuple[str, str], list[type[Message]]] = {}  # classes by key and kind
_OTHERS: dict[str, type[Message]] = {}  # by key: the class for unknown kinds


def others(cls: type[M]) -> type[M]:
    """Register the class of objects that no other class of its key accepts."""
    _OTHERS[cls.FIRST] = cls
    return cls


def line(values: Message | Mapping[str, object]) -> str:
    """One JSON object on one line; a number that is not finite becomes null."""
    return json.dumps(_plain(values), ensure_ascii=False, allow_nan=False)


def result_kind(kind: str) -> Values:
    """First key of the JSON object that a command prints as its result."""
    return {"event": kind}


def parse(text: str | bytes) -> Message | None:
    """Message on a line, or None for anything else; never raises.

    Numbers that are not finite, or beyond 64 bits, are read as null.
    """
    return from_json(json_object(text))


def json_object(text: str | bytes) -> Values | None:
    """JSON object on a line, or None for anything else; never raises."""
    if len(text) > LONGEST:
        return None
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return values if isinstance(values, dict) else None


def from_json(values: object) -> Message | None:
    """Message of a JSON object, or None for anything else; never raises."""
    try:
        found = _bounded(values, DEEPEST)
    except ValueError:
        return None
    if not isinstance(found, dict):
        return None
    for first, other in _OTHERS.items():
        if first not in found:
            continue
        kind = found[first]
        for form in _FORMS.get((first, kind), ()) if isinstance(kind, str) else ():
            try:
                return form.from_json(found)
            except ValueError:
                continue
        try:
            return other.from_json(found)
        except ValueError:
            return None
    return None


@dataclass(frozen=True)
class MessageField:
    """One field of a message class as it stands in JSON."""

    name: str
    read: Read
    optional: bool
    default: object


@cache
def _keys(cls: type) -> tuple[MessageField, ...]:
    """Fields of a message class, in the order of its JSON object."""
    hints = get_type_hints(cls)
    return tuple(
        MessageField(
            each.name, _reader(hints[each.name]), each.default is not MISSING, each.default
        )
        for each in fields(cls)
        if each.name != "more"
    )


@cache
def _reader(hint: Any) -> Read:
    """Reader of a JSON value for a type hint; it raises ``ValueError`` for another type."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is object:
        return lambda value: value
    if hint in (str, bool, int, float, NoneType):
        return _scalar(hint)
    if origin is tuple:
        return _sequence(arguments)
    if origin is not None and issubclass(origin, Mapping):
        of_value = _reader(arguments[1])
        return lambda value: {key: of_value(each) for key, each in _a(dict, value).items()}
    if arguments:
        return _one_of([_reader(each) for each in arguments])
    if issubclass(hint, Message):
        return _message(hint)
    return lambda value: _value(hint, _a(dict, value))


def _scalar(kind: type) -> Read:
    allowed = (int, float) if kind is float else (kind,)

    def read(value: object) -> object:
        if not isinstance(value, allowed) or (isinstance(value, bool) and kind is not bool):
            raise ValueError(f"{kind.__name__} expected, not {type(value).__name__}")
        return value

    return read


def _sequence(arguments: tuple[Any, ...]) -> Read:
    """Reader of a list: of any length, or of one with an entry for each of ``arguments``."""
    if arguments[-1] is not ...:
        each = [_reader(hint) for hint in arguments]

        def fixed(value: object) -> object:
            found = _a(list, value)
            if len(found) != len(each):
                raise ValueError(f"{len(each)} entries expected, not {len(found)}")
            return tuple(read(one) for read, one in zip(each, found, strict=True))

        return fixed
    read = _reader(arguments[0])
    if not (isinstance(arguments[0], type) and issubclass(arguments[0], Message)):
        return lambda value: tuple(read(one) for one in _a(list, value))

    def messages(value: object) -> object:
        """Messages of the list; other values are left out."""
        found = (from_json(one) for one in _a(list, value))
        return tuple(one for one in found if isinstance(one, arguments[0]))

    return messages


def _one_of(readers: list[Read]) -> Read:
    def read(value: object) -> object:
        for each in readers:
            try:
                return each(value)
            except ValueError:
                continue
        raise ValueError(f"{type(value).__name__} was not expected")

    return read


def _message(cls: type[Message]) -> Read:
    def read(value: object) -> object:
        found = from_json(value)
        if not isinstance(found, cls):
            raise ValueError(f"{cls.__name__} expected")
        return found

    return read


def _value(cls: type, values: Values) -> object:
    """Plain dataclass of a JSON object; keys that it does not have are left out."""
    try:
        return cls(**{each.name: each.read(values[each.name]) for each in _keys(cls)})
    except KeyError as error:
        raise ValueError(f"{error} is missing") from error


def _a(kind: type, value: object) -> Any:
    if not isinstance(value, kind):
        raise ValueError(f"{kind.__name__} expected, not {type(value).__name__}")
    return value


def _bounded(value: object, levels: int) -> object:
    """Value whose numbers, texts and depth are safe for every reader.

    Raises ``ValueError`` for deeper nesting.
    """
    if isinstance(value, str):
        # Half a surrogate pair is valid in JSON and cannot be written to a file or a socket.
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return value if abs(value) < LARGEST else None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if not levels:
        raise ValueError(f"more than {DEEPEST} levels")
    if isinstance(value, list):
        return [_bounded(each, levels - 1) for each in value]
    if isinstance(value, dict):
        return {
            str(_bounded(key, levels)): _bounded(each, levels - 1) for key, each in value.items()
        }
    raise ValueError(f"{type(value).__name__} is not of JSON")


def _plain(value: object) -> object:
    if isinstance(value, Message):
        return _plain(value.as_json())
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return round(value, DIGITS) if math.isfinite(value) else None
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    return value
