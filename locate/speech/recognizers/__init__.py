"""Speech recognisers, one a file; `veridact.locate.speech.recognizers.base` has their interface and their table."""
