"""From microvolts to windows: ring, time base, filters, quality; no file and no clock."""
