"""``rtbci decode``: decodes a live EEG stream and sends the decisions as streams."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from rtbci.commands.option_types import seconds
from rtbci.commands.options import add_child_options, add_lsl_options
from rtbci.platform_support import require_linux
from rtbci.terminal import count

if TYPE_CHECKING:
    from rtbci.decoding.bundle import Bundle
    from rtbci.process import ControlInput, Reporter

HELP = """Decode a live EEG stream with a person's bundle, until it is stopped.

  rtbci decode --bundle bundles/sub-02 --stream LiveAmpSN-0815

Decisions are sent as the streams rtbci-decisions (JSON text) and
rtbci-probabilities (one channel per class)."""
# Time after the first answer within which all other streams answer, s.
LOOK_S = 1.0
# Time for which an event waits for earlier ones whose marker is late, s.
WAIT_S = 0.5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Fill the parser of the command."""
    parser.add_argument("--bundle", type=Path, required=True, metavar="DIR",
                        help="a bundle, or a folder (its newest)")  # fmt: skip
    parser.add_argument(
        "--stream", metavar="NAME", help="the EEG stream: name, source_id or uid [the only one]"
    )
    parser.add_argument("--markers", action="append", default=[], metavar="NAME",
                        help="marker streams to read [all]")  # fmt: skip
    parser.add_argument("--unit", metavar="uV|V", help="unit, if the stream does not state it")
    parser.add_argument("--rename", type=Path, metavar="FILE", help="JSON or CSV of old,new names")
    parser.add_argument("--every", type=seconds, metavar="S", help="also decide every S seconds")
    parser.add_argument("--wait", type=seconds, default=WAIT_S, metavar="S",
                        help="how long events wait for late markers of earlier ones "
                             f"[{WAIT_S:g}]")  # fmt: skip
    parser.add_argument("--look", type=seconds, default=LOOK_S, metavar="S",
                        help="how long to look for duplicates of the stream, and for markers "
                             f"[{LOOK_S:g}]")  # fmt: skip
    parser.add_argument("--timeout", type=seconds, metavar="S",
                        help="give up if no stream is found within S seconds")  # fmt: skip
    add_child_options(parser)
    add_lsl_options(parser)


def run(args: argparse.Namespace) -> int:
    """Find the streams and decode; returns the exit code."""
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
    """Search for the streams, decode until the end, and return the exit code."""
    from rtbci.decoding.bundle import load_bundle
    from rtbci.engine.engine import Engine
    from rtbci.engine.watchdog import Watchdog
    from rtbci.lsl.acceptance import acceptance
    from rtbci.lsl.inlet import clock
    from rtbci.lsl.outlet import Results
    from rtbci.lsl.pair import SignalWithMarkers, search
    from rtbci.messages import DecoderDone, DecoderReady, NothingDecoded, WaitingForSignal

    accept = acceptance(bundle.resolve, args.unit, args.rename)
    pair = SignalWithMarkers(tuple(args.markers))
    results = Results(bundle.decoder.classes)
    tell.event(WaitingForSignal(str(bundle.path)))
    found = search(
        pair, args.stream, timeout=args.timeout, look=args.look,
        given_up=lambda: control.parent_gone or control.asked_to_end,
        remind=lambda text: tell.alarm("amber", "waiting", text),
    )  # fmt: skip
    if found is None:
        tell.event(NothingDecoded(samples=0, decisions=0), "stopped before a stream came")
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
    markers = tuple(pair.markers.names)
    tell.event(
        DecoderReady(signal.about.name, signal.about.uid, markers, settle),
        f"decoding {signal.about.name} ({len(signal.info.channels)} channels, "
        f"{signal.about.rate:g} Hz) with {bundle.path}; markers from "
        f"{', '.join(markers) or 'nowhere yet'}; settling takes {settle:.1f} s",
    )
    try:
        engine.run()
    finally:
        counts = signal.counts
        done = DecoderDone(
            **vars(engine.counters()), samples=counts.samples, missing=counts.missing,
            gaps=counts.gaps, returns=counts.returns, index=signal.head,
            measured_rate=signal.measured_rate, latency_ms=engine.delays.summary(),
        )  # fmt: skip
        tell.event(
            done,
            f"{engine.decisions} decisions, {engine.rejected} rejected, "
            f"{count(counts.missing, 'sample')} missing in {count(counts.gaps, 'gap')}",
        )
        pair.close()
    return 0
