"""The operator's window of one session."""
