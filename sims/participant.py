"""Simulated participant at a live amplifier who responds to the markers of any program.

Two threads. The *ears* find marker streams, read them, and work out what each marker shows (which
may take a sentence encoder some seconds to load the first time). The *amplifier* sends a block of
signal every 20 ms and puts a response in where a marker was stamped. The amplifier is
``DELAY_S`` behind, as real ones are, so that a marker comes before its samples are gone.
"""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from queue import SimpleQueue

import numpy as np

from rtbci import stimuli
from rtbci.errors import Missing
from rtbci.lsl.config import source_id, stream_name
from rtbci.lsl.marker_streams import HostClockOffsets, MarkerStreams, is_for_decoding
from rtbci.lsl.outlet import Outlet, clock
from rtbci.lsl.resolve import StreamDiscovery
from rtbci.messages import (
    Event,
    MarkerAnswered,
    MarkerLate,
    MarkersHeard,
    MarkerUnknown,
    ParticipantCounters,
    ParticipantDone,
    ParticipantReady,
    ParticipantStatus,
)
from rtbci.types import Array, Marker
from sims.person import SimulatedSession, features
from sims.person.constants import LOOKS, PEOPLE_SEED
from sims.player import Orders, PlayerListener, Stopped, check_orders

DELAY_S = 0.05  # from a sample's stamp until it is sent
BLOCK_S = 0.02
AT_MOST_S = 1.0  # sent at once by a process that was held up
POLL_S = 0.005  # between two looks for markers
LOOK_S = 0.5  # between two looks for marker streams
STATUS_S = 1.0
LATE_S = 0.055  # a marker that comes later has missed what it would have evoked
FUTURE_S = 5.0  # a marker stamped further ahead comes from a clock that is not ours
OURS = "rtbci-"  # how markers begin that show nothing
SENTENCES: dict[type[Event], str] = {
    ParticipantReady: "{subject} is streaming {name}: {channels} channels, {rate:g} Hz, {strength} "
    "(simulated: nobody is measured)",
    MarkersHeard: "listening to {stream}",
    MarkerUnknown: "no picture or category is called {label!r}: {how}",
    MarkerLate: "marker {label!r} came {late:.2f} s after its stamp, when its samples were gone",
    ParticipantDone: "{samples} samples were sent, {markers} markers answered",
}


@dataclass(frozen=True)
class ShownStimulus:
    """A resolved marker: its local time and the features that it evokes."""

    stamp: float
    label: str
    driven: Array | None


class StimulusLookup:
    """Lookup from a marker to the features of the response; random choices depend on ``seed``."""

    def __init__(self, strength: str, tell: PlayerListener, seed: int = 0) -> None:
        self._strength, self._tell = strength, tell
        self._rng = np.random.default_rng([PEOPLE_SEED, seed])
        self._by_name = {each.name: i for i, each in enumerate(stimuli.load())}
        self._by_caption = {each.caption: i for i, each in enumerate(stimuli.load())}
        self._known: dict[str, Array] = {}  # texts of other programs

    def see(self, marker: Marker) -> Array | None:
        """Features; None where nothing depends on the picture. Raises ``LookupError`` for a marker
        that shows nothing."""
        fields = dict(marker.fields)
        label = marker.label
        if label.startswith("{"):  # an object without a label
            try:
                found = json.loads(label)
            except ValueError:
                found = None
            if isinstance(found, dict):
                fields, label = found, ""
        if label.startswith(OURS) or fields.get("dropped") is True:
            raise LookupError("shows nothing")
        texts = [fields.get("image"), fields.get("caption"), label, fields.get("category")]
        words = [each.strip() for each in texts if isinstance(each, str) and each.strip()]
        if not words:
            raise LookupError("says nothing")
        if self._strength == "none":
            return None
        number = self._picture(words)
        if number is not None:
            return features.of_pictures([number], codes=self._strength == "codes")[0]
        caption = fields.get("caption")
        return self._unknown(caption if isinstance(caption, str) and caption.strip() else words[0])

    def _picture(self, words: list[str]) -> int | None:
        """Picture named by the marker, or a random one of its category."""
        for word in words:
            name = word.rsplit("/", 1)[-1].rsplit("\\", 1)[-1]
            name = name.removesuffix(".jpg").removesuffix("_resized")
            for known, key in ((self._by_name, name), (self._by_caption, word)):
                if key in known:
                    return known[key]
        for word in words:
            if word.casefold() in stimuli.CATEGORIES:
                number = stimuli.CATEGORIES.index(word.casefold())
                return int(self._rng.choice(np.flatnonzero(features.classes() == number)))
        return None

    def _unknown(self, text: str) -> Array:
        """Features of words that name no picture: their meaning, else fixed random ones."""
        if text not in self._known:
            how = "it evokes what its words mean"
            if self._strength == "codes":
                found, how = features.of_unknown(text), "it evokes a random code of its own"
            else:
                try:
                    found = _meaning(text)
                except Missing as error:
                    found, how = features.of_unknown(text), f"it evokes a random code ({error})"
            self._known[text] = found
            self._tell(MarkerUnknown(text, how))
        return self._known[text]


def _meaning(text: str) -> Array:
    """Features of a sentence without a picture; raises ``Missing`` without an encoder."""
    from rtbci.text import text_space

    meaning = features.of_meaning(text_space().embed([text]))[0]
    return np.concatenate([meaning, np.zeros(LOOKS)])


class MarkerListener:
    """Thread that reads all marker streams and collects resolved markers in ``heard``."""

    def __init__(
        self, eyes: StimulusLookup, tell: PlayerListener, wanted: tuple[str, ...] = ()
    ) -> None:
        self.heard: SimpleQueue[ShownStimulus | BaseException] = SimpleQueue()
        self._eyes, self._tell, self._wanted = eyes, tell, wanted
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ears", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening. Idempotent."""
        self._stop.set()
        self._thread.join(3.0)

    def _run(self) -> None:
        streams, offsets, watch, look_at = (
            MarkerStreams(),
            HostClockOffsets(),
            StreamDiscovery(),
            0.0,
        )
        try:
            while not self._stop.wait(POLL_S):
                if clock() >= look_at:
                    look_at = clock() + LOOK_S
                    self._look(streams, offsets, watch)
                for follower, stamp, marker in streams.pull(None):
                    try:
                        driven = self._eyes.see(marker)
                    except LookupError:
                        continue
                    offset = offsets.of(follower.about.host) or 0.0
                    self.heard.put(ShownStimulus(stamp + offset, marker.label, driven))
        except Exception as error:  # noqa: BLE001 the amplifier's thread raises it
            self.heard.put(error)
        finally:
            offsets.close()
            streams.close()

    def _look(
        self, streams: MarkerStreams, offsets: HostClockOffsets, watch: StreamDiscovery
    ) -> None:
        before = set(streams.names)
        for found in watch.found():
            if is_for_decoding(found, self._wanted):
                streams.add(found)
        for name in sorted(set(streams.names) - before):
            self._tell(MarkersHeard(name))
        if set(streams.names) != before:
            offsets.start(streams.followers)


class Participant:
    """Simulated participant that streams until stopped; ``tell`` must not block."""

    def __init__(self, session: SimulatedSession, run: int = 1, name: str | None = None) -> None:
        self.session, self._name = session, name
        self._signal = session.signal(run)
        self._samples = self._markers = self._late = 0
        self._outlet: Outlet | None = None

    def run(
        self,
        tell: PlayerListener,
        orders: Orders,
        wanted: tuple[str, ...] = (),
        seconds: float | None = None,
    ) -> None:
        """Stream, for ``seconds`` or for ever; raises ``Stopped``."""
        person = self.session.person
        self._open()
        t0, reported = clock(), 0.0
        tell(self._identity(t0))
        ears = MarkerListener(StimulusLookup(person.strength, tell, person.seed), tell, wanted)
        try:
            while seconds is None or self._samples < seconds * person.rate:
                check_orders(orders)
                self._listen(ears, t0, tell)
                self._send(t0)
                if clock() - reported >= STATUS_S:
                    reported = clock()
                    tell(ParticipantStatus(**vars(self.counts())))
                due = t0 + DELAY_S + self._samples / person.rate + BLOCK_S
                time.sleep(min(max(due - clock(), 0.0), BLOCK_S))
        finally:
            ears.close()

    def counts(self) -> ParticipantCounters:
        """Counts of sent samples and answered markers."""
        return ParticipantCounters(self._samples, self._markers, self._late)

    def close(self) -> None:
        """Close the outlets. Idempotent."""
        if self._outlet is not None:
            self._outlet.close()

    def _open(self) -> None:
        person = self.session.person
        self._outlet = Outlet(
            self._name or stream_name("eeg"), source_id(self._name or "eeg"), kind="EEG",
            rate=person.rate, channels=person.channels, types=("EEG",) * len(person.channels),
            unit="microvolts",
            fields={
                "manufacturer": "rtbci simulate", "simulated": "true", "subject": person.name,
                "strength": person.strength, "seed": str(person.seed),
            },
        )  # fmt: skip

    def _identity(self, t0: float) -> ParticipantReady:
        person = self.session.person
        return ParticipantReady(
            name=self._name or stream_name("eeg"), t0=t0, subject=person.name,
            session=self.session.number, rate=person.rate, strength=person.strength,
            channels=len(person.channels), seed=person.seed, simulated=True,
        )  # fmt: skip

    def _listen(self, ears: MarkerListener, t0: float, tell: PlayerListener) -> None:
        """Add the responses to markers resolved since the last call."""
        rate = self.session.person.rate
        while not ears.heard.empty():
            heard = ears.heard.get()
            if isinstance(heard, BaseException):
                raise heard
            late = clock() - heard.stamp
            if not abs(late) <= FUTURE_S:  # of a clock that was set, or no number
                heard, late = replace(heard, stamp=clock()), 0.0
            index = round((heard.stamp - t0) * rate)
            if self._signal.head - index > LATE_S * rate:
                self._late += 1
                tell(MarkerLate(heard.label, late))
            self._signal.evoke(index, heard.driven)
            self._markers += 1
            tell(MarkerAnswered(heard.label, index, heard.stamp))

    def _send(self, t0: float) -> None:
        """Send all samples that are due."""
        rate = self.session.person.rate
        due = int((clock() - DELAY_S - t0) * rate) - self._samples
        n = min(due, round(AT_MOST_S * rate))
        if n <= 0:
            return
        stamps = t0 + (self._samples + np.arange(n)) / rate
        assert self._outlet is not None
        self._outlet.push(self._signal.take(n), stamps)
        self._samples += n


def sentence(event: Event) -> str | None:
    """Event as a sentence for people; None for events meant for programs."""
    text = SENTENCES.get(type(event))
    return text.format(**vars(event)) if text else None


def stream(
    session: SimulatedSession,
    tell: PlayerListener,
    orders: Orders,
    *,
    run: int = 1,
    name: str | None = None,
    wanted: tuple[str, ...] = (),
    seconds: float | None = None,
    done: Callable[[ParticipantCounters], None] = lambda _: None,
) -> None:
    """A participant from its first sample to its last; ``done`` gets the counts, whatever ends it.

    ``rtbci.lsl.config.configure`` must have been called before.
    """
    participant = Participant(session, run, name)
    try:
        participant.run(tell, orders, wanted, seconds)
    except Stopped:
        pass
    finally:
        participant.close()
        done(participant.counts())
