"""Boxes are started, watched, restarted and ended; nobody is left behind."""

import json
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

from rtbci.messages import Event, Finish, SetDead, line
from rtbci.session.supervised import AdoptedProcess, ProcessSpec, ProcessState, last_line
from rtbci.session.supervisor import Failure, Supervisor

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
print('{"event": ' + 5000 * "[", flush=True)
print('no json\\n["no object"]\\n{"x": 1}\\n{"event": "ready"}\\n{torn', flush=True)
sys.stdin.read()
"""


def child(name: str, code: str, **more: Any) -> ProcessSpec:
    """A box that runs a few lines of Python instead of a command."""
    return ProcessSpec(name, (), program=("-c", f"NAME = {name!r}\n{code}"), **more)


class Heard:
    """What a supervisor told, by box and kind."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []  # as JSON objects

    def __call__(self, box: str, event: Event) -> None:
        self.events.append((box, json.loads(line(event))))

    def of(self, box: str, kind: str) -> list[dict[str, Any]]:
        """Events of one kind from one box."""
        return [event for name, event in self.events if (name, event.get("event")) == (box, kind)]


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def supervisor(tmp_path, heard):
    with Supervisor(heard, tmp_path) as supervisor:
        yield supervisor


def until(supervisor: Supervisor, condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Pump until it holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "too late"
        supervisor.pump(0.05)


def test_a_box_is_heard_obeys_and_ends_as_asked(supervisor, heard):
    supervisor.start(child("a", GOOD))
    until(supervisor, lambda: supervisor.works("a"))
    supervisor.tell("a", SetDead({"Pz": "hums"}))
    until(supervisor, lambda: heard.of("a", "heard"))
    assert heard.of("a", "heard")[0]["order"] == {"do": "dead", "electrodes": {"Pz": "hums"}}
    assert supervisor.finish("a", 5.0, Finish(index=7))
    supervisor.wait()
    assert heard.of("a", "done") == [{"event": "done", "box": "a", "orders": 1}]
    assert heard.of("a", "ended")[0]["code"] == 0
    assert supervisor.failure is None
    assert supervisor.names() == []


def test_a_box_waits_for_what_it_needs(supervisor, heard):
    supervisor.start(child("b", GOOD, needs=("a",)))
    assert supervisor.names() == []
    assert not supervisor.gone("b")
    supervisor.start(child("a", GOOD))
    until(supervisor, lambda: supervisor.works("b"))
    order = [(box, event["event"]) for box, event in heard.events]
    assert order.index(("a", "ready")) < order.index(("b", "started"))


def test_a_killed_box_works_again_at_once_and_hears_its_standing_orders(supervisor, heard):
    supervisor.start(child("a", GOOD, restart=True, again=("--continue",)))
    supervisor.tell("a", SetDead({"Pz": "hums"}), standing=True)
    until(supervisor, lambda: supervisor.works("a") and heard.of("a", "heard"))
    first = supervisor.pid("a")
    os.kill(first, signal.SIGKILL)
    began = time.monotonic()
    until(supervisor, lambda: len(heard.of("a", "ready")) == 2, 3.0)
    assert time.monotonic() - began < 3.0
    until(supervisor, lambda: len(heard.of("a", "heard")) == 2)
    assert supervisor.pid("a") != first
    (alarm,) = heard.of("a", "alarm")
    assert (alarm["level"], alarm["code"]) == ("red", "gone")
    assert "a was killed (signal 9); it is started again now" in alarm["text"]
    assert [each["code"] for each in heard.of("a", "clear")] == ["gone"]
    command = psutil.Process(supervisor.pid("a")).cmdline()
    assert command[-1] == "--continue"


def test_a_box_that_always_dies_is_started_less_and_less_often(supervisor, heard):
    supervisor.start(child("a", SILENT_THEN_DEAD, restart=True))
    until(
        supervisor, lambda: any("again in 2 s" in e["text"] for e in heard.of("a", "alarm")), 20.0
    )
    assert len(heard.of("a", "started")) == 6
    assert supervisor.failure is None
    assert supervisor.finish("a", 1.0)
    assert supervisor.gone("a")


def test_a_box_that_may_not_restart_is_told_and_missed(supervisor, heard):
    supervisor.start(child("a", SILENT_THEN_DEAD))
    until(supervisor, lambda: heard.of("a", "alarm"))
    assert "a ended with exit code 7" in heard.of("a", "alarm")[0]["text"]
    assert supervisor.failure is None
    assert supervisor.gone("a")


def test_what_a_box_refuses_is_the_sentence_of_the_session(supervisor, heard):
    supervisor.start(child("box", REFUSES, restart=True))
    until(supervisor, lambda: supervisor.failure)
    assert supervisor.state("box") is ProcessState.FAILED
    assert supervisor.failure == Failure("box", 2, "no electrode Cz; rename it")
    assert len(heard.of("box", "started")) == 1


def test_without_an_essential_box_the_session_ends_and_nobody_stays(tmp_path, heard):
    with Supervisor(heard, tmp_path) as supervisor:
        supervisor.start(child("a", GOOD), child("stream", SILENT_THEN_DEAD, essential=True))
        until(supervisor, lambda: supervisor.failure)
    failure = supervisor.failure
    assert failure is not None
    assert (failure.process, failure.code) == ("stream", 1)
    assert "stream ended with exit code 7" in failure.sentence
    assert not psutil.pid_exists(heard.of("a", "started")[0]["pid"])


def test_a_box_that_does_not_listen_is_ended_by_force(supervisor):
    supervisor.start(child("a", STUBBORN, kill_timeout=0.3))
    until(supervisor, lambda: supervisor.works("a"))
    began = time.monotonic()
    assert not supervisor.finish("a", 0.2)
    supervisor.wait()
    assert 0.4 < time.monotonic() - began < 3.0
    assert supervisor.names() == []


def test_a_frozen_box_is_noticed_and_one_that_hangs_is_replaced(supervisor, heard, monkeypatch):
    monkeypatch.setattr("rtbci.session.supervisor.QUIET", 0.3)
    chatty = 'import time\nprint(\'{"event": "ready"}\', flush=True)\n' + (
        'while True:\n time.sleep(0.05)\n print(\'{"event": "status"}\', flush=True)'
    )
    supervisor.start(child("patient", chatty), child("hanging", chatty, restart=True, hang=1.0))
    until(supervisor, lambda: supervisor.works("patient") and supervisor.works("hanging"))
    for name in ("patient", "hanging"):
        os.kill(supervisor.pid(name), signal.SIGSTOP)
    until(supervisor, lambda: heard.of("patient", "alarm") and heard.of("hanging", "alarm"))
    assert heard.of("patient", "alarm")[0]["level"] == "amber"
    until(supervisor, lambda: len(heard.of("hanging", "started")) == 2)
    os.kill(supervisor.pid("patient"), signal.SIGCONT)
    until(supervisor, lambda: heard.of("patient", "clear"))
    assert len(heard.of("patient", "started")) == 1


def test_a_process_is_in_one_named_state_from_start_to_end(supervisor, monkeypatch):
    monkeypatch.setattr("rtbci.session.supervisor.QUIET", 0.3)
    seen: dict[str, list[ProcessState | None]] = {"a": [], "b": []}

    def look(*_: object) -> None:
        for name, states in seen.items():
            state = supervisor.state(name)
            if states[-1:] != [state]:
                states.append(state)

    supervisor._meanwhile = look
    look()
    supervisor.start(child("b", STUBBORN, needs=("a",), kill_timeout=0.3))
    look()
    supervisor.start(child("a", GOOD))
    look()
    until(supervisor, lambda: all(ProcessState.QUIET in states for states in seen.values()))
    for name in ("a", "b"):
        # asked to end, whatever follows and however soon: a busy computer may show it no more
        monkeypatch.setattr(supervisor, "pump", _looking_first(supervisor.pump, look))
        supervisor.finish(name, 0.1)
        look()
    supervisor.wait()
    look()
    waiting, starting, ready, quiet, ending, ended = (
        ProcessState[name] for name in ("WAITING", "STARTING", "READY", "QUIET", "ENDING", "ENDED")
    )
    assert seen["b"] == [None, waiting, starting, ready, quiet, ending, ended]
    assert seen["a"] == [None, starting, ready, quiet, ending, ended]


def _looking_first(pump: Callable[[float], None], look: Callable[[], None]):
    def looking(seconds: float) -> None:
        look()
        pump(seconds)

    return looking


def test_one_that_will_be_started_again_is_restarting_until_then(supervisor):
    supervisor.start(child("a", SILENT_THEN_DEAD, restart=True))
    until(supervisor, lambda: supervisor.state("a") is ProcessState.RESTARTING, 20.0)
    assert not supervisor.gone("a")
    assert not supervisor.is_idle()
    supervisor.finish("a", 1.0)
    assert supervisor.state("a") is ProcessState.ENDED


def test_an_adopted_process_is_replaced_when_it_dies_and_ended_when_asked(supervisor, heard):
    sleeper = [sys.executable, "-c", "import time; time.sleep(15)"]
    with subprocess.Popen(sleeper) as first, subprocess.Popen(sleeper) as second:
        for name, process in (("a", first), ("b", second)):
            created = psutil.Process(process.pid).create_time()
            spec = child(name, GOOD, again=("--continue",), kill_timeout=5.0)
            supervisor.adopt(spec, AdoptedProcess(process.pid, created))
            assert supervisor.state(name) is ProcessState.ADOPTED
        assert supervisor.names() == []
        assert not supervisor.is_idle()
        first.kill()
        until(supervisor, lambda: supervisor.works("a"))
        assert psutil.Process(supervisor.pid("a")).cmdline()[-1] == "--continue"
        assert supervisor.finish("b", 1.0)
        assert second.wait(5.0) == -signal.SIGTERM
        assert heard.of("b", "started") == []
        assert supervisor.gone("b")


def test_lines_that_are_no_events_are_passed_over(supervisor, heard):
    supervisor.start(child("a", BLATHERS))
    until(supervisor, lambda: supervisor.works("a"))
    assert [event["event"] for _, event in heard.events] == ["started", "ready"]


def test_what_a_box_says_on_stderr_is_kept_for_its_owner_only(supervisor, tmp_path):
    supervisor.start(child("a", REFUSES))
    until(supervisor, lambda: supervisor.gone("a"))
    assert last_line(tmp_path / "a.log") == "rtbci box: no electrode Cz; rename it"
    assert (tmp_path / "a.log").stat().st_mode & 0o777 == 0o600
    assert last_line(tmp_path / "nothing.log") == ""


def test_boxes_see_the_end_of_stdin_when_the_supervisor_is_killed(tmp_path):
    code = f"""
import sys, time
from pathlib import Path
from rtbci.messages import Started
from rtbci.session.supervised import ProcessSpec
from rtbci.session.supervisor import Supervisor
with Supervisor(lambda box, event: print(event.pid, flush=True) if isinstance(event, Started)
          else None, Path({str(tmp_path)!r})) as supervisor:
    program = ("-c", "NAME = 'x'" + {GOOD!r})
    supervisor.start(*(ProcessSpec(name, (), program=program) for name in "ab"))
    while True:
        supervisor.pump(0.1)
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
