"""Long checks of the live bus, each alone on the computer."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from tests.conftest import eeg_folder
from tests.live.test_kills import GONE_S, PART_S, TAIL_S, kill_boxes, kill_supervisor, limit
from tests.live.test_live_loss import GROWTH_MB
from tests.live.test_record_crash import cuts, kills, three_streams
from tests.live.test_same_over_lsl import differences, prepare
from tests.soak import long_run
from tests.soak.units import Result, Units
from tests.support.live_session import IDLE_S, Box, busy, new_seed
from tests.support.lsl_source import ROOT

TURNS, LOOPS = 5, 2  # of the same replay; what is busy beside it
LONG_S = (605.0, 205.0, 205.0)  # runs, together five blocks of windows
BLOCKS = 5
MEDIAN_MS, P99_MS, CPU_PERCENT = 0.3, 1.0, 4.0
KILLS, AT_ONCE = 20, 4  # of recorders
SESSIONS, EACH = 2, 5  # kills of each box in each session; after more, restarts are made to wait
SUPERVISORS = 3
CUTS, CUTS_AT_ONCE = 1000, 250
ENTER_S = 5.0  # until the first decision
MUSE_S = 20.0  # of a recording whose first decision is all that is wanted
UNIT_S = 60.0  # longer than a unit takes

Found = list[Any]
Verdict = tuple[str, bool]


def in_folder(work: Callable[[int, Path], object]) -> Callable[[int], object]:
    """``work(number, folder)`` with a folder of its own, which goes away."""

    def alone(number: int) -> object:
        with tempfile.TemporaryDirectory(prefix="rtbci-soak-") as name:
            return work(number, Path(name))

    return alone


def judged(found: Found | None, bound: str, judge: Callable[[Found], Verdict]) -> Result:
    """The result of units; ``judge`` sees them when all are done and none went wrong."""
    if found is None:
        return Result("no time for all of it", bound, None)
    wrong = [each["wrong"] for each in found if isinstance(each, dict) and "wrong" in each]
    said, good = ("; ".join(wrong), False) if wrong else judge(found)
    return Result(said, bound, good)


def recordings() -> Path | None:
    """The folder with real recordings, where there is one."""
    path = eeg_folder()
    return path if path.is_dir() else None


def no_recordings(bound: str) -> Result:
    """Reason why a check is skipped."""
    why = "no real recordings here; RTBCI_EEG_DATA names the folder that holds them"
    return Result(why, bound, None, absent=True)


def same(name: str, units: Units) -> Result:
    """A real recording over the bus, beside busy loops, and in process: the same."""
    bound, place = f"no difference, {TURNS} times in a row", recordings()
    if place is None:
        return no_recordings(bound)
    with tempfile.TemporaryDirectory(prefix="rtbci-soak-") as folder:
        case = None

        def turn(number: int) -> list[str]:
            nonlocal case
            case = case or prepare(place, name, Path(folder))
            with busy(LOOPS):
                return [str(len(case.expected)), *differences(case, Path(folder) / str(number))]

        found = units.in_turn(f"same {name}", turn, range(TURNS), UNIT_S)

    def judge(found: Found) -> Verdict:
        wrong = [text for _, *texts in found for text in texts]
        said = f"{len(wrong)} differences in {len(found)} x {found[0][0]} events"
        return "; ".join([said, *wrong[:3]]), not wrong

    return judged(found, bound, judge)


def first_decision(units: Units) -> Result:
    """From Enter to the first decision of a replay in real time."""
    bound, place = f"<= {ENTER_S:g} s, the worst of {TURNS}", recordings()
    if place is None:
        return no_recordings(bound)

    with tempfile.TemporaryDirectory(prefix="rtbci-soak-") as folder:
        case = None

        def work(number: int) -> float:
            nonlocal case
            case = case or prepare(place, "P300", Path(folder), MUSE_S)
            runtime = Path(folder) / str(number)
            runtime.mkdir()
            with Box(
                "replay", case.file, "--bundle", case.bundle, "--json", "--headless",
                "--out", runtime / "sessions", runtime=runtime,
            ) as box:  # fmt: skip
                return box.until("decision", 30)["at"] - box.began

        found = units.in_turn("first", work, range(TURNS), UNIT_S)

    def judge(found: Found) -> Verdict:
        said = f"{max(found):.2f} s ({', '.join(f'{each:.2f}' for each in found)})"
        return said, max(found) <= ENTER_S

    return judged(found, bound, judge)


def recorder_killed(units: Units) -> Result:
    """kill -9 of a recorder; another goes on as fast as a supervisor would start it."""
    bound = f"tail <= {TAIL_S:g} s, a part after {PART_S:g} s, opens in pyxdf"

    def work(_: int, folder: Path) -> dict[str, Any]:
        seed = new_seed()
        found = kills(AT_ONCE, seed, folder)
        return {"seed": seed, "kills": [[each.tail_s, each.part_s] for each in found]}

    def judge(found: Found) -> Verdict:
        tails, waits = zip(*(each for part in found for each in part["kills"]), strict=True)
        said = f"{len(tails)} kills, tail {max(tails):.3f} s at most, part after {max(waits):.2f} s"
        return said + seeds(found), max(tails) <= TAIL_S and max(waits) <= PART_S

    found = units.in_turn("recorder", in_folder(work), range(KILLS // AT_ONCE), UNIT_S)
    return judged(found, bound, judge)


def boxes_killed(units: Units) -> Result:
    """kill -9 of engine and recorder of a session in turn; its supervisor starts them anew."""
    bounds = {box: limit(box) for box in ("decode", "record")}
    bound = f"tail <= {TAIL_S:g} s, back: " + ", ".join(f"{b} {s:.1f} s" for b, s in bounds.items())

    def work(_: int, folder: Path) -> dict[str, Any]:
        seed = new_seed()
        found = kill_boxes(["decode", "record"] * EACH, seed, folder)
        return {"seed": seed, "kills": [[each.box, each.back_s, each.tail_s] for each in found]}

    def judge(found: Found) -> Verdict:
        every = [each for part in found for each in part["kills"]]
        worst = {name: max(back for box, back, _ in every if box == name) for name in bounds}
        tail = max(each[2] for each in every)
        said = f"{len(every)} kills, tail {tail:.3f} s at most, back after "
        said += ", ".join(f"{box} {back:.2f} s" for box, back in worst.items())
        good = tail <= TAIL_S and all(worst[box] <= bounds[box] for box in bounds)
        return said + seeds(found), good

    found = units.in_turn("boxes", in_folder(work), range(SESSIONS), 2 * UNIT_S)
    return judged(found, bound, judge)


def supervisor_killed(units: Units) -> Result:
    """kill -9 of the supervisor: its recorder goes on to the end of the stream."""
    bound = f"0 missing, all gone after {GONE_S:g} s, the recorder after {GONE_S + IDLE_S:g} s"

    def work(_: int, folder: Path) -> dict[str, Any]:
        seed = new_seed()
        found = kill_supervisor(seed, folder)
        return {"seed": seed, "lost": found.missing + len(found.misplaced), "left": found.left}

    def judge(found: Found) -> Verdict:
        lost = sum(each["lost"] for each in found)
        left = {box: max(each["left"][box] for each in found) for box in ("decode", "record")}
        said = f"{len(found)} kills, {lost} samples or markers missing, gone after "
        said += ", ".join(f"{box} {seconds:.1f} s" for box, seconds in left.items())
        gone = left["decode"] <= GONE_S and left["record"] <= GONE_S + IDLE_S
        return said + seeds(found), lost == 0 and gone

    found = units.in_turn("supervisor", in_folder(work), range(SUPERVISORS), UNIT_S)
    return judged(found, bound, judge)


def cut(units: Units) -> Result:
    """A recording of three streams, cut at random bytes."""
    bound = "opens in pyxdf with every whole chunk before the cut"

    def work(_: int, folder: Path) -> dict[str, Any]:
        seed = new_seed()
        found = cuts(three_streams(folder), CUTS_AT_ONCE, seed)
        return {"seed": seed, "tried": found.tried, "refused": len(found.refused)}

    def judge(found: Found) -> Verdict:
        tried, refused = (sum(part[key] for part in found) for key in ("tried", "refused"))
        said = f"{tried} cuts, {tried - refused} opened; {refused} inside a tag or a clock offset, "
        said += "which pyxdf refuses in any file: rtbci recover mended them"
        return said + seeds(found), True  # the first other one ends a unit

    found = units.in_turn("cut", in_folder(work), range(CUTS // CUTS_AT_ONCE), 2 * UNIT_S)
    return judged(found, bound, judge)


def peer(units: Units) -> Result:
    """Beside MNE-LSL's StreamLSL doing the same work, in turns."""

    def work(_: int) -> list[list[Any]]:
        done = subprocess.run(
            [sys.executable, "-m", "rtbci", "bench", "--only", "live", "--json"], cwd=ROOT,
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        ratios = [line for line in lines if line["unit"] == "x less"]
        assert len(ratios) == 2, "StreamLSL is not installed (pip install mne-lsl)"
        return [[line["what"], line["figure"], line["ok"]] for line in ratios]

    def judge(found: Found) -> Verdict:
        said = ", ".join(f"{figure:.1f} x {what}" for what, figure, _ in found[0])
        return said, all(ok for *_, ok in found[0])

    found = units.in_turn("peer", work, range(1), 2 * UNIT_S)
    return judged(found, "at least 6 and 8", judge)


def long_runs(units: Units) -> Found | None:
    """What the long run and its two shorter successors found; None while there is no time."""
    work = in_folder(lambda number, folder: long_run.run(folder, LONG_S[number]).values())
    found: Found = []
    for number, seconds in enumerate(LONG_S):
        done = units.in_turn("long run", work, range(number, number + 1), seconds + UNIT_S)
        if done is None:
            return None
        found += done
    return found


def loss(units: Units) -> Result:
    """Ten minutes of 122 channels at 1 kHz."""
    bound = f"0 missing, every marker on its row, growth <= {GROWTH_MB:g} MB"

    def judge(found: Found) -> Verdict:
        misplaced = [text for each in found for text in each["misplaced"]]
        sent, markers, missing, undecoded = (
            sum(each[key] for each in found) for key in ("sent", "markers", "missing", "undecoded")
        )
        boxes = found[0]["growth_mb"]
        growth = {name: max(each["growth_mb"][name] for each in found) for name in boxes}
        said = (
            f"{missing} of {sent} samples missing in the recording, {undecoded} in the decoder; "
            f"{len(misplaced)} of {markers} markers misplaced; grown by "
            + ", ".join(f"{name} {megabytes:.1f} MB" for name, megabytes in growth.items())
        )
        good = missing == undecoded == 0 and not misplaced and max(growth.values()) <= GROWTH_MB
        return "; ".join([said, *misplaced[:3]]), good

    return judged(long_runs(units), bound, judge)


def overhead(units: Units) -> Result:
    """From a chunk in hand to its decision pushed, less the model."""
    bound = f"median <= {MEDIAN_MS:g} ms, p99 <= {P99_MS:g} ms, medians of {BLOCKS} blocks"

    def judge(found: Found) -> Verdict:
        blocks = [block for each in found for block in each["blocks"]]
        middle, late = (median(each) for each in zip(*blocks, strict=True))
        fewest = min(each["windows"] // len(each["blocks"]) for each in found)
        said = f"{middle:.2f} and {late:.2f} ms in {len(blocks)} blocks of {fewest} windows: "
        said += ", ".join(f"{one:.2f} / {other:.2f}" for one, other in blocks)
        enough = len(blocks) >= BLOCKS and fewest >= long_run.BLOCK
        return said, enough and middle <= MEDIAN_MS and late <= P99_MS

    return judged(long_runs(units), bound, judge)


def cpu(units: Units) -> Result:
    """Of the decoder's process, with all its threads, beside the model."""

    def judge(found: Found) -> Verdict:
        used = [each["cpu_percent"] for each in found]
        model = median(each["model_ms"] for each in found)
        said = f"{median(used):.1f} % ({', '.join(f'{each:.1f}' for each in used)}), "
        said += f"50 decisions a second; their model takes {model:.2f} ms more each"
        return said, median(used) <= CPU_PERCENT

    return judged(long_runs(units), f"<= {CPU_PERCENT:g} % of a core", judge)


def seeds(found: Found) -> str:
    """Which moments and places were drawn."""
    return f"; seeds {', '.join(str(each['seed']) for each in found)}"


CHECKS: dict[str, Callable[[Units], Result]] = {
    "same P300": partial(same, "P300"),
    "same left-right": partial(same, "left-right"),
    "first decision": first_decision,
    "recorder killed": recorder_killed,
    "boxes killed": boxes_killed,
    "supervisor killed": supervisor_killed,
    "cut": cut,
    "peer": peer,
    "loss": loss,
    "overhead": overhead,
    "cpu": cpu,
}
