"""What must be shown by length or repetition: one line a check, with figure and bound.

    python -m tests.soak [--list] [--only NAME] [--fresh]

Every finished unit of a check is on disk in .soak/, under the hash of the sources, before the
next begins: a soak that was killed or ran out of time goes on where it was. Exit code 1 where a
check failed or is not finished.
"""

import argparse
import hashlib
import logging
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from tests.soak import (
    deep,
    fault_loop,
    fuzz,
    live,
    memory,
    round_trip,
    storm,
    two_computers,
    window,
)
from tests.soak.units import Result, Units, tell

ROOT = Path(__file__).resolve().parents[2]
STORE = ROOT / ".soak"
BUDGET_S = 3600.0  # for all checks together
SOURCES = ("rtbci", "calibration", "gui", "sims", "pyproject.toml", "tests/soak", "tests/support",
           "tests/live")  # fmt: skip

MUTATIONS, BATCH = 1000, 100  # of each format; files in a unit


def fuzzing(kind: str, units: Units) -> Result:
    """Damaged files of one format are loaded or refused in a sentence."""
    batches = range(0, MUTATIONS, BATCH)
    todo = [first for first in batches if f"fuzz {kind}/{first}" not in units.done]
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        reader = None
        for first in todo:
            if units.late:
                break
            reader = reader or stack.enter_context(fuzz.Reader(Path(name)))
            counts, failures, slowest, most = Counter[str](), dict[str, str](), 0.0, 0.0
            seeds = range(first, first + BATCH)
            for seed, outcome, files in fuzz.hunt(reader, kind, seeds, Path(name)):
                counts[outcome.kind] += 1
                slowest, most = max(slowest, outcome.seconds), max(most, outcome.megabytes)
                if not outcome.fine:
                    failures[str(seed)] = outcome.said
                    fuzz.keep(kind, seed, files, outcome)
            part = {"counts": counts, "failures": failures, "slowest": slowest, "most": most}
            units.add(f"fuzz {kind}/{first}", part)
    parts = [units.done[f"fuzz {kind}/{first}"] for first in batches
             if f"fuzz {kind}/{first}" in units.done]  # fmt: skip
    counts = sum((Counter(part["counts"]) for part in parts), Counter[str]())
    failures = [seed for part in parts for seed in part["failures"]]
    said = ", ".join(f"{n} {what}" for what, n in sorted(counts.items()))
    said += f"; slowest {max((part['slowest'] for part in parts), default=0):.2f} s"
    said += f", most {max((part['most'] for part in parts), default=0):.0f} MB"
    if failures:
        said += f"; seeds {', '.join(failures[:10])} lie in {fuzz.KEPT.name}/"
    whole = len(parts) == len(batches)
    return Result(said, "only loaded or refused", False if failures else True if whole else None)


CHECKS: dict[str, Callable[[Units], Result]] = {
    **{f"fuzz {kind}": partial(fuzzing, kind) for kind in fuzz.SEEDS},
    **round_trip.CHECKS,
    **fault_loop.CHECKS,
    **deep.CHECKS,
    **live.CHECKS,
    **memory.CHECKS,
    **storm.CHECKS,
    **two_computers.CHECKS,
    "window": window.window,
}


def sources_hash() -> str:
    """Hash of every source file that a check may depend on."""
    digest = hashlib.sha256()
    for place in SOURCES:
        path = ROOT / place
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            content = file.read_bytes()
            name = file.relative_to(ROOT).as_posix()
            digest.update(f"{name} {len(content)} ".encode() + content)
    return digest.hexdigest()[:16]


def run(names: Sequence[str], units: Units) -> int:
    """Run every check and print one line each and a summary; returns the exit code."""
    verdicts = Counter[str]()
    width = max(map(len, names), default=0)
    for name in names:
        began = time.monotonic()
        result = CHECKS[name](units)
        verdicts[result.word] += 1
        tell("")
        said = f"{result.word}: {result.figure} (bound: {result.bound})"
        print(f"{name:<{width}}  {said} [{time.monotonic() - began:.0f} s]", flush=True)
    print(f"{len(names)} checks: {', '.join(f'{n} {word}' for word, n in verdicts.items())}")
    if verdicts["not finished"]:
        print("the time is used up; the same command goes on from here")
    return 0 if set(verdicts) <= {"ok", "skipped"} else 1


def main(words: Sequence[str] | None = None, store: Path = STORE) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--list", action="store_true", help="name the checks and stop")
    parser.add_argument("--only", choices=list(CHECKS), metavar="NAME", help="one check")
    parser.add_argument("--fresh", action="store_true", help="forget what is done")
    parser.add_argument(
        "--budget", type=float, default=BUDGET_S, metavar="S", help=f"seconds [{BUDGET_S:g}]"
    )
    args = parser.parse_args(words)
    logging.getLogger("pyxdf").setLevel(logging.CRITICAL)  # a thousand damaged files
    if args.list:
        print("\n".join(CHECKS))
        return 0
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = "1"  # the processes share the cores already
    logging.getLogger("pyxdf").disabled = True  # it says of every torn file that it is torn
    path = store / f"{sources_hash()}.jsonl"
    if args.fresh:
        path.unlink(missing_ok=True)
    units = Units(path, time.monotonic() + args.budget)
    names = [args.only] if args.only else list(CHECKS)
    print(f"budget {args.budget:g} s, {len(units.done)} units done before, {path.name}", flush=True)
    try:
        return run(names, units)
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here")
        return 130
