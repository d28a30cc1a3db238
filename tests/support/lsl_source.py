"""Sender for tests: counting numbers over LSL, from a separate process.

    python -m tests.support.lsl_source --session ID --name eeg --channels 8 --rate 1000

Channel 0 holds the number of the sample (0, 1, 2, ...), the others fractions of it, stamps are
``t0 + number / rate``. A line on stdout tells what was pushed: ``NUMBER STAMP`` of the last sample.
Asked to end (SIGTERM) it pushes no more, says ``end`` and waits to be killed.
"""

import argparse
import signal
import subprocess
import sys
import threading
import time
import uuid
from contextlib import suppress
from pathlib import Path

import numpy as np
import pylsl

CONFIG = (
    "[lab]\nSessionID={}\n[multicast]\nResolveScope=machine\n[ports]\nPortRange=128\n"
    "[log]\nlevel=-3\n"
)
ROOT = Path(__file__).resolve().parents[2]


def session() -> str:
    """LSL session of a single test."""
    return f"test-{uuid.uuid4().hex[:12]}"


class Sender(subprocess.Popen[str]):
    """Sender in a separate process; ``pushed`` is the number and stamp of its last push."""

    def __init__(self, words: list[str]) -> None:
        super().__init__(words, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        self.pushed = (-1, 0.0)
        self._ended = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def stop(self) -> tuple[int, float]:
        """Kill it; number and stamp of the last sample that it pushed. Twice is fine.

        Not between pushing a chunk and telling of it, nor before LSL's threads have sent it.
        """
        until = time.monotonic() + 10
        if self.poll() is None:
            self.terminate()
        while self.poll() is None and not (self._ended.is_set() and _sleeps(self.pid)):
            if time.monotonic() > until:
                break
            time.sleep(0.005)
        self.kill()
        self.wait(10)
        self._reader.join(10)
        if self.stdout is not None:
            self.stdout.close()
        return self.pushed

    def _read(self) -> None:  # a full pipe would stop the sender
        for line in self.stdout or ():
            if line == "end\n":
                self._ended.set()
            number, _, stamp = line.strip().partition(" ")
            if line.endswith("\n") and stamp:
                self.pushed = int(number), float(stamp)


def _sleeps(pid: int) -> bool:
    """Whether all threads of a process wait for something: nothing is under way then."""
    states = set[str]()
    for stat in Path(f"/proc/{pid}/task").glob("*/stat"):
        with suppress(OSError):
            states.add(stat.read_text().rpartition(")")[2].split()[0])
    return states <= {"S"}


def source(session: str, **options: object) -> Sender:
    """Sender in a separate process; ``options`` as on the command line."""
    words = [f"--{key.replace('_', '-')}={value}" for key, value in options.items()]
    return Sender(
        [sys.executable, "-m", "tests.support.lsl_source", f"--session={session}", *words]
    )


def markers(session: str, rate: float = 20.0) -> Sender:
    """Sender of texts as a marker stream named ``marks``.

    Its source_id is that of the session: LSL recovers a stream from outlets of other sessions, too.
    """
    return source(
        session, name="marks", source_id=f"marks of {session}", kind="Markers", channels=1,
        rate=rate, nominal=0,
        chunk=1, format="string",
    )  # fmt: skip


def stop(sender: Sender) -> tuple[int, float]:
    """As ``Sender.stop``."""
    return sender.stop()


def main() -> None:
    """Push until killed, or until ``--samples`` are out."""
    asked = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: asked.set())
    parser = argparse.ArgumentParser()
    parser.add_argument("--session", required=True)
    parser.add_argument("--name", default="eeg")
    parser.add_argument("--kind", default="EEG")
    parser.add_argument("--source-id", default="amp")
    parser.add_argument("--channels", type=int, default=8)
    parser.add_argument("--rate", type=float, default=1000.0)
    parser.add_argument("--nominal", type=float, help="the rate that is stated")
    parser.add_argument("--chunk", type=int, default=20)
    parser.add_argument("--format", default="float32")
    parser.add_argument("--labels", default="", help="A,B,...")
    parser.add_argument("--samples", type=int, default=10**9)
    parser.add_argument("--linger", type=float, default=1.0)
    args = parser.parse_args()
    pylsl.set_config_content(CONFIG.format(args.session))
    stated = args.rate if args.nominal is None else args.nominal
    info = pylsl.StreamInfo(
        args.name, args.kind, args.channels, stated, args.format, args.source_id
    )
    labels = args.labels.split(",") if args.labels else [f"c{i}" for i in range(args.channels)]
    if args.labels != "none":
        channels = info.desc().append_child("channels")
        for label in labels:
            channel = channels.append_child("channel")
            channel.append_child_value("label", label).append_child_value("unit", "microvolts")
    outlet = pylsl.StreamOutlet(info, args.chunk, max_buffered=60)
    t0 = pylsl.local_clock()
    fractions = np.arange(args.channels) / max(args.channels, 1)
    for first in range(0, args.samples, args.chunk):
        numbers = np.arange(first, first + args.chunk)
        due = t0 + (numbers[-1] + 1) / args.rate
        if asked.is_set():
            print("end", flush=True)
            signal.pause()
        time.sleep(max(due - pylsl.local_clock(), 0))
        stamps = (t0 + numbers / args.rate).tolist()
        if args.format == "string":
            values = [[f"{n} é研"] * args.channels for n in numbers]
        else:
            values = (numbers[:, None] + fractions).astype(args.format.replace("double64", "f8"))
        outlet.push_chunk(values, stamps)
        print(numbers[-1], repr(stamps[-1]), flush=True)
    time.sleep(args.linger)


if __name__ == "__main__":
    main()
