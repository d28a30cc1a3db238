"""Small pieces of work that write, and what must hold when the disk refused a part of them.

A scenario works below a folder while a ``Refusing`` is at work, and returns its judge, which is
called when the disk is well again.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from rtbci.bench.offline import synthetic_bundle
from rtbci.decoding.bundle import Bundle, load_bundle
from rtbci.errors import RtbciError
from rtbci.messages import NoteWritten
from rtbci.session.folder import SessionFolder, load_config, new_folder, verify_events
from tests.soak.fault_recorder import Judge, defect, recorder, recovery, writer
from tests.soak.refusals import Refusing

EVENTS = 4


def bundle(folder: Path, _refusing: Refusing) -> Judge:
    """A bundle is saved where there is an older one."""
    made, wrong, saved = _bundle(), list[str](), list[Path]()
    home = folder / "bundles"
    try:
        saved.append(made.save(home))
    except RtbciError:
        pass
    except OSError as error:
        wrong += defect("the work", error)

    def judge() -> list[str]:
        for path in saved:
            try:
                load_bundle(path)
            except RtbciError:
                wrong.append("a bundle that was stated to be saved cannot be loaded")
        if not saved:
            try:
                load_bundle(home)
            except RtbciError:
                pass
            else:
                wrong.append("a bundle that was refused can be loaded")
        if list(home.glob("*/.part-*")):
            wrong.append("a temporary folder is left")
        try:
            load_bundle(made.save(home))
        except (RtbciError, OSError):
            wrong.append("the next bundle cannot be saved")
        return wrong

    return judge


_KEPT = list[Bundle]()


def _bundle() -> Bundle:
    if not _KEPT:
        _KEPT.append(synthetic_bundle(250.0, ("Cz", "Pz", "Oz", "Fz"), ("a", "b"), (0.0, 0.5)))
    return _KEPT[0]


def session(folder: Path, _refusing: Refusing) -> Judge:
    """A session folder: lock, configuration, events."""
    wrong, kept = list[str](), list[int]()
    path: Path | None = None
    is_configured = False

    def attempt(what: str, work: Callable[[], object]) -> bool:
        try:
            work()
        except RtbciError:
            return False
        except OSError as error:
            wrong.extend(defect(what, error))
            return False
        return True

    opened = list[SessionFolder]()
    try:
        path = new_folder(folder / "sessions", "sub-02")
        opened.append(SessionFolder(path))
    except RtbciError:
        pass
    except OSError as error:
        wrong += defect("opening", error)
    for used in opened:
        is_configured = attempt("write_config", partial(used.write_config, {"a": 1}))
        for number in range(EVENTS):
            try:
                is_kept = used.events.add(NoteWritten(f"tick {number}"))
            except OSError:  # out of the supervisor's loop: it ends every process
                wrong.append("an event that cannot be written ends the session")
            else:
                kept += [number] * is_kept
        attempt("closing", used.close)

    def judge() -> list[str]:
        if path is None:
            return wrong
        try:
            with SessionFolder(path) as again:
                again.events.add(NoteWritten(f"tick {EVENTS}"))
        except (RtbciError, OSError) as error:
            return [*wrong, f"the folder cannot be used again: {type(error).__name__}"]
        chain = verify_events(path / "events.jsonl")
        lines = (path / "events.jsonl").read_text("utf-8").splitlines()
        absent = [n for n in kept if not any(f'"tick {n}"' in line for line in lines)]
        if absent:
            wrong.append("an event that was acknowledged is absent")
        if chain.broken:
            wrong.append("verify takes the log for one that was changed")
        if is_configured and load_config(path) != {"a": 1}:
            wrong.append("the configuration is another one")
        if list(path.glob(".*.part")):
            wrong.append("a temporary file is left")
        return wrong

    return judge


SCENARIOS: dict[str, Callable[[Path, Refusing], Judge]] = {
    "recorder": recorder,
    "recorder with a second folder": lambda folder, refusing: recorder(folder, refusing, True),
    "writer": writer,
    "recover": recovery,
    "bundle": bundle,
    "session": session,
}
