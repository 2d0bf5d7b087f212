"""Back ends of speech recognition, one a file; see `locate.recognizer`."""
