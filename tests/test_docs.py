"""The programs in the documentation run as they are printed there, against real streams."""

import json
import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue
from threading import Thread

import pytest

from rtbci import cli

ROOT = Path(__file__).resolve().parent.parent
DOCS = sorted((ROOT / "docs").glob("*.md"))
NO_PROGRAM = {"commands", "dataset_format", "design", "formats", "glossary", "how_it_decides",
              "latency", "leave_one_out", "real_rows", "sessions", "speed"}  # fmt: skip
NO_COMMAND = {"dataset_format", "glossary", "latency", "leave_one_out", "real_rows"}
NAMED = re.compile(r"<!-- (\w+\.py) -->\n```python\n(.*?)```", re.DOTALL)
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
FAKE_BOARD = '''
"""A board that brings 250 samples a second, in packets."""
import enum, time
import numpy as np

class BoardIds(enum.IntEnum):
    FAKE_BOARD = -7

class BrainFlowInputParams:
    serial_port = "unset"

class BoardShim:
    get_eeg_channels = staticmethod(lambda board: [1, 2])
    get_timestamp_channel = staticmethod(lambda board: 4)
    get_eeg_names = staticmethod(lambda board: ["Fz", "Cz"])
    get_sampling_rate = staticmethod(lambda board: 250)

    def __init__(self, board, params):
        assert board is BoardIds.FAKE_BOARD and params.serial_port == "/dev/fake"

    def prepare_session(self):
        self.sent = None

    def start_stream(self):
        self.began, self.sent = time.time(), 0

    def get_board_data(self):
        due = int((time.time() - self.began) * 250) // 5 * 5
        index = np.arange(self.sent, due)
        self.sent = due
        time_row = self.began + index / 250
        return np.stack([index, index, -index, index * 0.0, time_row]).astype(float)

    def release_session(self):
        print("released", flush=True)
'''
TRIGGERS = """
import time
from pylsl import StreamInfo, StreamOutlet, local_clock
outlet = StreamOutlet(StreamInfo("amp", "EEG", 3, 100, "float32", "amp-1"))
index = 0
while True:
    code = (0, 65536 + 2, 2, 0, 7)[index // 10 % 5]  # a bit above the codes, as BioSemi's Status
    outlet.push_sample([0.0, 0.0, code], local_clock())
    index += 1
    time.sleep(0.01)
"""
DECISIONS = """
import sys, time
from rtbci.lsl import config
config.configure(sys.argv[1], "machine")
from rtbci import messages
from rtbci.lsl.inlet import clock
from rtbci.lsl.outlet import Results
from rtbci.types import Decision
results = Results(("face", "house"))
index = 0
while True:
    index += 25
    p = {"face": 0.75, "house": 0.25} if index % 50 else {}
    decision = Decision(index, index / 250, "face", "face" if p else None, p,
                        rejected=None if p else "gap")
    line = messages.line(messages.DecisionMade(decision, stamp=clock()))
    line = messages.with_latency(line, 1.0, 0.25, 2.0, 3.25)
    results.push(list(p.values()) or None, line, clock())
    time.sleep(0.05)
"""


def program(name: str) -> str:
    """The text of a program in the documentation."""
    for path in DOCS:
        for found, text in NAMED.findall(path.read_text(encoding="utf-8")):
            if found == name:
                return text
    raise AssertionError(f"no program {name} in {[path.name for path in DOCS]}")


@pytest.fixture
def lab(tmp_path) -> dict[str, str]:
    """An environment in which any LSL program is in a session of its own."""
    session = f"test-{secrets.token_hex(6)}"
    config = tmp_path / "lsl_api.cfg"
    config.write_text(
        f"[ports]\nPortRange=128\n[multicast]\nResolveScope=machine\n[lab]\nSessionID={session}\n"
        "[log]\nlevel=-3\n"
    )
    (tmp_path / "brainflow").mkdir()
    (tmp_path / "brainflow" / "__init__.py").write_text("")
    (tmp_path / "brainflow" / "board_shim.py").write_text(FAKE_BOARD)
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    return os.environ | {"LSLAPICFG": str(config), "PYTHONPATH": path, "SESSION": session}


@contextmanager
def running(code: str, lab: dict[str, str], *args: str) -> Iterator[Callable[[float], str | None]]:
    """A Python program; gives a function that waits for its next line of output."""
    child = subprocess.Popen(
        [sys.executable, "-c", code, *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env=lab, text=True,
    )  # fmt: skip
    assert child.stdout is not None
    out, lines = child.stdout, Queue[str]()
    reader = Thread(target=lambda: [lines.put(line.rstrip("\n")) for line in out], daemon=True)
    reader.start()

    def next_line(timeout: float) -> str | None:
        try:
            return lines.get(timeout=timeout)
        except Empty:
            return None

    try:
        yield next_line
    finally:
        child.kill()
        child.wait()
        reader.join(5)
        out.close()


def streams(lab: dict[str, str]) -> dict[str, dict[str, object]]:
    """What ``rtbci streams`` finds in the lab, by name."""
    done = subprocess.run(
        [sys.executable, "-m", "rtbci", "streams", "--json", "--seconds", "1.5"],
        env=lab, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return {each["name"]: each for each in found}


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_every_program_in_the_documentation_compiles(path):
    blocks = BLOCK.findall(path.read_text(encoding="utf-8"))
    assert bool(blocks) != (path.stem in NO_PROGRAM)
    for text in blocks:
        compile(text, path.name, "exec")


@pytest.mark.parametrize("path", [*DOCS, ROOT / "README.md"], ids=lambda path: path.name)
def test_every_command_and_option_in_the_documentation_exists(path, capsys):
    text = path.read_text(encoding="utf-8")
    commands = re.findall(r"`rtbci ([a-z]+)([^`]*)`", text)
    for block in re.findall(r"^```\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        commands += re.findall(r"^rtbci ([a-z]+)([^#\n]*)", block, re.MULTILINE)
    assert bool(commands) != (path.stem in NO_COMMAND)
    for name, rest in commands:
        assert name in cli.COMMANDS, f"rtbci {name}"
        cli.main([name, "--help"])
        help_text = capsys.readouterr().out
        for option in re.findall(r"(?<![\w-])--[a-z][\w-]*", rest):
            assert option in help_text, f"rtbci {name} {option}"


@pytest.mark.parametrize("path", [*DOCS, ROOT / "README.md"], ids=lambda path: path.name)
def test_links_between_pages_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#:]+)[^):]*\)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), target


def test_every_page_that_is_quoted_is_listed():
    text = (ROOT / "docs" / "connect.md").read_text(encoding="utf-8")
    body, pages = text.split("## Pages")
    quoted = {letter for group in re.findall(r"\[([a-z](?:, [a-z])*)\]", body)
              for letter in group.split(", ")}  # fmt: skip
    listed = set(re.findall(r"^- \[([a-z])\] .*?https://", pages, re.DOTALL | re.MULTILINE))
    assert quoted == listed


@pytest.mark.lsl
def test_the_brainflow_program_makes_a_stream_that_rtbci_finds_nothing_wrong_with(lab):
    with running(program("brainflow_lsl.py"), lab, "FAKE_BOARD", "/dev/fake"):
        found = streams(lab)["brainflow-FAKE_BOARD"]
    assert found["flags"] == []
    assert found["labels"] == ["Fz", "Cz"]
    assert found["units"] == ["microvolts"]
    assert found["type"] == "EEG"
    assert found["measured_rate"] == pytest.approx(250, rel=0.01)


@pytest.mark.lsl
def test_the_trigger_program_makes_markers_of_a_channel(lab):
    reader = """
from pylsl import StreamInlet, resolve_byprop
found = resolve_byprop("name", "amp-triggers", 1, 20)
inlet = StreamInlet(found[0])
while True:
    row, stamp = inlet.pull_sample(timeout=1.0)
    if row:
        print(row[0], flush=True)
"""
    with (
        running(TRIGGERS, lab),
        running(program("trigger_markers.py"), lab, "amp", "2"),
        running(reader, lab) as next_line,
    ):
        said = [next_line(20.0) for _ in range(6)]
    # 65536 is masked away, so that 65538 and 2 are one code; then the line falls, then 7
    assert None not in said
    assert "".join(map(str, said)) in ("272727", "727272")


@pytest.mark.lsl
def test_the_client_reads_decisions_and_probabilities(lab):
    with (
        running(DECISIONS, lab, lab["SESSION"]),
        running(program("read_decisions.py"), lab) as next_line,
    ):
        assert next_line(30.0) == "classes: face house"
        lines: list[str] = []
        until = time.monotonic() + 20
        while len(lines) < 8 and time.monotonic() < until:
            lines.append(next_line(5.0) or "nothing")
    text = "\n".join(lines)
    assert re.search(r"s  face  \{'face': 0\.75, 'house': 0\.25\}  3\.2 ms", text), text
    assert "rejected (gap)  {}" in text
    assert "{'face': 0.75, 'house': 0.25}" in text
    assert "{'face': nan, 'house': nan}" in text


def test_the_page_of_streams_names_every_key_of_a_decision():
    from rtbci import messages
    from rtbci.types import Decision

    decision = Decision(1, 0.1, None, None, {})
    line = messages.line(messages.DecisionMade(decision, stamp=1.0))
    keys = set(json.loads(messages.with_latency(line, 0.0, 0.0, 0.0, 0.0)))
    text = (ROOT / "docs" / "streams.md").read_text(encoding="utf-8")
    section = text.split("## rtbci-decisions")[1].split("##")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == keys


def test_the_page_of_streams_names_every_field_of_a_replay():
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "sims").glob("*.py")]
    begins = re.compile(r"^def describe\(\s*recording", re.MULTILINE)
    (source,) = (text for text in sources if begins.search(text))
    body = begins.split(source)[1].split("\ndef ")[0]
    fields = set(re.findall(r'^        "(\w+)":|fields\["(\w+)"\]', body, re.MULTILINE))
    names = {one or other for one, other in fields}
    text = (ROOT / "docs" / "streams.md").read_text(encoding="utf-8")
    section = text.split("## rtbci-eeg")[1].split("## rtbci-markers")[0]
    assert names
    assert names <= set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))
