"""The record process: streams of the lab into XDF files that survive a crash."""
