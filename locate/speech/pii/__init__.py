"""Personally identifiable information (PII) in recognised words: patterns, checksums, names, dates, word lists."""
