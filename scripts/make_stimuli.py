"""Make what rtbci/stimuli/data holds, and docs/pictures.png, from free artworks and our own.

    npm pack @lobehub/fluent-emoji-3d@1.1.0 @iconify-json/fluent-emoji-flat@1.2.6 \
        @iconify-json/noto@1.2.1 @iconify-json/noto-v1@1.2.5
    python scripts/make_stimuli.py FOLDER_WITH_THE_TARBALLS

Artworks, captions with layouts, embeddings and looks: the same tarballs give the same data. Needs
the extra ``deep`` and the package ``resvg-py``. Licences: rtbci/stimuli/licences.
"""

import argparse
import io
import json
import shutil
import tarfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
import resvg_py
from PIL import Image, ImageDraw, ImageFont
from stimuli_drawings import DRAWINGS
from stimuli_words import ARTWORKS, COUNTS, HEIGHTS, PLURALS
from stimuli_words import SCENES as SUITABLE

from rtbci.stimuli import CATEGORIES, DATA, PER_CATEGORY, Picture, load, render
from rtbci.stimuli.compose import Composition
from rtbci.stimuli.features import looks_of
from rtbci.stimuli.scenes import SCENES
from rtbci.text.minilm import MiniLM

SHEET = Path(__file__).resolve().parent.parent / "docs" / "pictures.png"
TILE, LABEL, MARGIN, SHOWN = 92, 92, 6, 8  # of the sheet: pixels, and pictures a category
SIDE = 192  # longest side of a shipped artwork, pixels
QUALITY = 82  # of its WebP
PACKAGES = {  # versions are pinned: drawings and licences of these were looked at
    "f3": "lobehub-fluent-emoji-3d-1.1.0",
    "ff": "iconify-json-fluent-emoji-flat-1.2.6",  # only for the names of the emoji
    "n": "iconify-json-noto-1.2.1",  # of 2024: upstream's licence has changed since
    "v1": "iconify-json-noto-v1-1.2.5",
}
NUMBERS = ("two", "three")
SHORTEST, LONGEST = 5, 14  # words of a caption
COLUMNS = (
    *("name", "caption", "artwork", "scene", "count"),
    *("height", "x", "y", "mirrored", "seed"),
)


@dataclass(frozen=True)
class Artwork:
    """One drawing, and the words around the category's own."""

    name: str  # of its file, without extension
    source: str
    icon: str
    before: str
    after: str
    options: tuple[str, ...]  # see stimuli_words

    @property
    def alone(self) -> bool:
        """Whether several of it would need other words, or cannot be drawn."""
        words = f"{self.before} {self.after}".split()
        several = not {"a", "an", "its", "the", "who", "that"}.isdisjoint(words)
        return "cut" in self.options or several

    @property
    def has_size(self) -> bool:
        """Whether its words say already how large it is."""
        words = f"{self.before} {self.after}".split()
        return not {"small", "large", "face", "head", "mini", "high"}.isdisjoint(words)


def main() -> None:
    """Make everything anew."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("tarballs", type=Path, help="folder with the npm packages")
    tarballs = parser.parse_args().tarballs
    shutil.rmtree(DATA, ignore_errors=True)
    (DATA / "artworks").mkdir(parents=True)
    artworks = {category: list(artworks_of(category)) for category in CATEGORIES}
    for category, found in artworks.items():
        for artwork in found:
            save(draw(artwork, tarballs), artwork)
        print(f"{category}: {len(found)} artworks")
    write_pictures(
        [row for category in CATEGORIES for row in pictures(category, artworks[category])]
    )
    captions = [picture.caption for picture in load()]
    features = np.array([looks_of(render(picture)) for picture in load()])
    np.savez(
        DATA / "features.npz",
        embeddings=MiniLM().embed(captions).astype(np.float16),
        looks=features.astype(np.float32),
    )
    sheet().save(SHEET, optimize=True)
    print(f"{sum(path.stat().st_size for path in DATA.rglob('*.*')) / 1e6:.2f} MB in {DATA}")


def artworks_of(category: str) -> Iterator[Artwork]:
    """Those of the table, then our own drawings."""
    for line in ARTWORKS[category].strip().splitlines():
        fields = [field.strip() for field in line.split("|")]
        source, icon = fields[0].split()
        options = tuple(fields[2].split()) if len(fields) > 2 else ()
        yield artwork_of(category, source, icon, fields[1], options)
    for number, (words, _svg) in enumerate(DRAWINGS.get(category, ())):
        yield artwork_of(category, "own", str(number), words, ())


def artwork_of(
    category: str, source: str, icon: str, words: str, options: tuple[str, ...]
) -> Artwork:
    """An artwork from the words of the table, where ``_`` stands for the category."""
    before, after = words.split("_")
    return Artwork(f"{category}_{source}_{icon}", source, icon, before, after, options)


def draw(artwork: Artwork, tarballs: Path) -> Image.Image:
    """The artwork as RGBA, larger than it is shipped."""
    if artwork.source == "own":
        svg = DRAWINGS[artwork.name.split("_")[0]][int(artwork.icon)][1]
        return drawn(svg)
    if artwork.source == "f3":
        code = code_of(artwork.icon, tarballs)
        package = members(PACKAGES["f3"], tarballs)
        for name in (code, f"{code}-fe0f", code.replace("-fe0f", "")):
            if f"assets/{name}.webp" in package:
                return Image.open(io.BytesIO(package[f"assets/{name}.webp"])).convert("RGBA")
        raise SystemExit(f"no 3D picture of {artwork.icon} ({code})")
    return drawn(iconify(PACKAGES[artwork.source], artwork.icon, tarballs))


def drawn(svg: str) -> Image.Image:
    """An SVG as RGBA pixels."""
    png = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=2 * SIDE, height=2 * SIDE))
    return Image.open(io.BytesIO(png)).convert("RGBA")


def iconify(package: str, icon: str, tarballs: Path) -> str:
    """One icon of an Iconify set as SVG text."""
    icons = json.loads(members(package, tarballs)["icons.json"])
    while icon not in icons["icons"]:
        icon = icons["aliases"][icon]["parent"]
    wide, high = icons.get("width", 16), icons.get("height", 16)
    body = icons["icons"][icon]["body"]
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="0 0 {wide} {high}">{body}</svg>'
    )


def code_of(icon: str, tarballs: Path) -> str:
    """The code points of an emoji by its name in the flat set."""
    chars = json.loads(members(PACKAGES["ff"], tarballs)["chars.json"])
    return next(code for code, name in chars.items() if name == icon)


@cache
def members(package: str, tarballs: Path) -> dict[str, bytes]:
    """Files of an npm package by their names in it."""
    with tarfile.open(tarballs / f"{package}.tgz") as tar:
        return {
            member.name.removeprefix("package/"): file.read()
            for member in tar
            if (file := tar.extractfile(member))
        }


def save(image: Image.Image, artwork: Artwork) -> None:
    """Crop to what is drawn, shrink, and write as WebP."""
    wide, high = image.size
    cut = sum(float(option[7:]) for option in artwork.options if option.startswith("bottom="))
    image = image.crop((0, 0, wide, round(high * (1 - cut))))
    visible = image.getchannel("A").point([0] * 16 + [255] * 240).getbbox()
    image = image.crop(visible)
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    path = DATA / "artworks" / f"{artwork.name}.webp"
    image.save(path, "WEBP", quality=QUALITY, alpha_quality=90, method=6)


def pictures(category: str, artworks: list[Artwork]) -> Iterator[Picture]:
    """100 pictures in random order: every artwork equally often, every caption once."""
    random = Random(category)
    order = [artworks[number % len(artworks)] for number in range(PER_CATEGORY)]
    random.shuffle(order)
    rooms: Counter[str] = Counter()  # how often a scene was used, with this artwork or at all
    taken: set[str] = set()
    for number, artwork in enumerate(order, start=1):
        weights = COUNTS.get(category, (0.6, 0.25, 0.15))
        count = 1 if artwork.alone else random.choices((1, 2, 3), weights)[0]
        size = random.choices(("", "small", "large"), (0.7, 0.15, 0.15))[0] if count == 1 else ""
        if artwork.has_size or "low" in artwork.options:
            size = ""
        choice = [
            (scene, before, after)
            for scene in scenes_for(category, artwork, rooms, random)
            for before, after in details(artwork, random)
        ]
        for scene, before, after in choice:
            caption = caption_of(category, before, after, SCENES[scene].words, count, size)
            if caption not in taken and SHORTEST <= len(caption.split()) <= LONGEST:
                break
        else:
            raise SystemExit(f"no new caption for {artwork.name}; give it more scenes")
        taken.add(caption)
        rooms.update([artwork.name + scene, scene])
        layout = layout_of(category, artwork, scene, count, size, random)
        yield Picture(f"{category}_{number:04d}", category, caption, layout)


def scenes_for(category: str, artwork: Artwork, used: Counter[str], random: Random) -> list[str]:
    """Scenes that suit the thing, the least used first; none of the thing's own colour."""
    words = f"{artwork.before} {artwork.after}".split()
    fit = [
        scene
        for scene in SUITABLE[category]
        if not (scene.endswith(("studio", "room")) and scene.split()[0] in words)
    ]
    return sorted(fit, key=lambda name: (used[artwork.name + name], used[name] + random.random()))


def details(artwork: Artwork, random: Random) -> list[tuple[str, str]]:
    """The words around the thing, more or fewer of them, as people say more or less."""
    full = (artwork.before, artwork.after)
    fewer = list({(artwork.before, ""), ("", artwork.after), ("", "")} - {full})
    fewer.sort()
    if random.random() < 0.75:
        random.shuffle(fewer)
        return [*fewer, full]
    return [full, *fewer]


def layout_of(
    category: str, artwork: Artwork, scene: str, count: int, size: str, random: Random
) -> Composition:
    """Where the thing goes: somewhere near the middle, or where its drawing demands."""
    share = {"": random.uniform(0.92, 1.05), "small": 0.6, "large": 1.24}[size]
    mirrored = "text" not in artwork.options and random.random() < 0.5
    x = random.uniform(0.4, 0.6) if count == 1 else 0.5
    y = SCENES[scene].ground + random.uniform(-0.02, 0.02)
    if "cut" in artwork.options:
        x = 0.0 if mirrored else 1.0
    if "low" in artwork.options:
        y = 1.0
    return Composition(
        artwork=artwork.name,
        scene=scene,
        count=count,
        height=round(HEIGHTS.get(category, 0.6) * share, 3),
        x=round(x, 3),
        y=round(y, 3),
        mirrored=mirrored,
        seed=random.randrange(1000),
    )


def caption_of(category: str, before: str, after: str, where: str, count: int, size: str) -> str:
    """A sentence of 5 to 14 words that names the thing, its place, count and size."""
    many = PLURALS.get(category, f"{category}s")
    thing = f"{before}{category if count == 1 else many}{after}".strip()
    thing = f"{size} {thing}".strip()
    if count > 1:
        thing = f"{NUMBERS[count - 2]} {thing}"
    else:
        thing = f"{'an' if thing[0] in 'aeiou' else 'a'} {thing}"
    sentence = f"{thing} {where}"
    return sentence[0].upper() + sentence[1:]


def sheet() -> Image.Image:
    """Eight pictures of every category, labelled, in two columns and 256 colours."""
    high, wide = TILE * (len(CATEGORIES) // 2) + MARGIN, 2 * (LABEL + SHOWN * TILE) + 3 * MARGIN
    image = Image.new("RGB", (wide, high), "white")
    font = ImageFont.load_default(13)
    for number, category in enumerate(CATEGORIES):
        column, row = divmod(number, len(CATEGORIES) // 2)
        left, top = MARGIN + column * (LABEL + SHOWN * TILE + MARGIN), MARGIN + row * TILE
        middle = (left + LABEL - MARGIN, top + TILE // 2 - MARGIN // 2)
        ImageDraw.Draw(image).text(middle, category, "#303540", font, anchor="rm")
        step = PER_CATEGORY // SHOWN
        for place in range(SHOWN):
            picture = load()[number * PER_CATEGORY + place * step]
            tile = Image.fromarray(render(picture, TILE - MARGIN))
            image.paste(tile, (left + LABEL + place * TILE, top))
    return image.quantize(256, dither=Image.Dither.NONE)


def write_pictures(rows: list[Picture]) -> None:
    """One line a picture, tab-separated."""
    lines = ["\t".join(COLUMNS)]
    for row in rows:
        layout = row.layout
        fields = (row.name, row.caption, layout.artwork, layout.scene, layout.count)
        numbers = (layout.height, layout.x, layout.y, int(layout.mirrored), layout.seed)
        lines.append("\t".join(map(str, (*fields, *numbers))))
    (DATA / "pictures.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
