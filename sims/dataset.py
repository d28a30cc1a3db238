"""The 122-channel picture dataset of simulated participants, in its layout on disk.

    write(Path("sim"), subjects=13, sessions=5)

``OUT/ds005589/sub-XX/ses-YY/`` holds three files a run, byte for byte in the conventions of the
published ones: the array, the list of class numbers, the list of pictures. ``OUT/captions.txt`` and
``OUT/images/`` go with them, and ``OUT/sub-XX_ses-YY.npy`` with its ``.json`` is a session in one
file. ``OUT/simulated.json`` records the settings and that the data are simulated.

Runs are written as they are drawn. What is there already stays: a folder made with the same
settings is completed, any other is refused.
"""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from rtbci import __version__, stimuli
from rtbci.errors import BadInput
from rtbci.formats.source import load_json
from sims.files import header_size, put, whole, workers
from sims.person import Person
from sims.person.constants import CLEAR_CLASSES, EPOCH_MS, PATH_PREFIXES, SUBJECTS
from sims.person.features import classes as class_of_picture
from sims.person.head import electrodes, montage
from sims.person.order import dealt

Progress = Callable[[str, int, int], None]  # stage, done, of
ROOT, IMAGES, CAPTIONS, ABOUT = "ds005589", "images", "captions.txt", "simulated.json"
PUBLISHED = (122, 1000.0)  # channels and rate of the real files, which need no further word
CAPTIONS_FROM = "rtbci"  # what stands in the column of the picture's origin
MOST_SUBJECTS, MOST_RUNS, MOST_TRIALS = 999, 99, 10_000
SPARE_BYTES = 50_000_000  # that must be left on the disk
NOTE = (
    "simulated: nobody was measured. Signals come from a forward model with random numbers, and "
    "electrode names and places are those of a template, not of the published cap."
)


@dataclass(frozen=True)
class DatasetSettings:
    """Settings that determine every byte of the dataset."""

    subjects: int = 1
    sessions: int = 1
    runs: int = 4
    trials: int = 100
    strength: str = "realistic"
    channels: tuple[str, ...] = ()
    rate: float = 1000.0
    seed: int = 0
    classes: tuple[str, ...] = stimuli.CATEGORIES
    merged: bool = True
    images: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """Folder names of the subjects."""
        numbers = list(SUBJECTS)
        following = (n for n in range(1, 10_000) if n not in SUBJECTS)
        numbers += [next(following) for _ in range(self.subjects - len(numbers))]
        return tuple(f"sub-{number:02d}" for number in numbers[: self.subjects])

    @property
    def run_bytes(self) -> int:
        """Size of the samples of one run, bytes."""
        return self.trials * self.n_times * len(self.channels) * 4

    @property
    def n_times(self) -> int:
        """Samples per epoch."""
        return round(EPOCH_MS / 1000 * self.rate)

    @property
    def is_published_layout(self) -> bool:
        """Whether the files need no sidecar to be read as the published ones."""
        return (len(self.channels), self.rate) == PUBLISHED

    def person(self, name: str) -> Person:
        """Simulated participant of a subject folder."""
        number = int(name.removeprefix("sub-"))
        return Person(self.seed, number, self.channels, self.rate, self.strength)

    def pictures(self, name: str) -> list[list[np.ndarray]]:
        """Picture numbers of a subject by session and run."""
        numbers = class_of_picture()
        by_class = [
            np.flatnonzero(numbers == stimuli.CATEGORIES.index(each)) for each in self.classes
        ]
        rng = self.person(name).rng(6)
        return dealt(by_class, self.sessions, self.runs, self.trials, rng)


@dataclass(frozen=True)
class WrittenDataset:
    """Result of ``write``."""

    folder: Path
    settings: DatasetSettings
    drawn: int  # runs
    kept: int  # runs that were there already

    @property
    def merged(self) -> list[Path]:
        """Paths of the session files."""
        settings = self.settings
        if not settings.merged:
            return []
        return [
            self.folder / f"{stem(name, session)}.npy"
            for name in settings.names
            for session in range(1, settings.sessions + 1)
        ]


def write(
    out: Path,
    *,
    subjects: int = 1,
    sessions: int = 1,
    runs: int = 4,
    trials: int = 100,
    strength: str = "realistic",
    channels: int | Sequence[str] = 122,
    rate: float = 1000.0,
    seed: int = 0,
    classes: Sequence[str] | None = None,
    merged: bool = True,
    images: bool = True,
    jobs: int = 1,
    progress: Progress = lambda *_: None,
) -> WrittenDataset:
    """Write the dataset into ``out``, in ``jobs`` processes.

    ``channels`` a cap's size or names; ``classes`` of the 20 (without: all, or the eight of
    ``clear``). Raises ``BadInput`` for settings that do not fit, for a folder that holds something
    else, and where the disk is too small.
    """
    settings = DatasetSettings(
        subjects, sessions, runs, trials, strength,
        montage(channels) if isinstance(channels, int) else tuple(channels),
        float(rate), seed,
        tuple(classes or (CLEAR_CLASSES if strength == "clear" else stimuli.CATEGORIES)),
        merged, images,
    )  # fmt: skip
    check(settings)
    begin(out, settings)
    tasks = [(out, settings, name, day) for name in settings.names for day in range(sessions)]
    total, done, drawn = len(tasks) * runs, 0, 0
    progress("drawing runs", 0, total)
    with workers(min(jobs, len(tasks))) as map_:
        for fresh in map_(write_session, tasks):
            drawn, done = drawn + fresh, done + runs
            progress("drawing runs", done, total)
        if images:
            shown = {int(i) for n in settings.names for day in settings.pictures(n) for r in day
                     for i in r}  # fmt: skip
            missing = [(out, i) for i in sorted(shown) if not image_path(out, i).exists()]
            for count, _ in enumerate(map_(write_image, missing), start=1):
                progress("painting pictures", count, len(missing))
    return WrittenDataset(out, settings, drawn, total - drawn)


def check(settings: DatasetSettings) -> None:
    """Check settings; raises ``BadInput`` for settings that cannot be simulated."""
    s = settings
    limits = (("subjects", s.subjects, MOST_SUBJECTS), ("sessions", s.sessions, MOST_RUNS),
              ("runs", s.runs, MOST_RUNS), ("trials", s.trials, MOST_TRIALS))  # fmt: skip
    for what, count, most in limits:
        if not 1 <= count <= most:
            raise BadInput(f"{count} {what}; expected 1 to {most}")
    if s.seed < 0:
        raise BadInput(f"seed {s.seed}; expected 0 or more")
    if s.rate != round(s.rate):
        raise BadInput(f"{s.rate:g} Hz; the dataset's file names hold whole numbers of hertz")
    strange = [each for each in s.classes if each not in stimuli.CATEGORIES]
    if strange:
        raise BadInput(
            f"no class {', '.join(strange)}; the picture set has {', '.join(stimuli.CATEGORIES)}"
        )
    if len(set(s.classes)) != len(s.classes) or len(s.classes) < 2:
        raise BadInput("name two or more different classes")
    if len(set(s.channels)) != len(s.channels) or not s.channels:
        raise BadInput("name one or more different electrodes")
    most = stimuli.PER_CATEGORY * len(s.classes)
    if s.trials > most:
        raise BadInput(f"{s.trials} trials a run; {len(s.classes)} classes have {most} pictures")
    electrodes(s.channels)
    Person(s.seed, 1, s.channels, s.rate, s.strength)  # says what it cannot be


def begin(out: Path, settings: DatasetSettings) -> None:
    """Write the folder's description; raises ``BadInput`` if it holds something else."""
    about = json.loads(json.dumps(description(settings)))
    path = out / ABOUT
    if out.exists() and not out.is_dir():
        raise BadInput(f"{out} is a file; name a folder")
    if path.exists():
        found = load_json(path)
        if not isinstance(found, dict):
            raise BadInput(f"{path} is no JSON object; it was not written by rtbci simulate")
        differ = [key for key in about if found.get(key) != about[key]]
        if differ:
            key = differ[0]
            raise BadInput(
                f"{out} holds a dataset made with other settings ({key}: "
                f"{brief(found.get(key))} there, {brief(about[key])} asked for); name another --out"
            )
    elif out.exists() and any(out.iterdir()):
        raise BadInput(f"{out} holds files that are no simulated dataset; name an empty folder")
    out.mkdir(parents=True, exist_ok=True)
    runs = settings.subjects * settings.sessions * settings.runs
    need = runs * settings.run_bytes * (1 + settings.merged)
    there = sum(each.stat().st_size for each in out.rglob("*.npy"))
    free = shutil.disk_usage(out).free
    if need - there + SPARE_BYTES > free:
        raise BadInput(
            f"the dataset takes {need / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free at {out}; "
            "make room, or ask for less (--no-merged halves it)"
        )
    put(path, json.dumps(about, indent=2).encode() + b"\n")
    put(out / CAPTIONS, captions())


def description(settings: DatasetSettings) -> dict[str, object]:
    """Content of ``simulated.json``."""
    values = asdict(settings) | {"channels": list(settings.channels)}
    return {"simulated": True, "note": NOTE, "generator": "rtbci simulate",
            "version": __version__, "unit": "uV", **values}  # fmt: skip


def brief(value: object) -> str:
    """Short text of a value."""
    return f"{len(value)} of them" if isinstance(value, list) else repr(value)


def captions() -> bytes:
    """Content of ``captions.txt``: tabs, LF, no quotes, no text after the last row."""
    rows = ["dataset\tcategory\timage_name\tabstracted"]
    rows += [f"{CAPTIONS_FROM}\t{p.category}\t{p.name}\t{p.caption}" for p in stimuli.load()]
    return "\n".join(rows).encode()


def write_session(task: tuple[Path, DatasetSettings, str, int]) -> int:
    """Draw the missing runs of a session and merge them; returns the number drawn."""
    out, settings, name, day = task
    session = settings.person(name).session(day + 1)
    folder = out / ROOT / name / f"ses-{day + 1:02d}"
    folder.mkdir(parents=True, exist_ok=True)
    prefixes = list(PATH_PREFIXES)
    weights = np.array(list(PATH_PREFIXES.values()), float)
    prefix = session.person.rng(7, day + 1).choice(prefixes, p=weights / weights.sum())
    if not settings.is_published_layout:
        channels = {"rate": settings.rate, "unit": "uV", "channels": list(settings.channels)}
        text = json.dumps({"simulated": True, **channels}, indent=2)
        put(folder / f"{stem(name, day + 1)}_channels.json", text.encode())
    plan, arrays, drawn = settings.pictures(name)[day], [], 0
    for number, pictures in enumerate(plan, start=1):
        base = f"{stem(name, day + 1)}_task-lowSpeed_run-{number:02d}"
        array = folder / f"{base}_{settings.rate:.0f}Hz.npy"
        arrays.append(array)
        labels = class_of_picture()[pictures].tolist()
        put(array.with_suffix(".json"), json.dumps(labels, indent=2).encode())
        put(folder / f"{base}_image.csv", image_list(prefix, pictures))
        if array.exists() and array.stat().st_size == header_size(array) + settings.run_bytes:
            continue
        with whole(array) as file:
            np.save(file, np.ascontiguousarray(session.epochs(pictures, number), "<f4"))
        drawn += 1
    if settings.merged:
        merge(out / stem(name, day + 1), arrays, plan, settings)
    return drawn


def image_list(prefix: str, pictures: np.ndarray) -> bytes:
    """``_image.csv``: one column of Windows paths, CRLF."""
    found = [stimuli.load()[i] for i in pictures]
    paths = [rf"{prefix}\{each.category}\{each.name}_resized.jpg" for each in found]
    return ("FilePath\r\n" + "\r\n".join(paths) + "\r\n").encode()


def merge(
    base: Path, arrays: list[Path], plan: list[np.ndarray], settings: DatasetSettings
) -> None:
    """Write a session as one array with its sidecar, one run at a time."""
    pictures = [stimuli.load()[i] for run in plan for i in run]
    sidecar = {
        "simulated": True, "note": NOTE, "rate": settings.rate, "unit": "uV",
        "axes": "epoch,time,channel", "channels": list(settings.channels),
        "labels": [each.category for each in pictures], "runs": [len(run) for run in plan],
        "images": [each.name for each in pictures],
        "captions": [each.caption for each in pictures],
        "strength": settings.strength, "seed": settings.seed, "version": __version__,
    }  # fmt: skip
    put(base.with_name(base.name + ".json"), json.dumps(sidecar, indent=1).encode() + b"\n")
    path = base.with_name(base.name + ".npy")
    shape = (len(pictures), settings.n_times, len(settings.channels))
    if path.exists() and path.stat().st_size == header_size(path) + len(plan) * settings.run_bytes:
        return
    with whole(path) as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        for array in arrays:
            with array.open("rb") as run:
                run.seek(header_size(array))
                shutil.copyfileobj(run, file, 2**20)


def write_image(task: tuple[Path, int]) -> None:
    """Write one picture as JPEG."""
    out, number = task
    put(image_path(out, number), stimuli.jpeg(stimuli.load()[number]))


def image_path(out: Path, number: int) -> Path:
    """Path of a picture."""
    return out / IMAGES / f"{stimuli.load()[number].name}.jpg"


def stem(name: str, session: int) -> str:
    """``sub-02_ses-01``."""
    return f"{name}_ses-{session:02d}"
