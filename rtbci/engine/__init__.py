"""Decode process: counts and watches a live stream and brings it into the pipeline."""
