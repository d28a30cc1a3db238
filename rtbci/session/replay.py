"""A replay through the real processes: outlet, recorder and decoder, in real time or faster.

The recordings are checked here, on the whole file, while recorder and decoder start; the outlet
starts when they are found good. Every recording has a decoder process of its own, so that nothing
is carried from one to the next; the recorder writes them all.
"""

import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rtbci.decoding.bundle import Bundle
from rtbci.decoding.offline import RunCounts, check, done
from rtbci.session.folder import create
from rtbci.session.over_bus import (
    ENDS,
    HURRY,
    DecisionCollector,
    Session,
    SessionResult,
    SessionView,
    signals,
)
from rtbci.session.processes import Bus, decode_child, record_child, stream_child
from rtbci.session.screen import open_window
from rtbci.signal.recording import Recording

LEAD_IN = "1.5"  # s; more if the readers are not there in time
LINGER = "60"  # s that an outlet stays behind its last sample; it is told to end before

Source = tuple[Path, Callable[[], tuple[Recording, int | None]]]  # read it; first onset that counts


@dataclass(frozen=True)
class ReplaySetup:
    """How a replay is played."""

    out: Path  # where session folders go
    bus: Bus
    speed: float  # seconds of the recording per second
    record: bool
    reading: tuple[str, ...]  # options of ``rtbci stream``: how the files are to be read
    window: bool = False  # whether a person looks


def play(
    setup: ReplaySetup,
    bundle: Bundle,
    sources: Iterable[Source],
    tally: RunCounts,
    view: SessionView,
    config: Mapping[str, object],
) -> SessionResult:
    """Replay ``sources`` one after the other; ``tally`` and ``view`` get the decisions.

    Raises ``BadInput`` for a recording that does not fit, before any is played.
    """
    collector = DecisionCollector(tally)
    sources = list(sources)
    with create(setup.out, bundle.subject) as folder:
        played = SessionResult(folder.path, collector)
        with Session(folder, setup.bus, view, collector) as running, signals(running):
            where = bundle.path or bundle.save(folder.path / "bundle")
            folder.write_config({**config, "kind": "replay", "bundle": str(where.resolve())})
            if setup.record:
                running.start(record_child(setup.bus, folder.recording))
            if setup.window:
                open_window(folder.path.name, folder.logs)
            try:
                for _, read in sources[1:]:  # before anything is played, while the recorder starts
                    recording, after = read()
                    check(recording, bundle, RunCounts(), after)
                for number, source in enumerate(sources):
                    more = {"file": source[0].name} if len(sources) > 1 else {}
                    last = number == len(sources) - 1
                    if not _one(setup, running, bundle, where, source, more, played, last):
                        break
            except BaseException:
                running.crew.dismiss()
                if not running.heard("stream", "started"):  # nothing was played, nothing is kept
                    shutil.rmtree(folder.path, ignore_errors=True)
                raise
            running.close_down(played.seen)
            played.stopped, played.failure = running.stopped, running.crew.failure
            played.recordings = tuple(running.parts())
    return played


def _one(
    setup: ReplaySetup,
    running: Session,
    bundle: Bundle,
    where: Path,
    source: Source,
    more: Mapping[str, object],
    played: SessionResult,
    last: bool,
) -> bool:
    """Play one recording to its end; False where the session has to end before."""
    path, read = source
    played.seen = None
    crew, tally = running.crew, played.collector.tally
    running.start(decode_child(setup.bus, where))
    recording, after = read()
    dead = check(recording, bundle, tally, after)
    spared = bundle.can_spare(recording.info, dead)
    played.collector.begin(after, {} if spared else dead, **more)
    if dead:
        crew.tell("decode", "dead", standing=True, electrodes=dead)
    running.said = {key: event for key, event in running.said.items() if key[0] == "record"}
    waits = ("--wait-for", str(1 + setup.record), "--lead-in", LEAD_IN, "--linger", LINGER)
    running.start(stream_child(setup.bus, path, setup.speed, *waits, *setup.reading))

    def is_over() -> bool:
        running.ending = not running.heard("stream", "start")
        index = running.counter("stream", "index")
        if index is not None:
            running.view.progress(index / recording.info.rate, recording.duration)
        return bool(running.heard("stream", "end")) or crew.gone("stream")

    whole = running.until(is_over)
    running.ending = True
    if whole:
        index = running.heard("stream", "end").get("index")
        played.seen = index if isinstance(index, int) else recording.n_samples
        crew.finish("decode", ENDS["decode"], "finish", index=played.seen)
    else:
        crew.finish("decode", HURRY["decode"], "finish")
    if whole and not last:  # the recorder reads the last outlets until it has closed its file
        crew.finish("stream", ENDS["stream"], "finish")
        crew.gather(("decode", "stream"))
    _account(running, recording, played, whole)
    return whole and running.stopped is None and crew.failure is None


def _account(running: Session, recording: Recording, played: SessionResult, whole: bool) -> None:
    """What the decoder saw of a recording, beside its decisions."""
    tally = played.collector.tally
    seen = running.counter("decode", "index") or 0
    holes = sum(gap.missing for gap in recording.gaps if whole or gap.index < seen)
    played.lost += max(0, (running.counter("decode", "missing") or 0) - holes)
    gaps = running.counter("decode", "gaps") or 0
    duplicates = running.counter("decode", "duplicates") or 0
    if whole:
        done(recording, tally, max(gaps, len(recording.gaps)), duplicates)
    else:
        tally.gaps += gaps
        tally.duplicates += duplicates
        tally.seconds += seen / recording.info.rate
