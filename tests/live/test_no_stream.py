"""A live session whose stream never comes says which streams there are, with exit code 3."""

import pytest

from tests.soak import long_run
from tests.support.live_session import Box
from tests.support.lsl_source import session, source

pytestmark = [pytest.mark.lsl, pytest.mark.slow]


def test_a_name_that_no_stream_has_is_an_error_that_names_the_streams(tmp_path):
    bus, words = session(), ("--stream", "eeg-of-nobody")
    sender = source(bus, channels=long_run.CHANNELS, labels=",".join(long_run.electrodes()))
    bundle = long_run.bundle().save(tmp_path / "bundle")
    try:
        with Box(
            "live", "--bundle", bundle, *words, "--duration", 15, "--no-record", "--json",
            "--out", tmp_path / "sessions", "--lsl-session", bus, "--lsl-scope", "machine",
            runtime=tmp_path,
        ) as live:  # fmt: skip
            assert live.end(30) == 3
    finally:
        sender.stop()
    last = live.stderr.strip().splitlines()[-1]
    assert words[1] in last
    assert "eeg" in last.replace(words[1], "")
