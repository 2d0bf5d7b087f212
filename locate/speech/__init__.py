"""PII in speech: decode the audio, segment it at silences, transcribe it, find PII, and propose ranges in ms."""
