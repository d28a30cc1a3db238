"""No file, however damaged or hostile, gives more than one sentence; and none runs anything."""

import shutil
from collections.abc import Iterator

import pytest

from tests.soak import fuzz

MUTATIONS = 40  # of each format; a thousand in the soak


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[fuzz.Reader]:
    """The process that reads for all tests of this module."""
    with fuzz.Reader(tmp_path_factory.mktemp("home")) as running:
        yield running


def show(failures: list[tuple[int, fuzz.Outcome]], kind: str) -> str:
    """What failed, and how to see it again."""
    lines = [f"{seed}: {outcome.kind}: {outcome.said[:300]}" for seed, outcome in failures]
    return "\n".join([*lines, f"again: python -m tests.soak.fuzz {kind} 1 {failures[0][0]}"])


@pytest.mark.parametrize("kind", fuzz.SEEDS)
def test_the_file_that_is_to_be_damaged_can_be_read(reader, kind, tmp_path):
    files, entry = fuzz.SEEDS[kind]()
    outcome = reader.read(kind, fuzz.write(files, tmp_path) / entry)
    assert outcome.kind == "loaded", outcome


@pytest.mark.parametrize("kind", fuzz.SEEDS)
def test_a_mutation_is_the_same_every_time(kind):
    one, other = fuzz.SEEDS[kind]()[0], fuzz.SEEDS[kind]()[0]
    assert one == other
    changed = [fuzz.mutated(kind, seed, one) for seed in range(100, 120)]
    assert changed == [fuzz.mutated(kind, seed, other) for seed in range(100, 120)]
    assert sum(each != one for each in changed) >= 18


@pytest.mark.parametrize("kind", fuzz.SEEDS)
def test_a_damaged_file_is_read_or_refused_in_one_sentence(reader, kind, tmp_path):
    seeds = range(MUTATIONS)
    found = [(seed, outcome) for seed, outcome, _ in fuzz.hunt(reader, kind, seeds, tmp_path)]
    failures = [(seed, outcome) for seed, outcome in found if not outcome.fine]
    assert not failures, show(failures, kind)
    kinds = {outcome.kind for _, outcome in found}
    assert "refused" in kinds, "nothing was damaged"


@pytest.mark.parametrize("kind", fuzz.SEEDS)
def test_the_empty_file_and_the_first_bytes_alone_are_refused(reader, kind, tmp_path):
    files, entry = fuzz.SEEDS[kind]()
    for name, data in files.items():
        if name.endswith((".fdt", ".eeg", ".vmrk", ".npy")) and name != entry:
            continue  # what is short there may be a short recording
        for size in (0, 1, 4, 8, 16):
            where = fuzz.write({**files, name: data[:size]}, tmp_path / f"{size}")
            outcome = reader.read(kind, where / entry)
            assert outcome.kind == "refused", (name, size, outcome)


@pytest.mark.parametrize("kind", ["npy", "sidecar", "eeglab", "xdf", "bundle"])
def test_code_in_a_file_is_never_run(reader, kind, tmp_path):
    canary = tmp_path / "canary"
    for what, (files, entry) in fuzz.with_code(kind, f"touch '{canary}'").items():
        folder = tmp_path / what.replace(" ", "-")
        outcome = reader.read(kind, fuzz.write(files, folder) / entry)
        assert outcome.kind == "refused" or "beside" in what, (what, outcome)
        assert outcome.fine, (what, outcome)
        assert not canary.exists(), what


def test_a_reader_writes_nothing_where_it_reads(reader, tmp_path):
    for kind in fuzz.SEEDS:
        files, entry = fuzz.SEEDS[kind]()
        folder = fuzz.write(files, tmp_path / kind)
        reader.read(kind, folder / entry)
        left = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
        assert left == set(files)


@pytest.mark.parametrize(
    ("event", "arguments", "noted"),
    [
        ("open", ("x", "r", 0), False),
        ("open", ("x", "rb", 0o2000000), False),
        ("open", ("x", "w", 0), True),
        ("open", ("x", None, 0o101), True),
        ("pickle.find_class", ("posix", "system"), True),
        ("subprocess.Popen", ("sh",), True),
        ("import", ("scipy",), False),
    ],
)
def test_forbidden_actions_of_a_reader_are_recorded(event, arguments, noted):
    events: list[str] = []
    fuzz.note_event(event, arguments, events)
    assert bool(events) is noted


@pytest.mark.parametrize("kind", fuzz.MISBEHAVIOUR)
def test_every_misbehaviour_of_a_reader_is_noticed(reader, kind, tmp_path):
    outcome = reader.read(kind, tmp_path / "file", 0.5 if kind == "hang" else fuzz.PATIENCE_S)
    assert outcome.kind == fuzz.MISBEHAVIOUR[kind], outcome


def test_failures_are_kept_for_a_bug_report(monkeypatch, tmp_path):
    monkeypatch.setattr(fuzz, "KEPT", tmp_path)
    folder = fuzz.keep("npy", 7, {"a.npy": b"x"}, fuzz.Outcome("CRASH", "signal 11"))
    assert (folder / "a.npy").read_bytes() == b"x"
    assert "signal 11" in (folder / "OUTCOME.txt").read_text(encoding="utf-8")
    shutil.rmtree(folder)
