"""The window on a real session, on a real display: what it shows, asks, and cannot break.

``RTBCI_SCREENSHOTS=FOLDER`` keeps the pictures.
"""

import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import psutil
import pytest

pytest.importorskip("PySide6", reason="the window needs PySide6")

from rtbci.session.control import running
from tests.support.boxes_on_bus import Box, recorded, simulated, small_bundle, write
from tests.support.live_session import only, pids, until
from tests.support.lsl_source import session
from tests.support.xvfb import display, window_of, xdotool

pytestmark = [pytest.mark.lsl, pytest.mark.slow]
SECONDS, SAMPLES = 60.0, 14_875  # of the recording, about
BACK_S = 5.0  # `rtbci gui` shows the session again within so long
LISTENER = "from tests.support.gui_listener import main; main()"
FIRST_S = 8.0  # from Enter to the first decision on screen; a busy computer may take three times
Start = Callable[..., "Run"]


@pytest.fixture(scope="module")
def screen() -> Iterator[str]:
    with display() as name:
        yield name


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle, and a recording of a minute."""
    folder = tmp_path_factory.mktemp("gui")
    small_bundle().save(folder / "bundles")
    write(simulated(SECONDS), folder)
    return folder


class Run:
    """A replay and the windows that look at it."""

    def __init__(self, folder: Path, home: Path, screen: str, *words: object) -> None:
        self.home, self.out = home, home / "sessions"
        self._environment = {
            "DISPLAY": screen, "WAYLAND_DISPLAY": "", "QT_QPA_PLATFORM": "",
            "XDG_RUNTIME_DIR": str(home / "run"), "XDG_CONFIG_HOME": str(home / "config"),
            "RTBCI_RECORDER_IDLE": "6",
        }  # fmt: skip
        self._boxes: list[Box] = []
        self.began = time.monotonic()
        self.replay = self.box(
            "replay", folder / "played.npy", "--bundle", folder / "bundles", "--json",
            "--out", self.out, *words,
        )  # fmt: skip

    def box(self, *words: object) -> Box:
        """A command of this person."""
        self._boxes.append(Box(*words, **self._environment))
        return self._boxes[-1]

    def program(self, code: str) -> Box:
        """Python of this person."""
        self._boxes.append(Box(code=code, **self._environment))
        return self._boxes[-1]

    @property
    def session(self) -> Path:
        """Its folder, once it is there."""
        until(lambda: self.out.is_dir() and list(self.out.iterdir()))
        return only(self.out)

    def events(self, *kinds: str) -> list[dict[str, Any]]:
        """What the session's log holds of these kinds."""
        lines = (self.session / "events.jsonl").read_bytes().splitlines(keepends=True)
        found = [json.loads(each) for each in lines if each.endswith(b"\n")]
        return [each for each in found if each["event"] in kinds]

    def close(self) -> None:
        """Nobody is left behind: a window outlives its session."""
        for process in psutil.process_iter(["cmdline", "environ"]):
            words, home = process.info["cmdline"] or [], process.info["environ"] or {}
            if "gui" in words and home.get("XDG_RUNTIME_DIR") == str(self.home / "run"):
                process.kill()
        for box in self._boxes:
            box.close()


@pytest.fixture
def start(
    folder: Path, screen: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Start]:
    """Start a replay; options as words."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    runs: list[Run] = []

    def start(*words: object) -> Run:
        runs.append(Run(folder, tmp_path, screen, *words))
        return runs[-1]

    yield start
    for run in runs:
        run.close()


def window_process(run: Run) -> psutil.Process:
    """The window that the session opened."""

    def look() -> psutil.Process | None:
        for each in psutil.Process(run.replay.process.pid).children():
            if "gui" in each.cmdline():
                return each
        return None

    return until(look)


def whole(session: Path) -> None:
    """Every sample of the recording is in the file, once, on time."""
    stream = recorded(session / "recording.xdf")
    t0 = float(stream["info"]["desc"][0]["t0"][0])
    rate = float(stream["info"]["nominal_srate"][0])
    indices = [round((stamp - t0) * rate) for stamp in stream["time_stamps"]]
    assert [each for each in indices if each >= 0] == list(range(SAMPLES))


def test_a_replay_opens_its_window_and_the_first_decision_is_soon_on_it(start, screen):
    run = start("--speed", "4")
    title = f"rtbci {run.session.name}"
    window_of(screen, title)
    log = run.session / "logs" / "gui.log"
    word = "first decision on screen "
    until(lambda: log.exists() and word in log.read_text(), FIRST_S * 3)
    seconds = float(log.read_text().split(word)[1].split(" s")[0])
    print(f"first decision on screen {seconds:.1f} s after Enter")
    assert seconds < FIRST_S * 3
    assert run.replay.end(60) == 0
    until(lambda: "gui" in window_process_words(run))  # it stays, and says that it is over
    whole(run.session)


def window_process_words(run: Run) -> str:
    """Command lines of windows that look at this session."""
    found = [" ".join(each.info["cmdline"] or []) for each in psutil.process_iter(["cmdline"])]
    return "\n".join(each for each in found if f"gui {run.session.name}" in each)


def test_every_control_works_from_the_keyboard(start, screen, tmp_path):
    run = start("--speed", "1")
    window = window_of(screen, f"rtbci {run.session.name}")
    run.replay.until("decision", 30)
    settings = tmp_path / "config" / "rtbci" / "window.ini"

    def press(*keys: str) -> None:
        xdotool(screen, "key", "--window", window, "--delay", "60", *keys)

    def chosen(word: str) -> None:
        until(lambda: settings.exists() and word in settings.read_text(), 5)

    for keys, kind in ((("space",), "pause"), (("space",), "resume"), (("m", "7"), "marker")):
        until(lambda keys=keys, kind=kind: press(*keys) or _came(run, kind), 10)
    press("n")
    xdotool(screen, "type", "--window", window, "--delay", "60", "hat moved")
    press("Return")
    until(lambda: run.events("note"), 5)
    press("t")
    chosen("theme=light")
    for keys, word in ((("minus",), "scale_uv=200"), (("bracketleft",), "seconds=5"),
                       (("g",), "group=32"), (("ctrl+equal",), "scale=1.15")):  # fmt: skip
        press(*keys)
        chosen(word)
    press("question", "Escape", "F11", "F11", "f", "f", "a", "Next", "Prior", "Tab", "Return")
    assert run.replay.process.poll() is None
    (marker,), (note,) = run.events("marker"), run.events("note")
    assert (marker["text"], note["text"]) == ("7", "hat moved")
    assert marker["index"] < note["index"]
    assert marker["stamp"] < note["stamp"]
    press("Escape", "Escape")
    assert run.replay.end(15) == 0
    assert run.replay.events[-1]["event"] == "summary"
    assert recorded(run.session / "recording.xdf")["time_stamps"].size > 0


def _came(run: Run, kind: str) -> bool:
    """Whether it is in the log soon; a key may come before the window listens."""
    end = time.monotonic() + 1.0
    while not run.events(kind):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def test_a_window_that_is_killed_costs_nothing_and_comes_back(start, screen):
    run = start("--speed", "4")
    window_of(screen, f"rtbci {run.session.name}")
    run.replay.until("decision", 30)
    process = window_process(run)
    process.send_signal(signal.SIGKILL)
    until(lambda: not window_process_words(run))
    began = time.monotonic()
    again = run.box("gui")
    window_of(screen, f"rtbci {run.session.name}", 3 * BACK_S)
    until(lambda: "first decision on screen" in again.stderr, 3 * BACK_S)
    took = time.monotonic() - began
    print(f"the window is back after {took:.1f} s")
    assert took < BACK_S * 3
    assert run.replay.end(60) == 0
    assert run.replay.events[-1]["lost_samples"] == 0
    assert [each["text"] for each in run.events("alarm")] == []
    whole(run.session)


def test_pictures_of_both_themes_and_sizes_with_an_alarm(start, tmp_path):
    import matplotlib.image

    run = start("--speed", "1", "--headless")
    run.replay.until("decision", 30)
    looks = {
        "dark": ("--theme", "dark", "--size", "1440x900"),
        "light": ("--theme", "light", "--size", "1280x720"),
        "large": ("--theme", "dark", "--size", "1280x720", "--scale", "2"),
    }
    taken = {
        name: run.box("gui", "--screenshot", tmp_path / f"{name}.png", "--after", 8, *words)
        for name, words in looks.items()
    }
    time.sleep(4)  # the windows draw; then something goes wrong
    (cap,) = pids(run.session, "stream")
    os.kill(cap, signal.SIGSTOP)
    for name, box in taken.items():
        assert box.end(40) == 0, box.stderr
        assert "Traceback" not in box.stderr
        picture = matplotlib.image.imread(tmp_path / f"{name}.png")
        width, height = map(int, looks[name][3].split("x"))
        assert picture.shape[:2] == (height, width)
        assert (picture[0, 0, :3].mean() > 0.5) == (name == "light")
        assert picture[:, :, :3].std() > 0.05
    os.kill(cap, signal.SIGCONT)
    keep = os.environ.get("RTBCI_SCREENSHOTS")
    if keep:
        Path(keep).mkdir(parents=True, exist_ok=True)
        for name in looks:
            shutil.copy(tmp_path / f"{name}.png", keep)


def test_the_feed_hears_session_and_signal_and_asks(start):
    run = start("--speed", "4", "--headless")
    until(running)
    window = run.program(LISTENER)
    first = window.until("decision", 30)
    assert first["part"] == "REPLAY of played.npy"
    assert {first["lamps"][box][0] for box in ("stream", "record", "decode")} == {"works"}
    assert first["recording"] == "REC"
    window.say("note", text="hello")
    assert window.until("answer")["error"] is None
    window.say("dance")
    assert "cannot 'dance'" in window.wait(lambda each: each.get("do") == "dance")["error"]
    found = window.until("summary", 60)
    assert run.replay.end(30) == 0
    (note,) = run.events("note")
    assert note["text"] == "hello"
    assert 0 <= note["index"] < SAMPLES
    assert (found["rates"], found["whole"], found["head"]) == ([250.0], True, SAMPLES)
    assert found["lost"] == 0
    assert min(found["marks"], found["judged"]) > 5


def test_a_window_finds_its_session_again_after_it_was_taken_over(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    bus = ("--lsl-session", session(), "--lsl-scope", "machine")
    live = ("live", "--headless", "--json")
    words = ("--bundle", folder / "bundles", "--out", tmp_path / "sessions", *bus)
    with ExitStack() as boxes:

        def box(*words: object, code: str = "") -> Box:
            return boxes.enter_context(closing(Box(*words, code=code)))

        box("stream", folder / "played.npy", "--loop", *bus)
        first = box(*live, *words)
        first.until("decision", 30)
        window = box(code=LISTENER)
        window.until("decision", 30)
        first.process.send_signal(signal.SIGKILL)
        window.wait(lambda each: each.get("state") == "looking")
        since = len(window.events)
        second = box(*live, "--attach", only(tmp_path / "sessions"))
        window.until("status", 30, since)
        window.until("decision", 30, since)
        window.say("stop")
        found = window.until("summary", 30)
        assert second.end(20) == 0
        assert found["whole"]
        assert found["chunks"] > 20
