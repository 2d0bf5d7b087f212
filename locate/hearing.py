"""Whether there is something to listen to, and what became of each sound."""

from dataclasses import replace

from locate.options import Options
from locate.sound.pipeline import Heard, hear
from locate.streams import Tell
from schema.manifest import AudioStream, Source
from schema.media import MediaFile

NOTHING = Heard((), (), ())


def listen(media: MediaFile, source: Source, options: Options, tell: Tell) -> tuple[Source, Heard]:
    """The source with its sounds marked as searched or not, and what was heard in them.

    Where there is no sound, or the caller asked for no spoken label, nothing is loaded and nothing is searched.
    """
    if not options.heard or not any(isinstance(s, AudioStream) for s in source.streams):
        return source, NOTHING
    heard = hear(media, replace(options.hearing, labels=options.heard), tell)
    searched = {s.index for s in heard.streams if s.searched}
    streams = tuple(
        s.model_copy(update={"searched": s.index in searched}) if isinstance(s, AudioStream) else s
        for s in source.streams
    )
    return source.model_copy(update={"streams": streams}), heard
