"""Boxes are started, watched, restarted and ended; nobody is left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from rtbci.session.supervisor import Failure, ProcessSpec, Supervisor, last_line, run

ROOT = Path(__file__).resolve().parents[2]
GOOD = """
import json, sys
say = lambda **event: print(json.dumps(event), flush=True)
say(event="ready", box=NAME)
for line in sys.stdin:
    order = json.loads(line)
    say(event="heard", order=order)
    if order["do"] in ("finish", "stop"):
        break
say(event="done", box=NAME, orders=1)
"""
STUBBORN = """
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print('{"event": "ready"}', flush=True)
time.sleep(60)
"""
SILENT_THEN_DEAD = """
import os, time
print('{"event": "ready"}', flush=True)
time.sleep(0.1)
os._exit(7)
"""
REFUSES = """
import sys
print("rtbci box: no electrode Cz; rename it", file=sys.stderr)
sys.exit(2)
"""
BLATHERS = """
import sys, time
print('no json\\n["no object"]\\n{"event": "ready"}\\n{torn', flush=True)
sys.stdin.read()
"""


def child(name: str, code: str, **more: Any) -> ProcessSpec:
    """A box that runs a few lines of Python instead of a command."""
    return ProcessSpec(name, (), program=("-c", f"NAME = {name!r}\n{code}"), **more)


class Heard:
    """What a crew told, by box and kind."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, box: str, event: Any) -> None:
        self.events.append((box, dict(event)))

    def of(self, box: str, kind: str) -> list[dict[str, Any]]:
        """Events of one kind from one box."""
        return [event for name, event in self.events if (name, event.get("event")) == (box, kind)]


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def crew(tmp_path, heard):
    with Supervisor(heard, tmp_path) as crew:
        yield crew


def until(crew: Supervisor, condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Pump until it holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "too late"
        crew.pump(0.05)


def test_a_box_is_heard_obeys_and_ends_as_asked(crew, heard):
    crew.start(child("a", GOOD))
    until(crew, lambda: crew.works("a"))
    crew.tell("a", "dead", electrodes={"Pz": "hums"})
    until(crew, lambda: heard.of("a", "heard"))
    assert heard.of("a", "heard")[0]["order"] == {"do": "dead", "electrodes": {"Pz": "hums"}}
    assert crew.finish("a", 5.0, "finish", index=7)
    crew.gather()
    assert heard.of("a", "done") == [{"event": "done", "box": "a", "orders": 1}]
    assert heard.of("a", "ended")[0]["code"] == 0
    assert crew.failure is None
    assert crew.names() == []


def test_a_box_waits_for_what_it_needs(crew, heard):
    crew.start(child("b", GOOD, needs=("a",)))
    assert crew.names() == []
    assert not crew.gone("b")
    crew.start(child("a", GOOD))
    until(crew, lambda: crew.works("b"))
    order = [(box, event["event"]) for box, event in heard.events]
    assert order.index(("a", "ready")) < order.index(("b", "started"))


def test_a_killed_box_works_again_at_once_and_hears_its_standing_orders(crew, heard):
    crew.start(child("a", GOOD, restart=True, again=("--continue",)))
    crew.tell("a", "dead", standing=True)
    until(crew, lambda: crew.works("a") and heard.of("a", "heard"))
    first = crew.pid("a")
    os.kill(first, signal.SIGKILL)
    began = time.monotonic()
    until(crew, lambda: len(heard.of("a", "ready")) == 2, 3.0)
    assert time.monotonic() - began < 3.0
    until(crew, lambda: len(heard.of("a", "heard")) == 2)
    assert crew.pid("a") != first
    (alarm,) = heard.of("a", "alarm")
    assert (alarm["level"], alarm["code"]) == ("red", "gone")
    assert "a was killed (signal 9); it is started again now" in alarm["text"]
    assert [each["code"] for each in heard.of("a", "clear")] == ["gone"]
    command = psutil.Process(crew.pid("a")).cmdline()
    assert command[-1] == "--continue"


def test_a_box_that_always_dies_is_started_less_and_less_often(crew, heard):
    crew.start(child("a", SILENT_THEN_DEAD, restart=True))
    until(crew, lambda: any("again in 2 s" in e["text"] for e in heard.of("a", "alarm")), 20.0)
    assert len(heard.of("a", "started")) == 6
    assert crew.failure is None
    assert crew.finish("a", 1.0)
    assert crew.gone("a")


def test_a_box_that_may_not_restart_is_told_and_missed(crew, heard):
    crew.start(child("a", SILENT_THEN_DEAD))
    until(crew, lambda: heard.of("a", "alarm"))
    assert "a ended with exit code 7" in heard.of("a", "alarm")[0]["text"]
    assert crew.failure is None
    assert crew.gone("a")


def test_what_a_box_refuses_is_the_sentence_of_the_session(tmp_path, heard):
    failure = run([child("box", REFUSES, restart=True)], heard, tmp_path, lambda _: False)
    assert failure == Failure("box", 2, "no electrode Cz; rename it")
    assert len(heard.of("box", "started")) == 1


def test_without_an_essential_box_the_session_ends_and_nobody_stays(tmp_path, heard):
    boxes = [child("a", GOOD), child("stream", SILENT_THEN_DEAD, essential=True)]
    failure = run(boxes, heard, tmp_path, lambda _: False)
    assert failure is not None
    assert (failure.box, failure.code) == ("stream", 1)
    assert "stream ended with exit code 7" in failure.sentence
    assert not psutil.pid_exists(heard.of("a", "started")[0]["pid"])


def test_a_box_that_does_not_listen_is_ended_by_force(crew):
    crew.start(child("a", STUBBORN, mercy=0.3))
    until(crew, lambda: crew.works("a"))
    began = time.monotonic()
    assert not crew.finish("a", 0.2)
    crew.gather()
    assert 0.4 < time.monotonic() - began < 3.0
    assert crew.names() == []


def test_a_frozen_box_is_noticed_and_one_that_hangs_is_replaced(crew, heard, monkeypatch):
    monkeypatch.setattr("rtbci.session.supervisor.QUIET", 0.3)
    chatty = 'import time\nprint(\'{"event": "ready"}\', flush=True)\n' + (
        'while True:\n time.sleep(0.05)\n print(\'{"event": "status"}\', flush=True)'
    )
    crew.start(child("patient", chatty), child("hanging", chatty, restart=True, hang=1.0))
    until(crew, lambda: crew.works("patient") and crew.works("hanging"))
    for name in ("patient", "hanging"):
        os.kill(crew.pid(name), signal.SIGSTOP)
    until(crew, lambda: heard.of("patient", "alarm") and heard.of("hanging", "alarm"))
    assert heard.of("patient", "alarm")[0]["level"] == "amber"
    until(crew, lambda: len(heard.of("hanging", "started")) == 2)
    os.kill(crew.pid("patient"), signal.SIGCONT)
    until(crew, lambda: heard.of("patient", "clear"))
    assert len(heard.of("patient", "started")) == 1


def test_lines_that_are_no_events_are_passed_over(crew, heard):
    crew.start(child("a", BLATHERS))
    until(crew, lambda: crew.works("a"))
    assert [event["event"] for _, event in heard.events] == ["started", "ready"]


def test_what_a_box_says_on_stderr_is_kept_for_its_owner_only(crew, tmp_path):
    crew.start(child("a", REFUSES))
    until(crew, lambda: crew.gone("a"))
    assert last_line(tmp_path / "a.log") == "rtbci box: no electrode Cz; rename it"
    assert (tmp_path / "a.log").stat().st_mode & 0o777 == 0o600
    assert last_line(tmp_path / "nothing.log") == ""


def test_boxes_see_the_end_of_stdin_when_the_supervisor_is_killed(tmp_path):
    code = f"""
import sys, time
from pathlib import Path
from rtbci.session.supervisor import ProcessSpec, Supervisor
with Supervisor(lambda box, event: print(event["pid"], flush=True) if event["event"] == "started"
          else None, Path({str(tmp_path)!r})) as crew:
    program = ("-c", "NAME = 'x'" + {GOOD!r})
    crew.start(*(ProcessSpec(name, (), program=program) for name in "ab"))
    while True:
        crew.pump(0.1)
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as supervisor:
        assert supervisor.stdout is not None
        pids = [int(supervisor.stdout.readline()) for _ in "ab"]
        assert all(map(psutil.pid_exists, pids))
        supervisor.kill()
    end = time.monotonic() + 5.0
    while any(map(psutil.pid_exists, pids)):
        assert time.monotonic() < end
        time.sleep(0.02)
