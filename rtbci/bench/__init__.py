"""Speed measurements on this computer (``rtbci bench``)."""
