"""Finding what may need hiding; the only package in which a model may load. Everything it says ends in a manifest."""
