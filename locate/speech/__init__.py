"""Sound: decoded, cut at silences, heard, searched for what is personal, and turned into ranges of milliseconds."""
