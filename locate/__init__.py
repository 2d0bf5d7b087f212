"""Finding what may need hiding; the only package in which a model may load. Its result is a manifest."""
