"""Still and animated pictures."""
