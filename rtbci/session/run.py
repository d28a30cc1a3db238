"""Run of a session from its spec: open the folder, play and decode each part, end safely, count.

Recordings of a replay are checked here, on the whole file, while recorder and decoder start; a
player starts when its recording has passed. Every part has a decoder process of its own, so that
nothing is carried from one recording to the next; one recorder writes them all.
"""

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rtbci.decoding.bundle import Bundle
from rtbci.decoding.offline import RunCounts, Source, check, done
from rtbci.errors import Missing, RtbciError
from rtbci.messages import (
    DecoderDone,
    DecoderReady,
    Finish,
    PlayerStatus,
    ReplayEnded,
    ReplayStarted,
    SetDead,
    Started,
    TakenOver,
)
from rtbci.session import control
from rtbci.session.folder import SessionFolder
from rtbci.session.over_bus import (
    FINISH_S,
    FINISH_SOON_S,
    DecisionCollector,
    Session,
    SessionView,
    signals,
)
from rtbci.session.screen import open_window
from rtbci.session.spec import Part, SessionSpec
from rtbci.session.supervisor import Failure
from rtbci.signal.recording import Recording


@dataclass
class SessionResult:
    """Result of a session, apart from its decisions."""

    folder: Path
    collector: DecisionCollector
    seen: int | None = None  # samples of the last recording, if it was played to its end
    lost: int = 0  # samples that did not arrive
    recordings: tuple[str, ...] = ()  # files that the recorder wrote
    unsaved: int = 0  # bytes of the recording that no disk took
    stopped: int | None = None  # see ``Session``
    failure: Failure | None = None

    def exit_code(self) -> int:
        """Exit code: 0, 1 if a part of the recording is lost, or that of the signal; raises the
        error that broke the session off."""
        if self.failure is not None:
            error = RtbciError(self.failure.sentence)
            error.exit_code = self.failure.code
            raise error
        if self.unsaved:
            return 1
        return 128 + self.stopped if self.stopped else 0

    def fields(self) -> dict[str, object]:
        """Fields of the summary beyond those of a replay in process."""
        return {
            "lost_samples": self.lost,
            "latency_ms": self.collector.delays.summary(),
            "recording": self.recordings[0] if self.recordings else None,
            **({"unsaved_bytes": self.unsaved} if self.unsaved else {}),
        }


def run(
    spec: SessionSpec,
    bundle: Bundle,
    view: SessionView,
    tally: RunCounts | None = None,
    sources: Sequence[Source] = (),
) -> SessionResult:
    """Result of a session that is run to its end; ``tally`` and ``view`` get the decisions.

    ``sources`` read the recordings of a replay, one for each part. Raises ``BadInput`` for one that
    does not fit, before any is played; the folder is removed then.
    """
    assert len(sources) == (len(spec.parts) if spec.end.played else 0)
    collector = DecisionCollector(RunCounts() if tally is None else tally)
    with SessionFolder(spec.folder) as folder:
        if spec.take_over is not None and spec.take_over.entry is not None:
            control.unregister(spec.take_over.entry)
        result = SessionResult(folder.path, collector)
        with Session(folder, spec.bus, view, collector) as session, signals(session):
            _open(spec, session)
            try:
                for read in sources[1:]:  # before anything is played, while the recorder starts
                    recording, after = read()
                    check(recording, bundle, RunCounts(), after)
                for number, part in enumerate(spec.parts):
                    last = number == len(spec.parts) - 1
                    if spec.end.played:
                        whole = _play(session, part, bundle, sources[number], result, last)
                    else:
                        whole = _follow(session, part, spec.end.seconds, result)
                    if not whole or session.stopped is not None or session.supervisor.failure:
                        break
            except BaseException:
                session.supervisor.stop_all()
                if spec.end.played and session.heard("stream", Started) is None:
                    shutil.rmtree(folder.path, ignore_errors=True)  # nothing was played
                raise
            session.close_down(result.seen)
            result.stopped, result.failure = session.stopped, session.supervisor.failure
            result.recordings, result.unsaved = session.recordings(), session.unsaved()
    return result


def _open(spec: SessionSpec, session: Session) -> None:
    """Write ``session.json``, start the processes of all parts, open the window."""
    if spec.take_over is None:
        session.folder.write_config(spec.config.as_json())
        session.start(*spec.processes)
    else:
        session.folder.events.add(TakenOver(session.folder.lock.stale))
        recorder = spec.take_over.recorder
        for each in spec.processes:
            if each.name == "record" and recorder is not None:
                session.adopt(each, recorder)
            else:
                session.start(each, again=True)
    if spec.window:
        open_window(session.folder.path.name, session.folder.logs)


def _follow(session: Session, part: Part, duration: float | None, result: SessionResult) -> bool:
    """Decode a live stream to its end; returns False if the session has to end before."""
    began = time.monotonic()
    session.start(part.decoder)

    def is_over() -> bool:
        late = duration is not None and time.monotonic() - began >= duration
        return late or session.supervisor.is_idle()

    whole = session.until(is_over)
    if whole and session.heard("decode", DecoderReady) is None:
        waiting = session.alarms.get(("decode", "waiting"))
        text = waiting.text if waiting else "no EEG stream was found (rtbci streams lists them)"
        session.supervisor.failure = Failure("decode", Missing.exit_code, text)
    session.ending = True
    session.supervisor.finish("decode", FINISH_SOON_S["decode"])
    tally = result.collector.tally
    tally.duplicates += session.duplicates()
    decoded = session.heard("decode", DecoderDone)
    if decoded is not None:
        tally.gaps += decoded.gaps
        tally.recordings += 1 if decoded.samples else 0
        result.lost += decoded.missing
    return whole


def _play(
    session: Session,
    part: Part,
    bundle: Bundle,
    read: Source,
    result: SessionResult,
    last: bool,
) -> bool:
    """Play and decode one recording to its end; False if the session has to end before."""
    assert part.player is not None
    supervisor, tally = session.supervisor, result.collector.tally
    result.seen = None
    session.said = {key: event for key, event in session.said.items() if key[0] == "record"}
    session.start(part.decoder)
    recording, after = read()
    dead = check(recording, bundle, tally, after)
    spared = bundle.can_spare(recording.info, dead)
    result.collector.begin(after, {} if spared else dead, part.file)
    if dead:
        supervisor.tell("decode", SetDead(dead), standing=True)
    session.start(part.player)

    def is_over() -> bool:
        session.ending = session.heard("stream", ReplayStarted) is None
        status = session.heard("stream", PlayerStatus)
        if status is not None:
            session.view.progress(status.index / recording.info.rate, recording.duration)
        return session.heard("stream", ReplayEnded) is not None or supervisor.gone("stream")

    whole = session.until(is_over)
    session.ending = True
    if whole:
        end = session.heard("stream", ReplayEnded)
        result.seen = recording.n_samples if end is None else end.index
        supervisor.finish("decode", FINISH_S["decode"], Finish(index=result.seen))
    else:
        supervisor.finish("decode", FINISH_SOON_S["decode"])
    if whole and not last:  # the recorder reads the last outlets until it has closed its file
        supervisor.finish("stream", FINISH_S["stream"])
        supervisor.wait(("decode", "stream"))
    _account(session, recording, result, whole)
    return whole


def _account(session: Session, recording: Recording, result: SessionResult, whole: bool) -> None:
    """Count samples, gaps and repeated markers of a recording as the decoder has seen them."""
    tally, decoded = result.collector.tally, session.heard("decode", DecoderDone)
    seen, missing, gaps = (
        (decoded.index, decoded.missing, decoded.gaps) if decoded is not None else (0, 0, 0)
    )
    holes = sum(gap.missing for gap in recording.gaps if whole or gap.index < seen)
    result.lost += max(0, missing - holes)
    duplicates = session.duplicates()
    if whole:
        done(recording, tally, max(gaps, len(recording.gaps)), duplicates)
    else:
        tally.gaps += gaps
        tally.duplicates += duplicates
        tally.seconds += seen / recording.info.rate
