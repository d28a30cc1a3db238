"""From windows to decisions: pipeline, bundle, decoders in numpy."""
