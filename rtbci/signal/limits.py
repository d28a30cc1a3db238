"""Amplitude limits that commands and calibrations share; nothing heavy is imported for them."""

REJECT = 100.0  # uV peak to peak, beyond which a trial trains nothing unless told otherwise
