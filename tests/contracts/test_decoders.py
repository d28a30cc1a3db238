"""The contract of every decoder: one window in, one log-odds per class out, all of it in arrays."""

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from calibration.fitting import evoked, oscillation
from rtbci.bench.network import EMBEDDING, random_montagenet
from rtbci.decoding.bundle import Bundle, load_bundle
from rtbci.decoding.decoders import FAMILIES, UPDATED, decoder_of
from rtbci.decoding.decoders.montagenet import POOL
from rtbci.decoding.decoders.stacked import StackedDecoder
from rtbci.decoding.decoders.updated import UpdatedDecoder
from rtbci.decoding.pipeline import Pipeline
from rtbci.engine.timed_decoder import TimedDecoder
from rtbci.errors import BadBundle
from rtbci.process import Reporter
from rtbci.signal.recipe import EVOKED_BANDS, EVOKED_WINDOW, Recipe, make_recipe
from rtbci.types import Answer, Array, Decoder
from sims.generate import generate

RATE = 128.0
TEXT_SIZE = 12  # dimensions of the text space here
NAMES = tuple(f"E{number}" for number in range(64))


@dataclass(frozen=True)
class Case:
    """A fitted decoder, the recipe it belongs to, and windows it has not seen."""

    family: str
    decoder: Decoder
    recipe: Recipe
    x: Array  # (windows, streams, channels, times)


def noise(n: int, streams: int, channels: int, times: int, seed: int) -> Array:
    """Windows of slow noise, microvolts."""
    rng = np.random.default_rng([seed, streams, channels])
    x = rng.standard_normal((n, streams, channels, times + 8)).cumsum(axis=3)
    return 5 * (x[..., 8:] - x[..., :-8])


@cache
def case(name: str) -> Case:
    """The decoder called ``name``, fitted once."""
    family, k, channels, *frequencies = CASES[name]
    classes = tuple("abcdef"[:k])
    y = np.arange(12 * k) % k
    if family != "oscillation":
        bands, window = EVOKED_BANDS, EVOKED_WINDOW
        if family.endswith("stacked"):
            bands = (*bands, (0.3, 40.0))
    else:
        band = (6.0, 40.0) if frequencies else (8.0, 30.0)
        bands = tuple(oscillation.filter_bank(band, tuple(frequencies)))
        window = (0.5, 2.5)
    recipe = make_recipe(
        RATE, NAMES[:channels], bands=bands, window=window, gate=False, reject=None
    )
    times = recipe.last - recipe.first
    x = noise(len(y), len(bands), channels, times, seed=0)
    x[..., : times // 2] *= 1 + 0.3 * y[:, None, None, None]  # something to learn
    span = np.array([0.0, times])
    if family == "evoked":
        decoder: Decoder = evoked.fit(x, y, classes, RATE)
    elif family == "updated evoked":
        old, new = evoked.fit(x, y, classes, RATE), evoked.fit(x[::-1], y[::-1], classes, RATE)
        decoder = UpdatedDecoder(classes, old, new, np.array([0.7, 0.3]), np.ones(k), span)
    elif family.endswith("stacked"):
        seen = np.array([0.0, times - times % POOL])
        net = replace(
            random_montagenet(channels, classes, int(seen[1])),
            stream=np.array([2.0]),
            text_head=np.random.default_rng(5).standard_normal((TEXT_SIZE, EMBEDDING)),
            text_bias=np.zeros(TEXT_SIZE),
        )
        closed = evoked.fit(x[:, :2], y, classes, RATE)
        decoder = StackedDecoder(classes, closed, net, np.array([0.5, 0.5]), np.stack([span, seen]))
        if family == "updated stacked":
            decoder = UpdatedDecoder(
                classes, decoder, closed, np.array([0.7, 0.3]), np.ones(k), span
            )
    else:
        decoder, _ = oscillation.fit(x, y, classes, RATE, bands[0], tuple(frequencies))
    return Case(family, decoder, recipe, noise(7, len(bands), channels, times, seed=1))


CASES: dict[str, tuple] = {  # family, classes, electrodes, flicker
    "evoked, 2 classes, 4 electrodes": ("evoked", 2, 4),
    "evoked, 4 classes, 16 electrodes": ("evoked", 4, 16),
    "evoked, 2 classes, 30 electrodes": ("evoked", 2, 30),
    "evoked, 6 classes": ("evoked", 6, 4),
    "evoked, 1 electrode": ("evoked", 2, 1),
    "rhythm, 2 classes": ("oscillation", 2, 4),
    "rhythm, 3 classes, 16 electrodes": ("oscillation", 3, 16),
    "flicker, 2 classes": ("oscillation", 2, 4, 15.0, 10.0),
    "flicker, 3 classes": ("oscillation", 3, 4, 15.0, 10.0, 12.0),
    "stacked, 4 classes, 16 electrodes": ("stacked", 4, 16),
    "updated, 2 classes": ("updated evoked", 2, 4),
    "updated stacked, 4 classes": ("updated stacked", 4, 16),
}
every_decoder = pytest.mark.parametrize("name", CASES)


def bundle(made: Case) -> Bundle:
    """The decoder as a bundle that decodes markers named like its classes."""
    classes = made.decoder.classes
    return Bundle("sub-01", made.family, made.family, "as fitted", dict(zip(classes, classes,
                  strict=True)), made.recipe, made.decoder)  # fmt: skip


def test_every_family_has_a_case():
    families = {family for family, *_ in CASES.values()}
    assert families == {*FAMILIES, f"{UPDATED}evoked", f"{UPDATED}stacked"}


@every_decoder
def test_one_finite_log_odds_for_each_class(name):
    made = case(name)
    for window in made.x:
        logits = made.decoder.logits(window)
        assert logits.shape == (len(made.decoder.classes),)
        assert logits.dtype == np.float64
        assert np.isfinite(logits).all()
    assert np.ptp([made.decoder.logits(window)[0] for window in made.x]) > 0


@every_decoder
def test_a_window_gives_the_same_log_odds_whatever_came_before_it(name):
    made = case(name)
    alone = [made.decoder.logits(window) for window in made.x]
    for number in reversed(range(len(made.x))):
        assert np.array_equal(made.decoder.logits(made.x[number]), alone[number])


@every_decoder
def test_an_answer_holds_the_log_odds_and_an_embedding_only_with_a_text_head(name):
    made = case(name)
    timed = TimedDecoder(made.decoder, lambda: made.decoder, Reporter("decode", as_json=True))
    for window in made.x:
        answer = made.decoder.answer(window)
        assert np.array_equal(answer.logits, made.decoder.logits(window))
        if made.decoder.dimensions:
            assert answer.embedding is not None
            assert answer.embedding.shape == (made.decoder.dimensions,)
            assert answer.embedding.dtype == np.float64
            assert np.linalg.norm(answer.embedding) == pytest.approx(1)
        else:
            assert answer.embedding is None
        again = timed.answer(window)
        assert np.array_equal(again.logits, answer.logits)
        assert (again.embedding is None) == (answer.embedding is None)
    assert timed.dimensions == made.decoder.dimensions


@every_decoder
def test_a_decision_carries_the_embedding_of_its_window(name):
    made = case(name)
    channels = len(made.recipe.channels)
    recording = generate(3, n_trials=12, channels=channels, rate=RATE, soa=3.0)
    labels = dict(zip(("1", "2"), made.decoder.classes, strict=False))
    names = tuple(recording.info.channels)
    recipe = replace(made.recipe, channels=names)
    chain = Pipeline(replace(bundle(made), recipe=recipe, labels=labels), recording.info)
    decided = [each for each in chain.run(recording.items()) if each.label is not None]
    assert decided
    for decision in decided:
        found = decision.embedding
        assert (found is None) == (made.decoder.dimensions == 0)
        assert found is None or found.shape == (made.decoder.dimensions,)


def test_families_with_and_without_a_text_head_are_both_in_the_contract():
    assert {case(name).decoder.dimensions > 0 for name in CASES} == {True, False}


def test_a_network_without_weight_still_gives_its_embedding():
    made = case("stacked, 4 classes, 16 electrodes")
    decoder = made.decoder
    assert isinstance(decoder, StackedDecoder)
    alone = replace(decoder, weights=np.array([1.0, 0.0]))
    answer, full = alone.answer(made.x[0]), decoder.answer(made.x[0])
    assert np.array_equal(answer.logits, alone.logits(made.x[0]))
    assert answer.embedding is not None
    assert full.embedding is not None
    assert np.array_equal(answer.embedding, full.embedding)


@every_decoder
def test_the_window_stays_as_it_was(name):
    made = case(name)
    window = made.x[0].copy()
    window.setflags(write=False)
    made.decoder.logits(window)
    assert np.array_equal(window, made.x[0])


@every_decoder
def test_the_layout_in_memory_does_not_matter(name):
    made = case(name)
    strided = np.repeat(made.x[0], 2, axis=-1)[..., ::2]
    fortran = np.asfortranarray(made.x[0])
    for other in (strided, fortran):
        assert made.decoder.logits(other) == pytest.approx(made.decoder.logits(made.x[0]), abs=1e-9)


@every_decoder
@pytest.mark.parametrize("what", ["silence", "one electrode flat", "loud", "a constant"])
def test_a_strange_window_gives_numbers_all_the_same(name, what):
    made = case(name)
    window = {
        "silence": np.zeros_like(made.x[0]),
        "one electrode flat": made.x[0] * (np.arange(made.x.shape[2]) > 0)[:, None],
        "loud": 1e6 * made.x[0],
        "a constant": np.full_like(made.x[0], 17.0),
    }[what]
    assert np.isfinite(made.decoder.logits(window)).all()


@every_decoder
def test_arrays_are_plain_numbers_without_strides(name):
    arrays = case(name).decoder.arrays()
    assert arrays
    for key, array in arrays.items():
        assert isinstance(array, np.ndarray), key
        assert array.dtype.kind in "fi", key
        assert np.isfinite(array).all(), key


@every_decoder
def test_saved_and_loaded_it_is_the_same_to_the_last_bit(name, tmp_path):
    made = case(name)
    loaded = load_bundle(bundle(made).save(tmp_path)).decoder
    assert type(loaded) is type(made.decoder)
    assert loaded.classes == made.decoder.classes
    arrays = made.decoder.arrays()
    assert loaded.arrays().keys() == arrays.keys()
    for key, array in loaded.arrays().items():
        assert array.dtype == arrays[key].dtype, key
        assert array.tobytes() == np.ascontiguousarray(arrays[key]).tobytes(), key
    for window in made.x:
        assert np.array_equal(loaded.logits(window), made.decoder.logits(window))


@every_decoder
def test_a_decoder_with_an_array_missing_or_unknown_is_refused(name):
    made = case(name)
    arrays = made.decoder.arrays()
    with pytest.raises((KeyError, TypeError, ValueError)):
        decoder_of(made.family, made.decoder.classes, {})
    for key in list(arrays)[:3]:
        rest = {other: array for other, array in arrays.items() if other != key}
        with pytest.raises((KeyError, TypeError, ValueError)):
            decoder_of(made.family, made.decoder.classes, rest)


@dataclass(frozen=True)
class Bent:
    """A decoder whose arrays were tampered with before they were saved."""

    classes: tuple[str, ...]
    given: dict[str, Array]
    dimensions: int = 0

    def answer(self, x: Array) -> Answer:
        raise NotImplementedError

    def logits(self, x: Array) -> Array:
        raise NotImplementedError

    def arrays(self) -> dict[str, Array]:
        return self.given


@every_decoder
def test_arrays_of_another_shape_are_refused_when_they_are_loaded(name, tmp_path):
    made = case(name)
    wrong = {}
    for key, array in made.decoder.arrays().items():
        wrong[f"{key} cut"] = {key: array[:-1]}
        wrong[f"{key} empty"] = {key: array[:0]}
        wrong[f"{key} flat"] = {key: array.reshape(-1)} if array.ndim > 1 else {}
        wrong[f"{key} not a number"] = {key: np.full(array.shape, np.nan)}
    accepted = []
    for what, change in wrong.items():
        if all(array.size == 0 and key.endswith("xdawn_filters") for key, array in change.items()):
            continue  # a decoder without xDAWN is a decoder
        arrays = made.decoder.arrays() | change
        if all(np.array_equal(arrays[key], made.decoder.arrays()[key]) for key in arrays):
            continue
        folder = replace(bundle(made), decoder=Bent(made.decoder.classes, arrays)).save(tmp_path)
        try:
            load_bundle(folder)
        except BadBundle:
            continue
        accepted.append(what)
    # an array that is never used cannot be wrong
    unused = {"xdawn_prototypes", "xdawn_whitening", "xdawn_coef", "xdawn_bias"}
    if not len(made.decoder.arrays().get("xdawn_filters", [1])):
        accepted = [what for what in accepted if what.split()[0] not in unused]
    assert not accepted


@every_decoder
def test_a_window_of_another_size_is_no_decision(name):
    made = case(name)
    for window in (made.x[0][..., :-20], made.x[0][:, :0]):
        with pytest.raises((AssertionError, ValueError, IndexError)):
            made.decoder.logits(window)


def test_a_bundle_is_two_files_in_one_folder(tmp_path):
    folder = bundle(case("evoked, 2 classes, 4 electrodes")).save(tmp_path)
    assert sorted(path.name for path in Path(folder).iterdir()) == [
        "subject.json", "weights.safetensors",
    ]  # fmt: skip
