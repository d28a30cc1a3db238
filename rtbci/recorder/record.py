"""The recorder: selected streams of the lab into one XDF file, across losses and full disks.

One loop takes the samples that arrived, forty times a second, packs them and queues them for the
threads that write (``rtbci/recorder/disk.py``). Stamps are stored raw, together with the clock
offsets of every stream. No call in this loop waits for a stream or a disk.
"""

import datetime
import time
from dataclasses import dataclass
from pathlib import Path

from rtbci.errors import BadInput, Missing
from rtbci.lsl.config import session_id
from rtbci.lsl.inlet import BUFFER_S, clock
from rtbci.messages import (
    Finish,
    RecorderCounters,
    RecorderDone,
    RecorderReady,
    RecorderStatus,
    Stop,
)
from rtbci.process import ControlInput, Reporter
from rtbci.recorder import xdf_pack
from rtbci.recorder.disk import PendingChunk, Spool
from rtbci.recorder.space import DiskSpace
from rtbci.recorder.streams import Streams
from rtbci.recorder.track import RecordedStream
from rtbci.signal.liveness import SILENT_RED_S, silence_code, silence_level

# Interval of the loop, s: a kill loses at most this, and the sender's own chunk.
POLL_S = 0.025
# Interval at which the list of streams is checked, s.
LOOK_S = 0.25
STATUS_S = 1.0
BOUNDARY_S = 10.0
# First and longest interval of the reminders of missing streams, s.
REMIND_S, REMIND_MOST_S = 5.0, 60.0
# A longer round of the loop means that the computer suspended this process, s.
HELD_UP_S = 0.5
# Shortest and longest time for which samples are still read at the end, s.
LEAST_DRAIN_S, MOST_DRAIN_S = 0.1, 1.0
# The same for rows whose sender is not yet confirmed by discovery, s.
CONFIRM_DRAIN_S = 0.6
# Time limit to close all inlets, s.
CLOSE_S = 1.0
# Time after the end for which a full disk is retried, s.
AT_END_S = 60.0


@dataclass(frozen=True)
class RecordingSettings:
    """Streams, file and end condition of a recording."""

    out: Path
    streams: tuple[str, ...] = ()  # name, source_id or uid; empty: all of the session
    duration: float | None = None  # s from the first sample
    go_on: bool = False  # write a further part if the file exists
    idle: float | None = None  # silence that ends it, s; None: 60, without limit for a first stream
    fallback: Path | None = None  # second folder

    @property
    def idle_s(self) -> float:
        """Silence that ends a recording, s."""
        return 60.0 if self.idle is None else self.idle


class Recorder:
    """Records until an order to stop. ``stop`` may be called from a signal handler."""

    def __init__(self, plan: RecordingSettings, reporter: Reporter, control: ControlInput) -> None:
        self._plan, self._reporter, self._control = plan, reporter, control
        self._spool = Spool(
            plan.out,
            reporter,
            header=xdf_pack.file_header({"session": session_id(), **clocks()}),
            footer=clocks,
            fallback=plan.fallback,
            go_on=plan.go_on,
        )
        self._space = DiskSpace(reporter, plan.duration)
        self._streams = Streams(plan.streams, reporter, self._spool.put)
        self._began = self._now = time.monotonic()
        self._first: float | None = None  # time of the first sample
        self._remind = REMIND_S  # time of the next reminder, s since the start
        self._stops = 0
        self._finishing = False

    def stop(self) -> None:
        """Close the file properly; when called twice, give up data that a full disk refuses."""
        self._stops += 1

    def run(self) -> None:
        """Record until the end. Raises ``Missing`` if no stream was ever found."""
        spool = self._spool
        where = str(spool.path)
        self._reporter.event(RecorderReady(where, session_id()), f"recording to {where}")
        look = status = boundary = 0.0
        while not self._is_over():
            if self._now >= look:
                look = self._now + LOOK_S
                self._streams.look(self._now)
            self._pull()
            self._look_after()
            if self._now >= boundary and self._streams.tracks:
                boundary = self._now + BOUNDARY_S
                spool.put(PendingChunk(xdf_pack.boundary(), self._now))
            if self._now >= status:
                status = self._now + STATUS_S
                self._tell()
            self._rest()
        self._drain()
        self._close()

    def _rest(self) -> None:
        """Sleep until the next round, and check whether this process was suspended."""
        began = self._now
        time.sleep(max(POLL_S - (time.monotonic() - began), 0.001))
        self._now = time.monotonic()
        if self._now - began > HELD_UP_S:
            self._reporter.alarm(
                "amber", "held-up",
                f"this computer held the recorder up for {self._now - began:.1f} s; LSL keeps "
                f"{BUFFER_S} s, so nothing is lost",
            )  # fmt: skip
            for track in self._streams.tracks:  # the suspension does not count as silence
                track.excuse(self._now - began)
        else:
            self._reporter.clear("held-up", "the recorder runs freely again")

    def _pull(self) -> int:
        """Read and queue the samples that arrived; returns their number."""
        known = len(self._streams.tracks)
        self._streams.adopt(self._now)
        if len(self._streams.tracks) > known:
            self._space.plan(self._spool.path.parent, self._rate())
        count = self._streams.pull(self._now, lambda: self._spool.is_full)
        if count and self._first is None:
            self._first = self._now
        return count

    def _rate(self) -> float:
        """Bytes per second of all streams."""
        return sum(track.bytes_a_second for track in self._streams.tracks)

    def _look_after(self) -> None:
        """Raise and clear alarms about silence, memory and disk."""
        spool = self._spool
        if spool.error is not None:
            raise spool.error
        for track in self._streams.tracks:
            if not track.is_regular or track.liveness is None:
                continue
            age, limit = track.liveness.age(self._now), track.liveness.limit
            level, code = silence_level(age, limit), silence_code(track.label)
            if level is not None:
                self._reporter.alarm(
                    level, code,
                    f"stream {track.label!r} has been silent for more than "
                    f"{max(limit, SILENT_RED_S) if level == 'red' else limit:.1f} s; is its "
                    "amplifier on, its program running?",
                )  # fmt: skip
                track.silent_for = age
            elif code in self._reporter.alarms:
                self._reporter.clear(
                    code, f"stream {track.label!r} is back after {track.silent_for:.1f} s"
                )
        spool.watch()
        if spool.is_full:
            self._reporter.alarm(
                "red", "memory",
                "the disk has taken nothing for so long that memory is full; LSL keeps another "
                f"{BUFFER_S} s, then data are lost: free some space on {spool.path.parent} now",
            )  # fmt: skip
        else:
            self._reporter.clear("memory", "memory is free again")

    def _tell(self) -> None:
        """Report the status, and remind of missing streams."""
        self._space.check(self._spool.path.parent, self._spool.written, self._rate())
        self._reporter.event(RecorderStatus(**vars(self._counters())))
        absent, since = self._streams.absent(), self._now - self._began
        if absent and since > self._remind:
            # After 5, 10, 20, 40 s, then every minute.
            self._remind += min(self._remind, REMIND_MOST_S)
            self._reporter.alarm(
                "amber", "waiting",
                f"waiting for {absent} for {since:.0f} s; there {self._streams.listing()}",
            )  # fmt: skip
        elif not absent:
            self._reporter.clear("waiting", "all streams that were asked for are there")

    def _counters(self) -> RecorderCounters:
        ages = {track.label: track.age(time.monotonic()) for track in self._streams.tracks}
        return RecorderCounters(
            path=str(self._spool.path),
            samples={track.label: track.samples for track in self._streams.tracks},
            missing={track.label: track.missing for track in self._streams.tracks},
            age_s={label: None if a is None else round(a, 3) for label, a in ages.items()},
            bytes=self._spool.written,
            waiting_bytes=self._spool.waiting,
            queue_s=round(self._spool.age(), 3),
            disk_left_s=self._space.left_s and round(self._space.left_s),
            clocks=clocks(),
        )

    def _is_over(self) -> bool:
        for order in self._control.poll():
            self._finishing |= isinstance(order, Finish | Stop)
        if self._stops or self._finishing:
            return True
        plan, now = self._plan, self._now
        if self._first is None:
            patient = plan.idle is None and plan.duration is None and not self._control.parent_gone
            return not patient and now - self._began > plan.idle_s
        if self._control.has_parent and not self._control.parent_gone:
            return self._is_due()  # the parent decides about the end: an amplifier may return
        return self._is_due() or all(self._is_silent(track) for track in self._streams.tracks)

    def _is_due(self) -> bool:
        """Whether the stated duration is over."""
        duration, first = self._plan.duration, self._first
        return duration is not None and first is not None and self._now - first >= duration

    def _is_silent(self, track: RecordedStream) -> bool:
        """Whether a stream counts as ended: silent for ``idle_s`` and, if irregular, not listed."""
        age = track.age(self._now)
        since = self._now - self._began if age is None else age
        return since > self._plan.idle_s and (
            track.is_regular or not self._streams.is_listed(track) or self._control.parent_gone
        )

    def _drain(self) -> None:
        """Read the samples that are still in transit, until two reads in a row are empty."""
        now, empty = time.monotonic(), 0
        least, confirm, most = (
            now + seconds for seconds in (LEAST_DRAIN_S, CONFIRM_DRAIN_S, MOST_DRAIN_S)
        )
        while not self._is_due() and now < most:
            if empty >= 2 and now >= (confirm if self._streams.is_holding else least):
                break
            self._now = now
            empty = 0 if self._pull() else empty + 1
            time.sleep(0.2 * POLL_S)
            now = time.monotonic()
        self._streams.adopt_all(self._now)
        self._pull()

    def _close(self) -> None:
        """Close the file, report its content, and close all inlets."""
        spool, began, stops = self._spool, time.monotonic(), self._stops
        spool.finish()
        told = began
        while not spool.wait(0.05):
            spool.watch()
            if time.monotonic() - told >= STATUS_S:  # the supervisor waits while samples are held
                told = time.monotonic()
                self._reporter.event(RecorderStatus(**vars(self._counters())))
            late = spool.failing and time.monotonic() - began > AT_END_S
            if late or self._stops > max(stops, 1):
                spool.give_up()
                spool.wait(1.0)
                break
        if spool.error is not None:
            raise spool.error
        if not self._streams.tracks:
            spool.path.unlink(missing_ok=True)
            raise Missing(
                f"waited {time.monotonic() - self._began:.0f} s for "
                f"{self._streams.absent()}; there {self._streams.listing()}"
            )
        total, parts = sum(track.samples for track in self._streams.tracks), len(spool.parts)
        where = str(spool.parts[0]) + (f" and {parts - 1} more parts" if parts > 1 else "")
        done = RecorderDone(
            **vars(self._counters()), parts=tuple(map(str, spool.parts)), lost_bytes=spool.waiting
        )
        self._reporter.event(
            done, f"recorded {len(self._streams.tracks)} streams, {total} samples to {where}"
        )
        self._streams.close(CLOSE_S)
        if spool.waiting:
            raise BadInput(
                f"{spool.waiting} bytes of the recording are lost: {where} could not be written to "
                "the end; free some space, or name a second disk with --fallback"
            )


def clocks() -> dict[str, str]:
    """LSL clock and wall clock at the same moment."""
    lsl, wall = clock(), datetime.datetime.now(datetime.UTC)
    return {"lsl_clock": f"{lsl:.6f}", "datetime": wall.isoformat(timespec="microseconds")}
