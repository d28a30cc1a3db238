"""Everything that stands in for a person and an amplifier."""
