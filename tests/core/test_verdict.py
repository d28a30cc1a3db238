"""One verdict: its thresholds stand in one file, and every reader shows the stored word."""

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calibration.evaluation.document import report
from calibration.evaluation.values import Evaluation, EvaluationPart, TrialTable
from calibration.fitting.training import CalibrationSettings, calibrate
from gui.operator.about import read_about
from gui.operator.session_state import CardText, SessionState
from rtbci.decoding.bundle import Bundle, load_bundle
from rtbci.decoding.offline import RunCounts, scores_of, summary
from rtbci.messages import DecisionMade
from rtbci.report.session_picture import headline
from rtbci.statistics.scores import scores_json
from rtbci.statistics.verdict import ABOVE, NOT_ABOVE, UNTESTED, Verdict, calibrated, stored
from rtbci.types import Decision
from sims.generate import generate

ROOT = Path(__file__).resolve().parents[2]
HOME = "rtbci/statistics/verdict.py"
LIMITS = {"GO_P": 0.01, "CAUTION_P": 0.05, "FEWEST_FOR_GO": 40}
WRITES_P = "rtbci/report/numbers.py"  # p < 0.001 there is how p is printed
RECORD = {"p_value": 0.0005, "balanced_accuracy_ci95": [0.6, 0.9], "chance": 0.5}
CLASSES: tuple[str, ...] = ("face", "house")
NOT_ABOVE_CARD = CardText(note="not above chance")


def last_name(node: ast.AST) -> str:
    """Last part of a dotted name, "" for anything else."""
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def thresholds(tree: ast.AST, limit_of_p: bool = True) -> Iterator[str]:
    """Every use of a limit in ``tree``, and every p or n that is compared with a limit."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and LIMITS.keys() & {a.name for a in node.names}:
            yield f"{node.lineno} {ast.unparse(node)}"
        elif last_name(node) in LIMITS:
            yield f"{getattr(node, 'lineno', 0)} {ast.unparse(node)}"
        elif isinstance(node, ast.Compare):
            sides = (node.left, *node.comparators)
            parts = [part for side in sides for part in ast.walk(side)]
            numbers = {p.value for p in parts if isinstance(p, ast.Constant)} - {None}
            named = any(last_name(part).isupper() for part in parts)
            names = {last_name(side) for side in sides}
            is_p = any(re.search(r"(^|_)p(_values?)?$", name) for name in names)
            if (is_p and limit_of_p and (numbers or named)) or ("n" in names and 40 in numbers):
                yield f"{node.lineno} {ast.unparse(node)}"


def test_thresholds_of_the_verdict_stand_in_one_file():
    wrong = []
    for room in ("rtbci", "calibration", "gui", "sims"):
        for path in sorted((ROOT / room).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if name != HOME:
                tree = ast.parse(path.read_text("utf-8"))
                wrong += [f"{name}:{each}" for each in thresholds(tree, name != WRITES_P)]
    assert not wrong, wrong


@pytest.mark.parametrize(
    "line",
    [
        "from rtbci.statistics.verdict import GO_P",
        "from rtbci.statistics.verdict import CAUTION_P as level",
        "failed = figure.p <= rule.GO_P / max(1, made)",
        "above = scores.p_value <= 0.01",
        "above = names_p <= 1e-2 / tests",
        "above = 0.05 >= p",
        "above = p_values < LEVEL",
        "few = scores.n < 40",
        "few = scores.n < verdict.FEWEST_FOR_GO",
    ],
)
def test_a_threshold_that_is_put_back_is_found(line):
    assert list(thresholds(ast.parse(line)))


def test_evaluation_pages_take_the_limit_of_p_from_the_verdict():
    templates = sorted((ROOT / "rtbci" / "report" / "templates").glob("*.html"))
    assert templates
    for path in templates:
        assert not re.search(r"p (≤|<=|&le;) *0?\.\d", path.read_text("utf-8")), path.name


@pytest.fixture(scope="module")
def untested() -> Bundle:
    """A small bundle whose labels were not shuffled."""
    recording = generate(1, n_trials=60, soa=1.0, channels=4)
    plan = CalibrationSettings("sub-01", {"1": "house", "2": "face"})
    return calibrate([recording], plan, lambda *_: None, permute=False).bundle


def on_disk(bundle: Bundle, root: Path, old: bool) -> Path:
    """``bundle`` saved; with ``old`` as before its reason and ``above_chance`` were stored."""
    folder = bundle.save(root)
    if old:
        file = folder / "subject.json"
        document = json.loads(file.read_text("utf-8"))
        del document["reason"], document["above_chance"]
        file.write_text(json.dumps(document), "utf-8")
    return folder


def card(folder: Path) -> CardText:
    """The window's card, with the bundle in ``folder``, for a decision that is sure of "face"."""
    state = SessionState(replace(read_about(folder), sure=0.7), lambda: 1000.0)
    probabilities = {"face": 0.99, "house": 0.01}
    state.hear(DecisionMade(Decision(250, 1.0, None, "face", probabilities), box="decode"))
    return state.card()


@pytest.mark.parametrize("old", [False, True], ids=["new bundle", "old bundle"])
@pytest.mark.parametrize(
    ("verdict", "p", "shown"),
    [
        (Verdict("GO", "w", True), 0.0005, CardText("face", 0.99)),
        (Verdict("CAUTION", "only 30 test trials", True), 0.0005, CardText("face", 0.99)),
        (Verdict("CAUTION", "perhaps above chance", False), 0.03, NOT_ABOVE_CARD),
        (Verdict("NO-GO", "the backbone has learnt", False), 0.0005, NOT_ABOVE_CARD),
        (Verdict("NO-GO", "not above chance", False), 0.3, NOT_ABOVE_CARD),
        (UNTESTED, None, CardText("face", 0.99, "calibration was not tested")),
    ],
)  # fmt: skip
def test_the_window_names_a_class_only_if_the_stored_verdict_is_above_chance(
    untested, tmp_path, verdict, p, shown, old
):
    training = {**untested.training, **(RECORD | {"p_value": p} if p else {})}
    bundle = replace(untested, verdict=verdict, training=training)
    folder = on_disk(bundle, tmp_path, old)
    loaded = load_bundle(folder).verdict
    assert loaded == (replace(verdict, reason="") if old else verdict)
    assert read_about(folder).verdict == loaded
    assert card(folder) == shown


@pytest.mark.parametrize(
    ("document", "above"),
    [
        ({"verdict": "NO-GO", "above_chance": True, "training": RECORD}, False),
        ({"verdict": "not tested", "above_chance": True, "training": RECORD}, None),
        ({"verdict": "perhaps", "training": RECORD}, None),
        ({"verdict": "CAUTION", "above_chance": True, "training": {}}, True),
        ({"verdict": "CAUTION", "above_chance": False, "training": RECORD}, False),
        ({"verdict": "CAUTION", "above_chance": "yes", "training": {}}, False),
        ({"verdict": "GO", "training": RECORD | {"balanced_accuracy_ci95": [0.5, 0.9]}}, False),
        ({"training": RECORD}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_a_document_gives_what_it_stores_and_never_more_than_its_word_allows(document, above):
    assert stored(document).above_chance is above


def replayed(n: int, skill: float) -> RunCounts:
    """Decisions on ``n`` trials of a decoder that adds ``skill`` to the log-odds of the truth."""
    rng = np.random.default_rng(3)
    true = rng.permutation(np.resize([0, 1], n))
    odds = np.exp(rng.standard_normal((n, 2)) + skill * np.eye(2)[true])
    decisions = []
    for i, p in enumerate(odds / odds.sum(axis=1, keepdims=True)):
        label, values = CLASSES[int(p.argmax())], dict(zip(CLASSES, p.tolist(), strict=True))
        decisions.append(Decision(i, 1.5 * i, CLASSES[true[i]], label, values))
    return RunCounts(decisions, [0] * n, recordings=1)


def evaluated(tally: RunCounts) -> Verdict:
    """The verdict of an evaluation of the same trials."""
    n = len(tally.decisions)
    true = np.array([CLASSES.index(each.true or "") for each in tally.decisions])
    p = np.array([list(each.probabilities.values()) for each in tally.decisions])
    where = (np.full(n, "sub-01"), np.ones(n, int), np.ones(n, int), np.arange(n))
    part = EvaluationPart("runs", "Runs", "As is.", TrialTable(*where, true, p, np.full(n, "")))
    return report(Evaluation("m", "d", "2026-11-21 20:00", CLASSES, (part,))).verdict


@pytest.mark.parametrize(
    ("n", "skill", "word", "picture", "evaluation", "label"),
    [
        (80, 2.0, "GO", "Above chance", ABOVE, "face"),
        (30, 3.0, "CAUTION", "Above chance", ABOVE, "face"),
        (80, 0.0, "NO-GO", "Not above chance", NOT_ABOVE, None),
    ],
)
def test_bundle_window_summary_picture_and_evaluation_agree(
    untested, tmp_path, n, skill, word, picture, evaluation, label
):
    tally = replayed(n, skill)
    scores = scores_of(tally, untested)
    assert scores is not None
    low = scores.balanced_accuracy_ci95[0]
    verdict = calibrated(scores.p_value, low, scores.chance, scores.n)
    training = {**untested.training, **scores_json(scores)}
    folder = replace(untested, verdict=verdict, training=training).save(tmp_path)
    document = json.loads((folder / "subject.json").read_text("utf-8"))
    assert document["above_chance"] is verdict.above_chance
    words = (
        document["verdict"],
        load_bundle(folder).verdict.word,
        read_about(folder).verdict.word,
        summary(tally, untested, scores)["verdict"],
    )
    assert words == (word,) * 4
    assert card(folder).label == label
    name, why = headline(tally.decisions, scores, verdict)
    other = evaluated(tally)
    assert (name, other.word) == (picture, evaluation)
    few = ["too few to rely on" in text for text in (why, other.reason)]
    assert few == [word == "CAUTION"] * 2
