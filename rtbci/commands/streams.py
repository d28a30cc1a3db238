"""``rtbci streams``: lists every stream of the lab, what it sends, and possible problems."""

import argparse
import socket
from typing import TYPE_CHECKING

from rtbci import messages
from rtbci.commands.options import add_lsl_options
from rtbci.errors import BadInput, Missing
from rtbci.terminal import say

if TYPE_CHECKING:
    from rtbci.lsl.survey import SurveyedStream

HELP = """List every stream that answers, read all of them for a moment, and show possible
problems: a rate other than the stated one, silence, duplicates, missing labels
or units.

Exit code: 0, or 3 if no stream answers."""
LOOK_S = 2.0  # time for streams to answer, s
WIDTH = 100  # columns


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``streams``."""
    parser.add_argument(
        "--seconds", type=float, default=2.0, metavar="S", help="how long to read [2]"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object per stream")
    add_lsl_options(parser)


def run(args: argparse.Namespace) -> int:
    """List the streams; raises ``Missing`` if there are none. Returns the exit code."""
    if not 0.1 <= args.seconds <= 600:
        raise BadInput(f"--seconds {args.seconds:g} is out of range; 0.1 to 600 are possible")
    from rtbci.lsl import config
    from rtbci.lsl.resolve import look
    from rtbci.lsl.survey import survey

    config.configure(args.lsl_session, args.lsl_scope)
    scope = f"scope {args.lsl_scope}" if args.lsl_scope else "LSL's own scope"
    where = f"LSL session {config.session_id()!r}, {scope}"
    say(f"looking for {LOOK_S:g} s in {where}")
    refused: dict[str, str] = {}
    found = look(LOOK_S, refused)
    for reason in refused.values():
        say(f"not listed: {reason}")
    if not found:
        raise Missing(
            f"no stream answered in {where}; start the amplifier's LSL app, or look elsewhere with "
            "--lsl-session and --lsl-scope (rtbci doctor checks the network)"
        )
    say(f"listening to {len(found)} stream{'s' * (len(found) > 1)} for {args.seconds:g} s")
    seen = survey(found, args.seconds)
    if args.json:
        for each in seen:
            print(messages.line(as_json(each)))
    else:
        show(seen, list(refused.values()))
    return 0


def as_json(seen: "SurveyedStream") -> dict[str, object]:
    """A line of ``--json``; ``measured_rate`` is null if it could not be measured."""
    about = seen.about
    return {
        **messages.result_kind("stream"),
        "name": about.name,
        "type": about.kind,
        "channels": about.count,
        "labels": list(about.channels) if seen.labelled else [],
        "units": sorted({unit for unit in about.units if unit}),
        "format": about.format,
        "nominal_rate": about.rate,
        "measured_rate": seen.rate,
        "samples": seen.samples,
        "answered": seen.answered,
        "silent": seen.answered and not seen.samples,
        "host": about.host,
        "session": about.session,
        "source_id": about.source_id,
        "uid": about.uid,
        "flags": list(seen.flags),
    }


def show(streams: "list[SurveyedStream]", refused: list[str]) -> None:
    """Print tables of the streams and their identities, and the warnings.

    ``refused`` are the reasons for which further streams are not listed.
    """
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=False)
    if not console.is_terminal or console.width > WIDTH:
        console = Console(highlight=False, soft_wrap=False, width=WIDTH)

    def table(**columns: str) -> Table:
        made = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 2, 0, 0))
        for title, justify in columns.items():
            right = justify == "right"
            made.add_column(
                title.replace("_", " "),
                justify="right" if right else "left",
                overflow="fold",
                no_wrap=right or justify == "whole",
            )
        return made

    sends = table(
        stream="left", type="left", channels="right", format="left", nominal_Hz="right",
        measured_Hz="right", host="left",
    )  # fmt: skip
    who = table(stream="left", source_id="left", session="left", uid="whole")
    for each in streams:
        about = each.about
        style = "yellow" if each.flags else ""
        host = "this machine" if about.host == socket.gethostname() else about.host
        sends.add_row(
            Text(about.name, style), Text(about.kind), str(about.count), about.format,
            f"{about.rate:g}" if about.rate else "irregular", _measured(each), Text(host),
        )  # fmt: skip
        who.add_row(
            Text(about.name, style), Text(about.source_id or "none"), Text(about.session), about.uid
        )
    console.print(sends)
    console.print()
    console.print(who)
    console.print()
    if not refused and not any(each.flags for each in streams):
        console.print(Text("nothing looks wrong", style="green"))
        return
    console.print(Text("worth a look", style="bold yellow"))
    notes = Table.grid(padding=(0, 1))
    notes.add_column(style="yellow", no_wrap=True)
    notes.add_column(overflow="fold")
    lines = [f"not listed: {reason}" for reason in refused]
    lines += [f"{each.about.name}: {flag}" for each in streams for flag in each.flags]
    for line in dict.fromkeys(lines):  # duplicates have the same lines
        notes.add_row("!", Text(line))
    console.print(notes)


def _measured(seen: "SurveyedStream") -> str:
    """Rate by the stamps, or number of samples, or why there are none."""
    if not seen.answered:
        return "no answer"
    if seen.rate is not None:
        return f"{seen.rate:.2f}"
    if not seen.samples:
        return "silent"
    return f"{seen.samples} sample{'s' * (seen.samples > 1)}"
