"""The decode process: a live stream is counted, watched and brought into the pipeline."""
