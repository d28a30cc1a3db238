"""A subject bundle: everything between microvolts and a decision, for one person, in one folder.

    sub-02/2026-11-21_1030/
        subject.json            purpose and origin of the decoder; readable by people
        weights.safetensors     the arrays of the decoder and of the latency template

Nothing in it can run code. A bundle that does not fit the stream is refused with the difference.
"""

import hashlib
import math
import os
import re
import shutil
import struct
import tempfile
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from rtbci.decoding.bundle_file import VERSION, SubjectFile, recipe_file, recipe_of
from rtbci.decoding.decoders import FAMILIES, UPDATED, accepts, decoder_of, knows
from rtbci.decoding.interpolation import Interpolation
from rtbci.decoding.latency_gate import Template
from rtbci.decoding.scorer import Scorer
from rtbci.errors import BadBundle, BadInput
from rtbci.foreign_text import clean, parse_json
from rtbci.signal.recipe import Recipe
from rtbci.statistics.verdict import UNTESTED, Verdict, stored
from rtbci.types import Array, Decoder, StreamInfo

RATE_TOLERANCE = 0.005  # of the nominal rate
LARGEST_JSON = 16 * 2**20  # bytes
LARGEST_WEIGHTS = 2**30  # bytes
LARGEST_HEADER = 2**20  # bytes of the names and shapes of all arrays
OTHER_ARRAYS = (
    *("template.weights", "template.projection", "template.strength"),
    *("spare.covariance", "spare.swing", "align.reference"),
)
LARGEST_WEIGHT = 1e30  # covariances of the wildest signal stay below 1e18 uV^2
LARGEST_WINDOW = 2**24  # values, all streams together


@dataclass(frozen=True)
class Bundle:
    """A subject's decoder with all that it needs, in memory."""

    subject: str
    paradigm: str
    family: str
    described: str
    labels: Mapping[str, str]  # marker text to class
    recipe: Recipe
    decoder: Decoder
    frequencies: tuple[float, ...] = ()  # flicker of each class, Hz
    template: Template | None = None  # of the latency gate
    spare: Interpolation | None = None  # where electrodes may be missing
    align: Array | None = None  # ``alignment.reference``, where recent trials are aligned to it
    temperature: float = 1.0  # logits are divided by it
    sure: float = 0.0  # probability from which a decision counts as sure
    verdict: Verdict = UNTESTED
    training: Mapping[str, object] = field(default_factory=dict)
    created: str = ""
    path: Path | None = None

    def resolve(self, info: StreamInfo) -> list[int]:
        """Columns of the bundle's electrodes in a stream; extra channels are ignored.

        -1 for an absent electrode, if the bundle can interpolate as many. Raises
        ``BadBundle`` for another rate, another unit or more electrodes that are not there.
        """
        recipe = self.recipe
        if abs(info.rate / recipe.rate - 1) > RATE_TOLERANCE:
            raise BadBundle(
                f"{info.name} runs at {info.rate:g} Hz, the bundle of {self.subject} was made for "
                f"{recipe.rate:g} Hz; calibrate anew at {info.rate:g} Hz"
            )
        if info.unit_from == "unknown":
            raise BadBundle(
                f"{info.name} does not say its unit, the bundle of {self.subject} counts in "
                "microvolts; state it with --unit"
            )
        missing = [name for name in recipe.channels if name not in info.channels]
        most = self.spare.most if self.spare else 0
        if len(missing) > most:
            spared = f" (it can spare {most})" if most else ""
            raise BadBundle(
                f"{info.name} has no electrode {', '.join(missing)}, which the bundle of "
                f"{self.subject} needs{spared}; it has {', '.join(info.channels)}. "
                "Rename with --rename FILE, or calibrate anew with these"
            )
        where = {name: column for column, name in enumerate(info.channels)}
        return [where.get(name, -1) for name in recipe.channels]

    def can_spare(self, info: StreamInfo, dead: Collection[str]) -> bool:
        """Whether a stream without the electrodes ``dead`` can still be decoded."""
        gone = [n for n in self.recipe.channels if n in dead or n not in info.channels]
        return self.spare is not None and len(gone) <= self.spare.most

    def save(self, root: Path) -> Path:
        """Write ``root/subject/date_time/`` and return it; nothing is ever overwritten.

        The folder appears whole or not at all.
        """
        from safetensors.numpy import save

        if not re.fullmatch(r"[\w-]{1,100}", self.subject):
            raise BadInput(
                f"{self.subject!r} cannot name a folder; letters, digits, - and _ only, e.g. sub-02"
            )
        arrays = {f"decoder.{k}": v for k, v in self.decoder.arrays().items()}
        if self.template is not None:
            arrays["template.weights"] = self.template.weights
            arrays["template.projection"] = self.template.projection
            arrays["template.strength"] = np.array([self.template.strength])
        if self.spare is not None:
            arrays["spare.covariance"] = self.spare.covariance
            arrays["spare.swing"] = self.spare.swing
        if self.align is not None:
            arrays["align.reference"] = self.align
        blob = save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
        document = SubjectFile(
            subject=self.subject,
            created=self.created or datetime.now().astimezone().isoformat(timespec="seconds"),
            paradigm=self.paradigm,
            decoder=self.family,
            described=self.described,
            classes=self.decoder.classes,
            labels=dict(self.labels),
            frequencies=self.frequencies,
            recipe=recipe_file(self.recipe),
            temperature=self.temperature,
            sure=self.sure,
            verdict=self.verdict.word,
            reason=self.verdict.reason,
            above_chance=self.verdict.above_chance,
            training=dict(self.training),
            weights_sha256=hashlib.sha256(blob).hexdigest(),
        )
        home = root / self.subject
        try:
            home.mkdir(parents=True, exist_ok=True)
            part = Path(tempfile.mkdtemp(prefix=".part-", dir=home))
            try:
                (part / "weights.safetensors").write_bytes(blob)
                (part / "subject.json").write_text(document.model_dump_json(indent=1), "utf-8")
                return _into_place(part, home)
            except BaseException:
                with suppress(OSError):
                    for file in part.iterdir():
                        file.unlink()
                    part.rmdir()
                raise
        except OSError as error:
            raise BadInput(
                f"cannot write the bundle to {home}: {error.strerror or error}; "
                "choose another folder with --out"
            ) from error


def load_bundle(path: str | Path) -> Bundle:
    """The bundle in ``path``, or the newest one below it.

    Raises ``BadBundle`` for anything that is not a whole, well-formed bundle.
    """
    folder = newest_bundle(Path(path))
    if folder is None:
        raise BadBundle(f"no bundle in {path}; rtbci calibrate makes one")
    document = _document(folder)
    if not knows(document.decoder):
        known = ", ".join((*FAMILIES, f"{UPDATED}..."))
        raise BadBundle(f"{folder}: unknown decoder {document.decoder!r}; this rtbci has {known}")
    arrays = _arrays(folder, document)
    decoder_arrays = {
        name.removeprefix("decoder."): array
        for name, array in arrays.items()
        if name.startswith("decoder.")
    }
    try:
        recipe = recipe_of(document.recipe)
        decoder = decoder_of(document.decoder, document.classes, decoder_arrays)
        template = None
        if "template.weights" in arrays:
            strength = float(arrays["template.strength"][0])
            template = Template(arrays["template.weights"], arrays["template.projection"], strength)
        spare = None
        if "spare.covariance" in arrays:
            spare = Interpolation(arrays["spare.covariance"], arrays["spare.swing"])
        align = arrays.get("align.reference")
        _try_out(recipe, decoder, template, spare, align)
    except (KeyError, TypeError, ValueError, IndexError, AssertionError) as error:
        raise BadBundle(
            f"{folder}: its arrays do not fit its recipe ({type(error).__name__}: {error}); "
            "restore it from a copy or calibrate anew"
        ) from error
    unknown = set(document.labels.values()) - set(document.classes)
    if unknown:
        raise BadBundle(f"{folder}: labels name classes it does not have: {sorted(unknown)}")
    return Bundle(
        subject=document.subject,
        paradigm=document.paradigm,
        family=document.decoder,
        described=document.described,
        labels=document.labels,
        frequencies=document.frequencies,
        recipe=recipe,
        decoder=decoder,
        template=template,
        spare=spare,
        align=align,
        temperature=document.temperature,
        sure=document.sure,
        verdict=stored(document.model_dump()),
        training=document.training,
        created=document.created,
        path=folder,
    )


def newest_bundle(path: Path) -> Path | None:
    """``path`` itself if it is a bundle, else the newest of its children or grandchildren."""
    try:
        if (path / "subject.json").exists():
            return path
        found = [file.parent for pattern in ("*", "*/*") for file in _bundles(path, pattern)]
    except OSError as error:
        raise BadBundle(f"cannot read {path}: {error.strerror or error}") from error
    return max(found, key=lambda folder: (folder.name, str(folder)), default=None)


def _bundles(path: Path, pattern: str) -> list[Path]:
    files = path.glob(f"{pattern}/subject.json")
    return [file for file in files if not file.parent.name.startswith(".")]


def _document(folder: Path) -> SubjectFile:
    file = folder / "subject.json"
    try:
        if not file.is_file() or file.stat().st_size > LARGEST_JSON:
            raise BadBundle(f"{file} is no file of reasonable size; restore it from a copy")
        values = parse_json(file.read_bytes().decode("utf-8"))
        version = values.get("version", VERSION) if isinstance(values, dict) else VERSION
        if version != VERSION:  # first: another version may have other fields
            raise BadBundle(
                f"{folder} has bundle version {str(version)[:20]}, this rtbci reads {VERSION}; "
                "use the rtbci that made it, or calibrate anew"
            )
        return SubjectFile.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = clean(".".join(str(part) for part in first["loc"]))[:100]  # keys may be any text
        more = f" ({error.error_count()} fields)" if error.error_count() > 1 else ""
        raise BadBundle(f"{file}: {where}: {first['msg'].lower()}{more}") from error
    except (ValueError, RecursionError) as error:
        raise BadBundle(f"{file} is damaged: {error}; restore it from a copy") from error
    except OSError as error:
        raise BadBundle(f"cannot read {file}: {error.strerror or error}") from error


def _arrays(folder: Path, document: SubjectFile) -> dict[str, Array]:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    file = folder / "weights.safetensors"
    try:
        if not file.is_file() or file.stat().st_size > LARGEST_WEIGHTS:
            raise BadBundle(f"{file} is missing or too large; restore the bundle from a copy")
        _check_names(file, document.decoder)
        blob = file.read_bytes()
    except OSError as error:
        raise BadBundle(f"cannot read {file}: {error.strerror or error}") from error
    if hashlib.sha256(blob).hexdigest() != document.weights_sha256:
        raise BadBundle(
            f"{file} is not the file that subject.json was written with (its hash differs); "
            "restore the bundle from a copy or calibrate anew"
        )
    try:
        arrays = load(blob)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise BadBundle(f"{file} is damaged: {error}; restore it from a copy") from error
    for name, array in arrays.items():
        if array.dtype.kind not in "fiu" or not np.isfinite(array).all():
            raise BadBundle(f"{file}: array {name} holds values that are no numbers")
        if array.size and max(float(array.max()), -float(array.min())) > LARGEST_WEIGHT:
            raise BadBundle(
                f"{file} is damaged: array {name} holds values beyond {LARGEST_WEIGHT:g}, which "
                "nothing measured gives; restore it from a copy"
            )
    return arrays


def _check_names(file: Path, family: str) -> None:
    """Raises ``BadBundle`` for an array that no part of the decoder has, from the header alone."""
    with open(file, "rb") as opened:
        (length,) = struct.unpack("<Q", opened.read(8).ljust(8, b"\0"))
        if not 2 <= length <= LARGEST_HEADER:
            raise BadBundle(f"{file} is damaged: its header is absurd; restore it from a copy")
        try:
            names = parse_json(opened.read(length).decode())
        except (ValueError, RecursionError) as error:
            raise BadBundle(f"{file} is damaged: {clean(str(error))}; restore it") from error
    for name in names if isinstance(names, dict) else ():
        own = name.removeprefix("decoder.") if name.startswith("decoder.") else None
        if name not in (*OTHER_ARRAYS, "__metadata__") and not (own and accepts(family, own)):
            raise BadBundle(
                f"{file} holds an array {clean(name)!r} that a decoder {family!r} does not have; "
                "restore the bundle from a copy or calibrate anew"
            )


def _try_out(
    recipe: Recipe,
    decoder: Decoder,
    template: Template | None,
    spare: Interpolation | None,
    align: Array | None,
) -> None:
    """Windows through the whole path, so that misfits show before a participant waits."""
    assert recipe.streams <= len(recipe.filters) == len(recipe.bands), "streams"
    assert recipe.check < len(recipe.filters), "check stream"
    assert recipe.last > recipe.first, "empty window"
    assert recipe.look[0] < recipe.look[1], "empty look"
    assert len(set(recipe.channels)) == len(recipe.channels), "a channel twice"
    assert len(set(decoder.classes)) == len(decoder.classes), "a class twice"
    if isinstance(recipe.reference, tuple):
        assert recipe.reference, "reference"
        assert set(recipe.reference) <= set(recipe.channels), "reference"
    rng = np.random.default_rng(0)
    shape = (len(recipe.filters), len(recipe.channels), recipe.last - recipe.first)
    assert math.prod(shape) <= LARGEST_WINDOW, "window too large"
    window = rng.standard_normal(shape).astype(np.float32)
    missing = None
    if spare is not None:
        n = len(recipe.channels)
        assert spare.covariance.shape == (len(recipe.filters), n, n), "spare"
        assert spare.swing.shape == (n,), "spare"
        missing = np.arange(n) < spare.most
    if align is not None:
        n = len(recipe.channels)
        assert align.shape == (recipe.streams, n, n), "alignment"
        assert (np.linalg.eigvalsh(align) > 0).all(), "alignment"
    judge = Scorer(recipe, decoder, template, spare, align)
    for amplitude in (1, 30, 1000):  # uV
        with np.errstate(all="ignore"):  # values that are not finite are refused below
            logits = judge(amplitude * window, missing=missing).logits
        assert logits.shape == (len(decoder.classes),), "log-odds"
        assert np.isfinite(logits).all(), "log-odds"


def _into_place(part: Path, home: Path) -> Path:
    """Rename the finished folder to its date; a second one in the same minute gets a number."""
    stamp = datetime.now().strftime("%Y-%m-%d_%H%M")
    for number in range(1, 1000):
        target = home / (stamp if number == 1 else f"{stamp}_{number:03d}")
        if not target.exists():
            os.chmod(part, 0o700)
            os.rename(part, target)
            return target
    shutil.rmtree(part)
    raise BadInput(f"{home} holds 999 bundles of this minute; remove some")
