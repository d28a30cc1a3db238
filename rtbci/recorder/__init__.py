"""The record process: every stream of the lab into XDF files that survive a crash."""
