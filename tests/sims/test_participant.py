"""The live participant: what markers show, and responses behind the markers of another process."""

import json
import time
from pathlib import Path
from queue import SimpleQueue
from types import SimpleNamespace

import numpy as np
import pytest

from rtbci import stimuli
from rtbci.errors import Missing
from rtbci.messages import Event, MarkerAnswered, MarkerUnknown, ParticipantCounters
from rtbci.types import Marker
from sims import participant
from sims.participant import StimulusLookup
from sims.person import Person, features
from sims.person.constants import LOOKS, MEANING
from tests.support.boxes_on_bus import Lab, lab

SHOWN, GAP_S = 24, 0.7  # pictures of the live test, and s between them
LEAD_S = 2.0  # before the first one, as in any experiment
NAMES = ("Oz", "O1", "O2", "Pz", "P7", "P8", "PO7", "PO8")
PROGRAM = """
import json, sys, time
from rtbci.lsl.config import configure
configure({session!r}, "machine")
from rtbci.lsl.outlet import clock, events
from rtbci.lsl.inlet import Inlet
from rtbci.lsl.resolve import StreamDiscovery
markers = events("experiment", "experiment-1")
watch, found = StreamDiscovery(), []
while not found:
    found = [each for each in watch.found() if each.about.kind == "EEG"]
inlet = Inlet(found[0])
about = inlet.open()
rows, stamps, shown = [], [], []

def read(until):
    while clock() < until:
        x, t = inlet.pull(0.02, 50)
        rows.extend(x.tolist())
        stamps.extend(t.tolist())

print(json.dumps({{"event": "connected"}}), flush=True)
sys.stdin.readline()
read(clock() + {lead})
for number in range({shown}):
    text = {texts!r}[number % {count}]
    shown.append(clock())
    markers.say(text, shown[-1])
    read(shown[-1] + {gap})
read(clock() + 0.6)
print(json.dumps({{"event": "read", "rows": rows, "stamps": stamps, "shown": shown,
    "about": [about.name, about.rate, list(about.channels), list(about.units),
              dict(about.fields)]}}), flush=True)
"""


@pytest.fixture
def told() -> list[Event]:
    """What was said."""
    return []


def eyes(told: list, strength: str = "realistic") -> StimulusLookup:
    return StimulusLookup(strength, told.append)


def see(told: list, marker: Marker, strength: str = "realistic") -> np.ndarray:
    """What drives the response to ``marker``."""
    found = eyes(told, strength).see(marker)
    assert found is not None
    return found


HORSE = next(i for i, each in enumerate(stimuli.load()) if each.name == "horse_0012")


@pytest.mark.parametrize(
    "marker",
    [
        Marker(0, "horse", {"image": "horse_0012"}),
        Marker(0, "horse", {"image": "stimuli/horse/horse_0012_resized.jpg"}),
        Marker(0, "stimulus", {"caption": stimuli.load()[HORSE].caption}),
        Marker(0, "horse_0012"),
        Marker(0, r"C:\pictures\horse\horse_0012.jpg"),
        Marker(0, json.dumps({"image": "horse_0012"})),
    ],
    ids=["image", "path", "caption", "name", "windows", "no label"],
)
def test_a_picture_of_the_set_is_known_however_it_is_named(marker, told):
    assert see(told, marker) == pytest.approx(features.of_set()[HORSE])
    assert not told


@pytest.mark.parametrize("marker", [Marker(0, "Horse"), Marker(0, "1", {"category": "horse"})])
def test_a_category_is_any_of_its_pictures(marker, told):
    seen = see(told, marker)
    of_horses = features.of_set()[features.classes() == stimuli.CATEGORIES.index("horse")]
    assert np.isclose(of_horses, seen).all(axis=1).any()
    assert not told


def test_unknown_words_evoke_their_meaning(told, monkeypatch):
    class Space:
        def embed(self, texts):
            assert texts == ["A brown horse reads on the moon"]
            return stimuli.embeddings()[[HORSE]]

    monkeypatch.setattr("rtbci.text.text_space", Space)
    looking = eyes(told)
    marker = Marker(0, "7", {"caption": "A brown horse reads on the moon"})
    seen = looking.see(marker)
    assert seen is not None
    assert seen[:MEANING] == pytest.approx(features.of_set()[HORSE][:MEANING])
    assert seen[MEANING:].tolist() == [0.0] * LOOKS
    assert looking.see(marker) is seen  # and it is said once
    assert told == [
        MarkerUnknown("A brown horse reads on the moon", "it evokes what its words mean")
    ]


def test_without_an_encoder_unknown_words_have_a_code_of_their_own(told, monkeypatch):
    def missing():
        raise Missing("no encoder; install one")

    monkeypatch.setattr("rtbci.text.text_space", missing)
    one, two = see(told, Marker(0, "S  1")), see(told, Marker(0, "S  2"))
    assert not np.array_equal(one, two)
    assert np.array_equal(one, see([], Marker(0, "S  1")))
    assert told[0].how == "it evokes a random code (no encoder; install one)"


@pytest.mark.parametrize(
    "marker",
    [
        Marker(0, "rtbci-start", {"late": 1.0}),
        Marker(0, "horse", {"image": "horse_0012", "dropped": True}),
        Marker(0, json.dumps({"trial": 3})),
    ],
)
def test_markers_that_show_nothing_evoke_nothing(marker, told):
    with pytest.raises(LookupError):
        eyes(told).see(marker)
    assert not told


def test_without_class_information_every_picture_is_the_same(told):
    assert eyes(told, "none").see(Marker(0, "horse_0012")) is None


def test_with_codes_a_picture_counts_as_its_class(told):
    code = features.of_codes(np.array([stimuli.CATEGORIES.index("horse")]))[0]
    assert see(told, Marker(0, "horse_0012"), "codes") == pytest.approx(code)
    assert see(told, Marker(0, "horse"), "codes") == pytest.approx(code)


def average(read: dict, which: list[int]) -> np.ndarray:
    """Mean signal (0.6 s at 250 Hz, channels) behind these pictures, by the stamps."""
    rows, stamps = np.array(read["rows"]), np.array(read["stamps"])
    epochs = []
    for number in which:
        first = int(np.searchsorted(stamps, read["shown"][number] - 0.002))
        epoch = rows[first : first + 150]
        epochs.append(epoch - epoch[:15].mean(axis=0))
    return np.mean(epochs, axis=0)


def expected(name: str) -> np.ndarray:
    """What a picture evokes on average in the person of the live test, (0.6 s, channels)."""
    who = Person(0, 2, NAMES, 250.0, "clear")
    number = next(i for i, each in enumerate(stimuli.load()) if each.name == name)
    driven = np.repeat(features.of_pictures([number]), 400, axis=0)
    return who.session(1).response.draw(400, driven, 150, np.random.default_rng(0)).mean(axis=0)


@pytest.mark.lsl
def test_a_stranger_shows_pictures_and_the_participant_responds(tmp_path: Path):
    texts = [json.dumps({"label": "horse", "image": "horse_0012"}), "bottle_0003"]
    with lab(tmp_path, tmp_path) as bus:
        box = bus.start(
            "simulate", "--live", "--strength", "clear", "--channels", ",".join(NAMES),
            "--rate", "250",
        )  # fmt: skip
        ready = box.until("ready")
        assert (ready["name"], ready["channels"], ready["simulated"]) == ("rtbci-eeg", 8, True)
        program = stranger(bus, texts)
        assert box.until("listening")["stream"] == "experiment"
        program.say("go")
        read = program.until("read", LEAD_S + SHOWN * GAP_S + 30)
        assert program.end() == 0, program.stderr
        answered = [box.until("evoked", since=0)["label"], len(box.all("evoked"))]
        box.say("finish")
        assert box.end() == 0, box.stderr
    assert answered[0] == "horse"
    done = box.events[-1]
    assert (done["event"], done["markers"], done["late"]) == ("done", SHOWN, 0)
    name, rate, channels, units, fields = read["about"]
    assert (name, rate, tuple(channels), set(units)) == ("rtbci-eeg", 250, NAMES, {"microvolts"})
    assert fields["simulated"] == "true"
    steps = np.diff(read["stamps"])
    assert steps == pytest.approx(0.004, abs=1e-6)  # every sample, none twice
    horse, bottle = (average(read, list(range(k, SHOWN, 2))) for k in (0, 1))
    for mean, other, wanted in (
        (horse, bottle, expected("horse_0012")),
        (bottle, horse, expected("bottle_0003")),
    ):
        wanted = wanted - wanted[:15].mean(axis=0)
        match = np.corrcoef(mean.ravel(), wanted.ravel())[0, 1]
        assert match > 0.6
        assert match > np.corrcoef(other.ravel(), wanted.ravel())[0, 1]


def stranger(bus: Lab, texts: list[str]):
    """A process that knows nothing of rtbci's boxes: it sends markers and reads the EEG."""
    code = PROGRAM.format(
        session=bus.session,
        texts=texts,
        count=len(texts),
        shown=SHOWN,
        gap=GAP_S,
        lead=LEAD_S,
    )
    box = bus.run(code=code)
    box.until("connected")
    return box


@pytest.mark.lsl
def test_a_participant_ends_after_the_seconds_asked_for(tmp_path: Path):
    with lab(tmp_path, tmp_path) as bus:
        box = bus.start(
            "simulate", "--live", "--channels", "4", "--rate", "256", "--seconds", "1.5",
            "--strength", "none", "--name", "muse",
        )  # fmt: skip
        assert box.until("ready")["name"] == "muse"
        began = time.monotonic()
        assert box.end() == 0, box.stderr
        assert time.monotonic() - began < 15
    assert 384 <= box.events[-1]["samples"] < 450


def test_a_marker_within_the_allowed_delay_loses_almost_nothing():
    late = np.array([expected(name) for name in ("horse_0012", "bottle_0003")])
    missed = late[:, : round((participant.LATE_S) * 250)]
    assert abs(missed).max() < 0.1 * abs(late).max()


@pytest.mark.parametrize("stamp", [float("nan"), float("inf"), -1e12, 1e12])
def test_a_marker_of_no_clock_counts_as_shown_now(stamp, told):
    person = Person(0, 2, NAMES, 250.0, "clear")
    someone = participant.Participant(person.session(1))
    ears = SimpleNamespace(heard=SimpleQueue())
    ears.heard.put(participant.ShownStimulus(stamp, "horse", None))
    someone._listen(ears, participant.clock(), told.append)  # type: ignore[arg-type]
    assert [type(each) for each in told] == [MarkerAnswered]
    assert someone.counts() == ParticipantCounters(samples=0, markers=1, late=0)
