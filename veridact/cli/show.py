"""The command `veridact show`."""

from functools import partial
from pathlib import Path
from typing import BinaryIO

import click

from veridact import atomic_write
from veridact.cli.output import FILE, MANIFEST, SETTINGS, remark
from veridact.errors import UsageError
from veridact.media import timeline
from veridact.media.video import MediaFile, check_source, open_media
from veridact.sandbox import child
from veridact.schema.manifest import Manifest
from veridact.schema.timeline import Clocks
from veridact.tools import lint, manifest_file
from veridact.tools.draw import frames, timeline_svg
from veridact.tools.draw import show as shower
from veridact.tools.edit import times

PRIVATE = 0o600


def _picture(media: MediaFile, manifest: Manifest, clocks: Clocks, stream: int | None, at: str | None) -> bytes:
    visual = frames.stream_of(manifest, stream)
    clock = clocks[visual.index]
    if at is not None:
        return shower.one_frame(media, manifest, visual, clock, clock.frame_of(times.instant(at), up=False))
    return shower.sheet(media, manifest, visual, clock, lint.inspect(lint.Subject(manifest, clocks)))


def _draw(
    media: MediaFile,
    manifest: Manifest,
    clocks: Clocks,
    stream: int | None,
    at: str | None,
    container: str | None,
    target: BinaryIO,
) -> None:
    """Writes a picture, or a video in the container `container`, to an open file."""
    if container is None:
        target.write(_picture(media, manifest, clocks, stream, at))
    else:
        visual = frames.stream_of(manifest, stream)
        shower.review_video(media, manifest, visual, clocks[visual.index], target, container)
    target.flush()


@click.command(context_settings=SETTINGS)
@click.argument("media", type=FILE)
@click.argument("manifest", type=MANIFEST)
@click.option("--sheet", "kind", flag_value="sheet", default="sheet", help="A contact sheet as PNG (the default).")
@click.option("--timeline", "kind", flag_value="timeline", help="The tracks and ranges over time as SVG.")
@click.option("--frame", "at", metavar="TIME", help="One frame as PNG: 120, 4.8s or 00:00:04.800.")
@click.option("--video", "kind", flag_value="video", help="A video with outlines and ids, without sound.")
@click.option("--stream", type=click.IntRange(0), help="The stream to draw; by default the first one with a picture.")
@click.option("-o", "--output", "out", type=FILE, required=True, help="The new file; only its owner can read it.")
def show(media: Path, manifest: Path, kind: str, at: str | None, stream: int | None, out: Path) -> None:
    """Draw what MANIFEST covers over the original MEDIA, for review.

    The result shows the original: it is not for disclosure.
    """
    if at is not None and kind != "sheet":
        raise UsageError("give one of --sheet, --timeline, --frame and --video")
    atomic_write.check_new(out)
    read = manifest_file.read_path(manifest).manifest
    clocks = timeline.from_media(read, media)
    if kind == "timeline":
        atomic_write.write_new(out, timeline_svg.draw(read, clocks))
        return
    container = shower.format_of(out) if kind == "video" else None
    with open_media(media) as file, atomic_write.new_file(out, PRIVATE) as target:
        check_source(file, read.source.sha256)
        drawn = partial(_draw, file, read, clocks, stream, at, container, target)
        child.call(drawn, file.fd, target.fileno())
    if kind == "video":
        remark("the review video shows the original, without sound; it is not for disclosure")
