"""The demo runs the real commands, as often as one likes, and never touches what is not its own."""

import pytest

from rtbci.formats import read
from sims import demo


@pytest.fixture(autouse=True)
def no_display(monkeypatch):
    """Whatever this computer has."""
    monkeypatch.setattr(demo, "missing", lambda: "there is no display")


@pytest.fixture
def calls(monkeypatch):
    """The command lines of the demo, which are not run; ``codes`` are their exit codes."""
    made, codes = [], [0, 0]
    monkeypatch.setattr(demo, "call", lambda words: made.append(words) or codes[len(made) - 1])
    monkeypatch.setattr(demo, "RUNS", dict.fromkeys(demo.RUNS, (1, 4)))
    return made, codes


def test_the_demo_leads_from_nothing_to_a_picture(tmp_path, monkeypatch, capfd):
    runs = {name: (seed, 32) for name, (seed, _) in demo.RUNS.items()}
    monkeypatch.setattr(demo, "RUNS", runs)
    monkeypatch.chdir(tmp_path)
    assert demo.main([]) == 0
    out, err = capfd.readouterr()
    assert "Traceback" not in out + err
    assert "demo/summary.png" in out.replace("\\", "/")
    assert (tmp_path / "demo" / "summary.png").read_bytes().startswith(b"\x89PNG")
    names = {path.name for path in (tmp_path / "demo").iterdir()}
    assert names == {*demo.RUNS, "bundles", "summary.png", ".gitignore"}


@pytest.mark.usefixtures("calls")
def test_the_recordings_are_written_anew_and_the_same(tmp_path):
    folder = tmp_path / "demo ü"
    before = {path: path.read_bytes() for path in demo.record(folder)}
    (folder / ".replay.xdf.part").write_text("interrupted")
    assert {path: path.read_bytes() for path in demo.record(folder)} == before
    assert set(demo.LABELS) >= {marker.label for marker in read(folder / "replay.xdf").markers}


def test_the_demo_uses_the_real_commands(tmp_path, calls, capsys):
    made, _ = calls
    assert demo.main(["--folder", str(tmp_path / "a b")]) == 0
    assert [words[:2] for words in made] == [["rtbci", "calibrate"], ["rtbci", "replay"]]
    out = capsys.readouterr().out
    assert "--labels 1=face,2=house" in out
    assert "a b/replay.xdf'" in out  # quoted


def test_with_a_display_the_session_is_shown_in_its_window(tmp_path, calls, capsys, monkeypatch):
    made, _ = calls
    assert demo.main(["--folder", str(tmp_path / "demo")]) == 0
    assert "no window: there is no display; the picture shows" in capsys.readouterr().out
    assert "--headless" in made[1]
    made.clear()
    for question in ("missing", "unusable"):
        monkeypatch.setattr(demo, question, lambda: None)
    assert demo.main(["--folder", str(tmp_path / "demo")]) == 0
    assert "a window opens" in capsys.readouterr().out
    assert "--headless" not in made[1]
    assert made[1][made[1].index("--out") + 1] == str(tmp_path / "demo" / "sessions")


@pytest.mark.parametrize("failing", [0, 1])
def test_the_exit_code_is_that_of_the_command_that_failed(tmp_path, calls, capsys, failing):
    made, codes = calls
    codes[failing] = 3
    assert demo.main(["--folder", str(tmp_path / "demo")]) == 3
    assert len(made) == failing + 1
    assert "done in" not in capsys.readouterr().out


def test_a_failing_command_returns_its_exit_code():
    assert demo.call(["rtbci", "no-such-command"]) == 2


def test_a_folder_with_other_files_is_left_alone(tmp_path, calls, capsys):
    made, _ = calls
    (tmp_path / "replay.xdf").write_text("mine")
    (tmp_path / ".gitignore").write_text("mine")
    assert demo.main(["--folder", str(tmp_path)]) == 2
    assert "holds other files; name a new folder" in capsys.readouterr().err
    assert {path.read_text() for path in tmp_path.iterdir()} == {"mine"}
    assert not made


@pytest.mark.usefixtures("calls")
def test_a_folder_that_cannot_be_made_is_named(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert demo.main(["--folder", str(tmp_path / "file" / "demo")]) == 2
    assert "file" in capsys.readouterr().err
