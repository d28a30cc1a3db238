"""The fault table, rows 2 to 4, 8, 9 and 20 to 22: what may happen to a signal on its way.

Nearly every row is a replay over the bus, four times as fast as life; they run side by side.
"""

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from rtbci.recorder.verify import look
from rtbci.signal.live_timebase import LiveTimeBase
from rtbci.signal.sample_index import IndexedRows
from rtbci.types import Gap
from tests.support.boxes_on_bus import (
    FULL,
    RATE,
    Played,
    at_once,
    bundle,
    fault,
    home,
    lab,
    recorded,
    simulated,
)  # fmt: skip

__all__ = ["bundle", "home"]

pytestmark = [pytest.mark.lsl, pytest.mark.slow]
SPEED, FAST = 4, 10
EVERY_S = 0.25
FROZEN_S = 5.0
FRESH_S = 2.0  # behind a hold-up, decisions must be fresh again
BACK_S = 1.5  # after its return
LATE_MS = 500.0  # a decision with more transport is no fresh one
SKIPPING = ("--every", EVERY_S)
# programs that see the wall clock jump by an hour, to and fro
JUMPING = """
import datetime, sys, time
real, begun, class_ = time.time, time.monotonic(), datetime.datetime
time.time = lambda: real() + (3600 if int(time.monotonic() - begun) % 2 else -3600)
class Jumping(class_):
    @classmethod
    def now(cls, tz=None):
        return class_.fromtimestamp(time.time(), tz)
datetime.datetime = Jumping
from rtbci.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def played(home, tmp_path_factory) -> dict[str, Played]:
    """Every replay, by name."""

    def play(seconds: float, script: str = "", freezes: bool = False, **more) -> Played:
        folder: Path = tmp_path_factory.mktemp("replay")
        with lab(folder, home) as bus:
            more = {"speed": SPEED, **more}
            begun = bus.begin(simulated(seconds), script, "--linger", 30, **more)
            if freezes:
                freeze(begun)
            return bus.finish(begun)

    steps = fault(8, "clock_step", by=3600.0) + fault(20, "clock_step", by=-3605.0)
    return at_once({  # the longest first
        "frozen": lambda: play(42, "", freezes=True, decode=SKIPPING, record=True),
        "away": lambda: play(90, fault(8, "kill", 60), speed=FAST),
        "stall": lambda: play(26, fault(8, "stall", 3)),
        "burst": lambda: play(26, fault(8, "burst", 3), decode=SKIPPING),
        "steps": lambda: play(36, steps),
        "jumps": lambda: play(20, code=JUMPING, record=True),
        "drop": lambda: play(26, fault(2, "drop", probability=0.02), record=True),
    })  # fmt: skip


def freeze(played: Played) -> None:
    """The decoder stands still for a while; the last event is told when it goes on."""
    played.decode.until("decision")
    os.kill(played.decode.process.pid, signal.SIGSTOP)
    time.sleep(FROZEN_S)
    played.decode.events.append({"event": "thawed", "at": time.monotonic()})
    os.kill(played.decode.process.pid, signal.SIGCONT)


def samples(played: Played) -> int:
    """How many its recording has."""
    return played.recording.n_samples


def reasons(played: Played, since: float, until: float = 1e9) -> set[str | None]:
    """Why events with an onset between these seconds were not decided; None for those that were."""
    return {
        each["rejected"] for each in played.events if since * RATE <= each["index"] < until * RATE
    }


def test_row_02_a_stream_gone_for_a_minute_comes_back_as_after_three_seconds(played, bundle):
    away = played["away"]
    assert set(away.decode.codes()) == {("amber", "stall"), ("red", "stall")}
    (gap,) = away.gaps
    assert gap.index + gap.missing >= 68 * RATE
    back_s = (gap.index + gap.missing) / RATE
    assert (back_s - 68) / FAST < BACK_S + away.more_s
    assert away.done["returns"] == 1
    found = away.as_offline(bundle)  # markers of the time between were never sent, or unheard
    heard_s = back_s + 1 + FAST * away.more_s
    assert away.indices() >= found >= away.indices(until=8) | away.indices(since=heard_s)
    assert reasons(away, back_s + bundle.recipe.settle + 1) == {None}


def test_row_03_what_an_amplifier_did_not_send_is_a_gap_and_stamps_are_right_at_once(
    played, bundle
):
    stall = played["stall"]
    assert stall.gaps == (Gap(8 * RATE, 3 * RATE),)
    assert set(stall.decode.codes()) == {("amber", "stall")}
    assert stall.as_offline(bundle) == stall.indices()
    stamps = {each["index"]: each["stamp"] for each in stall.decisions}
    (first, *_), (last, *_) = sorted(stamps.items()), sorted(stamps.items(), reverse=True)
    assert last[1] - first[1] == pytest.approx((last[0] - first[0]) / RATE, abs=1e-6)
    assert reasons(stall, 11, 11 + bundle.recipe.settle) == {"settling"}
    assert reasons(stall, 12 + bundle.recipe.settle) == {None}


def test_row_04_a_burst_behind_a_hiccup_loses_nothing_and_repeats_no_old_decisions(played, bundle):
    burst = played["burst"]
    assert (burst.gaps, burst.done["missing"], burst.done["samples"]) == ((), 0, samples(burst))
    assert burst.as_offline(bundle, EVERY_S) == burst.indices()
    assert reasons(burst, 0) == {None}  # events are never skipped ...
    assert burst.done["skipped"] >= 0.5 * 3 / EVERY_S - 1  # ... old sliding windows are
    slid = [each for each in burst.decisions if each["true"] is None]
    assert len(slid) + burst.done["skipped"] == pytest.approx(25.9 / EVERY_S, abs=4)
    assert max(each["latency_ms"]["transport"] for each in slid) < LATE_MS


def test_row_08_a_wall_clock_that_jumps_by_an_hour_changes_nothing(played, bundle):
    jumps = played["jumps"]
    assert jumps.gaps == ()
    assert not [level for level, _ in jumps.decode.codes() if level == "red"]
    assert jumps.as_offline(bundle) == jumps.indices()
    assert reasons(jumps, 0) == {None}
    assert jumps.record.events[-1]["parts"] == [str(jumps.xdf)]  # one file, one name
    clocks = jumps.record.events[-1]["clocks"]  # both are written down
    assert float(clocks["lsl_clock"]) > 0
    assert clocks["datetime"].startswith("20")
    eeg = recorded(jumps.xdf)
    steps = np.diff(eeg["time_stamps"])
    np.testing.assert_allclose(steps, 1 / RATE, atol=1e-6)


def test_row_09_a_clock_that_was_set_begins_a_segment_and_every_marker_finds_its_row(
    played, bundle
):
    steps = played["steps"]
    assert steps.gaps == tuple(Gap(at * RATE, 0, "clock reset") for at in (8, 20))
    assert steps.done["samples"] == samples(steps)
    assert steps.as_offline(bundle) == steps.indices()  # markers come before their rows do
    assert reasons(steps, 21 + bundle.recipe.settle) == {None}


def test_row_20_dropped_chunks_are_counted_to_the_sample_and_no_window_spans_them(played, bundle):
    drop = played["drop"]
    assert drop.done["missing"] == samples(drop) - drop.done["samples"] > 0
    assert drop.as_offline(bundle) == drop.indices()
    holes = [gap.index for gap in drop.gaps]
    first, last = bundle.recipe.window
    for each in drop.events:
        onset = each["index"]
        inside = any(onset + first * RATE < hole <= onset + last * RATE for hole in holes)
        assert not (inside and each["rejected"] is None), each
    (eeg,) = [each for each in look(drop.xdf).streams if each.name == "rtbci-eeg"]
    assert eeg.missing == drop.done["missing"]


@pytest.mark.parametrize("seed", range(5))
def test_row_21_chunks_in_the_wrong_order_shift_nothing_but_themselves(seed):
    """LSL keeps the order; a sender that mixes up its own packets costs these packets at most."""
    rng = np.random.default_rng(seed)
    size, chunks = 5, np.arange(1000)
    swapped = rng.choice(np.arange(300, 990, 3), 20, replace=False)
    chunks[swapped], chunks[swapped + 1] = swapped + 1, swapped
    truth = (chunks[:, None] * size + np.arange(size)).ravel()
    for t0, jitter, lost in ((100.0, 0.0, 20 * size), (None, 0.001, 0)):
        stamps = 100 + truth / RATE + rng.normal(0, 1, len(truth)) * jitter
        base = LiveTimeBase(RATE, t0)
        told = [item for part in stamps.reshape(-1, size) for item in base.push(part)]
        told += base.flush()
        rows = [each for each in told if isinstance(each, IndexedRows)]
        index = np.concatenate([np.arange(r.stop - r.first) + r.index for r in rows])
        of = np.concatenate([truth[r.first : r.stop] for r in rows])
        assert base.missing == base.repeated == lost == len(truth) - len(index)
        assert base.back_steps >= 20
        assert np.abs(index - of).max() <= (0 if t0 else size)
        at_swaps = np.isin(of // size, [swapped, swapped + 1])
        np.testing.assert_array_equal(index[~at_swaps], of[~at_swaps])


def test_row_22_a_decoder_that_stood_still_skips_old_windows_and_is_fresh_at_once(played, bundle):
    frozen = played["frozen"]
    assert frozen.gaps == ()
    assert frozen.as_offline(bundle, EVERY_S) == frozen.indices()  # no event is ever skipped
    (thawed,) = frozen.decode.all("thawed")
    fresh = next(
        each
        for each in frozen.decisions
        if each["at"] > thawed["at"] and each["latency_ms"]["transport"] < LATE_MS
    )
    assert fresh["at"] - thawed["at"] < FRESH_S
    old = SPEED * FROZEN_S / EVERY_S
    assert 0.5 * old < frozen.done["skipped"] <= old + 4
    told = [e for e in frozen.record.all("alarm") if e["code"].startswith(("silent", "held-up"))]
    assert not told or frozen.idle < FULL  # a full computer holds anybody up, but not so long
    assert "red" not in [each["level"] for each in told]
    held = [each["text"].partition("up for ")[2].split(" s")[0] for each in told]
    assert max([float(each) for each in held if each], default=0.0) < FROZEN_S / 2
    eeg = recorded(frozen.xdf)
    index = np.round((eeg["time_stamps"] - eeg["time_stamps"][-1]) * RATE).astype(int)
    assert (np.diff(index) == 1).all()  # the recorder saw nothing of it
