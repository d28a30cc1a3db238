"""Fitting of a participant's decoder: from labelled trials to a bundle."""
