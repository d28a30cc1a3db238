"""From trials to a bundle: everything that is fitted to one person."""
