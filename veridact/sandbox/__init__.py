"""Untrusted decoding in a child process, with limits, Landlock and a filter of system calls."""
