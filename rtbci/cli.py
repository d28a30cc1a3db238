"""The program ``rtbci``: finds the module of a command, runs it and reports errors.

A command is one module in ``rtbci/commands/``, named after it and imported only when it is used:

    HELP: str                                              longer description (optional)
    add_arguments(parser: argparse.ArgumentParser) -> None
    run(args: argparse.Namespace) -> int | None            exit code, None for 0

Commands raise ``RtbciError`` for problems that the user can solve. Exit codes: 0 done, 1 a defect
in rtbci or not enough memory, 2 bad input or usage, 3 a component is missing, 4 in use, 130 and
143 stopped by a signal, 141 the reader of the output is gone. Tracebacks are shown with
``--debug`` only.
"""

import argparse
import contextlib
import errno
import io
import os
import re
import select
import signal
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from types import FrameType
from typing import NoReturn

from rtbci import __version__
from rtbci.errors import BadInput, RtbciError

COMMANDS = {  # name -> (one line, module)
    "info": ("show what a recording contains, and any problems in it", "rtbci.commands.info"),
    "calibrate": ("train a decoder for one person from recordings", "rtbci.commands.calibrate"),
    "replay": ("decode a recording as if it were live", "rtbci.commands.replay"),
    "record": ("record streams of the lab into a crash-safe file", "rtbci.commands.record"),
    "decode": ("decode a live EEG stream with a person's bundle", "rtbci.commands.decode"),
    "verify": ("check a recording byte by byte", "rtbci.commands.verify"),
    "recover": ("copy the readable part of a damaged recording", "rtbci.commands.recover"),
    "streams": ("list the streams of the lab, and any problems", "rtbci.commands.streams"),
    "doctor": ("check this computer before a participant arrives", "rtbci.commands.doctor"),
    "live": ("record and decode the stream of an amplifier", "rtbci.commands.live"),
    "gui": ("open the window of a running session", "rtbci.commands.gui"),
    "stop": ("end a running session safely", "rtbci.commands.stop"),
    "stream": ("play a recording as an LSL stream, with faults on demand", "rtbci.commands.stream"),
    "pretrain": ("train one network on many people", "rtbci.commands.pretrain"),
    "evaluate": ("test a model on data that it has not seen", "rtbci.commands.evaluate"),
    "simulate": ("simulated participants, on disk or live", "rtbci.commands.simulate"),
    "bench": ("measure how fast this computer decodes", "rtbci.commands.bench"),
}
GROUPS = {  # heading in the help -> its commands
    "work with recordings": ("info", "calibrate", "replay", "verify", "recover"),
    "processes of a session": ("stream", "record", "decode"),
    "prepare a session": ("streams", "doctor"),
    "sessions": ("live", "gui", "stop"),
    "try it without a cap": ("simulate",),
    "train networks": ("pretrain",),
    "measure": ("evaluate", "bench"),
}
EXAMPLES = (
    "rtbci info recording.xdf",
    "rtbci calibrate --subject 02 --from run1.xdf --labels 1=house,2=face",
    "rtbci replay run3.xdf --bundle bundles/sub-02 --speed max",
    "rtbci live --bundle bundles/sub-02",
)
DEBUG_HELP = "show the traceback of an error"
OUTSIDE = {  # errors of the operating system that are not defects of rtbci
    errno.ENOSPC: "the disk is full; free some space or write elsewhere",
    errno.EDQUOT: "the disk quota is used up; free some space or write elsewhere",
    errno.EROFS: "the disk is read-only; write elsewhere",
    errno.EACCES: "no permission; check the owner and mode of the file or folder",
    errno.ENOENT: "there is no such file or folder; check the name",
    errno.ENOTDIR: "a part of the name is a file, not a folder; check the name",
    errno.EPERM: "not permitted; check the owner and mode of the file or folder",
}
THREAD_LIMITS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code; never raises."""
    words = list(sys.argv[1:] if argv is None else argv)
    make_output_safe()
    for variable in THREAD_LIMITS:  # numpy reads them once, when it loads
        os.environ[variable] = "1"
    prog, debug = "rtbci", "--debug" in words
    try:
        with stopped_by_sigterm():
            before, name, after = split(words)
            if name is not None and name in COMMANDS:
                prog = f"rtbci {name}"
            code = dispatch(before, name, after)
            sys.stdout.flush()
    except SystemExit as stop:
        code = exit_code(stop)
    except KeyboardInterrupt:
        tell(f"{prog}: stopped")
        code = 130
    except BaseException as error:  # noqa: BLE001 the one place where errors become messages
        if debug:
            import traceback

            tell(traceback.format_exc().rstrip())
        if isinstance(error, BrokenPipeError) and reader_is_gone():
            code = 141
        else:
            sentence, code = explain(error)
            tell(f"{prog}: {sentence}")
    empty_stdout()
    return code


def split(words: Sequence[str]) -> tuple[list[str], str | None, list[str]]:
    """The words before the command, the command if there is one, and the words after it."""
    for position, word in enumerate(words):
        if not word.startswith("-"):
            return list(words[:position]), word, list(words[position + 1 :])
    return list(words), None, []


def dispatch(before: Sequence[str], name: str | None, after: Sequence[str]) -> int:
    """Parse the words, import the command's module and run it; returns its exit code."""
    general = TopLevel(prog="rtbci", add_help=False)
    general.add_argument("-h", "--help", action="help")
    add_general_options(general)
    given = general.parse(before)
    if name is None:
        tell(general.format_help().rstrip())
        raise BadInput("no command given; expected one of the above")
    if name not in COMMANDS:
        hint = did_you_mean(name, COMMANDS) or f"; there are {', '.join(COMMANDS)}"
        raise BadInput(f"no command {name!r}{hint} (rtbci --help lists all)")

    summary, where = COMMANDS[name]
    module = import_module(where)
    parser = Parser(
        prog=f"rtbci {name}",
        description=getattr(module, "HELP", f"{summary}."),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.add_arguments(parser)
    add_general_options(parser.add_argument_group("general options"))
    args = parser.parse(after)
    args.command, args.debug = name, args.debug or given.debug
    return module.run(args) or 0


class Parser(argparse.ArgumentParser):
    """``ArgumentParser`` that raises ``BadInput`` with a sentence: found, expected, next step."""

    def __init__(self, **options) -> None:
        super().__init__(allow_abbrev=False, **options)
        # With its own pattern argparse takes -1e-3 for an option; 3.11 to 3.13 also -1. and -1_000.
        self._negative_number_matcher = re.compile(r"-(\d[\d_]*\.?\d*|\.\d+)([eE][+-]?\d+)?$")

    def parse(self, words: Sequence[str]) -> argparse.Namespace:
        """Parsed words, as from ``parse_args``; suggests a name for an unknown option."""
        args, unknown = self.parse_known_intermixed_args(words)
        if unknown:
            self.refuse(unknown)
        return args

    def refuse(self, unknown: Sequence[str]) -> NoReturn:
        """Raise ``BadInput`` about unknown words."""
        options = [word for word in unknown if word.startswith("-")]
        if not options:
            self.error(f"expected nothing after the arguments, found {' '.join(unknown)!r}")
        option = options[0].partition("=")[0]
        known = re.findall(r"(?<![\w-])--?[a-z][\w-]*", self.format_help())
        self.error(f"no option {option}{did_you_mean(option, known)}")

    def error(self, message: str) -> NoReturn:
        """Raise ``BadInput`` with argparse's message as one sentence."""
        raise BadInput(f"{plain(message)} ({self.prog} --help shows how)")


class TopLevel(Parser):
    """Parser of ``rtbci`` itself, whose help is the table of commands."""

    def format_help(self) -> str:
        """Help text: commands in groups, general options, examples; at most 80 columns."""
        bold, off = ("\033[1m", "\033[0m") if wants_colour() else ("", "")
        lines = [
            f"{bold}rtbci{off} {__version__}: a real-time brain-computer interface",
            "",
            f"{bold}usage:{off} rtbci COMMAND [options]     rtbci COMMAND --help",
        ]
        for heading, names in GROUPS.items():
            lines += ["", f"{bold}{heading}{off}"]
            lines += [f"  {bold}{name:<12}{off}{COMMANDS[name][0]}" for name in names]
        lines += [
            "",
            f"{bold}options{off}",
            f"  {'--debug':<12}{DEBUG_HELP}",
            f"  {'--version':<12}show the version",
            f"  {'-h, --help':<12}show this help, or that of a command",
            "",
            f"{bold}examples{off}",
            *(f"  {example}" for example in EXAMPLES),
            "",
        ]
        return "\n".join(lines)


def add_general_options(parser: argparse._ActionsContainer) -> None:
    """Add the options that can be given before or after the command."""
    parser.add_argument("--debug", action="store_true", help=DEBUG_HELP)
    parser.add_argument(
        "--version", action="version", version=f"rtbci {__version__}", help="show the version"
    )


def plain(message: str) -> str:
    """An argparse message in the wording of the other errors."""
    message = re.sub(r"^argument (?=\S)", "", message)
    message = re.sub(r"^the following arguments are required: (.*)", r"\1 is missing", message)
    message = re.sub(r"invalid float value: (.*)", r"expected a number, found \1", message)
    message = re.sub(r"invalid int value: (.*)", r"expected a whole number, found \1", message)
    choice = re.search(r"invalid choice: '?(.*?)'? \(choose from (.*)\)", message)
    if choice:
        choices = re.findall(r"[^\s,']+", choice[2])
        hint = did_you_mean(choice[1], choices)
        expected = f"expected one of {', '.join(choices)}, found {choice[1]!r}{hint}"
        message = message[: choice.start()] + expected
    return message


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``; did you mean X?`` if a known word is similar, else ''."""
    import difflib

    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def explain(error: BaseException) -> tuple[str, int]:
    """Message for an exception, and the exit code."""
    if isinstance(error, RtbciError):
        return str(error), error.exit_code
    if isinstance(error, MemoryError):
        return "not enough memory; close other programs, or take a shorter recording", 1
    if isinstance(error, OSError) and error.errno in OUTSIDE:
        where = f": {error.filename}" if error.filename else ""
        return f"{OUTSIDE[error.errno]}{where}", 2
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return f"this is a defect in rtbci: {text}; run again with --debug and report it", 1


def exit_code(stop: SystemExit) -> int:
    """Exit code of a ``SystemExit``, which may also carry None or a message."""
    if stop.code is None or isinstance(stop.code, int):
        return stop.code or 0
    tell(str(stop.code))
    return 1


@contextlib.contextmanager
def stopped_by_sigterm() -> Iterator[None]:
    """Context in which SIGTERM raises ``SystemExit`` (143), so that files are closed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, _frame: FrameType | None) -> NoReturn:
        # A process group often gets the signal twice; the second must not interrupt the cleanup.
        signal.signal(number, lambda *_: None)
        raise SystemExit(128 + number)

    previous = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def make_output_safe() -> None:
    """Make stdout and stderr line-buffered and tolerant of characters the locale cannot show."""
    # A stream is None if the shell closed it (>&-). The replacement stays open until the exit.
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace", line_buffering=True)


def reader_is_gone() -> bool:
    """Whether stdout is a pipe whose reader is gone."""
    if not hasattr(select, "poll"):
        return True
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)  # errors are always reported
    return any(events & (select.POLLERR | select.POLLHUP) for _, events in poll.poll(0))


def empty_stdout() -> None:
    """Flush stdout at the end; output that fails is dropped, or Python reports it at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def tell(sentence: str) -> None:
    """Print one line on stderr; errors are ignored."""
    with contextlib.suppress(OSError):
        print(sentence, file=sys.stderr, flush=True)


def wants_colour() -> bool:
    """Whether stdout is a terminal with colours, and NO_COLOR is not set."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return sys.stdout.isatty()
