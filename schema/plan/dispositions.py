"""Stream dispositions: which streams of the input the output has."""

from veridact.schema.manifest import Manifest


def rendered_indexes(manifest: Manifest) -> list[int]:
    """The input streams that the output has, in the order of the input."""
    return sorted(s.index for s in manifest.output.streams or () if s.disposition == "render")


def rendered(manifest: Manifest) -> set[int]:
    """The indexes of the streams that the output has: those listed to be rendered, the only one of a picture."""
    if manifest.output.streams is None:
        return {s.index for s in manifest.source.streams}
    return {s.index for s in manifest.output.streams if s.disposition == "render"}
