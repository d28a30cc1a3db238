"""Offline benchmarks: every figure is the median of several runs after a warm-up.

Speed-ups are ratios of alternating runs, so that other load on the computer affects both sides.
Nothing here uses more than one thread.
"""

import gc
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import numpy as np

from rtbci.decoding.bundle import Bundle
from rtbci.decoding.decoders.evoked import MEANS_RATE, EvokedDecoder
from rtbci.decoding.latency_gate import BIN_RATE, Template
from rtbci.decoding.pipeline import Pipeline
from rtbci.errors import BadInput
from rtbci.signal.preprocess import Cascade, design
from rtbci.signal.recipe import EVOKED_BANDS, EVOKED_WINDOW, Recipe, make_recipe
from rtbci.signal.recording import Recording
from rtbci.signal.ring import Ring
from rtbci.types import Array, Marker, Provenance, Samples, StreamInfo

# Electrodes and rate (Hz) of the low-speed dataset.
CHANNELS, RATE = 122, 1000.0
# Samples in a chunk of a live stream.
CHUNK = 20
# Time between events, s.
EVERY = 2.0
# Components of the decoder, as calibration chooses them for many electrodes.
COMPONENTS = 24
# xDAWN filters per class.
XDAWN_ROWS = 2
HEADSET = ("TP9", "AF7", "AF8", "TP10")
HEADSET_RATE = 256.0  # Hz
# Time limit for a child process to end, s.
PATIENCE_S = 60.0


@dataclass(frozen=True)
class BenchResult:
    """One result, with an optional bound."""

    bench: str
    what: str
    figure: float
    unit: str
    bound: float | None = None
    at_least: bool = False  # whether ``bound`` is a lower bound
    more: dict[str, float] = field(default_factory=dict)

    @property
    def ok(self) -> bool | None:
        """Whether the figure is within its bound; None without a bound."""
        if self.bound is None:
            return None
        return self.figure >= self.bound if self.at_least else self.figure <= self.bound


def machine() -> dict[str, object]:
    """Hardware and software that the figures were measured on, and the load."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows: untested
        cores = os.cpu_count() or 1
    load = round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
    return {
        "cpu": _cpu(),
        "cores": cores,
        "load_1min": load,
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def decode(seconds: float) -> Iterator[BenchResult]:
    """Speed of the whole pipeline on a recording, in chunks of one second and of live size."""
    names = tuple(f"E{i + 1:03d}" for i in range(CHANNELS))
    bundle = synthetic_bundle(RATE, names, ("a", "b", "c", "d"))
    recording = synthetic_recording(RATE, names, seconds, EVERY, tuple(bundle.labels))
    sizes = {"replay": round(RATE), "live": CHUNK}
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in sizes}
    for turn in range(4):
        for name, size in sizes.items():
            items = list(recording.items(size))
            pipeline = Pipeline(bundle, recording.info)
            with undisturbed():
                wall, cpu = time.perf_counter(), time.process_time()
                decisions = pipeline.run(items)
                used = time.process_time() - cpu, time.perf_counter() - wall
            assert len(decisions) == len(recording.markers), "an event was dropped"
            assert all(each.label for each in decisions), "an event was not decoded"
            if turn:  # the first is the warm-up
                runs[name].append(used)
    for name, size in sizes.items():
        cpu, wall = (median(each) for each in zip(*runs[name], strict=True))
        yield BenchResult(
            "decode",
            f"{CHANNELS} channels at {RATE:g} Hz, chunks of {size}, an event every {EVERY:g} s",
            seconds / cpu,
            "x real time on one core",
            50.0,
            at_least=True,
            more={
                "seconds_of_signal": seconds,
                "cpu_s": cpu,
                "wall_s": wall,
                "cores_used": cpu / wall,
                "percent_of_a_core_live": 100 * cpu / seconds,
            },
        )


def filters(_seconds: float) -> Iterator[BenchResult]:
    """Speed of the causal filter compared with scipy's sosfilt on the same chunks."""
    from scipy.signal import sosfilt

    chain = design(0.3, 20.0, RATE, 50.0)
    x = np.random.default_rng(0).normal(0, 20, (CHUNK, CHANNELS)).astype(np.float32)
    cascade, kept = Cascade(chain, CHANNELS), [np.zeros((len(chain.sos), 2, CHANNELS))]

    def ours() -> None:
        cascade.push(x)

    def scipys() -> None:
        _, kept[0] = sosfilt(chain.sos, x, axis=0, zi=kept[0])

    one, other, ratio = side_by_side(ours, scipys)
    what = f"{len(chain.sos)} sections, chunks of {CHUNK}, {CHANNELS} channels"
    more = {"scipy_us": other}
    yield BenchResult("filter", what, one, "us a chunk", 25.0, more=more)
    yield BenchResult("filter", "the same by scipy.signal.sosfilt", ratio, "x faster", 1.5, True)


def ring(_seconds: float) -> Iterator[BenchResult]:
    """Time to append to the ring and read the last half second, compared with ``np.roll``."""
    x = np.random.default_rng(0).normal(0, 20, (CHUNK, CHANNELS)).astype(np.float32)
    window, buffer = 500, [np.zeros((round(4 * RATE), CHANNELS), np.float32)]
    ours_ring = Ring(round(4 * RATE), (CHANNELS,))
    ours_ring.append(np.zeros((window, CHANNELS), np.float32))

    def ours() -> None:
        ours_ring.append(x)
        ours_ring.view(ours_ring.rows - window, ours_ring.rows)

    def rolled() -> None:
        buffer[0] = np.roll(buffer[0], -CHUNK, axis=0)
        buffer[0][-CHUNK:] = x
        buffer[0][-window:]

    one, other, ratio = side_by_side(ours, rolled)
    what = f"append {CHUNK} x {CHANNELS}, read the last {window}"
    yield BenchResult("ring", what, one, "us", 5.0, more={"np_roll_us": other})
    # This favours np.roll: its 2 MB stay in the processor's cache here, but not in a session.
    yield BenchResult("ring", "the same by np.roll of 4 s", ratio, "x faster", 10.0, True)


def start(_seconds: float) -> Iterator[BenchResult]:
    """Time from starting a process to the first decision of a replay, and to the help text."""
    with tempfile.TemporaryDirectory(prefix="rtbci-bench-") as name:
        folder = Path(name)
        bundle = synthetic_bundle(HEADSET_RATE, HEADSET, ("1", "2")).save(folder / "bundles")
        file = folder / "two-minutes.csv"
        write_headset_csv(
            file, synthetic_recording(HEADSET_RATE, HEADSET, 120.0, EVERY, ("1", "2"))
        )
        words = ["replay", str(file), "--bundle", str(bundle), "--speed", "max"]
        decision = [_until(b'"decision"', *words, "--headless", "--json") for _ in range(4)]
        help_text = [_until(b"", "--help") for _ in range(6)]
    what = f"2 minutes of {len(HEADSET)} channels at {HEADSET_RATE:g} Hz, Muse CSV"
    yield BenchResult("start", f"first decision: {what}", median(decision[1:]), "s", 2.0)
    yield BenchResult("start", "rtbci --help", median(help_text[1:]), "s", 0.3)


BENCHES: dict[str, Callable[[float], Iterator[BenchResult]]] = {
    "decode": decode,
    "filter": filters,
    "ring": ring,
    "start": start,
}


def _until(wanted: bytes, *words: str) -> float:
    """Seconds from the start of a process to its first line with ``wanted``; waits for its end."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "rtbci", *words]
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors) as child,
    ):
        assert child.stdout is not None
        took = None
        for line in child.stdout:
            if took is None and wanted in line:
                took = time.perf_counter() - began
        code = child.wait(PATIENCE_S)
        errors.seek(0)
        said = errors.read().decode("utf-8", "replace").strip()
    if code or took is None:
        last = said.splitlines()[-1] if said else "nothing"
        raise BadInput(f"rtbci {words[0]} ended with exit code {code}; last output: {last}")
    return took


def side_by_side(
    ours: Callable[[], None], other: Callable[[], None], repeats: int = 25, calls: int = 100
) -> tuple[float, float, float]:
    """Microseconds per call of each, and the speed-up of ``ours``, all medians."""
    times: list[tuple[float, float]] = []
    with undisturbed():
        for turn in range(repeats + 2):
            pair = []
            for work in (ours, other):
                began = time.perf_counter_ns()
                for _ in range(calls):
                    work()
                pair.append((time.perf_counter_ns() - began) / 1000 / calls)
            if turn >= 2:  # the first two turns are the warm-up
                times.append((pair[0], pair[1]))
    one, two = (median(each) for each in zip(*times, strict=True))
    return one, two, median(b / a for a, b in times)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Context without garbage collection, which would slow down one side only."""
    gc.collect()
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def synthetic_bundle(
    rate: float,
    channels: tuple[str, ...],
    classes: tuple[str, ...],
    window: tuple[float, float] = EVOKED_WINDOW,
) -> Bundle:
    """Bundle of realistic size with random weights, which only serves to measure time."""
    recipe = make_recipe(rate, channels, bands=EVOKED_BANDS, window=window, gate=True, reject=100.0)
    rng = np.random.default_rng(0)
    components, k = min(COMPONENTS, len(channels)), len(classes)
    svd = components if k * components <= COMPONENTS else max(1, COMPONENTS // k)
    begin, end = map(recipe.samples, window)
    times = len(range(0, end - begin, recipe.decimation))
    rows, filters = k * svd, k * min(XDAWN_ROWS, components)
    width = max(1, round(recipe.decoder_rate / MEANS_RATE))
    features = components * (times // width)

    def head(size: int) -> Array:
        return rng.normal(0, 0.1, (k, size))

    def upper(size: int) -> int:
        return size * (size + 1) // 2

    decoder = EvokedDecoder(
        classes=classes,
        projection=np.linalg.qr(rng.normal(size=(len(channels), components)))[0].T,
        prototypes=rng.normal(0, 3, (rows, times)),
        erp_whitening=np.eye(rows + components) / 5,
        erp_coef=head(upper(rows + components)),
        erp_bias=np.zeros(k),
        xdawn_filters=rng.normal(0, 0.3, (filters, components)),
        xdawn_prototypes=rng.normal(0, 3, (filters, times)),
        xdawn_whitening=np.eye(2 * filters) / 5,
        xdawn_coef=head(upper(2 * filters)),
        xdawn_bias=np.zeros(k),
        means=np.zeros(features),
        scales=np.full(features, 5.0),
        lda_coef=head(features),
        lda_bias=np.zeros(k),
        bin=np.array([width]),
    )
    return Bundle(
        subject="benchmark",
        paradigm="evoked",
        family="evoked",
        described="random weights for measurements; it decodes nothing",
        labels={name: name for name in classes},
        recipe=recipe,
        decoder=decoder,
        template=_template(recipe, components, rng),
    )


def _template(recipe: Recipe, components: int, rng: np.random.Generator) -> Template:
    look = recipe.samples(recipe.look[1]) - recipe.samples(recipe.look[0])
    bins = look // max(1, round(recipe.rate / BIN_RATE))
    projection = np.linalg.qr(rng.normal(size=(len(recipe.channels), components)))[0].T
    return Template(rng.normal(0, 0.01, (components, bins)), projection, 1.0)


def synthetic_recording(
    rate: float, channels: tuple[str, ...], seconds: float, every: float, labels: tuple[str, ...]
) -> Recording:
    """Recording of noise with offsets and an event every ``every`` s."""
    rng = np.random.default_rng(1)
    n = round(seconds * rate)
    signal: Samples = rng.standard_normal((n, len(channels)), np.float32)
    signal *= 10
    signal += rng.normal(0, 50, len(channels)).astype(np.float32)
    step, last = round(every * rate), n - round(1.2 * rate)
    onsets = range(step, last, step)
    if not onsets:
        raise BadInput(f"{seconds:g} s of signal hold no event; take at least {2 * every:g} s")
    markers = tuple(Marker(at, labels[i % len(labels)]) for i, at in enumerate(onsets))
    info = StreamInfo("benchmark", rate, channels, ("EEG",) * len(channels))
    return Recording(signal, info, markers, Provenance(("benchmark",), "", "made up"))


def write_headset_csv(path: Path, recording: Recording) -> None:
    """Write the recording in the format of a Muse recorder; labels must be numbers."""
    shown = np.zeros(len(recording.signal))
    for marker in recording.markers:
        shown[marker.index] = float(marker.label)
    stamps = 1.7e9 + np.arange(len(shown)) / recording.info.rate
    names = ",".join(recording.info.channels)
    np.savetxt(
        path,
        np.column_stack([stamps, recording.signal, shown]),
        fmt=["%.6f", *(["%.3f"] * len(recording.info.channels)), "%d"],
        delimiter=",",
        header=f"timestamps,{names},Marker0",
        comments="",
    )
