"""The 122-channel picture dataset (OpenNeuro ds005589, low-speed task) as it lies on disk.

Two layouts hold the same files: the published one (arrays below ``derivatives/``, lists of images
next to the raw data) and a flat copy with everything of a session in one folder, ``captions.txt``
and ``images/`` above. So array, class list and image list are found independently, by their names:

    sub-02_ses-01_task-lowSpeed_run-01_1000Hz.npy     (trials, times, channels) float32, microvolts
    sub-02_ses-01_task-lowSpeed_run-01_1000Hz.json    one class id a trial
    sub-02_ses-01_task-lowSpeed_run-01_image.csv      FilePath, Windows paths .../CATEGORY/NAME.jpg

Files of the rapid task (``task-rsvp``) lie between them and are left out. A session may also be
one array, ``sub-02_ses-01.npy``, next to the folder. Class ids and image folders must agree.
"""

import csv
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

from rtbci.errors import BadInput
from rtbci.foreign_text import clean
from rtbci.formats.dataset_run import Run
from rtbci.formats.source import load_json, regular, sha256

CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "flower", "horse", "motorbike", "person", "sheep", "sofa", "train",
    "tvmonitor",
)  # fmt: skip
FOLDER = "ds005589"
ARRAYS = Path("derivatives", "preprocessed_data")  # of the published layout
CAPTIONS, SIMULATED = "captions.txt", "simulated.json"
CAPTION_COLUMNS = ["dataset", "category", "image_name", "abstracted"]
LONGEST_LIST = 2**25  # bytes of a list of images or captions
ANCESTORS = 5  # folders above an array in which captions.txt and simulated.json are looked for
_RUN = re.compile(
    r"(sub-[A-Za-z0-9]+)_ses-(\d+)_task-lowSpeed_run-(\d+)_(?:\d+Hz\.(npy|json)|image\.(csv))$"
)
_SESSION = re.compile(r"(sub-[A-Za-z0-9]+)_ses-(\d+)\.npy$")
Key = tuple[str, int, int]  # subject, session, run


@dataclass(frozen=True)
class Contents:
    """Contents of a folder."""

    runs: tuple[Run, ...]  # sorted; whole ones
    missing: tuple[str, ...]  # one sentence each
    wrong: tuple[str, ...]


def is_dataset(folder: Path) -> bool:
    """Whether a folder is laid out as the dataset, at a glance."""
    if not folder.is_dir():
        return False
    if folder.name == FOLDER or (folder / FOLDER).is_dir() or (folder / ARRAYS).is_dir():
        return True
    if (folder / "dataset_description.json").is_file():
        return False  # in BIDS, but not this one
    return any(folder.glob("sub-*/ses-*")) or any(folder.glob("*_task-lowSpeed_run-*Hz.npy"))


def find_runs(folder: Path) -> list[Run]:
    """All whole low-speed runs below ``folder``, by subject, session and run.

    Raises ``BadInput`` for none, and where files are cut or contradict each other.
    """
    found = look(folder)
    if found.wrong:
        first, *rest = found.wrong
        raise BadInput(first + (f" (and {len(rest)} more; see rtbci info)" if rest else ""))
    if not found.runs and (folder / "dataset_description.json").is_file():
        from rtbci.formats.bids_runs import bids_runs

        return bids_runs(folder)
    if not found.runs:
        missing = f": {found.missing[0]}" if found.missing else ""
        raise BadInput(f"{folder} holds no run of the low-speed task{missing}; check the folder")
    return list(found.runs)


def look(folder: Path) -> Contents:
    """Everything below ``folder``; raises ``BadInput`` only where it cannot be listed."""
    paths: list[Path] = []
    if not folder.is_dir():
        raise BadInput(f"no folder {folder}; check the name")
    for at, folders, names in os.walk(folder):
        folders.sort()
        paths += [Path(at, name) for name in sorted(names)]
    above = next((path for path in paths if path.name == CAPTIONS), None) or _above(folder)
    captions = read_captions(above) if above else {}
    return _contents(paths, captions)


def session_of(path: Path) -> list[Run] | None:
    """The runs whose trials are joined in ``sub-XX_ses-YY.npy``, if the dataset lies next to it;
    or the one run of which ``path`` is the array. None for other names, or without lists.

    Raises ``BadInput`` where they contradict each other.
    """
    run, session = _RUN.match(path.name), _SESSION.match(path.name)
    found = run or session
    if found is None:
        return None
    part = Path(found[1], f"ses-{found[2]}")
    roots = [path.parent, *list(path.parents)[1 : ANCESTORS + 1]] if run else [path.parent]
    folders = {path.parent} if run else set[Path]()
    folders |= {base / part for root in roots for base in (root, root / FOLDER, root / ARRAYS,
                root / FOLDER / ARRAYS)}  # fmt: skip
    paths = [each for at in sorted(folders) if at.is_dir() for each in sorted(at.iterdir())]
    wanted = [p for p in paths if (key := _key(p)) and (session or key == _key(path))]
    above = _above(path.parent)
    captions = read_captions(above) if above else {}
    contents = _contents([p for p in wanted if p.suffix != ".npy"], captions, arrays=False)
    if contents.wrong:
        raise BadInput(contents.wrong[0])
    return list(contents.runs) or None


def montage(path: Path) -> dict[str, object]:
    """Facts from the files around an array of the dataset: its ``channels`` (names), ``rate`` (Hz),
    ``unit``, and whether it is ``simulated``; only those that are stated."""
    found = _RUN.match(path.name) or _SESSION.match(path.name)
    if found is None:
        return {}
    beside = path.with_name(f"{found[1]}_ses-{found[2]}_channels.json")
    files = [*_upwards(path.parent, SIMULATED)[:1], *([beside] if beside.is_file() else [])]
    values: dict[str, object] = {}
    for file in files:
        value = load_json(file)
        if not isinstance(value, dict):
            raise BadInput(f"{file} is no JSON object; expected channels, rate and unit")
        values |= {key: value[key] for key in ("channels", "rate", "unit") if key in value}
        values |= {"simulated": True} if value.get("simulated") is True else {}
    return values


def twins(paths: Iterable[Path]) -> list[tuple[Path, Path]]:
    """Pairs of files with the same bytes, the earlier one first: a split would leak."""
    alike: dict[tuple[int, bytes], list[Path]] = defaultdict(list)
    for path in paths:
        with open(path, "rb") as file:
            alike[path.stat().st_size, file.read(4096)].append(path)
    pairs: list[tuple[Path, Path]] = []
    for group in alike.values():
        seen: dict[str, Path] = {}
        for path in group if len(group) > 1 else []:
            first = seen.setdefault(sha256([path]), path)
            if first != path:
                pairs.append((first, path))
    return pairs


def read_images(path: Path) -> list[tuple[str, str]]:
    """Name and category of each trial's image; raises ``BadInput``.

    The paths are Windows paths of the authors' machines: only their last two parts count.
    """
    rows = [row[0] for row in csv.reader(_lines(path)) if row]
    if not rows or rows[0] != "FilePath" or len(rows) < 2:
        raise BadInput(f"{path} needs the line 'FilePath' and one path for each trial")
    found: list[tuple[str, str]] = []
    for row in rows[1:]:
        where = PureWindowsPath(row)
        if len(where.parts) < 2:
            raise BadInput(f"{path}: {clean(row)!r} names no category; expected ...\\dog\\NAME.jpg")
        found.append((clean(where.stem.removesuffix("_resized")), clean(where.parts[-2])))
    return found


def read_captions(path: Path) -> dict[str, str]:
    """Caption of each image name; raises ``BadInput``."""
    rows = [line.split("\t") for line in _lines(path) if line]
    if not rows or rows[0] != CAPTION_COLUMNS or any(len(row) != 4 for row in rows):
        raise BadInput(
            f"{path} needs the columns {', '.join(CAPTION_COLUMNS)}, with a tab between them"
        )
    found = {clean(name): clean(caption) for _, _, name, caption in rows[1:]}
    if len(found) < len(rows) - 1:
        raise BadInput(f"{path} names an image twice; keep one caption for each")
    return found


def class_names(labels: Sequence[int], categories: Sequence[str], where: str) -> tuple[str, ...]:
    """Class names by id; raises ``BadInput`` where ids and ``categories`` (trials,) disagree."""
    if any(not 0 <= label < len(CLASSES) for label in labels):
        strange = next(label for label in labels if not 0 <= label < len(CLASSES))
        raise BadInput(f"{where} has class {strange}; the low-speed task has 0 to 19")
    for trial, (label, category) in enumerate(zip(labels, categories, strict=bool(categories)), 1):
        if CLASSES[label] != category:
            raise BadInput(
                f"{where}: trial {trial} has class {label} ({CLASSES[label]}) but shows an image "
                f"of {category!r}; the files are not of one run, copy them again"
            )
    return CLASSES


def _contents(paths: Iterable[Path], captions: dict[str, str], arrays: bool = True) -> Contents:
    """Runs from files; without ``arrays`` the lists alone make a run."""
    files: dict[Key, dict[str, list[Path]]] = defaultdict(lambda: defaultdict(list))
    for path in paths:
        if key := _key(path):
            files[key][path.suffix].append(path)
    runs, missing, wrong = list[Run](), list[str](), list[str]()
    for key in sorted(files):
        try:
            found = _run(key, files[key], captions, arrays)
        except BadInput as error:
            wrong.append(str(error))
            continue
        lacks = [
            s for s in (".npy", ".json", ".csv") if s not in files[key] and (arrays or s != ".npy")
        ]
        if lacks:
            missing.append(f"{_named(key)} has no {' and no '.join(lacks)}")
        runs += [found] if found else []
    most = max((number for *_, number in files), default=0)
    for subject, session in dict.fromkeys(key[:2] for key in sorted(files)) if arrays else ():
        gone = [n for n in range(1, most + 1) if (subject, session, n) not in files]
        missing += [f"{_named((subject, session, n))} is not there" for n in gone]
    return Contents(tuple(runs), tuple(missing), tuple(wrong))


def _run(
    key: Key, files: dict[str, list[Path]], captions: dict[str, str], arrays: bool
) -> Run | None:
    """One run; None without an array, or without a list of its classes."""
    from rtbci.formats.npy_header import npy_header

    for several in files.values():
        if len(several) > 1 and len({sha256([each]) for each in several}) > 1:
            raise BadInput(f"{several[0]} and {several[1]} differ; keep one of them")
    array = files[".npy"][0] if ".npy" in files else None
    if array is None and arrays:
        return None
    n = npy_header(array)[0][0] if array else None
    ids = load_json(files[".json"][0]) if ".json" in files else None
    shown = read_images(files[".csv"][0]) if ".csv" in files else None
    if ids is None and shown is None:
        return None
    if ids is not None and not (
        isinstance(ids, list) and all(isinstance(i, int) and not isinstance(i, bool) for i in ids)
    ):
        raise BadInput(f"{files['.json'][0]} is not a list of one class id a trial")
    where = _named(key)
    if ids is None:
        assert shown is not None
        strange = [category for _, category in shown if category not in CLASSES]
        if strange:
            raise BadInput(f"{where} shows {strange[0]!r}, which is none of the 20 classes")
        ids = [CLASSES.index(category) for _, category in shown]
    counts = {"trials": n, "class ids": len(ids), "images": len(shown) if shown else None}
    if len({count for count in counts.values() if count is not None}) > 1:
        said = ", ".join(f"{count} {what}" for what, count in counts.items() if count is not None)
        raise BadInput(f"{where} has {said}; the files are not of one run, copy them again")
    names = class_names(ids, [category for _, category in shown or ()], where)
    images = tuple(image for image, _ in shown or ())
    told = tuple(captions.get(image) for image in images)
    return Run(key[0], key[1], key[2], array or Path(), tuple(ids), names, images, told)


def _key(path: Path) -> Key | None:
    found = _RUN.match(path.name)
    return (found[1], int(found[2]), int(found[3])) if found else None


def _named(key: Key) -> str:
    return f"{key[0]} session {key[1]} run {key[2]}"


def _above(folder: Path) -> Path | None:
    return next(iter(_upwards(folder, CAPTIONS)), None)


def _upwards(folder: Path, name: str) -> list[Path]:
    """The files ``name`` in ``folder`` and above it, nearest first."""
    above = list(folder.absolute().parents)[:ANCESTORS]
    return [each / name for each in (folder, *above) if (each / name).is_file()]


def _lines(path: Path) -> list[str]:
    if regular(path) > LONGEST_LIST:
        raise BadInput(f"{path} has more than {LONGEST_LIST} bytes, too long for a list")
    try:
        return re.split(r"\r\n|\n", path.read_text(encoding="utf-8-sig"))
    except ValueError:
        raise BadInput(f"{path} is not text in UTF-8") from None
