"""The one way a media file is opened: what it is, its frames, its packets and its times."""
