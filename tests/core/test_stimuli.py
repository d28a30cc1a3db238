"""The packaged picture set: complete, free to ship, and what its captions and numbers say it is."""

import io
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rtbci import stimuli
from rtbci.errors import Missing
from rtbci.stimuli import CATEGORIES, DATA, compose
from rtbci.stimuli.features import FEATURES, looks_of
from rtbci.stimuli.scenes import SCENES, paint
from rtbci.text.minilm import MiniLM

PICTURES = stimuli.load()
LICENCES = DATA.parent / "licences"
DATASET = (  # numbers and spelling of the 122-channel dataset
    "aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog flower horse "
    "motorbike person sheep sofa train tvmonitor"
)


def grey(level: int, size: int = 256) -> np.ndarray:
    """A picture of one grey."""
    return np.full((size, size, 3), level, np.uint8)


def bars(upright: bool, period: int) -> np.ndarray:
    """Black and white stripes of ``period`` pixels."""
    x = np.arange(256)[None, :].repeat(256, axis=0)
    stripes = ((x if upright else x.T) // (period // 2) % 2 * 255).astype(np.uint8)
    return np.repeat(stripes[..., None], 3, axis=2)


def feature(rgb: np.ndarray, name: str) -> float:
    """One of the looks."""
    return float(looks_of(rgb)[FEATURES.index(name)])


def test_there_are_a_hundred_pictures_of_each_of_twenty_categories():
    assert " ".join(CATEGORIES) == DATASET
    assert len(PICTURES) == 2000
    names = [f"{category}_{n:04d}" for category in CATEGORIES for n in range(1, 101)]
    assert [picture.name for picture in PICTURES] == names
    assert [picture.category for picture in PICTURES] == [name[:-5] for name in names]


def test_every_category_has_at_least_ten_artworks_equally_often_shown():
    for start, category in zip(range(0, 2000, 100), CATEGORIES, strict=True):
        shown = Counter(picture.layout.artwork for picture in PICTURES[start : start + 100])
        assert len(shown) >= 10, category
        assert max(shown.values()) - min(shown.values()) <= 1, category
        assert all(artwork.startswith(f"{category}_") for artwork in shown)


def test_no_artwork_is_shipped_that_is_not_shown():
    shown = {picture.layout.artwork for picture in PICTURES}
    assert {path.stem for path in compose.ARTWORKS.iterdir()} == shown


def test_no_two_artworks_are_the_same_drawing():
    small = {
        name: np.asarray(compose.artwork(name).resize((16, 16))).astype(float)
        for name in sorted({picture.layout.artwork for picture in PICTURES})
    }
    names = list(small)
    x = np.array(list(small.values())).reshape(len(names), -1)
    apart = np.abs(x[:, None, ::5] - x[None, :, ::5]).mean(axis=2)
    np.fill_diagonal(apart, np.inf)
    nearest = np.unravel_index(apart.argmin(), apart.shape)
    assert apart.min() > 2, [names[index] for index in nearest]


def test_captions_name_their_category_in_five_to_fourteen_words():
    lengths = []
    for picture in PICTURES:
        words = re.findall(r"[A-Za-z'-]+", picture.caption)
        assert 5 <= len(words) <= 14, picture
        assert picture.category in picture.caption.lower(), picture
        assert picture.caption[0].isupper(), picture
        assert "\t" not in picture.caption
        lengths.append(len(words))
    assert 6.5 < np.mean(lengths) < 8.5


def test_a_caption_names_no_other_category():
    for picture in PICTURES:
        words = set(re.findall("[a-z]+", picture.caption.lower()))
        assert not words & set(CATEGORIES) - {picture.category}, picture


def test_captions_hardly_repeat():
    counts = Counter(picture.caption for picture in PICTURES)
    assert len(counts) >= 1980


def test_a_caption_says_how_many_and_where():
    numbers = {"Two": 2, "Three": 3}
    for picture in PICTURES:
        count = numbers.get(picture.caption.split()[0], 1)
        assert count == picture.layout.count, picture
        assert picture.caption.endswith(SCENES[picture.layout.scene].words), picture


@pytest.mark.parametrize("picture", PICTURES[:: len(PICTURES) // 8], ids=lambda p: p.name)
def test_a_picture_has_the_same_pixels_every_time(picture):
    first = stimuli.render(picture)
    assert first.shape == (256, 256, 3)
    assert first.dtype == np.uint8
    compose.artwork.cache_clear()
    np.testing.assert_array_equal(stimuli.render(picture), first)


def test_a_new_process_draws_the_same_pixels():
    code = (
        "import zlib; from rtbci import stimuli; "
        "print([zlib.crc32(stimuli.render(p).tobytes()) for p in stimuli.load()[::200]])"
    )
    printed = [
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, check=True, encoding="utf-8"
        ).stdout
        for _ in range(2)
    ]
    assert printed[0] == printed[1] != ""


@pytest.mark.parametrize("size", [64, 128, 500])
def test_a_picture_looks_the_same_at_every_size(size):
    for picture in PICTURES[::400]:
        large = Image.fromarray(stimuli.render(picture, 256)).resize((32, 32), Image.Resampling.BOX)
        other = Image.fromarray(stimuli.render(picture, size))
        assert other.size == (size, size)
        other = other.resize((32, 32), Image.Resampling.BOX)
        apart = np.abs(np.asarray(large, float) - np.asarray(other, float)).mean()
        assert apart < 8, picture.name


def test_every_scene_is_used_and_can_be_drawn():
    used = {picture.layout.scene for picture in PICTURES}
    assert used == set(SCENES)


def test_a_thing_can_be_told_from_its_scene():
    """Where the artwork is pasted, most of the picture has changed."""
    for picture in PICTURES[::23]:
        scene = np.asarray(paint(picture.layout.scene, 128, picture.layout.seed), float)
        changed = np.abs(stimuli.render(picture, 128) - scene).max(axis=2) > 25
        assert changed.mean() > 0.02, picture


def test_pictures_of_a_category_differ():
    for start in range(0, 2000, 100):
        x = np.array([stimuli.render(p, 32) for p in PICTURES[start : start + 100 : 9]], float)
        apart = np.abs(x[:, None] - x[None]).mean(axis=(2, 3, 4))
        assert apart[~np.eye(len(x), dtype=bool)].min() > 5


def test_a_jpeg_is_a_photograph_like_any_other():
    image = Image.open(io.BytesIO(stimuli.jpeg(PICTURES[7])))
    assert (image.format, image.size, image.mode) == ("JPEG", (256, 256), "RGB")
    apart = np.abs(np.asarray(image, float) - stimuli.render(PICTURES[7])).mean()
    assert apart < 6


def test_a_picture_is_drawn_in_ten_milliseconds():
    stimuli.render(PICTURES[0])
    took = []
    for picture in PICTURES[::40]:
        start = time.thread_time()
        stimuli.render(picture)
        took.append(time.thread_time() - start)
    assert np.median(took) < 0.010


def test_embeddings_are_those_of_the_captions():
    pytest.importorskip("tokenizers")
    try:
        encoder = MiniLM()
    except Missing:
        pytest.skip("the extra deep is not installed")
    shipped = stimuli.embeddings()
    assert shipped.shape == (2000, 384)
    assert shipped.dtype == np.float32
    some = np.arange(0, 2000, 9)
    made = encoder.embed([PICTURES[index].caption for index in some])
    assert (made * shipped[some]).sum(axis=1).min() > 0.9999


def test_embeddings_have_unit_length_and_know_their_category():
    shipped = stimuli.embeddings()
    np.testing.assert_allclose(np.linalg.norm(shipped, axis=1), 1, atol=1e-6)
    means = shipped.reshape(20, 100, 384).mean(axis=1)
    right = (shipped @ means.T).argmax(axis=1) == np.repeat(np.arange(20), 100)
    assert right.mean() > 0.98


def test_looks_are_those_of_the_pictures():
    raw = stimuli._array("looks")
    assert stimuli.looks().shape == raw.shape == (2000, len(FEATURES))
    for index in range(0, 2000, 29):
        made = looks_of(stimuli.render(PICTURES[index]))
        np.testing.assert_allclose(made, raw[index], rtol=0.02, atol=0.02)


def test_looks_are_standardised_and_each_says_something_of_its_own():
    x = stimuli.looks()
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(x.std(axis=0), 1, atol=1e-4)
    alike = np.corrcoef(x.T) - np.eye(x.shape[1])
    assert np.abs(alike).max() < 0.95


def test_nobody_can_change_what_is_shipped():
    for array in (stimuli.embeddings(), stimuli.looks()):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 1


def test_luminance_and_contrast_are_what_they_are_called():
    assert feature(grey(255), "luminance") == pytest.approx(1, abs=1e-5)
    assert feature(grey(0), "luminance") == 0
    assert feature(grey(90), "contrast") == pytest.approx(0, abs=1e-6)
    assert feature(bars(True, 64), "contrast") == pytest.approx(0.5, abs=0.01)


def test_colours_point_the_right_way():
    red, blue = grey(40), grey(40)
    red[..., 0] = blue[..., 2] = 220
    assert feature(red, "red against green") > 0.5 > feature(blue, "red against green")
    assert feature(blue, "blue against yellow") > 0.5 > feature(red, "blue against yellow")
    assert feature(grey(120), "colourfulness") == pytest.approx(0, abs=1e-6)


def test_edges_and_detail_point_the_right_way():
    upright, flat = bars(True, 32), bars(False, 32)
    assert feature(upright, "vertical edges") > 0.95 > feature(flat, "vertical edges") + 0.9
    assert feature(flat, "horizontal edges") > 0.95 > feature(upright, "horizontal edges") + 0.9
    assert feature(bars(True, 128), "coarse detail") > feature(bars(True, 8), "coarse detail") + 1
    assert feature(bars(True, 4), "fine detail") > feature(bars(True, 128), "fine detail") + 1


def test_a_larger_thing_is_a_larger_thing():
    small, large = grey(120), grey(120)
    small[110:140, 110:140] = large[60:200, 60:200] = 240
    assert feature(small, "size of the object") == pytest.approx((30 / 256) ** 2, abs=0.005)
    assert feature(large, "size of the object") == pytest.approx((140 / 256) ** 2, abs=0.01)


def test_a_picture_of_no_fitting_size_is_a_mistake_of_the_caller():
    with pytest.raises(AssertionError, match="not a multiple"):
        looks_of(grey(0, 200))


def test_the_data_is_small_and_its_licences_are_beside_it():
    files = [path for path in DATA.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 6e6
    notice = (LICENCES / "NOTICE.md").read_text(encoding="utf-8")
    sources = {path.stem.split("_")[1] for path in compose.ARTWORKS.iterdir()}
    for source in sources:
        assert f"`_{source}_`" in notice
    for text in re.findall(r"`([\w.-]+\.txt)`", notice):
        assert len((LICENCES / text).read_text(encoding="utf-8")) > 900
    assert "Copyright (c) Microsoft" in (LICENCES / "MIT-Microsoft.txt").read_text("utf-8")
    assert "TERMS AND CONDITIONS" in (LICENCES / "Apache-2.0.txt").read_text("utf-8")


def test_names_and_numbers_come_without_drawing_or_a_network():
    code = (
        "import sys; from rtbci import stimuli; stimuli.embeddings(); stimuli.looks(); "
        "print({'PIL', 'torch', 'tokenizers', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, encoding="utf-8"
    )
    assert done.stdout.strip() == "set()"


def test_the_sheet_of_the_docs_is_small():
    sheet = Path(__file__).parents[2] / "docs" / "pictures.png"
    assert sheet.stat().st_size < 500_000
