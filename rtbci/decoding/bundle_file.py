"""Schema of ``subject.json``: everything of a bundle that is not an array."""

from typing import Annotated, Literal

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from rtbci.signal.preprocess import Filter, steady_state
from rtbci.signal.recipe import Recipe

VERSION = 3
LARGEST_COEFFICIENT = 1e3  # of a filter; a band-pass of order 4 stays below 10


def _printable(text: str) -> str:
    """``text`` unless a terminal would obey it: a bundle from elsewhere is printed in sentences."""
    if not text.isprintable():
        raise ValueError("holds control characters")
    return text


Text = Annotated[str, AfterValidator(_printable)]
Name = Annotated[Text, Field(min_length=1, max_length=200)]
Subject = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,100}$")]  # it names a folder
Pair = tuple[float, float]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class FilterFile(_Model):
    """Second-order sections (n, 6) and their start (n, 2)."""

    sos: Annotated[tuple[tuple[float, ...], ...], Field(min_length=1, max_length=32)]
    start: Annotated[tuple[Pair, ...], Field(min_length=1, max_length=32)]


class RecipeFile(_Model):
    """``Recipe`` as it lies on disk."""

    rate: Annotated[float, Field(gt=0, le=50_000)]
    channels: Annotated[tuple[Name, ...], Field(min_length=1, max_length=1024)]
    reference: Literal["average"] | tuple[Name, ...] | None
    line: Annotated[float, Field(gt=0, le=1000)] | None
    bands: Annotated[tuple[Pair, ...], Field(min_length=1, max_length=32)]
    filters: Annotated[tuple[FilterFile, ...], Field(min_length=1, max_length=32)]
    streams: Annotated[int, Field(ge=1, le=32)]
    check: Annotated[int, Field(ge=0, lt=32)]
    window: tuple[Annotated[float, Field(ge=-10)], Annotated[float, Field(le=60)]]
    look: tuple[Annotated[float, Field(ge=-10)], Annotated[float, Field(le=60)]]
    lag: Annotated[float, Field(ge=0, le=1)]
    decimation: Annotated[int, Field(ge=1, le=1000)]
    reject: Annotated[float, Field(gt=0)] | None
    settle: Annotated[float, Field(ge=0, le=600)]


class SubjectFile(_Model):
    """``subject.json``: all that is not an array."""

    format: Literal["rtbci bundle"] = "rtbci bundle"
    version: int = VERSION
    subject: Subject
    created: Name
    paradigm: Name
    decoder: Name  # family, as rtbci.decoding.decoders.decoder_of takes it
    described: Text  # the fitted or chosen method, and why
    classes: Annotated[tuple[Name, ...], Field(min_length=2, max_length=1000)]
    labels: dict[Name, Name]  # marker text to class
    frequencies: Annotated[tuple[float, ...], Field(max_length=1000)] = ()  # flicker, Hz
    recipe: RecipeFile
    temperature: Annotated[float, Field(ge=0.001, le=1e6)]
    sure: Annotated[float, Field(ge=0, le=1)]
    verdict: Text  # the word; with the next two it is ``statistics.verdict.Verdict``
    reason: Text = ""
    above_chance: bool | None = None  # None in bundles of before, too
    training: dict[str, object] = {}  # files by hash, trials, accuracy with interval and chance
    weights_sha256: Name


def recipe_file(recipe: Recipe) -> RecipeFile:
    """``recipe`` as it is written."""
    values = {name: getattr(recipe, name) for name in RecipeFile.model_fields}
    values["filters"] = [
        {"sos": each.sos.tolist(), "start": each.start.tolist()} for each in recipe.filters
    ]
    return RecipeFile.model_validate(values)


def recipe_of(document: RecipeFile) -> Recipe:
    """The recipe in a ``subject.json``; raises ``ValueError`` for invalid filters."""
    filters = []
    for each in document.filters:
        sos, start = np.array(each.sos), np.array(each.start)
        if sos.shape != (len(sos), 6) or start.shape != (len(sos), 2):
            raise ValueError("filter sections must have six coefficients and two states")
        if not ((abs(sos[:, 5]) < 1) & (abs(sos[:, 4]) < 1 + sos[:, 5])).all():
            raise ValueError("a filter is not stable")
        with np.errstate(all="ignore"):
            expected = steady_state(sos)
            if not (sos[:, 3] == 1).all() or not np.allclose(start, expected, 1e-3, 1e-3):
                raise ValueError("the start of a filter does not fit its sections")
        if abs(sos).max() > LARGEST_COEFFICIENT:
            raise ValueError(f"a filter has a coefficient beyond {LARGEST_COEFFICIENT:g}")
        filters.append(Filter(sos, start))
    values = {name: getattr(document, name) for name in RecipeFile.model_fields}
    return Recipe(**{**values, "filters": tuple(filters)})
