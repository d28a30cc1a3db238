"""The text head of a backbone: captions among candidates, class names, and what is zero-shot."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from calibration.evaluation.captions import SAME, retrieve
from calibration.evaluation.document import report
from calibration.evaluation.figures import RETRIEVAL
from calibration.evaluation.values import Evaluation, EvaluationPart, Retrieval, TrialTable
from rtbci import cli
from rtbci.statistics.predictions import Figure

CATEGORIES = 4


def unit(x: np.ndarray) -> np.ndarray:
    """Rows of length one."""
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def asked(skill=0.0, own=0.0, pictures=80, trials=240, seed=0, look=0.0) -> dict[str, Figure]:
    """Retrieval by a head that knows the category (``skill``) and the picture (``own``) so well.

    ``look``: how much every trial of a picture shares that has nothing to do with its caption.
    """
    rng = np.random.default_rng(seed)
    category = np.arange(pictures) % CATEGORIES
    centres = rng.standard_normal((CATEGORIES, 32))
    mine = rng.standard_normal((pictures, 32))
    seen = rng.standard_normal((pictures, 32))
    caption = rng.permutation(np.arange(trials) % pictures)
    said = rng.standard_normal((trials, 32)) + skill * centres[category[caption]]
    said += own * mine[caption] + look * seen[caption]
    return retrieve(unit(said), caption, unit(centres[category] + mine), category)


def test_chance_follows_from_the_candidates():
    found = asked()
    assert {name: figure.chance for name, figure in found.items()} == pytest.approx(
        {
            "two_way": 0.5,
            SAME: 0.5,
            "ten_way": 0.1,
            "caption_top_1": 1 / 80,
            "caption_top_5": 5 / 80,
        }
    )
    for figure in found.values():
        assert figure.n == 240
        assert figure.interval[0] <= figure.value <= figure.interval[1]
        assert "80 pictures" in figure.null


def test_a_head_that_knows_the_picture_finds_it():
    found = asked(skill=1, own=2)
    assert all(figure.p < 0.01 and figure.interval[0] > figure.chance for figure in found.values())
    assert found["two_way"].value > 0.9
    assert found["caption_top_1"].value <= found["caption_top_5"].value


def test_a_head_that_knows_the_category_only_is_at_chance_within_it():
    found = asked(skill=1.5, trials=800)
    assert found["two_way"].p < 0.01
    assert found[SAME].p > 0.01
    assert abs(found[SAME].value - 0.5) < 0.05


def test_ways_are_exact_shares_of_the_candidates_that_are_beaten():
    # 20 captions along an arc, every trial at its end: the places of the right ones are 1 to 20
    angles = np.linspace(0, 1, 20)
    captions = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    said = np.tile(captions[:1], (20, 1))
    found = retrieve(said, np.arange(20), captions, np.zeros(20, int))
    assert found["two_way"].value == pytest.approx(0.5)  # of all places the mean
    assert found["ten_way"].value == pytest.approx(0.1)
    assert found["caption_top_1"].value == pytest.approx(1 / 20)
    assert found["caption_top_5"].value == pytest.approx(5 / 20)


def test_a_picture_shown_often_is_one_picture():
    # what trials of a picture share says nothing of its caption; trials alone would call it sure
    ps = [asked(pictures=20, trials=600, look=3.0, seed=seed)["two_way"].p for seed in range(40)]
    assert sum(p <= 0.05 for p in ps) <= 6
    wide = asked(pictures=20, trials=600, look=3.0)["two_way"].interval
    assert wide[1] - wide[0] > 0.1  # 600 trials would give 0.05


def test_few_captions_are_not_asked_about():
    assert asked(pictures=19) == {}


# --- zero-shot


def named(recall: np.ndarray, n=60, seed=0) -> TrialTable:
    """One run of trials of each class that are named with the chances ``recall`` (k, k)."""
    rng, k = np.random.default_rng(seed), len(recall)
    true = rng.permutation(np.arange(n * k) % k)
    said = np.array([rng.choice(k, p=recall[each]) for each in true])
    fill = np.ones(len(true), int)
    where = (np.full(len(true), "sub-02"), fill, fill, np.arange(len(true)))
    return TrialTable(*where, true, 0.9 * np.eye(k)[said] + 0.1 / k, np.full(len(true), ""))


def test_names_that_fit_by_luck_are_not_above_chance():
    pytest.importorskip("torch")
    from calibration.evaluation.words import names_p

    # the network answers one strange picture with one name, and that fits two of four by luck
    lucky = named(np.eye(4)[[0, 1, 1, 1]] * 0.8 + 0.05)
    assert names_p(lucky) > 0.05
    part = EvaluationPart("zero_shot", "Zero-shot", "", lucky, tuple("abcd"), names_p(lucky))
    found = report(Evaluation("m", "d", "now", tuple("abcd"), (part,)))
    assert found.measured[0].trials.p < 0.01
    assert not found.measured[0].above
    assert found.values()["parts"][0]["names_p"] == names_p(lucky)  # type: ignore[index]
    six = named(np.eye(6) * 0.4 + 0.1)
    assert names_p(six) == pytest.approx(1 / 720)
    assert names_p(named(np.eye(8) * 0.6 + 0.05)) == pytest.approx(1 / 1001)


def test_the_page_and_the_json_show_every_figure_with_n_interval_chance_and_p():
    found = Retrieval(240, 80, 7, asked(skill=1, own=1))
    part = EvaluationPart("test_sessions", "Test sessions", "", named(np.eye(4) * 0.6 + 0.1))
    whole = report(Evaluation("m", "d", "now", tuple("abcd"), (part,), retrieval=found))
    html = whole.html()
    assert "Which picture was it?" in html
    assert "80 different captions" in html
    for words in RETRIEVAL.values():
        assert words in html
    values: Any = whole.values()["retrieval"]
    assert (values["trials"], values["captions"], values["trained"]) == (240, 80, 7)
    assert list(values["figures"]) == list(found.figures)
    bare = report(replace(whole.evaluation, retrieval=None))
    assert bare.values()["retrieval"] is None
    assert "Which picture was it?" not in bare.html()


# --- the command


@pytest.mark.slow
def test_only_categories_that_were_never_in_training_are_zero_shot(tmp_path, capsys, monkeypatch):
    pytest.importorskip("torch")
    from calibration.pretraining import PretrainingSettings, pretrain
    from calibration.pretraining.loop import TrainingSettings
    from rtbci import text
    from sims import dataset

    class Letters:
        """A text space that counts letters, so that no weights are needed."""

        def embed(self, texts: tuple[str, ...]) -> np.ndarray:
            counts = [[word.count(c) + 0.1 for c in "abcdefghijklmnopqrstuvwxyz"] for word in texts]
            return unit(np.pad(np.array(counts), ((0, 0), (0, 384 - 26))))

    monkeypatch.setattr(text, "text_space", Letters)
    old, new = ("bird", "car", "flower", "train"), ("boat", "cat", "dog", "person", "sofa")
    for name, classes in (("old", old), ("new", (*old[:2], *new))):
        dataset.write(
            tmp_path / name, subjects=2, sessions=3, runs=1, trials=84, strength="clear",
            channels=16, rate=250.0, classes=classes, merged=False, images=False,
        )  # fmt: skip
    plan = PretrainingSettings(
        tmp_path / "old", tmp_path / "model", sessions="1/0/1", settings=TrainingSettings(epochs=1)
    )
    pretrain(plan, lambda *_: None)

    def evaluate(data: str) -> dict[str, Any]:
        words = ["--data", tmp_path / data, "--model", tmp_path / "model", "--json"]
        words += ["--out", tmp_path / f"report-{data}"]
        assert cli.main(["evaluate", *map(str, words)]) == 0
        return json.loads(capsys.readouterr().out)

    values = evaluate("old")
    parts = {part["name"]: part for part in values["parts"]}
    assert parts["class_names"]["classes"] == list(old)
    assert "Not zero-shot" in parts["class_names"]["how"]
    assert "zero_shot" not in parts
    assert values["retrieval"]["captions"] > 20
    values = evaluate("new")
    parts = {part["name"]: part for part in values["parts"]}
    assert parts["test_sessions"]["classes"] == ["bird", "car"]
    zero = parts["zero_shot"]
    assert zero["classes"] == list(new)
    assert zero["figures"]["balanced_accuracy"]["chance"] == pytest.approx(0.2, abs=0.02)
    assert 0 < zero["names_p"] <= 1
    assert zero["n"] == np.sum(zero["confusion"])
    assert any("never taught" in note for note in values["notes"])
