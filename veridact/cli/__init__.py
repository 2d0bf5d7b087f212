"""The commands, one a file, and how they start and end; the only package that prints."""
