"""The fault table, rows 43, 44, 47 and 53: odd names, no display, twins, malformed streams."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from rtbci.decoding.bundle import Bundle
from rtbci.recorder.xdf_writer import write_recording
from tests.support.boxes_on_bus import (
    LABELS,
    RATE,
    Box,
    Lab,
    at_once,
    bundle,
    home,
    lab,
    recorded,
    simulated,
    write,
)
from tests.support.lsl_source import ROOT, source

__all__ = ["bundle", "home"]

pytestmark = [pytest.mark.lsl, pytest.mark.slow]
ODD = Path("Ünï cödé 研究", "a b\nc", "-x" * 100)
NAME = 'é研 "amp" <1>'
CODES = ",".join(f"{code}={name}" for code, name in LABELS.items())
# a program that offers streams which nobody should have made
MALFORMED = """
import sys, time, pylsl
pylsl.set_config_content(
    f"[lab]\\nSessionID={sys.argv[1]}\\n[multicast]\\nResolveScope=machine\\n"
    "[ports]\\nPortRange=128\\n"
)
def outlet(name, channels=4, rate=250.0, labels=(), more="", kind="EEG"):
    info = pylsl.StreamInfo(name, kind, channels, rate, "float32", name)
    described = info.desc().append_child("channels") if labels else None
    for label in labels:
        channel = described.append_child("channel")
        channel.append_child_value("label", label).append_child_value("unit", "microvolts")
    if more:
        info.desc().append_child_value("more", more)
    return pylsl.StreamOutlet(info)
names = ["Cz", "Pz", "Oz", "Fz"]
outlets = {
    "bare": outlet("bare"),
    "no rate": outlet("no rate", rate=0.0, labels=names),
    "quick": outlet("quick", rate=1e9, labels=names),
    "giant": outlet("giant", labels=names, more="x" * 17_000_000),
    "many": outlet("many", channels=2000),
    "few": outlet("few", channels=2, labels=names[:2]),
    "control": outlet("control", labels=["Cz\\x1b[31m", "Pz\\n", "<b>Oz", "\\x07"]),
}
print("{}", flush=True)
while True:
    for name in ("bare", "control"):
        outlets[name].push_chunk([[1.0] * 4] * 5)
    time.sleep(0.02)
"""
QUICK_S = 12.0  # a stream that never answers must not cost more


def ran(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command that ends by itself."""
    return subprocess.run(
        [sys.executable, "-m", "rtbci", *map(str, words)], cwd=ROOT, timeout=60, check=False,
        env={**os.environ, **environment}, capture_output=True, text=True,
    )  # fmt: skip


def test_row_43_all_commands_work_with_odd_names_and_folders(bundle, tmp_path):
    folder = tmp_path / ODD
    folder.mkdir(parents=True)
    home = bundle.save(folder)
    recording = simulated(20)
    file = write(recording, folder)
    trained = folder / "trained.xdf"
    write_recording(trained, simulated(43, seed=1))
    torn = folder / "torn.xdf"
    torn.write_bytes(trained.read_bytes()[:-100])

    def over_the_bus() -> Box:
        with lab(folder, home) as bus:
            words = ("--name", NAME, "--linger", 30)
            played = bus.play(
                recording, "", *words, speed=8, decode=("--stream", NAME), record=True
            )
            assert played.indices() == {each["index"] for each in played.events}
            assert len(recorded(played.xdf, NAME)["time_series"]) >= recording.n_samples
        return played.decode

    done = at_once({
        "boxes": over_the_bus,
        "info": lambda: ran("info", file, trained),
        "calibrate": lambda: ran("calibrate", "--subject", "02", "--from", trained, "--labels",
                                 CODES, "--reject", "none", "--out", folder / "new bundles"),
        "replay": lambda: ran("replay", file, "--bundle", home, "--speed", "8", "--headless",
                              "--out", folder / "sessions", "--picture", folder / "p é.png",
                              XDG_RUNTIME_DIR=str(tmp_path)),
        "recover": lambda: ran("recover", torn),
        "verify": lambda: ran("verify", trained),
    })  # fmt: skip
    done.pop("boxes")
    assert {name: (each.returncode, each.stderr[-300:]) for name, each in done.items()
            if each.returncode} == {}  # fmt: skip
    (session,) = (folder / "sessions").iterdir()
    assert (session / "recording.xdf").is_file()
    assert (folder / "p é.png").is_file()
    assert (folder / "torn_recovered.xdf").is_file()
    assert list((folder / "new bundles").glob("*/*/subject.json"))


def test_row_44_without_a_display_everything_but_windows_works(home, tmp_path):
    file = write(simulated(20), tmp_path)
    blind = {"DISPLAY": "", "WAYLAND_DISPLAY": "", "MPLBACKEND": "", "QT_QPA_PLATFORM": ""}
    words = ("replay", file, "--bundle", home, "--picture", tmp_path / "p.png", "--json")
    quick = ran(*words, "--speed", "max", **blind)
    assert quick.returncode == 0, quick.stderr
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    assert "qt" not in quick.stderr.lower()
    window = ran("gui", **blind)
    assert window.returncode == 3
    assert window.stderr.startswith("rtbci gui: there is no display")


def twins(bus: Lab, bundle: Bundle, second: str) -> str:
    """What a decoder says of two streams of one name, of which it takes the one that is chosen."""
    given = {"rate": RATE, "chunk": 5, "channels": 4, "labels": ",".join(bundle.recipe.channels)}
    both = [source(bus.session, source_id=each, **given) for each in ("amp", second)]
    try:
        refused = bus.decode("--timeout", 10)
        assert refused.end() == 2
        uids = re.findall(r"uid ([-0-9a-f]+)", refused.stderr)
        assert len(set(uids)) == 2, refused.stderr
        assert f"on {os.uname().nodename}, source_id amp" in refused.stderr
        chosen = bus.decode("--stream", uids[1], "--timeout", 10)
        assert chosen.until("ready")["uid"] == uids[1]
        return refused.stderr
    finally:
        for each in both:
            each.stop()


def test_row_47_of_twins_none_is_read_until_one_is_chosen(bundle, home, tmp_path):
    with lab(tmp_path, home) as bus, lab(tmp_path, home) as other:
        said = at_once({
            "same source_id": lambda: twins(bus, bundle, "amp"),
            "same name": lambda: twins(other, bundle, "amp-2"),
        })  # fmt: skip
    assert "2 streams share one source_id" in said["same source_id"]
    assert "Stop all but one, or choose with --stream UID" in said["same source_id"]
    assert "2 streams are of type EEG" in said["same name"]


def refusal(bus: Lab, *words: object) -> str:
    """Why a decoder does not want a stream: one printable sentence, soon."""
    box = bus.decode("--timeout", 3, *words)
    assert box.end(QUICK_S) in (2, 3), box.events
    assert len(box.stderr.splitlines()) == 1
    assert box.stderr.strip().isprintable()
    return box.stderr


def test_row_53_malformed_streams_are_refused_in_a_sentence_or_mapped_by_hand(home, tmp_path):
    names = tmp_path / "names.json"
    names.write_text('{"channel 1": "Cz", "channel 2": "Pz", "channel 3": "Oz", "channel 4": "Fz"}')
    with lab(tmp_path, home) as bus:
        bus.run(bus.session, code=MALFORMED).wait(lambda _: True)

        def mapped() -> None:
            mine = bus.decode("--stream", "bare", "--rename", names, "--unit", "uV")
            mine.until("ready")

        said = at_once({
            "bare": lambda: refusal(bus, "--stream", "bare", "--unit", "uV"),
            "no rate": lambda: refusal(bus, "--stream", "no rate"),
            "quick": lambda: refusal(bus, "--stream", "quick"),
            "giant": lambda: refusal(bus, "--stream", "giant"),
            "many": lambda: refusal(bus, "--stream", "many"),
            "few": lambda: refusal(bus, "--stream", "few"),
            "control": lambda: refusal(bus, "--stream", "control"),
            "mapped": mapped,
        })  # fmt: skip
    assert "it has channel 1" in said["bare"]
    assert "has no regular rate" in said["no rate"]
    assert "'quick' has a rate of 1e+09 Hz" in said["quick"]
    assert "17000" in said["giant"]
    assert "bytes; 16777216 are read" in said["giant"]
    assert "'many' has 2000 channels" in said["many"]
    assert "is no XML" in said["control"]
    assert "has no electrode Oz, Fz" in said["few"]
