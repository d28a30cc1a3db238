"""NumPy arrays: epochs of the 122-channel dataset, other epochs, continuous signal.

``NAME.npy`` may have a ``NAME.json`` beside it, which is either a bare list of one class id an
epoch (the dataset's layout) or one object with the fields of ``Sidecar``:

    {"rate": 250, "channels": ["C3", "Cz", "C4"], "unit": "uV", "axes": "time,channel",
     "markers": [{"index": 250, "label": "left"}]}

In an array of epochs ``"labels"`` names the class of each and ``"axes"`` has three words, for
example ``"epoch,channel,time"``. ``sfreq`` is read as ``rate``.
"""

import csv
import math
import re
from pathlib import Path, PureWindowsPath
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from rtbci.errors import BadInput
from rtbci.formats.draft import Draft, check_sizes
from rtbci.formats.source import Options, clean, load_json, regular
from rtbci.formats.units import type_of
from rtbci.types import Gap, Marker

DTYPES = ("f4", "f8", "i2", "i4")
DATASET_TIMES, DATASET_CHANNELS = 500, 122
CLEARLY_LONGER = 4  # how many times longer than the other an axis must be to be time
BETWEEN = "between epochs"
_RATE_IN_NAME = re.compile(r"_(\d{2,5})Hz", re.IGNORECASE)

Name = Annotated[str, Field(min_length=1, max_length=1000)]
Label = Annotated[str | int, Field(union_mode="left_to_right")]


class SidecarMarker(BaseModel):
    """A marker at a sample of the array; other fields are kept with it."""

    model_config = ConfigDict(frozen=True, extra="allow")
    index: Annotated[int, Field(ge=0, lt=2**53)]
    label: Label


class Sidecar(BaseModel):
    """What an array cannot say of itself; unknown fields are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)
    rate: float | None = Field(
        None, gt=0, allow_inf_nan=False, validation_alias=AliasChoices("rate", "sfreq")
    )
    channels: tuple[Name, ...] | None = None
    types: tuple[str, ...] | None = None
    unit: str | None = None
    axes: str | tuple[Literal["epoch", "time", "channel"], ...] | None = None
    markers: tuple[SidecarMarker, ...] = ()
    labels: tuple[Label, ...] | None = None


def read_npy(path: Path, options: Options) -> Draft:
    """Raises ``BadInput`` for another dtype, an orientation that is not clear, an unknown rate."""
    shape, order, dtype, offset = npy_header(path)
    side, ids, notes = _sidecar(path)
    axes = _axes(path, shape, side)
    by_axis = dict(zip(axes, shape, strict=True))
    n_channels = by_axis["channel"]
    rate = _rate(path, side, options)
    check_sizes(n_channels, rate, path)
    array = np.fromfile(path, dtype, offset=offset, count=math.prod(shape))
    array = array.reshape(shape, order=order).transpose(
        [axes.index(name) for name in ("epoch", "time", "channel") if name in axes]
    )
    x: NDArray[np.generic] = np.ascontiguousarray(array.reshape(-1, n_channels))
    channels = _channels(path, side, n_channels)
    types = [type_of(name) for name in channels]
    if side.types is not None:
        if len(side.types) != n_channels:
            raise BadInput(
                f"the sidecar of {path} has {len(side.types)} types for {n_channels} channels"
            )
        types = [type_of(name, kind) for name, kind in zip(channels, side.types, strict=True)]
    epoch_rows = by_axis["time"] if "epoch" in by_axis else None
    gaps: tuple[Gap, ...] = ()
    if epoch_rows is not None:
        gaps = tuple(Gap(i * epoch_rows, 0, BETWEEN) for i in range(1, by_axis["epoch"]))
        notes.append(
            f"{by_axis['epoch']} epochs of {epoch_rows / rate:g} s: there is no signal between them"
        )
    dataset = _is_dataset(path, shape)
    return Draft(
        format="npy epochs" if epoch_rows else "npy continuous",
        paths=[path],
        name=path.stem,
        x=x,
        channels=channels,
        types=types,
        rate=rate,
        units=side.unit if side.unit is not None else ("uV" if dataset else None),
        unit_from="assumed" if dataset and side.unit is None else "stated",
        markers=_markers(path, side, ids, by_axis, len(x)),
        gaps=gaps,
        epoch_rows=epoch_rows,
        notes=notes,
    )


def npy_header(path: Path) -> tuple[tuple[int, ...], Literal["C", "F"], np.dtype, int]:
    """Shape, order, dtype and offset of the data, after checking them against the file's size."""
    size = regular(path)
    with open(path, "rb") as file:
        try:
            version = np.lib.format.read_magic(file)
            read = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }[version]
            shape, fortran, dtype = read(file, max_header_size=10_000)
        except Exception as error:  # noqa: BLE001 - numpy raises whatever its parser met, tokenize errors too
            raise BadInput(
                f"{path} has no NumPy header that can be read ({clean(str(error))}); save it again"
            ) from None
        offset = file.tell()
    if dtype.hasobject or dtype.kind + str(dtype.itemsize) not in DTYPES:
        raise BadInput(f"{path} holds {dtype}; expected one of {', '.join(DTYPES)}")
    if len(shape) not in (2, 3) or any(n < 1 for n in shape):
        raise BadInput(
            f"{path} has shape {shape}; expected (time, channel) or (epoch, time, channel)"
        )
    declared = math.prod(shape) * dtype.itemsize
    if declared != size - offset:
        raise BadInput(
            f"{path} declares {shape} of {dtype} = {declared} bytes but holds {size - offset}; "
            "it was cut or damaged, copy it again"
        )
    return shape, "F" if fortran else "C", dtype, offset


def _is_dataset(path: Path, shape: tuple[int, ...]) -> bool:
    return sorted(shape[1:]) == [DATASET_CHANNELS, DATASET_TIMES] and "_1000Hz" in path.name


def _sidecar(path: Path) -> tuple[Sidecar, list[str] | None, list[str]]:
    """The sidecar, or class ids where it is a bare list; and notes."""
    beside = path.with_suffix(".json")
    if not beside.exists():
        return Sidecar.model_validate({}), None, []
    value = load_json(beside)
    if isinstance(value, list):
        if not all(isinstance(v, int | str) and not isinstance(v, bool) for v in value):
            raise BadInput(f"{beside} is a list, but not of one class id an epoch")
        return Sidecar.model_validate({}), [clean(str(v)) for v in value], []
    try:
        return Sidecar.model_validate(value), None, []
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "its top"
        raise BadInput(
            f"{beside}: at {clean(where)}: {first['msg']}; see the sidecar's fields"
        ) from None


def _axes(path: Path, shape: tuple[int, ...], side: Sidecar) -> tuple[str, ...]:
    """Name of each axis; raises ``BadInput`` where shape and sidecar leave it open."""
    if side.axes is not None:
        given = (
            tuple(side.axes.replace(" ", "").split(","))
            if isinstance(side.axes, str)
            else side.axes
        )
        full = {"time", "channel"} | ({"epoch"} if len(shape) == 3 else set())
        if len(given) != len(shape) or set(given) != full:
            raise BadInput(f"axes {','.join(given)!r} beside {path} do not fit its shape {shape}")
        return tuple(given)
    lead = ("epoch",) if len(shape) == 3 else ()
    a, b = shape[-2:]
    time_first, channel_first = (*lead, "time", "channel"), (*lead, "channel", "time")
    if side.channels is not None and (a == len(side.channels)) != (b == len(side.channels)):
        return time_first if b == len(side.channels) else channel_first
    if (a, b) == (DATASET_TIMES, DATASET_CHANNELS):
        return time_first
    if (a, b) == (DATASET_CHANNELS, DATASET_TIMES):
        return channel_first
    if len(shape) == 2 and max(a, b) >= CLEARLY_LONGER * min(a, b):
        return time_first if a > b else channel_first
    raise BadInput(
        f"{path} has shape {shape} and does not say which axis is time; put "
        f'{path.stem}.json beside it with "channels" (names) or "axes" '
        f'("{",".join(time_first)}" or "{",".join(channel_first)}")'
    )


def _rate(path: Path, side: Sidecar, options: Options) -> float:
    if options.rate is not None:
        return options.rate
    if side.rate is not None:
        return side.rate
    found = _RATE_IN_NAME.search(path.name)
    if found:
        return float(found.group(1))
    raise BadInput(
        f"{path} does not say its sampling rate; give --rate HZ, or put {path.stem}.json beside it "
        'with "rate"'
    )


def _channels(path: Path, side: Sidecar, n: int) -> list[str]:
    if side.channels is None:
        return [f"EEG{i + 1:03d}" for i in range(n)]
    if len(side.channels) != n:
        raise BadInput(
            f"the sidecar of {path} names {len(side.channels)} channels, the array has {n}"
        )
    return list(side.channels)


def _markers(
    path: Path, side: Sidecar, ids: list[str] | None, by_axis: dict[str, int], n_rows: int
) -> list[Marker]:
    """One marker at the first sample of each epoch, and those that the sidecar lists."""
    markers = []
    for found in side.markers:
        if found.index >= n_rows:
            raise BadInput(
                f"the sidecar of {path} has a marker at {found.index}, behind the last sample"
            )
        markers.append(Marker(found.index, clean(str(found.label)), dict(found.model_extra or {})))
    labels = [clean(str(label)) for label in side.labels] if side.labels is not None else ids
    n = by_axis.get("epoch")
    if n is None:
        if labels is not None:
            raise BadInput(f"{path} is one continuous signal; labels need markers with an index")
        return markers
    if labels is not None and len(labels) != n:
        raise BadInput(f"the sidecar of {path} has {len(labels)} labels for {n} epochs")
    images = _images(path, n)
    if labels is None:
        labels = [str(fields["category"]) for fields in images] if images else ["epoch"] * n
    for i, label in enumerate(labels):
        fields = {"trial": i + 1, **(images[i] if images else {})}
        markers.append(Marker(i * by_axis["time"], label, fields))
    return markers


def _images(path: Path, n: int) -> list[dict[str, object]]:
    """Image name and category of each epoch from ``*_image.csv``, where that lies beside."""
    beside = path.with_name(_RATE_IN_NAME.sub("", path.stem) + "_image.csv")
    if not beside.exists():
        return []
    if regular(beside) > 2**25:
        raise BadInput(f"{beside} is too long for a list of images")
    try:
        lines = beside.read_text(encoding="utf-8-sig").splitlines()
        rows = [row[0] for row in csv.reader(lines) if row]
    except (ValueError, csv.Error):
        raise BadInput(f"{beside} is not text in UTF-8") from None
    if not rows or rows[0] != "FilePath" or len(rows) != n + 1:
        raise BadInput(f"{beside} needs the line 'FilePath' and one path for each of {n} epochs")
    found: list[dict[str, object]] = []
    for row in rows[1:]:
        parts = PureWindowsPath(
            row
        )  # as the dataset writes them; only names are used, never opened
        category = parts.parts[-2] if len(parts.parts) > 1 else ""
        found.append(
            {"image": clean(parts.stem.removesuffix("_resized")), "category": clean(category)}
        )
    return found
