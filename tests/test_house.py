"""The rules of the house, read from the source: imports, fences, and what stays light."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cache
from graphlib import CycleError, TopologicalSorter
from importlib import import_module
from pathlib import Path

import pytest

from rtbci import cli, messages

ROOT = Path(__file__).resolve().parent.parent
FENCES = {  # library -> the only places that import it
    "jinja2": ("rtbci/report/page.py",),
    "PySide6": ("gui/",),
    "pyqtgraph": ("gui/",),
    "pylsl": ("rtbci/lsl/",),
    "torch": ("rtbci/networks/", "rtbci/text/", "calibration/"),
    "sklearn": ("calibration/", "rtbci/statistics/scores.py"),
    "pyriemann": ("calibration/", "rtbci/statistics/scores.py"),
    "mne": ("rtbci/formats/", "rtbci/mne_bridge.py"),
    "mne_realtime": ("rtbci/mne_bridge.py",),
    "mne_lsl": ("rtbci/bench/receivers.py",),
    "mne_bids": ("rtbci/formats/",),
    "braindecode": ("rtbci/networks/",),
    "tokenizers": ("rtbci/text/",),
    "transformers": (),
    "pyxdf": ("rtbci/formats/",),
    "edfio": (),
    "pickle": (),
    "cPickle": (),
    "cloudpickle": (),
    "dill": (),
    "joblib": (),
    "shelve": (),
}
FORBIDDEN_CALLS = {"eval", "exec", "torch.load", "os.system", "os.popen", "pickle.loads"}
FORBIDDEN_KEYWORDS = {"shell": True, "allow_pickle": True}
FORBIDDEN_NAMES = ("utils", "helpers", "manager", "common", "misc")
LONGEST = 400  # lines of one module
LONGEST_COMMAND = 199
PROGRAMS = ("rtbci/cli.py", "sims/demo.py")  # started by a person, beside the commands
FRONTS = {f"{name}/__init__.py" for name in ("rtbci", "calibration", "gui")}  # names only
LIGHT = (  # what every child on the live path loads
    "rtbci/*.py",
    "rtbci/messages/*.py",
    *(
        "rtbci/signal/*.py",
        "rtbci/engine/*.py",
        "rtbci/session/*.py",
        "rtbci/recorder/*.py",
        "rtbci/doctor/*.py",
    ),
    *("rtbci/bench/*.py", "rtbci/decoding/**/*.py", "rtbci/formats/*.py"),
)
NOT_LIGHT = {"rtbci/statistics/scores.py", "rtbci/mne_bridge.py", "rtbci/__main__.py"}
MESSAGE_LIKE = {  # names of variables that hold messages
    *("alarm", "done", "event", "events", "heard", "message", "news"),
    *("order", "orders", "report", "request", "said", "status", "take"),
}
HEAVY = (
    *("scipy", "sklearn", "pyriemann", "mne", "torch", "PySide6", "matplotlib", "pandas"),
    *("transformers", "diffusers", "numba", "rich", "jinja2"),
)

PACKAGES = ["rtbci", "calibration", "gui", "sims"]
MODULES = sorted(path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))
SOURCES = [*MODULES, *sorted((ROOT / "tests").rglob("*.py")), *(ROOT / "scripts").glob("*.py")]


@dataclass(frozen=True)
class Import:
    """One name that a module imports."""

    name: str  # dotted
    line: int
    deferred: bool  # in a function or for type checkers only: not when the module is loaded


@cache
def tree(path: Path) -> ast.Module:
    """The parsed module."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imports(node: ast.AST, deferred: bool = False) -> Iterator[Import]:
    """Every import below ``node``."""
    for child in ast.iter_child_nodes(node):
        inside = deferred or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        inside = inside or (
            isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"
        )
        if isinstance(child, ast.Import):
            yield from (Import(alias.name, child.lineno, deferred) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, f"line {child.lineno}: imports are absolute here"
            yield Import(child.module or "", child.lineno, deferred)
        else:
            yield from imports(child, inside)


def place(path: Path) -> str:
    """The path as the tables above write it."""
    return path.relative_to(ROOT).as_posix()


def calls(path: Path) -> Iterator[ast.Call]:
    """Every call in a module."""
    return (node for node in ast.walk(tree(path)) if isinstance(node, ast.Call))


@cache
def floors() -> dict[str, int]:
    """Floor of each room, a file or a folder that ends with "/", from ``docs/design.md``."""
    table = {}
    for text in (ROOT / "docs" / "design.md").read_text(encoding="utf-8").splitlines():
        row = re.match(r"\| (\d+) \| ([^|]+) \|", text)
        if row and "(planned)" not in row[2]:
            table |= dict.fromkeys(re.findall(r"`([^`]+)`", row[2]), int(row[1]))
    return table


def room(file: str) -> str | None:
    """The room that a file belongs to: the longest entry of the table that fits."""
    folders = (name for name in floors() if name.endswith("/") and file.startswith(name))
    return file if file in floors() else max(folders, key=len, default=None)


def file_of(dotted: str) -> str:
    """The file in which a dotted name of ours is defined: its module, or that of its package."""
    parts = dotted.split(".")
    for end in range(len(parts), 0, -1):
        base = ROOT.joinpath(*parts[:end])
        for path in (base.with_suffix(".py"), base / "__init__.py"):
            if path.exists():
                return place(path)
    raise AssertionError(f"{dotted} is not in the tree")


@cache
def arrows() -> dict[str, set[str]]:
    """The files of ours that each module imports, deferred imports and those for types included."""
    found: dict[str, set[str]] = {}
    for path in MODULES:
        names: list[str] = []
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Import):
                names += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names += [f"{node.module}.{alias.name}" for alias in node.names]
        ours = {file_of(name) for name in names if name.split(".")[0] in PACKAGES}
        found[place(path)] = ours - {place(path)}
    return found


def test_every_file_belongs_to_a_room_of_the_design_page():
    homeless = {place(path) for path in MODULES if room(place(path)) is None} - FRONTS
    assert not homeless, homeless
    empty = [name for name in floors() if not (ROOT / name).exists()]
    assert not empty, f"docs/design.md lists rooms that are not there: {empty}"


def test_a_room_imports_lower_floors_only():
    floor, wrong = floors(), []
    for file, others in arrows().items():
        here = room(file)
        for other in others:
            there = room(other)
            if here and there and there != here and floor[there] >= floor[here]:
                wrong.append(f"{file} (floor {floor[here]}) imports {other} ({floor[there]})")
    assert not wrong, wrong


def test_files_import_each_other_in_one_direction():
    try:
        TopologicalSorter(arrows()).prepare()
    except CycleError as error:
        raise AssertionError(f"a circle of imports: {' < '.join(error.args[1])}") from None


def test_no_two_public_classes_share_a_name():
    where: dict[str, list[str]] = {}
    for path in MODULES:
        for node in tree(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                where.setdefault(node.name, []).append(place(path))
    shared = {name: files for name, files in where.items() if len(files) > 1}
    assert not shared, shared


def test_libraries_stay_behind_their_fences():
    wrong = []
    for path in MODULES:
        for found in imports(tree(path)):
            allowed = FENCES.get(found.name.split(".")[0])
            if allowed is not None and not place(path).startswith(allowed):
                wrong.append(f"{place(path)}:{found.line} imports {found.name}")
    assert not wrong, wrong


def test_nothing_unpickles_evaluates_or_calls_a_shell():
    wrong = []
    for path in SOURCES:
        for call in calls(path):
            if ast.unparse(call.func) in FORBIDDEN_CALLS:
                wrong.append(f"{place(path)}:{call.lineno} calls {ast.unparse(call.func)}")
            for keyword in call.keywords:
                forbidden = FORBIDDEN_KEYWORDS.get(keyword.arg or "")
                if forbidden is not None and not (
                    isinstance(keyword.value, ast.Constant) and keyword.value.value is not forbidden
                ):
                    wrong.append(f"{place(path)}:{call.lineno} passes {keyword.arg}")
    assert not wrong, wrong


def test_no_file_is_named_after_nothing():
    wrong = [place(path) for path in SOURCES if any(name in path.stem for name in FORBIDDEN_NAMES)]
    assert not wrong, wrong


def test_no_module_is_longer_than_a_sitting():
    long = {
        place(path): count
        for path in MODULES
        if (count := len(path.read_text(encoding="utf-8").splitlines())) >= LONGEST
    }
    assert not long, long


def test_every_module_opens_with_a_sentence():
    wrong = [place(path) for path in SOURCES if not (ast.get_docstring(tree(path)) or "").strip()]
    assert not wrong, wrong


def test_the_packages_share_one_folder():
    # an installed package of the same name would silently take the place of ours
    for name in PACKAGES:
        file = import_module(name).__file__
        assert file is not None
        assert Path(file).resolve().parent.parent == ROOT


def test_every_package_of_the_tree_is_in_the_wheel():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == PACKAGES


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_a_command_is_a_module_with_two_functions(name):
    module = import_module(cli.COMMANDS[name][1])
    assert module.__name__ == f"rtbci.commands.{name}"
    assert callable(module.add_arguments)
    assert callable(module.run)


def test_every_module_of_a_command_is_in_the_table():
    modules = {path.stem for path in (ROOT / "rtbci" / "commands").glob("[!_]*.py")}
    assert modules - {"options", "option_types"} == set(cli.COMMANDS)


def test_commands_only_parse_and_print():
    wrong = []
    for path in (ROOT / "rtbci" / "commands").glob("*.py"):
        length = len(path.read_text(encoding="utf-8").splitlines())
        if length > LONGEST_COMMAND:
            wrong.append(f"{place(path)} has {length} lines")
        for found in imports(tree(path)):
            other = found.name.removeprefix("rtbci.commands.")
            if found.name == "rtbci.commands" or (other != found.name and other in cli.COMMANDS):
                wrong.append(f"{place(path)}:{found.line} imports another command, {found.name}")
    assert not wrong, wrong


def test_command_lines_are_known_to_commands_only():
    wrong = [
        f"{place(path)}:{found.line} imports {found.name}"
        for path in MODULES
        if not place(path).startswith("rtbci/commands/") and place(path) not in PROGRAMS
        for found in imports(tree(path))
        if found.name == "argparse" or found.name.startswith("rtbci.commands")
    ]
    assert not wrong, wrong


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_each_command_explains_itself(name, capsys):
    assert cli.main([name, "--help"]) == 0
    out, err = capsys.readouterr()
    assert f"rtbci {name}" in out
    assert err == ""


def message_keys() -> set[str]:
    """Keys of all messages between processes."""
    found = {"event", "do", "box"}
    for cls in vars(messages).values():
        if isinstance(cls, type) and issubclass(cls, messages.Message):
            found |= {each.name for each in fields(cls)}
    return found


def looked_up(node: ast.AST) -> tuple[str, str] | None:
    """Name of the mapping and the key, where a key that is a literal is looked up in one."""
    match node:
        case ast.Subscript(value=where, slice=ast.Constant(value=str(key))):
            pass
        case ast.Call(
            func=ast.Attribute(value=where, attr="get" | "pop"),
            args=[ast.Constant(value=str(key)), *_],
        ):
            pass
        case _:
            return None
    while isinstance(where, ast.Call | ast.Subscript):
        where = where.func if isinstance(where, ast.Call) else where.value
        if isinstance(where, ast.Attribute) and where.attr in ("get", "pop"):
            where = where.value
    name = where.attr if isinstance(where, ast.Attribute) else getattr(where, "id", "")
    return name, key


def keys_of_messages(module: ast.Module) -> Iterator[str]:
    """Places in a module that read a message by its keys, or build one."""
    known = message_keys()
    nodes = (node for node in ast.walk(module) if isinstance(node, ast.expr))
    for node in nodes:
        if (found := looked_up(node)) is not None:
            name, key = found
            if key in ("event", "box") or (name in MESSAGE_LIKE and key in known):
                yield f"{node.lineno} looks up {key!r} in {name}"
        if isinstance(node, ast.Dict):
            keys = {key.value for key in node.keys if isinstance(key, ast.Constant)}
            for key in sorted({"event", "do"} & keys):
                yield f"{node.lineno} builds an object with {key!r}"


def test_keys_of_messages_stand_in_one_place():
    wrong = [
        f"{place(path)}:{each}"
        for path in MODULES
        if not place(path).startswith("rtbci/messages/")
        for each in keys_of_messages(tree(path))
    ]
    assert not wrong, wrong


@pytest.mark.parametrize(
    "code",
    [
        'event.get("event")',
        'self.said.get(("decode", "ready"), {}).get("stream")',
        'session.heard("stream", "end").get("index")',
        'request.values["box"]',
        'orders[0]["do"]',
        'status.get("paused")',
        'print({"event": kind, **fields})',
        'child.tell({"do": "finish"})',
    ],
)
def test_a_key_of_a_message_is_found_wherever_it_stands(code):
    assert list(keys_of_messages(ast.parse(code)))


def test_help_is_instant():
    code = (
        "import sys; sys.argv = ['rtbci', '--help']; from rtbci.cli import main; main(); "
        "print(*sys.modules, file=sys.stderr)"
    )
    loaded = set(run_python(code).stderr.split())
    heavy = {"numpy", "pydantic", "rtbci.commands", *HEAVY}
    assert not loaded & heavy


def test_the_live_path_loads_nothing_heavy():
    names = [
        place(path).removesuffix("/__init__.py").removesuffix(".py").replace("/", ".")
        for pattern in LIGHT
        for path in sorted(ROOT.glob(pattern))
        if place(path) not in NOT_LIGHT
    ]
    code = f"""
import importlib, sys
for name in {names!r}:
    before = set(sys.modules)
    importlib.import_module(name)
    heavy = sorted(set({HEAVY!r}) & (set(sys.modules) - before))
    if heavy:
        print(name, "loads", *heavy)
"""
    assert run_python(code).stdout == ""


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    """Run ``code`` in a fresh interpreter that has loaded nothing of ours."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        check=False,
        encoding="utf-8",
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done
