"""Applies a manifest to its footage: the only package that changes pixels and samples; it loads no model."""
