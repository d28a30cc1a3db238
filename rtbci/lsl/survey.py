"""Survey of all streams of the lab: description, measured rate and age, and warnings.

Each stream has a thread and every call a timeout, so a stream that does not answer is reported and
cannot block the survey.
"""

import socket
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pylsl

from rtbci.errors import RtbciError
from rtbci.formats.units import named
from rtbci.lsl.description import Description
from rtbci.lsl.inlet import Inlet, clock
from rtbci.lsl.resolve import DiscoveredStream
from rtbci.types import Array

# Time limit for a stream's description, s.
OPEN_S = 2.0
# Time limit for its clock offset, s; liblsl needs 0.65 s for a first estimate.
OFFSET_S = 1.5
# Time in addition to all limits before a stream counts as not answering, s.
GRACE_S = 2.0
# Share by which the measured rate may differ from the nominal one.
OFF_RATE = 0.01
# Stamps closer than this share the error of one transmission, s.
INDEPENDENT_S = 0.1
# Stamps further from now than this are of another clock, s.
FOREIGN_CLOCK_S = 60.0
# Smallest number of samples for a rate.
FEWEST = 5
# Largest number of streams opened at once; a lab has about a dozen.
MOST_AT_ONCE = 64


@dataclass(frozen=True)
class SurveyedStream:
    """Result of the survey for one stream; ``flags`` are warnings as sentences."""

    about: Description
    samples: int  # received during the survey
    rate: float | None  # Hz by its stamps; None with too few samples, or for an irregular stream
    rate_error: float | None  # Hz, standard error
    age: float | None  # s between its newest stamp and now, on its sender's clock
    answered: bool
    flags: tuple[str, ...] = ()

    @property
    def labelled(self) -> bool:
        """Whether its channels have labels."""
        made = (f"channel {number}" for number in range(1, self.about.count + 1))
        return bool(self.about.channels) and self.about.channels != tuple(made)


def survey(found: Sequence[DiscoveredStream], seconds: float = 2.0) -> list[SurveyedStream]:
    """Results for all streams, in the order given; reads them in parallel for ``seconds``."""
    results: dict[int, SurveyedStream] = {}
    threads: list[threading.Thread] = []
    for place, each in enumerate(found[:MOST_AT_ONCE]):

        def listen(place: int = place, each: DiscoveredStream = each) -> None:
            results[place] = _listen(each, seconds)

        # A daemon thread, because a call of liblsl that never returns must not block the exit.
        threads.append(threading.Thread(target=listen, name=f"survey-{place}", daemon=True))
        threads[-1].start()
    until = time.monotonic() + OPEN_S * 2 + OFFSET_S + seconds + GRACE_S
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    silent = [SurveyedStream(each.about, 0, None, None, None, answered=False) for each in found]
    seen = [results.get(place, silent[place]) for place in range(len(found))]
    return [_flagged(each, seen) for each in seen]


def rate_of(stamps: Array) -> tuple[float | None, float | None]:
    """Rate in Hz by a line fitted to ``stamps`` (n,), seconds, and its standard error.

    A line is used because stamps advance in steps of a chunk, so that the first and last stamp
    alone could be wrong by a whole chunk.
    """
    n = len(stamps)
    if n < FEWEST:
        return None, None
    x = np.arange(n) - (n - 1) / 2
    length = float(x @ x)
    y = stamps - stamps.mean()
    period = float(x @ y) / length  # s a sample
    if period <= 0:
        return None, None
    span = period * (n - 1)
    residual = float(np.std(y - period * x))
    independent = max(2.0, min(float(n), span / INDEPENDENT_S))
    relative = residual * np.sqrt(12 / independent) / span
    return 1 / period, float(relative / period)


def _listen(found: DiscoveredStream, seconds: float) -> SurveyedStream:
    about = found.about
    try:
        inlet = Inlet(found, buffer_s=max(10, round(seconds) + 10))
        about = inlet.open(OPEN_S)
    except RtbciError as error:
        return SurveyedStream(about, 0, None, None, None, answered=False, flags=(str(error),))
    offset = inlet.offset(OFFSET_S)
    inlet.pull()  # discard what queued up while the clock offset was measured
    parts: list[Array] = []
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        _, stamps = inlet.pull(min(left, 0.1))
        if len(stamps):
            parts.append(stamps.copy())
    now = clock()
    inlet.close()
    stamps = np.concatenate(parts) if parts else np.empty(0)
    rate, error = rate_of(stamps) if about.rate > 0 else (None, None)
    age = now - (float(stamps[-1]) + offset) if len(stamps) and offset is not None else None
    return SurveyedStream(about, len(stamps), rate, error, age, answered=True)


def _flagged(seen: SurveyedStream, everyone: Sequence[SurveyedStream]) -> SurveyedStream:
    flags = (*seen.flags, *_identity(seen, everyone), *_content(seen), *_timing(seen))
    return SurveyedStream(
        seen.about, seen.samples, seen.rate, seen.rate_error, seen.age, seen.answered, flags
    )


def _identity(seen: SurveyedStream, everyone: Sequence[SurveyedStream]) -> list[str]:
    """Warnings about the identity of a stream: source_id, name, host."""
    about, flags = seen.about, list[str]()
    sources = Counter(each.about.source_id for each in everyone)
    names = Counter(each.about.name for each in everyone)
    if not about.source_id:
        flags.append("no source_id: it cannot be found again after a break; set one in its sender")
    elif sources[about.source_id] > 1:
        flags.append(
            f"{sources[about.source_id]} streams share its source_id: LSL recovers none of them; "
            "stop all but one"
        )
    if names[about.name] > 1:
        flags.append(
            f"{names[about.name]} streams have its name; choose one by its source_id or uid"
        )
    if about.host != socket.gethostname() and not is_encrypted():
        flags.append(
            f"comes from {about.host} unencrypted; use a network that strangers cannot reach"
        )
    return flags


def _content(seen: SurveyedStream) -> list[str]:
    """Warnings about missing labels and units, which a signal needs."""
    about = seen.about
    if not seen.answered or about.rate == 0 or about.format == "string":
        return []
    flags = []
    if not seen.labelled:
        flags.append("its channels have no labels; --rename FILE gives them names")
    is_eeg = about.kind.upper() == "EEG" or "EEG" in {kind.upper() for kind in about.types}
    if is_eeg and not any(named(unit) for unit in about.units):
        flags.append("it states no unit; --unit uV (or V) says which")
    return flags


def _timing(seen: SurveyedStream) -> list[str]:
    about = seen.about
    if not seen.answered:
        return [] if seen.flags else ["does not answer; is a firewall between? (rtbci doctor)"]
    if about.rate > 0 and not seen.samples:
        return ["silent: it is there but sends nothing; start the amplifier's recording or display"]
    flags = []
    if seen.rate is not None and seen.rate_error is not None:
        off = seen.rate / about.rate - 1
        if abs(off) > max(OFF_RATE, 3 * seen.rate_error / about.rate):
            flags.append(
                f"it says {about.rate:g} Hz and stamps {seen.rate:.4g} Hz ({off:+.1%}); set the "
                "rate in its sender"
            )
    replayed = "speed" in about.fields  # its stamps follow the recording's time
    if seen.age is not None and abs(seen.age) > FOREIGN_CLOCK_S and not replayed:
        flags.append(
            f"its stamps are {abs(seen.age):.3g} s away from now; have its sender use the LSL clock"
        )
    return flags


def is_encrypted() -> bool:
    """Whether this liblsl can encrypt; standard builds cannot."""
    return "security" in pylsl.library_info().lower()
