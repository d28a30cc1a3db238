"""Processes of a session on the bus, for tests of faults.

    with lab(bundle) as bus:
        played = bus.play(recording, script, speed=4)

``played`` is what a decoder said of a recording that was streamed with faults; ``as_offline``
compares it with the pipeline in this process, which gets the same gaps.
"""

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from calibration.fitting.training import CalibrationSettings, calibrate
from rtbci.decoding.bundle import Bundle
from rtbci.decoding.pipeline import Pipeline
from rtbci.signal.recording import Recording
from rtbci.types import Decision, Gap
from sims.generate import generate
from tests.support.box import Box, Event
from tests.support.lsl_source import session

LABELS = {"1": "house", "2": "face"}
RATE = 250
WAIT_S = 0.5  # the engine's default
PER_CORE = 3  # replays of two or three processes each
FULL = 0.1  # of the time of its cores: a computer with less to spare keeps nobody's seconds
# LSL asks every 0.8 s for a stream that is gone; on a full computer one answer may miss its turn
ASKED_AGAIN_S = 0.8


def small_bundle() -> Bundle:
    """A bundle of Cz, Pz, Oz and Fz at 250 Hz; 3 s."""
    trained = generate(1, n_trials=60, soa=0.6, channels=4)
    return calibrate(
        [trained], CalibrationSettings("sub-01", LABELS), lambda *_: None, permute=False
    ).bundle


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    """``small_bundle``. A module gets this by importing it."""
    return small_bundle()


@pytest.fixture(scope="module")
def home(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the bundle; needs ``bundle`` in the same module."""
    return bundle.save(tmp_path_factory.mktemp("bundle"))


def simulated(seconds: float, channels: int = 4, seed: int = 2) -> Recording:
    """A recording of ``seconds`` with an event every 0.6 s, from 4 s to 3 s before its end."""
    trials = round((seconds - 7) / 0.6)
    return generate(seed, n_trials=trials, soa=0.6, channels=channels)


def write(recording: Recording, folder: Path, labels: Iterable[str] = ()) -> Path:
    """``recording`` as .npy and sidecar; ``labels`` replace those of the first markers."""
    path = folder / "played.npy"
    np.save(path, recording.signal)
    markers = [{"index": each.index, "label": each.label} for each in recording.markers]
    for marker, label in zip(markers, labels, strict=False):
        marker["label"] = label
    sidecar = {
        "rate": recording.info.rate, "unit": "uV", "axes": "time,channel",
        "channels": recording.info.channels, "types": recording.info.types, "markers": markers,
    }  # fmt: skip
    path.with_suffix(".json").write_text(json.dumps(sidecar), "utf-8")
    return path


@dataclass
class Played:
    """Result of a replay with faults."""

    recording: Recording
    stream: Box
    decode: Box
    recorder: Box | None
    xdf: Path
    done: Event = field(default_factory=dict)
    idle: float = 1.0  # share of the cores' time that nobody used meanwhile

    @property
    def more_s(self) -> float:
        """What the return of a stream may take longer than promised, s: 0 if there was time."""
        return ASKED_AGAIN_S if self.idle < FULL else 0.0

    @property
    def record(self) -> Box:
        """Recorder, or None."""
        assert self.recorder is not None
        return self.recorder

    @property
    def decisions(self) -> list[Event]:
        """All decisions, in order of arrival."""
        return self.decode.all("decision")

    @property
    def events(self) -> list[Event]:
        """Decisions on events."""
        return [each for each in self.decisions if each["true"] is not None]

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """Gaps reported by the decoder."""
        return tuple(
            Gap(each["index"], each["missing"], each["reason"]) for each in self.decode.all("gap")
        )

    def as_offline(self, bundle: Bundle, every: float | None = None) -> set[int]:
        """Whether every decision equals the offline pipeline's with the same gaps."""
        gaps = self.gaps
        expected = offline(bundle, self.recording, gaps, every)
        for each in self.decisions:
            other = expected[each["index"], each["true"] is not None]
            assert (each["label"], each["rejected"], each["true"]) == (
                other.label, other.rejected, other.true,
            ), each  # fmt: skip
            assert each["flags"] == list(other.flags), each
            assert each["probabilities"] == pytest.approx(dict(other.probabilities), abs=1e-6)
        found = [each["index"] for each in self.events]
        assert len(set(found)) == len(found)
        return set(found)

    def indices(self, since: float = 0, until: float = 1e9) -> set[int]:
        """Events of the recording whose onset lies between these seconds."""
        return {
            each.index
            for each in self.recording.markers
            if since * RATE <= each.index < until * RATE
        }


def offline(
    bundle: Bundle, recording: Recording, gaps: tuple[Gap, ...] = (), every: float | None = None
) -> dict[tuple[int, bool], Decision]:
    """Decisions of the pipeline in this process, by index and whether an event was decided."""
    keep = np.ones(recording.n_samples, bool)
    for gap in gaps:
        keep[gap.index : gap.index + gap.missing] = False
    holed = replace(recording, signal=recording.signal[keep], gaps=gaps)
    decided = Pipeline(bundle, holed.info, every=every, wait=WAIT_S).run(holed.items(5))
    return {(each.index, each.true is not None): each for each in decided}


class Lab:
    """LSL session, folder and bundle of one test."""

    def __init__(self, folder: Path, bundle: Path) -> None:
        self.folder, self.bundle, self.session = folder, bundle, session()
        self._boxes: list[Box] = []

    @property
    def words(self) -> tuple[str, ...]:
        """Options that select the session."""
        return ("--lsl-session", self.session, "--lsl-scope", "machine")

    def start(self, command: str, *words: object, **more: str) -> Box:
        """Start a process of this session, with orders on stdin and JSON events."""
        control = ("--control", "stdin", "--json")
        self._boxes.append(Box(command, *words, *control, *self.words, **more))
        return self._boxes[-1]

    def run(self, *words: object, code: str = "", **more: str) -> Box:
        """Any process; what it prints are events where it is JSON."""
        self._boxes.append(Box(*words, code=code, **more))
        return self._boxes[-1]

    def decode(self, *words: object, **more: str) -> Box:
        """Start a decoder, which may not have found its stream yet."""
        return self.start("decode", "--bundle", self.bundle, *words, **more)

    def begin(
        self, recording: Recording, script: str = "", *words: object, labels: tuple[str, ...] = (),
        decode: tuple[object, ...] = (), record: bool = False, speed: float = 4, **more: str,
    ) -> Played:  # fmt: skip
        """Stream with the faults of ``script``, decode, and record if asked."""
        path = write(recording, self.folder, labels)
        if script:
            (self.folder / "faults.toml").write_text(script)
            words = (*words, "--fault", self.folder / "faults.toml")
        readers = ("--wait-for", 1 + record, "--speed", speed)
        stream = self.start("stream", path, *readers, *words, **more)
        decoder = self.decode(*decode, **more)
        recorder, xdf = None, self.folder / "recorded.xdf"
        if record:
            recorder = self.start("record", "--out", xdf, **more)
        return Played(recording, stream, decoder, recorder, xdf)

    def finish(self, played: Played, seconds: float = 60) -> Played:
        """Wait for the end of the recording and the last events of all processes."""
        began = unused()
        end = played.stream.until("end", seconds)
        (spare, of), (before, since) = unused(), began
        played.idle = (spare - before) / max(of - since, 1e-9)
        played.decode.say("finish", index=end["index"])
        assert played.decode.end() == 0, played.decode.stderr
        played.done = played.decode.events[-1]
        assert played.done["event"] == "done"
        if played.recorder is not None:
            played.recorder.say("finish")
            assert played.recorder.end() == 0, played.recorder.stderr
        played.stream.say("finish")
        assert played.stream.end() == 0, played.stream.stderr
        return played

    def play(self, recording: Recording, script: str = "", *words: object, **more: Any):
        """``begin`` and ``finish``."""
        return self.finish(self.begin(recording, script, *words, **more))

    def close(self) -> None:
        """End all processes."""
        for box in self._boxes:
            box.close()


@contextlib.contextmanager
def lab(folder: Path, bundle: Path) -> Iterator[Lab]:
    """A ``Lab`` whose processes are ended."""
    made = Lab(folder, bundle)
    try:
        yield made
    finally:
        made.close()


def fault(at: float, do: str, lasts: float | None = None, **keys: object) -> str:
    """One fault of a script; ``at`` and ``lasts`` in recording seconds."""
    given = {"at": at, "do": do, "for": lasts, **keys}
    lines = [f"{key} = {_toml(value)}" for key, value in given.items() if value is not None]
    return "\n".join(["[[fault]]", *lines, ""])


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(each)}" for key, each in value.items()) + "}"
    return json.dumps(value)


def at_once(jobs: dict[str, Callable[[], Any]]) -> dict[str, Any]:
    """The results of all ``jobs``, done at the same time: they mostly wait.

    On few cores some wait for others, first come first served: what a job promises within seconds
    holds on a computer that has time for it.
    """
    with ThreadPoolExecutor(
        min(len(jobs), PER_CORE * len(psutil.Process().cpu_affinity() or [0]))
    ) as pool:
        running = {name: pool.submit(job) for name, job in jobs.items()}
        return {name: each.result() for name, each in running.items()}


def unused() -> tuple[float, float]:
    """Seconds that the cores of this process were idle so far, and all of their seconds."""
    times = psutil.cpu_times(percpu=True)
    mine = [times[core] for core in psutil.Process().cpu_affinity() or range(len(times))]
    return sum(each.idle for each in mine), sum(sum(each) for each in mine)


def recorded(path: Path, name: str = "rtbci-eeg") -> dict[str, Any]:
    """The only stream of that name in an XDF, stamps as they were sent."""
    import pyxdf

    found, _ = pyxdf.load_xdf(
        str(path), dejitter_timestamps=False, synchronize_clocks=False, verbose=False
    )
    (stream,) = [each for each in found if each["info"]["name"] == [name]]
    return stream
