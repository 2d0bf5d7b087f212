"""Checks of raw bytes before a decoder sees them, one format a module."""
