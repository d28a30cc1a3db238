"""The long check of the operator's window: five minutes on a virtual screen, all electrodes."""

import json
import shutil
import signal
import tempfile
from pathlib import Path
from typing import Any

from rtbci.bench.offline import synthetic_bundle
from rtbci.session import screen
from tests.soak.long_run import EVERY_S, RATE, WINDOW_S, counter_file, electrodes
from tests.soak.units import Result, Units
from tests.support.boxes_on_bus import Box
from tests.support.live_session import only
from tests.support.lsl_source import session
from tests.support.xvfb import NEEDED, display

SECONDS = 315.0  # five minutes, and what the window needs to begin
FPS, CPU_PERCENT, STALL_MS, GROWTH_MB = 30.0, 35.0, 100.0, 20.0
BOUND = (
    f">= {FPS:g} pictures a second, <= {CPU_PERCENT:g} % of a core, p99 of stalls <= "
    f"{STALL_MS:g} ms, growth <= {GROWTH_MB:g} MB, 0 samples lost"
)


def window(units: Units) -> Result:
    """122 electrodes, 10 s, 1 kHz beside recorder and decoder."""
    absent = [name for name in NEEDED if shutil.which(name) is None]
    reason = f"{', '.join(absent)} not installed" if absent else screen.unusable({})
    if reason is not None:
        return Result(reason, BOUND, None, absent=True)
    found = units.in_turn("window", lambda _: run(), range(1), SECONDS + 60)
    if found is None:
        return Result("no time for all of it", BOUND, None)
    (each,) = found
    if "wrong" in each:
        return Result(each["wrong"], BOUND, False)
    said = (
        f"{each['fps']:.1f} pictures a second, {each['cpu_percent']:.1f} % of a core, stalls p99 "
        f"{each['stall_p99_ms']:.1f} and at most {each['stall_max_ms']:.0f} ms, grown by "
        f"{each['growth_mb']:.1f} MB in {each['seconds']:.0f} s, {each['lost']} samples lost; "
        f"beside it overhead {each['overhead']['p50']:.2f} / {each['overhead']['p99']:.2f} ms"
    )
    good = (
        each["fps"] >= FPS and each["cpu_percent"] <= CPU_PERCENT and each["lost"] == 0
        and each["stall_p99_ms"] <= STALL_MS and each["growth_mb"] <= GROWTH_MB
    )  # fmt: skip
    return Result(said, BOUND, good)


def run() -> dict[str, Any]:
    """Figures of the window, and the summary of the session that it showed."""
    with tempfile.TemporaryDirectory(prefix="rtbci-soak-") as name, display() as shown:
        folder = Path(name)
        bundle = synthetic_bundle(RATE, electrodes(), ("a", "b", "c", "d"), WINDOW_S)
        bus = ("--lsl-session", session(), "--lsl-scope", "machine", "--json")
        home = {"XDG_RUNTIME_DIR": str(folder / "run"), "XDG_CONFIG_HOME": str(folder / "config"),
                "WAYLAND_DISPLAY": "", "QT_QPA_PLATFORM": ""}  # fmt: skip
        file = counter_file(folder, SECONDS)
        live = Box("live", "--bundle", bundle.save(folder / "bundle"), "--every", EVERY_S,
                   "--headless", "--out", folder / "out", *bus, **home)  # fmt: skip
        stream = Box("stream", file, "--wait-for", 2, *bus, **home)
        boxes = [live, stream]
        try:
            stream.until("start", 60)
            words = (only(folder / "out").name, "--size", "1400x900")
            figures = folder / "figures.jsonl"
            boxes.append(Box("gui", *words, "--figures", figures, DISPLAY=shown, **home))
            stream.until("end", SECONDS + 60)
            lines = [json.loads(line) for line in figures.read_text("utf-8").splitlines()]
            live.process.send_signal(signal.SIGINT)
            summary = live.until("summary", 60)
        finally:
            for box in boxes:
                box.close()
    growth = lines[-1]["rss_mb"] - lines[0]["rss_mb"]
    return {**lines[-1], "growth_mb": growth, "lost": summary["lost_samples"],
            "overhead": summary["latency_ms"]["overhead"]}  # fmt: skip
