"""What the recorder wrote, every reader must count alike: verify, info, recover and pyxdf.

Each case is a file of random streams (``round_trip_cases``). A healthy stream must come back with
all its samples, values and stamps unchanged. Failures are sorted into kinds: the reader and what
it said, without names and numbers.
"""

import contextlib
import io
import json
import logging
import re
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyxdf

from rtbci.cli import main as rtbci
from tests.soak.round_trip_cases import Case, Stream, draw
from tests.soak.round_trip_files import LATIN_1, write
from tests.soak.round_trip_minimal import MINIMAL
from tests.soak.units import Result, Units

CASES, BATCH = 10_000, 250
BOUND = "every reader finds all samples, values and stamps of every healthy stream"
NO_TIME_BASE = (  # stamps from which no rate can be told: info may refuse the stream itself
    "stamps far away", "one stamp far away", "no stamps (all zero)", "stamps that stand still",
    "one stamp NaN", "all stamps NaN", "one stamp infinite", "stamps that run backwards",
)  # fmt: skip
FEWEST_ROWS = 8  # for a time base
MOST_ASKED = 2  # streams of a file, of info
FOR_PEOPLE = 8  # one file in so many is also shown as a table

Kinds = dict[str, str]  # kind of failure -> what was said


def failures(case: Case, folder: Path) -> Kinds:
    """What goes wrong with a case, by kind."""
    path, copy = folder / "a.xdf", folder / "copy.xdf"
    for each in (path, copy):
        each.unlink(missing_ok=True)
    found: Kinds = {}
    try:
        streams, refused = write(case, path)
    except Exception as error:  # noqa: BLE001 the writer's error is what is looked for
        return {kind("write", f"{type(error).__name__}: {error}", folder): str(error)}
    for sentence in refused:
        found[kind("record refuses a stream", sentence, folder)] = sentence
    if not streams:
        return found
    with _quiet():
        for_people = case.seed % FOR_PEOPLE == 0
        _by_verify(streams, path, found, folder, "verify", for_people)
        _by_recover(streams, path, copy, found, folder)
        _by_pyxdf(streams, path, found, folder, "pyxdf")
        _by_info(streams, path, found, folder, for_people)
    return found


def kind(reader: str, sentence: str, folder: Path | None = None) -> str:
    """A failure without names and numbers."""
    text = sentence.replace(f"{folder}/", "") if folder else sentence
    text = re.sub(r"stream .* holds no", "stream '...' holds no", text, flags=re.DOTALL)
    text = re.sub(r"(?<!\w)(['\"]).*?\1(?!\w)", "'...'", text, flags=re.DOTALL)
    text = re.sub(r"[-+]?\d+(\.\d+)?(e[-+]?\d+)?", "N", text)
    return " ".join(f"{reader}: {text}".split())[:140]


def command(*words: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of ``rtbci`` in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = rtbci(words)
    return code, out.getvalue(), err.getvalue().strip()


def _by_verify(
    streams: list[Stream],
    path: Path,
    found: Kinds,
    folder: Path,
    reader: str,
    for_people: bool = False,
) -> None:
    code, out, err = command("verify", str(path), "--json")
    if code or not out:
        said = err or "; ".join(json.loads(out)["recordings"][0]["parts"][0]["problems"])
        found[kind(reader, f"exit code {code}, {said}", folder)] = said
        if not out:
            return
    (report,) = json.loads(out, parse_constant=str)["recordings"][0]["parts"]
    samples = {each["number"]: each["samples"] for each in report["streams"]}
    for number, stream in enumerate(streams, start=1):
        if samples.get(number) != len(stream.stamps):
            said = f"{samples.get(number, 'no')} of {len(stream.stamps)} samples"
            found[f"{reader}: another count of samples"] = said
    code, _, err = command("verify", str(path)) if for_people else (0, "", "")
    if code and not any(each.startswith(reader) for each in found):
        found[kind("verify, for people", f"exit code {code}, {err}", folder)] = err


def _by_recover(streams: list[Stream], path: Path, copy: Path, found: Kinds, folder: Path) -> None:
    code, out, err = command("recover", str(path), "--json")
    if code:
        found[kind("recover", f"exit code {code}, {err}", folder)] = err
    elif json.loads(out)["written"] is not None:
        found["recover: a whole file is copied as if it were damaged"] = out
        Path(json.loads(out)["written"]).unlink()
    code, _, err = command("recover", str(path), "--out", str(copy))
    if code:
        found[kind("recover --out", f"exit code {code}, {err}", folder)] = err
        return
    _by_verify(streams, copy, found, folder, "verify of the recovered copy")
    _by_pyxdf(streams, copy, found, folder, "pyxdf of the recovered copy")


def _by_pyxdf(streams: list[Stream], path: Path, found: Kinds, folder: Path, reader: str) -> None:
    raw = _load(path, found, folder, reader, synchronize_clocks=False)
    if raw is None:
        return
    for number, stream in enumerate(streams, start=1):
        if number not in raw:
            found[f"{reader}: a stream is absent"] = stream.name
            continue
        stamps, values = raw[number]
        if len(stamps) != len(stream.stamps):
            said = f"{len(stamps)} of {len(stream.stamps)} samples"
            found[f"{reader}: another count of samples"] = said
        elif not np.array_equal(stamps, stream.stamps, equal_nan=True):
            found[f"{reader}: other stamps"] = stream.name
        elif not _same(stream, values):
            found[f"{reader}: other values"] = stream.name
    if reader == "pyxdf" and not any(each.startswith(reader) for each in found):
        moved = _load(path, found, folder, f"{reader} with clocks", synchronize_clocks=True)
        if moved is not None and any(
            len(moved[number][0]) != len(stream.stamps)
            for number, stream in enumerate(streams, start=1)
        ):
            found[f"{reader} with clocks: another count of samples"] = ""


def _load(
    path: Path, found: Kinds, folder: Path, reader: str, **options: bool
) -> dict[int, tuple[np.ndarray, Any]] | None:
    try:
        streams, _ = pyxdf.load_xdf(str(path), dejitter_timestamps=False, **options)
    except Exception as error:  # noqa: BLE001 pyxdf raises whatever its parsing meets
        said = f"{type(error).__name__}: {error}"
        found[kind(reader, said, folder)] = said
        return None
    return {s["info"]["stream_id"]: (s["time_stamps"], s["time_series"]) for s in streams}


def _same(stream: Stream, values: Any) -> bool:
    """Whether values are those of the stream; text as UTF-8 can hold it."""
    if stream.format == "string":
        return [list(row) for row in values] == [
            [_decoded(t) for t in row] for row in stream.values
        ]
    if not len(stream.stamps):
        return len(values) == 0
    return np.array_equal(values, stream.values, equal_nan=stream.values.dtype.kind == "f")


def _decoded(text: str) -> str:
    """A marker as a reader of UTF-8 gets it."""
    data = text.encode("utf-8", "replace")
    for ours, theirs in LATIN_1.items():
        data = data.replace(ours, theirs)
    return data.decode("utf-8", "replace")


def _by_info(
    streams: list[Stream], path: Path, found: Kinds, folder: Path, for_people: bool
) -> None:
    code, out, _ = command("verify", str(path), "--json")
    if not out:
        return
    (report,) = json.loads(out, parse_constant=str)["recordings"][0]["parts"]
    names = [each["name"] for each in report["streams"]]
    for stream, name in list(zip(streams, names, strict=False))[:MOST_ASKED]:
        if not stream.is_signal or len(stream.stamps) < FEWEST_ROWS or names.count(name) > 1:
            continue
        words = ("info", str(path), f"--stream={name}", "--unit=uV")
        code, out, err = command(*words, "--json")
        if code == 2 and set(stream.odd) & set(NO_TIME_BASE) and "defect" not in err:
            continue
        if code:
            found[kind("info", f"exit code {code}, {err}", folder)] = err
            continue
        about = json.loads(out)
        if about["rows"] + about["lead_in"] != len(stream.stamps):
            found["info: another count of samples"] = f"{about['rows']} of {len(stream.stamps)}"
        code, _, err = command(*words) if for_people else (0, "", "")
        if code:
            found[kind("info, for people", f"exit code {code}, {err}", folder)] = err


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what numpy and pyxdf warn of in damaged numbers; a command must not rely on it."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A folder, in memory where there is such a file system: 40,000 files are synced."""
    memory = Path("/dev/shm")
    place = str(memory) if memory.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="rtbci-soak-", dir=place) as name:
        yield Path(name)


def batch(first: int, ordinary: bool = False, count: int = BATCH) -> dict[str, Any]:
    """How often each kind of failure was met, and its first seed."""
    silence_pyxdf()
    counts, seeds, samples = dict[str, int](), dict[str, int](), 0
    with scratch() as folder:
        for seed in range(first, first + count):
            case = draw(seed, ordinary)
            samples += sum(len(stream.stamps) for stream in case.streams)
            for each in failures(case, folder):
                counts[each] = counts.get(each, 0) + 1
                seeds.setdefault(each, seed)
    return {"counts": counts, "seeds": seeds, "samples": samples}


def minimal() -> dict[str, str]:
    """Name of each small case that fails today, and how."""
    silence_pyxdf()
    found = dict[str, str]()
    with scratch() as folder:
        for name, make in MINIMAL.items():
            if kinds := failures(make(), folder):
                found[name] = "; ".join(kinds)
    return found


def silence_pyxdf() -> None:
    """It logs what it repairs in every file."""
    logging.getLogger("pyxdf").disabled = True


def check(units: Units) -> Result:
    """Ten thousand random files."""
    firsts = range(0, CASES, BATCH)
    whole = units.in_processes("round trip", batch, firsts)
    parts = [units.done[f"round trip/{first}"] for first in firsts
             if f"round trip/{first}" in units.done]  # fmt: skip
    counts, seeds = dict[str, int](), dict[str, int]()
    for part in parts:
        for each, n in part["counts"].items():
            counts[each] = counts.get(each, 0) + n
            seeds.setdefault(each, part["seeds"][each])
    said = f"{len(parts) * BATCH} files, {sum(part['samples'] for part in parts)} samples, "
    said += f"{len(counts)} kinds of failure"
    said += "".join(
        f"; {each} ({n} files, e.g. seed {seeds[each]})"
        for each, n in sorted(counts.items(), key=lambda pair: -pair[1])
    )
    if "round trip minimal/0" not in units.done:
        units.add("round trip minimal/0", minimal())
    small = units.done["round trip minimal/0"]
    said += f"; {len(small)} of {len(MINIMAL)} smallest cases fail: {', '.join(small) or 'none'}"
    return Result(said, BOUND, False if counts or small else True if whole else None)


CHECKS = {"round trip": check}
