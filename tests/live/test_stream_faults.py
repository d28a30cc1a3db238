"""``rtbci stream --fault``: outlets that die, come back, come back as another one."""

from collections.abc import Iterator

import numpy as np
import psutil
import pytest

from tests.support.counted import CHANNELS, counted_file
from tests.support.lsl_reader import Reader
from tests.support.lsl_stream import Start, streams

pytestmark = pytest.mark.lsl
LEAVE_S = 3.0  # within which all of it must be gone


@pytest.fixture
def stream() -> Iterator[Start]:
    with streams() as start:
        yield start


def test_a_killed_outlet_comes_back_on_the_sample_that_is_due(stream, tmp_path):
    script = tmp_path / "gone.toml"
    script.write_text('[[fault]]\nat = 1.0\ndo = "kill"\nfor = 1.5\n')
    played = stream(counted_file(tmp_path, 5), "--wait-for", "1", "--fault", str(script))
    reader = Reader(played.session, tmp_path, idle=3)
    ready = played.until("ready")
    fault = played.until("fault")
    assert (fault["do"], fault["at"], fault["for"], fault["index"]) == ("kill", 1.0, 1.5, 250)
    assert played.until("back")["index"] == 625
    got = reader.result()
    counter = got.counter.astype(int)
    index = np.round((got.stamps - ready["t0"]) * 250).astype(int)
    np.testing.assert_array_equal(counter, index[index >= 0])  # the same t0 after the return
    hole = int(np.argmax(np.diff(counter)))
    assert 230 <= counter[hole] < 250  # what was under way when it died may be lost
    assert 625 <= counter[hole + 1] < 625 + 500  # LSL finds it again within 2 s
    assert counter[-1] == 1249
    assert played.rest() == 0
    assert played.all("done")[0]["samples"] == 1250 - 375


@pytest.mark.parametrize(
    ("keys", "labels", "unit", "rate"),
    [
        ('do = "channels"\nchannels = 2', ["C3", "Cz"], "microvolts", "250.0"),
        ('do = "order"\norder = "reverse"', list(CHANNELS[::-1]), "microvolts", "250.0"),
        ('do = "rate"\nrate = 500', list(CHANNELS), "microvolts", "500.0"),
        ('do = "unit"\nunit = "volts"', list(CHANNELS), "volts", "250.0"),
    ],
)
def test_a_stream_returns_with_another_face(stream, tmp_path, keys, labels, unit, rate):
    script = tmp_path / "changed.toml"
    script.write_text(f"[[fault]]\nat = 0.2\nfor = 0.1\n{keys}\n")
    played = stream(counted_file(tmp_path, 5), "--fault", str(script), "--lead-in", "0.2")
    ready = played.until("ready")
    played.until("back")
    got = Reader(played.session, tmp_path, rows=100).result()
    channels = got.desc.findall("channels/channel")
    assert [each.findtext("label") for each in channels] == labels
    assert {each.findtext("unit") for each in channels} == {unit}
    assert (got.desc.findtext("rate"), got.t0) == (rate, ready["t0"])
    index = np.round((got.stamps - got.t0) * float(rate))
    np.testing.assert_allclose(got.stamps, got.t0 + index / float(rate), rtol=0, atol=1e-9)
    count = got.x[:, labels.index("C3")] * (1e6 if unit == "volts" else 1)
    np.testing.assert_allclose(count, np.floor(index * 250 / float(rate)), rtol=1e-6)


def test_its_lives_do_not_outlive_a_killed_parent(stream, tmp_path):
    script = tmp_path / "gone.toml"
    script.write_text('[[fault]]\nat = 9\ndo = "kill"\nfor = 0.5\n')
    played = stream(counted_file(tmp_path, 10), "--fault", str(script), "--lead-in", "0.1")
    played.until("start")
    children = psutil.Process(played.process.pid).children()
    played.process.kill()
    assert psutil.wait_procs(children, timeout=LEAVE_S)[1] == []


def test_other_faults_are_told_when_they_begin(stream, tmp_path):
    script = tmp_path / "spoilt.toml"
    script.write_text(
        '[[fault]]\nat = 1\ndo = "nan"\nfor = 1\nchannels = ["Cz"]\n'
        '[[fault]]\nat = 0.5\ndo = "missing"\nevery = 2\n'
    )
    played = stream(counted_file(tmp_path, 3), "--speed", "4", "--wait-for", "1", "--fault", script)
    got = Reader(played.session, tmp_path).result()
    assert played.rest() == 0
    told = [(event["do"], event["at"], event["index"]) for event in played.all("fault")]
    assert told == [("missing", 0.5, 125), ("nan", 1.0, 250)]
    np.testing.assert_array_equal(got.counter, np.arange(750))
    assert np.flatnonzero(np.isnan(got.x[-750:, 1])).tolist() == list(range(250, 500))
    assert [text for text in got.texts if text[0] == "m"] == ["m100", "m225", "m475", "m725"]
