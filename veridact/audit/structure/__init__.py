"""Walking a written file from its first byte to its last: what the pinned muxers write is listed, all else is stray."""
