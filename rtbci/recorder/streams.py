"""Assignment of outlets to the streams of a file.

LSL reconnects without notice to any outlet with the same source_id, even with another rate or
other electrodes. The recorder decides itself: every outlet gets its own inlet, and continues a
stream of the file only if its description fits and the previous outlet is gone.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from rtbci.formats.events import readable
from rtbci.formats.stream_header import MOST_STREAMS
from rtbci.lsl.config import session_id
from rtbci.lsl.inlet import Inlet
from rtbci.lsl.resolve import DiscoveredStream, StreamDiscovery, matches
from rtbci.messages import StreamBack, StreamFound
from rtbci.process import Reporter
from rtbci.recorder import xdf_pack
from rtbci.recorder.disk import PendingChunk
from rtbci.recorder.inlets import ClockOffsetReader, InletCloser, InletOpener, OpenedInlet
from rtbci.recorder.track import RecordedStream, difference
from rtbci.signal.liveness import LEFT_S, UNCONFIRMED_S, claimants, is_doubted

MOST_PULLS = 1000  # of one stream in one round
BUDGET_BYTES = 2**30  # that LSL may take to buffer all streams together
BUDGET_SHARE = 0.25  # of what is left of it, for the next stream


class Streams:
    """Streams of the file, and outlets that are not assigned yet.

    ``wanted`` are names, source_ids or uids; empty for all. ``put`` queues chunks for the disk.
    """

    def __init__(
        self, wanted: Sequence[str], reporter: Reporter, put: Callable[[PendingChunk], None]
    ) -> None:
        self._wanted, self._reporter, self._put = tuple(wanted), reporter, put
        self.tracks = list[RecordedStream]()
        self._watch, self._opener, self._closer = StreamDiscovery(), InletOpener(), InletCloser()
        self._offsets = ClockOffsetReader(self._write_offset)
        self._pending = list[OpenedInlet]()  # open, but not yet assigned to a stream
        self._seen = dict[str, DiscoveredStream]()  # listed by LSL now, by uid
        self._known = set[str]()  # uids that are recorded or refused
        # Uids that were closed but may still be listed by LSL, with the time of closing.
        self._gone = dict[str, float]()
        # A new discovery for each stream with unread data of an unconfirmed sender, by number.
        self._doubts = dict[int, StreamDiscovery]()

    def look(self, now: float) -> None:
        """Search for outlets that are not recorded yet."""
        refused = dict[str, str]()
        found = self._watch.found(refused)
        self._seen = {each.about.uid: each for each in found}
        self._gone = {uid: at for uid, at in self._gone.items() if now - at < LEFT_S}
        for each in found:
            uid = each.about.uid
            if self._wanted and not any(matches(each, name) for name in self._wanted):
                continue
            if uid in self._known or uid in self._gone:
                continue
            if len(self.tracks) < MOST_STREAMS:
                self._opener.ask(each, now, BUDGET_SHARE * self._budget_left())
            else:
                refused[uid] = f"one file holds {MOST_STREAMS} streams"
        for uid, why in refused.items():
            self._refuse(uid, f"a stream is NOT recorded: {why}")

    def adopt(self, now: float) -> None:
        """Assign outlets that answered to streams of the file."""
        for opened in self._opener.opened(now):
            about = opened.about
            self._known.add(about.uid)
            if opened.trouble is None:
                self._pending.append(opened)
            else:
                why = f"stream {about.name!r} from {about.host} is NOT recorded: {opened.trouble}"
                self._refuse(about.uid, why)
        self._pending = [each for each in self._pending if not self._place(each, now)]

    def adopt_all(self, now: float) -> None:
        """Give every unassigned outlet a stream of its own; called at the end."""
        self._offsets.close()
        for opened in self._pending:
            self._begin(opened, (), now)
        self._pending = []

    def pull(self, now: float, is_full: Callable[[], bool]) -> int:
        """Read and queue samples until ``is_full``; returns their number."""
        count = 0
        for track in self.tracks:
            if track.inlet is not None and not self._is_held(track, track.inlet, now):
                count += self._take(track, track.inlet, now, is_full)
        return count

    @property
    def is_holding(self) -> bool:
        """Whether rows are waiting until discovery has confirmed their sender."""
        return any(track.held is not None for track in self.tracks)

    def is_listed(self, track: RecordedStream) -> bool:
        """Whether LSL lists the outlet of a stream."""
        return track.about.uid in self._seen

    def close(self, timeout: float) -> None:
        """Close all inlets, within ``timeout`` s."""
        for track in self.tracks:
            self._let_go(track, 0.0)
        self._closer.finish(timeout)

    def absent(self) -> str:
        """Text that lists the requested streams that were never found; "" if there are none."""
        if not self._wanted:
            return "" if self.tracks else "a first stream"
        names = [
            repr(name)
            for name in self._wanted
            if not any(name in (t.about.name, t.about.source_id, t.about.uid) for t in self.tracks)
        ]
        return f"stream{'s' if len(names) > 1 else ''} {', '.join(names)}" if names else ""

    def listing(self) -> str:
        """Text that lists the streams that LSL finds now."""
        names = [repr(found.about.name) for found in self._seen.values()]
        if not names:
            return f"is none in the LSL session {session_id()!r} (rtbci doctor looks into it)"
        more = f" and {len(names) - 8} more" if len(names) > 8 else ""
        return f"{'are' if len(names) > 1 else 'is'} {', '.join(names[:8])}{more}"

    def _place(self, opened: OpenedInlet, now: float) -> bool:
        """Continue a stream of the file or begin one; returns False while this is undecided."""
        mine = opened.about.identity
        rivals = [t for t in self.tracks if mine.is_source_of(t.about.identity)]
        for track in rivals:
            if self._is_away(track, now) and track.about.same_layout(opened.about):
                self._continue(track, opened, now)
                return True
        here = [track for track in rivals if not self._is_away(track, now)]
        if here and is_doubted(opened.at, now):
            return False
        self._begin(opened, rivals, now)
        for track in rivals:
            if track not in here:  # or LSL could reconnect its inlet to this outlet
                self._let_go(track, now)
        if here:
            self._twins([*here, self.tracks[-1]])
        return True

    def _budget_left(self) -> float:
        """Bytes that LSL may still take for the buffers of further streams."""
        inlets = [track.inlet for track in self.tracks if track.inlet is not None]
        return max(BUDGET_BYTES - sum(inlet.buffer_bytes for inlet in inlets), 0.0)

    def _is_away(self, track: RecordedStream, now: float) -> bool:
        """Whether the outlet of a stream is gone."""
        return (
            track.inlet is None or track.moved or not self.is_listed(track) or track.is_silent(now)
        )

    def _begin(self, opened: OpenedInlet, rivals: Sequence[RecordedStream], now: float) -> None:
        about, number = opened.about, len(self.tracks) + 1
        taken = any(track.label == about.name for track in self.tracks)
        label = f"{about.name} ({number})" if taken else about.name
        header = xdf_pack.stream_header(number, about.xml.replace("\x00", "").encode())
        self._put(PendingChunk(header, now, number, is_header=True))
        track = RecordedStream(number, about, label, opened.inlet)
        self.tracks.append(track)
        self._offsets.watch(track)
        rate = f"at {about.rate:g} Hz" if about.rate else "as they come"
        found = StreamFound(
            number=number, name=label, source_id=about.source_id, uid=about.uid,
            host=about.host, channels=about.count, rate=about.rate,
        )  # fmt: skip
        self._reporter.event(
            found,
            f"stream {number}: {label!r}, {about.count} channel{'s' * (about.count > 1)} {rate}, "
            f"from {about.host}",
        )
        if rivals and not rivals[-1].about.same_layout(about):
            self._reporter.alarm(
                "red", f"changed {label}",
                f"stream {about.name!r} came back with {difference(rivals[-1].about, about)}; it "
                f"is recorded as stream {number} of the file from here on",
            )  # fmt: skip
        elif not about.source_id:
            self._reporter.alarm(
                "info", f"anonymous {label}",
                f"stream {label!r} has no source_id: should it break off, it is known by its name",
            )  # fmt: skip

    def _continue(self, track: RecordedStream, opened: OpenedInlet, now: float) -> None:
        self._let_go(track, now)
        # The header in the file stays that of the first outlet.
        track.about = replace(track.about, uid=opened.about.uid, host=opened.about.host)
        track.inlet, track.doubles, track.moved, track.held = opened.inlet, True, False, None
        self._offsets.watch(track)
        self._reporter.event(StreamBack(track.number, opened.about.uid))

    def _twins(self, tracks: Sequence[RecordedStream]) -> None:
        listing = " and ".join(
            f"{track.about.uid} on {track.about.host} (stream {track.number})" for track in tracks
        )
        about = tracks[0].about
        self._reporter.alarm(
            "red", f"twins {about.name}",
            f"{len(tracks)} live streams are the same {about.name!r} by source_id "
            f"{about.source_id!r}: {listing}; each is recorded on its own, stop the wrong one",
        )  # fmt: skip

    def _refuse(self, uid: str, why: str) -> None:
        self._reporter.alarm("red", f"refused {uid}", f"{why}; restart or mend its sender")

    def _let_go(self, track: RecordedStream, now: float) -> None:
        if track.inlet is not None:
            self._closer.close(track.inlet)
            self._gone[track.about.uid] = now
        track.inlet = None
        self._known.discard(track.about.uid)

    def _is_held(self, track: RecordedStream, inlet: Inlet, now: float) -> bool:
        """Whether data must wait because LSL may have switched the inlet to another outlet."""
        if inlet.was_reset():
            rivals = (t for t in self.tracks if t is not track and t.inlet is not None)
            if any(track.about.identity.is_source_of(t.about.identity) for t in rivals):
                self._let_go(track, now)  # it now reads its twin, which is recorded already
                return True
            track.moved = True
        if not track.is_regular or track.liveness is None:
            return False
        if not track.liveness.may_have_moved(now) or not inlet.waiting:
            return False
        if track.held is None:
            track.held, self._doubts[track.number] = now, StreamDiscovery()
        listed = [each.about.identity for each in self._doubts[track.number].found()]
        is_confirmed = claimants(track.about.identity, listed).answers
        return not is_confirmed and now - track.held < UNCONFIRMED_S

    def _take(
        self, track: RecordedStream, inlet: Inlet, now: float, is_full: Callable[[], bool]
    ) -> int:
        """Pack and queue the samples of ``inlet``; returns their number."""
        about, count = track.about, 0
        track.held = None
        self._doubts.pop(track.number, None)
        for _ in range(MOST_PULLS):
            if is_full():
                break
            values, stamps = inlet.pull()
            if not len(stamps):
                break
            if track.doubles:
                track.doubles = False
                again = np.flatnonzero(stamps == track.last)
                if len(again):  # the previous inlet had switched to this outlet by itself
                    values, stamps = values[again[-1] + 1 :], stamps[again[-1] + 1 :]
                    if not len(stamps):
                        continue
            n, first, last = len(stamps), float(stamps[0]), float(stamps[-1])
            if about.format == "string" and any(readable(v) != v for row in values for v in row):
                self._reporter.alarm(
                    "info", f"not-utf8 {track.label}",
                    f"stream {track.label!r} sends text that is not UTF-8; its bytes are recorded "
                    "as they came, and rtbci reads them as Latin-1",
                )  # fmt: skip
            data = xdf_pack.samples(track.number, about.format, about.count, stamps, values)
            self._put(PendingChunk(data, now, track.number, n, first, last))
            track.took(stamps, now)
            count += n
        return count

    def _write_offset(self, track: RecordedStream, at: float, offset: float) -> None:
        data = xdf_pack.clock_offset(track.number, at, offset)
        self._put(PendingChunk(data, time.monotonic(), track.number))
