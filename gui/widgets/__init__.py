"""Widgets and drawing functions shared by all windows."""
