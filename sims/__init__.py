"""Simulated participants, recordings, amplifiers and faults."""
