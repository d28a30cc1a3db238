"""Amplitude limits that commands and calibrations share; nothing heavy is imported for them."""

REJECT = 100.0  # uV peak to peak; by default no trial beyond this is trained on
