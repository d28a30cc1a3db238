"""Figures of merit of a decoder, and the one rule for a verdict."""
