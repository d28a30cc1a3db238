"""Damaged and hostile files, each read in a process of its own: loaded, or refused in a sentence.

    python -m tests.soak.fuzz FORMAT [COUNT] [FIRST SEED]      mutate and read; failures stay in
    .fuzz/ python -m tests.soak.fuzz --serve                          the process in which files are
    read

``Reader`` talks to one long-lived server that has the libraries loaded; it forks for every file.
The fork may use 2 GB, has 5 s, and every file that it opens to write, removes or renames, every
process that it starts and every pickle that it opens is a failure.
"""

import contextlib
import json
import os
import re
import resource
import select
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
MEMORY = 2 * 2**30  # bytes of address space
PATIENCE_S = 5.0  # for one file
LONGEST_SENTENCE = 1500  # characters
KEPT = ROOT / ".fuzz"  # failures, one folder each
FORBIDDEN_EVENTS = (
    *("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.remove"),
    *("os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod"),
    *("shutil.rmtree", "shutil.move", "socket.connect", "socket.bind", "pickle.find_class"),
    *("urllib.Request", "ctypes.dlopen"),
)

Files = dict[str, bytes]  # name, which may hold folders, to content


@dataclass(frozen=True)
class Outcome:
    """What became of one file."""

    kind: str  # "loaded" or "refused" are fine; all else is a defect
    said: str = ""
    seconds: float = 0.0
    megabytes: float = 0.0  # most memory used, the libraries included

    @property
    def fine(self) -> bool:
        """Whether a person would have been told, and nothing else happened."""
        return self.kind in ("loaded", "refused")


class Reader:
    """A server process with the libraries loaded; ``read`` gives the outcome of one file."""

    def __init__(self, folder: Path) -> None:
        environment = os.environ | {
            "PYTHONDONTWRITEBYTECODE": "1",
            "HOME": str(folder),
            "OPENBLAS_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
        }
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.soak.fuzz", "--serve"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def read(self, kind: str, path: Path, patience: float = PATIENCE_S) -> Outcome:
        """``kind`` is "bundle", or anything that ``rtbci.formats.read`` takes."""
        server = self._server
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(json.dumps([kind, str(path), patience]).encode() + b"\n")
        server.stdin.flush()
        answer = server.stdout.readline()
        assert answer, "the server of the fuzz test has died"
        return Outcome(*json.loads(answer))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.close()
        self._server.wait(PATIENCE_S)
        self._server.stdout.close()


def serve() -> None:
    """Answer one line of JSON per line of JSON, until there are no more."""
    answers = os.dup(1)
    os.dup2(2, 1)  # what a library prints must not mix with the answers
    for name in ("rtbci.formats.npy", "rtbci.formats.muse", "rtbci.formats.xdf",
                 "rtbci.decoding.bundle", "rtbci.formats.mne_files", "rtbci.decoding.pipeline",
                 "scipy.io", "pyxdf", "safetensors",
                 "mne.io", "mne.epochs", "mne.io.eeglab", "mne.io.brainvision", "mne.io.edf",
                 "safetensors.numpy"):  # fmt: skip
        __import__(name)
    warm_up()
    for line in sys.stdin:
        answer = json.dumps(list(in_a_fork(*json.loads(line))), ensure_ascii=True)
        os.write(answers, answer.encode() + b"\n")


def warm_up() -> None:
    """Read one good file of each format, so that nothing is imported in the forks."""
    with tempfile.TemporaryDirectory() as name:
        for kind, make in SEEDS.items():
            files, entry = make()
            where = write(files, Path(name) / kind)
            with contextlib.suppress(Exception):  # the tests say so in better words
                read_and_check(kind, where / entry)


def in_a_fork(kind: str, path: str, patience: float) -> tuple[str, str, float, float]:
    """Fork, read, wait; the outcome of it as in ``Outcome``."""
    heard, told = os.pipe()
    began = time.monotonic()
    with tempfile.TemporaryFile() as printed:
        child = os.fork()
        if child == 0:
            os.close(heard)
            os.dup2(printed.fileno(), 1)
            os.dup2(printed.fileno(), 2)
            answer = json.dumps(outcome_of(kind, path)).encode()
            sys.stdout.flush()
            sys.stderr.flush()
            os.write(told, answer)
            os._exit(0)
        os.close(told)
        said, hung = b"", False
        while True:
            left = began + patience - time.monotonic()
            if not select.select([heard], [], [], max(0.0, left))[0]:
                hung = True
                os.kill(child, signal.SIGKILL)
                break
            piece = os.read(heard, 65536)
            if not piece:
                break
            said += piece
        os.close(heard)
        _, status, usage = os.wait4(child, 0)
        printed.seek(0)
        noise = printed.read(2000).decode("utf-8", "replace").strip()
    figures = round(time.monotonic() - began, 4), round(usage.ru_maxrss / 1024, 1)
    if hung:
        return "HANG", f"not done after {patience:g} s", *figures
    if os.WIFSIGNALED(status):
        return "CRASH", f"signal {os.WTERMSIG(status)}; {noise[-300:]}", *figures
    if not said:
        return "CRASH", f"exit status {status}; {noise[-300:]}", *figures
    found, text = json.loads(said)
    if noise and found in ("loaded", "refused"):
        return "NOISE", noise[:500], *figures
    return found, text, *figures


def outcome_of(kind: str, path: str) -> tuple[str, str]:
    """In the fork: read ``path`` and say how it went."""
    from rtbci.errors import RtbciError

    events: list[str] = []
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.chdir(Path(path).parent if Path(path).parent.is_dir() else "/")
    sys.addaudithook(lambda event, args: note_event(event, args, events))
    try:
        wrong = read_and_check(kind, Path(path))
        found = ("INCONSISTENT", "; ".join(wrong)) if wrong else ("loaded", "")
    except RtbciError as error:
        text = str(error)
        good = text.isprintable() and 0 < len(text) <= LONGEST_SENTENCE
        found = ("refused", text) if good else ("UGLY", text[:3000])
    except BaseException as error:  # noqa: BLE001 that is what we look for
        frames = [
            f"{Path(frame.filename).name}:{frame.lineno}"
            for frame in traceback.extract_tb(error.__traceback__)
        ]
        found = ("TRACEBACK", f"{type(error).__name__}: {error} [{' '.join(frames[-6:])}]"[:2000])
    return ("FORBIDDEN", "; ".join(events)[:2000]) if events else found


def note_event(event: str, args: tuple[object, ...], events: list[str]) -> None:
    """Keep what no reader may do."""
    if event == "open":
        _, mode, flags = (*args, None, None, None)[:3]
        writes = isinstance(mode, str) and set(mode) & set("wax+")
        if isinstance(flags, int):
            writes = writes or flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        if not writes or args[0] == os.devnull:
            return
    elif not event.startswith(FORBIDDEN_EVENTS):
        return
    events.append(f"{event} {args}"[:300])


def read_and_check(kind: str, path: Path) -> list[str]:
    """Read ``path`` as the commands do; what is wrong with the value that came out."""
    if kind == "bundle":
        return bundle_faults(path)
    if kind in MISBEHAVIOUR:
        misbehave(kind, path)
        return []
    from rtbci.formats import read

    return recording_faults(read(path))


MISBEHAVIOUR = {  # what a bad reader might do, and the outcome that it must get
    "hang": "HANG", "crash": "CRASH", "print": "NOISE", "raise": "TRACEBACK",
    "exit": "TRACEBACK", "swallow memory": "TRACEBACK", "write": "FORBIDDEN",
    "run a command": "FORBIDDEN", "say two lines": "UGLY", "behave": "loaded",
}  # fmt: skip


def misbehave(kind: str, path: Path) -> None:
    """Do it; this tests the test."""
    from rtbci.errors import BadInput

    match kind:
        case "hang":
            time.sleep(60)
        case "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "print":
            print("a warning nobody asked for")
        case "raise":
            raise KeyError("x")
        case "exit":
            sys.exit(0)
        case "swallow memory":
            bytearray(2 * MEMORY)
        case "write":
            (path.parent / "trace").write_text("x", encoding="utf-8")
        case "run a command":
            subprocess.run(["true"], check=False)
        case "say two lines":
            raise BadInput("one\ntwo")


def recording_faults(recording) -> list[str]:
    """What contradicts itself in a ``Recording``."""
    from rtbci.types import Chunk, Gap

    x, info, faults = recording.signal, recording.info, list[str]()

    def check(good: object, fault: str) -> None:
        if not good:
            faults.append(fault)

    check(x.dtype == np.float32 and x.ndim == 2 and x.size, f"signal {x.dtype} {x.shape}")
    check(x.flags.c_contiguous, "signal is not C-contiguous")
    check(x.shape[1] == len(info.channels) == len(info.types), "channels and columns differ")
    check(len(set(info.channels)) == len(info.channels), "channel names appear twice")
    check(0 < info.rate <= 50_000, f"rate {info.rate}")
    texts = [info.name, *info.channels, *info.types, *recording.provenance.notes]
    texts += [marker.label for marker in recording.markers]
    texts += [gap.reason for gap in recording.gaps]
    odd = [text for text in texts if not text.isprintable() or len(text) > 1500]
    check(not odd, f"texts that cannot be shown: {odd[:2]}")
    check(all(info.channels) and all(m.label for m in recording.markers), "an empty name")
    check(re.fullmatch("[0-9a-f]{64}", recording.provenance.sha256), "no hash")
    for value in (recording.effective_rate, recording.t0, recording.duration):
        check(value is None or np.isfinite(value), f"a figure is {value}")
    check(recording.effective_rate is None or recording.effective_rate > 0, "rate by stamps <= 0")
    rows, head = 0, 0
    for item in recording.items(997):
        if isinstance(item, Chunk):
            check(item.index == head, f"chunk at {item.index}, expected {head}")
            rows, head = rows + len(item.x), item.index + len(item.x)
        elif isinstance(item, Gap):
            check(item.missing >= 0 and item.index == head, f"gap {item} at {head}")
            head = item.index + item.missing
        else:
            check(isinstance(item.index, int), f"marker at {item.index!r}")
    check(rows == len(x), f"{rows} of {len(x)} rows came out")
    return faults[:10]


def bundle_faults(path: Path) -> list[str]:
    """Whether a bundle that loads can decode ten seconds."""
    from rtbci.decoding.bundle import load_bundle
    from rtbci.decoding.pipeline import Pipeline
    from rtbci.types import Chunk, Marker

    bundle = load_bundle(path)
    rate, n = bundle.recipe.rate, len(bundle.recipe.channels)
    size = min(round(10 * rate), 10_000)
    x = np.random.default_rng(0).normal(0, 10, (size, n)).astype(np.float32)
    pipeline = Pipeline(bundle)
    label = next(iter(bundle.labels), "none")
    items = [Marker(size // 2, label), Chunk(0, x)]
    decisions = pipeline.run(items)
    faults = []
    if len(decisions) != (1 if bundle.labels else 0):
        faults.append(f"{len(decisions)} decisions for one event")
    for each in decisions:
        total = sum(each.probabilities.values())
        if each.rejected is None and not (np.isfinite(total) and abs(total - 1) < 1e-6):
            faults.append(f"probabilities add up to {total}")
    return faults


def signal_of(n: int, channels: int) -> np.ndarray:
    """(n, channels) noise that looks like EEG in microvolts."""
    return np.random.default_rng(3).normal(0, 20, (n, channels)).cumsum(axis=0) * 0.1


def npy_seed() -> tuple[Files, str]:
    """Continuous signal; the rate stands in the name."""
    return {"a_250Hz.npy": npy(signal_of(600, 4).astype("<f4"))}, "a_250Hz.npy"


def npy(x: np.ndarray) -> bytes:
    """``x`` as a file."""
    with tempfile.TemporaryFile() as file:
        np.save(file, x)
        file.seek(0)
        return file.read()


def sidecar_seed() -> tuple[Files, str]:
    """Epochs with a sidecar that says everything."""
    side = {
        "rate": 250, "channels": ["C3", "Cz", "C4"], "unit": "uV", "axes": "epoch,time,channel",
        "types": ["EEG", "EEG", "EOG"], "labels": ["a", "b", "a", "b"],
        "markers": [{"index": 7, "label": "x", "more": [1, {"deep": None}]}],
    }  # fmt: skip
    x = signal_of(400, 3).reshape(4, 100, 3)
    return {"a.npy": npy(x), "a.json": json.dumps(side, indent=1).encode()}, "a.npy"


def csv_seed() -> tuple[Files, str]:
    """As a Muse recorder writes it."""
    lines = ["timestamps,TP9,AF7,AF8,TP10,Right AUX,Marker0"]
    for i, row in enumerate(signal_of(300, 5)):
        cells = ",".join(f"{value:.3f}" for value in row)
        lines.append(f"{1.5e9 + i / 256:.6f},{cells},{(i // 50) % 3 if i % 50 < 3 else 0}")
    return {"a.csv": "\n".join(lines).encode() + b"\n"}, "a.csv"


def xdf_seed() -> tuple[Files, str]:
    """Signal and markers of one session, as we write them."""
    from rtbci.recorder.xdf_writer import write_recording
    from rtbci.signal.recording import Recording
    from rtbci.types import Marker, Provenance, StreamInfo

    info = StreamInfo("amp", 250.0, ("C3", "Cz", "C4"), ("EEG",) * 3)
    x = signal_of(500, 3).astype(np.float32)
    markers = tuple(Marker(at, "ab"[at % 2]) for at in (100, 201, 300))
    recording = Recording(x, info, markers, Provenance(("a",), "", "made"), t0=1000.0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.xdf"
        write_recording(path, recording)
        return {"a.xdf": path.read_bytes()}, "a.xdf"


def edf_seed(name: str = "a.edf") -> tuple[Files, str]:
    """EDF+ or BDF+ with annotations."""
    import edfio

    bdf = name.endswith("bdf")
    kind: Any = edfio.BdfSignal if bdf else edfio.EdfSignal
    whole: Any = edfio.Bdf if bdf else edfio.Edf
    signals = [
        kind(row, 100, label=label, physical_dimension="uV", physical_range=(-3000, 3000))
        for row, label in zip(signal_of(400, 3).T, ("C3", "Cz", "EOG"), strict=True)
    ]
    notes = [edfio.EdfAnnotation(0.5, None, "T1"), edfio.EdfAnnotation(2.25, 0.5, "T2")]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        whole(signals, annotations=notes).write(path)
        return {name: path.read_bytes()}, name


def brainvision_seed() -> tuple[Files, str]:
    """Three files, two channels, int16."""
    header = """Brain Vision Data Exchange Header File Version 1.0
; made for a test
[Common Infos]
Codepage=UTF-8
DataFile=a.eeg
MarkerFile=a.vmrk
DataFormat=BINARY
DataOrientation=MULTIPLEXED
NumberOfChannels=2
SamplingInterval=4000
[Binary Infos]
BinaryFormat=INT_16
[Channel Infos]
Ch1=C3,,0.1,µV
Ch2=C4,,0.1,µV
"""
    marks = """Brain Vision Data Exchange Marker File, Version 1.0
[Common Infos]
Codepage=UTF-8
DataFile=a.eeg
[Marker Infos]
Mk1=New Segment,,1,1,0,20260101120000000000
Mk2=Stimulus,S  1,50,1,0
Mk3=Stimulus,S  2,150,1,0
"""
    x = (signal_of(300, 2) * 10).astype("<i2")
    files = {"a.vhdr": header.encode(), "a.vmrk": marks.encode(), "a.eeg": x.tobytes()}
    return files, "a.vhdr"


def eeglab_seed() -> tuple[Files, str]:
    """A dataset with its samples in another file, and a few events."""
    from scipy.io import savemat

    x = signal_of(300, 3).astype("<f4")
    event = np.array(
        [("left", 100.0, 1.0, 1.0), ("right", 200.0, 1.0, 2.0)],
        dtype=[("type", object), ("latency", object), ("duration", object), ("urevent", object)],
    )
    places = np.array(
        [(name, 0.1 * i, 0.5, 0.2, "EEG") for i, name in enumerate(("C3", "Cz", "C4"))],
        dtype=[(key, object) for key in ("labels", "X", "Y", "Z", "type")],
    )
    values = {
        "setname": "a", "filename": "a.set", "filepath": "", "subject": "", "nbchan": 3.0,
        "trials": 1.0, "pnts": 300.0, "srate": 250.0, "xmin": 0.0, "xmax": 299 / 250.0,
        "times": np.zeros((0, 0)), "data": "a.fdt", "chanlocs": places, "event": event,
        "urchanlocs": np.zeros((0, 0)), "epoch": np.zeros((0, 0)), "ref": "common",
        "icaweights": np.zeros((0, 0)), "icawinv": np.zeros((0, 0)),
        "icasphere": np.zeros((0, 0)), "icaact": np.zeros((0, 0)), "datfile": "a.fdt",
    }  # fmt: skip
    with tempfile.TemporaryFile() as file:
        savemat(file, {"EEG": values}, appendmat=False)
        file.seek(0)
        dated = file.read()
    text = b"MATLAB 5.0 MAT-file, made for a test".ljust(116)  # the same on any day
    return {"a.set": text + dated[116:], "a.fdt": x.tobytes()}, "a.set"


def bundle_seed() -> tuple[Files, str]:
    """A bundle with random weights."""
    from rtbci.bench.offline import synthetic_bundle

    bundle = synthetic_bundle(100.0, ("C3", "Cz", "C4"), ("a", "b"))
    bundle = replace(bundle, created="2026-01-01T12:00:00+00:00")  # the same on any day
    with tempfile.TemporaryDirectory() as folder:
        saved = bundle.save(Path(folder))
        return {f"b/{file.name}": file.read_bytes() for file in sorted(saved.iterdir())}, "b"


SEEDS: dict[str, Callable[[], tuple[Files, str]]] = {
    "npy": npy_seed,
    "sidecar": sidecar_seed,
    "csv": csv_seed,
    "xdf": xdf_seed,
    "edf": edf_seed,
    "bdf": lambda: edf_seed("a.bdf"),
    "brainvision": brainvision_seed,
    "eeglab": eeglab_seed,
    "bundle": bundle_seed,
}
AIM: dict[str, str] = {  # which file to hit where the others are mere samples
    "sidecar": ".json",
    "eeglab": ".set",
    "bundle": ".json",
}
HEADER_BYTES = {"npy": 128, "edf": 1280, "bdf": 1280, "xdf": 3000}

NUMBERS = (
    *("0", "-1", "1", "2", "-0.0", "1e308", "1e-308", "1e999", "-1e999", "NaN", "inf", "-inf"),
    *("9" * 20, "9" * 400, "2147483647", "2147483648", "-2147483649", "4294967296"),
    *("9223372036854775808", "0x10", "1_000", "1,5", "", " ", "null", "true", '"x"', "[]", "{}"),
    *("[" * 2000, "1e5", "1e-5", "49999", "1024", "255"),
)
INTEGERS = (0, 1, -1, 2**31 - 1, -(2**31), 2**32 - 1, 2**62, -(2**63), 255, 65535)
TEXTS = (b"\0", b"\r\n", b"\xff\xfe", b"\x1b[31m", b"../../etc/passwd", b"%s%n", b"\xe2\x80\xae",
         b"<!ENTITY a 'b'>", b"=cmd()", b"__proto__", b"\n" * 50, b'"', b"NaN")  # fmt: skip

Rng = np.random.Generator
Mutator = Callable[[Rng, bytes], bytes]


def flip_bits(rng: Rng, data: bytes) -> bytes:
    """Flip one to twenty bits."""
    out = bytearray(data)
    for at in rng.integers(0, len(out), rng.integers(1, 20)):
        out[at] ^= 1 << int(rng.integers(8))
    return bytes(out)


def set_bytes(rng: Rng, data: bytes) -> bytes:
    """Overwrite one to eight bytes."""
    out = bytearray(data)
    for at in rng.integers(0, len(out), rng.integers(1, 8)):
        out[at] = int(rng.integers(256))
    return bytes(out)


def set_integer(rng: Rng, data: bytes) -> bytes:
    """Write an extreme integer of 1, 2, 4 or 8 bytes."""
    width = int(rng.choice([1, 2, 4, 8]))
    value = INTEGERS[int(rng.integers(len(INTEGERS)))] & (256**width - 1)
    at = int(rng.integers(max(1, len(data) - width)))
    order = "little" if rng.random() < 0.8 else "big"
    return data[:at] + value.to_bytes(width, order) + data[at + width :]


def truncate(rng: Rng, data: bytes) -> bytes:
    """Keep only the beginning."""
    return data[: int(rng.integers(len(data)))]


def delete(rng: Rng, data: bytes) -> bytes:
    """Remove a stretch."""
    a, b = stretch(rng, data)
    return data[:a] + data[b:]


def duplicate(rng: Rng, data: bytes) -> bytes:
    """Repeat a stretch twice or many times."""
    a, b = stretch(rng, data)
    times = int(rng.choice([1, 1, 2, 50])) if b - a < 5000 else 1
    return data[:b] + data[a:b] * times + data[b:]


def insert(rng: Rng, data: bytes) -> bytes:
    """Insert random bytes, zeros or odd text."""
    at, size = int(rng.integers(len(data) + 1)), int(rng.integers(1, 40))
    more = [rng.bytes(size), bytes(size), TEXTS[int(rng.integers(len(TEXTS)))]]
    return data[:at] + more[int(rng.integers(3))] + data[at:]


def swap(rng: Rng, data: bytes) -> bytes:
    """Exchange two stretches."""
    a, b, c, d = sorted(int(at) for at in rng.integers(0, len(data) + 1, 4))
    return data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:]


def edit_number(rng: Rng, data: bytes) -> bytes:
    """A number in a text becomes another; half the time as wide as it was."""
    found = list(re.finditer(rb"-?\d+(\.\d+)?(e[+-]?\d+)?", data[:20_000]))
    if not found:
        return set_integer(rng, data)
    at = found[int(rng.integers(len(found)))]
    new = NUMBERS[int(rng.integers(len(NUMBERS)))].encode()
    if rng.random() < 0.5:
        new = new[: at.end() - at.start()].ljust(at.end() - at.start())
    return data[: at.start()] + new + data[at.end() :]


def edit_text(rng: Rng, data: bytes) -> bytes:
    """Replace a word by an odd one."""
    found = list(re.finditer(rb"[A-Za-z_]{2,}", data[:20_000]))
    if not found:
        return set_bytes(rng, data)
    at = found[int(rng.integers(len(found)))]
    words = [*TEXTS, b"x" * 3000, found[int(rng.integers(len(found)))].group(), b""]
    return data[: at.start()] + words[int(rng.integers(len(words)))] + data[at.end() :]


def swap_lines(rng: Rng, data: bytes) -> bytes:
    """Reorder or repeat lines."""
    lines = data.split(b"\n")
    a, b = (int(at) for at in rng.integers(0, len(lines), 2))
    lines[a], lines[b] = (lines[b], lines[a]) if rng.random() < 0.6 else (lines[a], lines[a])
    return b"\n".join(lines)


def stretch(rng: Rng, data: bytes) -> tuple[int, int]:
    """Where a stretch begins and ends: mostly short."""
    a = int(rng.integers(len(data)))
    return a, min(len(data), a + 1 + int(rng.exponential(len(data) / 8)))


MUTATORS: tuple[Mutator, ...] = (
    *(flip_bits, set_bytes, set_integer, truncate, delete, duplicate, insert, swap),
    *(edit_number, edit_number, edit_number, edit_text, edit_text, swap_lines),
)


def pickled(command: str) -> bytes:
    """A pickle that runs ``command`` in a shell when it is opened; written by hand."""
    return b"cposix\nsystem\n(V" + command.encode() + b"\ntR."


def with_code(kind: str, command: str) -> dict[str, tuple[Files, str]]:
    """Files of a format that would run ``command`` in a careless reader, by what was done."""
    files, entry = SEEDS[kind]()
    bomb = pickled(command)
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (64, 4), }".ljust(117) + b"\n"
    objects = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bomb
    if kind == "bundle":
        weights = "b/weights.safetensors"
        hostile = {
            "pickle for weights": with_right_hash({**files, weights: bomb}),
            "object array for weights": with_right_hash({**files, weights: objects}),
            "zip of a pickle for weights": with_right_hash({**files, weights: zipped(bomb)}),
            "pickle for the description": {**files, "b/subject.json": bomb},
            "pickles beside": {**files, "b/decoder.pkl": bomb, "b/weights.pt": zipped(bomb)},
        }
    else:
        hostile = {
            "pickle": {**files, entry: bomb},
            "object array": {**files, entry: objects},
            "zip of a pickle": {**files, entry: zipped(bomb)},
        }
    for name in files:
        if name != entry and kind != "bundle":
            hostile[f"pickle for {name}"] = {**files, name: bomb}
    return {what: (changed, entry) for what, changed in hostile.items()}


def zipped(bomb: bytes) -> bytes:
    """As torch and numpy save what they pickle."""
    with tempfile.TemporaryFile() as file:
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("archive/data.pkl", bomb)
            archive.writestr("archive/version", b"3\n")
            archive.writestr("decoder.npy", bomb)
        file.seek(0)
        return file.read()


def mutated(kind: str, seed: int, files: Files) -> Files:
    """``files`` with one to four mutations; deterministic in the seed."""
    rng = np.random.default_rng([sum(kind.encode()), seed])
    out = dict(files)
    names = sorted(files)
    aimed = [name for name in names if name.endswith(AIM.get(kind, ""))]
    name = str(rng.choice(aimed if rng.random() < 0.7 else names))
    if seed % 100 < 4:
        out[name] = (b"", files[name][:1], files[name][:8], bytes(len(files[name])))[seed % 100]
        return out
    head = HEADER_BYTES.get(kind, 0)
    for _ in range(int(rng.choice([1, 1, 1, 2, 4]))):
        mutate, data = MUTATORS[int(rng.integers(len(MUTATORS)))], out[name]
        if not data:
            break
        if head and rng.random() < 0.6:  # where files say what they are
            out[name] = mutate(rng, data[:head]) + data[head:]
        else:
            out[name] = mutate(rng, data)
    if kind == "bundle" and rng.random() < 0.8:
        out = with_right_hash(out)
    return out


def with_right_hash(files: Files) -> Files:
    """As somebody would who wants a changed bundle to be taken."""
    import hashlib

    digest = hashlib.sha256(files["b/weights.safetensors"]).hexdigest().encode()
    text = re.sub(
        rb'("weights_sha256": ?)"[0-9a-f]{64}"', rb'\1"' + digest + b'"', files["b/subject.json"]
    )
    return {**files, "b/subject.json": text}


def write(files: Files, folder: Path) -> Path:
    """``files`` in ``folder``, which is made."""
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def hunt(
    reader: Reader, kind: str, seeds: range, scratch: Path
) -> Iterator[tuple[int, Outcome, Files]]:
    """Every mutation of ``seeds``, what became of it, and its files."""
    files, entry = SEEDS[kind]()
    place = scratch / kind
    for seed in seeds:
        changed = mutated(kind, seed, files)
        write(changed, place)
        yield seed, reader.read(kind, place / entry), changed


def keep(kind: str, seed: int, files: Files, outcome: Outcome) -> Path:
    """Folder with the failing files, for a bug report."""
    folder = KEPT / f"{kind}-{seed}"
    write(files, folder)
    (folder / "OUTCOME.txt").write_text(f"{outcome.kind}: {outcome.said}\n", encoding="utf-8")
    return folder


def main(words: list[str]) -> int:
    """Mutate and read from the command line; returns 1 if a read failed."""
    kinds = list(SEEDS) if words[:1] == ["all"] else words[:1]
    count, first = int(words[1]) if len(words) > 1 else 100, int(words[2]) if len(words) > 2 else 0
    failures = 0
    with tempfile.TemporaryDirectory() as name, Reader(Path(name)) as reader:
        for kind in kinds:
            counts, classes, slowest, largest = Counter[str](), Counter[str](), 0.0, 0.0
            for seed, outcome, files in hunt(reader, kind, range(first, first + count), Path(name)):
                counts[outcome.kind] += 1
                slowest = max(slowest, outcome.seconds)
                largest = max(largest, outcome.megabytes)
                if not outcome.fine:
                    failures += 1
                    keep(kind, seed, files, outcome)
                    shape = re.sub(r"\d+|'[^']*'|\"[^\"]*\"", "#", outcome.said)[:160]
                    classes[f"{outcome.kind} {shape}"] += 1
                    if classes[f"{outcome.kind} {shape}"] == 1:
                        print(f"  {kind} {seed}: {outcome.kind}: {outcome.said[:400]}")
            print(f"{kind}: {dict(counts)}, slowest {slowest:.2f} s, most {largest:.0f} MB")
    return 1 if failures else 0


if __name__ == "__main__":
    if sys.argv[1:] == ["--serve"]:
        serve()
    else:
        sys.exit(main(sys.argv[1:]))
