"""The only place where pixels and samples change: applies a manifest, byte for byte, and never loads a model."""
