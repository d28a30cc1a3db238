"""The command line: what a person sees when it goes right, and when it does not."""

import argparse
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

import rtbci
from rtbci import cli
from rtbci.errors import BadInput, InUse, Missing

# A command that lives in a process of its own: PROBE is what it does.
PROBE = """
import signal, sys, types
from rtbci import cli
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
module = types.ModuleType("probe")
module.add_arguments = lambda parser: None
def run(args):
    {body}
module.run = run
sys.modules["probe"] = module
cli.COMMANDS["probe"] = ("a probe", "probe")
sys.exit(cli.main(["probe", *sys.argv[1:]]))
"""

Install = Callable[..., None]


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Adds a command ``probe`` that does what it is given."""

    def install(
        run: Callable[[argparse.Namespace], int | None],
        add_arguments: Callable[[argparse.ArgumentParser], object] = lambda _parser: None,
    ) -> None:
        module = ModuleType("probe")
        module.__dict__.update(run=run, add_arguments=add_arguments)
        monkeypatch.setitem(sys.modules, "probe", module)
        monkeypatch.setitem(cli.COMMANDS, "probe", ("a probe", "probe"))

    return install


def raising(error: BaseException) -> Callable[[argparse.Namespace], int | None]:
    """A command that ends with ``error``."""

    def run(_args: argparse.Namespace) -> int | None:
        raise error

    return run


def start(body: str, *words: str, **options) -> subprocess.Popen[str]:
    """A process that runs ``body`` as the command ``probe``."""
    code = PROBE.format(body=body.replace("\n", "\n    "))
    return subprocess.Popen(
        [sys.executable, "-c", code, *words],
        stderr=subprocess.PIPE,
        encoding="utf-8",
        **{"stdout": subprocess.PIPE, **options},
    )


def test_help_lists_every_command_within_80_columns(capsys):
    assert cli.main(["--help"]) == 0
    shown = capsys.readouterr().out
    for name, (summary, _) in cli.COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(summary)}$", shown, re.MULTILINE)
    assert max(map(len, shown.splitlines())) <= 80


def test_every_command_stands_in_exactly_one_group():
    grouped = [name for names in cli.GROUPS.values() for name in names]
    assert sorted(grouped) == sorted(cli.COMMANDS)


def test_examples_name_commands_that_exist():
    for example in cli.EXAMPLES:
        assert example.split()[:1] == ["rtbci"]
        assert example.split()[1] in cli.COMMANDS


@pytest.mark.parametrize("words", [["--version"], ["probe", "--version"]])
def test_version_may_stand_before_or_after_the_command(words, capsys, probe):
    probe(lambda _args: 1)
    assert cli.main(words) == 0
    assert capsys.readouterr().out == f"rtbci {rtbci.__version__}\n"


def test_no_command_shows_the_help_and_exits_2(capsys):
    assert cli.main([]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "calibrate" in err
    assert err.endswith("rtbci: no command given; expected one of the above\n")


def test_a_mistyped_command_is_told_the_nearest_one(capsys):
    assert cli.main(["relpay", "x.xdf"]) == 2
    assert capsys.readouterr().err == (
        "rtbci: no command 'relpay'; did you mean replay? (rtbci --help lists all)\n"
    )


def test_an_unknown_command_is_told_what_there_is(capsys):
    assert cli.main(["zzzz"]) == 2
    assert "there are info, calibrate" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "FILE is missing"),
        (["a", "b"], "expected nothing after the arguments, found 'b'"),
        (["a", "--sped", "8"], "no option --sped; did you mean --speed?"),
        (["a", "--spee=8"], "no option --spee; did you mean --speed?"),
        (["a", "--speed", "fast"], "--speed: expected a number, found 'fast'"),
        (["a", "--folds", "1.5"], "--folds: expected a whole number, found '1.5'"),
        (["a", "--window", "1"], "--window: expected 2 arguments"),
        (
            ["a", "--mode", "evokd"],
            "--mode: expected one of evoked, oscillation, found 'evokd'; did you mean evoked?",
        ),
    ],
)
def test_wrong_usage_is_one_sentence(words, sentence, capsys, probe):
    def add_arguments(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE")
        parser.add_argument("--speed", type=float)
        parser.add_argument("--folds", type=int)
        parser.add_argument("--window", type=float, nargs=2)
        parser.add_argument("--mode", choices=("evoked", "oscillation"))

    probe(lambda _args: None, add_arguments)
    assert cli.main(["probe", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"rtbci probe: {sentence} (rtbci probe --help shows how)\n"


def test_an_unknown_option_before_the_command_is_one_sentence(capsys):
    assert cli.main(["--debgu", "info"]) == 2
    assert "no option --debgu; did you mean --debug?" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["-0.1", "0.8"], ["-1e-3", "0.8"], ["-.5", "-.25"], ["-1.", "1"], ["-200", "8e2"]]
)
def test_negative_numbers_are_values_not_options(words, probe):
    seen = []

    def add_arguments(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--window", type=float, nargs=2)

    probe(lambda args: seen.extend(args.window), add_arguments)
    assert cli.main(["probe", "--window", *words]) == 0
    assert seen == [float(word) for word in words]


@pytest.mark.parametrize(("returned", "code"), [(None, 0), (0, 0), (4, 4)])
def test_the_exit_code_is_what_the_command_returns(returned, code, probe):
    probe(lambda _args: returned)
    assert cli.main(["probe"]) == code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BadInput("found 250 Hz, expected 500 Hz"), 2),
        (Missing("no screen"), 3),
        (InUse("held by process 12"), 4),
    ],
)
def test_an_expected_error_is_its_sentence_and_exit_code(error, code, capsys, probe):
    probe(raising(error))
    assert cli.main(["probe"]) == code
    assert capsys.readouterr().err == f"rtbci probe: {error}\n"


def test_a_defect_is_one_sentence_without_traceback(capsys, probe):
    probe(raising(KeyError("two\nlines")))
    assert cli.main(["probe"]) == 1
    err = capsys.readouterr().err
    assert err == (
        "rtbci probe: this is a defect in rtbci: KeyError: 'two\\nlines'; "
        "run again with --debug and report it\n"
    )


@pytest.mark.parametrize("words", [["--debug", "probe"], ["probe", "--debug"]])
@pytest.mark.parametrize("error", [BadInput("wrong"), RuntimeError("wrong")])
def test_debug_shows_the_traceback_before_the_sentence(words, error, capsys, probe):
    probe(raising(error))
    assert cli.main(words) == (2 if isinstance(error, BadInput) else 1)
    err = capsys.readouterr().err
    assert err.startswith("Traceback")
    assert err.splitlines()[-1].startswith("rtbci probe: ")


def test_a_command_that_cannot_be_imported_is_a_defect_not_a_traceback(capsys, monkeypatch):
    monkeypatch.setitem(cli.COMMANDS, "probe", ("a probe", "rtbci.commands.not_there"))
    assert cli.main(["probe"]) == 1
    err = capsys.readouterr().err
    assert "not_there" in err
    assert "Traceback" not in err


def test_lack_of_memory_is_said_plainly(capsys, probe):
    probe(raising(MemoryError()))
    assert cli.main(["probe"]) == 1
    assert "not enough memory" in capsys.readouterr().err


def test_what_the_system_refuses_is_not_called_a_defect(capsys, probe):
    probe(raising(PermissionError(13, "Permission denied", "some/file")))
    assert cli.main(["probe"]) == 2
    err = capsys.readouterr().err
    assert "no permission" in err
    assert "some/file" in err
    assert "defect" not in err


def test_ctrl_c_inside_the_process_gives_130(probe):
    probe(raising(KeyboardInterrupt()))
    assert cli.main(["probe"]) == 130


def test_the_handler_of_sigterm_is_put_back(probe):
    before = signal.getsignal(signal.SIGTERM)
    probe(lambda _args: None)
    cli.main(["probe"])
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["int", "term"]
)
def test_a_signal_lets_the_command_tidy_up(number, code, tmp_path):
    tidied = tmp_path / "tidied"
    body = f"""
import pathlib, time
try:
    print("ready", flush=True)
    time.sleep(60)
finally:
    time.sleep(0.3)
    pathlib.Path({str(tidied)!r}).touch()"""
    child = start(body)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.send_signal(number)
        if number == signal.SIGTERM:  # told twice, as a group and its leader are
            time.sleep(0.1)
            child.send_signal(number)
        _, err = child.communicate(timeout=20)
    finally:
        child.kill()
    assert child.returncode == code
    assert err == ("" if number == signal.SIGTERM else "rtbci probe: stopped\n")
    assert tidied.exists()


def test_a_reader_that_leaves_ends_the_command_quietly():
    child = start('while True: print("x" * 1000)')
    assert child.stdout is not None
    assert child.stderr is not None
    child.stdout.readline()
    child.stdout.close()
    err = child.stderr.read()
    child.stderr.close()
    assert child.wait(timeout=20) == 141
    assert err == ""


def test_a_broken_pipe_that_is_not_the_output_is_a_defect():
    _, err = (child := start('raise BrokenPipeError(32, "elsewhere")')).communicate(timeout=20)
    assert child.returncode == 1
    assert "defect" in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("end", ["\\n", ""], ids=["a line", "part of a line"])
def test_a_full_disk_behind_stdout_is_said_plainly(end):
    with open("/dev/full", "w") as full:
        _, err = (child := start(f'print("x", end="{end}")', stdout=full)).communicate(timeout=20)
    assert child.returncode == 2
    assert err == "rtbci probe: the disk is full; free some space or write elsewhere\n"


def test_names_that_the_locale_cannot_show_do_not_end_the_command():
    child = start(
        r'print("Ünï \udcff 研究")', env={**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    )
    out, err = child.communicate(timeout=20)
    assert (child.returncode, err) == (0, "")
    assert out == "\\xdcn\\xef \\udcff \\u7814\\u7a76\n"


def test_a_closed_stdout_does_not_end_the_command():
    code = f"exec {sys.executable!r} -m rtbci --version >&-"
    child = subprocess.run(["sh", "-c", code], capture_output=True, check=False, timeout=20)
    assert (child.returncode, child.stderr) == (0, b"")


def test_blas_gets_one_thread_whatever_the_environment_says():
    body = 'import os; print(os.environ["OMP_NUM_THREADS"], os.environ["OPENBLAS_NUM_THREADS"])'
    clean = {k: v for k, v in os.environ.items() if k not in cli.THREAD_LIMITS}
    out, _ = start(body, env={**clean, "OMP_NUM_THREADS": "3"}).communicate(timeout=20)
    assert out == "1 1\n"


def test_public_names_are_listed_and_unknown_ones_refused():
    assert set(rtbci.__all__) <= set(dir(rtbci))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = rtbci.nothing
