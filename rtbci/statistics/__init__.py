"""Every figure that says how good a decoder is, and the one rule for a verdict."""
