"""Redaction you can prove: find, review, hide, and prove what was hidden."""

__version__ = "0.2.0"
