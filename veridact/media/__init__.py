"""The one way a media file is opened: its format, streams, packets, frames and timestamps."""
