"""Whether a line of written text is personal: the same finders as for spoken words, and nothing of the text is kept."""

import threading

from locate.recognizer import Word
from locate.sound.personal import Wanted, find
from locate.sound.pipeline import HEARD_LABELS
from locate.sound.presidio import Presidio


class WrittenWords:
    """Reads lines for what is personal in them; the finder is shared between threads, one at a time."""

    def __init__(self, language: str = "en") -> None:
        self._presidio = Presidio("written", language, None)
        self._wanted = Wanted(frozenset(HEARD_LABELS) - {"speech", "custom"}, language)
        self._lock = threading.Lock()

    def personal(self, line: str) -> bool:
        """Whether there is a number, a name, an address or the like in a line."""
        reading = tuple(Word(word, None, None) for word in line.split())
        with self._lock:
            return bool(reading) and bool(find(reading, False, self._wanted, self._presidio))
