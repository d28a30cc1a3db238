"""``rtbci info``: what people see, what programs get, what happens to files that cannot be read."""

import argparse
import json

import numpy as np
import pytest

from rtbci.commands import info
from rtbci.errors import BadInput


def parse(*words: object) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    info.add_arguments(parser)
    return parser.parse_args([str(word) for word in words])


@pytest.fixture
def made(tmp_path):
    """10 s at 100 Hz with a flat electrode, a hostile channel name and one marker."""
    x = np.random.default_rng(0).normal(0, 20, (1000, 3)).astype("f4")
    x[:, 1] = 7
    np.save(tmp_path / "a b.npy", x)
    side = {"rate": 100, "channels": ["Cz", "[red]Pz[/]", "AUX"], "unit": "uV",
            "markers": [{"index": 10, "label": "[bold]x\u001b[31m"}]}  # fmt: skip
    (tmp_path / "a b.json").write_text(json.dumps(side))
    return tmp_path / "a b.npy"


def test_people_see_channels_rate_markers_hash_and_what_looks_wrong(made, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert info.run(parse(made)) == 0
    out = capsys.readouterr().out
    assert max(len(line) for line in out.splitlines()) <= 80
    for word in ("a b.npy", "npy continuous", "10.0 s, 1,000 samples", "100 Hz nominal", "2 EEG",
                 "uV (stated)", "[red]Pz[/]", "[bold]x [31m", "flat:", "sha256"):  # fmt: skip
        assert word in out
    assert "\x1b" not in out


def test_programs_get_one_object_a_line(made, capsys):
    assert info.run(parse("--json", made, made, "--channels", "AUX,Cz")) == 0
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert [channel["name"] for channel in first["channels"]] == ["AUX", "Cz"]
    assert (first["rate"], first["rows"], first["unit_from"]) == (100, 1000, "stated")
    assert first["same_as"] is None
    assert second["sha256"] == first["sha256"]


def test_files_with_the_same_bytes_are_pointed_out(made, capsys):
    twin = made.with_name("twin.npy")
    twin.write_bytes(made.read_bytes())
    assert info.run(parse(made, twin, "--rate", "100", "--unit", "uV")) == 0
    out = capsys.readouterr().out
    assert out.count("same bytes") == 1
    assert "a b.npy" in " ".join(out.split("same bytes")[1].split())


def test_one_bad_file_does_not_hide_the_others(made, tmp_path, capsys):
    assert info.run(parse(tmp_path / "none.npy", made)) == 2
    captured = capsys.readouterr()
    assert "no file" in captured.err
    assert "a b.npy" in captured.out
    with pytest.raises(BadInput, match="no file"):
        info.run(parse(tmp_path / "none.npy"))


@pytest.mark.parametrize("pattern", ["muse/visual/N170/*/*/*.csv", "xdf/*.xdf", "eeglab/*.set"])
def test_real_recordings_fit_into_80_columns(eeg, capsys, monkeypatch, pattern):
    monkeypatch.setenv("COLUMNS", "80")
    files = sorted(eeg.glob(pattern))
    assert files
    assert info.run(parse(*files)) == 0
    assert max(len(line) for line in capsys.readouterr().out.splitlines()) <= 80


@pytest.mark.parametrize(
    ("size", "said"),
    [(1, "1 subject, 1 run, 1 trial,"), (2, "2 subjects, 2 runs, 2 trials,")],
)
def test_one_of_a_thing_is_no_plural(size, said, capsys, monkeypatch, tmp_path):
    from sims import dataset

    monkeypatch.setenv("COLUMNS", "200")
    dataset.write(
        tmp_path, subjects=size, sessions=1, runs=1, trials=1, strength="none", channels=4,
        rate=250.0, merged=False, images=False, jobs=1,
    )  # fmt: skip
    assert info.run(parse(tmp_path)) == 0
    assert said in capsys.readouterr().out


def test_one_epoch_of_one_run_is_no_plural(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("COLUMNS", "200")
    np.save(tmp_path / "one.npy", np.random.default_rng(0).normal(0, 20, (1, 125, 2)).astype("f4"))
    side = {"rate": 250, "channels": ["Cz", "Pz"], "unit": "uV", "axes": "epoch,time,channel",
            "labels": ["a"], "runs": [1]}  # fmt: skip
    (tmp_path / "one.json").write_text(json.dumps(side))
    assert info.run(parse(tmp_path / "one.npy")) == 0
    out = capsys.readouterr().out
    assert "1 epoch of 0.5 s in 1 run," in out
    assert "125 samples" in out
