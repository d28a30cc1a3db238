"""The session folder: locked, never overwritten, its log unforgeable; and talking to a session."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import datetime
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client
from pathlib import Path
from typing import Any

import psutil
import pytest

from rtbci.errors import BadInput, InUse, Missing
from rtbci.messages import (
    Alarm,
    AskReport,
    Closed,
    Ended,
    Event,
    NoteWritten,
    OtherEvent,
    OtherOrder,
    Refused,
    Started,
    TakenOver,
    WriteNote,
)
from rtbci.session import control
from rtbci.session.control import Server, SessionEntry
from rtbci.session.folder import (
    EventLog,
    SessionFolder,
    last_event,
    load_config,
    new_folder,
    verify_events,
)

ROOT = Path(__file__).resolve().parents[2]
NOON = datetime(2026, 11, 21, 12, 0, 0)


@pytest.fixture
def runtime(tmp_path, monkeypatch) -> Path:
    """A run-time folder of this test's own."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    return tmp_path / "run" / "rtbci"


def mode(path: Path) -> int:
    """Permission bits."""
    return path.stat().st_mode & 0o777


# the folder


def test_a_session_has_a_folder_that_only_its_owner_reads(tmp_path):
    with SessionFolder(new_folder(tmp_path / "sessions", "sub-02", NOON)) as folder:
        assert folder.path == tmp_path / "sessions" / "sub-02_2026-11-21_120000"
        folder.events.add(Started(7, False))
        folder.write_config({"bundle": Path("bundles/sub-02"), "speed": 1.0})
        assert mode(folder.path) == mode(folder.logs) == 0o700
        files = [path for path in folder.path.iterdir() if path.is_file()]
        assert {path.name for path in files} == {"session.json", "events.jsonl", "session.lock"}
        assert {mode(path) for path in files} == {0o600}
    assert load_config(folder.path)["bundle"] == "bundles/sub-02"


def test_a_parent_folder_that_we_make_is_its_owners_alone(tmp_path):
    new_folder(tmp_path / "sessions", "sub-01")
    assert (tmp_path / "sessions").stat().st_mode & 0o777 == 0o700


def test_an_existing_session_is_never_overwritten(tmp_path):
    first, second = (new_folder(tmp_path, "sub-02", NOON) for _ in range(2))
    assert second.name == f"{first.name}_2"


def test_a_name_cannot_leave_the_folder(tmp_path):
    with SessionFolder(new_folder(tmp_path / "s", "../../Ünï cödé\n研究", NOON)) as folder:
        assert folder.path.parent == tmp_path / "s"


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match=r"cannot write the session to .*--out"):
        new_folder(tmp_path / "file", "sub-02")


def test_the_second_user_is_told_who_holds_the_session(tmp_path):
    with SessionFolder(new_folder(tmp_path, "sub-02")) as folder:
        code = f"from pathlib import Path; from rtbci.session.folder import SessionFolder\n" \
               f"SessionFolder(Path({str(folder.path)!r}))"  # fmt: skip
        other = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert f"is in use by process {os.getpid()} on {socket.gethostname()}" in other.stderr
        with pytest.raises(InUse, match=f"process {os.getpid()}"):
            SessionFolder(folder.path)
    with SessionFolder(folder.path) as again:
        assert again.lock.stale is None


def test_the_lock_of_a_killed_holder_is_recognised_and_taken(tmp_path):
    (tmp_path / "s").mkdir()
    code = (
        "import os, time\nfrom pathlib import Path\n"
        "from rtbci.session.folder import SessionFolder\n"
        f"held = SessionFolder(Path({str(tmp_path / 's')!r}))\n"
        "print(os.getpid(), flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        pid = int(holder.stdout.readline())
        with pytest.raises(InUse, match=f"process {pid}"):
            SessionFolder(tmp_path / "s")
        holder.kill()
    with SessionFolder(tmp_path / "s") as folder:
        assert folder.lock.stale == pid


# the log


@pytest.fixture
def log(tmp_path) -> Path:
    """A log of four events, written in two sittings."""
    path = tmp_path / "events.jsonl"
    text = "ünï\ncödé"
    first, second = (Started(7, False), Alarm("red", "rate", text)), (NoteWritten(text), Closed(()))
    for sitting in (first, second):
        events = EventLog(path)
        for event in sitting:
            events.add(event)
        events.close()
    return path


def test_each_line_carries_the_hash_of_the_line_before(log):
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    assert [each["event"] for each in lines] == ["started", "alarm", "note", "closed"]
    assert lines[0]["previous"] == "0" * 64
    assert len({each["previous"] for each in lines}) == 4
    assert lines[0]["monotonic"] <= lines[1]["monotonic"]
    assert datetime.fromisoformat(lines[0]["time"]).tzinfo is not None
    assert verify_events(log).whole
    assert verify_events(log).lines == 4
    assert last_event(log.parent) == Closed(())


@pytest.mark.parametrize("what", ["changed", "removed", "added", "swapped"])
def test_a_line_that_was_tampered_with_is_found(log, what):
    lines = log.read_bytes().splitlines(keepends=True)
    if what == "changed":
        lines[1] = lines[1].replace(b"red", b"RED")
    elif what == "removed":
        del lines[1]
    elif what == "added":
        lines.insert(2, lines[1])
    else:
        lines[1], lines[2] = lines[2], lines[1]
    log.write_bytes(b"".join(lines))
    found = verify_events(log)
    assert not found.whole
    assert found.broken[0].startswith(f"line {2 if what in ('removed', 'swapped') else 3} does not")


def test_a_torn_line_is_named_and_the_log_goes_on_behind_it(log):
    log.write_bytes(log.read_bytes()[:-20])
    events = EventLog(log)
    events.add(TakenOver(None))
    events.close()
    assert verify_events(log).broken == ("line 4 is torn",)
    assert last_event(log.parent) == TakenOver(None)


# running sessions


def entry(server: Server | None = None, **more: Any) -> SessionEntry:
    """This process as a session."""
    me = psutil.Process()
    return SessionEntry(
        id="sub-02_now", lsl_session="x", pid=me.pid, created=me.create_time(), folder="/nowhere",
        address=server.address if server else "/nowhere/s",
        key_file=str(server.key_file) if server else "/nowhere/k", **more,
    )  # fmt: skip


def gone() -> dict[str, Any]:
    """Process id and creation time of nobody."""
    return {"pid": os.getpid(), "created": 1000.0}


def test_running_sessions_are_listed_and_dead_ones_cleaned_away(runtime):
    assert control.running() == []
    control.register(entry())
    control.register(replace(entry(), id="dead", **gone()))
    mine = psutil.Process()
    orphan = {**gone(), "recorder_pid": mine.pid, "recorder_created": mine.create_time()}
    control.register(replace(entry(), id="orphan", **orphan))
    (runtime / "torn.json").write_text("{")
    found = control.running()
    assert [each.id for each in found] == ["orphan", "sub-02_now"]
    assert [each.alive for each in found] == [False, True]
    assert [each.recorder_alive for each in found] == [True, False]
    assert not (runtime / "dead.json").exists()
    assert mode(runtime) == 0o700
    control.unregister(found[1])
    control.unregister(found[1])
    assert [each.id for each in control.running()] == ["orphan"]


def test_a_session_is_found_by_name_by_folder_or_by_being_alone():
    one, two = entry(), replace(entry(), id="other", folder=str(Path("here").resolve()))
    assert control.find(None, [one]) is one
    assert control.find("other", [one, two]) is two
    assert control.find("here", [one, two]) is two
    with pytest.raises(Missing, match="no session is running"):
        control.find(None, [])
    with pytest.raises(BadInput, match="2 sessions are running: sub-02_now, other; name one"):
        control.find(None, [one, two])
    with pytest.raises(BadInput, match="no session 'third' is running; there is sub-02_now"):
        control.find("third", [one])


@pytest.fixture
def server(runtime):  # noqa: ARG001
    """A server whose session answers every question with the question."""
    server = Server()
    over = threading.Event()

    def answer() -> None:
        while not over.is_set():
            for request in server.poll():
                order = request.order
                known = not isinstance(order, OtherOrder)
                request.reply(OtherEvent("heard", more=order.as_json()) if known else Refused("no"))
            time.sleep(0.01)

    thread = threading.Thread(target=answer)
    thread.start()
    yield server
    over.set()
    thread.join()
    server.close()
    server.close()


def test_a_session_answers_who_has_its_key(server):
    assert mode(Path(server.address)) == mode(server.key_file) == 0o600
    me = entry(server)
    heard = {"do": "note", "text": "cap moved"}
    assert control.ask(me, WriteNote("cap moved")) == OtherEvent("heard", more=heard)
    with pytest.raises(BadInput, match="session sub-02_now: no"):
        control.ask(me, OtherOrder("fly"))
    with pytest.raises(AuthenticationError):
        Client(server.address, family="AF_UNIX", authkey=b"guessed")


def test_a_follower_hears_everything_until_the_end(server):
    heard: list[Event] = []
    thread = threading.Thread(target=lambda: heard.extend(control.follow(entry(server))))
    thread.start()
    end = time.monotonic() + 5.0
    while not heard:  # until it listens
        server.tell(OtherEvent("hello"))
        time.sleep(0.01)
        assert time.monotonic() < end
    server.tell(Ended(-9, box="decode"))
    server.close()
    thread.join(5.0)
    assert not thread.is_alive()
    assert heard[0] == OtherEvent("hello")
    assert heard[-1] == Ended(-9, box="decode")


def test_hanging_flooding_and_lying_clients_cost_the_session_nothing(server):
    hanging = [Client(server.address, family="AF_UNIX") for _ in range(3)]  # and say nothing
    lying = socket.socket(socket.AF_UNIX)
    lying.connect(server.address)
    lying.sendall(b"\x7f\xff\xff\xff" + b"x" * 1000)  # announces 2 GB
    key = server.key_file.read_bytes()
    for blob in (b"no json", b"[]", b'{"do": ' + b"[" * 30_000, b"x" * 100_000):
        with Client(server.address, family="AF_UNIX", authkey=key) as client:
            with contextlib.suppress(OSError):  # it may hang up in the middle of a long one
                client.send_bytes(blob)
            with pytest.raises((EOFError, OSError)):
                client.recv_bytes()
    began = time.monotonic()
    assert control.ask(entry(server), AskReport()) == OtherEvent("heard", more={"do": "status"})
    assert time.monotonic() - began < 1.0
    lying.close()
    for client in hanging:
        client.close()


@pytest.mark.usefixtures("runtime")
def test_a_session_that_does_not_answer_is_missing_not_waited_for(monkeypatch):
    with pytest.raises(Missing, match="does not answer"):
        control.ask(entry(), AskReport())
    monkeypatch.setattr(control, "PATIENCE", 1.0)
    server = Server()  # nobody polls it
    with pytest.raises((Missing, BadInput), match=r"does not answer|too busy"):
        control.ask(entry(server), AskReport())
    server.close()


def test_a_long_run_time_path_is_no_obstacle(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / ("long" * 30)))
    server = Server()
    assert len(server.address) < control.LONGEST_ADDRESS
    home = Path(server.address).parent
    assert mode(home) == 0o700
    server.close()
    assert not home.exists()
