"""``rtbci evaluate``: honest figures, controls at chance, refusals in sentences, a sound page."""

import base64
import hashlib
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from calibration.evaluation import controls, page
from calibration.evaluation.document import Report, report, write
from calibration.evaluation.figures import (
    ABOVE,
    FAILED,
    NOT_ABOVE,
    is_above,
    overlap,
)
from calibration.evaluation.overlaps import overlaps_of
from calibration.evaluation.refusals import check_classes, check_order, run_length, told_by_time
from calibration.evaluation.sources import UnreadRun, find_sources, number_in
from calibration.evaluation.values import (
    ControlAnalysis,
    Evaluation,
    EvaluationPart,
    TrialTable,
    joined,
)
from calibration.fitting.training import CalibrationSettings, calibrate
from gui.widgets import palette
from rtbci import cli
from rtbci.errors import BadInput
from rtbci.recorder.xdf_writer import write_recording
from rtbci.report import style
from rtbci.report.numbers import shown, shown_interval, shown_p
from rtbci.signal.recording import Recording
from rtbci.statistics.metrics import balanced_accuracy
from sims.generate import generate

NASTY = "tool & <script>alert(1)</script>"
CLASSES = ("house", "face", "dog", NASTY)
LABELS = {"1": "house", "2": "face"}
HOSTILE = "<script>alert(1)</script>\"'&"


def table(skill=0.0, people=("sub-01",), sessions=(1,), seed=0, n=80, k=4) -> TrialTable:
    """Predictions of a decoder with so much skill; two runs of ``n`` trials a session."""
    rng, parts = np.random.default_rng(seed), []
    for who in people:
        for session in sessions:
            for run in (1, 2):
                true = rng.permutation(np.arange(n) % k)
                odds = rng.standard_normal((n, k))
                odds[np.arange(n), true] += skill
                p = np.exp(odds) / np.exp(odds).sum(axis=1, keepdims=True)
                image = np.array([f"picture_{i}" for i in rng.integers(0, 300, n)])
                where = (np.full(n, who), np.full(n, session), np.full(n, run), np.arange(n))
                parts.append(TrialTable(*where, true, p, image))
    return joined(parts)


def evaluation(skill=1.0, control=0.0, **more: Any) -> Evaluation:
    """One with a part of one person, unless told otherwise."""
    found = ControlAnalysis(
        "Noise", "noise", balanced_accuracy(table(control, seed=9).predictions())
    )
    first = EvaluationPart("new_runs", "New runs", "How it was made.", table(skill))
    values = {"parts": (first,), "controls": (found,), "trial_s": 2.0} | more
    return Evaluation("a <model>", "some & data", "2026-11-21 20:00", CLASSES, **values)


def people(**more: Any) -> Evaluation:
    """An evaluation of four people with two sessions each, and a second part."""
    many = tuple(f"sub-{n:02d}" for n in (2, 3, 5, 9))
    first = EvaluationPart(
        "test_sessions", "Test sessions", "Kept back.", table(0.6, many, (4, 5), 1)
    )
    second = EvaluationPart(
        "other_subjects", "Other heads", "Of others.", table(0.0, many, (4, 5), 2)
    )
    return evaluation(parts=(first, second), **more)


# --- verdicts


def test_skill_is_above_chance_and_none_is_not():
    assert report(evaluation(1.0)).verdict.word == ABOVE
    assert report(evaluation(0.0)).verdict.word == NOT_ABOVE


def test_a_control_above_chance_overrules_every_figure():
    found = report(evaluation(1.0, control=1.0)).verdict
    assert found.word == FAILED
    assert "Noise" in found.reason
    assert "nothing about the brain" in found.reason


def test_few_trials_are_called_few():
    few = table(6.0).where(np.arange(24))
    part = EvaluationPart("new_runs", "New runs", "Few.", few)
    assert "too few" in report(evaluation(parts=(part,))).verdict.reason


def test_without_skill_a_figure_is_above_chance_in_one_percent():
    found = [balanced_accuracy(table(0.0, seed=seed, n=30).predictions()) for seed in range(300)]
    assert sum(map(is_above, found)) <= 9  # 3 are to be expected; 10 or more once in 1,000


def test_the_headline_of_many_subjects_is_their_mean():
    found = report(people())
    first = found.measured[0]
    assert first.main.n == 4
    assert "of 4 people above chance" in found.verdict.reason
    assert found.values()["balanced_accuracy"] == pytest.approx(
        np.mean([row.main.value for row in first.subjects])
    )
    assert [row.session for row in first.sessions] == [4, 5] * 4


# --- the page


class Checker(HTMLParser):
    """Every tag is closed, and nothing is loaded or run."""

    VOID = frozenset({"meta", "br", "rect", "line", "circle", "polygon"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def checked(html: str) -> Checker:
    """The page, parsed."""
    parsed = Checker()
    parsed.feed(html)
    parsed.close()
    assert parsed.open == []
    return parsed


@pytest.mark.parametrize("make", [evaluation, people], ids=["one person", "people"])
def test_the_page_stands_by_itself(make):
    html = report(make()).html()
    parsed = checked(html)
    for tag in ("script", "link", "img", "iframe", "object", "foreignobject"):
        assert tag not in parsed.seen
    assert not [name for name in parsed.attributes if name.startswith("on")]
    assert not parsed.attributes & {"src", "href", "xlink:href", "style"}
    digest = base64.b64encode(hashlib.sha256(style.STYLE.encode()).digest()).decode()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', html)
    assert policy is not None
    rules = unescape(policy[1]).split("; ")
    assert rules[:2] == ["default-src 'none'", f"style-src 'sha256-{digest}'"]
    assert f"<style>{style.STYLE}</style>" in html
    assert "://" not in html
    assert "@import" not in html
    assert "url(" not in html


def test_names_from_files_are_text_and_nothing_else():
    html = report(evaluation()).html()
    assert NASTY not in html
    assert "tool &amp; &lt;script&gt;" in html
    assert "a &lt;model&gt;" in html
    assert "some &amp; data" in html


def hostile(name: str) -> Evaluation:
    """An evaluation of three people in which every text of a file is ``name``."""
    predictions = table(0.7, (name, "b", "c"), (1, 2))
    part = EvaluationPart("x", name, name, predictions)
    made = evaluation(
        parts=(part, replace(part, names_p=0.5)),
        controls=(
            ControlAnalysis(name, name, balanced_accuracy(predictions.predictions())),
            ControlAnalysis(name, name, None, name),
        ),
        overlaps=(overlap(name, predictions, np.arange(len(predictions)) % 2 == 0),),
        refused=((name, name),),
        notes=(name,),
    )
    return replace(made, model=name, data=name, made=name, classes=(name, "b", "c", "d"))


def test_no_text_of_a_file_becomes_a_tag_an_attribute_or_a_script():
    parsed = checked(report(hostile(HOSTILE)).html())
    plain = checked(report(hostile("x" * len(HOSTILE))).html())
    assert parsed.seen == plain.seen
    assert parsed.attributes == plain.attributes
    assert "script" not in parsed.seen


def test_the_page_shows_all_required_content():
    html = report(people(simulated=True, notes=("look here",), refused=(("a", "b"),))).html()
    parsed = checked(html)
    assert parsed.seen.count("svg") == 4  # people, confusion, reliability, people of the other part
    for words in ("Above chance", "What is taken for what", "How sure, how right", "Controls",
                  "By session", "What these figures are not", "no brain was measured",
                  "Cohen", "bits per minute", "look here", "Left out", "at chance"):  # fmt: skip
        assert words in html, words
    assert re.search(r"chance 25&nbsp;%", html)


def test_light_and_dark_are_the_colours_of_the_window():
    names = {"ground": "background", "panel": "panel", "text": "text", "dim": "dim",
             "line": "line", "accent": "accent", "good": "good", "bad": "bad"}  # fmt: skip
    for ours, theirs in ((style.LIGHT, palette.LIGHT), (style.DARK, palette.DARK)):
        for name, theirs_name in names.items():
            assert ours[name] == getattr(theirs, theirs_name), name
        assert ours["doubtful"] == theirs.amber
        for name in ("text", "dim", "good", "bad", "doubtful"):
            assert palette.contrast(ours[name], ours["panel"]) >= 4.5, name
        for tone in ("good", "bad", "doubtful", "accent"):
            assert palette.contrast(ours[tone], ours["ink"]) >= 4.5, tone
    assert "prefers-color-scheme: dark" in style.STYLE
    assert "@media print" in style.STYLE


def test_ink_on_a_cell_can_be_read_in_both_themes():
    from rtbci.report.plots import DARK_INK, LIGHT_INK

    for colours, change in ((style.LIGHT, LIGHT_INK), (style.DARK, DARK_INK)):
        for strength in np.linspace(0, 1, 41):
            ground = palette.mix(colours["panel"], colours["accent"], strength)
            ink = colours["ink"] if strength > change else colours["text"]
            assert palette.contrast(ink, ground) >= 3.5, (strength, ink)


def test_a_report_of_one_class_more_than_can_be_drawn_has_no_matrix():
    k = page.MOST_CLASSES + 1
    part = EvaluationPart("new_runs", "New runs", "", table(0.5, n=2 * k, k=k))
    names = tuple(f"class {n}" for n in range(k))
    html = report(replace(evaluation(parts=(part,)), classes=names)).html()
    assert "What is taken for what" not in html
    checked(html)


def test_figures_are_formatted_for_reading():
    assert shown("accuracy", 0.1234) == "12.3 %"
    assert shown("accuracy", 113 / 400) == shown("accuracy", 0.28250000000000003) == "28.3 %"
    assert shown("kappa", -0.0123) == "−0.012"
    assert shown("kappa", -1e-5) == "0.000"
    assert shown("itr_bits_per_minute", float("nan")) == "–"
    assert shown_interval("accuracy", (0.1, 0.2)) == "10.0 to 20.0 %"
    assert shown_p(1 / 1001) == "< 0.001"
    assert shown_p(0.0314) == "0.031"


# --- on disk


def test_nothing_is_overwritten(tmp_path):
    found: Report = report(evaluation())
    first = write(tmp_path / "evaluation", found)
    before = (first / "report.html").read_bytes()
    second = write(tmp_path / "evaluation", found)
    third = write(tmp_path / "evaluation", found)
    assert [each.name for each in (first, second, third)] == [
        "evaluation", "evaluation-02", "evaluation-03",
    ]  # fmt: skip
    assert (first / "report.html").read_bytes() == before
    for folder in (first, second):
        assert sorted(each.name for each in folder.iterdir()) == ["report.html", "report.json"]


def test_the_json_holds_every_figure_with_its_null(tmp_path):
    folder = write(tmp_path / "out", report(people()))
    values = json.loads((folder / "report.json").read_text("utf-8"))
    first = values["parts"][0]
    for name in ("accuracy", "balanced_accuracy", "top_1", "top_3", "macro_f1", "kappa",
                 "itr_bits_per_trial", "itr_bits_per_minute", "log_loss",
                 "calibration_error"):  # fmt: skip
        figure = first["figures"][name]
        assert {"value", "n", "interval", "chance", "p", "null", "interval_by"} <= figure.keys()
        assert figure["n"] == first["n"] == 1280
        assert name in first["over_subjects"]
    assert len(first["subjects"]) == 4
    assert len(first["sessions"]) == 8
    assert np.sum(first["confusion"]) == 1280
    assert sum(each["n"] for each in first["reliability"]) == 1280


# --- what is refused


def test_class_blocks_are_refused_with_the_evidence():
    blocks = np.repeat(np.arange(4), 20)
    with pytest.raises(BadInput, match=r"20\.0 times in a row .* random order would give 1\.3"):
        check_order(blocks, np.zeros(80, int), 4, "runs")


def test_classes_that_keep_to_a_part_of_the_run_are_refused():
    # no class comes in a row, and yet the time tells it: pairs of classes take turns
    hidden = np.concatenate([np.tile([2 * part, 2 * part + 1], 20) for part in range(4)])
    assert run_length(hidden, np.zeros(160)) == 1
    with pytest.raises(BadInput, match=r"quarter of the run tells \d+ % .* record with classes"):
        check_order(hidden, np.zeros(160, int), 8, "runs")


@pytest.mark.parametrize(("n", "k"), [(24, 2), (100, 20), (300, 4)])
def test_random_orders_are_never_refused(n, k):
    rng = np.random.default_rng(0)
    for _ in range(40):
        order = rng.permutation(np.arange(n) % k)
        check_order(order, np.zeros(n, int), k, "runs")
        assert told_by_time(order, np.zeros(n, int), k) < 0.2


def test_a_missing_class_is_named():
    with pytest.raises(BadInput, match=r"no trial of dog, tool.* 2 other classes"):
        check_classes(np.array([0, 1, 0, 1]), CLASSES, "the folder")


# --- sources


def a_source(name: str, subject="sub-02", session=1, run=1) -> UnreadRun:
    """A run that nobody reads."""
    return UnreadRun(subject, session, run, Path(name), lambda: pytest.fail("it is not read"))


def test_numbers_are_found_in_names():
    assert number_in("sub-02_ses-03_run-4.xdf", "ses") == 3
    assert number_in("subject2/session1/recording.csv", "ses") == 1
    assert number_in("S001R03.edf", "run") is None
    assert number_in("sub-02/ses-01/sub-02_ses-01_run12.npy", "run") == 12


def test_a_folder_without_recordings_is_refused_with_the_expected_content(tmp_path):
    with pytest.raises(BadInput, match="no recording of a person"):
        find_sources(tmp_path)


# --- controls


def test_noise_keeps_spectra_and_correlations_and_nothing_else():
    recording = generate(1, n_trials=20, soa=1.0, channels=4)
    made = controls.noise(recording)
    before, after = recording.signal, made.signal
    assert made.markers == recording.markers
    assert np.allclose(
        abs(np.fft.rfft(before, axis=0)), abs(np.fft.rfft(after, axis=0)), rtol=1e-2, atol=5.0
    )
    assert np.allclose(np.corrcoef(before.T), np.corrcoef(after.T), atol=1e-3)
    assert abs(np.corrcoef(before[:, 0], after[:, 0])[0, 1]) < 0.3
    assert not np.array_equal(controls.noise(recording, seed=6).signal, after)


def test_noisy_windows_turn_all_electrodes_alike():
    x = np.random.default_rng(0).standard_normal((30, 3, 125)).astype(np.float32)
    made = controls.noise_windows(x)
    spectra = [abs(np.fft.rfft(each, axis=2)) for each in (x, made)]
    source = [int(np.argmin([np.abs(s - each).sum() for s in spectra[0]])) for each in spectra[1]]
    assert sorted(source) == list(range(30))  # every trial's spectrum, in another place
    assert np.allclose(spectra[0][source], spectra[1], atol=1e-3)
    cross = [np.einsum("nct,ndt->ncd", each, each) for each in (x[source], made)]
    assert np.allclose(*cross, atol=1e-2)
    assert abs(np.corrcoef(x.ravel(), made.ravel())[0, 1]) < 0.1


def test_noisy_windows_do_not_tell_the_class_by_level_or_power():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 200)
    x = rng.standard_normal((400, 2, 125)) * (1 + y)[:, None, None] + 5 * y[:, None, None]
    made = controls.noise_windows(x.astype(np.float32))
    for tells in (made.mean(axis=(1, 2)), made.std(axis=(1, 2))):
        said = (tells > np.median(tells)).astype(int)
        assert 0.4 < (said == y).mean() < 0.6


def test_markers_move_to_before_the_onset():
    recording = generate(1, n_trials=20, soa=1.0, channels=4)
    moved = controls.earlier(recording, recording.markers[1].index)
    assert len(moved.markers) == 19
    assert moved.markers[0].index == 0
    assert moved.markers[0].label == recording.markers[1].label


def test_shuffled_labels_give_the_range_of_luck():
    found = controls.shuffled_labels(table(1.0).predictions()).figure
    assert found is not None
    assert found.value == pytest.approx(0.25, abs=0.01)
    assert found.interval[0] < 0.21
    assert found.interval[1] > 0.29


# --- pictures on both sides


def test_a_picture_is_known_by_its_bytes(tmp_path):
    (tmp_path / "images").mkdir()
    for name, content in {"a": b"same", "b": b"same", "c": b"other"}.items():
        (tmp_path / "images" / f"{name}.jpg").write_bytes(content)
    test = table(n=40).where(np.arange(40))
    test = replace(test, image=np.array(["b"] * 20 + ["c"] * 20))
    seen = {("sub-01", "a"), ("sub-09", "c")}
    source = replace(a_source("x"), images=("a", "b", "c"), captions=("one", "two", "one"))
    own, anybody, own_caption, any_caption = overlaps_of(
        tmp_path, [source], test, seen, anybody=True
    )
    assert (own.n, own.of) == (20, 40)  # b has the bytes of a
    assert anybody.n == 40  # c was shown to somebody else
    assert own_caption.n == 20  # c is told as a was
    assert any_caption.n == 20
    assert own.seen is not None
    assert own.seen.n == 20


# --- the command, on one person's bundle


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Four runs of one person, and a bundle of the first two."""
    folder = tmp_path_factory.mktemp("evaluate")
    (folder / "data").mkdir()
    for number in (1, 2, 3, 4):
        write_recording(folder / "data" / f"sub-07_run-{number}.xdf", made(number))
    save(folder / "data", folder / "bundles", (1, 2))
    return folder


def made(seed: int) -> Recording:
    """A small recording of one person."""
    return generate(seed, n_trials=60, soa=1.0, channels=4)


def save(data: Path, out: Path, runs: tuple[int, ...], labels=LABELS) -> None:
    """A bundle of some runs."""
    from rtbci.formats import read

    recordings = [read(data / f"sub-07_run-{number}.xdf") for number in runs]
    plan = CalibrationSettings("sub-07", labels)
    calibrate(recordings, plan, lambda *_: None, permute=False).bundle.save(out)


@pytest.fixture
def run(tmp_path, monkeypatch, capsys) -> Callable[..., tuple[int, str, str]]:
    """The command in this process: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def run(data: Path, model: Path, *words: str) -> tuple[int, str, str]:
        code = cli.main(["evaluate", "--data", str(data), "--model", str(model), *words])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_a_bundle_is_tested_on_runs_that_it_has_not_seen(folder, run, tmp_path):
    code, out, err = run(folder / "data", folder / "bundles", "--json")
    assert code == 0, err
    values = json.loads(out)
    assert values == json.loads((tmp_path / "evaluation" / "report.json").read_text("utf-8"))
    assert values["verdict"] == ABOVE
    assert values["n"] == 120
    assert [row["run"] for row in values["parts"][0]["runs"]] == [3, 4]
    assert [each["what"] for each in values["refused"]] == [
        "sub-07_run-1.xdf", "sub-07_run-2.xdf",
    ]  # fmt: skip
    by_name = {each["name"]: each for each in values["controls"]}
    assert set(by_name) == {"Noise", "Before the onset", "Shuffled labels"}
    for each in by_name.values():
        assert not each["failed"]
        assert abs(each["figure"]["value"] - 0.5) < 0.15
    assert values["trial_s"] == pytest.approx(1.0, abs=0.05)
    assert "report.html" in err


def test_a_person_sees_the_verdict_and_the_figures_of_replay(folder, run, capsys):
    code, out, err = run(folder / "data", folder / "bundles" / "sub-07", "--out", "a/b")
    assert code == 0, err
    for words in ("Above chance", "New runs", "control: noise", "control: before the onset"):
        assert words in out
    assert max(map(len, out.splitlines())) <= 80
    assert Path("a/b/report.html").exists()
    files = [str(folder / "data" / f"sub-07_run-{number}.xdf") for number in (3, 4)]
    words = ["replay", *files, "--bundle", str(folder / "bundles"), "--speed", "max", "--json"]
    assert cli.main(words) == 0
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    values = json.loads(Path("a/b/report.json").read_text("utf-8"))
    for name in ("accuracy", "balanced_accuracy"):
        figure = values["parts"][0]["figures"][name]
        assert figure["value"] == pytest.approx(summary[name])
        assert figure["interval"] == pytest.approx(summary[f"{name}_ci95"])


def test_class_and_file_names_that_are_html_are_text_in_the_report(folder, run, tmp_path):
    data, name = tmp_path / "data", "sub-07_run-2<img onerror=alert(1)>\"'&.xdf"
    data.mkdir()
    save(folder / "data", tmp_path / "bundles", (1, 2), {"1": HOSTILE, "2": "face"})
    shutil.copy(folder / "data" / "sub-07_run-3.xdf", data)
    shutil.copy(folder / "data" / "sub-07_run-2.xdf", data / name)
    code, _, err = run(data, tmp_path / "bundles", "--out", "report")
    assert code == 0, err
    html = Path("report/report.html").read_text("utf-8")
    parsed = checked(html)
    assert not {"script", "img"} & set(parsed.seen)
    assert "onerror" not in parsed.attributes
    assert "default-src &#39;none&#39;" in html
    for shown_name in (name, HOSTILE[:19]):  # the plot cuts a long name of a class
        assert shown_name in unescape(html)


def test_only_runs_that_were_trained_on_are_no_test(folder, run, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    shutil.copy(folder / "data" / "sub-07_run-1.xdf", data / "sub-07_run-9.xdf")  # renamed
    code, out, err = run(data, folder / "bundles")
    assert code == 2
    assert out == ""
    assert "is a test" in err
    assert "trained on it (sub-07_run-1.xdf)" in err
    assert len(err.splitlines()) == 1


def test_a_bundle_records_the_bundle_it_updates(folder):
    from calibration.fitting.training import earlier
    from rtbci.decoding.bundle import load_bundle
    from rtbci.decoding.trial_hashes import learnt, shared

    bundle = load_bundle(folder / "bundles")
    runs = [{"name": f"sub-{who}_ses-01_run-01", "part": "training", "marks": who * 8}
            for who in ("02", "03")]  # fmt: skip
    network = SimpleNamespace(runs=lambda *_: list(runs))
    plan: Any = SimpleNamespace(subject="02", update=bundle, backbone=network)
    known = learnt({"files": [{"name": "new.xdf"}], **earlier(plan)})
    before = [each["name"] for each in learnt(bundle.training)]
    assert before
    assert [each["name"] for each in known] == ["new.xdf", *before, "sub-02_ses-01_run-01"]
    assert shared("02" * 8, known) == ("sub-02_ses-01_run-01", 1)
    plan.update = plan.backbone = None
    assert earlier(plan) == {}


def test_the_same_run_twice_counts_once(folder, run, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    for name in ("sub-07_run-3.xdf", "sub-07_run-8.xdf"):
        shutil.copy(folder / "data" / "sub-07_run-3.xdf", data / name)
    code, out, _ = run(data, folder / "bundles", "--json")
    assert code == 0
    values = json.loads(out)
    assert values["n"] == 60
    assert values["refused"][0]["reason"] == "holds 60 trials that sub-07_run-3.xdf holds too"


def test_class_blocks_and_strangers_are_refused(folder, run, tmp_path):
    recording = made(5)
    order = sorted(recording.markers, key=lambda marker: marker.label)
    places = sorted(marker.index for marker in recording.markers)
    markers = tuple(replace(m, index=i) for m, i in zip(order, places, strict=True))
    data = tmp_path / "blocks"
    data.mkdir()
    write_recording(data / "sub-07_run-5.xdf", replace(recording, markers=markers))
    code, _, err = run(data, folder / "bundles")
    assert code == 2
    assert "forms class blocks" in err
    (data / "sub-07_run-5.xdf").rename(data / "sub-08_run-5.xdf")
    code, _, err = run(data, folder / "bundles")
    assert code == 2
    assert "no run of sub-07; it has runs of sub-08" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--data", "nowhere", "--model", "."], "no folder nowhere"),
        (["--data", ".", "--model", "nowhere"], "no folder nowhere"),
        (["--data", ".", "--model", "."], "no bundle in"),
        (["--data", ".", "--model", ".", "--trial", "0"], "not a duration"),
        (["--data", ".", "--model", ".", "--out", "taken/x"], "cannot write to"),
        (["--model", "."], "--data is missing"),
    ],
)
def test_bad_input_is_one_sentence(words, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").write_text("a file", "utf-8")
    assert cli.main(["evaluate", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert len(err.splitlines()) == 1


# --- the command, on a pretrained backbone


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A small dataset of three people, and a backbone that two of them taught a little."""
    pytest.importorskip("torch")
    from calibration.pretraining import PretrainingSettings as Pretraining
    from calibration.pretraining import pretrain
    from calibration.pretraining.loop import TrainingSettings
    from sims import dataset

    folder = tmp_path_factory.mktemp("pretrained")
    classes = ("bird", "car", "flower", "train")
    dataset.write(
        folder / "data", subjects=3, sessions=3, runs=2, trials=48, strength="clear", channels=16,
        rate=250.0, classes=classes, merged=False, images=False,
    )  # fmt: skip
    plan = Pretraining(
        folder / "data", folder / "model", sessions="1/1/1", leave_out=("sub-05",), text=False,
        settings=TrainingSettings(epochs=2),
    )  # fmt: skip
    pretrain(plan, lambda *_: None)
    return folder


@pytest.mark.slow
def test_a_backbone_is_asked_in_four_ways(trained, run):
    code, out, err = run(trained / "data", trained / "model", "--json")
    assert code == 0, err
    values = json.loads(out)
    assert values["simulated"]
    assert values["classes"] == ["bird", "car", "flower", "train"]  # not the 20 that it could name
    parts = {part["name"]: part for part in values["parts"]}
    assert list(parts) == ["test_sessions", "new_subjects", "cross_session", "other_subjects"]

    def sessions(name: str) -> set[tuple[str, int]]:
        return {(row["subject"], row["session"]) for row in parts[name]["sessions"]}

    assert sessions("test_sessions") == {("sub-02", 3), ("sub-03", 3)}
    assert sessions("other_subjects") == {("sub-02", 3), ("sub-03", 3)}
    assert sessions("new_subjects") == {("sub-05", 1), ("sub-05", 2), ("sub-05", 3)}
    assert sessions("cross_session") == {
        (who, n) for who in ("sub-02", "sub-03") for n in (2, 3)
    } | {("sub-05", n) for n in (1, 2, 3)}
    assert "never seen" in parts["new_subjects"]["how"]
    assert "not leave one subject out" in parts["other_subjects"]["how"]
    crossed = parts["cross_session"]["figures"]["balanced_accuracy"]
    assert crossed["p"] < 0.01
    assert crossed["value"] > 0.3
    assert not any(each["failed"] for each in values["controls"])
    assert any("tells the scales" in each["reason"] for each in values["refused"])
    assert values["trial_s"] == 3.8
    assert {each["what"] for each in values["overlaps"]} >= {"the same picture, the same person"}


def test_the_conclusion_is_a_sentence_without_statistics():
    found = report(people(simulated=True))
    html = found.html()
    header = html[: html.index("</header>")]
    assert re.search(
        r"named the right one of 4 classes in about \d\d of 100 trials; guessing", header
    )
    assert "over trials" in header
    assert "over people" in header
    assert "no brain was measured" in header
    luck = report(evaluation(0.0)).html()
    assert "which luck alone may give (guessing gives 25)" in luck


def test_every_dot_carries_its_n_and_p():
    found = report(people())
    html = found.html()
    for row in found.measured[0].subjects:
        assert f">{row.main.n:,}</text>" in html
    assert html.count(">95 % interval</text>".replace(" %", "&nbsp;%")) == 2
    assert f">{found.measured[0].trials.n:,}</text>" in html


def test_participants_who_differ_too_much_do_not_help_the_next():
    unlike = [table(skill, (who,), seed=3) for who, skill in (("a", 0), ("b", 0.2), ("c", 4))]
    found = report(evaluation(parts=(EvaluationPart("x", "X", "", joined(unlike)),)))
    assert found.verdict.word == ABOVE
    assert "too different to tell what the next person will show" in found.verdict.reason
    assert "next person will show" not in report(people()).verdict.reason


def test_an_interval_over_people_ends_where_the_scale_does():
    from rtbci.statistics.metrics import measure, over_subjects

    each = [measure(table(skill, seed=2).predictions(3.8)) for skill in (0, 0.2, 6)]
    for name in each[0]:
        low, high = over_subjects([figures[name] for figures in each]).interval
        assert low >= (-1 if name == "kappa" else 0), name
        assert high <= 1 or name in {"itr_bits_per_trial", "itr_bits_per_minute", "log_loss"}, name


@pytest.mark.slow
def test_a_training_run_under_another_name_is_still_known(trained, run, tmp_path):
    data = tmp_path / "data"
    source = trained / "data" / "ds005589" / "sub-02" / "ses-01"
    target = data / "ds005589" / "sub-02" / "ses-04"
    target.mkdir(parents=True)
    for file in source.iterdir():
        shutil.copy(file, target / file.name.replace("ses-01", "ses-04"))
    code, _, err = run(data, trained / "model")
    assert code == 2
    assert "none is a test" in err
    assert len(err.splitlines()) == 1


@pytest.mark.slow
def test_a_backbone_without_training_records_is_refused(trained, run, tmp_path):
    model = tmp_path / "model"
    shutil.copytree(trained / "model", model, ignore=shutil.ignore_patterns("windows"))
    values = json.loads((model / "backbone.json").read_text("utf-8"))
    del values["training"]["runs"]
    (model / "backbone.json").write_text(json.dumps(values), "utf-8")
    code, _, err = run(trained / "data", model)
    assert code == 2
    assert "does not say which runs it was trained on" in err
