"""Amplifier and markers on one computer, recorder and decoder on another, a bad network between.

The other computer is a network namespace and a time namespace: its clock is 3.2 s ahead and, where
there is a C compiler, runs 50 ppm fast. The cable (``wire``) is 5 ms long each way, loses 1 % of
the packets, and is cut once for 5 s. Judged by pyxdf, and by the wall clock, which both share.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyxdf

from rtbci.bench.offline import synthetic_bundle
from tests.soak.far_sender import LABELS, build
from tests.soak.units import Result, Units
from tests.soak.wire import ADDRESSES, DEVICES
from tests.support.live_session import Box
from tests.support.lsl_source import ROOT, session

SECONDS, CUT_AT_S, CUT_S = 90.0, 35.0, 5.0
AHEAD_S, DRIFT = 3.2, 50e-6
RATE, CHANNELS = 1000.0, 32
OPEN_S = 2.0  # after the first sample the marker stream is open too
LAST = 3  # markers whose windows may not end before the stream does
NEAR_S = 0.002  # between a marker and its sample
BOUND = (
    f"every marker within {NEAR_S * 1000:g} ms of its sample and of the true moment, the cut at "
    "most one gap"
)
ELECTRODES = tuple(f"E{i + 1:02d}" for i in range(CHANNELS))


@dataclass(frozen=True)
class Found:
    """What came over the cable."""

    drift: bool  # whether the clock ran fast
    samples: int
    gaps: list[int]  # samples missing in the recording, run by run
    markers: int  # sent while the recorder was there
    absent: int  # of them, not in the recording
    marker_ms: float  # largest distance of a marker from its sample, on corrected stamps
    clock_ms: float  # largest error of corrected stamps against the shared wall clock
    decoded_off: int  # largest distance of an event from its sample for the decoder, samples
    undecoded: int  # events that the decoder did not see
    decoder_gaps: list[int]  # samples missing in each


def unusable() -> str | None:
    """Why two computers cannot be had here; None where they can."""
    absent = [name for name in ("unshare", "nsenter", "ip") if shutil.which(name) is None]
    if absent:
        return f"{', '.join(absent)} not installed"
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return "/dev/net/tun cannot be used"
    code = "from tests.soak.wire import *; tunnel('lab0'); leave(); tunnel('amp0'); leave(0x80)"
    tried = subprocess.run([*APART, sys.executable, "-c", code], cwd=ROOT, capture_output=True,
                           text=True, check=False)  # fmt: skip
    last = tried.stderr.strip().rpartition("\n")[2]
    return f"namespaces are not allowed ({last})" if tried.returncode else None


APART = ("unshare", "--user", "--map-root-user", "--net")


def run(folder: Path, seconds: float = SECONDS, cut_at: float = CUT_AT_S) -> Found:
    """``inside`` in a network of its own."""
    words = (sys.executable, "-m", "tests.soak.two_computers", folder, seconds, cut_at)
    done = subprocess.run([*APART, *map(str, words)], cwd=ROOT, capture_output=True, text=True,
                          timeout=seconds + 120, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return Found(**json.loads(done.stdout))


def inside(folder: Path, seconds: float, cut_at: float) -> Found:
    """Lay the cable, send, record, decode, and look at what came."""
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    library = build(compiler, folder) if compiler else ""
    bus, heard = session(), Heard()
    words = ("--lsl-session", bus, "--lsl-scope", "link", "--json", "--control", "stdin")
    bundle = synthetic_bundle(RATE, ELECTRODES, LABELS, (0.0, 0.5)).save(folder / "bundle")
    out = folder / "a.xdf"
    with ExitStack() as stack:
        cable = stack.enter_context(_child("tests.soak.wire", stdin=subprocess.PIPE))
        assert cable.stdin is not None
        assert cable.stdout is not None
        assert cable.stdout.readline() == "ready\n"
        far = ("nsenter", "--target", str(cable.pid), "--net")
        for side, (device, address) in zip(((), far), zip(DEVICES, ADDRESSES, strict=True),
                                           strict=True):  # fmt: skip
            _up(side, device, address)
        sender = stack.enter_context(_child(
            "tests.soak.far_sender", "--session", bus, "--labels", ",".join(ELECTRODES), "--ahead",
            AHEAD_S, "--drift", DRIFT, "--library", library, before=far,
        ))  # fmt: skip
        threading.Thread(target=heard.listen, args=(sender,), daemon=True).start()
        record = stack.enter_context(Box("record", "--out", out, *words))
        decode = stack.enter_context(Box("decode", "--bundle", bundle, *words))
        began = time.monotonic()
        decode.until("decision", 40)
        for at, order in ((cut_at, "cut"), (cut_at + CUT_S, "mend"), (seconds, "")):
            while time.monotonic() < began + at:
                time.sleep(0.2)
                heard.here.append((time.monotonic(), time.time()))
            if order:
                cable.stdin.write(f"{order}\n")
                cable.stdin.flush()
        subprocess.run(["pkill", "-USR1", "-P", str(sender.pid)], check=False)
        time.sleep(2.0)  # for packets that are sent again
        record.say("finish")
        decode.say("finish")
        assert record.end(30) == 0, record.stderr
        assert decode.end(30) == 0, decode.stderr
    return judge(out, heard, decode, bool(compiler))


class Heard:
    """What the sender said: markers by number, and moments by its clock and the wall clock."""

    def __init__(self) -> None:
        self.markers = list[int]()
        self.there = list[tuple[float, float]]()  # its LSL clock, wall clock, s
        self.here = list[tuple[float, float]]()  # our LSL clock, wall clock, s
        self.t0 = 0.0

    def listen(self, sender: subprocess.Popen[str]) -> None:
        """Read until the sender ends."""
        for line in sender.stdout or ():
            word, *rest = line.split()
            if word == "marker":
                self.markers.append(int(rest[0]))
            elif word == "clock":
                self.there.append((float(rest[0]), float(rest[1])))
                self.t0 = float(rest[2])

    def arrival(self, numbers: np.ndarray) -> np.ndarray:
        """The moments of samples ``numbers`` by our clock, through the wall clock, s."""
        (mine, wall_here), (theirs, wall_there) = (
            np.array(pairs).T for pairs in (self.here, self.there)
        )
        slope, start = np.polyfit(theirs - theirs[0], wall_there - theirs, 1)
        sent = self.t0 + numbers / RATE
        wall = sent + start + slope * (sent - theirs[0])
        return wall - float(np.median(wall_here - mine))


def judge(out: Path, heard: Heard, decode: Box, drift: bool) -> Found:
    """Account for samples, markers, clocks and the decoder's events."""
    found, _ = pyxdf.load_xdf(str(out), dejitter_timestamps=False, verbose=False)
    streams = {each["info"]["name"][0]: each for each in found}
    eeg, marks = streams["far"], streams["far-marks"]
    numbers, times = eeg["time_series"][:, 0].astype(int), eeg["time_stamps"]
    runs = np.diff(numbers) - 1
    sent = [n for n in heard.markers if numbers[0] + OPEN_S * RATE <= n <= numbers[-1]]
    stamps = marks["time_stamps"]
    at = np.interp(np.array(sent), numbers, times)  # each marker's sample, corrected
    near = np.abs(stamps[:, None] - at[None, :]) if len(stamps) else np.full((1, len(at)), np.inf)
    nearest = near.min(axis=0)
    is_there = nearest < 0.15  # half the least distance of two markers
    events = [e["index"] for e in decode.all("decision") if e["true"] is not None]
    off, unseen = decoded(events, heard.markers)
    return Found(
        drift=drift, samples=len(numbers), gaps=runs[runs != 0].tolist(), markers=len(sent),
        absent=int((~is_there).sum()),
        marker_ms=1000 * float(nearest[is_there].max(initial=0.0)),
        clock_ms=1000 * float(np.abs(times - heard.arrival(numbers)).max()),
        decoded_off=off, undecoded=unseen,
        decoder_gaps=[e["missing"] for e in decode.all("gap")],
    )  # fmt: skip


def decoded(events: list[int], sent: list[int]) -> tuple[int, int]:
    """Largest distance of events from their samples, and how many samples have no event.

    The decoder counts from where it came in: the offset at which most events agree.
    """
    if not events:
        return 0, len(sent)
    numbers = np.array(sorted(sent))
    offsets = {number - events[0] for number in sent}
    distances = {
        each: np.abs(np.array(events)[:, None] + each - numbers[None, :]).min(axis=1)
        for each in offsets
    }
    offset = min(offsets, key=lambda each: float(np.median(distances[each])))
    best = distances[offset]
    first = min(events) + offset
    seen = {int(numbers[np.abs(numbers - (e + offset)).argmin()]) for e in events}
    return int(best.max()), sum(n >= first and n not in seen for n in sent[:-LAST])


def _up(side: tuple[str, ...], device: str, address: str) -> None:
    for words in (
        f"link set lo up|addr add {address}/24 dev {device}|link set {device} up multicast on|"
        f"route add 224.0.0.0/4 dev {device}"
    ).split("|"):
        subprocess.run([*side, "ip", *words.split()], check=True)


def _child(
    module: str, *words: object, before: tuple[str, ...] = (), **more: Any
) -> subprocess.Popen[str]:
    """A Python module as a process that ends with the context."""

    class Child(subprocess.Popen[str]):
        def __exit__(self, *_: object) -> None:  # type: ignore[override]
            self.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.wait(5)
            self.kill()
            self.wait(5)

    return Child([*before, sys.executable, "-m", module, *map(str, words)], cwd=ROOT, text=True,
                 stdout=subprocess.PIPE, **more)  # fmt: skip


def check(units: Units) -> Result:
    """A minute and a half over the cable."""
    if (reason := unusable()) is not None:
        return Result(reason, BOUND, None, absent=True)

    def work(_: int) -> dict[str, Any]:
        with tempfile.TemporaryDirectory(prefix="rtbci-soak-") as name:
            return asdict(run(Path(name)))

    found = units.in_turn("two computers", work, range(1), SECONDS + 120)
    if found is None:
        return Result("no time for all of it", BOUND, None)
    (each,) = found
    if "wrong" in each:
        return Result(each["wrong"], BOUND, False)
    return Result(told(each), BOUND, is_good(each))


def told(each: dict[str, Any]) -> str:
    """What was found, in words."""
    clock = "3.2 s ahead" + (", 50 ppm fast" if each["drift"] else " (no C compiler: no drift)")
    return (
        f"clock {clock}: {each['samples']} samples, gaps {each['gaps']}; {each['absent']} of "
        f"{each['markers']} markers absent, the others within {each['marker_ms']:.2f} ms of their "
        f"sample; corrected stamps within {each['clock_ms']:.2f} ms of the wall clock; decoder: "
        f"{each['undecoded']} events unseen, others within {each['decoded_off']} samples, gaps "
        f"{each['decoder_gaps']}"
    )


def is_good(each: dict[str, Any]) -> bool:
    """Whether the bound is kept, in the recording and for the decoder."""
    near = max(
        each["marker_ms"], each["clock_ms"], 1000 * each["decoded_off"] / RATE
    ) <= 1000 * NEAR_S  # fmt: skip
    few = len(each["gaps"]) <= 1 and len(each["decoder_gaps"]) <= 1
    return near and few and not each["absent"] and not each["undecoded"]


CHECKS = {"two computers": check}

if __name__ == "__main__":
    print(json.dumps(asdict(inside(Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])))))
