"""From trials to a bundle: protocol, training, report; no Qt and no clock."""
