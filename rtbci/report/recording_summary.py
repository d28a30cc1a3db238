"""Summary of a recording and of doubts about it, for people and for programs."""

from collections import Counter
from pathlib import Path

import numpy as np

from rtbci.signal.recording import Recording

SHOWN = 24  # labels of markers and channels listed; more are counted

Row = tuple[str, str, tuple[float | None, float | None]]  # name, type, (median, peak to peak)


def recording_json(recording: Recording, same_as: str | None = None) -> dict[str, object]:
    """JSON object of a recording. Keys:

    paths, format, sha256, same_as (path of an earlier file with the same bytes, or null), name,
    duration_s, samples (gaps included), rows (without), rate, effective_rate (Hz or null), unit,
    unit_from, channels (name, type, median, p2p in microvolts), epoch_rows, bridged (whether
    this is a recorded replay of epochs, with bridges between them), runs (epochs of each), t0,
    lead_in (rows of a recorded replay before index 0, left out), back_steps, gaps (index, seconds,
    missing, reason), markers (label -> count), notes (doubts).
    """
    info, provenance = recording.info, recording.provenance
    return {
        "paths": list(provenance.paths),
        "format": provenance.format,
        "sha256": provenance.sha256,
        "same_as": same_as,
        "name": info.name,
        "duration_s": round(recording.duration, 6),
        "samples": recording.n_samples,
        "rows": len(recording.signal),
        "rate": info.rate,
        "effective_rate": recording.effective_rate,
        "unit": info.unit,
        "unit_from": info.unit_from,
        "channels": [
            {"name": name, "type": kind, "median": median, "p2p": p2p}
            for name, kind, (median, p2p) in zip(
                info.channels, info.types, _amplitudes(recording), strict=True
            )
        ],
        "epoch_rows": recording.epoch_rows,
        "bridged": recording.bridged is not None,
        "runs": list(recording.runs),
        "t0": recording.t0,
        "lead_in": recording.lead_in,
        "back_steps": recording.back_steps,
        "gaps": [
            {"index": gap.index, "seconds": gap.index / info.rate, "missing": gap.missing,
             "reason": gap.reason}
            for gap in recording.gaps
        ],
        "markers": dict(_counts(recording)),
        "notes": list(provenance.notes),
    }  # fmt: skip


def show_recording(recording: Recording, same_as: str | None = None) -> None:
    """The same for people, 80 columns wide or more."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=False)
    provenance = recording.provenance
    console.print(Text(Path(provenance.paths[0]).name, style="bold"))
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    for name, value in _facts(recording):
        facts.add_row(name, Text(value))
    if same_as is not None:
        facts.add_row("same bytes", Text(same_as, style="bold yellow"))
    console.print(facts)

    channels = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 2, 0, 0))
    for title, right in (
        ("channel", False),
        ("type", False),
        ("median uV", True),
        ("p2p of 1 s", True),
    ):
        channels.add_column(title, justify="right" if right else "left", overflow="ellipsis")
    info = recording.info
    rows: list[Row] = list(zip(info.channels, info.types, _amplitudes(recording), strict=True))
    groups = _grouped(rows)
    for name, kind, (median, p2p) in groups:
        style = "" if kind == "EEG" else "dim"
        channels.add_row(escape(name), kind, _number(median), _number(p2p), style=style)
    console.print()
    console.print(channels)

    counts = _counts(recording)
    console.print()
    if counts:
        total = sum(n for _, n in counts)
        markers = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 2, 0, 0))
        markers.add_column("marker", overflow="ellipsis", max_width=40)
        markers.add_column("times", justify="right")
        markers.add_column("every s", justify="right")
        for label, n in counts[:SHOWN]:
            markers.add_row(escape(label), str(n), _every(recording, label))
        console.print(markers)
        if len(counts) > SHOWN:
            console.print(
                f"and {count(len(counts) - SHOWN, 'more label')}, {total:,} markers in all",
                style="dim",
            )
        console.print()
    if provenance.notes:
        console.print(Text("worth a look", style="bold yellow"))
        notes = Table.grid(padding=(0, 1))
        notes.add_column(style="yellow", no_wrap=True)
        notes.add_column(overflow="fold")
        for note in provenance.notes:
            notes.add_row("!", Text(note))
        console.print(notes)
    else:
        console.print(Text("nothing looks wrong", style="green"))


def _facts(recording: Recording) -> list[tuple[str, str]]:
    info, provenance = recording.info, recording.provenance
    kinds = ", ".join(f"{n} {kind}" for kind, n in Counter(info.types).most_common())
    rate = f"{info.rate:g} Hz nominal"
    if recording.effective_rate is not None:
        off = 1e6 * (recording.effective_rate / info.rate - 1)
        rate += f", {recording.effective_rate:.3f} Hz by the stamps ({off:+.0f} ppm)"
    else:
        rate += ", no stamps"
    path = Path(provenance.paths[0])
    facts = [("format", provenance.format)]
    if len(provenance.paths) > 1:
        facts.append(("files", ", ".join(Path(path).name for path in provenance.paths)))
    if info.name not in ("", path.name, path.stem):
        facts.append(("stream", info.name))
    facts += [
        ("duration", f"{_duration(recording.duration)}, {count(recording.n_samples, 'sample')}"),
        ("rate", rate),
        ("channels", f"{len(info.channels)} ({kinds}), {info.unit} ({info.unit_from})"),
        ("gaps", _gaps(recording)),
    ]
    if recording.lead_in:
        rows = count(recording.lead_in, "row")
        facts.append(("lead-in", f"{rows} before the first sample, left out"))
    if recording.back_steps:
        verbs = "steps back or repeats" if recording.back_steps == 1 else "step back or repeat"
        facts.append(("stamps", f"{recording.back_steps:,} {verbs} (not a loss)"))
    facts.append(("sha256", provenance.sha256))
    return facts


def _gaps(recording: Recording) -> str:
    rate = recording.info.rate
    if recording.epoch_rows is not None:
        n = len(recording.epoch_starts)
        runs = f" in {count(len(recording.runs), 'run')}" if recording.runs else ""
        said = f"{count(n, 'epoch')} of {recording.epoch_rows / rate:g} s{runs}"
        if recording.bridged is None:
            return f"{said}, nothing between them"
        return f"{said}, bridges between them" + ("; " + _holes(recording)) * bool(recording.gaps)
    return _holes(recording) if recording.gaps else "none"


def _holes(recording: Recording) -> str:
    """The gaps of a recording that has some."""
    rate = recording.info.rate
    each = [
        f"{gap.missing / rate:.3f} s at {_clock(gap.index / rate)}"
        + ("" if gap.reason == "missing samples" else f" ({gap.reason})")
        if gap.missing
        else f"{gap.reason} at {_clock(gap.index / rate)}"
        for gap in recording.gaps[:6]
    ]
    more = f" and {len(recording.gaps) - 6} more" if len(recording.gaps) > 6 else ""
    missing = sum(gap.missing for gap in recording.gaps)
    lost = count(missing, "sample")
    return f"{len(recording.gaps)}, {lost} missing: " + ", ".join(each) + more


def _grouped(rows: list[Row]) -> list[Row]:
    """Rows to show: all of a small montage, first and last of a large one."""
    if len(rows) <= SHOWN:
        return rows
    left_out = len(rows) - 2 * (SHOWN // 2 - 2)
    dots = (f"... {left_out} more", "", (None, None))
    return [*rows[: SHOWN // 2 - 2], dots, *rows[-(SHOWN // 2 - 2) :]]


def _amplitudes(recording: Recording) -> list[tuple[float | None, float | None]]:
    """Median, and median peak to peak of one-second pieces, of each channel, microvolts."""
    found: list[tuple[float | None, float | None]] = []
    x = recording.signal
    length = min(max(int(recording.info.rate), 1), len(x))
    n = len(x) // length
    keep = np.linspace(0, n - 1, min(n, 300)).astype(int)
    for column in range(x.shape[1]):
        pieces = x[: n * length, column].reshape(n, length)[keep]
        pieces = pieces[np.isfinite(pieces).all(axis=1)]
        if not len(pieces):
            found.append((None, None))
        else:
            middle, swing = np.median(pieces), np.median(np.ptp(pieces, axis=1))
            found.append((float(middle), float(swing)))
    return found


def _counts(recording: Recording) -> list[tuple[str, int]]:
    return Counter(marker.label for marker in recording.markers).most_common()


def _every(recording: Recording, label: str) -> str:
    """Median seconds between markers of a label."""
    at = [marker.index for marker in recording.markers if marker.label == label]
    if len(at) < 2 or recording.epoch_rows is not None:
        return ""
    return f"{float(np.median(np.diff(at))) / recording.info.rate:.2f}"


def count(n: int, one: str, many: str = "") -> str:
    """``1 run``, ``2 runs``; ``many`` where an s does not make the plural."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.1f}" if abs(value) < 1e6 else f"{value:.3g}"


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 90 else f"{_clock(seconds)} ({seconds:.1f} s)"


def _clock(seconds: float) -> str:
    """``1:02:03`` or ``2:03``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
