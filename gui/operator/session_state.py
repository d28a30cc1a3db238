"""State of a session as plain values for display: no screen, socket or thread.

    state = SessionState(about)
    state.hear(event)            # every line of the session
    state.card(), state.alarms(), state.lamps(), ...

One thread. ``clock`` gives seconds that only go forward.
"""

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from gui.operator.about import About
from gui.operator.losses import Losses, Row
from rtbci.messages import (
    Alarm,
    Clear,
    DecisionMade,
    DecoderReady,
    Done,
    Ended,
    Event,
    GapFound,
    Paused,
    Ready,
    RecorderStatus,
    ReplayEnded,
    ReplayStarted,
    Resumed,
    SessionReport,
    SignalReturned,
    Started,
    Status,
)
from rtbci.signal.liveness import is_repeated_silence
from rtbci.statistics.delays import KEYS
from rtbci.terminal import count

RECENT_S = 60.0  # span over which decisions and latencies are shown
OLD_S = 3.0  # age from which a decision shows its age
LATE_S = 2.5  # seconds without a report after which a process is late
GROWS_S = 3.0  # seconds without growth after which a recording has stalled
LOG_LINES = 200
LEVELS = ("red", "amber", "info")  # most urgent first
SILENCE = ("stall", "silent", "quiet", "waiting")  # prefixes of the codes of silence alarms
NO_DECISION, NOT_ABOVE_CHANCE = "no decision", "not above chance"


@dataclass(frozen=True)
class ActiveAlarm:
    """An active alarm; ``since`` in seconds of the clock."""

    box: str
    code: str
    level: str
    text: str
    since: float = field(compare=False)


@dataclass(frozen=True)
class ShownDecision:
    """One decision as displayed."""

    at: float  # s of the clock, when it came
    onset: float  # s of the recording
    label: str | None
    probabilities: Mapping[str, float]
    flags: tuple[str, ...]
    rejected: str | None


@dataclass(frozen=True)
class CardText:
    """Text of the decision card: a class, or the reason why there is none."""

    label: str | None = None
    confidence: float | None = None
    note: str = ""
    flags: tuple[str, ...] = ()


class SessionState:
    """State of one session, built from its events."""

    def __init__(self, about: About, clock: Callable[[], float] = time.monotonic) -> None:
        self.about, self._clock = about, clock
        self.link = "looking"  # "works", "looking" for a session that does not answer, "ended"
        self.paused = False
        self.losses = Losses()
        self.log: deque[tuple[str, str]] = deque(maxlen=LOG_LINES)  # level and sentence
        self.rate: float | None = None  # of the EEG, Hz, as its stream says
        self.decisions: deque[ShownDecision] = deque()
        self.new_decisions: list[ShownDecision] = []  # for who draws them; taken away by ``take``
        self._alarms: dict[tuple[str, str], ActiveAlarm] = {}
        self._seen: set[ActiveAlarm] = set()  # understood by a person
        self._boxes: dict[str, str] = {}  # name -> started, works, gone, done
        self._heard: dict[str, float] = {}
        self._delays: deque[tuple[float, tuple[float, ...]]] = deque()
        self._size: tuple[int, float] | None = None  # bytes of the recording, since when
        self._first_size: float | None = None
        self._plays = False  # a replay, between its first sample and its last
        self._eeg: str | None = None  # name of the stream that is decoded
        self._began: float | None = None  # s of the clock

    def begin(self, seconds_ago: float) -> None:
        """Set the start of the session to ``seconds_ago`` seconds ago."""
        self._began = self._clock() - seconds_ago

    def hear(self, event: Event, late: bool = False) -> None:
        """Process one event; ``late`` if it was sent before this window connected."""
        box = event.box
        if box:
            self._heard[box] = self._clock()
        match event:
            case Started():
                self._boxes[box] = "started"
            case Ready():
                self._on_ready(event)
            case Done():
                self._boxes[box] = "done"
                if event.text is not None:
                    self.say(event.text)
            case Ended():
                self._boxes[box] = "ended" if self._boxes.get(box) == "done" else "gone"
            case Status():
                self._on_status(event)
            case DecisionMade():
                self._on_decision(event)
            case Alarm():
                self._on_alarm(event)
            case Clear():
                self._on_clear(event)
            case _:
                self._on_stream_or_person(event, late)

    def answer(self, report: SessionReport) -> None:
        """Process a report of the session, with events sent before this window connected."""
        self.link = "works"
        self.paused = report.paused
        for event in report.said:
            self.hear(event, late=True)
        for name, process in report.boxes.items():
            self._boxes[name] = "works" if process.works else "started"
        before, self._alarms = self._alarms, {}
        for alarm in report.alarms:
            key = alarm.box, alarm.code
            if key in before:
                self._alarms[key] = before[key]
            self._on_alarm(alarm)

    def count(self, samples: int, missing: int) -> None:
        """Count samples of this window's own inlet; used if there is no recorder."""
        if self.about.recorded is False:
            self.losses.count(self._clock(), samples, missing)

    def file(self, size: int | None) -> None:
        """Set the size of the recording in bytes; None if there is no file."""
        if size is None:
            return
        if self._size is None or size > self._size[0]:
            self._size = (size, self._clock())
        self._first_size = self._first_size or self._clock()

    def say(self, text: str, level: str = "info") -> None:
        """Append a line to the log."""
        if not self.log or self.log[-1] != (level, text):
            self.log.append((level, text))

    def raise_alarm(self, level: str, code: str, text: str) -> None:
        """Raise an alarm of this window."""
        self._on_alarm(Alarm(level, code, text, box="window"))

    def clear_alarm(self, code: str) -> None:
        """Clear an alarm of this window."""
        self._alarms.pop(("window", code), None)

    def understood(self, alarm: ActiveAlarm) -> None:
        """Acknowledge an alarm; its banner stays hidden until its text changes."""
        self._seen.add(alarm)

    def take(self) -> list[ShownDecision]:
        """Decisions since the last call."""
        new, self.new_decisions = self.new_decisions, []
        return new

    def alarms(self) -> list[ActiveAlarm]:
        """Active alarms, the most urgent first, then the newest."""
        return sorted(
            self._alarms.values(), key=lambda each: (LEVELS.index(each.level), -each.since)
        )

    def banner(self) -> ActiveAlarm | None:
        """The most urgent alarm, without the recorder's copy of a silence."""
        told = [e for e in self.alarms() if not is_repeated_silence(e.box, e.code, self._eeg)]
        return next((e for e in told if e.level != "info" and e not in self._seen), None)

    def session_s(self) -> float | None:
        """Seconds since the session began."""
        return None if self._began is None else self._clock() - self._began

    def stream_s(self) -> float | None:
        """Seconds of the stream since its last lost sample."""
        whole = self.losses.whole()
        if whole is None or not self.rate:
            return None
        return whole / self.rate / (self.about.speed or 1.0)

    def loss_rows(self) -> list[Row]:
        """Lost and expected samples: session, stream, 10 s, 1 min, 10 min."""
        return self.losses.rows(self._clock())

    def recording(self) -> str:
        """State of the recording: "REC", "no recording", "saved" or "lost"."""
        box = self._boxes.get("record")
        if box == "works" and self.link != "ended":
            return "REC"
        if self.about.recorded is False or (box is None and self.about.recorded is None):
            return "no recording"
        return "saved" if self.link == "ended" or box in ("done", "ended") else "lost"

    def file_mb(self) -> float | None:
        """Size of the recording, MB."""
        return None if self._size is None else self._size[0] / 1e6

    def growing(self) -> bool | None:
        """Whether the recording grew recently; None if not known yet."""
        if self._size is None or self._first_size is None or self.recording() != "REC":
            return None
        now = self._clock()
        if now - self._size[1] <= GROWS_S:
            return True if now - self._first_size > 0.5 else None
        return False

    def lamps(self) -> dict[str, tuple[str, str]]:
        """State (works, late, gone, off) and text of each process."""
        now, lamps = self._clock(), {}
        for name in ("stream", "record", "decode"):
            if name == "stream" and self.about.kind == "live":
                continue
            box = self._boxes.get(name)
            late = now - self._heard.get(name, now) > LATE_S
            if box is None or box in ("done", "ended"):
                lamps[name] = ("off", "off" if box is None else "done")
            elif self.link != "works" and box != "gone":
                lamps[name] = ("late", "not heard")
            elif box == "gone":
                lamps[name] = ("gone", "gone")
            elif box == "started":
                lamps[name] = ("late", "starting")
            else:
                lamps[name] = ("late", "late") if late else ("works", "works")
        if self.paused and lamps.get("decode", ("", ""))[0] == "works":
            lamps["decode"] = ("works", "paused")
        return lamps

    def latencies(self) -> dict[str, tuple[float | None, float | None]]:
        """p50 and p95 of the last minute in milliseconds, for each stage."""
        self._forget()
        values = np.array([each for _, each in self._delays], float).reshape(-1, len(KEYS))
        if not len(values):
            return dict.fromkeys(KEYS, (None, None))
        p50, p95 = np.percentile(values, (50, 95), axis=0)
        return {key: (float(a), float(b)) for key, a, b in zip(KEYS, p50, p95, strict=True)}

    def card(self) -> CardText:
        """The newest decision, as far as it may be shown."""
        if self.paused:
            return CardText(note="paused", flags=("recording goes on",))
        self._forget()
        if not self.decisions:
            return CardText(note=NO_DECISION, flags=("none in the last minute",))
        last = self.decisions[-1]
        age = self._clock() - last.at
        old = (f"{age:.0f} s ago",) if age >= OLD_S else ()
        if last.rejected is not None:
            return CardText(note=NO_DECISION, flags=(last.rejected, *last.flags, *old))
        if self.about.verdict.above_chance is False:
            return CardText(note=NOT_ABOVE_CHANCE, flags=(*last.flags, *old))
        p = last.probabilities.get(last.label or "")
        if p is not None and self.about.sure and p < self.about.sure:
            flags = (each for each in last.flags if each != "unsure")
            return CardText(None, p, NO_DECISION, ("unsure", *flags, *old))
        untested = "" if self.about.verdict.above_chance else "calibration was not tested"
        return CardText(last.label, p, untested, (*last.flags, *old))

    def _forget(self) -> None:
        since = self._clock() - RECENT_S
        while self.decisions and self.decisions[0].at < since:
            self.decisions.popleft()
        while self._delays and self._delays[0][0] < since:
            self._delays.popleft()

    def _on_ready(self, event: Ready) -> None:
        self._boxes[event.box] = "works"
        if isinstance(event, DecoderReady):
            self._eeg = event.stream or self._eeg
        if event.text is not None:
            self.say(event.text)

    def _on_status(self, event: Status) -> None:
        box = event.box
        if self._boxes.get(box) == "started" and box != "stream":
            self._boxes[box] = "works"  # it was ready before this window looked
        if isinstance(event, RecorderStatus):
            samples, missing = event.samples, event.missing
            self._count({k: (samples[k], v) for k, v in missing.items() if k in samples})

    def _on_alarm(self, event: Alarm) -> None:
        level, text = event.level, event.text
        key = event.box, event.code
        if self.about.kind == "replay" and not self._plays and key[1].startswith(SILENCE):
            return  # before and after a replay silence is normal
        alarm = ActiveAlarm(*key, level if level in LEVELS else "amber", text, self._clock())
        if self._alarms.get(key) != alarm:
            self._alarms[key] = alarm
            self.say(text, alarm.level)

    def _on_clear(self, event: Clear) -> None:
        if self._alarms.pop((event.box, event.code), None) is not None:
            self._seen = {each for each in self._seen if each in self._alarms.values()}
            self.say(event.text)

    def _on_stream_or_person(self, event: Event, late: bool) -> None:
        """Events of the played or decoded stream, and of a person who pauses."""
        match event:
            case ReplayStarted():
                self._plays = True
                if not late:
                    self.losses.begin_stream()
            case ReplayEnded():
                self._plays = False
            case SignalReturned():
                self.losses.begin_stream()
                self.say("the stream came back", "amber")
            case GapFound(missing=missing):
                what = f"{count(missing, 'sample')} missing" if missing else event.reason or "a gap"
                self.say(f"gap: {what}; filters start anew", "amber")
            case Paused():
                self.paused = True
                self.say("decisions are paused; recording goes on")
            case Resumed():
                self.paused = False
                self.say("decisions go on")

    def _on_decision(self, event: DecisionMade) -> None:
        decision = event.decision
        decided = ShownDecision(
            self._clock(), decision.onset, decision.label, decision.probabilities,
            decision.flags, decision.rejected,
        )  # fmt: skip
        self.decisions.append(decided)
        self.new_decisions.append(decided)
        del self.new_decisions[:-1000]
        if event.latency is not None:
            self._delays.append((self._clock(), event.latency))

    def _count(self, counters: Mapping[str, tuple[int, int | None]]) -> None:
        """Update losses from the counters of the decoded stream, else of the first signal.

        Missing samples are not known for a stream without a rate.
        """
        signals = {
            name: (samples, missing)
            for name, (samples, missing) in counters.items()
            if missing is not None
        }
        if self._eeg not in signals:
            self._eeg = next(iter(signals), None)
        if self._eeg is not None:
            self.losses.count(self._clock(), *signals[self._eeg])
