"""Sampling: which frames each detector is run on."""
