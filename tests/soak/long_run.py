"""A long session of 122 channels at 1 kHz through stream, record and decode, and what it cost.

Channel 0 counts samples and every marker names its row, so that the recording tells by itself
whether anything is missing or sits on another sample.
"""

import json
import random
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyxdf

from rtbci.bench.offline import synthetic_bundle
from rtbci.decoding.bundle import Bundle
from tests.support.boxes_on_bus import Event
from tests.support.live_session import Box
from tests.support.lsl_source import session

CHANNELS, RATE, CHUNK = 122, 1000.0, 20
EVERY_S = CHUNK / RATE  # a decision a chunk
WINDOW_S = (0.0, 0.5)  # 122 x 500
BLOCK = 10_000  # windows, one behind the other
STEADY_S = 10.0  # from here on memory and time are counted
MARKER_S = 0.5
ON_ITS_ROW = 0.01  # samples
MEGABYTE = 2**20
DECODE = f"""
import os
import sys
from rtbci.cli import THREAD_LIMITS, main

os.environ.update(dict.fromkeys(THREAD_LIMITS, "1"))  # numpy reads them now, before main sets them
import numpy as np
from rtbci.statistics.delays import Delays

whole = Delays.summary

def summary(delays):
    took = np.asarray(delays.values["overhead"])
    blocks = np.array_split(took, max(1, len(took) // {BLOCK}))
    values = [np.percentile(block, [50, 99]).tolist() for block in blocks]
    return {{**whole(delays), "blocks": values, "windows": len(took)}}

Delays.summary = summary
sys.exit(main(sys.argv[1:]))
"""  # rtbci, which at its end tells the overhead of every block too


@dataclass(frozen=True)
class Found:
    """Results of a run."""

    seconds: float
    sent: int  # samples from index 0 on
    missing: int  # of them, in the recording, by the counter
    undecoded: int  # of them, that the decoder did not see
    markers: int  # sent
    misplaced: list[str]  # markers that are absent or whose stamp is not that of their row
    growth_mb: dict[str, float]  # of each process beyond what it held at second 10
    blocks: list[tuple[float, float]]  # overhead of windows in a row: median and p99, ms
    windows: int
    cpu_percent: float  # of a core, the engine's process without the model
    model_ms: float  # median

    def values(self) -> dict[str, Any]:
        """Results as a JSON object."""
        return asdict(self)


def electrodes() -> tuple[str, ...]:
    """Electrode names."""
    return tuple(f"E{i + 1:03d}" for i in range(CHANNELS))


def bundle() -> Bundle:
    """For these electrodes, of the size that calibration makes."""
    return synthetic_bundle(RATE, electrodes(), ("a", "b", "c", "d"), WINDOW_S)


def counter_file(folder: Path, seconds: float) -> Path:
    """Noise on 122 electrodes, the first of which counts, and a marker about every half second."""
    rows = round(seconds * RATE)
    path = folder / "counter.npy"
    x = np.lib.format.open_memmap(path, "w+", np.float32, (rows, CHANNELS))
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 10, (round(RATE) * 7 + 1, CHANNELS)).astype(np.float32)
    noise += rng.normal(0, 50, CHANNELS).astype(np.float32)
    for first in range(0, rows, len(noise)):
        x[first : first + len(noise)] = noise[: rows - first]
    x[:, 0] = np.arange(rows)  # exact below 2**24
    x.flush()
    dice = random.Random(1)
    step = round(MARKER_S * RATE)
    at = [row + dice.randrange(-99, 100) for row in range(step, rows - step, step)]
    sidecar = {
        "rate": RATE, "unit": "uV", "axes": "time,channel", "channels": electrodes(),
        "types": ["EEG"] * CHANNELS,
        "markers": [{"index": row, "label": f"row {row}"} for row in at],
    }  # fmt: skip
    path.with_suffix(".json").write_text(json.dumps(sidecar))
    return path


def run(folder: Path, seconds: float) -> Found:
    """Stream, record and decode for ``seconds``; everything lies in ``folder``."""
    file, out = counter_file(folder, seconds), folder / "recording.xdf"
    bus = ("--lsl-session", session(), "--lsl-scope", "machine", "--json", "--control", "stdin")
    with (
        Box("record", "--out", out, *bus) as record,
        Box("decode", "--bundle", bundle().save(folder / "bundle"), "--every", EVERY_S, *bus,
            code=DECODE) as decode,
        Box("stream", file, "--wait-for", 2, "--linger", 60, *bus) as stream,
    ):  # fmt: skip
        stream.until("start", 60)
        watch = Watch({"stream": stream, "record": record, "decode": decode})
        ended = watch.until_end()
        decode.say("finish", index=ended["index"])
        assert decode.end() == 0, decode.stderr
        record.say("finish")
        assert record.end() == 0, record.stderr
        stream.say("finish")
        assert stream.end() == 0, stream.stderr
    (sent,), (decoded,) = stream.all("done"), decode.all("done")
    missing, misplaced = compare(out, sent["samples"], file.with_suffix(".json"))
    took = decoded["latency_ms"]
    return Found(
        seconds, sent["samples"], missing,
        sent["samples"] - decoded["samples"] + decoded["missing"],
        sent["markers"], misplaced, watch.growth_mb,
        took["blocks"], took["windows"], watch.cpu_percent, took["model"]["p50"],
    )  # fmt: skip


class Watch:
    """Memory and CPU of the processes, sampled about once a second."""

    def __init__(self, boxes: dict[str, Box]) -> None:
        self._boxes = boxes
        self._processes = {name: psutil.Process(box.process.pid) for name, box in boxes.items()}
        self._from = time.monotonic() + STEADY_S
        self._first: dict[str, int] | None = None  # bytes
        self._most: dict[str, int] = {}
        self._clocks = [(0.0, 0.0)] * 2  # wall and CPU of the decoder at second 10, and now, s
        self._spent = 0.0  # s of the model between these

    @property
    def growth_mb(self) -> dict[str, float]:
        """The most that each process held beyond what it held at second 10."""
        first = self._first or self._most
        return {name: (most - first[name]) / MEGABYTE for name, most in self._most.items()}

    @property
    def cpu_percent(self) -> float:
        """Of a core, that the decoder used beside its model since second 10."""
        (wall, cpu), (wall_now, cpu_now) = self._clocks
        return 100 * (cpu_now - cpu - self._spent) / max(wall_now - wall, 1e-9)

    def until_end(self) -> Event:
        """Watch until the stream reports its last sample; returns that event."""
        stream, decode = self._boxes["stream"], self._boxes["decode"]
        while True:
            tick = stream.wait(lambda e: e["event"] in ("status", "end"), 30)
            stream.events.clear()
            while decode.until("status", 30, len(decode.events))["at"] < tick["at"] - 1:
                pass  # what came before is in the events now
            self._spend(decode.events)
            decode.events.clear()
            if tick["event"] == "end":
                return tick
            self._look()

    def _spend(self, events: Iterable[Event]) -> None:
        if self._first is not None:
            took = (e["latency_ms"]["model"] for e in events if e["event"] == "decision")
            self._spent += sum(took) / 1000

    def _look(self) -> None:
        now = time.monotonic()
        if now < self._from:
            return
        held = {name: each.memory_info().rss for name, each in self._processes.items()}
        times = self._processes["decode"].cpu_times()
        clocks = now, times.user + times.system
        if self._first is None:
            self._first, self._most, self._clocks = held, held, [clocks, clocks]
        self._most = {name: max(most, held[name]) for name, most in self._most.items()}
        self._clocks[1] = clocks


def compare(file: Path, sent: int, sidecar: Path) -> tuple[int, list[str]]:
    """How many of ``sent`` samples are not in a recording, and which markers are not on their row.

    A sample twice, or under another one's stamp, is missing too. At most ten markers are named.
    """
    streams = pyxdf.load_xdf(
        str(file), dejitter_timestamps=False, synchronize_clocks=False, verbose=False
    )[0]
    eeg, events = (_named(streams, name) for name in ("rtbci-eeg", "rtbci-markers"))
    t0 = float(eeg["info"]["desc"][0]["t0"][0])
    rows = (eeg["time_stamps"] - t0) * RATE
    index = np.rint(rows).astype(np.int64)
    right = (np.abs(rows - index) < ON_ITS_ROW) & (eeg["time_series"][:, 0] == index)
    right &= (index >= 0) & (index < sent)  # the lead-in repeats the first sample
    once = np.bincount(index[right], minlength=sent) == 1
    return sent - int(once.sum()), _misplaced(events, t0, json.loads(sidecar.read_text()))[:10]


def _misplaced(events: dict[str, Any], t0: float, sidecar: dict[str, Any]) -> list[str]:
    """Markers that are missing, doubled or misplaced."""
    found = dict[str, list[float]]()
    for stamp, (text,) in zip(events["time_stamps"], events["time_series"], strict=True):
        label = json.loads(text)["label"] if text.startswith("{") else text
        found.setdefault(label, []).append((stamp - t0) * RATE)
    return [
        f"{marker['label']}: on rows {found.get(marker['label'], [])}"
        for marker in sidecar["markers"]
        if [abs(row - marker["index"]) < ON_ITS_ROW for row in found.get(marker["label"], [])]
        != [True]
    ]


def _named(streams: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """The only stream of that name."""
    (stream,) = [each for each in streams if each["info"]["name"] == [name]]
    return stream
