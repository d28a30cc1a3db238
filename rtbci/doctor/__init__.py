"""Checks of this computer and its network before a participant arrives (``rtbci doctor``)."""
