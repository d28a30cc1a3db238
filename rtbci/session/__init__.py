"""Live sessions: starting, watching and ending their processes, and their folder on disk."""
