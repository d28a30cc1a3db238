"""``rtbci verify FILE|FOLDER``: checks recordings for damage and missing samples."""

import argparse
import sys
from pathlib import Path

from rtbci import messages
from rtbci.errors import BadInput, RtbciError
from rtbci.recorder.verify import FileReport, PartGap, StreamReport, holes, look, recordings
from rtbci.terminal import count

HELP = """\
Check a recording byte by byte: its streams, their samples and missing samples,
and whether the file is complete.

Exit code: 0 fine; 1 torn or damaged, but the rest can be read (rtbci recover
copies it into a new file); 2 the file cannot be read."""
SHOWN = 6  # gaps that are listed; further ones are counted


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``verify``."""
    parser.add_argument(
        "path", metavar="FILE|FOLDER", type=Path, help="an XDF file or a session folder"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")


def run(args: argparse.Namespace) -> int:
    """Check all recordings; returns 0 fine, 1 torn or damaged, 2 unreadable."""
    code, found = 0, list[tuple[list[FileReport], list[PartGap]]]()
    unreadable = list[str]()
    groups = recordings(args.path)
    for group in groups:
        reports = list[FileReport]()
        for path in group:
            try:
                reports.append(look(path))
            except RtbciError as error:
                if len(groups) == len(group) == 1:
                    raise
                unreadable.append(str(error))
                code = 2
        found.append((reports, holes(reports)))
        if any(report.problems for report in reports):
            code = max(code, 1)
    events, broken = _events(args.path)
    if broken:
        code = max(code, 1)
    if args.json:
        print(messages.line(_as_json(found, unreadable, events, broken)))
    else:
        for reports, missing in found:
            _show(reports, missing)
        for sentence in unreadable:
            print(sentence, file=sys.stderr)
        if events is not None:
            state = "; ".join(broken) if broken else "no line was changed, removed or added"
            print(f"events.jsonl: {events} lines, {state}")
    return code


def _events(path: Path) -> tuple[int | None, tuple[str, ...]]:
    """Lines of the session's log, and faults in its chain of hashes."""
    log = path / "events.jsonl"
    if not log.is_file():
        return None, ()
    from rtbci.session.folder import verify_events

    try:
        chain = verify_events(log)
    except BadInput as error:
        return 0, (str(error),)
    return chain.lines, chain.broken


def _as_json(
    found: list[tuple[list[FileReport], list[PartGap]]],
    unreadable: list[str],
    events: int | None,
    broken: tuple[str, ...],
) -> dict[str, object]:
    """Result for ``--json``.

    Keys: fine, recordings (each: parts, holes), unreadable, events (lines, broken; null if there
    is no log).
    """
    return {
        "fine": not unreadable and not broken
        and not any(report.problems for reports, _ in found for report in reports),
        "recordings": [
            {
                "parts": [_file_json(report) for report in reports],
                "holes": [
                    {"stream": hole.name, "after": str(hole.after), "seconds": hole.seconds,
                     "missing": hole.missing}
                    for hole in missing
                ],
            }
            for reports, missing in found
        ],
        "unreadable": unreadable,
        "events": None if events is None else {"lines": events, "broken": list(broken)},
    }  # fmt: skip


def _file_json(report: FileReport) -> dict[str, object]:
    return {
        "path": str(report.path),
        "bytes": report.size,
        "torn_bytes": report.torn,
        "damaged": [{"start": d.start, "stop": d.stop, "why": d.why} for d in report.damaged],
        "boundaries": report.boundaries,
        "footers": report.footers,
        "about": report.about,
        "problems": list(report.problems),
        "streams": [
            {
                "number": s.number, "name": s.name, "type": s.type, "source_id": s.source_id,
                "channels": s.channels, "format": s.format, "rate": s.rate,
                "samples": s.samples, "first": s.first, "last": s.last,
                "duration_s": s.duration, "effective_rate": s.effective_rate,
                "missing": s.missing,
                "gaps": [{"stamp": stamp, "missing": missing} for stamp, missing in s.gaps],
                "back_steps": s.back_steps, "clock_offsets": s.offsets,
                "footer_samples": s.footer,
            }
            for s in report.streams
        ],
    }  # fmt: skip


def _show(reports: list[FileReport], missing: list[PartGap]) -> None:
    """Print tables of the files' streams, gaps and faults."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=False)
    for report in reports:
        console.print(Text(report.path.name, style="bold"))
        table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
        for title in ("stream", "channels", "samples", "seconds", "Hz", "gaps", "clock"):
            right = title != "stream"
            table.add_column(title, justify="right" if right else "left", overflow="ellipsis")
        for stream in report.streams:
            table.add_row(Text(f"{stream.number} {stream.name}"), *_row(stream))
        console.print(table)
        for stream in report.streams:
            for stamp, n in stream.gaps[:SHOWN]:
                what = f"{count(n, 'sample')} missing" if n else "the clock was set"
                console.print(Text(f"  {stream.name}: {what} before {stamp:.3f} s"))
            if len(stream.gaps) > SHOWN:
                console.print(Text(f"  {stream.name}: {len(stream.gaps) - SHOWN} more gaps"))
        end = "ended properly" if report.footers else "without an end (killed, or still recording)"
        console.print(Text(f"{report.size:,} bytes, {end}"))
        for sentence in report.problems:
            console.print(Text(f"! {sentence}; rtbci recover makes a whole copy", "bold yellow"))
        console.print()
    for hole in missing:
        lost = "" if hole.missing is None else f", {hole.missing} samples"
        console.print(
            Text(f"{hole.name}: a hole of {hole.seconds:.3f} s{lost} after {hole.after.name}")
        )


def _row(stream: StreamReport) -> tuple[str, ...]:
    rate = f"{stream.rate:g}" if stream.rate else "-"
    if stream.effective_rate is not None:
        rate += f" ({stream.effective_rate:.3f})"
    gaps = f"{len(stream.gaps)}, {stream.missing} missing" if stream.gaps else "none"
    return (
        str(stream.channels),
        f"{stream.samples:,}",
        f"{stream.duration:.3f}",
        rate,
        gaps if stream.rate else "-",
        f"{stream.offsets} x",
    )
