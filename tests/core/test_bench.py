"""The benchmark measures what it says, and its figures can be read by programs."""

import json
import os
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from rtbci import cli
from rtbci.bench import live, offline
from rtbci.bench.live import BenchProcess, Turn
from rtbci.bench.offline import BenchResult
from rtbci.bench.receivers import LatencyTape
from rtbci.commands import bench
from rtbci.decoding.bundle import load_bundle
from rtbci.decoding.pipeline import Pipeline
from rtbci.errors import BadInput, Missing
from rtbci.formats import read


@pytest.mark.parametrize(
    ("figure", "at_least", "ok"),
    [(49, True, False), (50, True, True), (50, False, True), (51, False, False)],
)
def test_a_bound_is_the_least_or_the_most(figure, at_least, ok):
    assert BenchResult("a", "b", figure, "s", 50, at_least).ok is ok


def test_without_a_bound_there_is_no_verdict():
    assert BenchResult("a", "b", 1, "s").ok is None


@pytest.mark.slow
def test_every_figure_is_one_line_of_json(capsys):
    for part in offline.BENCHES:
        assert cli.main(["bench", "--json", "--seconds", "6", "--only", part]) == 0
        out, err = capsys.readouterr()
        lines = [json.loads(line) for line in out.splitlines()]
        assert err == ""
        assert lines
        for line in lines:
            assert line["bench"] == part
            assert line["figure"] > 0
            assert line["unit"]
            assert isinstance(line["ok"], bool)
            assert line["machine"]["cores"] >= 1


@pytest.mark.lsl
@pytest.mark.slow
def test_live_receivers_take_turns_and_lose_nothing(capsys):
    assert cli.main(["bench", "--json", "--seconds", "6", "--only", "live"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    receivers = {line["what"]: line for line in lines if "windows" in line["more"]}
    assert len(receivers) == (4 if find_spec("mne_lsl") else 2)
    for what, line in receivers.items():
        more = line["more"]
        assert 0 < line["figure"] <= more["p95_ms"] <= more["p99_ms"]
        assert more["cpu_percent"] > 0
        if "StreamLSL" not in what:  # which skips a window where it looks too late
            assert more["windows"] >= 40  # of 50 a second
            assert more["rows_lost"] == 0
    missing = [line for line in lines if "not installed (pip install mne-lsl)" in line["what"]]
    assert len(missing) == (0 if find_spec("mne_lsl") else 2)
    assert any(line["what"].startswith("rtbci decode") for line in lines)


def test_ratios_are_over_the_better_setting_of_the_other():
    def turns(ms: float, cpu: float) -> list[Turn]:
        return [Turn((ms, ms), cpu, 1000.0, 0)] * 3

    found = {
        "rtbci": turns(0.7, 2.0),
        "pylsl": turns(0.5, 1.0),
        "StreamLSL 1 ms": turns(2.5, 30.0),
        "StreamLSL 20 ms": turns(10.5, 10.0),
    }
    figures = {each.what: each for each in live.figures(found, [])}
    cpu = figures["less CPU than StreamLSL at its better setting"]
    latency = figures["less latency over pylsl than StreamLSL at its better setting"]
    assert (cpu.figure, cpu.ok) == (5.0, False)
    assert latency.figure == pytest.approx(10.0)
    assert latency.ok
    assert latency.more == pytest.approx({"StreamLSL 1 ms": 10.0, "StreamLSL 20 ms": 50.0})


def test_without_the_other_its_lines_say_how_to_get_it():
    found = {name: [Turn((0.5, 0.6), 1.0, 1000.0, 0)] for name in ("rtbci", "pylsl")}
    figures = list(live.figures(found, ["StreamLSL 1 ms"]))
    assert any("not installed (pip install mne-lsl)" in each.what for each in figures)
    assert not any("better setting" in each.what for each in figures)


def test_the_tape_counts_what_the_stamps_tell_and_nobody_saw():
    now = [0.0]
    tape = LatencyTape(1.0, lambda: now[0])
    going = True
    for chunk in range(1, 1000):
        now[0] = 0.02 * chunk
        if going and chunk != 70:  # one chunk never came
            going = tape.take(now[0] - 0.001, 20)
    found = tape.result()
    assert not going
    assert found["lost"] == 20
    assert found["ms"] == pytest.approx([1.0] * len(found["ms"]))  # type: ignore[arg-type]


def test_a_receiver_that_dies_is_named_with_what_it_said():
    words = [sys.executable, "-c", "import sys; sys.exit('no such bus')"]
    with BenchProcess("pylsl", words, dict(os.environ)) as child:  # noqa: SIM117
        with pytest.raises(Missing, match="pylsl did not answer; last output: no such bus"):
            child.answer(20.0)


def test_what_was_measured_is_shown_although_lsl_fails(monkeypatch, capsys):
    def broken(*_: object) -> None:
        raise Missing("no loopback (rtbci doctor)")

    monkeypatch.setattr(live, "live", broken)
    monkeypatch.setattr(bench, "PARTS", {"ring": offline.ring, "live": bench.live})
    assert cli.main(["bench", "--seconds", "6"]) == 3
    out, err = capsys.readouterr()
    assert "np.roll" in out
    assert "no loopback (rtbci doctor)" in err


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
    one, other, ratio = offline.side_by_side(
        lambda: turns.append("a"), lambda: turns.append("b"), repeats=2, calls=3
    )
    assert "".join(turns) == "aaabbb" * 4
    assert min(one, other, ratio) > 0


@pytest.mark.parametrize(("channels", "classes"), [(4, 2), (122, 4), (30, 6)])
def test_the_bundle_of_the_benchmark_is_one_that_loads_and_decodes(channels, classes, tmp_path):
    names = tuple(f"E{i}" for i in range(channels))
    labels = tuple(f"{i}" for i in range(classes))
    bundle = offline.synthetic_bundle(250.0, names, labels)
    recording = offline.synthetic_recording(250.0, names, 20.0, 2.0, labels)
    first = Pipeline(bundle, recording.info).run(recording.items())
    again = Pipeline(load_bundle(bundle.save(tmp_path)), recording.info).run(recording.items(7))
    assert len(first) == len(recording.markers)
    assert all(decision.label in labels for decision in first)
    assert first == again


def test_the_recording_of_a_headset_reads_back_as_it_was(tmp_path):
    made = offline.synthetic_recording(256.0, offline.HEADSET, 10.0, 2.0, ("1", "2"))
    offline.write_headset_csv(tmp_path / "a.csv", made)
    found = read(tmp_path / "a.csv")
    np.testing.assert_allclose(found.signal, made.signal, atol=6e-4)
    assert [(m.index, m.label) for m in found.markers] == [(m.index, m.label) for m in made.markers]
    assert found.gaps == ()


def test_too_short_a_recording_is_refused():
    with pytest.raises(BadInput, match="hold no event"):
        offline.synthetic_recording(256.0, offline.HEADSET, 1.0, 2.0, ("1", "2"))


def test_a_child_that_fails_is_reported_with_what_it_said():
    with pytest.raises(BadInput, match="no command 'reply'"):
        offline._until(b"x", "reply")
