"""Single-line mutants of the live path: which of them do the fast tests kill?

    python -m tests.soak.mutants [--count 200] [--seed 1] [--budget S] [--list]

Each mutant is one changed line of one file in a copy of the tree: a comparison, a constant, + for
-, and for or, ``return None``, or a statement that is gone. The fast tests that import its module,
the nearest first, run until one fails. Every finished mutant is on disk in .soak/ before the next
begins; survivors are listed with file, line and change.
"""

import argparse
import ast
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.soak.mutations import Mutant, mutants
from tests.soak.units import Units

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("rtbci", "calibration", "gui", "sims", "scripts", "tests", "docs", "pyproject.toml",
          "README.md")  # fmt: skip
TARGETS = (
    *(f"rtbci/signal/{name}.py" for name in
      ("timebase", "live_timebase", "windows", "preprocess", "liveness")),
    "rtbci/decoding/pipeline.py", "rtbci/recorder/*.py", "rtbci/engine/*.py",
    "rtbci/session/*.py", "rtbci/statistics/*.py",
)  # fmt: skip
NO_TESTS = ("test_house.py", "test_docs.py", "test_setup.py", "test_mutants.py")  # of behaviour
FARTHEST = 3  # imports between a test and the module
FAST = "not lsl and not slow and not gpu"
SLOWEST_S = 45.0  # tests of a mutant together, in the healthy tree; more are left out
ENOUGH = 0.7  # of it: farther tests are not looked at any more
PATIENCE = 3.0  # times as long as the healthy tree takes, and HANGS_S: the mutant hangs
HANGS_S = 30.0


def imports(root: Path) -> dict[str, set[str]]:
    """Which files of the tree import which, by path; imports inside functions too."""
    files = {path.relative_to(root).as_posix(): path for place in COPIED
             for path in sorted((root / place).rglob("*.py"))}  # fmt: skip
    names = {name.removesuffix(".py").removesuffix("/__init__").replace("/", "."): name
             for name in files}  # fmt: skip
    found = dict[str, set[str]]()
    for name, path in files.items():
        wanted = set[str]()
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                wanted |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                wanted |= {node.module} | {f"{node.module}.{a.name}" for a in node.names}
        found[name] = {names[each] for each in wanted if each in names} - {name}
    return found


def tests_of(target: str, graph: dict[str, set[str]]) -> list[str]:
    """Test files from which imports lead to ``target``, the nearest first."""
    users = dict[str, set[str]]()
    for name, wanted in graph.items():
        for each in wanted:
            users.setdefault(each, set()).add(name)
    seen, edge, found = {target}, {target}, list[str]()
    for _ in range(FARTHEST):
        edge = {user for each in edge for user in users.get(each, ())} - seen
        seen |= edge
        tests = {name for name in edge if Path(name).name.startswith("test_")}
        found += sorted(name for name in tests if Path(name).name not in NO_TESTS)
        edge -= tests
    return found


def run_tests(folder: Path, files: Sequence[str], patience: float) -> tuple[str, float]:
    """ "passed", "failed", "hangs" or "none", and the seconds it took."""
    words = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist",
             "-m", FAST, "--timeout", f"{patience:.0f}", *files]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    began = time.monotonic()
    process = subprocess.Popen(
        words, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        code = process.wait(patience)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return "hangs", time.monotonic() - began
    verdict = {0: "passed", 5: "none"}.get(code, "failed")
    return verdict, time.monotonic() - began


class Bench:
    """A copy of the tree in which mutants are tried, and what its healthy tests take."""

    def __init__(self, folder: Path, units: Units) -> None:
        self.folder, self._units = folder, units
        for place in COPIED:
            source, to = ROOT / place, folder / place
            if source.is_dir():
                shutil.copytree(source, to, ignore=shutil.ignore_patterns("__pycache__"))
            elif source.exists():
                shutil.copy(source, to)
        self._graph = imports(folder)

    def healthy(self, test: str) -> tuple[str, float]:
        """How a test file does without a mutant; measured once."""
        key = f"healthy {test}"
        if key not in self._units.done:
            self._units.add(key, run_tests(self.folder, [test], SLOWEST_S))
        verdict, seconds = self._units.done[key]
        return verdict, seconds

    def tests(self, target: str) -> list[tuple[str, float]]:
        """The test files of a module that pass, and the seconds of each, up to ``SLOWEST_S``."""
        found, total = list[tuple[str, float]](), 0.0
        for test in tests_of(target, self._graph):
            if total > ENOUGH * SLOWEST_S:
                break
            verdict, seconds = self.healthy(test)
            if verdict == "passed" and total + seconds <= SLOWEST_S:
                found.append((test, seconds))
                total += seconds
        return found

    def verdict(self, mutant: Mutant) -> str:
        """Which tests killed a mutant, or that it survived."""
        tests = self.tests(mutant.file)
        if not tests:
            return "survived: no fast test imports it"
        path = self.folder / mutant.file
        healthy = path.read_text("utf-8")
        lines = healthy.split("\n")
        assert lines[mutant.line - 1] == mutant.before
        lines[mutant.line - 1] = mutant.after
        path.write_text("\n".join(lines), "utf-8")
        try:
            limit = PATIENCE * sum(seconds for _, seconds in tests) + HANGS_S
            result, _ = run_tests(self.folder, [test for test, _ in tests], limit)
        finally:
            path.write_text(healthy, "utf-8")
        return f"survived {len(tests)} files" if result == "passed" else f"killed: {result}"


def draw(count: int, seed: int) -> list[Mutant]:
    """Mutants of the live path, drawn without one twice."""
    files = [path for place in TARGETS for path in sorted(ROOT.glob(place))]
    every = [
        mutant
        for path in files
        for mutant in mutants(path.relative_to(ROOT).as_posix(), path.read_text("utf-8"))
    ]
    return random.Random(seed).sample(every, min(count, len(every)))  # fmt: skip


def sources_hash() -> str:
    """Hash of product and tests: another tree has other mutants."""
    digest = hashlib.sha256()
    for place in COPIED:
        for file in sorted((ROOT / place).rglob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def report(
    drawn: Sequence[Mutant], done: dict[str, str], say: Callable[[str], None] = print
) -> None:
    """The figures, and every survivor with its change."""
    verdicts = {mutant: done[mutant.key] for mutant in drawn if mutant.key in done}
    kinds = Counter(m.kind for m in verdicts)
    left = [m for m, verdict in verdicts.items() if verdict.startswith("survived")]
    say(f"{len(verdicts)} of {len(drawn)} mutants tried, {len(verdicts) - len(left)} killed, "
        f"{len(left)} survived")  # fmt: skip
    lost = Counter(m.kind for m in left)
    for kind, n in kinds.most_common():
        say(f"  {kind}: {n - lost[kind]} of {n} killed")
    for m in sorted(left, key=lambda m: (m.file, m.line)):
        say(f"{m.file}:{m.line} {m.kind} ({verdicts[m]})")
        say(f"  - {m.before.strip()}\n  + {m.after.strip()}")


def main(words: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.mutants", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--budget", type=float, default=float("inf"), metavar="S")
    parser.add_argument("--list", action="store_true", help="the result so far, and stop")
    args = parser.parse_args(words)
    drawn = draw(args.count, args.seed)
    store = ROOT / ".soak" / f"mutants-{sources_hash()}.jsonl"
    units = Units(store, time.monotonic() + args.budget)
    if not args.list:
        with tempfile.TemporaryDirectory(prefix="rtbci-mutants-") as name:
            bench = Bench(Path(name), units)
            for number, mutant in enumerate(drawn, start=1):
                if mutant.key in units.done:
                    continue
                if units.late:
                    break
                units.add(mutant.key, bench.verdict(mutant))
                print(f"{number}: {mutant.key}: {units.done[mutant.key]}", flush=True)
    report(drawn, units.done)
    return 0


if __name__ == "__main__":
    sys.exit(main())
