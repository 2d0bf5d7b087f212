"""The syntax of effects: `mosaic cells=4 shape=ellipse pad=200`, `beep pad=120`, `default`."""

from collections.abc import Sequence
from typing import Any, get_args

from veridact.errors import UsageError
from veridact.schema import reader
from veridact.schema.manifest import AudioLabel, Manifest, VideoLabel

VIDEO_EFFECTS: dict[str, dict[str, int | str]] = {
    "solid": {"shape": "box", "pad": 150},
    "mosaic": {"shape": "ellipse", "cells": 6, "pad": 200},
    "blur": {"shape": "ellipse", "cells": 4, "pad": 200},
}
"""Each effect of pictures with its parameters and their defaults; `pad` in thousandths of the box's sides."""
AUDIO_EFFECTS: dict[str, dict[str, int | str]] = {"silence": {"pad": 80}, "beep": {"pad": 80}}
"""Each effect of sound with its parameter and its default; `pad` in milliseconds."""
CHOICES: dict[str, tuple[str, ...]] = {"shape": ("box", "ellipse"), "cells": tuple(map(str, range(2, 9)))}
"""The values of the parameters that have few, as the schema of the manifest allows them."""


def parse(words: Sequence[str], sound: bool, location: str) -> dict[str, Any] | None:
    """The fields of an effect as a manifest has them, None for `default`; parameters left out take their defaults.

    Raises `UsageError` for an unknown effect or parameter.
    """
    known = AUDIO_EFFECTS if sound else VIDEO_EFFECTS
    if list(words) == ["default"]:
        return None
    if not words or words[0] not in known:
        kind = "sound" if sound else "a picture"
        raise UsageError(f"{location}: an effect on {kind} is one of {', '.join(known)}, default")
    fields: dict[str, Any] = dict(known[words[0]])
    for word in words[1:]:
        name, _, value = word.partition("=")
        if name not in fields or not value:
            raise UsageError(f"{location}: {words[0]} has {', '.join(f'{n}=' for n in fields)}, not {word!r}")
        if isinstance(fields[name], int) and not value.isdecimal():
            raise UsageError(f"{location}: {name} takes an integer, not {value!r}")
        fields[name] = int(value) if isinstance(fields[name], int) else value
    pad = fields.pop("pad")
    return {"effect": words[0], **fields, ("pad_ms" if sound else "pad_permille"): pad}


def of_label(manifest: Manifest, label: str, words: Sequence[str], location: str) -> Manifest:
    """The manifest with another effect for a label or for the label `default`.

    The effect `default` removes the one of the label. Raises `UsageError` where the label, the effect or the medium
    does not exist.
    """
    sound = words[:1] in (["silence"], ["beep"]) or (label not in (*get_args(VideoLabel), "default"))
    if label not in (*get_args(AudioLabel if sound else VideoLabel), "default") or label == "keep":
        raise UsageError(f"{location}: {label!r} is no label that has an effect")
    tree = manifest.document()
    medium = tree["effects"].get("audio" if sound else "video")
    if medium is None:
        raise UsageError(f"{location}: the source has no {'sound' if sound else 'picture'}")
    chosen = parse(words, sound, location)
    if chosen is not None:
        medium[label] = chosen
    elif label == "default":
        raise UsageError(f"{location}: the default effect cannot be removed; name another")
    else:
        medium.pop(label, None)
    return reader.validate(tree)
