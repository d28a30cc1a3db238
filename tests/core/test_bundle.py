"""Subject bundles: whole or refused, never overwritten, and every refusal is a sentence."""

import hashlib
import json
import os
import shutil
import stat
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save

from calibration.fitting.training import CalibrationSettings, calibrate
from rtbci.decoding import bundle as module
from rtbci.decoding.bundle import Bundle, load_bundle, newest_bundle
from rtbci.decoding.decoders import accepts
from rtbci.decoding.pipeline import Pipeline
from rtbci.errors import BadBundle, BadInput
from rtbci.types import StreamInfo
from sims.generate import generate

LABELS = {"1": "house", "2": "face"}


def nothing(_stage: str, _done: int, _of: int) -> None:
    """Progress that nobody looks at."""


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    """A small bundle with a latency template, not saved."""
    recording = generate(1, n_trials=60, soa=1.0, channels=4)
    return calibrate(
        [recording], CalibrationSettings("sub-01", LABELS), nothing, permute=False
    ).bundle


@pytest.fixture(scope="module")
def saved(bundle, tmp_path_factory) -> Path:
    """The same on disk; not to be changed."""
    return bundle.save(tmp_path_factory.mktemp("bundles"))


@pytest.fixture
def folder(saved, tmp_path) -> Path:
    """A copy on disk to be spoilt."""
    return Path(shutil.copytree(saved, tmp_path / "copy"))


def change(folder: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    """Edit ``subject.json`` in place."""
    file = folder / "subject.json"
    document = json.loads(file.read_text("utf-8"))
    edit(document)
    file.write_text(json.dumps(document), "utf-8")


def put_weights(folder: Path, blob: bytes) -> None:
    """Other weights, with the hash that belongs to them."""
    (folder / "weights.safetensors").write_bytes(blob)
    change(folder, lambda d: d.update(weights_sha256=hashlib.sha256(blob).hexdigest()))


def refusal(folder: Path) -> str:
    """The sentence with which a bundle is refused."""
    with pytest.raises(BadBundle) as caught:
        load_bundle(folder)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert len(sentence) < 600
    return sentence


def stream(bundle: Bundle, **changes: Any) -> StreamInfo:
    """A stream that fits, but for ``changes``."""
    names = changes.pop("channels", bundle.recipe.channels)
    info = StreamInfo("cap", bundle.recipe.rate, tuple(names), ("EEG",) * len(names))
    return replace(info, **changes)


def test_what_was_saved_is_what_is_loaded(bundle, saved):
    loaded = load_bundle(saved)
    for name in ("subject", "paradigm", "family", "described", "labels", "frequencies",
                 "temperature", "sure", "verdict"):  # fmt: skip
        assert getattr(loaded, name) == getattr(bundle, name), name
    assert loaded.path == saved
    assert datetime.fromisoformat(loaded.created).tzinfo is not None
    assert loaded.decoder.classes == bundle.decoder.classes == ("house", "face")
    assert json.loads(json.dumps(loaded.training)) == json.loads(json.dumps(bundle.training))
    for name in ("rate", "channels", "reference", "line", "bands", "streams", "check", "window",
                 "look", "lag", "decimation", "reject", "settle"):  # fmt: skip
        assert getattr(loaded.recipe, name) == getattr(bundle.recipe, name), name
    for one, other in zip(loaded.recipe.filters, bundle.recipe.filters, strict=True):
        assert np.array_equal(one.sos, other.sos)
        assert np.array_equal(one.start, other.start)
    assert bundle.template is not None
    assert loaded.template is not None
    assert np.array_equal(loaded.template.weights, bundle.template.weights)
    assert np.array_equal(loaded.template.projection, bundle.template.projection)


def test_it_decides_the_same_after_it_was_saved(bundle, saved):
    recording = generate(2, n_trials=30, soa=1.0, channels=4)
    one = Pipeline(bundle, recording.info).run(recording.items())
    assert one == Pipeline(load_bundle(saved), recording.info).run(recording.items())
    assert len({decision.label for decision in one}) == 2


def test_training_is_remembered_without_folders(saved):
    document = json.loads((saved / "subject.json").read_text("utf-8"))
    (file,) = document["training"]["files"]
    assert file["trials"] == 60
    assert len(file["sha256"]) == 64
    assert "/" not in file["name"]


def test_nothing_in_a_bundle_can_run(saved):
    for file in saved.iterdir():
        blob = file.read_bytes()
        assert b"pickle" not in blob
        # how a pickle begins; safetensors begin with a length, which may look the same
        assert not blob.startswith(b"\x80") or blob[8:9] == b"{"
    json.loads((saved / "subject.json").read_text("utf-8"))
    assert all(
        array.dtype.kind in "fi" for array in load_file(saved / "weights.safetensors").values()
    )


# Where it lies


def test_it_lies_below_the_subject_under_its_date_for_its_owner_alone(bundle, tmp_path):
    folder = bundle.save(tmp_path / "new" / "place")
    assert folder.parent == tmp_path / "new" / "place" / "sub-01"
    datetime.strptime(folder.name, "%Y-%m-%d_%H%M")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]  # nothing half done


def test_nothing_is_overwritten_within_a_minute(bundle, tmp_path, monkeypatch):
    class Still(datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2026, 11, 21, 10, 30, tzinfo=tz)

    monkeypatch.setattr(module, "datetime", Still)
    folders = [bundle.save(tmp_path) for _ in range(12)]
    assert [folder.name for folder in folders[:3]] == [
        "2026-11-21_1030", "2026-11-21_1030_002", "2026-11-21_1030_003",
    ]  # fmt: skip
    assert len(set(folders)) == 12
    assert newest_bundle(tmp_path) == folders[-1]


def test_the_newest_of_a_person_and_of_a_folder_of_persons(saved, tmp_path):
    for name in ("sub-01/2026-11-20_0900", "sub-01/2026-11-21_1030_002", "sub-01/2026-11-21_1030",
                 "sub-02/2026-11-21_1031", "sub-02/.part-x"):  # fmt: skip
        shutil.copytree(saved, tmp_path / name)
    assert load_bundle(tmp_path / "sub-01").path == tmp_path / "sub-01/2026-11-21_1030_002"
    assert load_bundle(tmp_path / "sub-02").path == tmp_path / "sub-02/2026-11-21_1031"
    assert load_bundle(tmp_path).path == tmp_path / "sub-02/2026-11-21_1031"
    assert load_bundle(str(tmp_path / "sub-01/2026-11-20_0900")).path is not None


@pytest.mark.parametrize("what", ["nowhere", "empty", "a file"])
def test_where_there_is_none_the_command_that_makes_one_is_named(what, tmp_path):
    path = tmp_path / "x"
    if what == "empty":
        path.mkdir()
    elif what == "a file":
        path.write_text("no bundle")
    assert refusal(path) == f"no bundle in {path}; rtbci calibrate makes one"


def test_a_place_where_nothing_can_be_written_is_said(bundle, tmp_path):
    (tmp_path / "out").write_text("a file, not a folder")
    with pytest.raises(BadInput, match=r"cannot write the bundle to .*; choose another folder"):
        bundle.save(tmp_path / "out")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_said(bundle, tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(BadInput, match="cannot write the bundle to"):
        bundle.save(tmp_path)


@pytest.mark.parametrize("subject", ["../elsewhere", "/elsewhere", "a/b", "..", ".hidden", ""])
def test_a_subject_never_leads_out_of_the_folder(bundle, subject, tmp_path):
    with pytest.raises(BadInput):
        replace(bundle, subject=subject).save(tmp_path / "out")
    assert not list(tmp_path.rglob("*.json"))


# Does it fit the stream?


@pytest.mark.parametrize(
    ("rate", "fits"),
    [(250, True), (251.2, True), (248.8, True), (251.3, False), (248.7, False), (500, False)],
)
def test_a_rate_within_half_a_percent_fits(bundle, rate, fits):
    info = stream(bundle, rate=float(rate))
    if fits:
        assert bundle.resolve(info) == [0, 1, 2, 3]
    else:
        expected = f"cap runs at {rate:g} Hz, the bundle of sub-01 was made for 250 Hz"
        with pytest.raises(BadBundle, match=f"{expected}; calibrate anew at {rate:g} Hz"):
            bundle.resolve(info)


def test_electrodes_are_found_by_name_and_others_ignored(bundle):
    names = ("X1", *reversed(bundle.recipe.channels), "X2")
    assert bundle.resolve(stream(bundle, channels=names)) == [4, 3, 2, 1]


def test_the_order_of_electrodes_does_not_change_a_decision(bundle):
    recording = generate(3, n_trials=20, soa=1.0, channels=4)
    turned = recording.pick(tuple(reversed(recording.info.channels)))
    one = Pipeline(bundle, recording.info).run(recording.items())
    assert one == Pipeline(bundle, turned.info).run(turned.items())


def test_a_missing_electrode_is_named_with_what_there_is(bundle):
    names = ("A", *bundle.recipe.channels[2:])
    missing = ", ".join(bundle.recipe.channels[:2])
    with pytest.raises(BadBundle, match=f"has no electrode {missing}, .* it has A, .*--rename"):
        bundle.resolve(stream(bundle, channels=names))


def test_an_unknown_unit_is_refused(bundle):
    with pytest.raises(BadBundle, match=r"does not say its unit.*state it with --unit"):
        bundle.resolve(stream(bundle, unit="?", unit_from="unknown"))
    bundle.resolve(stream(bundle, unit="V", unit_from="inferred"))


# Damaged, or made up


@pytest.mark.parametrize("name", ["subject.json", "weights.safetensors"])
@pytest.mark.parametrize("what", ["gone", "empty", "cut", "noise", "a folder"])
def test_a_damaged_file_is_refused(folder, name, what):
    file = folder / name
    blob = file.read_bytes()
    file.unlink()
    if what == "empty":
        file.write_bytes(b"")
    elif what == "cut":
        file.write_bytes(blob[: len(blob) // 2])
    elif what == "noise":
        file.write_bytes(bytes(255 - byte for byte in blob))
    elif what == "a folder":
        file.mkdir()
    assert str(folder) in refusal(folder)


def test_weights_that_are_not_the_ones_are_refused(folder):
    file = folder / "weights.safetensors"
    blob = bytearray(file.read_bytes())
    blob[-1] ^= 1
    file.write_bytes(blob)
    assert "its hash differs" in refusal(folder)


def test_weights_that_are_no_weights_are_refused_even_if_the_hash_fits(folder):
    put_weights(folder, b"\x00" * 100)
    assert "weights.safetensors is damaged" in refusal(folder)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_refused(folder, value):
    arrays = {
        name: array.copy() for name, array in load_file(folder / "weights.safetensors").items()
    }
    arrays["decoder.lda_bias"][0] = value
    put_weights(folder, save(arrays))
    assert "decoder.lda_bias holds values that are no numbers" in refusal(folder)


@pytest.mark.parametrize("name", ["decoder.lda_bias", "template.weights"])
def test_weights_that_nothing_measured_gives_are_refused(folder, name):
    arrays = {
        name: array.copy() for name, array in load_file(folder / "weights.safetensors").items()
    }
    arrays[name].flat[0] = -1e299  # one byte of its exponent is enough
    put_weights(folder, save(arrays))
    assert f"array {name} holds values beyond 1e+30" in refusal(folder)


@pytest.mark.parametrize("name", ["decoder.lda_coef", "decoder.bin", "template.weights",
                                  "template.projection", "decoder.projection"])  # fmt: skip
def test_arrays_that_do_not_fit_are_refused(folder, name):
    arrays = load_file(folder / "weights.safetensors")
    put_weights(folder, save({**arrays, name: np.ones((3, 3))}))
    assert "its arrays do not fit its recipe" in refusal(folder)
    del arrays[name]
    put_weights(folder, save(arrays))
    if name != "template.weights":  # without one there is no gate
        assert "its arrays do not fit its recipe" in refusal(folder)


@pytest.mark.parametrize("more", [{}, {"of_the_future": 1}])
def test_another_version_is_said_before_its_unknown_fields(folder, more):
    change(folder, lambda d: d.update(version=2, **more))
    assert "bundle version 2, this rtbci reads 3" in refusal(folder)


def test_an_unknown_decoder_is_told_what_there_is(folder):
    change(folder, lambda d: d.update(decoder="crystal ball"))
    sentence = refusal(folder)
    assert "unknown decoder 'crystal ball'" in sentence
    assert "evoked, oscillation" in sentence


def test_an_array_that_no_decoder_has_is_refused_before_it_is_read(folder, monkeypatch):
    arrays = load_file(folder / "weights.safetensors")
    put_weights(folder, save({**arrays, "decoder.zzz": np.zeros(1000, np.uint8)}))
    monkeypatch.setattr(Path, "read_bytes", _only_json(Path.read_bytes))
    assert "holds an array 'decoder.zzz' that a decoder 'evoked' does not have" in refusal(folder)


def _only_json(read: Callable[[Path], bytes]) -> Callable[[Path], bytes]:
    def guarded(path: Path) -> bytes:
        assert path.suffix == ".json", f"{path.name} was read as a whole"
        return read(path)

    return guarded


@pytest.mark.parametrize("length", [0, 1, 2**40, 2**63])
def test_a_header_of_absurd_length_is_refused(folder, length):
    put_weights(folder, length.to_bytes(8, "little") + b"{}" + bytes(64))
    assert "its header is absurd" in refusal(folder)


@pytest.mark.parametrize(
    ("family", "name", "fits"),
    [
        ("evoked", "lda_bias", True),
        ("evoked", "view0.weights", False),
        ("oscillation", "view12.weights", True),
        ("oscillation", "lda_bias", False),
        ("stacked", "closed.lda_bias", True),
        ("stacked", "net.weight:depth.weight", True),
        ("stacked", "other.lda_bias", False),
        ("updated evoked", "old.lda_bias", True),
        ("updated evoked", "fresh.lda_bias", True),
        ("updated updated evoked", "old.old.lda_bias", True),
        ("updated evoked", "old.view0.weights", False),
    ],
)
def test_each_family_accepts_its_own_arrays(family, name, fits):
    assert accepts(family, name) is fits


EVIL = "\x1b]0;owned\x07\x1b[2J\x1b[32mGO"


@pytest.mark.parametrize(
    "edit",
    [
        lambda d: d["classes"].__setitem__(0, EVIL),
        lambda d: d.update(subject="02\x1b[31m"),
        lambda d: d.update(described=EVIL),
        lambda d: d.update(verdict=EVIL),
        lambda d: d.update(reason=EVIL),
        lambda d: d["labels"].update({EVIL: d["classes"][0]}),
        lambda d: d.update(subject="../sub-01"),
    ],
)
def test_text_that_a_terminal_would_obey_is_refused(folder, edit):
    change(folder, edit)
    assert refusal(folder).isprintable()


def test_a_key_that_comes_twice_is_refused(folder):
    file = folder / "subject.json"
    text = file.read_text("utf-8")
    file.write_text(text.replace("{", '{"subject": "sub-99", ', 1), "utf-8")
    assert "a key appears twice" in refusal(folder)


def recipe(**values: Any) -> Callable[[dict[str, Any]], object]:
    """An edit of the recipe."""
    return lambda document: document["recipe"].update(values)


SPOILT: dict[str, Callable[[dict[str, Any]], object]] = {
    "no rate": recipe(rate=0),
    "negative rate": recipe(rate=-250.0),
    "huge rate": recipe(rate=1e9),
    "rate not a number": recipe(rate="fast"),
    "rate nan": recipe(rate=float("nan")),
    "rate infinite": recipe(rate=float("inf")),
    "no channels": recipe(channels=[]),
    "too many channels": recipe(channels=[f"E{i}" for i in range(5000)]),
    "more channels than weights": recipe(channels=[f"E{i}" for i in range(1000)]),
    "one channel twice": lambda d: d["recipe"]["channels"].__setitem__(0, "Pz"),
    "empty channel": lambda d: d["recipe"]["channels"].__setitem__(0, ""),
    "unknown reference": recipe(reference=["Nowhere"]),
    "no streams": recipe(streams=0),
    "more streams than filters": recipe(streams=7),
    "check beyond the filters": recipe(check=9),
    "window turned round": recipe(window=[0.8, 0.1]),
    "window before the flood": recipe(window=[-1e6, 0.8]),
    "endless window": recipe(window=[0.1, 1e12]),
    "another window": recipe(window=[0.1, 0.7]),
    "huge window at a huge rate": recipe(rate=50_000, window=[-10, 60], look=[-10, 60]),
    "the same with all channels": recipe(
        rate=50_000, window=[-10, 60], look=[-10, 60], channels=[f"E{i}" for i in range(1024)]
    ),
    "look turned round": recipe(look=[0.8, 0.0]),
    "look from afar": recipe(look=[1e300, 0.8]),
    "negative lag": recipe(lag=-0.1),
    "no decimation": recipe(decimation=0),
    "huge decimation": recipe(decimation=10**9),
    "negative limit": recipe(reject=-100),
    "negative settling": recipe(settle=-1),
    "no filters": recipe(filters=[]),
    "half a section": lambda d: d["recipe"]["filters"][0]["sos"][0].pop(),
    "no start": lambda d: d["recipe"]["filters"][0].update(start=[[0.0, 0.0]]),
    "unstable filter": lambda d: d["recipe"]["filters"][0]["sos"][0].__setitem__(5, 1.5),
    "no temperature": lambda d: d.update(temperature=0),
    "temperature nan": lambda d: d.update(temperature=float("nan")),
    "next to no temperature": lambda d: d.update(temperature=1e-300),
    "sure beyond certainty": lambda d: d.update(sure=1.5),
    "one class": lambda d: d.update(classes=["house"]),
    "one class twice": lambda d: d.update(classes=["house", "house"]),
    "other classes": lambda d: d.update(classes=["house", "tree"]),
    "more classes than weights": lambda d: d.update(classes=["house", "face", "tree"]),
    "no hash": lambda d: d.update(weights_sha256=""),
    "a field too many": lambda d: d.update(payload="x"),
    "a field with an endless name": lambda d: d.update({"x" * 3000: {}}),
    "a field of two lines": lambda d: d.update({"a\nb": "x"}),
    "a field too few": lambda d: d.pop("recipe"),
    "another format": lambda d: d.update(format="something else"),
    "labels a list": lambda d: d.update(labels=["1", "2"]),
}  # fmt: skip


@pytest.mark.parametrize("what", SPOILT)
def test_fields_that_make_no_sense_are_refused(what, folder):
    change(folder, SPOILT[what])
    assert str(folder) in refusal(folder)


@pytest.mark.parametrize(
    "text", ["[]", "null", "3", '"x"', "{}", "[" * 100_000, '{"a": NaN}', "\ud800"]
)
def test_json_that_is_no_bundle_is_refused(text, folder):
    (folder / "subject.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    assert str(folder) in refusal(folder)


def test_a_file_of_absurd_size_is_not_read(folder):
    with open(folder / "subject.json", "r+b") as file:
        file.truncate(module.LARGEST_JSON + 1)
    assert "no file of reasonable size" in refusal(folder)
    shutil.copy(folder / "subject.json", folder / "x")
