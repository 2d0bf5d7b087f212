"""Whether what is proposed can be written: asked beforehand what `render` asks, so that it refuses nothing later."""

from schema import rules
from schema.containers import ONE_STREAM, fit
from schema.digests import counts
from schema.errors import MediaError
from schema.manifest import AudioStream, Manifest
from schema.media import MediaFile


def _offered(manifest: Manifest) -> frozenset[str]:
    """The containers that the caller may choose for this source."""
    if manifest.source.kind == "audio":
        return rules.SOUND_CONTAINERS
    return rules.VIDEO_CONTAINERS[manifest.output.profile or ""]


def check_sound(media: MediaFile, manifest: Manifest) -> None:
    """Raises `MediaError` when the container cannot hold a kept sound, covered or not, naming one that can."""
    kept = {s.index for s in manifest.output.streams or () if s.disposition == "render"}
    sounds = [s.index for s in manifest.source.streams if isinstance(s, AudioStream) and s.index in kept]
    container = manifest.output.container
    if len(sounds) > 1 and container in ONE_STREAM:
        raise MediaError(f"{container} holds one stream of sound and {len(sounds)} are kept; use --container mkv")
    for index in sounds:
        covered = any(r.stream in {None, index} and counts(r) for r in manifest.audio)
        found = fit(media, index, container)
        refusal = found.refusal(covered, "use --container ")
        if refusal is None:
            continue
        if found.holders and found.holders[0] not in _offered(manifest):
            raise MediaError(f"{refusal.partition(';')[0]}; convert the sound first, to FLAC for example")
        raise MediaError(refusal)
