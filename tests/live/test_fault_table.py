"""The table of faults that a session over the bus must survive, and the test that shows each.

Rows 11 to 14 and 25 to 32, 40 to 42, 45, 46, 50 to 52 and 54 are not about the bus.
"""

import ast
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
REQUIRED = {*range(1, 11), *range(15, 25), *range(33, 40), 43, 44, *range(47, 50), 53}

SHOWN: dict[int, tuple[tuple[str, str], ...]] = {
    # the stream is gone for 3 s: alarm, gap, back, nothing decoded across it
    1: (
        (
            "test_outlet_returns.py",
            "test_row_01_a_stream_gone_for_3_s_is_alarmed_at_once_and_decoded_again_soon",
        ),
        ("test_record.py", "test_a_stream_that_was_gone_for_three_seconds_goes_on_in_its_place"),
    ),
    # ... for 60 s
    2: (
        (
            "test_fault_table_signal.py",
            "test_row_02_a_stream_gone_for_a_minute_comes_back_as_after_three_seconds",
        ),
    ),
    # the amplifier stalls, its outlet lives: a gap by the stamps, never concatenated
    3: (
        (
            "test_fault_table_signal.py",
            "test_row_03_what_an_amplifier_did_not_send_is_a_gap_and_stamps_are_right_at_once",
        ),
    ),
    # it stalls and then sends everything: nothing lost, no old decisions
    4: (
        (
            "test_fault_table_signal.py",
            "test_row_04_a_burst_behind_a_hiccup_loses_nothing_and_repeats_no_old_decisions",
        ),
    ),
    # back with another number of channels: refused; recorded as another stream
    5: (
        (
            "test_outlet_returns.py",
            "test_row_05_back_with_fewer_channels_it_is_refused_until_all_are_there",
        ),
        (
            "test_record.py",
            "test_a_stream_that_comes_back_different_becomes_another_stream_of_the_file",
        ),
    ),
    # back at another rate: refused; the measured rate is compared with the nominal one
    6: (
        (
            "test_outlet_returns.py",
            "test_row_06_back_at_another_rate_it_is_refused_with_both_rates",
        ),
        ("test_watchdog.py", "test_a_rate_that_is_not_the_nominal_one_is_told"),
    ),
    # back with other names, another order, another unit
    7: (
        (
            "test_outlet_returns.py",
            "test_row_07_back_in_another_order_or_unit_it_is_solved_by_name",
        ),
        ("test_outlet_returns.py", "test_row_07_back_without_a_unit_it_is_refused"),
        ("test_outlet_returns.py", "test_row_07_back_with_another_name_it_is_refused"),
    ),
    # the wall clock jumps by an hour
    8: (
        (
            "test_fault_table_signal.py",
            "test_row_08_a_wall_clock_that_jumps_by_an_hour_changes_nothing",
        ),
    ),
    # the stream's clock jumps: a new segment, markers find their rows
    9: (
        (
            "test_fault_table_signal.py",
            "test_row_09_a_clock_that_was_set_begins_a_segment_and_every_marker_finds_its_row",
        ),
    ),
    # a drift of 100 ppm: markers stay within 2 ms for an hour
    10: (("test_live_timebase.py", "test_an_hour_of_drift_moves_no_marker_by_two_milliseconds"),),
    # no marker stream at the start
    15: (
        (
            "test_fault_table_markers.py",
            "test_row_15_without_markers_it_says_so_and_takes_them_when_they_come",
        ),
    ),
    # one marker in 20 never comes
    16: (
        (
            "test_fault_table_markers.py",
            "test_row_16_a_marker_that_never_came_costs_its_own_event_only",
        ),
    ),
    # a marker comes twice: the first counts
    17: (
        (
            "test_fault_table_markers.py",
            "test_row_17_a_marker_that_came_twice_is_one_event_and_counted",
        ),
        ("test_pipeline.py", "test_the_same_label_within_20_ms_is_one_event"),
    ),
    # a marker long before or behind its data: never a wrong window
    18: (
        (
            "test_fault_table_markers.py",
            "test_row_18_markers_long_before_or_behind_their_data_are_never_cut_elsewhere",
        ),
        ("test_windows.py", "test_neither_the_cut_nor_the_order_of_arrival_changes_a_window"),
    ),
    # unknown, huge, binary, foreign labels
    19: (
        (
            "test_fault_table_markers.py",
            "test_row_19_absurd_labels_are_recorded_and_disturb_nobody",
        ),
    ),
    # dropped chunks are counted
    20: (
        (
            "test_fault_table_signal.py",
            "test_row_20_dropped_chunks_are_counted_to_the_sample_and_no_window_spans_them",
        ),
    ),
    # stamps out of order; no alarm for what is normal
    21: (
        (
            "test_fault_table_signal.py",
            "test_row_21_chunks_in_the_wrong_order_shift_nothing_but_themselves",
        ),
        (
            "test_live_timebase.py",
            "test_every_real_recording_gets_the_indices_it_gets_afterwards",
        ),
    ),
    # a decoder that is too slow, or stood still
    22: (
        (
            "test_fault_table_signal.py",
            "test_row_22_a_decoder_that_stood_still_skips_old_windows_and_is_fresh_at_once",
        ),
        ("test_engine.py", "test_an_engine_behind_skips_sliding_windows_but_never_an_event"),
    ),
    # the recorder is frozen for 5 s
    23: (("test_record.py", "test_frozen_for_five_seconds_it_loses_nothing"),),
    # the decoder raises: told once, no decision, loaded anew when it goes on
    24: (
        ("test_engine.py", "test_a_decoder_that_fails_costs_one_decision_and_is_told_once"),
        ("test_engine.py", "test_a_decoder_that_keeps_failing_is_loaded_anew"),
    ),
    # SIGTERM, SIGINT: a safe stop within 3 s
    33: (("test_live.py", "test_a_signal_stops_safely_and_soon_with_a_summary"),),
    # kill -9 of the recorder
    34: (
        (
            "test_record_crash.py",
            "test_a_killed_recorder_loses_a_tenth_of_a_second_and_a_part_follows",
        ),
        ("test_live.py", "test_killed_boxes_come_back_and_the_recording_goes_on"),
    ),
    # the power fails: cut at any byte, torn at a sector, zeros at the end
    35: (
        (
            "test_record_crash.py",
            "test_cut_at_a_random_byte_it_opens_with_every_whole_chunk",
        ),
        ("test_record_crash.py", "test_torn_where_a_sector_ends_it_always_opens"),
        ("test_verify.py", "test_zeros_behind_a_power_cut_are_no_samples"),
    ),
    # the disk is full: warned before, told, spooled, a second folder, a valid file
    36: (
        ("test_record_disk.py", "test_the_space_left_is_told_before_it_matters"),
        ("test_record_disk.py", "test_a_full_disk_is_told_and_tried_again_and_nothing_is_lost"),
        ("test_record_disk.py", "test_a_second_folder_takes_over_when_the_first_stays_full"),
        (
            "test_record_disk.py",
            "test_a_file_at_the_limit_of_the_system_goes_on_once_the_limit_is_raised",
        ),
    ),
    # the disk is slow
    37: (("test_record_disk.py", "test_a_slow_disk_is_told_with_its_age_and_loses_nothing"),),
    # a folder that is read-only, missing, a file
    38: (
        (
            "test_record_disk.py",
            "test_folders_that_cannot_be_written_are_refused_with_path_and_fix",
        ),
        ("test_record_disk.py", "test_a_read_only_folder_is_refused_with_path_and_fix"),
        ("test_record.py", "test_what_cannot_be_is_refused_before_anybody_sits_down"),
    ),
    # what exists is never overwritten
    39: (
        ("test_session.py", "test_an_existing_session_is_never_overwritten"),
        ("test_record.py", "test_nothing_is_overwritten_and_a_further_part_may_be_asked_for"),
    ),
    # odd names and folders
    43: (
        (
            "test_fault_table_machine.py",
            "test_row_43_all_commands_work_with_odd_names_and_folders",
        ),
    ),
    # no display
    44: (
        (
            "test_fault_table_machine.py",
            "test_row_44_without_a_display_everything_but_windows_works",
        ),
        ("test_live.py", "test_the_bus_decides_as_the_process_does_and_loses_nothing"),
    ),
    # two outlets of one name or source_id
    47: (
        (
            "test_fault_table_machine.py",
            "test_row_47_of_twins_none_is_read_until_one_is_chosen",
        ),
        ("test_record.py", "test_twins_are_told_and_each_is_recorded_on_its_own"),
        ("test_watchdog.py", "test_twins_are_named"),
    ),
    # two programs on one session folder; the lock of a dead one
    48: (
        ("test_session.py", "test_the_second_user_is_told_who_holds_the_session"),
        ("test_session.py", "test_the_lock_of_a_killed_holder_is_recognised_and_taken"),
        ("test_cli.py", "test_an_expected_error_is_its_sentence_and_exit_code"),
    ),
    # streams come and go; the LSL library is missing
    49: (
        ("test_record.py", "test_every_stream_is_recorded_as_it_was_sent_and_late_ones_too"),
        ("test_streams.py", "test_a_library_that_cannot_be_loaded_is_one_sentence"),
        ("test_doctor.py", "test_a_broken_lsl_library_is_one_clean_failure"),
    ),
    # malformed descriptions
    53: (
        (
            "test_fault_table_machine.py",
            "test_row_53_malformed_streams_are_refused_in_a_sentence_or_mapped_by_hand",
        ),
        ("test_record.py", "test_a_malformed_stream_stops_nothing"),
        ("test_description.py", "test_absurd_headers_are_refused_in_a_sentence"),
        ("test_description.py", "test_an_xml_bomb_is_refused_without_being_read"),
    ),
}


@cache
def functions(file: str) -> frozenset[str]:
    """Names of the tests of a file."""
    tree = ast.parse(next(TESTS.rglob(file)).read_text("utf-8"))
    return frozenset(each.name for each in tree.body if isinstance(each, ast.FunctionDef))


def test_every_row_has_a_test():
    assert set(SHOWN) == REQUIRED
    assert all(SHOWN.values())


@pytest.mark.parametrize("row", sorted(SHOWN))
def test_the_tests_of_a_row_exist(row):
    for file, name in SHOWN[row]:
        assert name.startswith("test_")
        assert name in functions(file), f"row {row}: {file} has no {name}"
