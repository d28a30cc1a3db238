"""The benchmark measures what it says, and its figures can be read by programs."""

import json

import numpy as np
import pytest

from rtbci import benchmark, cli
from rtbci.benchmark import Figure
from rtbci.bundle import load_bundle
from rtbci.errors import BadInput
from rtbci.formats import read
from rtbci.pipeline import Pipeline


@pytest.mark.parametrize(
    ("figure", "at_least", "ok"),
    [(49, True, False), (50, True, True), (50, False, True), (51, False, False)],
)
def test_a_bound_is_the_least_or_the_most(figure, at_least, ok):
    assert Figure("a", "b", figure, "s", 50, at_least).ok is ok


def test_without_a_bound_there_is_no_verdict():
    assert Figure("a", "b", 1, "s").ok is None


@pytest.mark.slow
def test_every_figure_is_one_line_of_json(capsys):
    assert cli.main(["bench", "--json", "--seconds", "6"]) == 0
    out, err = capsys.readouterr()
    lines = [json.loads(line) for line in out.splitlines()]
    assert err == ""
    assert {line["bench"] for line in lines} == set(benchmark.BENCHES)
    for line in lines:
        assert line["figure"] > 0
        assert line["unit"]
        assert isinstance(line["ok"], bool)
        assert line["machine"]["cores"] >= 1


def test_people_get_a_table_with_the_computer_below(capsys):
    assert cli.main(["bench", "--only", "ring"]) == 0
    out, _ = capsys.readouterr()
    assert "np.roll" in out
    assert "cores" in out


@pytest.mark.parametrize("seconds", ["0", "nan", "1e9", "-5"])
def test_a_length_without_sense_is_refused(seconds, capsys):
    assert cli.main(["bench", "--seconds", seconds]) == 2
    assert "--seconds takes 4 to 600" in capsys.readouterr().err


def test_ours_and_the_other_take_turns():
    turns: list[str] = []
    one, other, ratio = benchmark.side_by_side(
        lambda: turns.append("a"), lambda: turns.append("b"), repeats=2, calls=3
    )
    assert "".join(turns) == "aaabbb" * 4
    assert min(one, other, ratio) > 0


@pytest.mark.parametrize(("channels", "classes"), [(4, 2), (122, 4), (30, 6)])
def test_the_bundle_of_the_benchmark_is_one_that_loads_and_decodes(channels, classes, tmp_path):
    names = tuple(f"E{i}" for i in range(channels))
    labels = tuple(f"{i}" for i in range(classes))
    bundle = benchmark.synthetic_bundle(250.0, names, labels)
    recording = benchmark.synthetic_recording(250.0, names, 20.0, 2.0, labels)
    first = Pipeline(bundle, recording.info).run(recording.items())
    again = Pipeline(load_bundle(bundle.save(tmp_path)), recording.info).run(recording.items(7))
    assert len(first) == len(recording.markers)
    assert all(decision.label in labels for decision in first)
    assert first == again


def test_the_recording_of_a_headset_reads_back_as_it_was(tmp_path):
    made = benchmark.synthetic_recording(256.0, benchmark.HEADSET, 10.0, 2.0, ("1", "2"))
    benchmark.write_headset_csv(tmp_path / "a.csv", made)
    found = read(tmp_path / "a.csv")
    np.testing.assert_allclose(found.signal, made.signal, atol=6e-4)
    assert [(m.index, m.label) for m in found.markers] == [(m.index, m.label) for m in made.markers]
    assert found.gaps == ()


def test_too_short_a_recording_is_refused():
    with pytest.raises(BadInput, match="hold no event"):
        benchmark.synthetic_recording(256.0, benchmark.HEADSET, 1.0, 2.0, ("1", "2"))


def test_a_child_that_fails_is_reported_with_what_it_said():
    with pytest.raises(BadInput, match="no command 'reply'"):
        benchmark._until(b"x", "reply")
