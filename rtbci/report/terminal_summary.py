"""The summary of a session or replay as a person reads it."""

from collections.abc import Mapping

from rtbci.decoding.bundle import Bundle
from rtbci.decoding.offline import RunCounts, reasons
from rtbci.report.numbers import with_interval
from rtbci.terminal import count


def show(result: Mapping[str, object], tally: RunCounts, *more: tuple[str, str]) -> None:
    """A verdict and a table on stdout; ``more`` are rows for its end."""
    from rich.console import Console
    from rich.markup import escape
    from rich.panel import Panel
    from rich.table import Table

    console = Console(highlight=False)
    colour = {"GO": "green", "CAUTION": "yellow"}.get(str(result["verdict"]), "red")
    text = escape(str(result["reason"]))
    console.print(Panel(text, border_style=colour, width=80))
    table = Table(box=None, padding=(0, 2), show_header=False)
    events = f"{result['n_events']}, {result['n_decided']} decided, {result['n_rejected']} rejected"
    rows = [("events", events)]
    rows += [("  rejected", f"{why}: {n}") for why, n in sorted(reasons(tally).items())]
    for key, name in (
        ("balanced_accuracy", "balanced accuracy"), ("accuracy", "accuracy"), ("auc", "AUC"),
    ):  # fmt: skip
        rows.append((name, with_interval(result[key], result[f"{key}_ci95"], percent=key != "auc")))
    rows += [
        ("chance", with_interval(result["chance"])),
        ("p", "-" if result["p_value"] is None else f"{result['p_value']:.3g}"),
        ("when sure", when_sure(tally)),
        ("gaps", str(result["gaps"])),
        *shifted(result["latency_shift_ms"]),
        *more,
    ]  # fmt: skip
    for name, value in rows:
        table.add_row(name, escape(value))
    console.print(table)


def shifted(shifts: object) -> list[tuple[str, str]]:
    """A row for each recording in which the latency gate shifted decisions."""
    return [
        (
            "latency shift" if not number else "",
            f"{each['ms']:+.0f} ms from event {each['from_event']} of recording "
            f"{each['recording']} on ({each['from_s']:.0f} s)",
        )
        for number, each in enumerate(shifts if isinstance(shifts, list) else [])
    ]


def when_sure(tally: RunCounts) -> str:
    """How often the decisions that count as sure were right, of events with a known class."""
    known = [each for each in tally.decisions if each.label is not None and each.true is not None]
    sure = [each.label == each.true for each in known if "unsure" not in each.flags]
    if not sure:
        return "no decision was sure" if known else "-"
    right = round(100 * sum(sure) / len(sure))
    return f"of the {count(len(sure), 'sure decision')} {right} % were right"


def delay(latency: object) -> str:
    """From the moment a sample was due to the decision: median and 99th percentile."""
    total = latency.get("total") if isinstance(latency, Mapping) else None
    if not isinstance(total, Mapping) or total.get("p50") is None:
        return "-"
    return f"{total['p50']:.0f} ms, 99 % within {total['p99']:.0f} ms"


def session_rows(result: Mapping[str, object], nothing: str = "none") -> list[tuple[str, str]]:
    """Rows about loss, delay and recording of a session; ``nothing`` where none was written."""
    return [
        ("lost samples", str(result["lost_samples"])),
        ("delay", delay(result["latency_ms"])),
        ("recording", str(result["recording"] or nothing) + unsaved(result)),
    ]


def unsaved(result: Mapping[str, object]) -> str:
    """Remark on a recording of which a part was never written; "" if it is whole."""
    lost = result.get("unsaved_bytes")
    return f"; {lost} bytes of it are LOST" if lost else ""


def remarks(tally: RunCounts, bundle: Bundle) -> list[str]:
    """Sentences that a person should know before believing the figures."""
    found = [f"no reliable signal in {each}; its events were not decoded" for each in tally.dead]
    found += [f"{name} was used to train this bundle: its figures are no test"
              for name in tally.seen]  # fmt: skip
    if not tally.decisions:
        known = ", ".join(bundle.labels)
        found.insert(
            0, f"no event to decode: none of the markers is one of {known} (see rtbci info FILE)"
        )
    return found
