"""A simulated participant with sessions, and the EEG measured in them.

    person = Person(seed=0, subject=2, channels=montage(122), rate=1000, strength="realistic")
    x = person.session(1).epochs(pictures, run=1)  # (trials, 500, 122) float32, uV

The same arguments give the same bits. Anatomy, map and alpha belong to the person; the cap's seat,
its contacts and the vigour of the day to the session; latency, size and pattern to the trial.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from rtbci import stimuli
from rtbci.errors import BadInput
from rtbci.signal.recording import Recording
from rtbci.types import Array, Marker, Provenance, Samples, StreamInfo
from sims.person import anatomy, background, features
from sims.person.constants import (
    BREAK_EVERY,
    BREAK_MS,
    CAP_SHIFT_DEG,
    EPOCH_MS,
    GAIN_SPREAD,
    LEVEL_SPREAD,
    LEVEL_UV,
    PEOPLE_SEED,
    PERSON_GAIN,
    SESSION_GAIN,
    SESSION_LEVEL,
    SKULL,
    SOA_MS,
    SOA_SPREAD_MS,
    STRENGTHS,
)
from sims.person.continuous import SimulatedSignal
from sims.person.head import put_on
from sims.person.response import Response, Timing

LOWEST_RATE, HIGHEST_RATE = 100.0, 5000.0  # Hz


@dataclass(frozen=True)
class Person:
    """Simulated participant: ``seed`` names the population, ``subject`` the member of it."""

    seed: int
    subject: int
    channels: tuple[str, ...]
    rate: float = 1000.0
    strength: str = "realistic"

    def __post_init__(self) -> None:
        if self.strength not in STRENGTHS:
            raise BadInput(f"no strength {self.strength!r}; choose of {', '.join(STRENGTHS)}")
        if not LOWEST_RATE <= self.rate <= HIGHEST_RATE:
            raise BadInput(
                f"{self.rate:g} Hz; a simulated amplifier has {LOWEST_RATE:g} to {HIGHEST_RATE:g}"
            )

    @property
    def name(self) -> str:
        """Subject name as in the dataset."""
        return f"sub-{self.subject:02d}"

    @cached_property
    def anatomy(self) -> anatomy.Anatomy:
        """Source model of the participant."""
        return anatomy.of_person(self.rng(1))

    @cached_property
    def habits(self) -> background.Habits:
        """Stable alpha and background level."""
        rng = self.rng(2)
        return background.Habits.of_person(LEVEL_UV * float(rng.lognormal(0, LEVEL_SPREAD)), rng)

    @cached_property
    def timing(self) -> Timing:
        """Latency of each wave and size of the response."""
        rng = self.rng(3)
        skull = (self.habits.level / LEVEL_UV) ** SKULL
        return Timing.of_person(skull * float(rng.lognormal(0, PERSON_GAIN)), rng)

    def session(self, number: int) -> "SimulatedSession":
        """The session of day ``number``, from 1."""
        return SimulatedSession(self, number)

    def rng(self, *purpose: int) -> np.random.Generator:
        """Random generator of this participant for one purpose."""
        return np.random.default_rng([PEOPLE_SEED, self.seed, self.subject, *purpose])

    def features(self, pictures: features.Pictures) -> Array | None:
        """Features of ``pictures`` (numbers of the set); None if nothing depends on them."""
        if self.strength == "none":
            return None
        return features.of_pictures(pictures, codes=self.strength == "codes")


@dataclass(frozen=True)
class SimulatedSession:
    """One recording day of a simulated participant."""

    person: Person
    number: int

    @cached_property
    def _day(self) -> tuple[background.Background, Response]:
        """Background and response under this day's cap."""
        person = self.person
        rng = person.rng(4, self.number)
        cap = put_on(person.channels, np.deg2rad(rng.normal(0, CAP_SHIFT_DEG, 3)))
        gains = 1 + rng.normal(0, GAIN_SPREAD, len(person.channels))
        how = STRENGTHS[person.strength]
        level = how.quiet * float(rng.lognormal(0, SESSION_LEVEL))
        habits = person.habits.louder(level)
        noise = background.of_session(person.anatomy, habits, cap, gains, person.rate, rng)
        timing = person.timing.of_session(float(rng.lognormal(0, SESSION_GAIN)), rng)
        common = person.anatomy.common(cap) * gains * noise.alive
        shares = [
            each * gains * noise.alive for each in person.anatomy.information(cap, how.effect)
        ]
        return noise, Response(person.rate, timing, common, shares, how.pattern)

    @property
    def background(self) -> background.Background:
        """Background of the session, without responses."""
        return self._day[0]

    @property
    def response(self) -> Response:
        """Response model of the session."""
        return self._day[1]

    def epochs(self, pictures: features.Pictures, run: int = 1) -> Samples:
        """``(trials, times, channels)`` uV, 0 to 499 ms after each picture's trigger."""
        rng = self.person.rng(5, self.number, run)
        n, n_times = len(pictures), round(EPOCH_MS / 1000 * self.person.rate)
        starts = onsets(n, rng)
        x = self.background.draw(starts, n_times, self.background.run(rng), rng)
        driven = self.person.features(pictures)
        x += self.response.draw(n, driven, n_times, rng)
        return x

    def continuous(
        self,
        pictures: features.Pictures,
        run: int = 1,
        *,
        soa: float = 2.0,
        jitter: float = 0.2,
        lead: float = 5.0,
        tail: float = 2.0,
    ) -> Recording:
        """One whole run: pictures ``soa`` s apart, each up to ``jitter`` s early or late.

        Markers are the categories, with ``image``, ``caption`` and ``trial``. ``lead`` and ``tail``
        seconds come before the first and after the last picture.
        """
        rng, rate = self.person.rng(8, self.number, run), self.person.rate
        n = len(pictures)
        seconds = lead + soa * np.arange(n) + rng.uniform(-jitter, jitter, n)
        onsets = np.round(seconds * rate).astype(int)
        end = round((lead + soa * n + tail) * rate)
        signal, pieces = self.signal(run), []
        driven = self.person.features(pictures)
        for number, onset in enumerate(onsets):
            if onset > signal.head:
                pieces.append(signal.take(int(onset) - signal.head))
            signal.evoke(int(onset), None if driven is None else driven[number])
        pieces.append(signal.take(end - signal.head))
        shown = [stimuli.load()[each] for each in pictures]
        markers = tuple(
            Marker(int(onset), each.category,
                   {"image": each.name, "caption": each.caption, "trial": number})
            for number, (onset, each) in enumerate(zip(onsets, shown, strict=True), start=1)
        )  # fmt: skip
        return self._recording(np.concatenate(pieces), markers, run)

    def signal(self, run: int = 1) -> SimulatedSignal:
        """Run as an endless signal."""
        noise, response = self._day
        return SimulatedSignal(noise, response, self.person.rng(9, self.number, run))

    def _recording(self, x: Samples, markers: tuple[Marker, ...], run: int) -> Recording:
        person = self.person
        name = f"{person.name}_ses-{self.number:02d}_run-{run:02d}"
        digest = hashlib.sha256(x.tobytes() + repr((person, markers)).encode()).hexdigest()
        path = f"{name} (simulated, seed {person.seed}, {person.strength})"
        types = ("EEG",) * len(person.channels)
        return Recording(
            signal=x,
            info=StreamInfo(name, person.rate, person.channels, types),
            markers=markers,
            provenance=Provenance((path,), digest, "simulated"),
        )


def onsets(n: int, rng: np.random.Generator) -> Array:
    """Onset times of ``n`` pictures in seconds of the run, including pauses and breaks."""
    waits = SOA_MS + rng.exponential(SOA_SPREAD_MS, n)
    waits[::BREAK_EVERY] = BREAK_MS
    return np.cumsum(waits) / 1000
