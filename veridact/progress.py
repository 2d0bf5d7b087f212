"""How a search or a render reports how far it is; what is shown of it is up to the caller."""

from collections.abc import Callable

ReportProgress = Callable[[str, int, int], None]
"""Called with the unit that is counted, how many are done, and how many there are (0 where that is not known)."""

AUDIO_SECONDS = " seconds of audio"
"""Ends the unit of what is counted in seconds of an audio stream; a terminal shows those in minutes."""


def silently(unit: str, done: int, total: int) -> None:
    """Reports nothing; a `ReportProgress`."""
