"""Slow operations on inlets, in threads outside the recorder's loop: open, clock offset, close."""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from queue import SimpleQueue

from rtbci.errors import BadInput, Missing
from rtbci.lsl.description import Description
from rtbci.lsl.inlet import BUFFER_BYTES, Inlet, clock
from rtbci.lsl.resolve import DiscoveredStream
from rtbci.recorder.track import RecordedStream

# Time limit for an outlet to answer, s.
OPEN_S = 5.0
# Pause before an outlet that did not answer is tried again, s.
AGAIN_S = 1.0
# Interval of clock offset measurements of a stream, s.
OFFSET_S = 5.0
# Time limit of one measurement, s.
OFFSET_WAIT_S = 1.0


@dataclass(frozen=True)
class OpenedInlet:
    """An outlet that answered, with its inlet or the reason why it is not recorded."""

    found: DiscoveredStream
    inlet: Inlet | None
    about: Description
    trouble: str | None = None
    at: float = 0.0  # time at which it was collected, s of the recorder's clock


class InletOpener:
    """Opens inlets in the background, so that one that does not answer cannot delay others."""

    def __init__(self) -> None:
        self._busy = set[str]()  # uids
        self._done: SimpleQueue[OpenedInlet | str] = SimpleQueue()
        self._again = dict[str, float]()

    def ask(self, found: DiscoveredStream, now: float, buffer_bytes: float = BUFFER_BYTES) -> None:
        """Begin to open ``found``, unless that is being done; ``buffer_bytes`` for LSL at most."""
        uid = found.about.uid
        if uid in self._busy or now < self._again.get(uid, 0.0):
            return
        self._busy.add(uid)
        args = (found, buffer_bytes)
        threading.Thread(target=self._open, args=args, name="opener", daemon=True).start()

    def opened(self, now: float) -> list[OpenedInlet]:
        """Outlets that answered since the last call."""
        found = list[OpenedInlet]()
        while not self._done.empty():
            item = self._done.get()
            if isinstance(item, OpenedInlet):
                self._busy.discard(item.found.about.uid)
                found.append(replace(item, at=now))
            else:  # there was no answer
                self._busy.discard(item)
                self._again[item] = now + AGAIN_S
        return found

    def _open(self, found: DiscoveredStream, buffer_bytes: float) -> None:
        uid = found.about.uid
        try:
            inlet = Inlet(found, buffer_bytes=buffer_bytes)
            about = inlet.open(OPEN_S)
        except Missing:
            self._done.put(uid)
        except (BadInput, ValueError) as error:  # also UnicodeDecodeError, from an invalid header
            self._done.put(OpenedInlet(found, None, found.about, trouble=str(error)))
        except Exception as error:  # noqa: BLE001 liblsl may raise anything
            self._done.put(OpenedInlet(found, None, found.about, trouble=f"liblsl: {error}"))
        else:
            if about.uid != uid:  # it has just ended, and LSL connected to its successor
                inlet.close()
                self._done.put(uid)
            else:
                self._done.put(OpenedInlet(found, inlet, about))


class ClockOffsetReader:
    """Measures every stream's clock offset regularly and calls ``tell(track, at, offset)``.

    ``at`` is the time of the measurement by the stream's own clock, as XDF readers expect.
    """

    def __init__(self, tell: Callable[[RecordedStream, float, float], None]) -> None:
        self._tell = tell
        self._tracks = dict[int, RecordedStream]()
        self._due = dict[int, float]()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="offsets", daemon=True)
        self._thread.start()

    def watch(self, track: RecordedStream) -> None:
        """Measure the clock offset of ``track`` from now on, immediately for the first time."""
        self._due[track.number] = 0.0
        self._tracks[track.number] = track

    def close(self) -> None:
        """Stop measuring."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.wait(0.1):
            for number, track in list(self._tracks.items()):
                inlet = track.inlet
                if inlet is None or time.monotonic() < self._due[number] or self._stop.is_set():
                    continue
                offset = inlet.offset(OFFSET_WAIT_S)
                at = clock()
                self._due[number] = time.monotonic() + OFFSET_S
                if offset is not None and math.isfinite(offset) and not self._stop.is_set():
                    self._tell(track, at - offset, offset)


class InletCloser:
    """Destroys inlets in the background, since each takes up to half a second."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[Inlet | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="closer", daemon=True)
        self._thread.start()

    def close(self, inlet: Inlet) -> None:
        """Destroy ``inlet``, which must not be used any more."""
        self._queue.put(inlet)

    def finish(self, timeout: float) -> None:
        """Wait up to ``timeout`` s until all are destroyed."""
        self._queue.put(None)
        self._thread.join(timeout)

    def _run(self) -> None:
        while (inlet := self._queue.get()) is not None:
            inlet.close()
            del inlet
