"""What strangers say of their streams is read with distrust."""

import pytest

from rtbci.errors import BadInput
from rtbci.formats.stream_header import DEEPEST_HEADER, LARGEST_HEADER
from rtbci.lsl.description import Description, parse, signal


def xml(
    *, name: str = "cap", count: str = "2", rate: str = "250", format: str = "float32",
    kind: str = "EEG", desc: str = "",
) -> str:  # fmt: skip
    return (
        f"<info><name>{name}</name><type>{kind}</type><channel_count>{count}</channel_count>"
        f"<nominal_srate>{rate}</nominal_srate><channel_format>{format}</channel_format>"
        f"<source_id>s</source_id><uid>u</uid><hostname>h</hostname><desc>{desc}</desc></info>"
    )


def channels(*each: tuple[str, str]) -> str:
    listed = "".join(
        f"<channel><label>{label}</label><unit>{unit}</unit></channel>" for label, unit in each
    )
    return f"<channels>{listed}</channels>"


def test_a_good_header_is_understood():
    about = parse(xml(desc=channels(("Cz", "microvolts"), ("EOG1", "uV")) + "<t0>12.5</t0>"))
    info, factor = signal(about)
    assert info.channels == ("Cz", "EOG1")
    assert info.types == ("EEG", "EOG")
    assert (info.rate, info.unit, info.unit_from, factor) == (250.0, "uV", "stated", 1.0)
    assert about.number("t0") == 12.5
    assert about.number("nothing") is None


@pytest.mark.parametrize(("unit", "factor"), [("volts", 1e6), ("mV", 1e3), ("nV", 1e-3)])
def test_units_are_turned_into_microvolts(unit, factor):
    assert signal(parse(xml(desc=channels(("C3", unit), ("C4", unit)))))[1] == factor


def test_a_stream_without_units_is_not_taken_for_microvolts():
    info, _ = signal(parse(xml(desc=channels(("C3", ""), ("C4", "")))))
    assert info.unit_from == "unknown"
    info, factor = signal(parse(xml(desc=channels(("C3", ""), ("C4", "")))), unit="V")
    assert (info.unit_from, factor) == ("stated", 1e6)


def test_missing_and_repeated_labels_are_named_by_number():
    assert parse(xml()).channels == ("channel 1", "channel 2")
    assert parse(xml(desc=channels(("Cz", "uV"), ("Cz", "uV")))).channels == ("Cz", "Cz (2)")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (xml(count="0"), "0 channels"),
        (xml(count="100000"), "100000 channels"),
        (xml(count="two"), "does not say"),
        (xml(rate="nan"), "a rate of nan Hz"),
        (xml(rate="1e9"), r"a rate of 1e\+09 Hz"),
        (xml(rate="-1"), "a rate of -1 Hz"),
        (xml(format="undefined"), "undefined"),
        ("<info><name>", "no XML"),
        ("", "no XML"),
        ("<!DOCTYPE x [<!ENTITY a 'b'>]>" + xml(), "document type"),
        ("x" * (LARGEST_HEADER + 1), "bytes"),
        ("\u00e4" * (LARGEST_HEADER // 2 + 1), "bytes"),
        (xml(desc="<a>" * DEEPEST_HEADER + "</a>" * DEEPEST_HEADER), "levels deep"),
    ],
)
def test_absurd_headers_are_refused_in_a_sentence(text, said):
    with pytest.raises(BadInput, match=said):
        parse(text)


@pytest.mark.parametrize("t0", ["1e300", "-1e11", "nan", "inf", "9" * 400, "now"])
def test_a_first_stamp_that_no_clock_shows_is_ignored(t0):
    assert parse(xml(desc=f"<t0>{t0}</t0>")).t0 is None


@pytest.mark.parametrize("speed", ["-1", "0", "1e300", "1e-300", "nan", "fast"])
def test_an_absurd_speed_of_a_replay_is_ignored(speed):
    assert parse(xml(desc=f"<speed>{speed}</speed>")).speed == 1.0


@pytest.mark.parametrize("rate", ["1e9", "-5", "0", "5", "500", "nan", "1e400"])
def test_a_rate_that_contradicts_the_nominal_one_is_ignored(rate):
    assert parse(xml(desc=f"<rate>{rate}</rate>")).sample_rate == 250.0


def test_what_a_replay_states_is_read_in_full():
    desc = "<t0>-12.5</t0><speed>8.0</speed><rate>249.98</rate><resets>7500, 250</resets>"
    about = parse(xml(desc=desc))
    assert (about.t0, about.speed, about.sample_rate) == (-12.5, 8.0, 249.98)
    assert about.resets == [250, 7500]


def test_resets_that_are_no_sample_index_are_left_out():
    listed = "\u00b2,\u0663,250,-1,1.5," + "9" * 900
    assert parse(xml(desc=f"<resets>{listed}</resets>")).resets == [250]


def test_an_xml_bomb_is_refused_without_being_read():
    bomb = '<!DOCTYPE l [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><info><name>&b;</name></info>'
    with pytest.raises(BadInput, match="document type"):
        parse(bomb)


def test_control_characters_do_not_reach_a_terminal():
    assert "\x1b" not in parse(xml(name="a&#x9;b\u202e")).name
    assert parse(xml(name="")).name == "without a name"


def test_markers_are_no_signal():
    about = parse(xml(kind="Markers", rate="0", format="string", count="1"))
    assert about.is_markers
    with pytest.raises(BadInput, match="no regular rate"):
        signal(about)


def test_layouts_are_compared_by_all_that_rows_depend_on():
    def layout(**changes: str) -> Description:
        return parse(xml(**changes))

    here = layout(desc=channels(("C3", "uV"), ("C4", "uV")))
    assert here.same_layout(layout(name="other", desc=channels(("C3", "uV"), ("C4", "uV"))))
    for other in (
        layout(desc=channels(("C4", "uV"), ("C3", "uV"))),
        layout(desc=channels(("C3", "V"), ("C4", "V"))),
        layout(rate="500", desc=channels(("C3", "uV"), ("C4", "uV"))),
        layout(count="1", desc=channels(("C3", "uV"))),
    ):
        assert not here.same_layout(other)
