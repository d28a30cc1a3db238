"""Lines of ``events.jsonl``: an event, when it happened, and the hash of the line before."""

from dataclasses import dataclass

from rtbci.messages.events import Event
from rtbci.messages.wire import LARGEST, from_json, json_object, line

TIME, MONOTONIC, PREVIOUS = "time", "monotonic", "previous"


@dataclass(frozen=True)
class LogLine:
    """Line of the log; ``event`` is None for an unknown object.

    ``time`` is the wall clock in ISO 8601, ``monotonic`` seconds of a clock for differences,
    ``previous`` the SHA-256 of the line before.
    """

    event: Event | None
    time: str
    monotonic: float
    previous: str


def log_line(logged: LogLine) -> str:
    """JSON of one line, without the line feed."""
    assert logged.event is not None
    values = logged.event.as_json()
    first = {Event.FIRST: values.pop(Event.FIRST)}
    when = {TIME: logged.time, MONOTONIC: logged.monotonic}
    return line({**first, **when, **values, PREVIOUS: logged.previous})


def parse_log_line(text: bytes) -> LogLine | None:
    """Line of the log, or None if it is torn: not a JSON object. Never raises."""
    values = json_object(text)
    if values is None:
        return None
    time, monotonic, previous = (values.pop(key, None) for key in (TIME, MONOTONIC, PREVIOUS))
    if not isinstance(monotonic, int | float) or abs(monotonic) >= LARGEST:
        monotonic = float("nan")
    event = from_json(values)
    return LogLine(
        event if isinstance(event, Event) else None,
        str(time),
        float(monotonic),
        str(previous),
    )
