"""Formats of several files, checked together: BrainVision and EEGLAB."""

import re
import zlib
from pathlib import Path
from typing import Any

from rtbci.errors import BadInput
from rtbci.foreign_text import clean
from rtbci.formats.draft import check_sizes
from rtbci.formats.matlab import check_structure
from rtbci.formats.source import beside, regular

TEXT_BYTES = 16 * 2**20
MAX_INFLATED = 2**31  # bytes
MAX_RATIO = 200  # of compressed MATLAB arrays
_BYTES = {"INT_16": 2, "IEEE_FLOAT_32": 4}


def brainvision(path: Path) -> list[Path]:
    """Header, data and marker file of a recording; raises ``BadInput`` where they do not fit."""
    values = _ini(path)
    common = values.get("common infos", {})
    try:
        n = int(common.get("numberofchannels", ""))
        interval = float(common.get("samplinginterval", ""))
    except ValueError:
        raise BadInput(f"{path} states no number of channels or sampling interval") from None
    check_sizes(n, 1e6 / interval if interval > 0 else 0.0, path)
    data = beside(path, _placed(common.get("datafile", ""), path))
    paths = [path, data]
    size = regular(data)
    if common.get("dataformat", "").upper() != "ASCII":
        kind = values.get("binary infos", {}).get("binaryformat", "INT_16").upper()
        width = _BYTES.get(kind)
        if width is None:
            raise BadInput(
                f"{path} states the binary format {clean(kind)}; {', '.join(_BYTES)} are read"
            )
        if size % (n * width):
            raise BadInput(
                f"{data} holds {size} bytes, which are no whole number of samples of {n} channels "
                f"x {width} bytes; it was cut or damaged, copy it again"
            )
    if common.get("markerfile"):
        markers = beside(path, _placed(common["markerfile"], path))
        if regular(markers) > TEXT_BYTES:
            raise BadInput(f"{markers} is too long for a marker file")
        paths.append(markers)
    return paths


def _placed(name: str, path: Path) -> str:
    return name.replace("$b", path.stem)


def _ini(path: Path) -> dict[str, dict[str, str]]:
    """Sections and keys in lower case."""
    if regular(path) > TEXT_BYTES:
        raise BadInput(f"{path} is too long for a BrainVision header")
    text = path.read_bytes().decode("latin-1")
    if not re.match(r"\W*Brain ?Vision", text[:60]):
        raise BadInput(f"{path} does not start like a BrainVision header; copy it again")
    found: dict[str, dict[str, str]] = {}
    section = found.setdefault("", {})
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("[") and line.endswith("]"):
            section = found.setdefault(line[1:-1].strip().lower(), {})
        elif "=" in line and not line.startswith(";"):
            key, _, value = line.partition("=")
            section[key.strip().lower()] = value.strip()
    return found


def eeglab(path: Path) -> tuple[list[Path], int]:
    """Files of a dataset and its number of trials, 1 where continuous; raises ``BadInput``."""
    size = regular(path)
    _inflatable(path, size)
    check_structure(path, path.read_bytes())
    from scipy.io import loadmat

    fields = ("nbchan", "pnts", "trials", "srate", "data")
    content = loadmat(path, squeeze_me=True, struct_as_record=False, mat_dtype=False)
    eeg = content.get("EEG")
    values: dict[str, Any] = {name: getattr(eeg, name, content.get(name)) for name in fields}
    try:
        n, points = int(values["nbchan"] or 0), int(values["pnts"] or 0)
        trials, rate = int(values["trials"] or 1), float(values["srate"] or 0)
    except (TypeError, ValueError, OverflowError):
        raise BadInput(f"{path} holds no EEGLAB dataset (nbchan, pnts, trials, srate)") from None
    check_sizes(n, rate, path)
    if points < 1 or trials < 1:
        raise BadInput(f"{path} declares {points} samples in {trials} trials; save it again")
    data = values["data"]
    if not isinstance(data, str):
        there = getattr(data, "size", 0)
        if there != n * points * trials:
            raise BadInput(f"{path} declares {n} x {points} x {trials} values but holds {there}")
        return [path], trials
    other = beside(path, data)
    if not other.exists():
        other = path.with_suffix(".fdt")  # renamed together with the .set
    declared, there = n * points * trials * 4, regular(other)
    if declared != there:
        raise BadInput(
            f"{path} declares {n} channels x {points} samples x {trials} trials = "
            f"{declared} bytes, but {other.name} holds {there}; copy both files again"
        )
    return [path, other], trials


def _inflatable(path: Path, size: int) -> None:
    """Raises ``BadInput`` unless ``path`` is a MATLAB 5 file that inflates to a sane size."""
    with open(path, "rb") as file:
        head = file.read(128)
        if head[:10] == b"MATLAB 7.3":
            raise BadInput(f"{path} is a MATLAB 7.3 file; save it in EEGLAB as version 7 or 6")
        if len(head) < 128 or head[:6] != b"MATLAB" or head[126:128] not in (b"IM", b"MI"):
            raise BadInput(
                f"{path} is no MATLAB 5 file as EEGLAB saves them; copy or save it again"
            )
        order = "little" if head[126:128] == b"IM" else "big"
        inflated = 0
        while tag := file.read(8):
            kind, length = (int.from_bytes(tag[i : i + 4], order) for i in (0, 4))
            stop = file.tell() + length
            if len(tag) < 8 or stop > size:
                raise BadInput(f"{path} ends inside an array; it was cut or damaged, copy it again")
            if kind == 15:
                inflated += _inflated(file.read(length), path)
                if inflated > min(MAX_INFLATED, MAX_RATIO * size + 2**20):
                    raise BadInput(f"{path} inflates to more than {inflated} bytes; it is not EEG")
            file.seek(stop)


def _inflated(packed: bytes, path: Path) -> int:
    """Bytes that ``packed`` inflates to, counted in pieces up to the limit."""
    stream, total = zlib.decompressobj(), 0
    limit = min(MAX_INFLATED, MAX_RATIO * (len(packed) + 2**20))
    try:
        piece = stream.decompress(packed, 2**20)
        while piece and total <= limit:
            total += len(piece)
            piece = stream.decompress(stream.unconsumed_tail, 2**20)
    except zlib.error:
        raise BadInput(f"{path} holds an array that does not inflate; copy it again") from None
    return total
