"""Bridge from live streams to mne-realtime, so that scripts with ``RtEpochs`` run unchanged.

    with mne_bridge.connect({"target": 1, "other": 2}) as client:
        epochs = mne_bridge.rt_epochs(client, -0.1, 0.8, baseline=None)
        epochs.start()
        for epoch in epochs: ...

Markers become one-sample pulses in a stim channel, at their sample index. ``epochs.events`` has
sample indices since the start of the stream, gaps included, as everywhere else. After a gap (or a
reset) ``RtEpochs`` starts again: no epoch spans a gap, and epochs lost in this way are counted in
``client.lost``. Nothing on the live path imports this module; mne-realtime itself is discontinued.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np

from rtbci.errors import BadInput, Missing, RtbciError
from rtbci.signal.montage import position
from rtbci.types import Array, Chunk, Gap, Marker, StreamInfo

if TYPE_CHECKING:
    import mne

logger = logging.getLogger(__name__)

STIM = "STI 014"  # RtEpochs's default channel of events
TYPES = {"EEG": "eeg", "EOG": "eog", "EMG": "emg", "ECG": "ecg", "STIM": "stim"}  # others: misc
VOLTAGE = ("EEG", "EOG", "EMG", "ECG")
FIDUCIALS = {"nasion": (1, 85, -35), "lpa": (-81, -29, -41), "rpa": (84, -29, -41)}  # mm, 10-05
VOLT = 1e-6  # factor from microvolts to volts, MNE's unit
# Time for which samples are held back for markers that arrive after their data, s.
MARKER_WAIT_S = 0.5
# Length of a buffer for RtEpochs, s.
BUFFER_S = 0.1
PULL_S = 0.05
# Silence after which the remaining samples are sent in a shorter buffer, s.
REST_S = 1.0
# Time limit for the receiving thread to end, s.
CLOSE_S = 5.0


class BridgeSource(Protocol):
    """A live signal, such as ``rtbci.lsl.signal.SignalStream``."""

    info: StreamInfo
    refused: str | None
    ended: bool

    def pull(self, timeout: float) -> list[Chunk | Gap]: ...
    def index_at(self, stamp: float) -> int | None: ...


def mne_info(info: StreamInfo, stim: str | None = None) -> "mne.Info":
    """``mne.Info`` of a stream: names, types and positions; ``stim`` adds that channel.

    Electrodes get their position in the standard 10-05 system; other labels get none.
    """
    import mne

    names = [*info.channels, *([stim] if stim else [])]
    types: Any = [TYPES.get(kind, "misc") for kind in info.types] + (["stim"] if stim else [])
    out = mne.create_info(names, info.rate, types, verbose="ERROR")
    eeg = [name for name, kind in zip(info.channels, info.types, strict=True) if kind == "EEG"]
    places = {name: position(name) for name in eeg}
    known = {name: np.array(place) / 1000 for name, place in places.items() if place is not None}
    if known:
        fiducials = {key: np.array(place) / 1000 for key, place in FIDUCIALS.items()}
        montage = mne.channels.make_dig_montage(known, **fiducials, coord_frame="unknown")
        out.set_montage(montage, on_missing="ignore", verbose="ERROR")
    if len(known) < len(eeg):
        unknown = ", ".join(name for name in eeg if name not in known)
        logger.info("no position for %s: not in the 10-05 system", unknown)
    return out


def to_volts(info: StreamInfo) -> Array:
    """Factor of each channel, (channels,), from microvolts to MNE's unit."""
    return np.array([VOLT if kind in VOLTAGE else 1.0 for kind in info.types])


class Client:
    """Client for ``RtEpochs``: buffers (channels, times) in volts, pushed by one thread.

    ``event_id`` maps marker labels to numbers, 1 or more; other labels are ignored. ``markers``
    returns the markers since the last call with their stamps in the signal's clock. A marker may
    arrive up to ``marker_wait_s`` s after its data, and every epoch is delayed by that time.
    """

    verbose = None  # read by RtEpochs

    def __init__(
        self,
        source: BridgeSource,
        markers: Callable[[], list[tuple[float, Marker]]],
        event_id: Mapping[str, int],
        *,
        marker_wait_s: float = MARKER_WAIT_S,
        buffer_s: float = BUFFER_S,
        clock: Callable[[], float] = time.monotonic,
        close: Callable[[], None] = lambda: None,
    ) -> None:
        numbers = list(event_id.values())
        if not numbers or min(numbers) < 1 or len(set(numbers)) < len(numbers):
            raise BadInput(f"event_id gives each label its own number from 1 on; found {event_id}")
        taken = source.info.channels
        self.stim = STIM if STIM not in taken else f"{STIM} of rtbci"
        self.info = mne_info(source.info, self.stim)
        self.event_id = dict(event_id)
        self.index = 0  # sample index of the first sample of the buffer that is being pushed
        self.gaps: list[Gap] = []
        self.lost = 0  # events whose epochs are cut by a gap or by the start
        self.late = 0  # markers that arrived after their samples were sent
        self.error: Exception | None = None  # exception that ended the thread
        self._source, self._markers, self._clock, self._close = source, markers, clock, close
        self._wait = marker_wait_s
        self._size = max(2, round(buffer_s * source.info.rate))
        self._volts = np.append(to_volts(source.info), 1.0)
        self._callbacks: list[Callable[[Array], None]] = []
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._queue: deque[tuple[float, Chunk | Gap]] = deque()  # with the time of arrival
        self._part = np.empty((0, len(taken) + 1))  # next rows to send, the stim channel last
        self._head: int | None = None  # sample index of the first row of ``_part``
        self._start = 0  # sample index after the latest gap
        self._pulses: dict[int, int] = {}  # sample index -> number, not yet written
        self._early: list[tuple[float, Marker]] = []  # markers before the first sample
        self._newest = clock()  # time of the latest arrival

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get_measurement_info(self) -> "mne.Info":
        """``mne.Info`` of the buffers; called by RtEpochs."""
        return self.info

    def register_receive_callback(self, callback: Callable[[Array], None]) -> None:
        """Call ``callback(buffer)`` for every buffer (channels, times), volts."""
        if callback not in self._callbacks:
            self._callbacks.append(callback)
            if self._head is not None:
                self._begin(callback, self._head)

    def unregister_receive_callback(self, callback: Callable[[Array], None]) -> None:
        """Stop calling ``callback``."""
        if callback in self._callbacks:
            self._callbacks.remove(callback)

    def start_receive_thread(self, nchan: int | None = None) -> None:
        """Start to receive. Idempotent."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._receive, name="mne-bridge", daemon=True)
            self._thread.start()

    def stop_receive_thread(self, stop_measurement: bool = False) -> None:
        """Stop receiving, for good. Raises the exception that ended the thread, if any."""
        self._stopping.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(CLOSE_S)
            error, self.error = self.error, None
            if error is not None:
                raise error

    def close(self) -> None:
        """Stop receiving and unsubscribe; raises as ``stop_receive_thread``. Idempotent."""
        close, self._close = self._close, lambda: None
        try:
            self.stop_receive_thread()
        finally:
            close()

    def turn(self) -> None:
        """Pull once and push the buffers that are due; the whole work of the thread."""
        items = self._source.pull(PULL_S)
        now = self._clock()
        self._queue += [(now, _kept(item)) for item in items]
        if items:
            self._newest = now
        early, self._early = self._early, []
        for stamp, marker in [*early, *self._markers()]:
            self._event(stamp, marker)
        is_over = self._source.ended or self._source.refused is not None
        while self._queue and (is_over or self._queue[0][0] <= now - self._wait):
            self._take(self._queue.popleft()[1])
        is_silent = not self._queue and now - self._newest > max(REST_S, self._wait)
        # RtEpochs needs the previous buffer too, which must not be the shorter one.
        is_long = self._head is not None and self._head - self._start >= self._size
        if self._head is not None and (is_over or (is_silent and is_long)):
            self._push(len(self._part))
        if self._source.refused:
            raise BadInput(f"the stream came back and cannot be used: {self._source.refused}")
        if self._source.ended:
            raise BadInput("the sender has begun another recording; connect again for that one")

    def _receive(self) -> None:
        try:
            while not self._stopping.is_set():
                self.turn()
        except Exception as error:  # noqa: BLE001  # raised again where the thread is stopped
            self.error = error
            logger.error("no more epochs: %s", error)
        for callback in list(self._callbacks):  # end an iteration that waits for the next epoch
            stop = getattr(getattr(callback, "__self__", None), "stop", None)
            if stop is not None:
                stop(stop_receive_thread=False)

    def _event(self, stamp: float, marker: Marker) -> None:
        number = self.event_id.get(marker.label)
        if number is None:
            return
        index = self._source.index_at(stamp)
        if index is None:
            self._early.append((stamp, marker))
        elif index < (0 if self._head is None else self._head):
            self.late += 1
            logger.warning("marker %r of sample %d came too late", marker.label, index)
        elif self._pulses.setdefault(index, number) != number:
            self.lost += 1
            logger.warning("two markers at sample %d: %r is left out", index, marker.label)

    def _take(self, item: Chunk | Gap) -> None:
        """Process rows or a gap for which all markers have arrived."""
        if isinstance(item, Gap):
            self._restart(item.index + item.missing)
            self.gaps.append(item)
            return
        if self._head is None or item.index != self._head + len(self._part):
            self._restart(item.index)
        rows = np.column_stack([item.x, np.zeros(len(item.x))])
        self._part = np.concatenate([self._part, rows * self._volts])
        while len(self._part) >= self._size:
            self._push(self._size)

    def _restart(self, index: int) -> None:
        """Start a new stretch, whose first sample has ``index``."""
        if self._head is not None:
            self._push(len(self._part))
        for callback in self._callbacks:
            self._begin(callback, index)
        for at in [at for at in self._pulses if at < index]:
            del self._pulses[at]
            self.lost += 1
        self._head = self._start = index

    def _begin(self, callback: Callable[[Array], None], index: int) -> None:
        """Set the position of the ``RtEpochs`` of ``callback``, which has no method for that."""
        epochs: Any = getattr(callback, "__self__", None)
        if hasattr(epochs, "_event_backlog"):
            self.lost += len(epochs._event_backlog)
            epochs._first_samp, epochs._last_buffer, epochs._event_backlog = index, None, []

    def _push(self, n: int) -> None:
        """Send the next ``n`` rows with their pulses."""
        assert self._head is not None
        rows, self._part = self._part[:n], self._part[n:]
        if not n:
            return
        reach = max(
            (-round(self.info["sfreq"] * _tmin(callback)) for callback in self._callbacks),
            default=0,
        )
        for row in range(n):
            number = self._pulses.pop(self._head + row, None)
            if number is None:
                continue
            # An epoch that starts before the stretch would be too short, and a pulse in the first
            # sample of the stretch would not be a rising edge.
            if self._head + row - max(reach, 1) < self._start:
                self.lost += 1
            else:
                rows[row, -1] = number
        self.index = self._head
        self._head += n
        for callback in list(self._callbacks):
            callback(np.ascontiguousarray(rows.T))


def _kept(item: Chunk | Gap) -> Chunk | Gap:
    """Copy of ``item`` that stays valid after the next pull."""
    return Chunk(item.index, item.x.copy()) if isinstance(item, Chunk) else item


def _tmin(callback: Callable[[Array], None]) -> float:
    return float(getattr(getattr(callback, "__self__", None), "tmin", 0.0))


def rt_epochs(client: Client, tmin: float, tmax: float, **more: Any) -> Any:
    """``mne_realtime.RtEpochs`` of the client's events, ``tmin`` to ``tmax`` s around each.

    ``more`` are further arguments of it. Raises ``Missing`` if mne-realtime is not installed.
    """
    try:
        from mne_realtime import RtEpochs
    except ImportError:
        raise Missing("mne-realtime is not installed (pip install 'rtbci[mne]')") from None

    class Epochs(RtEpochs):
        """``RtEpochs`` that accepts the arguments of newer versions of MNE."""

        def _get_data(
            self, out: bool = True, picks: Any = None, item: Any = None, **_: Any
        ) -> Array | None:
            return super()._get_data(out, picks, item)

    return Epochs(client, client.event_id, tmin, tmax, stim_channel=client.stim, **more)


def connect(
    event_id: Mapping[str, int],
    stream: str | None = None,
    *,
    unit: str | None = None,
    session: str | None = None,
    scope: str | None = None,
    timeout: float = 10.0,
    marker_wait_s: float = MARKER_WAIT_S,
) -> Client:
    """Client for the EEG stream ``stream`` (name, source_id or uid; default: the only one).

    Markers come from all marker streams. ``session`` and ``scope`` are those of LSL; they have no
    effect if the process has used LSL before. Raises ``Missing`` if nothing is found within
    ``timeout`` s, and ``BadInput`` if the choice is ambiguous.
    """
    from rtbci.lsl.config import configure
    from rtbci.lsl.pair import SignalWithMarkers, any_layout, search

    configure(session, scope)
    pair = SignalWithMarkers()
    found = search(pair, stream, timeout=timeout)
    assert found is not None, "search raises if there is no stream"
    signal = pair.open(found, any_layout(unit))
    try:
        return Client(
            signal, pair.pull_markers, event_id, marker_wait_s=marker_wait_s, close=pair.close
        )
    except RtbciError:
        pair.close()
        raise
