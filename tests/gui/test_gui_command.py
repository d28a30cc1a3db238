"""``rtbci gui``, and the question whether there is a screen: sentences and exit codes."""

import importlib.util
import socket
from pathlib import Path

import pytest

from rtbci import cli
from rtbci.session import screen

NO_DISPLAY = "there is no display (DISPLAY is not set)"


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """No display, and no session."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """Exit code and the sentence."""
    code = cli.main(["gui", *words])
    out, err = capsys.readouterr()
    assert out == ""
    return code, err.strip()


@pytest.mark.skipif(importlib.util.find_spec("PySide6") is None, reason="PySide6 is not there")
@pytest.mark.usefixtures("alone")
def test_without_a_display_there_is_a_sentence_and_code_3(capsys):
    code, sentence = said(capsys)
    assert (code, sentence) == (3, f"rtbci gui: {NO_DISPLAY}; the session needs none, and rtbci "
                                "stop ends it")  # fmt: skip


@pytest.mark.skipif(importlib.util.find_spec("PySide6") is None, reason="PySide6 is not there")
def test_without_a_session_there_is_a_sentence_and_code_3(alone, capsys):
    alone.setenv("QT_QPA_PLATFORM", "offscreen")
    assert said(capsys) == (3, "rtbci gui: no session is running")


def test_without_pyside_there_is_a_sentence_and_code_3(alone, capsys):
    alone.setattr(importlib.util, "find_spec", lambda _: None)
    code, sentence = said(capsys)
    assert code == 3
    assert "PySide6 is not installed (pip install 'rtbci[gui]')" in sentence


@pytest.mark.parametrize(
    ("words", "complaint"),
    [(["--scale", "9"], "not a font scale from 0.75 to 3"), (["--size", "huge"], "not a size"),
     (["--theme", "pink"], "dark, light"), (["--screenshot", "a.jpg"], "does not end in .png"),
     (["--after", "x"], "not a number of seconds")],
)  # fmt: skip
@pytest.mark.usefixtures("alone")
def test_an_option_that_makes_no_sense_is_refused(capsys, words, complaint):
    code, sentence = said(capsys, *words)
    assert code == 2
    assert complaint in sentence


def test_a_session_without_a_display_continues_and_gives_the_reason_once(alone, capsys):
    assert not screen.wants_window(headless=True)
    assert capsys.readouterr().err == ""
    alone.setattr(importlib.util, "find_spec", lambda _: object())
    assert not screen.wants_window(headless=False)
    assert capsys.readouterr().err.strip() == (
        f"{NO_DISPLAY}: no window; --headless says that none is wanted"
    )


def test_an_unreachable_display_is_reported_before_qt_aborts(alone):
    alone.setattr(importlib.util, "find_spec", lambda _: object())
    for name in (":98765", "localhost:9876", "nonsense", "a:b"):
        assert screen.missing({"DISPLAY": name}) == f"display {name} does not answer"
    assert screen.missing({"WAYLAND_DISPLAY": "wayland-0"}) is None
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = server.getsockname()[1] - 6000
        if number >= 0:
            assert screen.missing({"DISPLAY": f"127.0.0.1:{number}.0"}) is None


def test_a_library_that_qt_needs_is_named_with_its_package(tmp_path, monkeypatch):
    plugin = tmp_path / "Qt" / "plugins" / "platforms" / "libqxcb.so"
    plugin.parent.mkdir(parents=True)
    plugin.write_bytes(b"")

    class Spec:
        submodule_search_locations = (str(tmp_path),)

    def refuse(_path: str) -> None:
        raise OSError("libxcb-cursor.so.0: cannot open shared object file: No such file")

    monkeypatch.setattr(importlib.util, "find_spec", lambda _: Spec)
    monkeypatch.setattr(screen.sys, "platform", "linux")
    monkeypatch.setattr(screen.ctypes, "CDLL", refuse)
    assert screen.unusable({}) == (
        "Qt needs libxcb-cursor.so.0, which is not installed (apt install libxcb-cursor0)"
    )
    assert screen.unusable({"QT_QPA_PLATFORM": "offscreen"}) is None
