"""Stream dispositions: which streams of the input the output has."""

from veridact.schema.manifest import Manifest


def rendered_indexes(manifest: Manifest) -> list[int]:
    """The input streams that the output has, in order: those listed as `render`, or the only one of a picture."""
    if manifest.output.streams is None:
        return [s.index for s in manifest.source.streams]
    return sorted(s.index for s in manifest.output.streams if s.disposition == "render")
