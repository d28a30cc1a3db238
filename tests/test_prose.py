"""Docstrings and comments in plain words: first sentences, and turns of phrase that stay rare.

House rule: a docstring's first sentence says what the thing is, or what the call returns, in the
field's terms. The turns below read as translated when they are frequent; each has a bound a little
above what the tree holds. Lower a bound when you can; never raise one.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted(
    path for name in ("rtbci", "calibration", "gui", "sims") for path in (ROOT / name).rglob("*.py")
)
TURNS = {  # a turn of phrase, and how often it may come in 1,000 words
    r"\bwhat (is|was|came|comes|goes|stands|lies|follows|the|they|it|has|can|there|a|an|no)\b": 1.0,
    r"\bwhere (it|there|no|none|nothing|one)\b": 0.72,
    r"\b(told|tells?|said|says)\b": 0.6,
    r"\bbehind\b": 0.11,
    r"(?<!there )\b(is|are) (no|none)\b": 0.13,
    r"\bnobody\b|\bso (many|long)\b": 0.07,
    r"\bbeside\b": 0.12,
}
SCENES = ("indoors", "outdoors", "sky_and_sea")  # one painter a scene, named after it
OPENING = re.compile(r"(what|where|how it|whoever|whatever)\b", re.IGNORECASE)


@cache
def tree(path: Path) -> ast.Module:
    """The parsed module."""
    return ast.parse(path.read_text(encoding="utf-8"))


def docstrings(path: Path) -> Iterator[tuple[str, int, str]]:
    """Name, line and docstring of a module, its classes, functions and methods."""
    # a method that overrides another one has its docstring there
    inner = [node for node in tree(path).body if isinstance(node, ast.ClassDef) and not node.bases]
    for node in (tree(path), *tree(path).body, *(each for owner in inner for each in owner.body)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            name = getattr(node, "name", path.stem)
            yield name, getattr(node, "lineno", 1), ast.get_docstring(node) or ""


@cache
def prose() -> str:
    """Every docstring and comment of the four packages."""
    found = []
    for path in MODULES:
        found += [text for _, _, text in docstrings(path)]
        source = io.StringIO(path.read_text(encoding="utf-8"))
        tokens = tokenize.generate_tokens(source.readline)
        found += [token.string for token in tokens if token.type == tokenize.COMMENT]
    return " ".join(found)


@pytest.mark.parametrize("turn", TURNS)
def test_a_turn_of_phrase_that_reads_as_translated_stays_rare(turn):
    text = prose()
    rate = 1000 * len(re.findall(turn, text, re.IGNORECASE)) / len(text.split())
    assert rate <= TURNS[turn], f"{turn}: {rate:.2f} in 1,000 words"


def test_everything_public_has_a_docstring_that_begins_with_a_sentence():
    wrong = []
    for path in [each for each in MODULES if each.stem not in SCENES]:
        for name, line, text in docstrings(path):
            if name.startswith("_"):
                continue
            first = " ".join(text.split("\n\n")[0].split())
            if not re.search(r"[.:?!]`{0,2}$|[.:;] ", first) or not first:
                wrong.append(f"{path.relative_to(ROOT)}:{line} {name}: {first[:60]!r}")
    assert not wrong, wrong


def test_a_first_sentence_names_the_thing():
    wrong = []
    for path in MODULES:
        for name, line, text in docstrings(path):
            if OPENING.match(text):
                first = text.splitlines()[0]
                wrong.append(f"{path.relative_to(ROOT)}:{line} {name}: {first[:70]!r}")
    assert not wrong, "\n".join(wrong)


ROOMS = ("rtbci/", "calibration/", "gui/", "sims/", "tests/", "docs/", "scripts/")
PAGES = sorted([*(ROOT / "docs").glob("*.md"), ROOT / "README.md", ROOT / "CHANGELOG.md"])


def paths_in(text: str) -> Iterator[str]:
    """Backticked words of ``text`` that name a file or folder of the project: ``rtbci/lsl/``,
    ``gui/widgets/palette.py``, ``engine.py:turn``; planned ones are left out."""
    for row in text.splitlines():
        if "(planned)" in row:
            continue
        for word in re.findall(r"`+([^`\s]+)`+", row):
            plain = word.partition(":")[0]
            if word.startswith(ROOMS) or (plain.endswith(".py") and "*" not in word):
                yield word


def is_there(word: str) -> bool:
    """Whether a path exists, in the root or at the end of a file's path, and holds its name."""
    plain, _, name = word.partition(":")
    if "*" in plain:
        return any(ROOT.glob(plain))
    whole = ROOT / plain
    fitting = [whole] if whole.exists() else [p for p in SOURCES if f"/{p}".endswith(f"/{plain}")]
    return any(path.is_dir() or not name or name in path.read_text("utf-8") for path in fitting)


SOURCES = sorted(
    path for room in ROOMS for path in (ROOT / room).rglob("*.py") if "__pycache__" not in str(path)
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_on_a_page_exists(page):
    wrong = [word for word in paths_in(page.read_text("utf-8")) if not is_there(word)]
    assert not wrong, wrong


def test_every_path_in_a_docstring_exists():
    wrong = []
    for path in MODULES:
        for name, line, text in docstrings(path):
            missing = [word for word in paths_in(text) if not is_there(word)]
            wrong += [f"{path.relative_to(ROOT)}:{line} {name}: {word}" for word in missing]
    assert not wrong, wrong
