"""Back ends of speech recognition, one a file; see `veridact.locate.speech.recognizers.base`."""
