"""A minute of 122 channels at 1 kHz: nothing is lost, nothing moves, nothing grows.

``make soak`` does it for ten minutes, and measures what a decision costs.
"""

import pytest

from tests.soak.long_run import run

pytestmark = [pytest.mark.lsl, pytest.mark.slow]
GROWTH_MB = 20.0  # of each process


def test_a_minute_of_122_channels_is_recorded_and_decoded_without_loss(tmp_path):
    found = run(tmp_path, 60.0)
    print(found)
    assert found.sent == 60_000
    assert found.missing == 0
    assert found.undecoded == 0
    assert found.markers > 100
    assert found.misplaced == []
    assert max(found.growth_mb.values()) <= GROWTH_MB
