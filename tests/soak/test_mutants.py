"""Mutants change one line each, and those that no test notices are listed as survivors."""

import time

import pytest

from tests.soak import mutants as bench
from tests.soak.mutations import mutants
from tests.soak.units import Units

SOURCE = '''\
"""Nothing here."""
def f(a: int = 3, b: bool = False) -> int | None:
    """3 < 4."""
    if a < 20 and not b:
        raise ValueError(f"{a + 1}")
    a += 1
    print(a - 2.5)
    return a
'''


def test_every_line_that_does_something_is_changed_in_every_way():
    found = [(each.line, each.kind, each.after.strip()) for each in mutants("f.py", SOURCE)]
    assert found == [
        (2, "constant", "def f(a: int = 3, b: bool = True) -> int | None:"),
        (2, "constant", "def f(a: int = 4, b: bool = False) -> int | None:"),
        (4, "and/or", "if a < 20 or not b:"),
        (4, "comparison", "if a <= 20 and not b:"),
        (4, "constant", "if a < 40 and not b:"),
        (6, "constant", "a += 2"),
        (6, "removed statement", "pass"),
        (7, "arithmetic", "print(a + 2.5)"),
        (7, "constant", "print(a - 5.0)"),
        (7, "removed statement", "pass"),
        (8, "return None", "return None"),
    ]


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A product of one function, whose test looks at one side of its limit only."""
    (tmp_path / "rtbci").mkdir()
    (tmp_path / "tests").mkdir()
    (tmp_path / "rtbci" / "__init__.py").write_text("")
    (tmp_path / "rtbci" / "limit.py").write_text("def low(x):\n    return x < 3\n")
    (tmp_path / "rtbci" / "user.py").write_text("def f():\n    from rtbci import limit\n")
    (tmp_path / "tests" / "test_a.py").write_text(
        "from rtbci.limit import low\ndef test_low():\n    assert low(2) is True\n"
    )
    (tmp_path / "tests" / "test_b.py").write_text("import rtbci.user\ndef test_b():\n    pass\n")
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    monkeypatch.setattr(bench, "ROOT", tmp_path)
    monkeypatch.setattr(bench, "TARGETS", ("rtbci/limit.py",))
    return tmp_path


def test_tests_are_found_by_imports_the_nearest_first(tree):
    graph = bench.imports(tree)
    assert bench.tests_of("rtbci/limit.py", graph) == ["tests/test_a.py", "tests/test_b.py"]
    assert bench.tests_of("rtbci/user.py", graph) == ["tests/test_b.py"]


def test_a_mutant_that_no_test_notices_is_listed_and_all_are_kept(tree, capsys):
    assert bench.main(["--seed", "7"]) == 0
    out = capsys.readouterr().out
    assert "3 of 3 mutants tried, 1 killed, 2 survived" in out
    assert "- return x < 3\n  + return x <= 3" in out
    assert "+ return x < 4" in out
    assert "+ return None" not in out
    assert (tree / "rtbci" / "limit.py").read_text() == "def low(x):\n    return x < 3\n"
    began = time.monotonic()
    assert bench.main(["--seed", "7"]) == 0  # nothing is tried again
    assert time.monotonic() - began < 2.0
    assert capsys.readouterr().out in out


def test_a_module_without_tests_leaves_its_mutants_alive(tree, tmp_path):
    (tree / "rtbci" / "alone.py").write_text("LIMIT = 3\n")
    copy = tmp_path / "copy"
    copy.mkdir()
    found = bench.Bench(copy, Units(tmp_path / "a.jsonl"))
    (mutant,) = mutants("rtbci/alone.py", "LIMIT = 3\n")
    assert found.verdict(mutant) == "survived: no fast test imports it"
