"""Checks of raw bytes that run before a decoder does, one format a file."""
