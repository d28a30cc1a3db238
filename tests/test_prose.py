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
