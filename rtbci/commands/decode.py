"""``rtbci decode``: the engine, from the bus to the bus."""

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rtbci.commands.options import add_child_options, add_lsl_options
from rtbci.platform_support import require_linux

if TYPE_CHECKING:
    from rtbci.decoding.bundle import Bundle
    from rtbci.lsl.description import Description
    from rtbci.lsl.signal import Layout
    from rtbci.process import ControlInput, Reporter

HELP = """Decode a live EEG stream with a person's bundle, until told to stop.

  rtbci decode --bundle bundles/sub-02 --stream LiveAmpSN-0815

Decisions go out as the streams rtbci-decisions (JSON text) and
rtbci-probabilities (one channel a class)."""
LOOK_S = 1.0  # after the first answer, all that is there has answered
WAIT_S = 0.5  # how long an event waits for earlier ones whose marker is late


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Fill the parser of the command."""
    parser.add_argument("--bundle", type=Path, required=True, metavar="DIR",
                        help="a bundle, or a folder (its newest)")  # fmt: skip
    parser.add_argument(
        "--stream", metavar="NAME", help="the EEG stream: name, source_id or uid [the only one]"
    )
    parser.add_argument("--markers", action="append", default=[], metavar="NAME",
                        help="marker streams to listen to [all]")  # fmt: skip
    parser.add_argument("--unit", metavar="uV|V", help="where the stream does not say")
    parser.add_argument("--rename", type=Path, metavar="FILE", help="JSON or CSV of old,new names")
    parser.add_argument("--every", type=positive, metavar="S", help="also decide every S seconds")
    parser.add_argument("--wait", type=positive, default=WAIT_S, metavar="S",
                        help="how long events wait for late markers of earlier ones "
                             f"[{WAIT_S:g}]")  # fmt: skip
    parser.add_argument("--look", type=positive, default=LOOK_S, metavar="S",
                        help="how long to look for twins of the stream, and for markers "
                             f"[{LOOK_S:g}]")  # fmt: skip
    parser.add_argument("--timeout", type=positive, metavar="S",
                        help="give up where no stream came for so long")  # fmt: skip
    add_child_options(parser)
    add_lsl_options(parser)


def run(args: argparse.Namespace) -> int:
    """Find the streams, decode, tell."""
    require_linux("rtbci decode")
    from rtbci.decoding.bundle import load_bundle
    from rtbci.lsl.config import configure
    from rtbci.process import ControlInput, Reporter

    bundle = load_bundle(args.bundle)
    configure(args.lsl_session, args.lsl_scope)
    tell = Reporter("decode", args.json)
    control = ControlInput(args.control == "stdin")
    try:
        return decode(args, bundle, tell, control)
    finally:
        tell.close()


def decode(
    args: argparse.Namespace, bundle: "Bundle", tell: "Reporter", control: "ControlInput"
) -> int:
    """Everything between the first look and the last decision; returns the exit code."""
    from rtbci.decoding.bundle import load_bundle
    from rtbci.engine.engine import Engine
    from rtbci.engine.watchdog import Watchdog
    from rtbci.lsl.inlet import clock
    from rtbci.lsl.pair import SignalWithMarkers, search
    from rtbci.lsl.results import Results

    accept = acceptance(args, bundle)
    pair = SignalWithMarkers(tuple(args.markers))
    results = Results(bundle.decoder.classes)
    tell.event("waiting", None, bundle=str(bundle.path))
    found = search(
        pair, args.stream, timeout=args.timeout, look=args.look,
        given_up=lambda: control.parent_gone or control.asked_to_end,
        remind=lambda text: tell.alarm("amber", "waiting", text),
    )  # fmt: skip
    if found is None:
        tell.done("stopped before a stream came", samples=0, decisions=0)
        return 0
    tell.clear("waiting", f"{found.about.name} is there")
    signal = pair.open(found, accept)
    watchdog = Watchdog(signal.about.name, signal.about.rate, signal, tell)

    def watch() -> None:
        watchdog.look()
        late = pair.late_markers()
        if late is False:
            tell.alarm("amber", "markers", "no marker stream: events cannot be decoded "
                       "(start the program that shows the pictures)")  # fmt: skip
        elif late:
            tell.clear("markers", f"markers from {', '.join(pair.markers.names)}")

    engine = Engine(
        bundle, signal, pair.pull_markers, results.push, tell, control,
        reload=lambda: load_bundle(args.bundle).decoder,
        every=args.every, wait=args.wait, watch=watch, clock=clock,
    )  # fmt: skip
    settle = bundle.recipe.settle
    tell.ready(
        f"decoding {signal.about.name} ({len(signal.info.channels)} channels, "
        f"{signal.about.rate:g} Hz) with {bundle.path}; markers from "
        f"{', '.join(pair.markers.names) or 'nowhere yet'}; settling takes {settle:.1f} s",
        stream=signal.about.name, uid=signal.about.uid, markers=pair.markers.names, settle=settle,
    )  # fmt: skip
    try:
        engine.run()
    finally:
        counted = engine.counters()
        tell.done(
            f"{engine.decisions} decisions, {engine.rejected} rejected, "
            f"{signal.counts.missing} samples missing in {signal.counts.gaps} gaps",
            **counted, samples=signal.counts.samples, missing=signal.counts.missing,
            gaps=signal.counts.gaps, returns=signal.counts.returns, index=signal.head,
            measured_rate=signal.measured_rate, latency_ms=engine.delays.summary(),
        )  # fmt: skip
        pair.close()
    return 0


def acceptance(args: argparse.Namespace, bundle: "Bundle") -> "Callable[[Description], Layout]":
    """From a stream's description to its layout, after ``--rename``; refuses what does not fit.

    Raises ``BadInput`` at once for options that no stream could mend.
    """
    from rtbci.formats.draft import read_rename
    from rtbci.formats.units import wanted
    from rtbci.lsl.description import signal

    if args.unit is not None:
        wanted(args.unit)
    new = read_rename(args.rename) if args.rename else {}

    def accept(about: "Description") -> "Layout":
        channels = tuple(new.get(name, name) for name in about.channels)
        info, factor = signal(replace(about, channels=channels), args.unit)
        bundle.resolve(info)
        return info, factor

    return accept


def positive(text: str) -> float:
    """A number of seconds above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0")
    return value
