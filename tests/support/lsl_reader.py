"""Reader for tests: one EEG stream and its markers by plain pylsl, in a separate process.

    python -m tests.support.lsl_reader SESSION NAME MARKERS OUT.npz IDLE ROWS

Writes what came once nothing has come for IDLE seconds, or ROWS samples have: ``x``, ``stamps``,
``came`` (LSL seconds at which it was in hand), ``texts``, ``text_stamps``, ``text_came``, ``xml``
(the description).
"""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pylsl

from tests.support.lsl_source import CONFIG, ROOT


@dataclass
class Read:
    """Samples and markers received by a reader."""

    x: np.ndarray  # (n, channels)
    stamps: np.ndarray  # (n,)
    came: np.ndarray
    texts: list[str]
    text_stamps: np.ndarray
    text_came: np.ndarray
    desc: ElementTree.Element

    @property
    def t0(self) -> float:
        return float(self.desc.findtext("t0") or "nan")

    @property
    def counter(self) -> np.ndarray:
        """Channel 0 from sample index 0 on."""
        return self.x[self.stamps >= self.t0 - 1e-9, 0]


class Reader:
    """The process; ``result`` waits for it."""

    def __init__(
        self, session: str, folder: Path, name="rtbci-eeg", markers=None, idle=0.8, rows=10**9
    ):
        self.out = folder / f"read-{len(list(folder.glob('read-*')))}.npz"
        self.out.touch()
        markers = markers or ("rtbci-markers" if name == "rtbci-eeg" else f"{name}-markers")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.lsl_reader", session, name, markers,
             str(self.out), str(idle), str(rows)],
            cwd=ROOT, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def wait_open(self) -> None:
        """Wait until the reader is subscribed."""
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "open\n"

    def result(self, timeout: float = 60) -> Read:
        """Received samples and markers."""
        out, _ = self.process.communicate(timeout=timeout)
        assert self.process.returncode == 0, out
        got = np.load(self.out)
        desc = ElementTree.fromstring(str(got["xml"])).find("desc")
        assert desc is not None
        return Read(
            got["x"], got["stamps"], got["came"], got["texts"].tolist(), got["text_stamps"],
            got["text_came"], desc,
        )  # fmt: skip


def main() -> None:
    """Read until the stream is silent."""
    session, name, markers, out, idle, rows = sys.argv[1:]
    pylsl.set_config_content(CONFIG.format(session))
    found = [_find(each) for each in (name, markers)]
    eeg, events = (pylsl.StreamInlet(each, max_buflen=60, processing_flags=0) for each in found)
    xml = eeg.info(timeout=5).as_xml()
    for inlet in (events, eeg):
        inlet.open_stream(timeout=5)
    print("open", flush=True)
    x, stamps, came, texts, text_stamps, text_came = [], [], [], [], [], []
    last, any_yet = pylsl.local_clock(), False
    while True:
        values, times = eeg.pull_chunk(timeout=0.02, max_samples=1024, as_numpy=True)
        now = pylsl.local_clock()
        if len(times):
            x.append(np.array(values))
            stamps.append(np.array(times))
            came.append(np.full(len(times), now))
        text, stamp = events.pull_sample(timeout=0.0)
        while text is not None:
            texts.append(text[0])
            text_stamps.append(stamp)
            text_came.append(pylsl.local_clock())
            text, stamp = events.pull_sample(timeout=0.0)
        if len(times) or (text_came and text_came[-1] > now - 0.01):
            last, any_yet = now, True
        elif now - last > (float(idle) if any_yet else 30):
            break
        if sum(map(len, stamps)) >= int(rows):
            break
    np.savez(
        out, x=np.concatenate(x), stamps=np.concatenate(stamps), came=np.concatenate(came),
        texts=np.array(texts), text_stamps=text_stamps, text_came=text_came, xml=np.array(xml),
    )  # fmt: skip


def _find(name: str) -> pylsl.StreamInfo:
    # after 0.5 s it asks port by port: one answer to all may hide another; no shorter rounds then
    found = pylsl.resolve_byprop("name", name, timeout=20)
    if not found:
        raise SystemExit(f"no stream {name}")
    return found[0]


if __name__ == "__main__":
    main()
