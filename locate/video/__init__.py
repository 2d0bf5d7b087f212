"""Finding objects in footage: sampling, detection, tracking, smoothing, keyframes."""
