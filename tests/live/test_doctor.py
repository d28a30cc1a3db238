"""What ``rtbci doctor`` finds, and that no check can hang it, crash it or make up a figure."""

import contextlib
import hashlib
import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rtbci.doctor import all_checks, check, disk, lsl, machine
from rtbci.doctor.check import Check, NoAnswer, SessionPlace, Task, TooSlow, ask, exit_code, run_all
from tests.support.box import Box
from tests.support.live_session import until

NAMES = {
    "Python", "Python and PySide6", "packages", "disk", "power", "display", "OpenGL", "GPU",
    "packaged weights", "clock", "memory and load", "running sessions", "LSL library",
    "LSL encryption", "LSL discovery", "LSL loopback", "LSL clock", "LSL outlets", "lab streams",
    "network",
}  # fmt: skip
SENDERS = """
import sys, time
from rtbci.lsl import config
config.configure(sys.argv[1], "machine")
import pylsl
outlets = [pylsl.StreamOutlet(pylsl.StreamInfo(name, "EEG", 2, 100, "float32", source))
           for name, source in (("amp", "a"), ("amp copy", "a"), ("nameless", ""), ("fine", "f"))]
print("ready", flush=True)
time.sleep(60)
"""


def run_doctor(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What the command says."""
    return subprocess.run(
        [sys.executable, "-m", "rtbci", "doctor", *options],
        capture_output=True, text=True, timeout=60, check=False, env=os.environ | environment,
    )  # fmt: skip


def levels(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, str]]:
    """The checks of ``--json`` by name, after looking at the line as a whole."""
    assert len(done.stdout.splitlines()) == 1, done.stdout
    said = json.loads(done.stdout)
    assert said["event"] == "doctor"
    worst = max(["ok", "warn", "fail"].index(each["level"]) for each in said["checks"])
    assert said["exit"] == done.returncode == worst
    assert all(set(each) == {"name", "level", "found", "next"} for each in said["checks"])
    assert "Traceback" not in done.stdout + done.stderr
    return {each["name"]: each for each in said["checks"]}


@pytest.fixture
def place(tmp_path) -> SessionPlace:
    """A folder for recordings and an LSL session of its own."""
    return SessionPlace(tmp_path, f"test-{secrets.token_hex(6)}", "machine")


@pytest.mark.lsl
def test_the_doctor_looks_at_everything_within_fifteen_seconds(tmp_path):
    words = ("doctor", "--json", "--folder", tmp_path, "--lsl-scope", "machine")
    with Box(*words) as box:  # from its first word on: how long Python starts is not its business
        until(lambda: "checking this computer" in box.stderr, 60)  # somebody is waiting
        began = time.monotonic()
        said = dict(box.until("doctor", 60))
        took = said.pop("at") - began
        code = box.end()
    line = json.dumps(said)
    found = levels(subprocess.CompletedProcess(words, code, line, box.stderr))
    assert set(found) >= NAMES
    assert took < 16  # of which 1 s to tell
    assert "none lost" in found["LSL loopback"]["found"]
    assert "40 of 40" in found["LSL outlets"]["found"]
    assert "MB/s" in found["disk"]["found"]
    assert "none packaged yet" in found["packaged weights"]["found"]
    assert list(tmp_path.iterdir()) == []  # nothing is left behind
    for each in found.values():
        assert each["found"]
        assert each["level"] == "ok" or each["next"], each


@pytest.mark.lsl
def test_a_person_reads_one_line_a_check(tmp_path):
    done = run_doctor("--folder", str(tmp_path), "--lsl-scope", "machine")
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 100
    assert {line[:4].strip() for line in lines[:-1]} <= {"ok", "warn", "FAIL", ""}
    for name in NAMES:
        assert sum(line[6:].startswith(f"{name} ") for line in lines) >= 1, name
    assert "checks" in lines[-1]


def test_a_broken_lsl_library_is_one_clean_failure(tmp_path):
    broken = tmp_path / "liblsl.so"
    broken.write_text("this is no library")
    done = run_doctor("--json", "--folder", str(tmp_path), PYLSL_LIB=str(broken))
    found = levels(done)
    assert done.returncode == 2
    assert found["LSL library"]["level"] == "fail"
    assert "the LSL library cannot be loaded" in found["LSL library"]["found"]
    for name in ("LSL loopback", "LSL outlets", "lab streams"):
        assert found[name]["found"] == "not checked: the LSL library does not load"


def test_a_library_that_is_not_where_it_is_said_to_be_is_named(place, monkeypatch):
    monkeypatch.setenv("PYLSL_LIB", "/nonexistent")
    first = lsl.library(place)[0]
    assert first.level == "warn"
    assert "/nonexistent, which is no file" in first.found
    assert "PYLSL_LIB" in first.next_step


def test_the_doctor_loads_neither_windows_nor_networks_nor_lsl():
    code = (
        "import sys, rtbci.doctor.all_checks; "
        "print(*{'PySide6', 'torch', 'pylsl', 'scipy', 'mne', 'rich'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == ""


def test_a_check_that_hangs_breaks_or_aborts_is_told_and_the_others_go_on(place):
    def hangs(_: SessionPlace) -> list[Check]:
        time.sleep(30)
        raise AssertionError

    def breaks(_: SessionPlace) -> list[Check]:
        raise ZeroDivisionError("oh no")

    def aborts(_: SessionPlace) -> list[Check]:
        ask("os", "abort", timeout=10)
        raise AssertionError

    def works(_: SessionPlace) -> list[Check]:
        return [Check("works", "ok", "it does")]

    tasks = (
        Task("hangs alone", hangs, timeout=0.3, alone=True),
        Task("hangs", hangs, timeout=0.3),
        Task("breaks", breaks),
        Task("aborts", aborts),
        Task("works", works),
    )
    began = time.monotonic()
    checks = {each.name: each for each in run_all(tasks, place)}
    assert time.monotonic() - began < 10
    assert list(checks) == [task.name for task in tasks]
    assert checks["hangs"].found == checks["hangs alone"].found == "did not end in time"
    assert "ZeroDivisionError: oh no" in checks["breaks"].found
    assert checks["aborts"].found == "ended by signal 6"
    assert checks["works"].level == "ok"
    assert exit_code(list(checks.values())) == 2


def test_the_whole_run_ends_in_time_even_if_everything_hangs(place):
    def hangs(_: SessionPlace) -> list[Check]:
        ask("signal", "pause", timeout=60)
        raise AssertionError

    tasks = (Task("one", hangs, 60, alone=True), Task("two", hangs, 60), Task("three", hangs, 60))
    began = time.monotonic()
    checks = list(run_all(tasks, place, within=1.0))
    assert time.monotonic() - began < 3
    assert [each.name for each in checks] == ["one", "two", "three"]
    for each in checks:
        assert each.level == "fail"
        assert any(word in each.found for word in ("in time", "time was left", "not answer"))
    until = time.monotonic() + 10
    while check._children and time.monotonic() < until:
        time.sleep(0.01)
    assert not check._children  # nobody is left behind


def test_a_child_that_hangs_is_ended():
    began = time.monotonic()
    with pytest.raises(NoAnswer, match=r"did not answer within 0\.5 s"):
        ask("signal", "pause", timeout=0.5)
    assert time.monotonic() - began < 5


def test_a_child_that_cannot_do_it_says_why():
    with pytest.raises(NoAnswer, match="no_such_module"):
        ask("no_such_module", "f", timeout=20)
    with pytest.raises(NoAnswer, match="ended with code 1: bye"):
        ask("sys", "exit", "bye", timeout=20)


def test_every_task_has_a_name_of_its_own():
    names = [task.name for task in all_checks.TASKS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("python", "pyside", "level"),
    [
        ((3, 11), "6.12.0", "fail"),
        ((3, 11), "6.13.1", "fail"),
        ((3, 11), "7.0", "fail"),
        ((3, 11), "6.11.3", "ok"),
        ((3, 12), "6.12.0", "ok"),
        ((3, 13), "6.12.0", "ok"),
        ((3, 11), None, "ok"),
    ],
)
def test_the_pair_that_aborts_is_known(python, pyside, level):
    found = machine.pair(python, pyside)
    assert found.level == level
    if level == "fail":
        assert "'PySide6>=6.10,<6.12'" in found.next_step


def test_a_package_that_cannot_be_imported_is_named():
    answer = machine.import_all("json", "no_such_package")
    assert "json" in str(answer["versions"])
    assert "ModuleNotFoundError" in str(answer["broken"])


def test_packages_that_import_slowly_are_told_from_missing_ones(place, monkeypatch):
    def slow(*_: object, **__: object) -> None:
        raise TooSlow("did not answer within 1 s")

    monkeypatch.setattr(machine, "ask", slow)
    assert machine.packages(place)[0].level == "warn"
    monkeypatch.setattr(machine, "NEEDED", ("no_such_package",))
    with pytest.raises(TooSlow):
        machine.packages(place)


def test_a_changed_weight_is_found(place, monkeypatch, tmp_path):
    (tmp_path / "w.bin").write_bytes(b"right")
    monkeypatch.setattr(machine, "PACKAGE", tmp_path)
    right = hashlib.sha256(b"right").hexdigest()
    monkeypatch.setattr(machine, "WEIGHTS", {"w.bin": right})
    assert machine.weights(place)[0].level == "ok"
    monkeypatch.setattr(machine, "WEIGHTS", {"w.bin": right, "gone.bin": right})
    assert "missing or changed: gone.bin" in machine.weights(place)[0].found
    (tmp_path / "w.bin").write_bytes(b"wrong")
    assert "w.bin, gone.bin" in machine.weights(place)[0].found


def test_a_folder_that_is_not_there_yet_is_measured_above_it(tmp_path):
    assert disk.existing(tmp_path / "a" / "b") == tmp_path.resolve()
    answer = disk.measure(str(tmp_path / "a" / "b"))
    assert answer["written_mb"] == disk.TOTAL_MB
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs a folder that refuses files")
def test_a_folder_that_refuses_files_fails():
    found = machine.disk(SessionPlace(Path("/proc")))[0]
    assert found.level == "fail"
    assert "cannot be written to" in found.found
    assert found.next_step


@pytest.mark.parametrize(
    ("changes", "level"),
    [
        ({}, "ok"),
        ({"free": 1.0e9}, "warn"),
        ({"free": 5.0e8}, "fail"),
        ({"mb_s": 2.0}, "warn"),
        ({"worst_sync": 1.5}, "warn"),
    ],
)
def test_a_full_or_slow_disk_is_told(place, monkeypatch, changes, level):
    answer = {"free": 1.0e11, "mb_s": 300.0, "worst_sync": 0.01, "written_mb": 50} | changes
    monkeypatch.setattr(machine, "ask", lambda *_, **__: answer)
    assert machine.disk(place)[0].level == level


def test_saved_power_is_told_where_it_matters(place, monkeypatch, tmp_path):
    cpu, supply = tmp_path / "cpu", tmp_path / "power"
    (cpu / "cpu0" / "cpufreq").mkdir(parents=True)
    (supply / "BAT0").mkdir(parents=True)
    monkeypatch.setattr(machine, "CPU", cpu)
    monkeypatch.setattr(machine, "POWER", supply)
    assert machine.power(place)[0].found.startswith("not checked")
    (cpu / "cpu0" / "cpufreq" / "scaling_governor").write_text("powersave\n")
    assert machine.power(place)[0].level == "warn"
    (cpu / "cpu0" / "cpufreq" / "scaling_driver").write_text("intel_pstate\n")
    assert machine.power(place)[0].level == "ok"
    (supply / "BAT0" / "status").write_text("Discharging\n")
    assert "on battery" in machine.power(place)[0].found


def test_what_was_not_measured_is_not_a_figure(place, monkeypatch):
    for variable in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(variable, raising=False)
    by_name = {each.name: each for each in machine.screen(place)}
    assert by_name["OpenGL"].found.startswith("not checked")
    assert "none" in by_name["display"].found
    monkeypatch.setenv("PATH", "/nonexistent")
    assert machine.gpu(place)[0].found == "none found, none needed"


@contextlib.contextmanager
def amplifiers(session: str) -> Iterator[None]:
    """Two streams with one id, one without, one as it should be."""
    child = subprocess.Popen(
        [sys.executable, "-c", SENDERS, session], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    try:
        assert child.stdout.readline() == "ready\n"
        yield
    finally:
        child.kill()
        child.communicate()


@pytest.mark.lsl
def test_twins_and_nameless_streams_of_the_lab_are_told(place):
    assert place.session is not None
    with amplifiers(place.session):
        found = lsl.lab(place)[0]
    assert found.level == "warn"
    assert "4 in LSL session" in found.found
    assert "source_id 'a' twice (amp copy on " in found.found
    assert "'nameless' has no source_id" in found.found
    assert "'fine'" not in found.found
    assert found.next_step


def test_loss_slowness_and_a_silent_clock_are_told(place, monkeypatch):
    good: dict[str, object] = {
        "found": 0.01, "opened": 0.02, "pings": 500, "burst": 5000, "lost": 0,
        "median": 1e-4, "p99": 2e-4, "offset": 1e-5, "clock_after": 0.64,
    }  # fmt: skip

    def said(**changes: object) -> dict[str, str]:
        monkeypatch.setattr(lsl, "ask", lambda *_, **__: good | changes)
        return {each.name: each.level for each in lsl.loopback(place)}

    assert set(said().values()) == {"ok"}
    assert said(lost=3)["LSL loopback"] == "fail"
    assert said(median=None, lost=500)["LSL loopback"] == "fail"
    assert said(p99=0.1)["LSL loopback"] == "warn"
    assert said(offset=None)["LSL clock"] == "fail"
    assert said(offset=0.5)["LSL clock"] == "warn"
    assert said(found=None) == {"LSL discovery": "fail"}
    assert said(found=4.0)["LSL discovery"] == "warn"


def test_too_few_visible_outlets_name_the_setting(place, monkeypatch):
    answer = {"made": 40, "seen": 17, "seconds": 1.0, "failed": ""}
    monkeypatch.setattr(lsl, "ask", lambda *_, **__: answer)
    found = lsl.outlets(place)[0]
    assert found.level == "warn"
    assert "17 of 40" in found.found
    assert "PortRange = 128" in found.next_step


def test_a_discovery_port_that_somebody_holds_is_told(place, monkeypatch):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as held:
        held.bind(("", 0))  # without sharing
        monkeypatch.setattr(lsl, "DISCOVERY_PORT", held.getsockname()[1])
        found = lsl.network(place)[0]
    assert found.level == "warn"
    assert "cannot be opened" in found.found
    assert "ss -lunp" in found.next_step


def test_a_firewall_without_a_rule_for_lsl_is_told(monkeypatch, tmp_path):
    switch = tmp_path / "ufw.conf"
    monkeypatch.setattr(lsl, "FIREWALLS", {switch: ("ufw", "ENABLED=yes", "allow it")})
    assert lsl.firewall() == ("", "")
    switch.write_text("ENABLED=no\n")
    assert lsl.firewall() == ("", "")
    switch.write_text("ENABLED=yes\n")
    assert lsl.firewall() == ("ufw", "allow it")
    (tmp_path / "user.rules").write_text("-A ufw-user-input -p udp --dport 16571 -j ACCEPT\n")
    assert lsl.firewall() == ("", "")
