"""The operator's window."""
