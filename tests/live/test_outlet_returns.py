"""The fault table, rows 1 and 5 to 7: an outlet dies and comes back, as it was or as another."""

import configparser
import time

import numpy as np
import psutil
import pytest

from rtbci.decoding.bundle import Bundle
from rtbci.lsl import config
from tests.support.boxes_on_bus import (
    RATE,
    Played,
    at_once,
    bundle,
    fault,
    home,
    lab,
    recorded,
    simulated,
)

__all__ = ["bundle", "home"]

SPEED = 3
CHANGED_SPEED = 4
AWAY_S = 3.0
ALARM_S, RED_S = 0.5, 1.5  # data older than this is alarmed
TURN_S = 0.25  # a watchdog looks every 0.1 s, on a machine that is busy
BACK_S = 1.5  # behind its return samples must be here
MARKERS_S = 0.6  # behind the samples, their markers
REFUSED_S = 2.0
PORTS = range(16572, 16572 + config.PORT_RANGE)
ODD_FROM, ODD_UNTIL = 6, 12  # s, while it is another one


@pytest.fixture(scope="module")
def changed(home, tmp_path_factory) -> dict[str, Played]:
    """Replays whose outlet comes back as another one, and then as it was; side by side."""

    def play(**keys: object) -> Played:
        script = fault(ODD_FROM - 1, "kill", 1, **keys) + fault(ODD_UNTIL - 1, "kill", 1)
        with lab(tmp_path_factory.mktemp("replay"), home) as bus:
            return bus.play(simulated(32), script, "--linger", 30, speed=CHANGED_SPEED)

    return at_once({
        "count": lambda: play(channels=2),
        "rate": lambda: play(rate=500),
        "order": lambda: play(order="reverse"),
        "volts": lambda: play(unit="volts"),
        "no unit": lambda: play(unit="unknown"),
        "name": lambda: play(rename={"Pz": "P9"}),
    })  # fmt: skip


def ports(played: Played) -> int:
    """How many ports of the range the readers hold."""
    held = [
        each.laddr.port
        for box in (played.decode, played.record)
        for each in psutil.Process(box.process.pid).net_connections("udp")
        if each.laddr
    ]
    return sum(port in PORTS for port in held)


@pytest.mark.lsl
@pytest.mark.slow
def test_row_01_a_stream_gone_for_3_s_is_alarmed_at_once_and_decoded_again_soon(
    bundle, home, tmp_path
):
    at, gone = 5, round(AWAY_S * SPEED)
    settle, (first, last) = bundle.recipe.settle, bundle.recipe.window
    with lab(tmp_path, home) as bus:
        played = bus.begin(
            simulated(33), fault(at, "kill", gone), "--linger", 30, speed=SPEED, record=True
        )
        died = played.stream.until("fault")["at"]
        amber, red = (played.decode.alarm("stall", level)["at"] for level in ("amber", "red"))
        time.sleep(max(died + AWAY_S - 0.5 - time.monotonic(), 0))
        held = ports(played)
        bus.finish(played)
    assert -0.1 < amber - died - ALARM_S < TURN_S
    assert -0.1 < red - died - RED_S < TURN_S
    assert held < len(PORTS) / 2  # whoever looks for a lost stream leaves ports for its return
    back = played.stream.until("back")["at"]
    (gap,), told = played.gaps, played.decode.until("gap")["at"]
    assert 0 < told - back < BACK_S + played.more_s
    begin, end = gap.index / RATE, (gap.index + gap.missing) / RATE
    assert at - 0.5 < begin <= at
    assert at + gone < end < at + gone + (BACK_S + played.more_s) * SPEED

    t0 = played.stream.until("ready")["t0"]
    for each in played.decisions:  # right at once
        assert each["stamp"] == pytest.approx(t0 + each["index"] / RATE, abs=1e-6)
    found = played.as_offline(bundle)
    assert (
        played.indices()
        >= found
        >= played.indices(until=at) | played.indices(since=end + 1 + played.more_s * SPEED)
    )
    for each in played.events:
        window = each["index"] / RATE + first, each["index"] / RATE + last
        if window[0] < end + settle and window[1] > begin:
            assert each["rejected"] in ("gap", "settling"), each
        else:
            assert each["rejected"] is None, each
        if window[0] >= end + settle and window[1] < 28:  # the last ones wait for no later marker
            assert each["at"] - told < (window[1] - end) / SPEED + 1.0
    assert max(each["index"] / RATE for each in played.events) > end + settle

    stamps = recorded(played.xdf)["time_stamps"]
    index = (stamps - t0) * RATE
    np.testing.assert_allclose(index, np.round(index), atol=1e-3)
    assert np.count_nonzero(np.diff(np.round(index)) > 1) == 1  # one hole, and it says so
    assert ("red", "silent rtbci-eeg") in played.record.codes()


def refusal(played: Played) -> str:
    """The sentence, after checks of what holds for every refusal."""
    (told,) = [each for each in played.decode.all("alarm") if each["code"] == "refused"]
    assert told["level"] == "red"
    assert told["at"] - played.stream.until("back")["at"] < REFUSED_S
    for each in played.events:  # nothing of it was decoded
        inside = ODD_FROM - 1 <= each["index"] / RATE < ODD_UNTIL
        assert not (inside and each["rejected"] is None), each
    assert played.done["returns"] == 1
    assert "refused" in [each["code"] for each in played.decode.all("clear")]
    return told["text"]


def resumes(played: Played, bundle: Bundle) -> None:
    """It is decoded as offline, and anew once it is back as it was and has settled."""
    found = played.as_offline(bundle)
    end = (played.gaps[-1].index + played.gaps[-1].missing) / RATE
    assert end < ODD_UNTIL + CHANGED_SPEED * (BACK_S + played.more_s)
    assert found >= played.indices(since=end + CHANGED_SPEED * (MARKERS_S + played.more_s))
    later = [e for e in played.events if e["index"] / RATE > end + bundle.recipe.settle + 1]
    assert {each["rejected"] for each in later} == {None}


@pytest.mark.lsl
@pytest.mark.slow
def test_row_05_back_with_fewer_channels_it_is_refused_until_all_are_there(changed, bundle):
    text = refusal(changed["count"])
    assert "came back changed: " in text
    assert "has no electrode Oz, Fz" in text
    assert "it has Cz, Pz" in text
    resumes(changed["count"], bundle)


@pytest.mark.lsl
@pytest.mark.slow
def test_row_06_back_at_another_rate_it_is_refused_with_both_rates(changed, bundle):
    text = refusal(changed["rate"])
    assert "500 Hz" in text
    assert "250 Hz" in text
    resumes(changed["rate"], bundle)


@pytest.mark.lsl
@pytest.mark.slow
@pytest.mark.parametrize("which", ["order", "volts"])
def test_row_07_back_in_another_order_or_unit_it_is_solved_by_name(changed, bundle, which):
    played = changed[which]
    assert "refused" not in [code for _, code in played.decode.codes()]
    assert played.done["returns"] == 2
    resumes(played, bundle)
    assert len(played.gaps) == 2
    assert {gap.index // RATE for gap in played.gaps} <= {ODD_FROM - 2, ODD_FROM - 1, ODD_UNTIL - 1}


@pytest.mark.lsl
@pytest.mark.slow
def test_row_07_back_without_a_unit_it_is_refused(changed, bundle):
    assert "unit" in refusal(changed["no unit"])
    resumes(changed["no unit"], bundle)


@pytest.mark.lsl
@pytest.mark.slow
def test_row_07_back_with_another_name_it_is_refused(changed, bundle):
    text = refusal(changed["name"])
    assert "has no electrode Pz" in text
    assert "it has Cz, P9" in text
    resumes(changed["name"], bundle)


def test_what_a_lab_tuned_stays_and_the_rest_is_quick(tmp_path, monkeypatch):
    given: list[str] = []
    monkeypatch.setattr(config.pylsl, "set_config_content", given.append)
    (tmp_path / "lsl_api.cfg").write_text("[tuning]\nMulticastMaxRTT = 30\nTimeProbeCount = 9\n")
    monkeypatch.setenv("LSLAPICFG", str(tmp_path / "lsl_api.cfg"))
    monkeypatch.setattr(config, "_session", None)
    config.configure("mine", "machine")
    found = configparser.ConfigParser()
    found.read_string(given[0])
    tuned = dict(found["tuning"])
    assert tuned.pop("multicastmaxrtt") == "30"
    assert tuned.pop("timeprobecount") == "9"
    assert tuned == {
        key.lower(): value for key, value in config.TUNING.items() if key != "MulticastMaxRTT"
    }
    assert found["lab"]["SessionID"] == "mine"
