"""``make demo``: from a simulated participant to decisions and a picture, with the real commands.

Where there is a display, the last recording is replayed over the bus, in the operator's window.

    python -m sims.demo [--folder demo]

Everything lands in one folder that git does not see; running it again replaces the recordings and
the picture and keeps older bundles. Exits with the code of the first command that fails.
"""

import argparse
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

from rtbci.cli import THREAD_LIMITS
from rtbci.errors import BadInput, RtbciError
from rtbci.recorder.xdf_writer import write_recording
from rtbci.session.screen import missing, unusable
from sims.generate import generate

FOLDER = Path("demo")
MARK = "# made by rtbci's demo, which may replace what is here\n*\n"
SUBJECT = "sim-01"
WINDOW_SPEED = "2"  # two minutes are long to look at
LABELS = {"1": "face", "2": "house"}
RUNS = {  # file -> (seed, trials of 1.5 s)
    "calibration-1.xdf": (1, 80),
    "calibration-2.xdf": (2, 80),
    "replay.xdf": (3, 80),
}


def main(argv: list[str] | None = None) -> int:
    """Run the demo; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m sims.demo", description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where everything goes [demo]")
    folder: Path = parser.parse_args(argv).folder
    for variable in THREAD_LIMITS:
        os.environ.setdefault(variable, "1")
    try:
        return show(folder)
    except RtbciError as error:
        print(f"demo: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"demo: {error.strerror}: {error.filename}; try --folder", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def show(folder: Path) -> int:
    """Simulate, calibrate, replay; returns the exit code of the command that failed, or 0."""
    from rich.console import Console
    from rich.markup import escape
    from rich.panel import Panel
    from rich.rule import Rule

    console = Console(highlight=False)
    began = time.monotonic()
    console.print(
        Panel(
            "A simulated person looks at pictures of [bold]faces[/] and [bold]houses[/] while a "
            "cap of 8 electrodes measures microvolts. Four minutes of it teach a decoder; two more "
            "minutes, which it has never seen, show how well it tells what was looked at.\n"
            "[dim]The brain is made up, and stronger than most; the commands are the real ones.[/]",
            title="[bold]rtbci[/] in a minute",
            width=80,
            padding=(1, 2),
        )
    )

    def step(number: int, what: str, words: list[str] | None = None) -> None:
        console.print()
        console.print(Rule(f"[bold]{number}[/] {what}", align="left", style="dim"), width=80)
        if words:
            console.print(f"[bold cyan]$ {escape(shlex.join(words))}[/]", soft_wrap=True)

    step(1, "simulate three recordings")
    for path in record(folder):
        console.print(f"  {escape(str(path))}", soft_wrap=True)

    files = [str(folder / name) for name in RUNS]
    labels = ",".join(f"{code}={name}" for code, name in LABELS.items())
    bundles, picture = folder / "bundles", folder / "summary.png"
    calibrate = ["rtbci", "calibrate", "--headless", "--subject", SUBJECT, "--from", *files[:2],
                 "--labels", labels, "--out", str(bundles)]  # fmt: skip
    step(2, "train a decoder for this person, and count how good it is", calibrate)
    code = call(calibrate)
    if code:
        return code
    no_window = missing() or unusable()
    how = ["--speed", "max", "--headless"]
    if no_window is None:
        how = ["--speed", WINDOW_SPEED, "--out", str(folder / "sessions")]
    replay = ["rtbci", "replay", files[2], "--bundle", str(bundles), *how,
              "--picture", str(picture)]  # fmt: skip
    step(3, "decode the third recording as if it came in live", replay)
    console.print(
        f"  no window: {escape(no_window)}; the picture shows the session"
        if no_window
        else "  a window opens on the session; ctrl-c ends it safely",
        soft_wrap=True,
    )
    code = call(replay)
    if code:
        return code

    here = Path(sys.executable).with_name("rtbci")
    inside = here.exists() and here.is_relative_to(Path.cwd())
    rtbci = os.path.relpath(here) if inside else "rtbci"
    console.print()
    console.print(
        Panel(
            f"Look at [bold]{escape(str(picture))}[/]: every picture that was shown, what was "
            "decoded, and how sure that is.\n\n"
            "With a recording of your own (XDF, EDF, BDF, BrainVision, EEGLAB, FIF, CSV, npy):\n\n"
            f"  [cyan]{escape(rtbci)} info FILE[/]\n"
            f"  [cyan]{escape(rtbci)} replay FILE --picture FILE.png[/]\n\n"
            "The first says what is in it and what looks wrong, the second trains on its beginning "
            "and decodes the rest.",
            title=f"done in {time.monotonic() - began:.0f} s",
            width=80,
            padding=(1, 2),
        )
    )
    return 0


def record(folder: Path) -> list[Path]:
    """Write the recordings of ``RUNS``, each replaced only by a whole new one.

    Raises ``BadInput`` for a folder with files that are not the demo's.
    """
    ours = folder / ".gitignore"
    folder.mkdir(parents=True, exist_ok=True)
    if not ours.exists() or ours.read_text(encoding="utf-8", errors="replace") != MARK:
        if any(folder.iterdir()):
            raise BadInput(f"{folder} holds other files; name a new folder with --folder")
        ours.write_text(MARK, encoding="utf-8")
    paths = []
    for name, (seed, n_trials) in RUNS.items():
        path, part = folder / name, folder / f".{name}.part"
        part.unlink(missing_ok=True)  # of a demo that was interrupted
        recording = generate(seed, n_trials=n_trials, classes=tuple(LABELS), t0=1000.0 * seed)
        write_recording(part, recording)
        os.replace(part, path)
        paths.append(path)
    return paths


def call(words: list[str]) -> int:
    """Run ``rtbci ...`` in a process of its own; 128 + n where signal n ended it."""
    code = subprocess.run([sys.executable, "-m", *words], check=False).returncode
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
