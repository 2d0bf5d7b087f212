"""Video streams: painting covers on decoded planes and encoding them in closed segments."""
