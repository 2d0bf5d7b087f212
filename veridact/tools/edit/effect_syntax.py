"""Effects as people write them: `mosaic cells=4 shape=ellipse pad=200`, `beep pad=120`, `default`."""

from collections.abc import Sequence
from typing import Any, get_args

from veridact.errors import UsageError
from veridact.schema import reader
from veridact.schema.manifest import AudioLabel, Manifest, VideoLabel

_VIDEO = {
    "solid": {"shape": "box", "pad": 150},
    "mosaic": {"shape": "ellipse", "cells": 6, "pad": 200},
    "blur": {"shape": "ellipse", "cells": 4, "pad": 200},
}
_AUDIO = {"silence": {"pad": 80}, "beep": {"pad": 80}}


def parse(words: Sequence[str], sound: bool, place: str) -> dict[str, Any] | None:
    """An effect object from its words, None for `default`; what is not said has the values of the tables above."""
    known = _AUDIO if sound else _VIDEO
    if list(words) == ["default"]:
        return None
    if not words or words[0] not in known:
        kind = "sound" if sound else "a picture"
        raise UsageError(f"{place}: an effect on {kind} is one of {', '.join(known)}, default")
    given: dict[str, Any] = dict(known[words[0]])
    for word in words[1:]:
        name, _, value = word.partition("=")
        if name not in given or not value:
            raise UsageError(f"{place}: {words[0]} has {', '.join(f'{n}=' for n in given)}, not {word!r}")
        if isinstance(given[name], int) and not value.isdecimal():
            raise UsageError(f"{place}: {name} is a number, {value!r} is none")
        given[name] = int(value) if isinstance(given[name], int) else value
    pad = given.pop("pad")
    return {"effect": words[0], **given, ("pad_ms" if sound else "pad_permille"): pad}


def of_label(manifest: Manifest, label: str, words: Sequence[str], place: str) -> Manifest:
    """The manifest with another effect for a label, or for `default`; `default` as the effect takes a label's away."""
    sound = words[:1] in (["silence"], ["beep"]) or (label not in (*get_args(VideoLabel), "default"))
    if label not in (*get_args(AudioLabel if sound else VideoLabel), "default") or label == "keep":
        raise UsageError(f"{place}: {label!r} is no label that has an effect")
    tree = manifest.document()
    medium = tree["effects"].get("audio" if sound else "video")
    if medium is None:
        raise UsageError(f"{place}: the source has no {'sound' if sound else 'picture'}")
    chosen = parse(words, sound, place)
    if chosen is not None:
        medium[label] = chosen
    elif label == "default":
        raise UsageError(f"{place}: the default effect cannot be taken away; name another")
    else:
        medium.pop(label, None)
    return reader.validate(tree)
