"""From our live streams to mne-realtime: existing scripts with ``RtEpochs`` run on them unchanged.

    with mne_bridge.connect({"target": 1, "other": 2}) as client:
        epochs = mne_bridge.rt_epochs(client, -0.1, 0.8, baseline=None)
        epochs.start()
        for epoch in epochs: ...

Markers become one-sample pulses in a stim channel, at their sample index. ``epochs.events`` counts
as everything else here does: sample indices since the start of the stream, gaps included. Behind a
gap (or a reset) ``RtEpochs`` starts anew: no epoch spans it, and those that would are counted in
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

STIM = "STI 014"  # where RtEpochs looks for events unless told otherwise
TYPES = {"EEG": "eeg", "EOG": "eog", "EMG": "emg", "ECG": "ecg", "STIM": "stim"}  # others: misc
VOLTAGE = ("EEG", "EOG", "EMG", "ECG")
FIDUCIALS = {"nasion": (1, 85, -35), "lpa": (-81, -29, -41), "rpa": (84, -29, -41)}  # mm, 10-05
VOLT = 1e-6  # of a microvolt: MNE counts in volts
MARKER_WAIT_S = 0.5  # samples are kept back so long, for markers that come behind their data
BUFFER_S = 0.1  # of signal that RtEpochs gets at once
PULL_S = 0.05
REST_S = 1.0  # without a sample; then the rest goes out in a shorter buffer
CLOSE_S = 5.0  # patience with the receiving thread


class BridgeSource(Protocol):
    """A live signal: what ``rtbci.lsl.signal.Signal`` is to the bridge."""

    info: StreamInfo
    refused: str | None
    ended: bool

    def pull(self, timeout: float) -> list[Chunk | Gap]: ...
    def index_at(self, stamp: float) -> int | None: ...


def mne_info(info: StreamInfo, stim: str | None = None) -> "mne.Info":
    """What MNE wants to know of a stream: names, types, positions; ``stim`` adds that channel.

    Electrodes get their place in the standard 10-05 system; a label that is not in it has none.
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
    """(channels,) factor of each from microvolts to what MNE counts in."""
    return np.array([VOLT if kind in VOLTAGE else 1.0 for kind in info.types])


class Client:
    """What ``RtEpochs`` calls a client: buffers (channels, times) in volts, pushed by one thread.

    ``event_id`` gives each marker label that matters its number, 1 or more. ``markers`` returns
    what came since the last call: stamps in the signal's clock, and markers. A marker may come
    ``marker_wait_s`` s behind its data; every epoch comes so much later.
    """

    verbose = None  # RtEpochs asks for it

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
        self.lost = 0  # events whose epochs a gap, or the start, cut
        self.late = 0  # markers that came after their samples had gone out
        self.error: Exception | None = None  # why it ended by itself
        self._source, self._markers, self._clock, self._close = source, markers, clock, close
        self._wait = marker_wait_s
        self._size = max(2, round(buffer_s * source.info.rate))
        self._volts = np.append(to_volts(source.info), 1.0)
        self._callbacks: list[Callable[[Array], None]] = []
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._queue: deque[tuple[float, Chunk | Gap]] = deque()  # with the time of arrival
        self._part = np.empty((0, len(taken) + 1))  # next rows to go out, the stim channel last
        self._head: int | None = None  # sample index of the first row of ``_part``
        self._start = 0  # sample index at which the present stretch without a gap starts
        self._pulses: dict[int, int] = {}  # sample index -> number, not yet written
        self._early: list[tuple[float, Marker]] = []  # before the first sample
        self._newest = clock()  # when something came

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get_measurement_info(self) -> "mne.Info":
        """For RtEpochs."""
        return self.info

    def register_receive_callback(self, callback: Callable[[Array], None]) -> None:
        """``callback(buffer)`` is called for every buffer (channels, times), volts."""
        if callback not in self._callbacks:
            self._callbacks.append(callback)
            if self._head is not None:
                self._begin(callback, self._head)

    def unregister_receive_callback(self, callback: Callable[[Array], None]) -> None:
        """Call it no more."""
        if callback in self._callbacks:
            self._callbacks.remove(callback)

    def start_receive_thread(self, nchan: int | None = None) -> None:
        """Begin to receive; twice is fine."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._receive, name="mne-bridge", daemon=True)
            self._thread.start()

    def stop_receive_thread(self, stop_measurement: bool = False) -> None:
        """Stop receiving, for good. Raises what ended it, where it ended by itself."""
        self._stopping.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(CLOSE_S)
            error, self.error = self.error, None
            if error is not None:
                raise error

    def close(self) -> None:
        """Stop receiving and unsubscribe; raises as ``stop_receive_thread``. Twice is fine."""
        close, self._close = self._close, lambda: None
        try:
            self.stop_receive_thread()
        finally:
            close()

    def turn(self) -> None:
        """One pull, and what is due of the buffers. The thread does nothing else."""
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
        # RtEpochs looks back into the buffer before: that must not be the shorter one
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
        for callback in list(self._callbacks):  # who waits for the next epoch must not for ever
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
        """Rows or a gap that no marker can come behind any more."""
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
        """The next sample has ``index`` and follows nothing."""
        if self._head is not None:
            self._push(len(self._part))
        for callback in self._callbacks:
            self._begin(callback, index)
        for at in [at for at in self._pulses if at < index]:
            del self._pulses[at]
            self.lost += 1
        self._head = self._start = index

    def _begin(self, callback: Callable[[Array], None], index: int) -> None:
        """Tell the ``RtEpochs`` behind ``callback`` where it is; it has no call for that."""
        epochs: Any = getattr(callback, "__self__", None)
        if hasattr(epochs, "_event_backlog"):
            self.lost += len(epochs._event_backlog)
            epochs._first_samp, epochs._last_buffer, epochs._event_backlog = index, None, []

    def _push(self, n: int) -> None:
        """The next ``n`` rows, with the pulses that belong to them."""
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
            # an epoch that starts before the stretch would come out short; the very first sample
            # of it is no rising edge
            if self._head + row - max(reach, 1) < self._start:
                self.lost += 1
            else:
                rows[row, -1] = number
        self.index = self._head
        self._head += n
        for callback in list(self._callbacks):
            callback(np.ascontiguousarray(rows.T))


def _kept(item: Chunk | Gap) -> Chunk | Gap:
    """``item`` for longer than until the next pull."""
    return Chunk(item.index, item.x.copy()) if isinstance(item, Chunk) else item


def _tmin(callback: Callable[[Array], None]) -> float:
    return float(getattr(getattr(callback, "__self__", None), "tmin", 0.0))


def rt_epochs(client: Client, tmin: float, tmax: float, **more: Any) -> Any:
    """``mne_realtime.RtEpochs`` of the client's events, ``tmin`` to ``tmax`` s around each.

    ``more`` goes to it as it is. Raises ``Missing`` where mne-realtime is not installed.
    """
    try:
        from mne_realtime import RtEpochs
    except ImportError:
        raise Missing("mne-realtime is not installed (pip install 'rtbci[mne]')") from None

    class Epochs(RtEpochs):
        """With the arguments that MNE passes since mne-realtime was last touched."""

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
    """A client on the EEG stream ``stream`` (name, source_id or uid; default: the only one).

    Markers come from every marker stream that is there. ``session`` and ``scope`` are those of
    LSL, and count only where the process has not used LSL before. Raises ``Missing`` where
    nothing is found within ``timeout`` s, ``BadInput`` where the choice is not clear.
    """
    from rtbci.lsl.config import configure
    from rtbci.lsl.pair import SignalWithMarkers, any_layout, search

    configure(session, scope)
    pair = SignalWithMarkers()
    found = search(pair, stream, timeout=timeout)
    assert found is not None, "it raises where there is none"
    signal = pair.open(found, any_layout(unit))
    try:
        return Client(
            signal, pair.pull_markers, event_id, marker_wait_s=marker_wait_s, close=pair.close
        )
    except RtbciError:
        pair.close()
        raise
