"""The main path of `render`: read the manifest, check that it fits the footage, paint, encode, check, publish."""

from dataclasses import dataclass
from pathlib import Path

from render import account, selftest
from render.account import Rendered
from render.footage import Tell, render_footage
from render.pictures import render_picture
from render.place import Place, work_in
from render.toolchain import toolchain
from schema import digests, reading, receipt
from schema.errors import SafetyError, UsageError
from schema.manifest import AudioRange, Manifest, Track
from schema.media import check_source, hash_descriptor, open_media

RENDERERS = {"video": render_footage, "audio": render_footage, "picture": render_picture}
"""How each kind of source is rendered to `place.new_output`."""

SUFFIXES = {
    "mp4": (".mp4", ".m4v"), "mov": (".mov",), "mkv": (".mkv",), "flac": (".flac",), "wav": (".wav",),
    "m4a": (".m4a",), "mp3": (".mp3",), "ogg": (".ogg", ".oga", ".opus"), "jpeg": (".jpg", ".jpeg"),
    "png": (".png",), "webp": (".webp",), "tiff": (".tif", ".tiff"), "bmp": (".bmp",), "gif": (".gif",),
}  # fmt: skip


NOTHING_COVERED = "nothing would be covered; add a track, or give --allow-uncovered if that is right"


@dataclass(frozen=True)
class Options:
    """What the command line may decide: nothing that changes a byte of the output."""

    jobs: int
    force: bool
    resume: bool
    require_review: bool
    allow_uncovered: bool


@dataclass(frozen=True)
class Done:
    """What a render made: the digest of the output and the head of the receipt."""

    output_sha256: str
    head: str


REPEAT = Options(jobs=1, force=False, resume=False, require_review=False, allow_uncovered=True)
"""How a render is repeated for verification: refusals that were overridden once are not asked again."""


def silently(what: str, done: int, total: int) -> None:
    """Tells nobody how far it is."""


def render(media_path: Path, read: reading.Read, output: Path, audit: Path, options: Options, tell: Tell) -> Done:
    """Applies a manifest to the footage it was made for; returns what it made.

    Either both `output` and `audit` are written whole, or neither is.
    """
    manifest = read.manifest
    refuse_unsafe(manifest, options)
    check_suffix(output, manifest.output.container)
    with open_media(media_path) as media, work_in(media_path, output, audit, options.force, options.resume) as place:
        check_source(media, manifest.source.sha256)
        selftest.check(manifest)
        rendered = RENDERERS[manifest.source.kind](media, manifest, place, options.jobs, tell)
        refuse_uncovered(manifest, rendered, options)
        media.check_unchanged()
        made = _digest_of(place)
        lines = receipt.chain(account.bodies(read, rendered, toolchain(), made))
        place.new_audit.write_bytes(lines)
        place.publish()
    return Done(str(made["sha256"]), receipt.head(receipt.read(lines)[1]))


def _digest_of(place: Place) -> dict[str, str | int]:
    with open(place.new_output, "rb") as file:
        return {"sha256": hash_descriptor(file.fileno()), "bytes": place.new_output.stat().st_size}


def refuse_unsafe(manifest: Manifest, options: Options) -> None:
    """Refuses a manifest under which something might be shown that was not meant to be."""
    items: list[Track | AudioRange] = [*manifest.tracks, *manifest.audio]
    waiting = [item.id for item in items if item.review == "proposed"]
    if options.require_review and waiting:
        raise SafetyError(f"{len(waiting)} items are still proposed, {waiting[0]} first; review them")
    if manifest.scope == "listed" and not any(digests.counts(i) for i in items) and not options.allow_uncovered:
        raise SafetyError(NOTHING_COVERED)


def refuse_uncovered(manifest: Manifest, rendered: Rendered, options: Options) -> None:
    """Refuses a result in which nothing was covered, though the manifest lists something."""
    shown = not any(pixels for _, pixels in rendered.covered.values())
    heard = not any(rendered.ranges.values())
    if manifest.scope == "listed" and shown and heard and not options.allow_uncovered:
        raise SafetyError(NOTHING_COVERED)


def check_suffix(output: Path, container: str) -> None:
    """The name of the output must say what it is."""
    if output.suffix.lower() not in SUFFIXES[container]:
        raise UsageError(f"the manifest's container is {container}; name the output *{SUFFIXES[container][0]}")
