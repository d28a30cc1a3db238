"""NumPy arrays: epochs of the 122-channel dataset, other epochs, continuous signal.

``NAME.npy`` may have a ``NAME.json`` next to it, which is either a bare list of one class id an
epoch (the dataset's layout) or one object with the fields of ``Sidecar``:

    {"rate": 250, "channels": ["C3", "Cz", "C4"], "unit": "uV", "axes": "time,channel",
     "markers": [{"index": 250, "label": "left"}]}

In an array of epochs ``"labels"`` names the class of each, ``"images"`` and ``"captions"`` its
picture, ``"runs"`` how many epochs each run has, and ``"axes"`` has three words, for example
``"epoch,channel,time"``. ``sfreq`` is read as ``rate``. Facts that the file of a run or session
of the dataset does not hold are looked up in the files around it (``rtbci.formats.dataset``).
"""

import math
import re
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from rtbci.errors import BadInput
from rtbci.foreign_text import clean
from rtbci.formats import dataset
from rtbci.formats.draft import Draft, check_sizes
from rtbci.formats.npy_header import npy_header
from rtbci.formats.source import ReadOptions, load_json
from rtbci.formats.units import type_of
from rtbci.types import Gap, Marker

DATASET_TIMES, DATASET_CHANNELS, DATASET_RATE = 500, 122, 1000.0
DATASET_RUN = 100  # trials
CLEARLY_LONGER = 4  # how many times longer than the other an axis must be to be time
BETWEEN = "between epochs"
_RATE_IN_NAME = re.compile(r"_(\d{2,5})Hz", re.IGNORECASE)
_DATASET_NAME = re.compile(r"_1000Hz|^sub-[A-Za-z0-9]+_ses-\d+\.npy$")

Name = Annotated[str, Field(min_length=1, max_length=1000)]
Label = Annotated[str | int, Field(union_mode="left_to_right")]


class SidecarMarker(BaseModel):
    """A marker at a sample of the array; other fields are kept with it."""

    model_config = ConfigDict(frozen=True, extra="allow")
    index: Annotated[int, Field(ge=0, lt=2**53)]
    label: Label


class Sidecar(BaseModel):
    """Fields of a sidecar: facts that an array cannot hold. Unknown fields are ignored."""

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
    images: tuple[str, ...] | None = None
    captions: tuple[str | None, ...] | None = None
    runs: tuple[Annotated[int, Field(ge=1)], ...] = ()
    simulated: bool = False


def read_npy(path: Path, options: ReadOptions) -> Draft:
    """Raises ``BadInput`` for another dtype, an orientation that is not clear, an unknown rate."""
    shape, order, dtype, offset = npy_header(path)
    side, notes = _sidecar(path, shape)
    axes = _axes(path, shape, side)
    by_axis = dict(zip(axes, shape, strict=True))
    n_channels = by_axis["channel"]
    rate = _rate(path, side, options, shape, notes)
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
    runs: tuple[int, ...] = ()
    if epoch_rows is not None:
        n = by_axis["epoch"]
        gaps = tuple(Gap(i * epoch_rows, 0, BETWEEN) for i in range(1, n))
        notes.append(f"{n} epochs of {epoch_rows / rate:g} s: there is no signal between them")
        runs = _runs(path, side, n, shape, notes)
    assumed = _is_dataset(path, shape) and side.unit is None
    return Draft(
        format="npy epochs" if epoch_rows else "npy continuous",
        paths=[path],
        name=path.stem,
        x=x,
        channels=channels,
        types=types,
        rate=rate,
        units="uV" if assumed else side.unit,
        unit_from="assumed" if assumed else "stated",
        markers=_markers(path, side, by_axis, len(x), runs),
        gaps=gaps,
        epoch_rows=epoch_rows,
        runs=runs,
        notes=notes,
    )


def _is_dataset(path: Path, shape: tuple[int, ...]) -> bool:
    return _is_shape(shape) and bool(_DATASET_NAME.search(path.name))


def _is_shape(shape: tuple[int, ...]) -> bool:
    return len(shape) == 3 and sorted(shape[1:]) == [DATASET_CHANNELS, DATASET_TIMES]


def _sidecar(path: Path, shape: tuple[int, ...]) -> tuple[Sidecar, list[str]]:
    """Facts about the array, from the sidecar and the dataset around it; and notes."""
    beside, ids = path.with_suffix(".json"), None
    side = Sidecar.model_validate({})
    if beside.exists():
        value = load_json(beside)
        if isinstance(value, list):
            if not all(isinstance(v, int | str) and not isinstance(v, bool) for v in value):
                raise BadInput(f"{beside} is a list, but not of one class id an epoch")
            ids = value
        else:
            side = _validated(value, str(beside))
    notes: list[str] = []
    if len(shape) == 3:
        side = _from_dataset(path, side, ids, shape, notes)
    elif ids is not None:
        side = side.model_copy(update={"labels": tuple(ids)})
    if side.simulated:
        notes.append("simulated: no person")
    return side, notes


def _validated(value: object, where: str) -> Sidecar:
    try:
        return Sidecar.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "its top"
        raise BadInput(
            f"{where}: at {clean(place)}: {first['msg']}; see the sidecar's fields"
        ) from None


def _from_dataset(
    path: Path,
    side: Sidecar,
    ids: list[str | int] | None,
    shape: tuple[int, ...],
    notes: list[str],
) -> Sidecar:
    """``side`` completed from the files around the array."""
    n, more = shape[0], dict[str, object]()
    around = _validated(dataset.montage(path), f"what lies around {path}")
    for what in ("channels", "rate", "unit"):
        if getattr(side, what) is None:
            more[what] = getattr(around, what)
    runs = dataset.session_of(path) if side.labels is None else None
    labels = tuple(ids) if ids is not None else None
    if runs:
        shown = tuple(label for run in runs for label in run.labels)
        if len(shown) != n or (labels is not None and labels != shown):
            raise BadInput(
                f"{path} has {n} epochs, but the lists of classes and images around it are of "
                f"{len(shown)} trials, or of others; put {path.stem}.json beside it with "
                '"labels" (names)'
            )
        labels = tuple(name for run in runs for name in run.names)
        if all(run.images for run in runs):
            more |= {
                "images": tuple(each for run in runs for each in run.images),
                "captions": tuple(each for run in runs for each in run.captions),
            }
        if not side.runs and len(runs) > 1:
            more |= {"runs": tuple(len(run.labels) for run in runs)}
        if ids is None:
            notes.append("classes are taken from the lists of the dataset around the array")
    elif labels and _is_dataset(path, shape) and all(isinstance(i, int) for i in labels):
        numbers = [i for i in labels if isinstance(i, int)]
        names = dataset.class_names(numbers, (), str(path))
        labels = tuple(names[i] for i in numbers)
    if labels is not None:
        more |= {"labels": labels}
    return side.model_copy(update={**more, "simulated": side.simulated or around.simulated})


def _runs(
    path: Path, side: Sidecar, n: int, shape: tuple[int, ...], notes: list[str]
) -> tuple[int, ...]:
    """Epochs of each run; empty where it is all one run."""
    if side.runs:
        if sum(side.runs) != n:
            raise BadInput(
                f"the sidecar of {path} has runs of {', '.join(map(str, side.runs))} epochs, "
                f"{sum(side.runs)} in all; the array has {n}"
            )
        return side.runs
    if _is_shape(shape) and n > DATASET_RUN and n % DATASET_RUN == 0:
        notes.append(f"runs of {DATASET_RUN} epochs are assumed; nothing says where they begin")
        return (DATASET_RUN,) * (n // DATASET_RUN)
    return ()


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


def _rate(
    path: Path, side: Sidecar, options: ReadOptions, shape: tuple[int, ...], notes: list[str]
) -> float:
    if options.rate is not None:
        return options.rate
    if side.rate is not None:
        return side.rate
    found = _RATE_IN_NAME.search(path.name)
    if found:
        return float(found.group(1))
    if _is_shape(shape):
        notes.append(f"a rate of {DATASET_RATE:g} Hz is assumed, that of 122 x 500 epochs")
        return DATASET_RATE
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
    path: Path, side: Sidecar, by_axis: dict[str, int], n_rows: int, runs: tuple[int, ...]
) -> list[Marker]:
    """One marker at the first sample of each epoch, and those that the sidecar lists."""
    markers = []
    for found in side.markers:
        if found.index >= n_rows:
            raise BadInput(
                f"the sidecar of {path} has a marker at {found.index}, behind the last sample"
            )
        markers.append(Marker(found.index, clean(str(found.label)), dict(found.model_extra or {})))
    n = by_axis.get("epoch")
    if n is None:
        if side.labels is not None:
            raise BadInput(f"{path} is one continuous signal; labels need markers with an index")
        return markers
    for what in ("labels", "images", "captions"):
        count = len(getattr(side, what) or ()) or n
        if count != n:
            raise BadInput(f"the sidecar of {path} has {count} {what} for {n} epochs")
    run = np.repeat(np.arange(len(runs)), runs) + 1 if runs else None
    for i, label in enumerate(side.labels or ["epoch"] * n):
        fields: dict[str, object] = {"trial": i + 1}
        if run is not None:
            fields["run"] = int(run[i])
        if side.images:
            fields["image"] = clean(side.images[i])
        caption = side.captions[i] if side.captions else None
        if caption:
            fields["caption"] = clean(caption)
        markers.append(Marker(i * by_axis["time"], clean(str(label)), fields))
    return markers
