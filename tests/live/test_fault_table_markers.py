"""The fault table, rows 15 to 19: markers that are missing, doubled, late, early or absurd.

Every row is a replay over the bus, four times as fast as life; they run side by side.
"""

from pathlib import Path
from typing import Any

import pytest

from tests.support.boxes_on_bus import (
    LABELS,
    RATE,
    Box,
    Lab,
    Played,
    at_once,
    bundle,
    fault,
    home,
    lab,
    recorded,
    simulated,
)
from tests.support.lsl_source import source

__all__ = ["bundle", "home"]

pytestmark = [pytest.mark.lsl, pytest.mark.slow]
EVERY = 20  # one in so many markers is lost
ODD = (
    "", " ", "nobody knows this", "é研🧠", "x" * 200_000, "\x1b[31mred\x07", "a\nb\r\tc",
    '{"label": ', '{"label": {"label": 1}}', '{"label": "' + "y" * 300_000 + '"}', "[" * 5000,
    '{"label": 1, "label": 2}', "<b>&amp;</b>", "=1+1", "../../etc/passwd", "NaN", "-0", "1e999",
    b"\xff\xfe\x80",
)  # fmt: skip
# another program of the lab: a stream of markers, each of the texts given, again and again
SENDER = """
import ast, sys, time, pylsl
session, every, texts = sys.argv[1], float(sys.argv[2]), ast.literal_eval(open(sys.argv[3]).read())
pylsl.set_config_content(
    f"[lab]\\nSessionID={session}\\n[multicast]\\nResolveScope=machine\\n[ports]\\nPortRange=128\\n"
)
outlet = pylsl.StreamOutlet(pylsl.StreamInfo("others", "Markers", 1, 0, "string", "others"))
while True:
    for text in texts:
        outlet.push_sample([text])
        time.sleep(every)
"""


def sender(bus: Lab, texts: tuple[str | bytes, ...], every: float) -> None:
    """Start ``SENDER``; it is killed with the session."""
    (bus.folder / "texts").write_text(repr(texts), "utf-8")
    bus.run(bus.session, every, bus.folder / "texts", code=SENDER)


@pytest.fixture(scope="module")
def played(bundle, home, tmp_path_factory) -> dict[str, Any]:
    """Every replay, by name."""

    def play(script: str, texts: tuple[str | bytes, ...] = (), **more) -> Played:
        folder: Path = tmp_path_factory.mktemp("replay")
        with lab(folder, home) as bus:
            if texts:
                sender(bus, texts, every=0.1)
            return bus.play(simulated(26), script, "--linger", 30, **more)

    def alone() -> Box:
        with lab(tmp_path_factory.mktemp("alone"), home) as bus:
            labels = ",".join(bundle.recipe.channels)
            amplifier = source(bus.session, rate=RATE, chunk=5, channels=4, labels=labels)
            try:
                decode = bus.decode()
                decode.alarm("markers")
                sender(bus, tuple(LABELS), every=0.3)
                decode.until("decision")
                return decode
            finally:
                amplifier.stop()

    return at_once({
        "alone": alone,
        "missing": lambda: play(fault(0, "missing", every=EVERY)),
        "doubled": lambda: play(fault(0, "duplicate", every=2)),
        "late data": lambda: play(fault(8, "delay", 10, by=0.5)),
        "late": lambda: play(fault(8, "late", 6, by=3.0) + fault(16, "early", 6, by=2.0)),
        "odd": lambda: play("", ODD, record=True),
    })  # fmt: skip


def test_row_15_without_markers_it_says_so_and_takes_them_when_they_come(played):
    alone = played["alone"]
    assert alone.until("ready")["markers"] == []
    assert "no marker stream" in alone.alarm("markers", "amber")["text"]
    over = alone.wait(lambda e: (e["event"], e.get("code")) == ("clear", "markers"))
    assert "markers from others" in over["text"]
    assert alone.until("decision")["true"] in LABELS.values()


def test_row_16_a_marker_that_never_came_costs_its_own_event_only(played, bundle):
    missing = played["missing"]
    planned = [each.index for each in missing.recording.markers]
    lost = set(planned[EVERY - 1 :: EVERY])
    assert lost
    assert missing.as_offline(bundle) == set(planned) - lost
    assert {each["rejected"] for each in missing.events} == {None}


def test_row_17_a_marker_that_came_twice_is_one_event_and_counted(played, bundle):
    doubled = played["doubled"]
    assert doubled.as_offline(bundle) == doubled.indices()
    assert doubled.done["duplicates"] == len(doubled.recording.markers) // 2


@pytest.mark.parametrize("which", ["late data", "late"])
def test_row_18_markers_long_before_or_behind_their_data_are_never_cut_elsewhere(
    played, bundle, which
):
    found: Played = played[which]
    flagged = [each for each in found.events if "late marker" in each["flags"]]
    for each in flagged:  # decided out of order, which is said, from the right samples
        each["flags"].remove("late marker")
    assert found.as_offline(bundle) == found.indices()
    assert {each["rejected"] for each in found.events} == {None}
    assert bool(flagged) == (which == "late")
    assert all(8 <= each["index"] / RATE < 14 for each in flagged)


def test_row_19_absurd_labels_are_recorded_and_disturb_nobody(played, bundle):
    odd = played["odd"]
    assert odd.as_offline(bundle) == odd.indices()
    assert {each["rejected"] for each in odd.events} == {None}
    for box in (odd.decode, odd.record, odd.stream):
        assert "Traceback" not in box.stderr
        assert box.stderr.replace("\n", "").isprintable()
        assert "red" not in [level for level, _ in box.codes()]
    texts = {row[0] for row in recorded(odd.xdf, "others")["time_series"]}
    assert {each for each in ODD if isinstance(each, str)} <= texts
