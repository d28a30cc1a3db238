"""The picture of a session: always one PNG of a fixed size, honest words, any names."""

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from rtbci.errors import BadInput
from rtbci.report.session_picture import Fonts, arrange, headline, session_picture
from rtbci.statistics.scores import Scores, permutation_p, score
from rtbci.statistics.verdict import refused
from rtbci.types import Decision

TWO = ("face", "house")


def session(
    n: int, classes: Sequence[str] = TWO, *, skill: float = 1.5, rejected: int = 0, seed: int = 0
) -> tuple[list[Decision], Scores | None]:
    """Decisions of a decoder that adds ``skill`` to the log-odds of the truth, and their scores."""
    rng = np.random.default_rng(seed)
    classes, k = list(classes), len(classes)
    true = rng.permutation(np.resize(np.arange(k), n))
    odds = np.exp(rng.normal(0, 1, (n, k)) + skill * np.eye(k)[true])
    p = odds / odds.sum(axis=1, keepdims=True)
    found = []
    for i in range(n):
        onset = 4 + 1.5 * i
        if i < rejected:
            why = "gap" if i % 2 else "no reliable signal: TP9 $x$ flat"
            found.append(Decision(i, onset, classes[true[i]], None, {}, (), why))
            continue
        values = dict(zip(classes, map(float, p[i]), strict=True))
        flags = ("amplitude",) if i % 9 == 0 else ()
        label = classes[int(p[i].argmax())]
        found.append(Decision(i, onset, classes[true[i]], label, values, flags))
    if rejected >= n:
        return found, None
    true, p = true[rejected:], p[rejected:]
    chance = permutation_p(true, p.argmax(axis=1), np.arange(len(true)) // 20, k)
    return found, score(true, p, chance, 2000)


def size(path: Path) -> tuple[int, int]:
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG")
    return struct.unpack(">II", data[16:24])


@pytest.mark.parametrize(
    ("n", "k", "rejected"),
    [(60, 2, 5), (1, 2, 0), (300, 4, 0), (400, 20, 40), (40, 2, 40), (0, 2, 0), (0, 5, 0)],
)
def test_every_session_gives_one_picture_of_the_same_size(tmp_path, n, k, rejected):
    classes = [f"class {i}" for i in range(k)]
    decisions, scores = session(n, classes, rejected=rejected)
    session_picture(tmp_path / "a.png", decisions, scores, "a session", classes)
    assert size(tmp_path / "a.png") == (1280, 800)


def test_a_picture_is_drawn_over_the_one_before(tmp_path):
    decisions, scores = session(20)
    for _ in range(2):
        session_picture(tmp_path / "a.png", decisions, scores, "twice", TWO)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_untrusted_names_are_drawn_as_they_are(tmp_path):
    classes = ("$\\frac{", "$$", "人脸\n\x00\ud800", "x" * 500, "")
    decisions, scores = session(50, classes, rejected=4)
    session_picture(tmp_path / "a.png", decisions, scores, "$\\alpha \u202e 脑 " * 40, classes)
    assert size(tmp_path / "a.png") == (1280, 800)


def test_names_that_look_alike_are_numbered():
    fonts = Fonts()
    names = arrange([], ("a\n", "a", "long" * 9 + "1", "long" * 9 + "2", "\x00"), fonts).names
    assert names == ["a", "a 2", "longlonglongl…", "longlonglongl… 4", "(no name)"]


def test_a_character_that_no_font_has_becomes_a_box():
    assert Fonts().fit("ü \U00012000", 20) == "ü □"


def test_recordings_are_drawn_one_behind_the_other():
    decisions, _ = session(20)
    arranged = arrange([*decisions, *decisions], TWO, Fonts())
    assert (np.diff(arranged.times) > 0).all()
    assert len(arranged.starts) == 1
    assert arranged.times[19] < arranged.starts[0] < arranged.times[20]


def test_a_late_marker_starts_no_new_recording():
    decisions = [Decision(i, t, None, None, {}, (), "gap") for i, t in enumerate((4.0, 7.0, 5.5))]
    assert arrange(decisions, TWO, Fonts()).times.tolist() == [4.0, 7.0, 5.5]


def test_classes_that_the_decoder_does_not_know_have_no_truth():
    stranger = Decision(0, 1.0, "cat", "face", {"face": 0.8, "house": 0.2})
    arranged = arrange([stranger], TWO, Fonts())
    assert arranged.true.tolist() == [-1]
    assert not arranged.scored.any()


@pytest.mark.parametrize(
    ("n", "skill", "rejected", "words"),
    [
        (100, 2.0, 0, "Above chance"),
        (100, 0.0, 0, "Not above chance"),
        (30, 3.0, 0, "Above chance"),
        (40, 1.0, 40, "Nothing decoded"),
        (0, 1.0, 0, "No events"),
    ],
)
def test_the_headline_says_what_the_figures_allow(n, skill, rejected, words):
    decisions, scores = session(n, skill=skill, rejected=rejected)
    assert headline(decisions, scores)[0] == words


def test_the_headline_gives_the_reason():
    assert "too few to rely on" in headline(*session(30, skill=3.0))[1]
    assert "gap (20)" in headline(*session(40, rejected=40))[1]
    unscored = [Decision(0, 1.0, None, "face", {"face": 0.8, "house": 0.2})]
    assert headline(unscored, None) == (
        "Not scored",
        "1 of 1 events decoded; what was shown is not known",
    )


def test_figures_of_trials_that_were_learnt_from_are_called_no_test():
    decisions, scores = session(60, skill=3.0)
    assert headline(decisions, scores)[0] == "Above chance"
    verdict = refused("no test: trained on run1.xdf")
    assert headline(decisions, scores, verdict) == ("No test", "no test: trained on run1.xdf")


def test_decisions_without_truth_are_drawn_too(tmp_path):
    decisions = [Decision(i, float(i), None, "face", {"face": 0.8, "house": 0.2}) for i in range(9)]
    session_picture(tmp_path / "a.png", decisions, None, "sliding", TWO)
    assert size(tmp_path / "a.png") == (1280, 800)


def test_one_class_alone_is_no_test_and_still_a_picture(tmp_path):
    decisions, _ = session(20)
    decisions = [each for each in decisions if each.true == "face"]
    p = np.array([list(each.probabilities.values()) for each in decisions])
    scores = score(np.zeros(len(p), int), p, 1.0, 2000)
    session_picture(tmp_path / "a.png", decisions, scores, "one class", TWO)
    assert size(tmp_path / "a.png") == (1280, 800)


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(BadInput, match=r"nowhere.*name another place"):
        session_picture(tmp_path / "nowhere" / "a.png", [], None, "", TWO)
