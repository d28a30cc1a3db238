"""Widgets and drawing that every window shares."""
